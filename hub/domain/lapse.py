"""Whether anything is shared at all, and whether what was shared has run out (`domain.md` 1.1).

An episode is paused while "sharing consent [is] wholly withdrawn or lapsed, outcome not decided".
A withdrawal is an event (T21); a lapse is none, for nobody says anything: it is read off the
decisions here, and nowhere else.  The gate needs none of it: an expired consent is no consent there
from that moment on.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from hub.domain.consent import Agreements, Ask
from hub.domain.decision import PURPOSES
from hub.errors import Code

INSTANT: Final = timedelta(microseconds=1)
ALWAYS: Final = datetime.min.replace(tzinfo=UTC)


def sharing(agreements: Agreements, children: Iterable[str], at: datetime) -> bool:
    """Return whether some child's decisions let any service see anything, for any purpose.

    An adult's decision about themselves opens, pauses and closes nothing.
    """
    named = agreements.named()
    return any(
        agreements.listed(child, Ask(service, purpose, at)).permitted
        for child in children
        for service in named
        for purpose in PURPOSES
    )


def lapsed(agreements: Agreements, children: Iterable[str], at: datetime) -> bool:
    """Return whether all that was agreed to for *children* has run out by time: by the decisions
    that stand, something was shared (or at least stored) before, and nothing is from now on.
    """
    known = tuple(children)
    if not known or sharing(agreements, known, at):
        return False
    if all(agreements.storing(child, at).reason is Code.CONSENT_EXPIRED for child in known):
        return True
    moments = frozenset[datetime]().union(*(agreements.moments(child) for child in known))
    before = (moment - INSTANT for moment in moments if ALWAYS < moment <= at)
    return any(sharing(agreements, known, moment) for moment in before) and not any(
        sharing(agreements, known, moment) for moment in moments if moment > at
    )
