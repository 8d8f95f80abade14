"""Laws of FHIR output beside those of every mapping: both validation layers pass all of it."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import HubError
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.formats import fhir_r4_models, fhir_r4_rules
from tests.property.families import families, message
from tests.property.laws import about
from tests.strategies import cuts

FHIR = "fhir-r4/episode"


@about(15)
@given(data=st.data())
def test_any_cut_can_be_said_in_fhir(data: st.DataObject) -> None:
    """Whatever the gate may cut, the rest renders to a Bundle that both layers pass, or fails
    coded.
    """
    tree = message(data.draw(cuts(data.draw(families()))))
    try:
        body = translator().render(FHIR, rehearse(tree), partner="").body
    except HubError as error:
        refused = error
    else:
        assert fhir_r4_rules.faults(orjson.loads(body)) == []
        return
    assert refused.code == "E_MAPPING"


WIDE_SPACES = {
    number: " "
    for number in range(0x110000)
    if chr(number).isspace() and chr(number) not in " \t\r\n"
}
"""FHIR's pattern of a string means the four spaces of XML by ``\\s``; Python means every space of
Unicode, so that the models refuse a no-break space, which FHIR allows.
"""


def narrowed(value: Any) -> Any:
    """The message with plain spaces in place of wide ones."""
    if isinstance(value, dict):
        return {name: narrowed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [narrowed(inner) for inner in value]
    return value.translate(WIDE_SPACES) if isinstance(value, str) else value


@about(5)
@given(families())
def test_rendered_bundles_pass_the_models_and_the_rules(family: dict[str, Any]) -> None:
    """Both layers find nothing wrong with what the hub sends."""
    tree = narrowed(family)
    rendered = translator().render(FHIR, rehearse(message(tree)), partner="")
    document = orjson.loads(rendered.body)
    assert fhir_r4_rules.faults(document) == []
    assert fhir_r4_rules.structure_holds(document)
    assert fhir_r4_models.faults(document) == []
