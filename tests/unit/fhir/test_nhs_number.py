"""The NHS number through FHIR, canonical and FHIR again, however the sender spells its system."""

import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from hub.errors import InvalidContent
from hub.services.released import rehearse
from mappings.commands import translator
from tests import builders

NAME = "fhir-r4/episode"
FORMAT = translator().catalogue.formats[NAME]
URI = "https://fhir.nhs.uk/Id/nhs-number"
OID = "urn:oid:2.16.840.1.113883.2.1.4.1"
NUMBER = "9990000018"


def message() -> dict[str, Any]:
    """Ava's episode with her NHS number, verified, and her UPN."""
    return {"message": builders.header(message_type="N7"), "episode": builders.episode()}


def bundle(tree: dict[str, Any]) -> Any:
    """The Bundle as it would be sent."""
    return orjson.loads(translator().render(NAME, rehearse(tree), partner="").body)


def spelt(document: Any, system: str) -> Any:
    """The Bundle with the NHS number's system in another spelling."""
    return orjson.loads(orjson.dumps(document).replace(URI.encode(), system.encode()))


def patients(document: Any) -> Iterator[Any]:
    """The children of a Bundle."""
    for entry in document["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            yield entry["resource"]


@pytest.mark.parametrize("system", [URI, OID])
def test_it_survives_in_either_spelling(system: str) -> None:
    """The same number comes back, in FHIR's own spelling, and nothing beside it."""
    first = bundle(message())
    sent = spelt(first, system)
    assert {i["system"] for p in patients(sent) for i in p["identifier"]} >= {system}

    read = translator().read_format(FORMAT, orjson.dumps(sent))
    assert read.unmapped == ()
    child = read.message["episode"]["subjects"][0]
    (held,) = [one for one in child["identifiers"] if one["system"] == "nhs-number"]
    assert held["value"] == NUMBER
    assert held == builders.episode()["subjects"][0]["identifiers"][0]

    again = bundle(copy.deepcopy(dict(read.message)))
    before = [patient["identifier"] for patient in patients(first)]
    after = [patient["identifier"] for patient in patients(again)]
    assert after == before
    assert again == first


@pytest.mark.parametrize("second", [NUMBER, "9990000026"])
def test_two_of_them_are_refused_in_whatever_spelling(second: str) -> None:
    """UK Core's Patient has one at most; which of two is meant is not ours to choose."""
    document = bundle(message())
    next(patients(document))["identifier"].append({"system": OID, "value": second})

    with pytest.raises(InvalidContent) as refused:
        translator().read_format(FORMAT, orjson.dumps(document))
    (fault,) = refused.value.faults
    assert fault.code == "E_RULE"
    assert str(fault.path).startswith("entry[1].resource")
    assert second not in str(refused.value) + fault.remedy
