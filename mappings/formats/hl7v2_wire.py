"""HL7 v2 messages as bytes: strict and bounded on the way in, 2.4 in UTF-8 on the way out.

A delivery about several children is several messages one behind the other, each beginning with MSH;
it is delivered when all of them are acknowledged (`design.md` section 5).
"""

from typing import Any, Final

from mappings.engine.shape import Document
from mappings.formats.hl7v2_read import kind_of, read
from mappings.formats.hl7v2_shape import MESSAGE, Hl7v2
from mappings.formats.hl7v2_write import write

OWN: Final = "CAFHUB"
"""The assigning authority of the hub's own identifiers."""


class Hl7v2Wire:
    r"""Messages between ``|^~\&`` or whatever a sender declares (`standards.md` section 5)."""

    shape = Hl7v2()
    suffix = "hl7"

    def parse(self, raw: bytes) -> Document:
        """Return the messages of *raw*; raises `Malformed` or `InvalidContent`."""
        return {MESSAGE: read(raw)}

    def kind(self, document: Document) -> str:
        """Return message type and event: ``REF^I12``.

        An ADT that names an episode of the hub as its visit (PV1-19) is about that episode:
        ``ADT^A31^CAF``; any other is a notification.
        """
        messages = document.get(MESSAGE, ())
        if not messages:
            return ""
        first = messages[0]
        kind = kind_of(first["MSH"])
        return f"{kind}^CAF" if kind.startswith("ADT") and _about_episode(first) else kind

    def write(self, document: dict[str, Any], *, check: bool) -> bytes:
        """Return the bytes of *document*; raises `Rejected` with the places of every fault."""
        return write(document[MESSAGE], check=check)


def _about_episode(message: dict[str, Any]) -> bool:
    patients = message.get("PATIENT", [message])
    visit = patients[0].get("PV1", {}).get("19", {})
    return bool(visit.get("4", {}).get("1") == OWN)
