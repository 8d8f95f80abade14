"""A hub does not start with a partner that takes what it has in a format that does not fit."""

from dataclasses import replace

import pytest

from hub.bootstrap import ready
from hub.domain.partner import Registry
from hub.errors import Misconfigured
from tests.unit.services.world import World


def told(world: World, notification: str, content: str = "caf-json") -> Registry:
    """The registry of *world*, with HV-A alone and its formats changed."""
    held = world.partners["HV-A"]
    delivering = replace(held.delivering, content=content, notification=notification)
    changed = replace(held, delivering=delivering)
    return replace(world.registry, partners={"HV-A": changed})


def test_a_format_for_content_is_refused_for_what_is_told_beside_it() -> None:
    """Why an episode was closed is in no notice: a format for content would write it."""
    world = World()
    ready(world.translator, told(world, "caf-json", "fhir-r4/episode"))
    ready(world.translator, told(world, "fhir-r4/notification"))
    with pytest.raises(Misconfigured) as wrong:
        ready(world.translator, told(world, "fhir-r4/episode"))
    (fault,) = wrong.value.faults
    assert (fault.path, fault.remedy) == ("partners/HV-A", "notification: fhir-r4/notification")


def test_a_format_that_does_not_exist_is_refused() -> None:
    """With those that do."""
    world = World()
    with pytest.raises(Misconfigured, match="which is no format") as wrong:
        ready(world.translator, told(world, "fhir-r4/notifications"))
    assert "fhir-r4/notification" in wrong.value.faults[0].remedy
