"""Consents, the child index and disclosures in FHIR: what the JSON operations tell, and no more."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import orjson
import pytest

from hub.api.fhir.lookups import sayable
from hub.serving import consent_in_fhir
from mappings.formats import fhir_r4_models, fhir_r4_rules
from tests import builders as b
from tests.unit.fhir.door import FHIR, Door, codes, fhir_door
from tests.unit.services.world import part

IDS: Final = "https://ecaf.example/fhir/Id"
CONSENTS: Final = f"/fhir/Consent?data:identifier={IDS}/caf-episode|"
NHS: Final = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
MATCH: Final = "/fhir/Patient/$match"


def audit(episode: str = "e1", person: str = "s1", kind: str = "caf-subject") -> str:
    return (
        f"/fhir/AuditEvent?entity:identifier={IDS}/caf-episode|{episode}"
        f"&patient:identifier={IDS}/{kind}|{person}"
    )


def asked(purpose: str | None = "ASSESS", **patient: Any) -> bytes:
    """Return a question about a child."""
    whole = {"resourceType": "Patient", "identifier": [NHS], "birthDate": "2016-05-14", **patient}
    told: list[dict[str, Any]] = [{"name": "resource", "resource": whole}]
    if purpose is not None:
        told.append({"name": "purpose", "valueCode": purpose})
    return orjson.dumps({"resourceType": "Parameters", "parameter": told})


def found(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the resources of a searchset; each holds to R4's models."""
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "searchset")
    every: list[dict[str, Any]] = [one["resource"] for one in bundle.get("entry", ())]
    for one in every:
        assert fhir_r4_models.faults(one) == []
    assert fhir_r4_models.faults(bundle) == []
    return every


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A door to where Ava's plan is agreed."""
    async with fhir_door() as one:
        await one.world.planned()
        yield one


async def test_who_records_consent_finds_whole_decisions(door: Door) -> None:
    """As Consents of PCF that a hub would read back as the very same records."""
    told = (await door.ask("/episodes/e1/consents")).json()["decisions"]
    consents = found(await door.ask(CONSENTS + "e1"))

    assert len(consents) == len(told) > 1
    for consent, record in zip(consents, told, strict=True):
        assert fhir_r4_rules.faults(consent) == []
        read = door.world.translator.read(FHIR, orjson.dumps(consent), partner="")
        whole = {name: value for name, value in record.items() if value != []}
        assert read.message["consent_decision"] == whole


async def test_a_member_finds_what_is_about_its_own_service(door: Door) -> None:
    """Nobody else's services, nor who decided."""
    told = (await door.ask("/episodes/e1/consents", "HOU-A")).json()["decisions"]
    answer = await door.ask(CONSENTS + "e1", "HOU-A")
    consents = found(answer)

    assert len(consents) == len(told) > 0
    services = {
        actor["reference"]["identifier"]["value"]
        for one in consents
        for actor in one.get("provision", {}).get("actor", ())
    }
    assert services == {"HOU-A/HOUS"}
    assert all("performer" not in one and "sourceReference" not in one for one in consents)
    assert all(one["provision"]["type"] == "permit" for one in consents)


@pytest.mark.parametrize("path", [CONSENTS, audit("")])
async def test_unknown_and_unrelated_look_the_same(door: Door, path: str) -> None:
    """An episode that there is not, and one that the caller has nothing to do with."""
    first, _, rest = path.partition("caf-episode|")
    answers = [await door.ask(f"{first}caf-episode|{ref}{rest}", "VCS-N") for ref in ("e1", "e9")]

    assert [one.status_code for one in answers] == [404, 404]
    bodies = [{k: v for k, v in one.json().items() if k != "id"} for one in answers]
    assert bodies[0] == bodies[1]


async def test_the_index_answers_in_fhir(door: Door) -> None:
    """Tagged with the code, and with whom to ring; nothing of the child but that it was found."""
    answer = await door.say(asked(), "VCS-N", MATCH)
    plain = await door.client.post(
        "/index/check",
        json={
            "purpose": "ASSESS",
            "subject": {
                "identifiers": [{"system": "nhs-number", "value": "9990000018"}],
                "date_of_birth": "2016-05-14",
            },
        },
        headers={"authorization": f"Bearer {door.keys['VCS-N']}"},
    )
    patient, role = found(answer)

    assert plain.json()["result"] == "OPEN"
    assert patient["meta"]["tag"][0]["code"] == "OPEN"
    assert set(patient) == {"resourceType", "id", "meta", "generalPractitioner"}
    assert role["practitioner"]["display"] == plain.json()["contact"]["name"]
    assert {one["value"] for one in role["telecom"]} <= set(plain.json()["contact"].values())


