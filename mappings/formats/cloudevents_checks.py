"""What a CloudEvent of the hub's may be: attributes, extensions and thin data, each checked.

Source: CloudEvents 1.0.2 (names, types, the required four) and `standards.md` section 7.  Libraries
accept more than the specification (an empty ``type`` passes), and attributes travel in clear
through brokers and logs; so what they may look like is checked here, in both directions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jsonschema_rs

from hub.domain.dates import DATETIME
from hub.errors import Code, Fault

REF: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
SHOWN_NAME: Final = re.compile(r"[a-z0-9]{1,20}", re.ASCII)
LONGEST: Final = 2048
MOST_ATTRIBUTES: Final = 32

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,2000}", re.ASCII)
_TYPE: Final = re.compile(r"[a-z0-9-]+(?:[.][a-z0-9-]+){2,}[.]v[1-9][0-9]*", re.ASCII)
_HTTP: Final = re.compile(r"https?://[!-~]{1,2000}", re.ASCII)
_SEQUENCE: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_CODE: Final = re.compile(r"[A-Z][A-Z_]{0,39}", re.ASCII)
_REFS: Final = re.compile(rf"{REF.pattern}(?: {REF.pattern}){{0,99}}", re.ASCII)
_JSON: Final = re.compile(r"application/json(?:;charset=utf-8)?", re.ASCII | re.IGNORECASE)

ATTRIBUTES: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "specversion": (re.compile(r"1[.]0"), "1.0"),
    "id": (REF, "an opaque reference"),
    "source": (_URI, "a URI"),
    "type": (_TYPE, "a reverse domain name that ends in a version: example.ecaf.caf.….v1"),
    "subject": (REF, "an opaque reference"),
    "time": (re.compile(DATETIME), "YYYY-MM-DDThh:mm:ss with Z or an offset"),
    "datacontenttype": (_JSON, "application/json"),
    "dataschema": (_URI, "a URI"),
    "dataref": (_HTTP, "where to fetch it, by http"),
    "correlationid": (REF, "an opaque reference"),
    "causationid": (REF, "an opaque reference"),
    "sequence": (_SEQUENCE, "digits"),
    "cafpurpose": (_CODE, "a code"),
    "cafconsentref": (_REFS, "opaque references, a space between them"),
}
"""Attributes and extensions that are known, and how each is written."""

_RULES: Final = {"type": Code.TYPE, "pattern": Code.FORMAT, "dependentRequired": Code.REQUIRED}

REQUIRED: Final = ("specversion", "id", "source", "type")


def faults(event: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with *event*, by attribute; never a value."""
    for name in REQUIRED:
        if name not in event:
            yield Fault(Code.REQUIRED, name, "required")
    if len(event) > MOST_ATTRIBUTES:
        yield Fault(Code.TOO_LARGE, "", f"at most {MOST_ATTRIBUTES} attributes")
        return
    for name, value in event.items():
        if name == "data":
            yield from _data(value)
        elif name == "data_base64":
            yield Fault(Code.UNKNOWN_FIELD, name, "send data, as JSON")
        elif SHOWN_NAME.fullmatch(name) is None:
            yield Fault(Code.FORMAT, "?", "attributes: 1 to 20 of a-z and 0-9")
        else:
            yield from _attribute(name, value)


def _attribute(name: str, value: Any) -> Iterator[Fault]:
    known = ATTRIBUTES.get(name)
    if known is None:
        if not isinstance(value, str | int):  # a truth value is an int
            yield Fault(Code.TYPE, name, "a string, a whole number, true or false")
        elif len(str(value)) > LONGEST:
            yield Fault(Code.LENGTH, name, f"at most {LONGEST} characters")
    elif not isinstance(value, str):
        yield Fault(Code.TYPE, name, "a string")
    elif known[0].fullmatch(value) is None:
        yield Fault(Code.FORMAT, name, known[1])


def _data(data: Any) -> Iterator[Fault]:
    if not isinstance(data, dict):
        yield Fault(Code.TYPE, "data", "an object")
        return
    for error in _schema().iter_errors(data):
        where = ".".join(str(step) for step in ("data", *error.instance_path))
        kind: Any = error.kind
        if kind.name == "required":
            yield Fault(Code.REQUIRED, f"{where}.{kind.property}", "required")
        else:
            yield Fault(_RULES.get(kind.name, Code.LENGTH), where, "as dataschema says")


@cache
def _schema() -> jsonschema_rs.Draft202012Validator:
    text = files("mappings").joinpath("schemas", "caf-notice-1.schema.json").read_text("utf-8")
    return jsonschema_rs.Draft202012Validator(json.loads(text))
