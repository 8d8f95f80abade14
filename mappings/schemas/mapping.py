"""The JSON Schema of mappings and overlays: completion and explanations in editors.

Made from the loader's own lists of keys, so that it cannot know others; what each key means stands
in ``mapping_keys.csv``, in the words of ``mappings/README.md``.  The loader stays the judge: paths,
codes and the format's own definitions are beyond a schema.
"""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import orjson

from mappings.engine.load import ENTRY, INCLUDED, LOST, TOP
from mappings.engine.overlays import CHANGE, ROW
from mappings.engine.overlays import TOP as OVERLAY
from mappings.engine.places import WHEN
from mappings.engine.rules import RULE
from mappings.engine.tables import WAYS

ID: Final = "https://ecaf.example/schema/mapping.schema.json"
Schema = dict[str, Any]

_PATH: Final[Schema] = {"type": "string", "minLength": 1}
_TEXT: Final[Schema] = {"type": ["string", "number", "boolean"]}


def _list(items: Schema, least: int = 1) -> Schema:
    return {"type": "array", "items": items, "minItems": least}


def _named(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _of(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


HOLDS: Final[Mapping[str, Schema]] = {
    "path": _PATH,
    "text": _TEXT,
    "texts": _named(_TEXT),
    "flag": {"type": "boolean"},
    "version": {"type": ["string", "number"]},
    "remark": {"type": "string"},
    "words": _list(_TEXT),
    "names": {"oneOf": [_PATH, _list(_PATH)]},
    "files": _list({"type": "string", "pattern": r"^(\.\./shared/)?[a-z0-9_-]+\.yaml$"}, 0),
    "table": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
    "direction": {"enum": ["both", "out", "in"]},
    "per": {"enum": ["message", "child"]},
    "only": {"enum": ["out", "in"]},
    "same": {"enum": ["same"]},
    "way": {"enum": list(WAYS)},
    "condition": {"oneOf": [_of("when"), _list(_of("when"), 0)]},
    "entry": _of("entry"),
    "entries": _named(_of("entry")),
    "rules": _list(_of("rule"), 0),
    "parts": _named(_list(_of("rule"), 0)),
    "losses": _list(_of("lost"), 0),
    "rows": _named(_list(_of("row"), 0)),
    "changes": _list(_of("change"), 0),
}
"""What a key holds, by the word for it in ``mapping_keys.csv``."""


@cache
def _keys() -> Mapping[tuple[str, str], Schema]:
    text = files("mappings.schemas").joinpath("mapping_keys.csv").read_text("utf-8")
    return {
        (row["where"], row["key"]): {"description": row["meaning"], **HOLDS[row["holds"]]}
        for row in csv.DictReader(text.splitlines())
    }


def schema() -> Schema:
    """Return the schema of mappings, files that they include, and overlays."""
    lost = _object("lost", LOST, LOST)
    one_of = [{"required": [name]} for name in ("by", "add", "lost")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "eCAF mapping, included file, or overlay",
        "description": "A mapping between the canonical CAF message and a partner's format.",
        "type": "object",
        "if": {"type": "object", "required": ["overlay"]},
        "then": _of("overlay"),
        "else": {
            "if": {"type": "object", "required": ["mapping"]},
            "then": _of("mapping"),
            "else": _of("included"),
        },
        "$defs": {
            "mapping": _object(
                "mapping", TOP, ("mapping", "version", "format", "content_type", "envelope")
            ),
            "included": _object("mapping", INCLUDED),
            "overlay": _object(
                "overlay", OVERLAY, ("overlay", "mapping", "mapping_version", "version")
            ),
            "entry": _object("entry", ENTRY, ("resource", "rules")),
            "rule": _object("rule", RULE) | {"minProperties": 1},
            "when": _object("when", WHEN) | {"minProperties": 1, "maxProperties": 1},
            "lost": lost,
            "change": _object("change", CHANGE) | {"oneOf": one_of},
            "row": _object("row", ROW, ("caf", "way")),
        },
    }


def _object(where: str, keys: Sequence[str], required: Sequence[str] = ()) -> Schema:
    """Return the schema of a mapping with the loader's *keys*; ``KeyError`` if one has no row."""
    made: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: _keys()[where, key] for key in keys},
    }
    return made | {"required": list(required)} if required else made


def schema_text() -> str:
    """Return the schema as it is published in ``mapping.schema.json``."""
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2).decode()
