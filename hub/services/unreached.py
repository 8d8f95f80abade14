"""Recalls that cannot be sent for now: kept, said at once, and sent as soon as that is possible.

A recall (N10) or correction (N14) must never vanish (`domain.md` 4.4: all later content is blocked
until N10 is acknowledged, and it is not dropped after some retries).  Where its recipient's
protocol has lapsed, where it is suspended, or where no connected system serves it any more, it
stays on its lane before everything else.  The recipient's administrator and the owner of its
protocol hear of it at once, because somebody has to ask for the copies in other ways, and so does
the data protection lead of the family's authority.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from hub.domain.exchange import Alert
from hub.domain.partner import Partner
from hub.errors import Code
from hub.services.alerts import alert

RECALLS: Final = frozenset({"N10", "N14"})
KIND: Final = "recall.unreached"


def kept(message_type: str, code: Code) -> bool:
    """Return whether a delivery that the gate stops with *code* waits instead of ending."""
    return message_type in RECALLS and code is Code.ORG_NOT_ACCREDITED


def unreached(
    message_type: str,
    service: str,
    partner: Partner | None,
    authority: str | None,
    about: str,
    *,
    at: datetime,
    episode_id: str,
    delivery_id: str | None = None,
    code: Code = Code.ORG_NOT_ACCREDITED,
) -> Iterator[Alert]:
    """Yield who is told that *service* cannot be asked for its copies; nothing about other messages
    than recalls.  *about* is what makes it one occasion: the delivery, or the message behind it.
    """
    if message_type not in RECALLS:
        return
    organisation = partner.organisation if partner else service.partition("/")[0]
    reason = code.value if partner else "NO_PARTNER"
    for audience in (
        f"administrator:{organisation}",
        f"protocol-owner:{organisation}",
        f"data-protection:{authority or '-'}",
    ):
        yield alert(
            KIND,
            audience,
            about,
            service,
            at=at,
            episode_id=episode_id,
            service=service,
            delivery_id=delivery_id,
            facts={"message_type": message_type, "reason": reason},
        )
