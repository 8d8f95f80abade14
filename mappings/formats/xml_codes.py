"""The code lists of the data dictionary as enumerations of the CAF XML Schema.

`mappings/schemas/caf-episode-codes-1.xsd` is what `codes_schema` returns; a test holds it to that.
Written again with ``python -m mappings.formats.xml_codes``.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from lxml import etree

from hub.domain.codes import CodeList, code_list
from hub.domain.dictionary import walk
from hub.domain.messages import message_tree

NAMESPACE: Final = "urn:ecaf:caf-episode:1"
FILE: Final = Path(str(files("mappings") / "schemas" / "caf-episode-codes-1.xsd"))
XS: Final = "{http://www.w3.org/2001/XMLSchema}"
ABOUT: Final = (
    "The code lists of CAF XML, made from the data dictionary. An unknown code is refused with the "
    "number of its list. An open list takes whatever has its shape."
)


def codes_schema() -> bytes:
    """Return the schema of every code list in use, always the same bytes."""
    spaces = {"xs": XS[1:-1], None: NAMESPACE}
    top = etree.Element(f"{XS}schema", nsmap=spaces, targetNamespace=NAMESPACE)
    _told(top, ABOUT)
    used = {leaf.codes for leaf in walk(message_tree()) if leaf.codes is not None}
    for list_id in sorted(used):
        _enumerated(top, code_list(list_id))
    raw: bytes = etree.tostring(top, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return raw


def _enumerated(top: Any, known: CodeList) -> None:
    """Add one list: every code with its display, or (for an open list) the shape of its codes."""
    one = etree.SubElement(top, f"{XS}simpleType", name=known.list_id)
    _told(one, f"{known.title}: list {known.list_id}, version {known.version}.")
    rule = etree.SubElement(one, f"{XS}restriction", base="xs:token")
    if known.open:
        etree.SubElement(rule, f"{XS}pattern", value=known.pattern.removeprefix("^").rstrip("$"))
        return
    for code in known.codes.values():
        _told(etree.SubElement(rule, f"{XS}enumeration", value=code.code), code.display)


def _told(one: Any, text: str) -> None:
    note = etree.SubElement(one, f"{XS}annotation")
    etree.SubElement(note, f"{XS}documentation").text = text


if __name__ == "__main__":
    FILE.write_bytes(codes_schema())
