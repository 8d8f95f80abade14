"""The wire formats by the name that a mapping gives in ``format``."""

from collections.abc import Mapping
from typing import Final

from mappings.engine.shape import Shape
from mappings.formats.fhir_json import FhirJson
from mappings.formats.plain_json import PlainJson

SHAPES: Final[Mapping[str, Shape]] = {"json": PlainJson(), "fhir-r4": FhirJson()}
