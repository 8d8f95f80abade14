"""Unchanged: whether a recipient has already what a delivery would show (`design.md` section 4)."""

from hub.domain.exchange import Delivery, State
from hub.ports import Session
from hub.services.gate import Case, Request, news
from hub.services.views import CONTENT


def nothing_new(
    session: Session, case: Case, request: Request, delivery: Delivery, digest: bytes
) -> bool:
    """Return whether the recipient already has what this would show (`design.md` section 4).

    What counts is the last that it was given or that waits for it, by the sequence that it
    sees.  A copy that was recalled since, or held by who had left, is given again (N7).
    """
    if delivery.message_type not in CONTENT or (delivery.evidence or {}).get("replay_of"):
        return False  # who asks for a replay has lost what it had
    kinds = {"N6", "N7", "N9"} if delivery.message_type == "N9" else {"N6", "N7"}
    records = session.last_released(delivery.episode_id, delivery.service)
    given = [
        (told.sequence or 0, record.version, record.digest, record.released_at)
        for record in records
        if record.message_type in kinds
        and (told := session.delivery(record.delivery_id)) is not None
        and not _returned(told)
    ]
    lane = session.unsettled(delivery.episode_id, delivery.partner)
    given.extend(
        (waiting.sequence or 0, waiting.version, waiting.digest or b"", waiting.created_at)
        for waiting in lane
        if waiting.state is State.HANDED_OVER
        and waiting.service == delivery.service
        and waiting.message_type in kinds
    )
    if not given:
        return False
    _, version, last, at = max(given)
    if delivery.message_type == "N7":
        gone = (r.released_at for r in records if r.message_type == "N10" or r.paths == ("left",))
        return last == digest and not any(at <= since for since in gone)
    known = session.version(delivery.episode_id, version)
    return known is not None and not news(case, request, known.tree)


def _returned(told: Delivery) -> bool:
    """Return whether a carrier brought it back, and it has not arrived since."""
    arrived = told.state in {State.HANDED_OVER, State.DELIVERED}
    return bool((told.evidence or {}).get("returned")) and not arrived
