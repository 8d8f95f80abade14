"""Merging: what a sender's part makes of the stored episode, so that partial senders lose nothing.

The laws (`design.md` section 4):

* Absent keeps.  Only `deletes` removes.
* A sent leaf that equals the stored one changes nothing; one that differs replaces it, if the
  sender may write that leaf, and is `E_NOT_OWNER` otherwise.
* So a redacted copy posted back changes nothing.
* A leaf that the sender may write and was never given stays as it is, whatever it sends there, and
  it is answered as if nothing stood there: neither a loss nor an answer tells of it.

**Lists of values** (telephone numbers, goals) are one leaf: the sent list replaces the stored one.

**Lists of items** are matched item by item, and what is not matched is kept or added, never
dropped:

1. by key (`subject_id`, action `id` …), where the dictionary has one;
2. else an item that equals a stored one, or is a cut of it, is that one (in order, as a redaction
   leaves it);
3. else by what tells such things apart in life (`hub.domain.matching`: the team member's
   organisation, service and practitioner …), if exactly one stored item answers to it;
4. else it is new.

**Things that are one fact** (an address, who owns an action) and things that turn out
to be somebody else (another `practitioner_id` as lead professional) are replaced whole, for half of
one address with half of another is nobody's.

**A date of birth replaces an expected date of delivery**, since a child has exactly one of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.domain.deletions import places, read_deletion
from hub.domain.dictionary import Leaf, Node, episode_tree, walk
from hub.domain.exchange import Tree
from hub.domain.matching import matches, replaces
from hub.domain.rules import Where, pointer
from hub.errors import Code, Conflict, Fault

Writable = Callable[[Leaf], bool]
Given = Callable[[Leaf, str], bool]
"""Whether the sender was given a stored leaf, by its JSON pointer in the stored episode."""


def _leaves(value: Any, node: Node, where: Where) -> Iterator[tuple[Leaf, Where]]:
    """Yield every leaf that *value* holds."""
    if node.leaf is not None:
        yield node.leaf, where
    elif isinstance(value, Mapping):
        for name, held in value.items():
            yield from _leaves(held, node.children[name], (*where, name))
    else:
        for place, item in enumerate(value):
            for name, held in item.items():
                yield from _leaves(held, node.children[name], (*where, place, name))


def _possible(node: Node) -> Iterator[Leaf]:
    return walk({node.name: node})


@dataclass(slots=True)
class _Merge:
    writable: Writable
    given: Given | None
    at: str
    untouched: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    free: dict[str, bool] = field(default_factory=dict)

    # What the sender may do

    def may_write_all(self, node: Node) -> bool:
        """Tell whether the sender may write every leaf that *node* can hold."""
        known = self.free.get(node.path)
        if known is None:
            known = self.free[node.path] = all(map(self.writable, _possible(node)))
        return known

    def claim(self, value: Any, node: Node, where: Where) -> None:
        """Note every leaf of *value* that the sender wants changed and may not write."""
        if self.may_write_all(node):
            return
        for leaf, place in _leaves(value, node, where):
            if not self.writable(leaf):
                self.refuse(place)

    def refuse(self, where: Where) -> None:
        path = self.at + pointer(where)
        self.faults.append(Fault(Code.NOT_OWNER, path, "leave it out, or as it was"))

    def leaf(self, stored: Any, sent: Any, leaf: Leaf, where: Where, at: Where) -> Any:
        if not self.writable(leaf):
            # To somebody who was never given the leaf, a right guess must look like a wrong one.
            if sent != stored or not self.knows(leaf, at):
                self.refuse(where)
            return stored
        if sent != stored and not self.knows(leaf, at):
            self.untouched.append(leaf.path)
            return stored
        return sent

    def knows(self, leaf: Leaf, at: Where) -> bool:
        """Tell whether the sender was ever given what is stored there."""
        return self.given is None or self.given(leaf, pointer(at))

    # What becomes of it

    def item(
        self, stored: Tree, sent: Tree, nodes: Mapping[str, Node], where: Where, at: Where
    ) -> Tree:
        merged = dict(stored)
        for name, value in sent.items():
            node, there, here = nodes[name], (*where, name), (*at, name)
            if name not in stored:
                self.claim(value, node, there)
                merged[name] = value
            elif value == stored[name] and (self.given is None or self.may_write_all(node)):
                continue
            elif node.leaf is not None:
                merged[name] = self.leaf(stored[name], value, node.leaf, there, here)
            elif node.kind == "object":
                merged[name] = self.single(stored[name], value, node, there, here)
            else:
                merged[name] = self.items(stored[name], value, node, there, here)
        return merged

    def single(self, stored: Tree, sent: Tree, node: Node, where: Where, at: Where) -> Tree:
        """Merge a group, or replace it whole if it is one fact or has become somebody else."""
        if replaces(stored, sent, node):
            refused = len(self.faults)
            self.claim(sent, node, where)
            lost = (leaf for leaf, _ in _leaves(stored, node, where))
            if len(self.faults) == refused and not all(map(self.writable, lost)):
                self.refuse(where)
            if not all(self.knows(leaf, place) for leaf, place in _leaves(stored, node, at)):
                self.untouched.append(node.path)
                return stored
            return sent
        return self.item(stored, sent, node.children, where, at)

    def items(
        self, stored: Sequence[Tree], sent: Sequence[Tree], node: Node, where: Where, at: Where
    ) -> list[Tree]:
        merged = list(stored)
        found = matches(stored, sent, node)
        for place, value in enumerate(sent):
            match = found[place]
            if match is None:
                self.claim([value], node, where)
                merged.append(value)
            else:
                merged[match] = self.single(
                    stored[match], value, node, (*where, place), (*at, match)
                )
        return merged

    # Deletions

    def deletions(self, tree: Tree, deletes: Sequence[str]) -> Tree:
        """Return *tree* without what *deletes* names, all found before any is taken out."""
        found: set[Where] = set()
        for number, text in enumerate(deletes):
            place = self.deletion(tree, text, f"/message/deletes/{number}")
            if place is not None:
                found.add(place)
        # From the back, so that the places before it stay where they are.
        for place in sorted(found, reverse=True):
            tree = _without(tree, place)
        return tree

    def deletion(self, tree: Tree, text: str, told: str) -> Where | None:
        """Return the one place that *text* names, if the sender may delete what stands there."""
        steps = read_deletion(text)
        found = places(tree, steps) if steps else []
        if len(found) == 1:
            (place,) = found
            held: Any = tree
            for step in place:
                held = held[step]
            leaves = list(_leaves(held, _node_at(place), place))
            if self.given is None or all(self.given(leaf, pointer(at)) for leaf, at in leaves):
                if all(self.writable(leaf) for leaf, _ in leaves):
                    return place
                self.faults.append(Fault(Code.NOT_OWNER, told, "leave it out"))
                return None
        # What was withheld from the sender answers as what is not there.
        remedy = "name exactly one thing that you were given"
        self.faults.append(Fault(Code.REFERENCE, told, remedy))
        return None


def _node_at(place: Where) -> Node:
    first, *names = [step for step in place if isinstance(step, str)]
    node = episode_tree()[first]
    for name in names:
        node = node.children[name]
    return node


def _without(held: Any, place: Where) -> Any:
    """Return *held* without what stands at *place*, sharing everything else."""
    step, rest = place[0], place[1:]
    if isinstance(held, Mapping):
        if not rest:
            return {name: value for name, value in held.items() if name != step}
        return {
            name: _without(value, rest) if name == step else value for name, value in held.items()
        }
    if not rest:
        return [value for index, value in enumerate(held) if index != step]
    return [_without(value, rest) if index == step else value for index, value in enumerate(held)]


def _born(sent: Tree, merged: Tree) -> Tree:
    """Drop the expected date of delivery of every child whose date of birth was sent."""
    born = {
        child.get("subject_id")
        for child in sent.get("subjects") or ()
        if "date_of_birth" in child and "expected_date_of_delivery" not in child
    }
    subjects = merged.get("subjects") or ()
    if not any(
        child.get("subject_id") in born and "expected_date_of_delivery" in child
        for child in subjects
    ):
        return merged
    return {
        **merged,
        "subjects": [
            _without(child, ("expected_date_of_delivery",))
            if child.get("subject_id") in born
            else child
            for child in subjects
        ],
    }


def merge(
    before: Tree | None,
    sent: Tree,
    *,
    deletes: Sequence[str] = (),
    writable: Writable,
    given: Given | None = None,
    untouched: list[str] | None = None,
    at: str = "",
) -> Tree:
    """Return what *sent* makes of *before*; neither is changed, and what is alike is shared.

    *writable* says which leaves the sender may write, *given* which stored leaves it was ever given
    (``None``: all).  Raises `Conflict` with every fault: `E_NOT_OWNER` for a leaf that is not the
    sender's to change, `E_REFERENCE` for a deletion that does not name exactly one thing.  *at* is
    put before every path into *sent*.  To *untouched* the dictionary's path is added of everything
    that the sender would have changed without having been given it.
    """
    merging = _Merge(writable, given, at, [] if untouched is None else untouched)
    merged = merging.item(before or {}, sent, episode_tree(), (), ())
    if before:
        merged = _born(sent, merged)
    merged = merging.deletions(merged, deletes)
    if merging.faults:
        raise Conflict(merging.faults[0].code, "not the sender's to change", tuple(merging.faults))
    return merged
