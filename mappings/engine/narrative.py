"""Text for people, made from the canonical tree: what a document shows beside or instead of codes.

A rule with ``narrate`` names places; what stands there becomes blocks (`narrative_blocks`) in the
order of the rule and, inside each, of the form.  A format that wants something else than blocks
says so (`Narrating`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol, runtime_checkable

from hub.domain.dictionary import Node
from hub.domain.messages import Message, message_tree
from mappings.engine.marks import bare
from mappings.engine.model import Rule
from mappings.engine.narrative_blocks import Block, block, member, several
from mappings.engine.narrative_labels import kind, label
from mappings.engine.narrative_phrases import PHRASES, Group
from mappings.engine.narrative_text import Item, Text, WhoIsWho, child_name
from mappings.engine.paths import Path, Step
from mappings.engine.shape import Shape

CHILDREN: Final = ("episode", "subjects")
"""Where the children stand: what is told of each stands together, under the name of each."""


NAME: Final = ("given_names", "family_name")


@runtime_checkable
class Narrating(Protocol):
    """A shape with a narrative of its own."""

    def narrative(self, block: dict[str, Any]) -> Any:
        """Return what the format writes for *block*; its texts are put in place, never read."""
        ...


@dataclass(frozen=True, slots=True)
class _Told:
    """One path of a rule, with the nodes that it leads through."""

    steps: tuple[Step, ...]
    nodes: tuple[Node, ...]


def narrator(rule: Rule, shape: Shape) -> Callable[[Any, Any], Any]:
    """Return what makes the text of *rule* for one item, or None where there is nothing to tell."""
    runs = list(_runs([_Told(path.steps, _nodes(path)) for path in rule.told]))
    own = shape.narrative if isinstance(shape, Narrating) else None

    def narrate(_item: Any, context: Any) -> Any:
        root = context.root
        who = _who(context)
        whole = Block()
        for of_children, run in runs:
            if of_children:
                _children(run, root, who, whole)
            else:
                for one in run:
                    _tell(one.steps, one.nodes, root, who, whole)
        if whole.empty:
            return None
        made = whole.out(rule)
        return made if own is None else own(made)

    return narrate


def _who(context: Any) -> WhoIsWho:
    """Return who is who, looked up once a rendering."""
    kept: dict[str, WhoIsWho] = context.slices.setdefault((id(context.root), "#who"), {})
    if "who" not in kept:
        kept["who"] = WhoIsWho(context.root)
    return kept["who"]


def _nodes(path: Path) -> tuple[Node, ...]:
    """Return the nodes on *path*, which stands for itself from the top of the message."""
    nodes: list[Node] = []
    here: Mapping[str, Node] = message_tree()
    for step in path.steps:
        nodes.append(here[step.name])
        here = nodes[-1].children
    return tuple(nodes)


def _runs(told: Sequence[_Told]) -> Iterator[tuple[bool, list[_Told]]]:
    """Yield neighbours together that tell of the children, and neighbours that do not."""
    run: list[_Told] = []
    for one in told:
        if run and _of_children(run[0]) != _of_children(one):
            yield _of_children(run[0]), run
            run = []
        run.append(one)
    if run:
        yield _of_children(run[0]), run


def _of_children(one: _Told) -> bool:
    names = tuple(step.name for step in one.steps[: len(CHILDREN)])
    return names == CHILDREN


def _children(run: list[_Told], root: Mapping[str, Any], who: WhoIsWho, whole: Block) -> None:
    subjects = (root.get("episode") or {}).get("subjects") or ()
    for subject in subjects:
        made = Block()
        for one in run:
            rest = one.steps[len(CHILDREN) :]
            if rest:
                _tell(rest, one.nodes[len(CHILDREN) - 1 :], subject, who, made)
            else:
                made.take(_alone(block(Group(one.nodes[-1], subject, who))))
        if made.empty:
            continue
        if len(subjects) > 1:
            made.title = child_name(subject)
            whole.parts.append(made)
        else:
            whole.take(made)


def _alone(made: Block) -> Block:
    made.title = None
    return made


def _tell(
    steps: tuple[Step, ...], nodes: tuple[Node, ...], value: Any, who: WhoIsWho, made: Block
) -> None:
    """Add to *made* what stands at *steps* below *value*; *nodes* are those of the steps, with the
    one of *value* itself before them where it is no message.
    """
    above = nodes[0] if len(nodes) > len(steps) else None
    nodes = nodes[1:] if above is not None else nodes
    step, rest, node = steps[0], steps[1:], nodes[0]
    held = value.get(step.name)
    if not held and not isinstance(held, bool | int):
        return
    if step.where:
        ((where, wanted),) = step.where
        name = where.steps[0].name
        held = [one for one in held if bare(one.get(name)) == wanted]
    if rest:
        for one in held if isinstance(held, (list, tuple)) else (held,):
            _tell(rest, nodes, one, who, made)
        return
    if above is not None and kind(above) == "Subject" and step.name in NAME:
        _name(value, step.name, made)
    else:
        _whole(above, step.name, node, held, who, made)


def _name(subject: Mapping[str, Any], member_name: str, made: Block) -> None:
    """Say a child's whole name in one line, where its first part stands."""
    first = next(one for one in NAME if subject.get(one))
    name = child_name(subject) if member_name == first else None
    if name is not None:
        made.line("Name", [Item((name,))])


def _whole(
    above: Node | None, name: str, node: Node, held: Any, who: WhoIsWho, made: Block
) -> None:
    entry = label(kind(above), name)
    if node.leaf is not None or (node.kind == "object" and kind(node) in PHRASES):
        outer = above or _message()
        member(Group(outer, {name: held}, who), name, node, made)
    elif node.kind == "object":
        inner = block(Group(node, held, who))
        if not inner.empty:
            if entry.text:
                inner.title = inner.title or Text(entry.text)
                made.parts.append(inner)
            else:
                made.take(inner)
    else:
        several([Group(node, one, who) for one in held], entry.text, made)


@cache
def _message() -> Node:
    """Return the node of the message itself."""
    return Node("", "", "object", True, message_tree(), None, None, Message)
