"""What the FHIR door answers: acknowledgements, the four rows of duplicates, and when not asked to
wait.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from hub.domain.accreditation import Stage
from hub.errors import Code, Unavailable
from mappings.formats import fhir_r4_models, fhir_r4_rules
from tests import builders as b
from tests.unit.fhir.door import (
    LATER,
    PROCESS,
    Door,
    codes,
    fhir_door,
    issues,
    message,
    opened,
    response,
)
from tests.unit.services.world import partner

CASES: Final = Path(__file__).parents[3] / "mappings/catalogue/fhir-r4"


async def ready(door: Door) -> Door:
    """Let the family agree that the episode is kept."""
    await door.world.decide("SCH-A", door.world.store_only())
    return door


def kept(door: Door) -> int:
    """Return how many versions of the episode there are."""
    return len([1 for episode, _ in door.world.store._tables.versions if episode == "e1"])


async def test_an_episode_is_taken_and_acknowledged() -> None:
    """After the commit the sender is told ok, with the sequence that its next message builds on."""
    async with fhir_door() as door:
        answer = await (await ready(door)).say(opened())

        assert response(answer)["identifier"] == "m-1"
        assert response(answer)["code"] == "ok"
        assert answer.headers["content-type"] == "application/fhir+json"
        facts = {
            one["url"].rpartition("/")[2]: one
            for one in answer.json()["entry"][0]["resource"]["extension"]
        }
        assert facts["about-episode"]["valueString"] == "e1"
        assert facts["sequence"]["valueInteger"] == 1
        assert kept(door) == 1


async def test_a_consent_decision_and_a_notice_are_taken() -> None:
    """The same operation takes every message that the mappings read."""
    async with fhir_door() as door:
        decision = door.world.store_only()
        taken = await door.say(message({"consent_decision": decision}, bundle="b-c", header="m-c"))
        assert response(taken)["code"] == "ok"
        assert len(door.world.store._tables.decisions) == 1

        case = CASES / "notice/cases/read-attendance/wire.json"
        notice = orjson.loads(case.read_bytes()) | {"id": "b-n"}
        first, again = [await door.say(orjson.dumps(notice)) for _ in range(2)]
        assert response(first)["code"] == "ok"
        assert first.content == again.content
        assert len(door.world.store._tables.notices) == 1


@pytest.mark.parametrize(
    ("second", "code", "told", "versions"),
    [
        pytest.param({"bundle": "b-2", "header": "m-2"}, "ok", [], 1, id="new, new"),
        pytest.param({}, "ok", [], 1, id="seen, seen"),
        pytest.param({"bundle": "b-2"}, "fatal-error", ["E_DUPLICATE"], 1, id="new, seen"),
        pytest.param({"header": "m-2"}, "fatal-error", ["E_DUPLICATE"], 1, id="seen, new"),
    ],
)
async def test_the_four_rows_of_duplicates(
    second: dict[str, Any], code: str, told: list[str], versions: int
) -> None:
    """standards.md 3.6: Bundle.id and MessageHeader.id, each new or seen, as the second message."""
    async with fhir_door() as door:
        first = await (await ready(door)).say(opened())
        rows = len(door.world.store._tables.inbox)

        if second.get("bundle") == "b-2" and second.get("header") == "m-2":
            raw = message({"episode": {"episode_id": "e1"}}, message_type="N6", **second)
        else:
            raw = opened(**second)
        answer = await door.say(raw)

        assert response(answer)["code"] == code
        assert codes(answer) == told
        assert kept(door) == versions
        processed = len(door.world.store._tables.inbox) > rows
        assert processed == (second == {"bundle": "b-2", "header": "m-2"})
        assert (answer.content == first.content) == (second == {})


async def test_the_same_pair_with_other_content_is_refused() -> None:
    """Neither dropped as a repeat nor written over what was taken (P5)."""
    async with fhir_door() as door:
        await (await ready(door)).say(opened())
        other = orjson.dumps(orjson.loads(opened()) | {"timestamp": "2026-09-04T17:00:00Z"})

        answer = await door.say(other)

        assert response(answer)["code"] == "fatal-error"
        assert codes(answer) == ["E_IDEMPOTENCY"]
        assert kept(door) == 1


async def test_two_partners_may_use_the_same_ids() -> None:
    """Ids are a sender's own: another's are not seen, and nothing tells that they were used."""
    async with fhir_door() as door:
        await (await ready(door)).say(opened())
        answer = await door.say(opened(), "SCH-B")

        assert codes(answer) == ["E_CONSENT_NONE"]


async def test_a_repaired_message_may_come_under_its_own_id() -> None:
    """A refusal for what a message says leaves nothing: mended, it comes in a new Bundle."""
    async with fhir_door() as door:
        await ready(door)
        wrong = orjson.loads(opened())
        wrong["entry"][1]["resource"]["gender"] = "girl"
        refused = await door.say(orjson.dumps(wrong))
        assert response(refused)["code"] == "fatal-error"

        assert response(await door.say(opened(bundle="b-2")))["code"] == "ok"
        assert response(await door.say(opened(bundle="b-3")))["code"] == "fatal-error"


async def test_a_refusal_for_lack_of_consent_is_stored() -> None:
    """The same pair hears the same refusal again, also once the family has agreed."""
    async with fhir_door() as door:
        first = await door.say(opened())
        await ready(door)
        again = await door.say(opened())

        assert codes(first) == ["E_CONSENT_NONE"]
        assert first.content == again.content
        assert response(await door.say(opened(bundle="b-2", header="m-2")))["code"] == "ok"


async def test_racing_bundles_of_one_id_bring_one_message() -> None:
    """Of twenty messages in Bundles of one id, sent at once, one is taken."""
    async with fhir_door() as door:
        await ready(door)
        raws = [
            message({"episode": {"episode_id": "e1"}}, header=f"m-{n}", message_type="N6")
            for n in range(20)
        ]
        await door.say(opened(bundle="b-0", header="m-open"))

        answers = await asyncio.gather(*map(door.say, raws))

        assert sorted(response(one)["code"] for one in answers) == ["fatal-error"] * 19 + ["ok"]


@pytest.mark.parametrize("code", [Code.STORE, Code.OUTCOME_UNKNOWN, Code.REGISTER])
async def test_what_the_hub_cannot_do_now_is_transient(
    code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is good and may be sent again unchanged, and then it is taken."""
    async with fhir_door() as door:
        await ready(door)
        real = door.hub.receive

        async def down(*_: Any) -> Any:
            raise Unavailable(code, "not now")

        monkeypatch.setattr(door.hub, "receive", down)
        answer = await door.say(opened())
        assert response(answer)["code"] == "transient-error"
        assert issues(answer)[0]["code"] == "transient"

        monkeypatch.setattr(door.hub, "receive", real)
        assert response(await door.say(opened()))["code"] == "ok"


