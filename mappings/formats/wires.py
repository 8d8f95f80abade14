"""The wire formats by the name that a mapping gives in ``format``."""

from collections.abc import Mapping
from typing import Final

from mappings.engine.wire import Wire
from mappings.formats.cda_wire import CdaWire
from mappings.formats.cloudevents_wire import CloudEventWire
from mappings.formats.csv_wire import ssd_early_help
from mappings.formats.fhir_wire import FhirWire
from mappings.formats.hl7v2_wire import Hl7v2Wire
from mappings.formats.html_wire import HtmlWire
from mappings.formats.plain_json import JsonWire
from mappings.formats.xml_caf import caf_xml

WIRES: Final[Mapping[str, Wire]] = {
    "json": JsonWire(),
    "fhir-r4": FhirWire(),
    "cda-r2": CdaWire(),
    "html": HtmlWire(),
    "caf-xml": caf_xml(),
    "hl7v2": Hl7v2Wire(),
    "cloudevents": CloudEventWire(),
    "ssd-early-help": ssd_early_help(),
}
