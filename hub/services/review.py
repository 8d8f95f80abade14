"""The review of disclosures: the data protection lead's list, on the same day (`domain.md` 4.6).

Codes and references, never what was disclosed.  An alert hangs on the disclosure's own reference
and not on the episode's, so that nobody who looks at the episode can come upon it.
"""

from datetime import datetime
from typing import Final

from hub.domain.exchange import Alert, Delivery, Tree
from hub.services.alerts import alert

REVIEW: Final = "disclosure.review"
UNDELIVERED: Final = "disclosure.undelivered"


def _lead(authority: str | None) -> str:
    return f"data-protection:{authority or '-'}"


def review(
    facts: Tree, message_id: str, made: Delivery | None, authority: str | None, now: datetime
) -> Alert:
    """Return the entry of the review list for one disclosure, or request for one."""
    return alert(
        REVIEW,
        _lead(authority),
        message_id,
        at=now,
        episode_id=made.episode_id if made else None,
        service=made.service if made else None,
        delivery_id=made.delivery_id if made else None,
        due_at=now.replace(hour=23, minute=59, second=59, microsecond=0),
        facts=facts,
    )


def undelivered(ended: Delivery, now: datetime) -> Alert:
    """Return the alert about a disclosure that ended without arriving: somebody must ring."""
    record = ended.facts["disclosure"]
    return alert(
        UNDELIVERED,
        _lead(None),
        ended.delivery_id,
        ended.state,
        at=now,
        episode_id=ended.episode_id,
        service=ended.service,
        delivery_id=ended.delivery_id,
        facts={
            "disclosure": record["exception_id"],
            "basis": record["basis"],
            "state": str(ended.state),
            "reason": ended.reason or "-",
        },
    )
