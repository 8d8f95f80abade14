"""What the FHIR door publishes is what it serves, and what its messages rest on."""

import re
from collections.abc import AsyncIterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hub.api.declared import DeclaredRoute
from mappings.formats import fhir_r4_models
from mappings.formats.artefacts.publish import artefacts
from tests.unit.fhir.door import Door, codes, fhir_door
from tests.unit.services.world import World


@cache
def made(canonical: str) -> Sequence[Any]:
    """Return the artefacts of a site, made once for all tests."""
    return artefacts(World().translator.catalogue.formats, canonical)


CASES = Path(__file__).parents[3] / "mappings/catalogue/fhir-r4"
CANONICAL = "https://ecaf.example/fhir"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A door that publishes the artefacts of the site."""
    async with fhir_door(publish=lambda: made(CANONICAL)) as one:
        yield one


async def test_the_statement_is_true(door: Door) -> None:
    """Every route below /fhir is in the statement, and nothing else; and each of them answers."""
    statement = (await door.ask("/fhir/metadata", None)).json()
    (rest,) = statement["rest"]
    told = {f"POST /fhir/${one['name']}" for one in rest["operation"]} | {"GET /fhir/metadata"}
    for one in rest["resource"]:
        for interaction in one.get("interaction", ()):
            more = "/{name}" if interaction["code"] == "read" else ""
            told.add(f"GET /fhir/{one['type']}{more}")
        for operation in one.get("operation", ()):
            told.add(f"POST /fhir/{one['type']}/${operation['name']}")
    served = set()
    kinds = [one["type"] for one in rest["resource"] if len(one.get("interaction", ())) == 2]
    app = door.client._transport.app  # type: ignore[attr-defined]
    for route in app.routes:
        if isinstance(route, DeclaredRoute) and route.path.startswith("/fhir/"):
            paths = [route.path.replace("{kind}", kind) for kind in kinds]
            served |= {f"{route.declared.method} {path}" for path in paths or [route.path]}
    assert told == served

    for one in rest["resource"]:
        names = {param["name"] for param in one.get("searchParam", ())}
        if "url" in names:
            answer = await door.ask(f"/fhir/{one['type']}?url=https://x.example/y", None)
            assert (answer.status_code, answer.json()["total"]) == (200, 0)


async def test_the_statement_is_fhir(door: Door) -> None:
    """It holds to R4's model, and names the address and the messages of both directions."""
    answer = await door.ask("/fhir/metadata", None)
    statement = answer.json()

    assert answer.headers["content-type"] == "application/fhir+json"
    assert fhir_r4_models.faults(statement) == []
    assert statement["kind"] == "instance"
    assert statement["instantiates"] == [f"{CANONICAL}/CapabilityStatement/ecaf-hub"]
    address = statement["messaging"][0]["endpoint"][0]["address"]
    assert address == "http://127.0.0.1:8700/fhir/$process-message"
    listed = statement["messaging"][0]["supportedMessage"]
    supported = {(one["mode"], one["definition"]) for one in listed}
    assert ("receiver", f"{CANONICAL}/MessageDefinition/caf-acknowledgement") in supported
    assert ("sender", f"{CANONICAL}/MessageDefinition/caf-created") in supported


async def test_every_artefact_is_found_under_its_canonical_url(door: Door) -> None:
    """By search and by read, by anybody; two hundred of them and more."""
    found = 0
    for one in made(CANONICAL):
        kind = one["resourceType"]
        if kind in ("CapabilityStatement", "NamingSystem"):
            continue
        path = one["url"].removeprefix("https://ecaf.example")
        read = await door.ask(path, None)
        assert (read.status_code, read.json()) == (200, one)
        if found % 25 == 0:
            for url in (one["url"], f"{one['url']}|{one['version']}"):
                bundle = (await door.ask(f"/fhir/{kind}?url={url}", None)).json()
                assert [entry["resource"] for entry in bundle["entry"]] == [one]
            other = (await door.ask(f"/fhir/{kind}?url={one['url']}|9", None)).json()
            assert other["total"] == 0
        found += 1
    assert found > 200


async def test_every_canonical_url_of_a_message_is_published(door: Door) -> None:
    """What a message names (questionnaires, extensions, code systems) can be looked up."""
    text = (CASES / "episode/cases/whole-family/expected.json").read_text("utf-8")
    kinds = "CodeSystem|Questionnaire|StructureDefinition|MessageDefinition"
    named = set(re.findall(rf'"{CANONICAL}/(({kinds})/[A-Za-z0-9.-]+)[|"]', text))

    assert len(named) > 20
    for path, _kind in named:
        answer = await door.ask(f"/fhir/{path}", None)
        assert answer.status_code == 200, path


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fhir/Patient", 404, "E_NOT_FOUND"),
        ("/fhir/Questionnaire/nothing", 404, "E_NOT_FOUND"),
        ("/fhir/Questionnaire/..%2f..%2fetc", 404, "E_NOT_FOUND"),
        ("/fhir/questionnaire", 404, "E_NOT_FOUND"),
        ("/fhir/$process-message", 405, "E_METHOD"),
        ("/fhir/Patient/$match", 405, "E_METHOD"),
        ("/fhir/$nothing", 404, "E_NOT_FOUND"),
        ("/fhir", 404, "E_NOT_FOUND"),
        ("/fhir/", 404, "E_NOT_FOUND"),
        ("/fhir/Questionnaire?name=x", 400, "E_UNKNOWN_FIELD"),
        ("/fhir/Questionnaire?url=", 400, "E_LENGTH"),
        ("/fhir/Questionnaire?url=a&url=b", 400, "E_DUPLICATE_KEY"),
    ],
)
async def test_what_is_not_published_is_not_there(
    door: Door, path: str, status: int, code: str
) -> None:
    """A coded OperationOutcome, whoever asks."""
    answer = await door.ask(path, None)
    assert (answer.status_code, codes(answer)) == (status, [code])


async def test_a_hub_that_publishes_nothing_still_says_what_it_does() -> None:
    """The statement needs no artefacts."""
    async with fhir_door() as door:
        statement = (await door.ask("/fhir/metadata", None)).json()
        assert fhir_r4_models.faults(statement) == []
        assert "messaging" not in statement
