"""What turns the tree of the rules into a clinical document: OIDs for names, ids that hold
everywhere, displays beside codes, and ``nullFlavor`` where CDA demands what nobody said.

One pass over the machine's part; the text of sections is passed by.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any, Final

from mappings.engine.marks import Mark, bare
from mappings.formats.cda_names import display, names
from mappings.formats.cda_structure import ANY, ROOT, structure
from mappings.formats.xml_write import Finish

TEXT: Final = "StrucDoc.Text"
CODED: Final = frozenset({"@code", "@codeSystem"})

NEEDED: Final = frozenset(
    {
        (ROOT, "id"),
        (ROOT, "typeId"),
        (ROOT, "code"),
        (ROOT, "confidentialityCode"),
        (ROOT, "recordTarget"),
        (ROOT, "component"),
        ("Observation", "code"),
        ("Act", "code"),
        ("Organizer", "statusCode"),
        ("StructuredBody", "component"),
    }
)
"""What a document is nothing without: never filled in."""


@dataclass(slots=True)
class _Plan:
    """What there is to do in one type: members to go into, and members to fill in."""

    inside: "dict[str, _Plan]" = field(default_factory=dict)
    fill: list[tuple[str, Any]] = field(default_factory=list)
    root: bool = False
    coded: bool = False

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to do, here or below."""
        return not (self.inside or self.fill or self.root or self.coded)


@cache
def _plans() -> Mapping[str, _Plan]:
    """Return the plan of every type; types hold each other, so all are there before any is made."""
    plans = {kind: _Plan() for kind in structure()}
    for kind in plans:
        _planned(kind, plans)
    idle = True
    while idle:  # what holds only idle things is idle itself
        idle = False
        for plan in plans.values():
            for name in [name for name, inner in plan.inside.items() if inner.idle]:
                del plan.inside[name]
                idle = True
    return plans


def _planned(kind: str, plans: Mapping[str, _Plan]) -> None:
    plan = plans[kind]
    for name, rule in structure()[kind].items():
        if name == "@root":
            plan.root = True
        elif name == "@codeSystem":
            plan.coded = True
        if name.startswith(("@", "#")) or rule.of == TEXT:
            continue
        if rule.of in structure():
            plan.inside[name] = plans[rule.of]
        if rule.least and (kind, name) not in NEEDED:
            nothing = _nothing(rule.of)
            plan.fill.append((name, [nothing] if rule.most is None else nothing))


def _nothing(kind: str) -> Any:
    """Return the least that CDA takes for *kind*."""
    members = structure().get(kind, {})
    if kind == ANY or not any(rule.least for rule in members.values()):
        return {"@nullFlavor": "NI"} if "@nullFlavor" in members else {}
    return {
        name: [_nothing(rule.of)] if rule.most is None else _nothing(rule.of)
        for name, rule in members.items()
        if rule.least and not name.startswith("@")
    }


def finisher(kind: str, members: AbstractSet[str]) -> Finish | None:
    """Return what there is to do for a value of *kind* with these *members* while it is written.

    The context is the ids that the document's symbols stand for, as `finished` takes them.
    """
    plan = _plans().get(kind)
    if plan is None:
        return None
    if plan.root:
        return _rooted if "@root" in members else None
    if plan.coded:
        return _displayed if "@codeSystem" in members else None
    missing = {name: nothing for name, nothing in plan.fill if name not in members}
    return (lambda value, _roots: {**value, **missing}) if missing else None


def _rooted(value: Mapping[str, Any], roots: Mapping[str, str]) -> Mapping[str, Any]:
    return {**value, "@root": identified(value["@root"], roots)}


def _displayed(value: Mapping[str, Any], _roots: Mapping[str, str]) -> Mapping[str, Any]:
    made = dict(value)
    say_names(made, made["@codeSystem"])
    return made


def finished(document: Mapping[str, Any], roots: Mapping[str, str]) -> dict[str, Any]:
    """Return *document* as CDA has it; *roots* are the ids that its symbols stand for."""
    return _finished(document, _plans()[ROOT], roots)


def _finished(value: Mapping[str, Any], plan: _Plan, roots: Mapping[str, str]) -> dict[str, Any]:
    if plan.coded and len(value) == len(CODED) and value.keys() == CODED:
        code, system = value["@code"], value["@codeSystem"]
        if type(code) is str and type(system) is str:
            return _code(code, system)
    made = dict(value)
    if plan.root:
        root = made.get("@root")
        if root is not None:
            made["@root"] = _as(root, identified(bare(root), roots))
        return made
    if plan.coded:
        system = made.get("@codeSystem")
        if system is not None:
            say_names(made, bare(system))
        return made
    inside = plan.inside
    for name, held in value.items():
        if type(held) is dict:
            if (inner := inside.get(name)) is not None:
                made[name] = _finished(held, inner, roots)
        elif type(held) is list and (inner := inside.get(name)) is not None:
            made[name] = [
                _finished(one, inner, roots) if type(one) is dict else one for one in held
            ]
    for name, nothing in plan.fill:
        if name not in made:
            made[name] = nothing
    return made


@lru_cache(maxsize=4096)
def _code(code: str, system: str) -> dict[str, Any]:
    """Return a code and nothing else, finished; whoever writes the document only reads it."""
    made: dict[str, Any] = {"@code": code, "@codeSystem": system}
    say_names(made, system)
    return made


def rooted(kind: str) -> bool:
    """Return whether elements of *kind* are ids, whose roots are said by name."""
    return kind in _plans() and _plans()[kind].root


def coded(kind: str) -> bool:
    """Return whether elements of *kind* are codes, whose systems are said by name."""
    return kind in _plans() and _plans()[kind].coded and not rooted(kind)


def filled(kind: str) -> Sequence[tuple[str, Any]]:
    """Return what CDA demands in elements of *kind*, each with what says that nobody said it."""
    return () if rooted(kind) or coded(kind) or kind not in _plans() else _plans()[kind].fill


def identified(name: Any, roots: Mapping[str, str]) -> Any:
    """Return the id that the root *name* stands for; *roots* are those of the document.

    What is no text stays as it is, for whoever writes it to refuse.
    """
    if not isinstance(name, str):
        return name
    if name in roots:
        return roots[name]
    named = names().get(name)
    return name if named is None else named.oid


def say_names(made: dict[str, Any], system: str) -> None:
    """Say the OID of the system, and what people call it and the code."""
    named, code = names().get(system), made.get("@code")
    if named is None:
        return
    made["@codeSystem"], made["@codeSystemName"] = named.oid, named.title
    shown = None if code is None else display(system, str(bare(code)))
    if shown is not None:
        made["@displayName"] = _as(code, shown)


def _as(held: Any, text: str) -> Any:
    """Return *text*, recorded as *held* is."""
    return replace(held, value=text) if isinstance(held, Mark) else text
