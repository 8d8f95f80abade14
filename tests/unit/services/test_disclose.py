"""Sharing without consent (N13): what makes it one, what it shows, and who never hears of it."""

import asyncio
import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.exchange import Decision, State
from hub.errors import Code, Conflict, Forbidden, InvalidContent, Rejected, Unavailable, Withheld
from hub.services import disclose as module
from hub.services.disclose import check_referral
from hub.services.statutory import PREFIX
from tests import builders as b
from tests.unit.services.world import START, Tree, World, includes, part, subject
from tests.unit.services.world import held as recorded


def lead(**changes: Any) -> Tree:
    """Return the lead professional's decision to tell children's social care."""
    who = b.practitioner("p-lead")
    return b.disclosure(**{"exception_id": "x2", "decided_by": who, **changes})


def asked(**changes: Any) -> Tree:
    """Return social care's request for sections."""
    who = b.practitioner("p-sw", organisation="CSC-A", name="Mr Care")
    return b.disclosure(**{"exception_id": "x9", "kind": "REQUEST", "decided_by": who, **changes})


def own() -> Tree:
    """Return what the school itself knows, more than it names."""
    return part(
        subjects=[b.subject()],
        parents_carers=[b.mother()],
        conclusions={"conclusions": "Private to the school."},
    )


async def take_all_back(world: World) -> None:
    """Withdraw all sharing."""
    withdrawal = world.decision(
        state="WITHDRAWN", share_decision="no", withdrawal_type="SHARE_ALL", scope_includes=[]
    )
    await world.decide("EHM-A", withdrawal)


async def withdrawn() -> World:
    """Return a world where the family shares nothing any more."""
    world = await World().planned()
    await take_all_back(world)
    world.inbox.clear()
    return world


async def test_it_goes_where_the_family_shares_nothing() -> None:
    """The school tells social care and nobody else hears of it; the episode stays paused."""
    world = await withdrawn()
    before = world.head

    receipt = await world.disclose("SCH-A", b.disclosure(), episode=own())

    assert receipt.status == 202
    assert receipt.body["exception_id"] == "x1"
    got = world.last("CSC-A")
    assert world.take() == {"CSC-A": ["N13"]}
    assert got.message["disclosure"] == {**b.disclosure(), "decided_at": "2026-09-01T08:55:00Z"}
    shown = got.episode
    assert shown["subjects"][0]["given_names"] == ["Ava", "Rose"]
    assert shown["parents_carers"][0]["name"] == "Mia Example"
    assert {one["element"] for one in shown["subjects"][0]["elements"]} == {"1.1", "1.2"}
    assert "Private" not in got.text
    assert shown.keys() == {"episode_id", "subjects", "parents_carers"}
    assert world.head == replace(before, facts={**before.facts, "statutory": ["CSC-A/CSC"]})
    assert world.head.process == "PAUSED"


async def test_it_leaves_no_trace_that_others_can_ask_for() -> None:
    """Deliveries, versions, counts, involvements, audit and views of the episode are as before."""
    world = await World().planned()

    async def observable() -> Any:
        def look(session: Any) -> Any:
            head = session.episode("e1")
            return (
                session.deliveries("e1"), session.involvements("e1"), session.decisions("e1"),
                session.audit("e1"), session.version("e1", head.version), head.changed_at,
                head.consent_version, [session.last_released("e1", s) for s in b.SERVICES],
            )  # fmt: skip

        return await world.store.run(look)

    before = await observable()
    sequences = dict(world.store._tables.sequences)
    await world.disclose("SCH-A", b.disclosure(), episode=own())
    await world.disclose("EHM-A", lead(disclosed_to="POL-A/POLN"))

    assert await observable() == before
    after = world.store._tables.sequences
    assert {k: v for k, v in after.items() if not k[1].startswith(PREFIX)} == sequences
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L2"}))
    numbers = [got.message["message"]["episode_seq"] for got in world.inbox if got.type == "N6"]
    twin = await World().planned()
    await twin.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L2"}))
    assert numbers == [g.message["message"]["episode_seq"] for g in twin.inbox if g.type == "N6"]