async def test_nobody_and_shielded_are_the_same_bytes(door: Door) -> None:
    """A child that the index does not know, and one that is shielded in full."""
    nobody = await door.say(
        asked(identifier=[{**NHS, "value": "9990000026"}], birthDate="2011-01-01"), "VCS-N", MATCH
    )
    await door.world.send("SCH-A", episode=part(subjects=[{**b.subject(), "shielding": "full"}]))
    shielded = await door.say(asked(), "VCS-N", MATCH)

    assert nobody.json() == {"resourceType": "Bundle", "type": "searchset", "total": 0}
    assert nobody.content == shielded.content


@pytest.mark.parametrize(
    ("raw", "status", "code", "place"),
    [
        (asked(None), 422, "E_PURPOSE", ""),
        (asked("CURIOSITY"), 422, "E_PURPOSE", ""),
        (asked(gender="girl"), 422, "E_CODELIST", "Parameters.parameter[0].resource.gender"),
        (asked(favourite=1), 422, "E_UNKNOWN_FIELD", "Parameters.parameter[0].resource"),
        (asked(identifier=[{**NHS, "value": "9990000019"}]), 422, "E_IDENTIFIER_CHECK", ""),
        (asked(identifier=[], birthDate="x"), 422, "E_", ""),
        (b'{"resourceType":"Patient"}', 422, "E_TYPE", "Bundle.resourceType"),
        (b'{"resourceType":"Parameters"}', 422, "E_REQUIRED", "Parameters.parameter"),
        (b'{"resourceType":"Parameters","parameter":"x"}', 422, "E_REQUIRED", ""),
        (b'{"resourceType":"Parameters","parameter":[1]}', 422, "E_UNKNOWN_FIELD", ""),
        (b"[]", 400, "E_TYPE", ""),
        (b"{", 400, "E_SYNTAX", ""),
    ],
)
async def test_a_wrong_question_is_refused(
    door: Door, raw: bytes, status: int, code: str, place: str
) -> None:
    """With its place in the question."""
    answer = await door.say(raw, "VCS-N", MATCH)

    assert answer.status_code == status, answer.text
    assert any(one.startswith(code) for one in codes(answer)), answer.text
    assert "9990000019" not in answer.text
    if place:
        said = [p for one in answer.json()["issue"] for p in one.get("expression", ())]
        assert any(one.startswith(place) for one in said), said


async def test_who_received_what_as_audit_events(door: Door) -> None:
    """One for each line of the access report, with the service that received and on what ground."""
    report = (
        await door.ask("/episodes/e1/access-report?person=s1", accept="application/json")
    ).json()["disclosures"]
    events = found(await door.ask(audit()))

    assert len(events) == len(report) > 0
    for event, line in zip(events, report, strict=True):
        assert event["recorded"] == line["at"]
        assert event["agent"][1]["who"]["identifier"]["value"] == line["service"]
        assert event["entity"][0]["name"] == line["what"]
        assert len(event["entity"]) == 1 + len(line["ground"])


async def test_disclosures_are_for_who_keeps_the_record(door: Door) -> None:
    """As the access report: a member is refused."""
    assert codes(await door.ask(audit(), "HOU-A")) == ["E_FORBIDDEN"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fhir/Consent", 400, "E_REQUIRED"),
        ("/fhir/Consent?patient=x", 400, "E_UNKNOWN_FIELD"),
        ("/fhir/Consent?data:identifier=e1", 400, "E_CODELIST"),
        (f"/fhir/Consent?data:identifier={IDS}/caf-subject|e1", 400, "E_CODELIST"),
        (CONSENTS + "..", 404, "E_NOT_FOUND"),
        (CONSENTS, 404, "E_NOT_FOUND"),
        (audit(kind="caf-service"), 400, "E_CODELIST"),
    ],
)
async def test_a_wrong_search_is_refused(door: Door, path: str, status: int, code: str) -> None:
    """By parameter, before anything is looked up."""
    answer = await door.ask(path)
    assert (answer.status_code, codes(answer)) == (status, [code])


@pytest.mark.parametrize(
    ("state", "answer"),
    [("SHARE", "yes"), ("NARROWED", "yes"), ("STORE_ONLY", "no"), ("WITHDRAWN", "no")],
)
async def test_what_is_told_of_a_state_alone_is_a_consent(
    door: Door, state: str, answer: str
) -> None:
    """The co-ordinator's two days and a state: permitting where the state shares, else denying."""
    days = {"signed_on": "2026-09-01", "expires_on": "2027-09-01"}

    record = sayable({"state": state, **days, "episode_id": None})

    assert record["share_decision"] == answer
    consent = consent_in_fhir(door.hub, record)
    assert fhir_r4_models.faults(consent) == []
    assert consent["dateTime"] == "2026-09-01"
    assert consent["provision"]["period"]["end"] == "2027-09-01"