async def test_our_own_fault_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks in the hub is a 500 with an OperationOutcome that says no more than that."""
    async with fhir_door() as door:

        async def broken(*_: Any) -> Any:
            raise RuntimeError("Ava Example")

        monkeypatch.setattr(door.hub, "receive", broken)
        answer = await door.say(opened())

        assert (answer.status_code, codes(answer)) == (500, ["E_INTERNAL"])
        assert "Ava" not in answer.text


async def test_every_answer_is_fhir() -> None:
    """Acknowledgements hold to R4's models and to the hub's own rules; refusals to the models."""
    async with fhir_door() as door:
        unasked = await door.say(opened())
        await ready(door)
        for answer in [
            unasked,
            await door.say(opened(bundle="b-2", header="m-2")),
            await door.say(opened(bundle="b-3", header="m-2")),
        ]:
            tree = answer.json()
            assert fhir_r4_rules.faults(tree) == []
            for entry in tree["entry"]:
                assert fhir_r4_models.faults(entry["resource"]) == []
        for refusal in [await door.say(b"{}"), await door.ask("/fhir/Ward"), await door.say(b"")]:
            assert refusal.headers["content-type"] == "application/fhir+json"
            assert fhir_r4_models.faults(refusal.json()) == []


async def test_an_acknowledgement_can_be_read_by_a_hub() -> None:
    """Two hubs are each other's partner: what one answers, the other reads."""
    async with fhir_door() as door:
        answer = await (await ready(door)).say(opened())

        read = door.world.translator.read("application/fhir+json", answer.content, partner="")

        assert read.message["acknowledgement"]["delivery_id"] == "m-1"
        assert read.message["acknowledgement"]["code"] == "APPLIED"


