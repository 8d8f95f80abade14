"""What a hub compiles at its start, and what stops it."""

from dataclasses import replace

import pytest

from hub.bootstrap import ready, translator
from hub.domain.partner import Delivering, Registry
from hub.errors import Misconfigured
from tests.unit.services.world import PARTNERS


def registry(content: str) -> Registry:
    """Return one partner that takes *content*."""
    one = replace(PARTNERS[0], delivering=Delivering("webhook", content=content))
    return Registry("Hub", "support@hub.example", {one.name: one}, {}, {})


def test_what_partners_take_is_compiled_before_any_message() -> None:
    """A format in use has its code at the start; the others wait until they are wanted."""
    both = translator("https://ready.example/fhir")
    ready(both, registry("fhir-r4/episode"))

    assert "outward" in vars(both.catalogue.formats["fhir-r4/episode"].compiled)
    assert "outward" not in vars(both.catalogue.formats["ssd/early-help"].compiled)


def test_a_format_that_does_not_exist_stops_the_start() -> None:
    """A slip in a profile is found before the first message, with what there is."""
    with pytest.raises(Misconfigured, match="takes fhir-r5/episode") as refused:
        ready(translator("https://ready.example/fhir"), registry("fhir-r5/episode"))
    assert "fhir-r4/episode" in refused.value.faults[0].remedy
