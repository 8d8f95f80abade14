"""Deadlines: until when a delivery must have come on, by its class and by what it waits for.

`reliability.md` P3 asks that none is ever stuck: what is older than its deadline is alerted, and
what nobody collects in a month ends *expired*.  What must be told (recalls, corrections,
disclosures by law, everything that overtakes) never runs out by itself: it is alerted, escalated by
duties of its own, and ended by a named person alone.
"""

from datetime import datetime, timedelta
from typing import Final

from hub.domain.exchange import Delivery, Priority, State
from hub.services.lane import CONTENT_CLASS
from hub.services.share import INDEX_SERVICE

TO_SEND: Final = {
    Priority.STATUTORY: timedelta(minutes=15),
    Priority.CONSENT: timedelta(hours=1),
    Priority.VOID: timedelta(hours=1),
    Priority.CLOSURE: timedelta(hours=4),
    Priority.CONTENT: timedelta(hours=24),
}
"""How long a delivery of each class may wait to be sent."""
TO_COLLECT: Final = {
    Priority.STATUTORY: timedelta(hours=1),
    Priority.CONSENT: timedelta(hours=24),
    Priority.VOID: timedelta(hours=24),
    Priority.CLOSURE: timedelta(hours=72),
    Priority.CONTENT: timedelta(days=5),
}
"""How long what was handed over may wait for the receiver's word; content as long as MESH keeps
what nobody collects before it reports it (`reliability.md` section 7).
"""
LEAST: Final = min(*TO_SEND.values(), *TO_COLLECT.values())
EXPIRES: Final = timedelta(days=30)
"""After how long content that nobody collected has run out: as long as its bytes may live."""
NOT_COLLECTED: Final = "NOT_COLLECTED"
OWED: Final = frozenset({"N10", "N13", "N14"})
"""What must be told, however long it takes."""


def due_of(one: Delivery) -> datetime:
    """Return until when *one*, which is not final, must have come on."""
    limits = TO_COLLECT if one.state is State.HANDED_OVER else TO_SEND
    return one.created_at + limits[class_of(one)]


def class_of(one: Delivery) -> Priority:
    """Return the class of *one*: content is everything that overtakes nothing."""
    return Priority.CONTENT if one.priority >= CONTENT_CLASS else Priority(one.priority)


def expires_at(one: Delivery) -> datetime | None:
    """Return when *one* runs out if nobody has collected it; ``None``: it never does.

    What the index must know does not: it is ours, and would be wrong for ever.
    """
    lasting = one.message_type in OWED or one.service == INDEX_SERVICE
    if lasting or one.priority < CONTENT_CLASS:
        return None
    return one.created_at + EXPIRES
