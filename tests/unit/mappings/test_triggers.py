"""Why a CAF was begun, and that the family asked for it, in each format of whole episodes."""

import pytest

from hub.domain.codes import code_list
from hub.services.released import rehearse
from mappings.commands import translator
from tests import builders
from tests.unit.mappings.test_elements import WHOLE

BEGUN = ("trigger", "concern_source", "caf_requested_by_family")


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("trigger", sorted(code_list("CL-17b").codes))
def test_who_asked_and_why_survive(name: str, trigger: str) -> None:
    """Worried, asked, unclear or broader; asked by a child or a parent themselves (CL-17)."""
    episode = builders.episode()
    told = {
        "trigger": [trigger],
        "concern_source": ["1A", "1C"],
        "caf_requested_by_family": trigger == "ASKED",
    }
    episode["assessment"] |= told
    tree = {"message": builders.header(message_type="N7"), "episode": episode}

    raw = translator().render(name, rehearse(tree), partner="").body
    read = translator().read_format(translator().catalogue.formats[name], raw).message

    assert {leaf: read["episode"]["assessment"][leaf] for leaf in BEGUN} == told
