"""Every duty of the scheduler, in the order in which they are asked: add yours here."""

from collections.abc import Sequence

from hub.domain.partner import Registry
from hub.services.consent_duties import ConsentDuty
from hub.services.index_duty import IndexDuty
from hub.services.lapse import LapseDuty
from hub.services.notice_duties import NoticeErasure
from hub.services.people_duties import ExpiringPractitioners, VacantLeads
from hub.services.recall_duties import RecallDuty
from hub.services.review_duties import ReviewDuty
from hub.services.scheduler import Duty
from hub.services.transfer_duties import TransferDuty


def duties(registry: Registry) -> Sequence[Duty]:
    """Return the duties of a hub with these partners."""
    return (
        RecallDuty(registry),
        ConsentDuty(registry),
        LapseDuty(registry),
        IndexDuty(registry),
        ExpiringPractitioners(),
        VacantLeads(registry),
        TransferDuty(),
        ReviewDuty(),
        NoticeErasure(),
    )