async def test_an_answer_to_a_delivery_is_an_acknowledgement() -> None:
    """caf-acknowledgement through this door is the receiver's own word on a delivery."""
    async with fhir_door() as door:
        await door.world.shared()
        delivery = next(
            one for one in door.world.deliveries(partner="EHM-A") if one.sequence is not None
        )
        case = CASES / "answer/cases/read-acknowledged/wire.json"
        raw = orjson.loads(case.read_bytes()) | {"id": "b-ack"}
        said = raw["entry"][0]["resource"]["response"]
        said["identifier"] = delivery.delivery_id

        answer = await door.say(orjson.dumps(raw), "EHM-A")

        assert response(answer)["code"] == "ok", answer.text


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("async=true", 400, "E_REQUIRED"),
        ("async=maybe", 400, "E_CODELIST"),
        (f"response-url={LATER}", 400, "E_RULE"),
        ("async=true&response-url=https://cms.sch-a.example/fhir/answers/", 403, "E_FORBIDDEN"),
        ("async=true&response-url=https://cms.sch-a.example/fhir", 403, "E_FORBIDDEN"),
        ("async=true&response-url=http://cms.sch-a.example/fhir/answers", 403, "E_FORBIDDEN"),
        ("async=true&response-url=https://CMS.sch-a.example/fhir/answers", 403, "E_FORBIDDEN"),
        ("async=true&response-url=http://169.254.169.254/", 403, "E_FORBIDDEN"),
        ("async=true&response-url=file:///etc/passwd", 403, "E_FORBIDDEN"),
        ("async=true&response-url=", 400, "E_LENGTH"),
        ("async=true&async=true", 400, "E_DUPLICATE_KEY"),
        ("asynch=true", 400, "E_UNKNOWN_FIELD"),
    ],
)
async def test_answers_go_nowhere_but_where_the_profile_says(
    query: str, status: int, code: str
) -> None:
    """An address in the request is compared with the profile to the letter; nothing is taken."""
    async with fhir_door() as door:
        await ready(door)
        answer = await door.say(opened(), path=f"{PROCESS}?{query}")

        assert (answer.status_code, codes(answer)) == (status, [code])
        assert door.courier.carried == []
        assert kept(door) == 0


async def test_who_does_not_wait_is_answered_later() -> None:
    """202 without a word, and the same acknowledgement at the sender's own address."""
    async with fhir_door() as door:
        await ready(door)
        answer = await door.say(opened(), path=f"{PROCESS}?async=true&response-url={LATER}")
        now = await door.say(opened())

        assert (answer.status_code, answer.content) == (202, b"")
        assert door.courier.carried == [("SCH-A", LATER, now.content)]


async def test_who_may_not_send_is_told_so() -> None:
    """Operations and accreditation are those of every other door."""
    reads = replace(partner("HOU-A", "HOUS"), operations=frozenset({"read"}))
    async with fhir_door(changed=[reads]) as door:
        answer = await door.say(opened(), "HOU-A")
        assert response(answer)["code"] == "fatal-error"
        assert codes(answer) == ["E_FORBIDDEN"]

        school = door.world.partners["SCH-A"]
        door.world.partners["SCH-A"] = replace(school, stage=Stage.TEST)
        tested = await door.say(opened())
        assert (tested.status_code, codes(tested)) == (403, ["E_ORG_NOT_ACCREDITED"])

        nobody = await door.client.post(PROCESS, content=opened())
        assert (nobody.status_code, codes(nobody)) == (401, ["E_UNAUTHENTICATED"])
        assert nobody.headers["www-authenticate"] == "Bearer"


async def test_nothing_of_what_was_sent_comes_back() -> None:
    """An answer names places and codes; of the message it repeats the id alone."""
    async with fhir_door() as door:
        raw = opened(changes={"subjects": [{**b.subject(), "family_name": "Zq7-Kestrel"}]})
        for wrong in (raw, raw.replace(b'"official"', b'"Zq7-Kestrel"')):
            answer = await door.say(wrong)
            assert "Kestrel" not in answer.text
            assert "example-mis" not in answer.text
