"""Deliveries taken apart: an oracle judges one document, and a delivery may hold several.

Two children are two HL7 v2 messages one behind the other, and two clinical documents in one wrapper
of ours (`mappings.formats.hl7v2_wire`, `mappings.formats.cda_wire`).
"""

import re
from collections.abc import Sequence
from typing import Final

from lxml import etree

CDA: Final = "urn:hl7-org:v3"


def parts(kind: str, raw: bytes) -> Sequence[bytes]:
    """Return the documents that *raw* holds, each as the bytes that a partner gets of it."""
    if kind == "hl7v2":
        # The standard ends a segment with CR; files kept in a repository may end lines with LF.
        text = re.sub(rb"\r\n|\n", b"\r", raw)
        return [part for part in re.split(rb"(?<=\r)(?=MSH)", text) if part.strip()]
    if kind == "cda-r2":
        top = etree.fromstring(raw)
        if top.tag != f"{{{CDA}}}ClinicalDocument":
            return [etree.tostring(one, encoding="UTF-8", xml_declaration=True) for one in top]
    return [raw]
