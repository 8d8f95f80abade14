"""CDA R2 as far as we write it: members in their order, how often they stand, what they may say.

Read from ``cda_r2_structure.csv``: one row a member, in the order in which CDA R2 (HL7, normative
edition 2005) wants them.  The codec orders by it, the engine checks mappings against it, and
`faults` refuses what breaks it before anything leaves.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from hub.errors import Code, Fault
from mappings.engine.shape import Member
from mappings.formats.xml_draft import unfolded
from mappings.formats.xml_grammar import CONTENT, TEXT, Content, Grammar

NAMESPACE: Final = "urn:hl7-org:v3"
ROOT: Final = "ClinicalDocument"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

OID: Final = r"[0-2](\.(0|[1-9][0-9]*))+"
UUID: Final = r"[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "cs": re.compile(r"[^\s]+"),
    "oid": re.compile(OID),
    "uid": re.compile(f"{OID}|{UUID}"),
    "ts": re.compile(r"[0-9]{4,8}|[0-9]{14}(\.[0-9]+)?[+-][0-9]{4}"),
    "int": re.compile(r"-?(0|[1-9][0-9]*)"),
    "bl": re.compile(r"true|false"),
    "url": re.compile(r"[a-z][a-z0-9+.-]*:[!-~]+"),
}
"""What values of CDA's primitive types look like; the others hold any text."""

ANY: Final = "ANY"
TYPE: Final = "@xsi:type"


@dataclass(frozen=True, slots=True)
class Rule:
    """What CDA says of one member of a type."""

    of: str
    least: int
    most: int | None
    allowed: frozenset[str]
    choice: bool


@cache
def structure() -> Mapping[str, Mapping[str, Rule]]:
    """Return the members of every type, in CDA's order."""
    source = files("mappings.formats").joinpath("cda_r2_structure.csv")
    found: dict[str, dict[str, Rule]] = {}
    for row in csv.DictReader(source.read_text("utf-8").splitlines()):
        words = row["allowed"]
        choice = words == "choice"
        found.setdefault(row["type"], {})[row["member"]] = Rule(
            of=row["of"],
            least=int(row["least"]),
            most=None if row["most"] == "*" else int(row["most"]),
            allowed=frozenset(() if choice or not words else words.split("|")),
            choice=choice,
        )
    return MappingProxyType(found)


@cache
def grammar() -> Grammar:
    """Return CDA as the codec takes it."""
    types = {
        kind: Content(
            MappingProxyType(
                {
                    name: Member(rule.of, rule.most is None)
                    for name, rule in members.items()
                    if name not in {CONTENT, TYPE}
                }
            ),
            mixed=CONTENT in members,
        )
        for kind, members in structure().items()
    }
    return Grammar(
        NAMESPACE, {ROOT: ROOT}, MappingProxyType(types), MappingProxyType({"xsi": XSI}), typed=True
    )


def faults(document: Mapping[str, Any]) -> list[Fault]:
    """Return everything in *document* that CDA R2 forbids, with its place."""
    return list(_faults(unfolded(document), ROOT, ROOT))


def _faults(value: Any, kind: str, path: str) -> Iterator[Fault]:
    members = structure().get(kind)
    if members is None:
        if not isinstance(value, str):
            yield _fault(path, "text and nothing else")
        return
    if not isinstance(value, Mapping):
        if TEXT not in members or not isinstance(value, str):
            yield _fault(path, f"{kind} is an element with members")
        return
    if kind == ANY:
        yield from _typed(value, path)
        return
    yield from _counted(value, members, path)
    for name, held in value.items():
        rule = members.get(name)
        if rule is None:
            yield _fault(f"{path}.{name}", f"{kind} has no such member")
        elif name == CONTENT:
            yield from _mixed(held, kind, path)
        elif name.startswith("@") or name == TEXT:
            yield from _value(held, rule, f"{path}.{name}")
        elif isinstance(held, list | tuple):
            for position, one in enumerate(held):
                yield from _faults(one, rule.of, f"{path}.{name}[{position}]")
        else:
            yield from _faults(held, rule.of, f"{path}.{name}")
    yield from _agrees(value, kind, path)


def _typed(value: Mapping[str, Any], path: str) -> Iterator[Fault]:
    """Check a value that says itself of what type it is."""
    named = value.get(TYPE)
    if named not in structure()[ANY][TYPE].allowed:
        yield _fault(f"{path}.{TYPE}", "a value says its type")
        return
    yield from _faults({name: held for name, held in value.items() if name != TYPE}, named, path)


def _counted(value: Mapping[str, Any], members: Mapping[str, Rule], path: str) -> Iterator[Fault]:
    nothing = "@nullFlavor" in value
    for name, rule in members.items():
        held = value.get(name)
        count = 0 if held is None else len(held) if isinstance(held, list | tuple) else 1
        if count < rule.least and not nothing:
            yield _fault(f"{path}.{name}", "CDA requires it")
        if rule.most is not None and isinstance(held, list | tuple) and name != CONTENT:
            yield _fault(f"{path}.{name}", "CDA has it once only")
    choices = [name for name, rule in members.items() if rule.choice]
    if choices and sum(name in value for name in choices) > 1:
        yield _fault(path, f"one of {', '.join(choices)}")


def _value(held: Any, rule: Rule, path: str) -> Iterator[Fault]:
    if not isinstance(held, str):
        yield _fault(path, "text and nothing else")
        return
    pattern = PATTERNS.get(rule.of)
    if pattern is not None and pattern.fullmatch(held) is None:
        yield _fault(path, f"not a {rule.of} of CDA's data types")
    elif rule.allowed and held not in rule.allowed:
        yield _fault(path, f"one of {', '.join(sorted(rule.allowed))}")


def _mixed(parts: Any, kind: str, path: str) -> Iterator[Fault]:
    members = structure()[kind]
    for position, part in enumerate(parts):
        if isinstance(part, str):
            continue
        ((name, held),) = part.items()
        here = f"{path}.{CONTENT}[{position}]"
        if name not in members:
            yield _fault(here, f"{kind} has no {name}")
        else:
            yield from _faults(held, members[name].of, f"{here}.{name}")


CHOSEN: Final = frozenset({"Entry", "EntryRelationship", "Component4", "Component2", "Guardian"})
"""Types that are a wrapper around exactly one thing."""


def _agrees(value: Mapping[str, Any], kind: str, path: str) -> Iterator[Fault]:
    """Check what members must say of each other."""
    if "@nullFlavor" in value:
        return
    if kind == "II" and "@root" not in value:
        yield _fault(f"{path}.@root", "an id has a root")
    if kind == "CD" and "@code" in value and "@codeSystem" not in value:
        yield _fault(f"{path}.@codeSystem", "a code has a code system")
    if kind == "CD" and not value.keys() & {"@code", "originalText"}:
        yield _fault(f"{path}.@code", "a code, or why there is none")
    members = structure()[kind]
    if kind in CHOSEN and not any(name in value for name, rule in members.items() if rule.choice):
        yield _fault(path, "it is empty")
    if kind == "Section" and "text" not in value:
        yield _fault(f"{path}.text", "every section has human text")


def _fault(path: str, remedy: str) -> Fault:
    return Fault(Code.MAPPING, path, remedy)
