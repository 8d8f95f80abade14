"""The published JSON Schema of the wire message, generated from the dataclasses that define it.

One schema for all senders, whole or partial: of an episode only what cannot have been withheld on
its own is required (identifiers of list items), because a recipient may send back what it was
given; the rest of what the dictionary requires is asked of the merged episode
(`hub.domain.whole`).  Everything else is closed: unknown fields, ``null``, empty strings
and strings of white space alone are refused.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from hub.domain.codes import CodeList, code_list
from hub.domain.dates import DATE, DATETIME, PARTIAL_DATE
from hub.domain.dictionary import Leaf, Node, walk
from hub.domain.messages import ALONGSIDE, PAYLOADS, Message, message_tree

SCHEMA_ID: Final = "https://ecaf.example/schema/caf-message.schema.json"
REF: Final = "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
SERVICE: Final = "^[A-Z0-9][A-Z0-9-]{0,38}/[A-Z]{1,8}$"
SAID: Final = r"\S"
"""A text of nothing but white space says nothing, and some FHIR servers refuse it."""
MOST_ITEMS: Final = 1000
LONGEST_TEXT: Final = 100_000
LONGEST_STRING: Final = 100

_FORMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "date": {"type": "string", "pattern": DATE},
    "partial_date": {"type": "string", "pattern": PARTIAL_DATE},
    "datetime": {"type": "string", "pattern": DATETIME},
    "ref": {"type": "string", "pattern": REF},
    "service": {"type": "string", "pattern": SERVICE},
    "bool": {"type": "boolean"},
    "int": {"type": "integer", "minimum": 0, "maximum": 2_147_483_647},
}


def _code_schema(known: CodeList) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "title": known.title,
        "description": f"{known.list_id} version {known.version}, from {known.effective_from}",
        "type": "string",
    }
    return schema | ({"pattern": known.pattern} if known.open else {"enum": list(known.codes)})


def _value_schema(leaf: Leaf) -> dict[str, Any]:
    if leaf.codes is not None:
        return {"$ref": f"#/$defs/{leaf.codes}"}
    if leaf.form in _FORMS:
        return {"$ref": f"#/$defs/{leaf.form}"}
    longest = LONGEST_TEXT if leaf.form == "text" else LONGEST_STRING
    most = leaf.max_length or longest
    return {"type": "string", "pattern": SAID, "maxLength": most}


def _leaf_schema(name: str, leaf: Leaf) -> dict[str, Any]:
    value = _value_schema(leaf)
    schema: dict[str, Any] = {"title": _title(name)}
    if leaf.many:
        schema |= {"type": "array", "items": value, "maxItems": MOST_ITEMS}
    else:
        schema |= value
    schema |= {"x-section": leaf.section, "x-sensitivity": sorted(leaf.sensitivity)}
    schema["x-about"] = leaf.about
    if leaf.codes is not None:
        schema["x-code-list"] = leaf.codes
    if leaf.source:
        schema["x-source"] = leaf.source
    return schema


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _required(node: Node) -> list[str]:
    """Return what no lawful part of *node* can lack.

    In a list, that is the key; without a key, whatever the dictionary requires, if the consent gate
    treats all of the item alike and so can never have cut that leaf alone.
    """
    keys = [name for name, child in node.children.items() if child.leaf and child.leaf.key]
    if keys or node.kind != "list":
        return keys
    alike = {(leaf.section, leaf.sensitivity, leaf.about) for leaf in walk(node.children)}
    return _declared(node) if len(alike) == 1 else []


def _declared(node: Node) -> list[str]:
    return [name for name, child in node.children.items() if child.required]


def _object_schema(node: Node, *, partial: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "title": _title(node.name),
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(node.children, partial=partial),
    }
    if node.type is not None and node.type.__doc__:
        schema["description"] = node.type.__doc__.split("\n")[0]
    required = _required(node) if partial else _declared(node)
    if required:
        schema["required"] = required
    whole = [name for name in _declared(node) if name not in required]
    if whole:
        schema["x-required-of-the-whole"] = whole
    if node.name == "contribution":
        kinds = ("element", "action", "service_answer")
        schema["anyOf"] = [{"required": [kind]} for kind in kinds]
    if node.sensitive_by:
        schema["x-sensitive-by"] = node.sensitive_by
    return schema


def _properties(nodes: Mapping[str, Node], *, partial: bool) -> dict[str, Any]:
    properties = {}
    for name, node in nodes.items():
        if node.leaf is not None:
            properties[name] = _leaf_schema(name, node.leaf)
            continue
        schema = _object_schema(node, partial=partial or name == "episode")
        if name == "episode":
            schema["required"] = ["episode_id"]
            schema.pop("x-required-of-the-whole", None)
        if node.kind == "list":
            many = {"title": schema.pop("title"), "type": "array", "maxItems": MOST_ITEMS}
            schema = many | {"items": schema}
        properties[name] = schema
    return properties


def _alone(payload: str) -> dict[str, Any]:
    """Return the choice of one payload; an episode beside a disclosure is the disclosure's."""
    choice: dict[str, Any] = {"required": [payload]}
    return choice | {"not": {"required": [ALONGSIDE]}} if payload == "episode" else choice


@cache
def message_schema() -> Mapping[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the wire message."""
    nodes = message_tree()
    lists = sorted({leaf.codes for leaf in walk(nodes) if leaf.codes is not None})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "CAF message",
        "description": (Message.__doc__ or "").split("\n")[0],
        "type": "object",
        "additionalProperties": False,
        "properties": _properties(nodes, partial=False),
        "oneOf": [_alone(payload) for payload in PAYLOADS],
        "$defs": {**_FORMS, **{list_id: _code_schema(code_list(list_id)) for list_id in lists}},
    }


def schema_text() -> str:
    """Return the schema as `ecaf schema` prints it, always the same bytes."""
    return json.dumps(message_schema(), indent=1, ensure_ascii=False) + "\n"
