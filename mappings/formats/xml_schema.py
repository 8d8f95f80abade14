"""Validation against an XML Schema of ours, with faults that say where, which rule, and no value.

libxml2's own messages quote the document and are never passed on: only their number, their place
and the names that the schema itself expects.
"""

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lxml import etree

from hub.errors import Code, Fault
from mappings.formats.xml_grammar import Grammar

MOST_FAULTS: Final = 100
_EXPECTED: Final = re.compile(r"Expected is (?:one of )?\( (.*) \)\.")
_ERRORS: Final = etree.ErrorTypes

_RULES: Final[Mapping[int, tuple[Code, str]]] = {
    _ERRORS.SCHEMAV_CVC_ENUMERATION_VALID: (Code.CODELIST, "use a code of this list"),
    _ERRORS.SCHEMAV_CVC_PATTERN_VALID: (Code.FORMAT, "as the schema writes it"),
    _ERRORS.SCHEMAV_CVC_MAXLENGTH_VALID: (Code.LENGTH, "shorter"),
    _ERRORS.SCHEMAV_CVC_MINLENGTH_VALID: (Code.LENGTH, "leave it out rather than empty"),
    _ERRORS.SCHEMAV_CVC_LENGTH_VALID: (Code.LENGTH, "of the length that the schema gives"),
    _ERRORS.SCHEMAV_CVC_MAXINCLUSIVE_VALID: (Code.NUMBER, "smaller"),
    _ERRORS.SCHEMAV_CVC_MININCLUSIVE_VALID: (Code.NUMBER, "larger"),
    _ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_2_1: (Code.TYPE, "nothing may stand in it"),
    _ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_2_2: (Code.TYPE, "text, not elements"),
    _ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_2_3: (Code.TYPE, "elements, not text"),
    _ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_3_2_1: (Code.UNKNOWN_FIELD, "no such attribute"),
    _ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_3_2_2: (Code.UNKNOWN_FIELD, "no such attribute"),
    _ERRORS.SCHEMAV_CVC_COMPLEX_TYPE_4: (Code.REQUIRED, "a required attribute is missing"),
    _ERRORS.SCHEMAV_CVC_TYPE_3_1_1: (Code.UNKNOWN_FIELD, "no attributes here"),
    _ERRORS.SCHEMAV_CVC_TYPE_3_1_2: (Code.TYPE, "text, not elements"),
    _ERRORS.SCHEMAV_CVC_ELT_1: (Code.UNKNOWN_FIELD, "not in the schema"),
}
_ECHOES: Final = frozenset({_ERRORS.SCHEMAV_CVC_DATATYPE_VALID_1_2_1})
"""What libxml2 says once more after a broken facet; alone it says that the type is wrong."""


class Schema:
    """One compiled schema, safe to share."""

    def __init__(self, file: Path, grammar: Grammar) -> None:
        """Compile *file*; it and what it includes are ours."""
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        self._schema = etree.XMLSchema(etree.parse(str(file), parser))
        self._grammar = grammar
        self._lock = threading.Lock()  # the log belongs to the schema, not to the call

    def faults(self, root: Any) -> tuple[Fault, ...]:
        """Return what is wrong with the document of *root*, at most a hundred faults."""
        with self._lock:
            if self._schema.validate(root):
                return ()
            log = [entry for entry, _n in zip(self._schema.error_log, range(300), strict=False)]
        places = _Places(root, self._grammar)
        found: dict[str, Fault] = {}
        for entry in log:
            if entry.type in _ECHOES and entry.path in found:
                continue
            if entry.path not in found:
                found[entry.path] = self._fault(entry, places)
            if len(found) == MOST_FAULTS:
                break
        return tuple(found.values())

    def _fault(self, entry: Any, places: "_Places") -> Fault:
        where = f"line {entry.line}: "
        if entry.type == _ERRORS.SCHEMAV_ELEMENT_CONTENT:
            said = _EXPECTED.search(entry.message)
            names = "" if said is None else _bare(said[1])
            missing = "Missing child" in entry.message
            code = Code.REQUIRED if missing else Code.UNKNOWN_FIELD
            remedy = "something is missing" if missing else "not here, or not again"
            return Fault(code, places.path(entry), where + remedy + (names and f": {names}"))
        code, remedy = _RULES.get(entry.type, (Code.FORMAT, "as the schema writes it"))
        return Fault(code, places.path(entry), where + remedy)


def _bare(names: str) -> str:
    """Return the schema's own names without their namespace.

    >>> _bare("{urn:x}Gender, {urn:x}BirthDate")
    'Gender, BirthDate'
    """
    return ", ".join(name.rpartition("}")[2].strip() for name in names.split(","))


class _Places:
    """Paths of elements as mappings write them, their positions counted once for each parent."""

    def __init__(self, root: Any, grammar: Grammar) -> None:
        self._root = root
        self._known = grammar.names
        members = (pair for one in grammar.types.values() for pair in one.members.items())
        self._lists = frozenset(name for name, member in members if member.many)
        self._space = f"{{{grammar.namespace}}}"
        self._counted: dict[Any, dict[Any, int]] = {}

    def path(self, entry: Any) -> str:
        """Return where *entry* complains, or nothing if that cannot be told."""
        spaces = {prefix: uri for prefix, uri in self._root.nsmap.items() if prefix}
        try:
            found = self._root.getroottree().xpath(entry.path, namespaces=spaces)
        except (etree.XPathError, TypeError):
            return ""
        steps: list[str] = []
        here = found[0] if found else None
        while here is not None and here.getparent() is not None:
            steps.append(self._step(here))
            here = here.getparent()
        return ".".join(reversed(steps))

    def _step(self, one: Any) -> str:
        local = one.tag.removeprefix(self._space)
        name = local if local in self._known else "?"
        position = self._position(one)
        return f"{name}[{position}]" if position or name in self._lists else name

    def _position(self, one: Any) -> int:
        """Return which of its namesakes *one* is."""
        above = one.getparent()
        counted = self._counted.get(above)
        if counted is None:
            totals: dict[Any, int] = {}
            counted = self._counted[above] = {}
            for child in above:
                counted[child] = totals.get(child.tag, 0)
                totals[child.tag] = counted[child] + 1
        return counted[one]
