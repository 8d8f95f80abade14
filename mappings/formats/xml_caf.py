"""CAF XML, version 1: our own schema, in a namespace that no site's address changes."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from mappings.formats.xml_wire import XmlWire

SCHEMA: Final = Path(str(files("mappings") / "schemas" / "caf-episode-1.xsd"))
ROOT: Final = "CafMessage"


def caf_xml() -> XmlWire:
    """Return the wire of CAF XML."""
    return XmlWire(SCHEMA, ROOT)