@pytest.mark.parametrize(
    "name",
    ["basis", "decided_by", "why_no_consent", "disclosed_to", "disclosed_sections",
     "family_informed", "concern_summary", "decided_at", "exception_id", "kind"],
)  # fmt: skip
async def test_what_is_missing_is_refused_with_its_place(name: str) -> None:
    """Each part of the decision is needed; nothing is kept and nothing goes."""
    world = await World().planned()
    record = b.disclosure()
    del record[name]

    with pytest.raises(InvalidContent) as refused:
        await world.disclose("SCH-A", record, episode=own())

    assert [(f.code, f.path) for f in refused.value.faults] == [
        (Code.REQUIRED, f"/disclosure/{name}")
    ]
    assert world.take() == {}
    assert not world.deliveries(message_type="N13")


@pytest.mark.parametrize(
    ("changes", "code", "place"),
    [
        ({"disclosed_sections": []}, Code.REQUIRED, "disclosed_sections"),
        ({"subject_ids": []}, Code.REQUIRED, "subject_ids"),
        ({"basis": "COURT"}, Code.REQUIRED, "basis_reference"),
        ({"basis": "STATUTE"}, Code.REQUIRED, "basis_reference"),
        ({"disclosed_sections": ["sec.checklist"]}, Code.RULE, "disclosed_sections/0"),
        ({"disclosed_sections": ["sec.consent"]}, Code.RULE, "disclosed_sections/0"),
        ({"basis": "WORRIED"}, Code.CODELIST, "basis"),
        ({"family_informed": "PERHAPS"}, Code.CODELIST, "family_informed"),
        ({"disclosed_to": "HOU-A/HOUS"}, Code.RULE, "disclosed_to"),
        ({"disclosed_to": "HV-A/HV", "basis": "VITAL"}, Code.RULE, "disclosed_to"),
        ({"disclosed_to": "CSC-Z/CSC"}, Code.REFERENCE, "disclosed_to"),
        ({"decided_by": b.practitioner("p-lead")}, Code.NOT_OWNER, "decided_by/organisation"),
        ({"decided_at": "2026-09-03T09:00:00Z"}, Code.RULE, "decided_at"),
    ],
)
async def test_what_is_unlawful_is_refused_with_its_place(
    changes: Tree, code: Code, place: str
) -> None:
    """A basis names who may receive; an exception is no referral to just any service."""
    world = await World().planned()

    with pytest.raises(InvalidContent) as refused:
        await world.disclose("SCH-A", b.disclosure(**changes), episode=own())

    assert (code, f"/disclosure/{place}") in [(f.code, f.path) for f in refused.value.faults]
    assert world.take() == {}


async def test_as_a_court_ordered() -> None:
    """An order names its own recipient; without the order itself it is refused."""
    world = await World().planned()
    record = b.disclosure(
        basis="COURT", basis_reference="LV26C00001", disclosed_to="HV-A/HV",
        disclosed_sections=["sec.child.health"],
    )  # fmt: skip

    await world.disclose("SCH-A", record, episode=own())

    assert world.take() == {"HV-A": ["N13"]}


async def test_accreditation_holds_for_both_ends() -> None:
    """An exception bypasses consent only: neither a lapsed sender nor a lapsed recipient."""
    world = await World().planned()
    lapsed = replace(world.partners["CSC-A"], accredited_until=date(2026, 8, 31))
    world.registry.partners["CSC-A"] = lapsed  # type: ignore[index]
    world.registry._by_service["CSC-A/CSC"] = lapsed  # type: ignore[index]

    with pytest.raises(InvalidContent) as refused:
        await world.disclose("SCH-A", b.disclosure(), episode=own())
    assert refused.value.code is Code.ORG_NOT_ACCREDITED

    world.partners["SCH-A"] = replace(world.partners["SCH-A"], accredited_until=date(2026, 8, 31))
    with pytest.raises(Forbidden) as stopped:
        await world.disclose("SCH-A", b.disclosure(disclosed_to="POL-A/POLN"), episode=own())
    assert stopped.value.code is Code.ORG_NOT_ACCREDITED


