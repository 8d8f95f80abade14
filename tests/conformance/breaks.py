"""All breaks of every format, in the order in which a run makes them."""

from collections.abc import Sequence
from typing import Final

from tests.conformance.breaking import Break
from tests.conformance.breaks_fhir import FHIR
from tests.conformance.breaks_hl7v2 import HL7V2
from tests.conformance.breaks_xml import HTML, XML

BREAKS: Final[Sequence[Break]] = (*FHIR, *XML, *HTML, *HL7V2)
