"""The nineteen elements in each format that holds an assessment: strength, need, whose word."""

from itertools import cycle
from typing import Any

import pytest

from hub.domain.codes import code_list
from hub.services.released import rehearse
from mappings.commands import translator
from tests import builders

WHOLE = ("caf-xml/1", "fhir-r4/episode", "hl7v2/ref-i12")
AUTHORS = ("p-teach", "p-hv", "p-lead")


def elements() -> list[dict[str, Any]]:
    """All nineteen, each with the next kind, and by turns of three contributors."""
    kinds, authors = cycle(code_list("CL-15").codes), cycle(AUTHORS)
    return [
        {
            "element": element,
            "kind": next(kinds),
            "commentary": f"What was seen of {element}.",
            "author": builders.practitioner(next(authors)),
            "authored_at": f"2026-09-{day:02}T09:30:00Z",
        }
        for day, element in enumerate(code_list("CL-14").codes, start=1)
    ]


@pytest.mark.parametrize("name", WHOLE)
def test_every_element_keeps_its_kind_and_its_author(name: str) -> None:
    """Nothing is summed up: nineteen elements come back, each as its contributor wrote it."""
    episode = builders.episode()
    (child,) = episode["subjects"]
    child["elements"] = elements()
    tree = {"message": builders.header(message_type="N7"), "episode": episode}

    raw = translator().render(name, rehearse(tree), partner="").body
    read = translator().read_format(translator().catalogue.formats[name], raw).message

    found = {one["element"]: one for one in read["episode"]["subjects"][0]["elements"]}
    assert found.keys() == code_list("CL-14").codes.keys()
    for one in elements():
        told = found[one["element"]]
        for field in ("kind", "commentary", "authored_at"):
            assert told[field] == one[field], (one["element"], field)
        assert told["author"]["practitioner_id"] == one["author"]["practitioner_id"]