async def test_accreditation_is_asked_again_at_the_moment_of_sending() -> None:
    """A recipient that lapses while the disclosure waits gets nothing."""
    world = await World().planned()
    world.doubles["CSC-A"].faults.append(Unavailable(Code.UNAVAILABLE, "down"))
    await world.disclose("SCH-A", b.disclosure(), episode=own())
    (waiting,) = world.deliveries(message_type="N13")
    assert waiting.state is State.PENDING
    lapsed = replace(world.partners["CSC-A"], accredited_until=date(2026, 8, 31))
    world.registry.partners["CSC-A"] = lapsed  # type: ignore[index]

    world.clock.move(timedelta(hours=1))
    await world.drain()

    (ended,) = world.deliveries(message_type="N13")
    assert (ended.state, ended.reason) == (State.SUPPRESSED, "E_ORG_NOT_ACCREDITED")
    assert world.take() == {}


async def test_a_request_reaches_the_lead_professionals_system_alone() -> None:
    """Social care asks; the lead answers with the named sections from the hub's record."""
    world = await withdrawn()

    answer = await world.disclose("CSC-A", asked())

    request = world.last("EHM-A")
    assert world.take() == {"EHM-A": ["N13"]}
    assert request.message["disclosure"]["kind"] == "REQUEST"
    assert request.message["disclosure"]["disclosed_to"] == "CSC-A/CSC"
    assert request.episode == {"episode_id": "e1"}

    sections = ["sec.child.health"]
    await world.disclose("EHM-A", lead(request_id="x9", disclosed_sections=sections))

    got = world.last("CSC-A")
    assert world.take() == {"CSC-A": ["N13"]}
    assert got.message["disclosure"]["request_id"] == "x9"
    assert got.episode.keys() == {"episode_id", "subjects"}
    assert got.episode["subjects"][0].keys() == {"subject_id", "elements"}
    assert answer.body.keys() == {"message_id", "status", "exception_id"}


async def test_a_request_for_an_unknown_episode_is_answered_alike() -> None:
    """Who asks learns nothing about whether there is an episode."""
    world = await World().planned()

    known = await world.disclose("CSC-A", asked())
    unknown = await world.disclose("CSC-A", asked(episode_id="e-none"))

    assert known.status == unknown.status
    assert known.body.keys() == unknown.body.keys()
    assert world.take() == {"EHM-A": ["N13"]}


@pytest.mark.parametrize("changes", [{}, {"disclosed_to": "HOU-A/HOUS"}])
async def test_only_who_has_the_duty_asks(changes: Tree) -> None:
    """Housing cannot ask for sections, for itself or in social care's name."""
    world = await World().planned()
    who = b.practitioner("p-house")

    with pytest.raises(InvalidContent) as refused:
        await world.disclose("HOU-A", asked(decided_by=who, **changes))

    assert "/disclosure/disclosed_to" in [f.path for f in refused.value.faults]
    assert world.take() == {}


async def test_nobody_discloses_the_hubs_record_of_others() -> None:
    """A team member, a stranger, and an episode that is not there get the same refusal."""
    world = await World().planned()
    found = []
    for who, changes in (
        ("HV-A", {"decided_by": b.practitioner("p-visit")}),
        ("CSC-A", {"decided_by": b.practitioner("p-sw", organisation="CSC-A")}),
        ("SCH-A", {"episode_id": "e-none"}),
    ):
        with pytest.raises(InvalidContent) as refused:
            await world.disclose(who, b.disclosure(disclosed_to="POL-A/POLN", **changes))
        found.append((refused.value.code, str(refused.value), tuple(refused.value.faults)))

    assert len(set(found)) == 1
    assert found[0][2][0].path == "/episode"
    assert world.take() == {}


async def test_only_the_named_children() -> None:
    """A sibling who is not named stays out, whatever the sender brought."""
    world = await World().planned()
    sibling = b.subject(subject_id="s2", given_names=["Ben"], identifiers=[])
    both = part(subjects=[b.subject(), sibling])

    await world.disclose("SCH-A", b.disclosure(), episode=both)

    got = world.last("CSC-A")
    assert [one["subject_id"] for one in got.episode["subjects"]] == ["s1"]
    assert "Ben" not in got.text


async def test_a_named_section_with_nothing_in_it_is_said_to_the_sender() -> None:
    """The disclosure goes all the same; the receipt warns."""
    world = await World().planned()

    receipt = await world.disclose(
        "SCH-A", b.disclosure(), episode=part(subjects=subject(given_names=["Ava"]))
    )

    assert world.take() == {"CSC-A": ["N13"]}
    places = [warning["path"] for warning in receipt.body["warnings"]]
    assert places == ["/disclosure/disclosed_sections/1", "/disclosure/disclosed_sections/2"]


