"""The hub's reader and renderer: content types in, formats out, through the catalogue.

Satisfies `hub.ports.Reader` and `hub.ports.Renderer`.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

import orjson

from hub.domain.messages import CONTENT_TYPE
from hub.errors import Code, Fault, InvalidContent, Malformed, Rejected
from hub.ports import Read, Rendered
from hub.services.released import Released, genuine
from mappings.engine.catalogue import Catalogue, Format
from mappings.engine.shape import Document
from mappings.engine.unread import untold
from mappings.formats.blanks import blanks
from mappings.formats.fhir_consents import doubts
from mappings.formats.json_strict import parse

CanonicalReader = Callable[[bytes], tuple[dict[str, Any], Sequence[Fault]]]
"""Bytes of a canonical message to its tree and warnings; raises `Malformed` or `InvalidContent`."""

IDENTITY: Final = "caf-json"
BLANK: Final = "(white space alone: it says nothing)"
FHIR: Final = "fhir-r4"
FACTS: Final = "notification (facts of a message of the hub: nothing to record)"


class Translator:
    """One catalogue with the reader of canonical messages."""

    def __init__(
        self, catalogue: Catalogue, canonical_reader: CanonicalReader, *, check_output: bool = True
    ) -> None:
        """Keep both; with *check_output*, nothing that breaks its format's rules returns."""
        self.catalogue = catalogue
        self._read_canonical = canonical_reader
        self._check_output = check_output
        types: dict[str, list[Format]] = {}
        for one in catalogue.formats.values():
            types.setdefault(_bare(one.head.content_type), []).append(one)
        self._by_type: Mapping[str, Sequence[Format]] = MappingProxyType(types)

    # Reader

    def content_types(self) -> Sequence[str]:
        """Return the content types that can be read, parameters included."""
        offered = [one.head.content_type for one in self.catalogue.formats.values() if _reads(one)]
        return tuple(dict.fromkeys([CONTENT_TYPE, *offered]))

    def read(self, content_type: str, raw: bytes, *, partner: str) -> Read:
        """Return the canonical message of *raw*, and the paths of input that no rule knows.

        *partner* chooses overlays.  Raises `Malformed` or `InvalidContent` with every fault; input
        that no rule knows is named, never dropped in silence.
        """
        formats = [one for one in self._of_type(content_type) if _reads(one)]
        if not formats:
            raise Malformed(Code.CONTENT_TYPE, "no mapping reads this content type")
        if formats[0].name == IDENTITY:
            return self.read_format(self.mapping(IDENTITY, partner), raw)
        wire = formats[0].wire
        document = wire.parse(raw)
        one = _accepting(formats, wire.kind(document))
        if one is None:
            raise Malformed(Code.CONTENT_TYPE, "no mapping reads this kind of message")
        return self._read_document(self.mapping(one.name, partner), document)

    def read_format(self, one: Format, raw: bytes) -> Read:
        """Return the canonical message that *raw* says in the format *one*, whatever its kind."""
        if not _reads(one):
            raise Malformed(Code.CONTENT_TYPE, f"{one.name} is only written, never read")
        if one.name == IDENTITY and not one.partner:
            return self._read_own(raw)
        return self._read_document(one, one.wire.parse(raw))

    def mapping(self, name: str, partner: str = "") -> Format:
        """Return the mapping *name* with the overlay of *partner*; raises `Rejected`."""
        one = self.catalogue.format(name, partner)
        if one is None:
            family = self.catalogue.family(name.rstrip("/"))
            near = family or get_close_matches(name, self.catalogue.formats, 1)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {self._names()}"
            raise Rejected(Code.NOT_ACCEPTABLE, f"there is no format of that name; {hint}")
        return one

    def _names(self) -> str:
        return ", ".join(self.catalogue.formats)

    def _read_own(self, raw: bytes) -> Read:
        """Read a canonical message; one of the hub's own that comes back loses only its facts."""
        try:
            message, warnings = self._read_canonical(raw)
        except InvalidContent:
            rest = _without_facts(raw)
            if rest is None:
                raise
            message, warnings = self._read_canonical(rest)
            return Read(message, (FACTS,), tuple(warnings))
        return Read(message, (), tuple(warnings))

    def _read_document(self, one: Format, document: Document) -> Read:
        found = one.compiled.read(document)
        if found.faults:
            raise InvalidContent(
                found.faults[0].code, f"{len(found.faults)} faults in the message", found.faults
            )
        message, unmapped = dict(found.message), list(found.unmapped)
        if "code" in message.get("notification", {}):
            del message["notification"]
            unmapped.append(FACTS)
        try:
            checked, warnings = self._read_canonical(orjson.dumps(message))
        except InvalidContent as wrong:
            blank = blanks(message)
            if not blank:
                raise untold(wrong, one.written) from None
            unmapped += [f"{place} {BLANK}" for place in blank]
            checked, warnings = self._read_canonical(orjson.dumps(message))
        if one.head.format == FHIR and (doubtful := doubts(document, message, unmapped)):
            raise InvalidContent(doubtful[0].code, "the Consent cannot be relied on", doubtful)
        return Read(checked, tuple(unmapped), tuple(warnings))

    # Renderer

    def formats(self) -> Sequence[str]:
        """Return the names of the formats that can be written."""
        return tuple(name for name, one in self.catalogue.formats.items() if _writes(one))

    def format_for(self, content_type: str) -> str | None:
        """Return the format that writes a content type; version 1 is the only one.

        Where several do, it is the one that holds whole episodes: it accepts every other kind.
        """
        written = [one for one in self._of_type(content_type) if _writes(one)]
        one = _accepting(written, "") or (written[0] if written else None)
        return None if one is None else one.name

    def _of_type(self, content_type: str) -> Sequence[Format]:
        bare, *parameters = (part.strip().lower() for part in content_type.split(";"))
        for parameter in parameters:
            if parameter.startswith("version=") and parameter.strip('"') != "version=1":
                return ()
        return self._by_type.get(bare, ())

    def identity(self, format_name: str, partner: str) -> str:
        """Return ``fhir-r4/episode/1+SCH-A/3``; empty where there is no such format."""
        one = self.catalogue.format(format_name, partner)
        return "" if one is None else one.written.identity

    def render(self, format_name: str, released: Any, *, partner: str) -> Rendered:
        """Return the bytes of a released view; raises `Rejected` with ``E_MAPPING``.

        Accepts nothing but what the gate released.  `Rendered.mapping` names the mapping's version
        and that of the partner's overlay: ``fhir-r4/episode/1+SCH-A/3``.
        """
        if not genuine(released):
            raise TypeError("only a Released view can be rendered")
        view: Released = released
        one = self.mapping(format_name, partner)
        if not _writes(one):
            raise Rejected(Code.NOT_ACCEPTABLE, f"{one.name} is only read, never written")
        document = one.compiled.render(view.tree)
        return Rendered(
            content_type=one.head.content_type,
            body=one.wire.write(document, check=self._check_output),
            mapping=one.written.identity,
        )


def _without_facts(raw: bytes) -> bytes | None:
    """Return a message of the hub's own without the facts of its kind; None if it is not one."""
    document = parse(raw)
    if not isinstance(document, dict) or "episode" not in document:
        return None
    facts = document.pop("notification", None)
    if not isinstance(facts, dict) or "code" not in facts:
        return None
    return orjson.dumps(document)


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _reads(one: Format) -> bool:
    return one.head.direction != "out"


def _writes(one: Format) -> bool:
    return one.head.direction != "in"


def _accepting(formats: Sequence[Format], kind: str) -> Format | None:
    """Return the mapping that names *kind*, else the one that names none."""
    named = (one for one in formats if kind in one.head.accepts)
    return next(named, None) or next((one for one in formats if not one.head.accepts), None)
