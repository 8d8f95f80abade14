"""The tables of hostile input: every format that is read has one, and it is long enough."""

from collections.abc import Collection
from typing import Final

import pytest

from mappings.commands import translator
from tests.acceptance.wrong_inputs import WRONG_INPUTS
from tests.unit.documents import test_documents_hostile as documents
from tests.unit.fhir import test_fhir_hostile as fhir
from tests.unit.hl7v2 import test_hl7v2_hostile as hl7v2
from tests.unit.xml import hostile_cloudevents, hostile_csv, hostile_xml

FEWEST: Final = 40
TABLES: Final[dict[str, Collection[object]]] = {
    "json": WRONG_INPUTS,
    "fhir-r4": fhir.HOSTILE,
    "hl7v2": hl7v2.HOSTILE,
    "caf-xml": hostile_xml.TABLE,
    "cloudevents": hostile_cloudevents.TABLE,
    "ssd-early-help": hostile_csv.TABLE,
    "cda-r2": documents.HOSTILE,
    "html": documents.HOSTILE,
}
"""By format: bytes that are refused; for documents, which are written only, texts put into them."""


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_long_enough(name: str) -> None:
    """Forty at the least, each once."""
    assert len(TABLES[name]) >= FEWEST


def test_no_format_is_without_a_table() -> None:
    """A format that comes to the catalogue brings its table."""
    formats = {one.head.format for one in translator().catalogue.formats.values()}
    assert formats == TABLES.keys()
