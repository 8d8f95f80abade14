"""The reader of the hub's own wire message: strict JSON, the published schema, the rules of the
dictionary.

A lawful message costs one parse, one compiled validation and one walk.  An unlawful one is told
everything that is wrong with it at once, at most a hundred faults, and none of its own values.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Final

import jsonschema_rs

from hub.domain.checks import check_message
from hub.domain.dates import to_utc
from hub.domain.dictionary import Node
from hub.domain.messages import PAYLOADS, message_tree
from hub.domain.rules import pointer
from hub.errors import Code, Fault, InvalidContent
from mappings.formats.json_locate import MOST_FAULTS, safe_name
from mappings.formats.json_strict import parse
from mappings.schemas.canonical import SAID, message_schema

Tree = dict[str, Any]


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(dict(message_schema()))


def read_message(raw: bytes) -> tuple[Tree, list[Fault]]:
    """Return the wire message of *raw*, its moments in UTC, and warnings for the receipt.

    Raises `Malformed` if it is not lawful JSON, and `InvalidContent` with every fault if it is not
    a lawful message.  A failed identifier is a fault, or a warning if the message says
    `accept_failed_identifiers`; a code that an open list does not know is a warning.
    """
    tree = parse(raw)
    if _validator().is_valid(tree):
        _in_utc(tree, _moments())
        faults, warnings = check_message(tree)
        if not faults:
            return tree, list(warnings)
        raise _invalid(faults)
    errors = list(islice(_validator().iter_errors(tree), MOST_FAULTS))
    faults = [fault for error in errors for fault in _faults_of(error, tree)]
    if len(errors) < MOST_FAULTS:
        faults += _rule_faults(tree, errors)
    raise _invalid(faults)


def _invalid(faults: Sequence[Fault]) -> InvalidContent:
    shown = tuple(faults[:MOST_FAULTS])
    return InvalidContent(shown[0].code, f"{len(shown)} faults in the message", shown)


# Moments


Moments = tuple[tuple[str, "Moments | None", bool], ...]


@cache
def _moments() -> Moments:
    """Return where moments can stand: name, what is below it, whether it is a list."""
    return _moments_of(message_tree())


def _moments_of(nodes: Mapping[str, Node]) -> Moments:
    found: list[tuple[str, Moments | None, bool]] = []
    for name, node in nodes.items():
        if node.leaf is not None:
            if node.leaf.form == "datetime":
                found.append((name, None, node.leaf.many))
        elif below := _moments_of(node.children):
            found.append((name, below, node.kind == "list"))
    return tuple(found)


def _in_utc(item: Tree, moments: Moments) -> None:
    """Write every moment of a freshly parsed tree in UTC, in place."""
    for name, below, many in moments:
        held = item.get(name)
        if held is None:
            continue
        if below is None:
            if held[-1] != "Z":
                item[name] = to_utc(held)
        elif many:
            for child in held:
                _in_utc(child, below)
        else:
            _in_utc(held, below)


# Faults


def _faults_of(error: jsonschema_rs.ValidationError, tree: Any) -> Iterator[Fault]:
    """Turn one schema error into faults; its own message quotes the input and is not used."""
    kind: Any = error.kind
    where = tuple(error.instance_path)
    if kind.name == "additionalProperties":
        for name in kind.unexpected:
            yield Fault(
                Code.UNKNOWN_FIELD, pointer((*where, safe_name(name))), "not in the dictionary"
            )
    elif kind.name == "required":
        yield Fault(Code.REQUIRED, pointer((*where, kind.property)), "required")
    elif kind.name == "pattern" and kind.pattern == SAID:
        yield Fault(Code.LENGTH, pointer(where), "leave it out rather than empty")
    elif kind.name == "enum" or (kind.name == "pattern" and _code_list(error) is not None):
        yield Fault(Code.CODELIST, pointer(where), "use a code of this list", _code_list(error))
    elif kind.name == "pattern":
        yield Fault(Code.FORMAT, pointer(where), _form_remedy(error))
    elif kind.name == "type":
        yield Fault(Code.TYPE, pointer(where), f"give {' or '.join(kind.types)}, never null")
    elif kind.name in ("oneOf", "anyOf"):
        if isinstance(tree, dict):
            yield Fault(Code.RULE, pointer(where), _CHOICE[len(where)])
    else:
        code, remedy = _BOUNDS[kind.name]
        yield Fault(code, pointer(where), remedy(kind))


_CHOICE: Final = (
    "exactly one of " + ", ".join(PAYLOADS),
    "one or more of element, action, service_answer",
)

_BOUNDS: Final[Mapping[str, tuple[Code, Callable[[Any], str]]]] = {
    "maxLength": (Code.LENGTH, lambda kind: f"at most {kind.limit} characters"),
    "maxItems": (Code.LENGTH, lambda kind: f"at most {kind.limit} items"),
    "minimum": (Code.NUMBER, lambda kind: f"at least {kind.limit}"),
    "maximum": (Code.NUMBER, lambda kind: f"at most {kind.limit}"),
}

_FORM_REMEDIES: Final[Mapping[str, str]] = {
    "date": "a day of the calendar, YYYY-MM-DD",
    "partial_date": "YYYY, YYYY-MM or YYYY-MM-DD, in the calendar",
    "datetime": "YYYY-MM-DDThh:mm:ss with Z or an offset",
    "ref": "an opaque reference: letters, digits, . _ : - and at most 64 of them",
    "service": "ORGANISATION/TYPE",
}


def _definition(error: jsonschema_rs.ValidationError) -> str:
    """Return which of the schema's shared definitions was broken."""
    path = list(error.schema_path)
    return str(path[path.index("$defs") + 1])


def _code_list(error: jsonschema_rs.ValidationError) -> str | None:
    name = _definition(error)
    return None if name in _FORM_REMEDIES else name


def _form_remedy(error: jsonschema_rs.ValidationError) -> str:
    return _FORM_REMEDIES[_definition(error)]


def _rule_faults(tree: Any, errors: Sequence[jsonschema_rs.ValidationError]) -> Sequence[Fault]:
    """Check the rules on what is left when every place that the schema refuses is taken out."""
    if not isinstance(tree, dict):
        return ()
    left = copy.deepcopy(tree)
    for error in errors:
        kind: Any = error.kind
        if kind.name not in ("required", "additionalProperties", "oneOf", "anyOf"):
            _take_out(left, tuple(error.instance_path))
    _in_utc(left, _moments())
    return check_message(left)[0]


def _take_out(tree: Tree, where: tuple[str | int, ...]) -> None:
    """Remove what stands at *where*; an item takes its list with it, for places must not move."""
    while where and isinstance(where[-1], int):
        where = where[:-1]
    held: Any = tree
    for step in where[:-1]:
        try:
            held = held[step]
        except KeyError:
            return  # went with something that held it
    held.pop(where[-1], None)
