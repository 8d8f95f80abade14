"""The marks by which formats say that a message is for testing: HL7 v2 and FHIR have their own."""

from typing import Any, Final

import orjson

HTEST: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
"""FHIR R4: a tag on what is no real record (v3 ActReason)."""


def marked(content_type: str, body: bytes) -> bytes:
    r"""Return *body* with its format's own mark of a test; unchanged where the format has none.

    HL7 v2 (2.5.1, 2.14.9.11) says so in MSH-11: ``T``, which production systems refuse.

    >>> marked("application/hl7-v2", b"MSH|^~\\&|A|B|C|D|1||REF^I12|x|P|2.4\rPID|1\r")
    b'MSH|^~\\&|A|B|C|D|1||REF^I12|x|T|2.4\rPID|1\r'
    """
    kind = content_type.partition(";")[0].strip()
    if kind == "application/hl7-v2":
        return b"\r".join(_training(line) for line in body.split(b"\r"))
    if kind == "application/fhir+json":
        bundle: dict[str, Any] = orjson.loads(body)
        meta = bundle.setdefault("meta", {})
        meta["tag"] = [*meta.get("tag", ()), HTEST]
        return orjson.dumps(bundle)
    return body


def _training(line: bytes) -> bytes:
    if not line.startswith(b"MSH"):
        return line
    separator = line[3:4]
    fields = line.split(separator)
    fields[10] = b"T" + fields[10][1:]
    return separator.join(fields)
