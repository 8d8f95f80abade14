"""FHIR R4 as bytes, message Bundles and Consents by themselves: strict JSON, both validation layers
on the way in, the fast one on the way out.
"""

from typing import Any, Final

import orjson

from hub.errors import Code, InvalidContent, Malformed, Rejected
from mappings.engine.shape import Document
from mappings.formats import fhir_periods, fhir_r4_rules
from mappings.formats.fhir_json import FhirJson
from mappings.formats.json_strict import parse

SHOWN: Final = 3
"""Places named in the text of a refusal; its faults hold them all."""

SECURE: Final = b"https://terminology.hl7.org"
SECURE_ESCAPED: Final = SECURE.replace(b"/", b"\\/")
PREFIX: Final = "https://terminology.hl7.org/"


class FhirWire:
    """Message Bundles (`standards.md` 3.3) and single Consents (3.6) in JSON."""

    shape = FhirJson()
    suffix = "json"

    def parse(self, raw: bytes) -> Document:
        """Return the Bundle or Consent of *raw*; raises `Malformed` or `InvalidContent`."""
        document = parse(raw)
        if SECURE in raw or SECURE_ESCAPED in raw:
            _plain_systems(document)
        if fhir_periods.marked(raw):
            fhir_periods.put_back(document)
        if faults := fhir_r4_rules.faults(document):
            raise InvalidContent(faults[0].code, f"{len(faults)} faults in the FHIR", faults)
        if not isinstance(document, dict):
            raise Malformed(Code.TYPE, "an object is expected")
        return document

    def kind(self, document: Document) -> str:
        """Return the event code of the message, or nothing if it has none; of what is no message,
        its type.
        """
        if document.get("resourceType") in fhir_r4_rules.ALONE:
            return str(document["resourceType"])
        for entry in document.get("entry", ()):
            resource = entry.get("resource", {})
            if resource.get("resourceType") == "MessageHeader":
                return str(resource.get("eventCoding", {}).get("code", ""))
        return ""

    def write(self, document: dict[str, Any], *, check: bool) -> bytes:
        """Return the document as JSON; with *check*, raises `Rejected` if it breaks FHIR R4."""
        body = orjson.dumps(document)
        if check and not fhir_r4_rules.structure_holds(document, body):
            # The slow layer says what and where; the fast one has only said that.
            faults = fhir_r4_rules.faults(orjson.loads(body))
            places = ", ".join(fault.path for fault in faults[:SHOWN])
            raise Rejected(Code.MAPPING, f"the document breaks FHIR R4 at {places}", faults)
        return body


def _plain_systems(document: Any) -> None:
    """Write HL7's code systems as HL7 does: some spell them with https (`standards.md` 3.6)."""
    todo = [document]
    while todo:
        here = todo.pop()
        if isinstance(here, list):
            todo += here
        elif isinstance(here, dict):
            system = here.get("system")
            if isinstance(system, str) and system.startswith(PREFIX):
                here["system"] = "http" + system.removeprefix("https")
            todo += here.values()
