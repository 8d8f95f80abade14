"""Text for people, made from the canonical tree: what a document shows beside or instead of codes.

A rule with ``narrate`` names places; what stands there becomes blocks (`narrative_blocks`) in the
order of the rule and, inside each, of the form.  A format that wants something else than blocks
says so (`Narrating`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, Protocol, runtime_checkable

from hub.domain.dictionary import Node
from hub.domain.messages import Message, message_tree
from mappings.engine.model import Rule
from mappings.engine.narrative_blocks import NAME, block, member
from mappings.engine.narrative_phrases import Group, Sort
from mappings.engine.narrative_sheet import Block, Sheet
from mappings.engine.narrative_text import WhoIsWho, child_name
from mappings.engine.paths import Step
from mappings.engine.shape import Shape

CHILDREN: Final = ("episode", "subjects")
"""Where the children stand: what is told of each stands together, under the name of each."""

Tell = Callable[[Any, WhoIsWho, Any], None]
"""(what a path begins at, who is who, the sheet): writes what stands at the path."""

Run = Callable[[Mapping[str, Any], WhoIsWho, Any], None]
"""(message, who is who, the sheet): writes what stands at neighbouring paths."""


@runtime_checkable
class Narrating(Protocol):
    """A shape with a narrative of its own."""

    def narrative(self, block: dict[str, Any]) -> Any:
        """Return what the format writes for *block*; its texts are put in place, never read."""
        ...

    def sheet(self) -> Sheet:
        """Return what the same is written on at once, where nothing has to be remembered."""
        ...

    def prose(self, sheet: Any, tree: Callable[[], Any]) -> Any:
        """Return what the format writes for *sheet*; *tree* makes what `narrative` would return."""
        ...


def narrator(rule: Rule, shape: Shape, *, recorded: bool = False) -> Callable[[Any, Any], Any]:
    """Return what makes the text of *rule* for one item, or None where there is nothing to tell.

    *recorded*: of leaves that remember where they stood; their texts do, too.
    """
    runs = [_run(run) for run in _runs(rule)]
    own = shape if isinstance(shape, Narrating) else None

    def told(context: Any, made: Any) -> Any:
        root, who = context.root, _who(context)
        for run in runs:
            run(root, who, made)
        return None if made.empty else made

    def blocks(_item: Any, context: Any) -> Any:
        made = told(context, Block(rule))
        if made is None:
            return None
        return made.out() if own is None else own.narrative(made.out())

    if own is None or recorded:
        return blocks
    sheet, prose = own.sheet, own.prose

    def written(item: Any, context: Any) -> Any:
        made = told(context, sheet())
        return None if made is None else prose(made, lambda: blocks(item, context))

    return written


def _who(context: Any) -> WhoIsWho:
    """Return who is who, looked up once a rendering."""
    kept: dict[str, WhoIsWho] = context.slices.setdefault((id(context.root), "#who"), {})
    if "who" not in kept:
        kept["who"] = WhoIsWho(context.root)
    return kept["who"]


def _runs(rule: Rule) -> Iterator[list[Sequence[Step]]]:
    """Yield neighbours together that tell of the children, and neighbours that do not."""
    run: list[Sequence[Step]] = []
    for path in rule.told:
        if run and _of_children(run[0]) != _of_children(path.steps):
            yield run
            run = []
        run.append(path.steps)
    if run:
        yield run


def _of_children(steps: Sequence[Step]) -> bool:
    return tuple(step.name for step in steps[: len(CHILDREN)]) == CHILDREN


def _run(run: Sequence[Sequence[Step]]) -> Run:
    if _of_children(run[0]):
        child = _message().inner["episode"].inner["subjects"]
        return _children([_teller(steps[len(CHILDREN) :], child) for steps in run])
    tells = [_teller(steps, _message()) for steps in run]

    def tell(root: Mapping[str, Any], who: WhoIsWho, whole: Sheet) -> None:
        for one in tells:
            one(root, who, whole)

    return tell


def _children(tells: Sequence[Tell]) -> Run:
    def run(root: Mapping[str, Any], who: WhoIsWho, whole: Sheet) -> None:
        subjects = (root.get("episode") or {}).get("subjects") or ()
        for subject in subjects:
            made = whole.fresh()
            for tell in tells:
                tell(subject, who, made)
            if made.empty:
                continue
            if len(subjects) > 1:
                made.title = child_name(subject)
                whole.inside(made)
            else:
                whole.take(made)

    return run


def _teller(steps: Sequence[Step], sort: Sort) -> Tell:
    """Return what writes what stands at *steps* below an object of *sort*; of the object itself,
    if there are none.
    """
    if not steps:
        return _alone(sort)
    step, rest = steps[0], steps[1:]
    name = step.name
    if step.where:
        return _some(step, _below(rest, sort, name))
    if rest:
        return _through(name, _below(rest, sort, name))
    if sort.kind == "Subject" and name in NAME:
        return _name(name)
    return _all(name, _below((), sort, name))


def _alone(sort: Sort) -> Tell:
    def tell(value: Any, who: WhoIsWho, made: Sheet) -> None:
        made.take(block(Group(sort, value, who), made.fresh()))

    return tell


def _below(rest: Sequence[Step], sort: Sort, name: str) -> Tell:
    """Return what writes the member *name*: what stands at *rest* of each, or all of it."""
    if rest:
        each = _teller(rest, sort.inner[name])

        def tell_each(held: Any, who: WhoIsWho, made: Sheet) -> None:
            for one in held if isinstance(held, list | tuple) else (held,):
                each(one, who, made)

        return tell_each
    whole = member(sort, name, titled=False)

    def tell_whole(held: Any, who: WhoIsWho, made: Sheet) -> None:
        whole(held, Group(sort, {}, who), made)

    return tell_whole


def _some(step: Step, tell: Tell) -> Tell:
    """Return what writes the items that *step* asks for."""
    ((where, wanted),) = step.where
    name, key = step.name, where.steps[0].name

    def some(value: Any, who: WhoIsWho, made: Sheet) -> None:
        held = value.get(name)
        if held and (found := who.chosen(held, key).get(wanted)):
            tell(found, who, made)

    return some


def _through(name: str, tell: Tell) -> Tell:
    def through(value: Any, who: WhoIsWho, made: Sheet) -> None:
        if held := value.get(name):
            tell(held, who, made)

    return through


def _all(name: str, tell: Tell) -> Tell:
    def whole(value: Any, who: WhoIsWho, made: Sheet) -> None:
        held = value.get(name)
        if held or isinstance(held, bool | int):
            tell(held, who, made)

    return whole


def _name(name: str) -> Tell:
    """Return what says a child's whole name in one line, where its first part stands."""

    def tell(subject: Any, _who: WhoIsWho, made: Sheet) -> None:
        if not subject.get(name) or name != next(one for one in NAME if subject.get(one)):
            return
        said = child_name(subject)
        if said is not None:
            made.line("Name", [((said,), ())])

    return tell


@cache
def _message() -> Sort:
    """Return what there is to know of the message itself."""
    return Sort(Node("", "", "object", True, message_tree(), None, None, Message))