@pytest.mark.parametrize("level", ["whereabouts", "full"])
async def test_a_shielded_family_is_no_secret_from_the_duty(level: str) -> None:
    """Social care is told of a shielded child; where the record's shielded people are stays out,
    and what the sender itself says goes as it said it.
    """
    world = await World().planned()
    version = world.store._tables.versions["e1", world.head.version]
    version.tree["subjects"][0]["shielding"] = level

    await world.disclose("EHM-A", lead(disclosed_sections=["sec.identity", "sec.family"]))
    got = world.last("CSC-A")
    await world.disclose("SCH-A", b.disclosure(), episode=own())

    assert got.episode["subjects"][0]["given_names"] == ["Ava", "Rose"]
    assert "ZZ99 3AA" not in got.text
    assert "Example Terrace" not in got.text
    assert "Example Terrace" in world.last("CSC-A").text


# Consent that cannot be read


class Broken(dict[str, Any]):
    """A record that fails as soon as anybody looks into it."""

    def get(self, *_args: Any) -> Any:
        raise RuntimeError("cannot be opened")

    __getitem__ = keys = get


def records(**changes: Any) -> list[Decision]:
    return recorded([b.decision(**changes)])


FAULTS: dict[str, Any] = {
    "exception": RuntimeError("the register is gone"),
    "timeout": TimeoutError(),
    "empty": [],
    "corrupt": [replace(records()[0], record=Broken())],
    "nonsense": [replace(records()[0], record={"state": ["what"]})],
    "unknown code": records(state="MAYBE"),
    "future version": [replace(records()[0], record={**b.decision(), "revision_9": True})],
}


