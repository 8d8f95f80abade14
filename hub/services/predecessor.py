"""The episode before: a new one may name it if it is closed, the same child's, and known to who
names it (T31, `domain.md` 2.1 ``previous_episode_id``).

Whether there is such an episode is not a stranger's to learn.  Unknown, somebody else's, shielded,
still open and another child's are one refusal, and it is decided from head and relationships before
anything of that episode is opened.
"""

from collections.abc import Iterable
from typing import Final

from hub.domain.events import Event
from hub.domain.exchange import EpisodeHead, Involvement, Tree
from hub.domain.partner import Partner
from hub.domain.regions import Process
from hub.errors import Code, Conflict, Fault
from hub.ports import Session
from hub.services.accept import Incoming
from hub.services.index import STRONG, match_values
from hub.services.shelter import shield_of
from hub.services.standing import WRITES_ALL, deciding, roles
from hub.services.strangers import stranger

NAMED: Final = "previous_episode_id"
REMEDY: Final = (
    "name a closed episode of the same child that you had to do with; "
    "one that was kept elsewhere comes with episode.imported"
)


def heads_of(episode_id: str, tree: Tree) -> tuple[str, ...]:
    """Return which heads a message with this *tree* reads, so that they are locked in one order."""
    before = tree.get(NAMED)
    return (episode_id, str(before)) if before and before != episode_id else (episode_id,)


def check_previous(
    session: Session, incoming: Incoming, event: object, before: Tree, after: Tree
) -> None:
    """Raise `Conflict` (``E_STATE``) where *after* names an episode before it that it cannot
    follow.  What was imported may follow one that no hub has ever kept.
    """
    named = after.get(NAMED)
    if event == Event.EPISODE_IMPORTED or named is None:
        return
    if event != Event.EPISODE_REOPENED and named == before.get(NAMED):
        return
    if not _follows(session, incoming, str(named), after):
        detail = "the episode that previous_episode_id names is none that this one can follow"
        fault = Fault(Code.STATE, f"/episode/{NAMED}", REMEDY)
        raise Conflict(Code.STATE, detail, (fault,))


def _follows(session: Session, incoming: Incoming, named: str, after: Tree) -> bool:
    head, partner = session.episode(named), incoming.partner
    involvements = session.involvements(named)
    if head is None or named == after.get("episode_id"):
        return False
    if not _knows(partner, head, involvements) or head.process != Process.CLOSED:
        return False
    content = session.version(named, head.version)
    if content is None:
        return False
    held = roles(partner, head, content.tree, involvements)
    if shield_of(content.tree) == "full" and not held & WRITES_ALL:
        return False
    children = content.tree.get("subjects", ())
    return any(same_child(one, other) for one in after.get("subjects", ()) for other in children)


def _knows(partner: Partner, head: EpisodeHead, involvements: Iterable[Involvement]) -> bool:
    """Return whether *partner* was ever part of it, or answered for it by law (T29)."""
    if deciding(partner, head, Event.SOCIAL_CARE_DECISION):
        return True
    return not stranger(partner, head, tuple(involvements))


def same_child(one: Tree, other: Tree) -> bool:
    """Return whether two records are certainly of one child.

    By a number that both have, if no other differs and no date of birth does; without one by
    family name, first name and date.
    """
    values, others = set(match_values(one)), set(match_values(other))
    numbers, their = (
        {kind: value for kind, value in found if kind in STRONG} for found in (values, others)
    )
    shared = numbers.keys() & their.keys()
    if any(numbers[kind] != their[kind] for kind in shared):
        return False
    born, theirs = one.get("date_of_birth"), other.get("date_of_birth")
    if born and theirs and born != theirs:
        return False
    return bool(shared) or bool(values & others)
