"""The wire formats by the name that a mapping gives in ``format``."""

from collections.abc import Mapping
from typing import Final

from mappings.engine.wire import Wire
from mappings.formats.fhir_wire import FhirWire
from mappings.formats.plain_json import JsonWire

WIRES: Final[Mapping[str, Wire]] = {"json": JsonWire(), "fhir-r4": FhirWire()}