def break_consent(world: World, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every read of decisions fail that way."""

    def decisions(_session: Any, _episode_id: str) -> Any:
        if isinstance(fault, Exception):
            raise fault
        return tuple(fault)

    monkeypatch.setattr("adapters.memory.MemorySession.decisions", decisions)


@pytest.mark.parametrize("name", FAULTS)
async def test_it_goes_marked_when_consent_cannot_be_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ails the decisions: it goes, and says that nobody could verify them."""
    world = await World().planned()
    break_consent(world, FAULTS[name], monkeypatch)

    await world.disclose("SCH-A", b.disclosure(), episode=own())
    await world.disclose("EHM-A", lead())

    marks = [got.message["disclosure"].get("consent_unverified") for got in world.inbox]
    assert marks == [True, True]
    assert [row.facts["consent_unverified"] for row in world.audit("disclosure.recorded")] == [
        True,
        True,
    ]


async def test_nothing_else_goes_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Content that waits stays behind while a disclosure passes it."""
    world = await World().planned()
    raw = b.wire({"event": "assessment.updated", "episode": part(conclusions={"need_level": "L2"})})
    await world.post("SCH-A", raw)
    break_consent(world, FAULTS["exception"], monkeypatch)

    await world.disclose("SCH-A", b.disclosure(), episode=own())

    assert world.take() == {"CSC-A": ["N13"]}
    assert {one.state for one in world.deliveries(message_type="N6")} == {State.QUARANTINED}


async def test_it_waits_no_longer_than_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A register that never answers holds it up for moments, not for good."""
    world = await World().planned()
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    run, first = world.store.run, [True]

    async def slow(unit: Any, *rest: Any) -> Any:
        if first.pop() if first else False:
            await asyncio.sleep(60)
        return await run(unit, *rest)

    monkeypatch.setattr(world.store, "run", slow)

    await world.disclose("SCH-A", b.disclosure(), episode=own())

    assert world.last("CSC-A").message["disclosure"]["consent_unverified"] is True


async def test_a_sender_cannot_set_the_mark() -> None:
    """Whether consent was verified is the hub's to say."""
    world = await World().planned()

    await world.disclose("SCH-A", b.disclosure(consent_unverified=True), episode=own())

    assert "consent_unverified" not in world.last("CSC-A").message["disclosure"]


# A child in need


async def test_a_child_in_need_is_told_with_agreement_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """s17 is no override: no decision, too few sections, and decisions that cannot be read."""
    world = await World().planned()
    record = lead(basis="S17_AGREED", disclosed_sections=["sec.child.health"])

    with pytest.raises(Withheld) as none:
        await world.disclose("EHM-A", record)
    assert none.value.code is Code.CONSENT_NONE
    scope = [*includes(), {"service": "CSC-A/CSC", "section": "sec.identity"}]
    await world.decide("EHM-A", world.decision(scope_includes=scope))
    world.inbox.clear()
    with pytest.raises(Withheld) as few:
        await world.disclose("EHM-A", record)
    assert few.value.code is Code.CONSENT_SCOPE

    scope.append({"service": "CSC-A/CSC", "section": "sec.child.health", "sensitive": True})
    await world.decide("EHM-A", world.decision(scope_includes=scope))
    world.inbox.clear()
    await world.disclose("EHM-A", record)
    assert world.take() == {"CSC-A": ["N13"]}

    break_consent(world, FAULTS["exception"], monkeypatch)
    with pytest.raises(Withheld):
        await world.disclose("EHM-A", record)
    assert world.take() == {}


async def test_agreement_is_asked_again_at_the_moment_of_sending() -> None:
    """What the family takes back while a referral under s17 waits does not go."""
    world = await World().planned()
    scope = [
        *includes(),
        {"service": "CSC-A/CSC", "section": "sec.child.health", "sensitive": True},
    ]
    await world.decide("EHM-A", world.decision(scope_includes=scope))
    world.inbox.clear()
    world.doubles["CSC-A"].faults.append(Unavailable(Code.UNAVAILABLE, "down"))
    await world.disclose("EHM-A", lead(basis="S17_AGREED", disclosed_sections=["sec.child.health"]))
    await take_all_back(world)
    world.clock.move(timedelta(hours=1))
    await world.drain()

    assert "N13" not in world.take().get("CSC-A", [])
    assert world.states("N13")["CSC-A"] == ["suppressed"]


# Steps


async def test_a_referral_is_a_disclosure_to_social_care() -> None:
    """T28 alone is refused; with its disclosure it changes no state."""
    world = await World().planned()
    with pytest.raises(InvalidContent) as refused:
        check_referral({"event": "social_care.referred", "episode": {"episode_id": "e1"}})
    assert refused.value.faults[0].path == "/disclosure"

    await world.disclose("SCH-A", b.disclosure(), event="social_care.referred", episode=own())
    assert world.head.process == "PLAN_ACTIVE"
    with pytest.raises(InvalidContent):
        await world.disclose(
            "SCH-A", b.disclosure(disclosed_to="POL-A/POLN"), event="social_care.referred"
        )
    with pytest.raises(InvalidContent):
        await world.disclose("SCH-A", b.disclosure(), event="episode.closed", episode=own())


async def test_the_same_twice_goes_once() -> None:
    """Same key, same bytes: the same answer and one delivery."""
    world = await World().planned()

    first = await world.disclose("SCH-A", b.disclosure(), key="k", episode=own())
    again = await world.disclose("SCH-A", b.disclosure(), key="k", episode=own())

    assert first.body == again.body
    assert len(world.deliveries(message_type="N13")) == 1


async def test_it_overtakes_everything() -> None:
    """A statutory disclosure is the first class of all."""
    world = await World().planned()

    await world.disclose("SCH-A", b.disclosure(), episode=own())

    (delivery,) = world.deliveries(message_type="N13")
    assert delivery.priority == 0
    assert delivery.episode_id.startswith(PREFIX)
    assert delivery.created_at == START
    assert json.loads(json.dumps(delivery.facts))["disclosure"]["basis"] == "S47"


# The review of the same day


def alerts(world: World) -> list[Any]:
    """Return every alert, oldest first."""
    return list(world.store._tables.alerts.values())


async def test_it_is_on_the_review_list_the_same_day() -> None:
    """One entry each for who discloses and who asks: codes, never content, never the episode's."""
    world = await World().planned()

    await world.disclose("SCH-A", b.disclosure(), episode=own())
    await world.disclose("CSC-A", asked())

    told, request = alerts(world)
    assert (told.kind, told.audience) == ("disclosure.review", "data-protection:001")
    assert told.due_at.date() == told.at.date()
    assert told.episode_id.startswith(PREFIX)
    assert told.service == "CSC-A/CSC"
    assert told.facts["sections"] == b.disclosure()["disclosed_sections"]
    assert told.facts["consent"] == ["STORE_ONLY"]
    assert request.facts["kind"] == "REQUEST"
    assert request.service == "EHM-A/FSW"
    every = json.dumps([told.facts, request.facts])
    for word in ("burn", "Ava", "Safe", "risk", "ZZ99"):
        assert word not in every


async def test_one_that_does_not_arrive_is_said_aloud() -> None:
    """A receiver that refuses it for good: an alert, because somebody must ring."""
    world = await World().planned()
    world.doubles["CSC-A"].faults.append(Rejected(Code.MAPPING, "no"))

    await world.disclose("SCH-A", b.disclosure(), episode=own())

    _, lost = alerts(world)
    assert (lost.kind, lost.facts["state"]) == ("disclosure.undelivered", "quarantined")


async def test_what_is_said_of_a_parent_goes_without_the_section_that_names_them() -> None:
    """A named section about parenting goes, though the family's own section stays out."""
    world = await World().planned()

    await world.disclose("EHM-A", lead(disclosed_sections=["sec.parenting"]))

    got = world.last("CSC-A").episode
    assert {one["element"] for one in got["subjects"][0]["elements"]} == {"2.1", "2.2", "2.3"}
    assert got.keys() == {"episode_id", "subjects"}


# What social care decides


async def told_by_law() -> World:
    """Return a world where social care was told of Ava by law."""
    world = await withdrawn()
    await world.disclose("SCH-A", b.disclosure(), episode=own())
    world.inbox.clear()
    return world


async def test_social_cares_decision_closes_stepped_up() -> None:
    """Who keeps the record is told why; the index and the team, nothing of why."""
    world = await told_by_law()

    receipt = await world.send(
        "CSC-A", "social_care.decision", event_detail={"decision": "CP"}, episode=part()
    )

    assert receipt.status == 202
    assert world.head.process == "CLOSED"
    assert world.head.facts["closure_reason"] == "STEPPED_UP"
    kept = world.last("EHM-A")
    assert kept.type == "N2"
    assert kept.episode["closure"]["closure_reason"] == "STEPPED_UP"
    assert "STEPPED_UP" not in world.last("IDX").text
    assert world.take() == {"EHM-A": ["N2"], "IDX": ["N2"]}


async def test_the_decision_is_only_for_social_care_that_was_told() -> None:
    """Anybody else is a stranger; so is social care for every other step, and for its content."""
    world = await World().planned()
    detail = {"decision": "CP"}
    with pytest.raises(Withheld):
        await world.send("CSC-A", "social_care.decision", event_detail=detail, episode=part())

    world = await told_by_law()
    with pytest.raises(Withheld):
        await world.send("CSC-A", "assessment.updated", episode=part())
    with pytest.raises(Conflict) as foreign:
        await world.send(
            "CSC-A", "social_care.decision", event_detail=detail,
            episode=part(conclusions={"need_level": "L4"}),
        )  # fmt: skip
    assert foreign.value.code is Code.NOT_OWNER
    with pytest.raises(Conflict) as undecided:
        await world.send("CSC-A", "social_care.decision", episode=part())
    assert undecided.value.code is Code.STATE
    assert world.head.process == "PAUSED"


# A stand-alone referral


@pytest.mark.parametrize(
    ("who", "until", "refusal"),
    [("EHM-A", "teamed", Code.STATE), ("CAMHS-A", "planned", Code.CONSENT_NONE)],
)
async def test_a_request_for_services_lives_inside_a_plan(
    who: str, until: str, refusal: Code
) -> None:
    """Before a plan is agreed, and from who has no episode, no service can be asked (T34)."""
    world = await getattr(World(), until)()
    world.inbox.clear()
    request = {
        "id": "r9", "requested_service": "HOU-A/HOUS", "requested_at": "2026-09-01T09:00:00Z",
        "response": "SENT",
    }  # fmt: skip

    with pytest.raises((Conflict, Withheld)) as refused:
        await world.send(
            who, "service.requested", event_detail={"service": "HOU-A/HOUS", "request_id": "r9"},
            episode=part(plan={"plan_id": "plan1", "service_request": [request]}),
        )  # fmt: skip

    assert refused.value.code is refusal
    assert world.take() == {}
