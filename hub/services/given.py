"""Which stored leaves a sender was ever given, so that a guess tells nothing.

Somebody who posts back a copy may write only some leaves; of the others it must not learn whether a
guessed value is the right one.  What a team member is shown is pruned from a copy of the episode
whose values know their own places: what comes out is what it was given.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hub.domain.consent import Agreements, Ask
from hub.domain.dictionary import Leaf
from hub.domain.exchange import Tree
from hub.services.gate import people
from hub.services.masking import masked
from hub.services.permits import Permits
from hub.services.prune import prune
from hub.services.rights import Rights
from hub.services.shelter import may_locate, sheltered

STRUCTURE: Final = frozenset(
    {
        "subject_id",
        "parent_carer_id",
        "person_id",
        "practitioner_id",
        "element",
        "service_type",
        "requested_service",
        "id",
        "organisation",
        "service",
        "is_sensitive_service",
    }
)
"""What the pruning itself reads; whoever was given the item was given these."""


def given(
    tree: Tree, agreements: Agreements, services: Sequence[str], at: datetime
) -> Callable[[Leaf, str], bool]:
    """Return whether one of *services* may see a stored leaf, by its JSON pointer in *tree*."""
    children, adults = people(tree)
    marks = _marked(tree, "")
    opened = {True: sheltered(marks, located=True), False: sheltered(marks)}
    hidden = masked(tree)
    shown: set[str] = set()
    for service in services:
        for purpose in ("ASSESS", "PLAN"):
            ask = Ask(service, purpose, at)
            rights = Rights(agreements, ask)
            open_ = opened[may_locate((tree,), agreements, ask)]
            _collect(prune(open_, Permits(children, adults, rights, hidden)), shown)

    def was_given(_leaf: Leaf, pointer: str) -> bool:
        return pointer.rpartition("/")[2] in STRUCTURE or pointer in shown

    return was_given


class _Marked(str):
    """A value that knows its place: the same word elsewhere is another value, so that no pruning
    takes what stands at one place for what stands at another.
    """

    __slots__ = ("pointer",)
    pointer: str
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Marked) and other.pointer != self.pointer:
            return False
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other


def _marked(value: Any, at: str) -> Any:
    if isinstance(value, Mapping):
        return {
            name: held if name in STRUCTURE else _marked(held, f"{at}/{name}")
            for name, held in value.items()
        }
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], Mapping):
            return [_marked(item, f"{at}/{place}") for place, item in enumerate(value)]
        return [_marked(item, at) for item in value]
    found = _Marked(value)
    found.pointer = at
    return found


def _collect(value: Any, shown: set[str]) -> None:
    if isinstance(value, Mapping):
        for held in value.values():
            _collect(held, shown)
    elif isinstance(value, list | tuple):
        for held in value:
            _collect(held, shown)
    elif isinstance(value, _Marked):
        shown.add(value.pointer)
