"""Whose a notice is: certain of one child, or nobody's until a person decides (`domain.md` F6).

Certain is what an identifier and the date of birth agree on, for one child of one open episode.
Numbers are used again, and twins share a date: anything less is never linked by itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hub.domain.exchange import EpisodeHead, Tree
from hub.ports import Digester, Session
from hub.services.index import STRONG, dates_agree, match_values

OPEN: Final = frozenset({"ASSESSING", "ASSESSED", "TEAM_FORMING", "PLAN_ACTIVE", "IN_REVIEW"})

NO_MATCH: Final = "NO_MATCH"
UNCERTAIN: Final = "UNCERTAIN"
"""A child is like the one of the notice, or several are: why a notice waits."""

Found = tuple[EpisodeHead, str]
"""An episode and the id of the child in it."""


def certain(session: Session, digester: Digester, body: Tree) -> Found | None:
    """Return the one open episode and child that identifier and date of birth agree on."""
    asked = body.get("subject", {})
    found = {
        (head.episode_id, str(subject["subject_id"])): head
        for head, subject in _alike(session, digester, asked, STRONG)
        if dates_agree(subject, asked)
    }
    if len(found) != 1:
        return None
    ((_episode, subject_id), head) = next(iter(found.items()))
    return head, subject_id


def candidates(session: Session, digester: Digester, body: Tree) -> list[dict[str, Any]]:
    """Return the children whom a notice may be about, and what agrees; no value of either.

    By identifier or by name and date, so that a person knows what to ask its sender.
    """
    asked = body.get("subject", {})
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for head, subject in _alike(session, digester, asked, (*STRONG, "name-date")):
        name = (head.episode_id, str(subject["subject_id"]))
        found[name] = {
            "episode_id": name[0],
            "subject_id": name[1],
            **_agreement(subject, asked),
        }
    return [found[name] for name in sorted(found)]


def _alike(
    session: Session, digester: Digester, asked: Tree, kinds: tuple[str, ...]
) -> Iterator[tuple[EpisodeHead, Tree]]:
    """Yield the children of open episodes that share a blind index of one of *kinds*."""
    values = [(kind, value) for kind, value in match_values(asked) if kind in kinds]
    tokens = tuple(digester.token(kind, value) for kind, value in values)
    if not tokens:
        return
    for episode_id, subject_id, _token in session.subject_episodes(tokens):
        head = session.episode(episode_id)
        content = session.version(episode_id, head.version) if head and head.version else None
        if head is None or content is None or head.process not in OPEN:
            continue
        for subject in content.tree.get("subjects", ()):
            if subject["subject_id"] == subject_id:
                yield head, subject


def _agreement(subject: Tree, asked: Tree) -> dict[str, str]:
    """Return for identifier, date and names whether they ``agree``, ``differ`` or are ``absent``.

    >>> _agreement({"family_name": "Example"}, {"family_name": "EXAMPLE"})["family_name"]
    'agree'
    """
    ours, theirs = dict(match_values(subject)), dict(match_values(asked))
    numbers = [(ours.get(kind), theirs.get(kind)) for kind in STRONG]
    known = [one == other for one, other in numbers if one and other]
    told = {"identifier": "absent" if not known else "agree" if all(known) else "differ"}
    for name in ("date_of_birth", "family_name", "given_names"):
        told[name] = _compared(_first(subject, name), _first(asked, name))
    return told


def _first(person: Mapping[str, Any], name: str) -> str:
    held = person.get(name) or ""
    first = held if isinstance(held, str) else held[0]
    return str(first).casefold().strip()


def _compared(one: str, other: str) -> str:
    if not one or not other:
        return "absent"
    return "agree" if one == other else "differ"
