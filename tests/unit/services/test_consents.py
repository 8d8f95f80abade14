"""Consent as it is recorded: what it starts, what it stops, and whom it tells."""

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest

from hub.domain.exchange import State
from hub.errors import (
    Code,
    Conflict,
    Forbidden,
    HubError,
    InvalidContent,
    Missing,
    Unavailable,
    Withheld,
)
from tests import builders as b
from tests.unit.services.world import (
    CANONICAL,
    PURPOSES,
    World,
    completion,
    includes,
    opening,
    part,
    subject,
)

NHS = [{"system": "nhs-number", "value": "9990000018"}]


@pytest.fixture
def world() -> World:
    """The services, with nothing in them."""
    return World()


def down(code: Code = Code.UNAVAILABLE) -> Unavailable:
    """Return what a destination raises that does not answer."""
    return Unavailable(code, "down")


def everything(world: World) -> str:
    """Return all that the store holds, as text."""
    tables = world.store._tables
    return repr([getattr(tables, name) for name in vars(tables)])


async def narrow(world: World, who: str = "EHM-A", **changes: Any) -> Any:
    """Take sec.parenting from the school."""
    record = world.decision(
        **{
            "state": "NARROWED",
            "scope_includes": includes("SCH-A/SCH"),
            "scope_excludes": [{"service": "SCH-A/SCH", "section": "sec.parenting"}],
            **changes,
        }
    )
    return await world.decide(who, record)


# Storing, and refusing


async def test_storing_comes_before_opening(world: World) -> None:
    """Without a decision to store, nothing is kept but the key and a keyed digest."""
    with pytest.raises(Withheld) as refused:
        await world.send("SCH-A", "episode.opened", episode=opening(), key="k-open")

    assert refused.value.code is Code.CONSENT_NONE
    kept = world.store._tables.inbox["SCH-A", "k-open"]
    assert (kept.raw, kept.episode_id, kept.version) == (None, None, None)
    assert not world.store._tables.heads
    for trace in ("Ava", "Example", "9990000018", "W001900120001", "2016-05-14", "'e1'"):
        assert trace not in everything(world), trace


async def test_a_refusal_leaves_no_trace(world: World) -> None:
    """S3: neither the child nor the refusal is anywhere; only the asker's own audit line."""
    receipt = await world.decide(
        "SCH-A",
        world.decision(
            state="REFUSED", store_decision="no", share_decision="no", scope_includes=[]
        ),
    )

    assert receipt.status == 200
    assert receipt.body["status"] == "noted"
    for trace in ("s1", "c1", "Ava", "9990000018", "REFUSED", "e1"):
        assert f"'{trace}'" not in everything(world), trace
    assert [(row.kind, row.actor) for row in world.store._tables.audit.values()] == [
        ("consent.declined", "SCH-A")
    ]
    assert await world.check("HV-A", identifiers=NHS, date_of_birth="2016-05-14") == {
        "result": "NONE"
    }


async def test_the_same_refusal_again_is_answered_the_same(world: World) -> None:
    """One key, one answer, still no trace; other content under it is refused."""
    record = world.decision(
        state="REFUSED", store_decision="no", share_decision="no", scope_includes=[]
    )
    first = await world.decide("SCH-A", record, key="k")
    second = await world.decide("SCH-A", record, key="k")

    assert first.body == second.body
    with pytest.raises(Conflict) as other:
        await world.decide("SCH-A", {**record, "evidence_ref": "form-9"}, key="k")
    assert other.value.code is Code.IDEMPOTENCY


async def test_an_unlawful_decision_is_refused_with_its_faults(world: World) -> None:
    """A carer without parental responsibility cannot give consent for the child."""
    with pytest.raises(InvalidContent) as refused:
        await world.decide("SCH-A", world.decision(given_by_basis="CARER_NO_PR"))

    assert refused.value.code is Code.CONSENT_GIVER
    assert not world.store._tables.heads


async def test_a_decision_that_names_another_episode_is_refused(world: World) -> None:
    """The path and the record must agree."""
    await world.opened()
    record = world.decision(episode_id="e2")

    with pytest.raises(InvalidContent) as refused:
        await world.store.run(lambda s: world.recorder.record(s, _incoming(world), "e1", record))
    assert refused.value.code is Code.REFERENCE


def _incoming(world: World) -> Any:
    from hub.services.accept import Incoming

    return Incoming(world.partners["SCH-A"], "x", b"", "k", "m", world.clock.now())


# Who may record


@pytest.mark.parametrize("who", ["HV-A", "HOU-A"])
async def test_a_participant_cannot_record_consent(world: World, who: str) -> None:
    """Consent comes from the assessor's or the lead's system, or a register."""
    await world.planned()

    with pytest.raises(Forbidden):
        await narrow(world, who)
    assert world.take() == {}


@pytest.mark.parametrize("state", ["lawful", "refused", "withdrawn", "unlawful"])
async def test_a_stranger_cannot_tell_an_episode_from_none(world: World, state: str) -> None:
    """The same answer in status, code and text, for every decision that changes nothing."""
    records = {
        "lawful": world.decision(),
        "refused": world.decision(
            state="REFUSED", store_decision="no", share_decision="no", scope_includes=[]
        ),
        "withdrawn": world.decision(
            state="WITHDRAWN", withdrawal_type="SHARE_ALL", share_decision="no", scope_includes=[]
        ),
        "unlawful": world.decision(given_by_basis="CARER_NO_PR"),
    }
    await world.planned()
    answers: list[tuple[Any, ...]] = []
    for episode in ("e1", "e-none"):
        record = {**records[state], "episode_id": episode}
        if state == "lawful" and episode == "e-none":
            continue
        try:
            receipt = await world.decide("VCS-N", record)
            body = {k: v for k, v in receipt.body.items() if k != "message_id"}
            answers.append((receipt.status, json.dumps(body)))
        except HubError as fault:
            answers.append((type(fault), fault.code, fault.detail))
    assert len(set(answers)) == 1
    if state == "lawful":
        # It cannot open an episode of that name; what it hears is what every stranger hears.
        assert answers[0][:2] == (Missing, Code.NO_RELATIONSHIP)


async def test_a_stranger_cannot_look_either(world: World) -> None:
    """Receiving, reading consents and viewing answer alike for an episode and for none."""
    await world.planned()
    told: dict[str, set[Any]] = {}

    async def attempt(name: str, call: Any) -> None:
        try:
            await call
        except HubError as fault:
            told.setdefault(name, set()).add((type(fault), fault.code, fault.detail))
        else:
            told.setdefault(name, set()).add("answered")

    stranger = world.partners["VCS-N"]
    for episode in ("e1", "e-none"):
        for event in (None, "episode.opened", "assessment.updated"):
            tree = {**part(conclusions={"need_level": "L4"}), "episode_id": episode}
            await attempt(f"send {event}", world.send("VCS-N", event, episode=tree))
        await attempt("consents", world.lookup.consents(stranger, episode))
        for service in ("VCS-N/YOUTH", "SCH-A/SCH"):
            await attempt(
                f"view {service}",
                world.viewer.view(stranger, service, episode, "PLAN", CANONICAL),
            )
    assert {name: len(answers) for name, answers in told.items()} == dict.fromkeys(told, 1)
    assert "answered" not in set.union(*told.values())


async def test_who_is_not_accredited_hears_that_first(world: World) -> None:
    """Whether there is an episode or not."""
    await world.planned()
    world.clock.move(timedelta(days=4000))

    for episode in ("e1", "e-none"):
        with pytest.raises(Withheld) as refused:
            await world.viewer.view(world.partners["HV-A"], "HV-A/HV", episode, "PLAN", CANONICAL)
        assert refused.value.code is Code.ORG_NOT_ACCREDITED


# Narrowing


async def test_narrowing_recalls_from_who_lost_and_nobody_else(world: World) -> None:
    """T19: N10 to the school alone, with the scope that is left, and no reason."""
    await world.planned()
    receipt = await narrow(world)

    recall = world.last("SCH-A").facts
    assert world.take() == {"SCH-A": ["N10"]}
    assert recall == {
        "code": "N10",
        "subject_id": "s1",
        "stop": False,
        "copies": "LOCK",
        "scope": [s for s in recall["scope"] if s != "sec.parenting"],
    }
    assert "sec.child.health" in recall["scope"]
    assert (receipt.status, receipt.body["in_flight"]) == (201, [])


async def test_who_never_received_is_not_told_of_a_narrowing(world: World) -> None:
    """Before anything was shared there is nothing to recall."""
    await world.opened()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    world.take()
    await narrow(
        world,
        "SCH-A",
        scope_includes=includes("HV-A/HV"),
        scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
    )

    assert world.take() == {}


async def test_what_waits_to_be_fetched_was_not_received(world: World) -> None:
    """A partner that was only told that something waits holds nothing; fetching, it gets less."""
    partners = [_pulling(one) if one.name == "HV-A" else one for one in world.partners.values()]
    world = World(partners=partners)
    await world.shared()
    offered = world.deliveries(partner="HV-A", message_type="N7")[0]
    assert offered.state is State.HANDED_OVER
    await narrow(
        world,
        "SCH-A",
        scope_includes=includes("HV-A/HV"),
        scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
    )

    assert not world.deliveries(message_type="N10")
    partner = world.partners["HV-A"]
    with pytest.raises(Missing):
        await world.collector.fetch(partner, offered.delivery_id)
    await world.drain()
    waiting = (await world.collector.inbox(partner, 0, 10))["deliveries"]
    body = (await world.collector.fetch(partner, waiting[0]["delivery_id"])).body
    assert b"Element 2.1" not in body
    assert b"Element 1.1" in body


def _pulling(partner: Any) -> Any:
    from dataclasses import replace

    from hub.domain.partner import Delivering

    return replace(partner, delivering=Delivering("pull", "thin"))


@pytest.mark.parametrize(
    ("code", "recalled"), [(Code.OUTCOME_UNKNOWN, True), (Code.UNAVAILABLE, False)]
)
async def test_what_may_have_arrived_is_recalled(world: World, code: Code, recalled: bool) -> None:
    """An attempt without an answer may have reached the school; one that was refused has not."""
    await world.opened()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    world.doubles["HV-A"].faults.append(down(code))
    await world.send("SCH-A", "assessment.completed", episode=completion())
    await narrow(
        world,
        "SCH-A",
        scope_includes=includes("HV-A/HV"),
        scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
    )

    assert bool(world.deliveries(message_type="N10")) is recalled


async def test_who_pulled_a_view_holds_a_copy(world: World) -> None:
    """A view counts as received: its copy is recalled as well."""
    await world.planned()
    wide = [{"service": "VCS-N/YOUTH", "section": "sec.parenting"}]
    world.doubles["VCS-N"].faults += [down(), down(), down()]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    await world.viewer.view(world.partners["VCS-N"], "VCS-N/YOUTH", "e1", "PLAN", CANONICAL)
    await world.decide(
        "EHM-A",
        world.decision(
            state="WITHDRAWN",
            withdrawal_type="SHARE_SERVICE",
            share_decision="no",
            scope_includes=[],
            scope_excludes=[{"service": "VCS-N/YOUTH", "section": "all"}],
        ),
    )

    assert [d.service for d in world.deliveries(message_type="N10")] == ["VCS-N/YOUTH"]


async def test_a_withdrawal_lists_what_is_on_the_wire(world: World) -> None:
    """A send that has begun is named in the answer, which is 202 then; the recall follows it."""
    await world.shared()
    withdrawn: list[Any] = []

    async def during(parcel: Any) -> None:
        world.doubles["HV-A"].during = None
        record = world.decision(
            state="WITHDRAWN",
            withdrawal_type="SHARE_ALL",
            share_decision="no",
            scope_includes=[],
        )
        withdrawn.append((parcel.delivery_id, await world.decide("SCH-A", record, drain=False)))

    world.doubles["HV-A"].during = during
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))

    ((delivery_id, receipt),) = withdrawn
    assert receipt.status == 202
    assert receipt.body["in_flight"] == [{"service": "HV-A/HV", "delivery_id": delivery_id}]
    assert world.last("HV-A").facts["stop"] is True
    assert world.head.process == "PAUSED"
    assert world.tree["status"] == "PAUSED"


async def test_after_a_withdrawal_no_content_starts(world: World) -> None:
    """What was queued, and what comes later, does not leave any more."""
    await world.shared()
    world.doubles["HV-A"].faults.append(down())
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))
    world.inbox.clear()
    await world.decide(
        "SCH-A",
        world.decision(
            state="WITHDRAWN",
            withdrawal_type="SHARE_ALL",
            share_decision="no",
            scope_includes=[],
        ),
    )
    for got in list(world.inbox):
        await world.collector.acknowledge(
            world.partners[got.partner], got.parcel.delivery_id, "COPIES_LOCKED"
        )
    world.clock.move(timedelta(days=1))
    await world.drain()
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))

    assert world.take() == {"EHM-A": ["N10"], "HV-A": ["N10"], "HOU-A": ["N10"]}


async def test_consent_given_again_sends_again(world: World) -> None:
    """T22: copies were locked, so the same content counts as new."""
    await world.shared()
    await world.decide(
        "SCH-A",
        world.decision(
            state="WITHDRAWN", withdrawal_type="SHARE_ALL", share_decision="no", scope_includes=[]
        ),
    )
    for got in [one for one in world.inbox if one.type == "N10"]:
        await world.collector.acknowledge(
            world.partners[got.partner], got.parcel.delivery_id, "COPIES_LOCKED"
        )
    world.take()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))

    assert world.head.process == "ASSESSED"
    assert world.take() == {"EHM-A": ["N7"], "HV-A": ["N7"], "HOU-A": ["N7"]}


async def test_content_waits_until_the_recall_is_acknowledged(world: World) -> None:
    """Later content of that lane waits, and so does a view; others go on, N2 passes."""
    await world.planned()
    await narrow(world)
    recall = world.last("SCH-A").parcel.delivery_id
    world.take()
    await world.send("EHM-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))
    assert world.take() == {"HV-A": ["N6"], "HOU-A": ["N6"]}
    school = world.partners["SCH-A"]
    with pytest.raises(Conflict) as waiting:
        await world.viewer.view(school, "SCH-A/SCH", "e1", "PLAN", CANONICAL)
    assert waiting.value.code is Code.STATE

    await narrow(
        world,
        scope_includes=[],
        scope_excludes=[{"service": "SCH-A/SCH", "section": "sec.env.housing"}],
    )
    assert world.take() == {"SCH-A": ["N10"]}
    second = world.deliveries(partner="SCH-A", message_type="N10")[-1].delivery_id
    for one in (recall, second):
        assert world.states("N6")["SCH-A"] == ["pending"]
        await world.collector.acknowledge(school, one, "COPIES_LOCKED")
    await world.drain()

    assert world.take() == {"SCH-A": ["N6"]}


async def test_closure_and_void_pass_an_unacknowledged_recall(world: World) -> None:
    """N2 and N14 jump every queue."""
    await world.planned()
    await narrow(world)
    world.take()
    closure = {"closed_on": "2026-11-01", "closure_reason": "NEEDS_MET", "closure_summary": "."}
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))
    assert world.take()["SCH-A"] == ["N2"]
    detail = {"reason": "DUPLICATE", "approved_by": "p-head"}
    await world.send("SCH-A", "episode.voided", event_detail=detail, episode=part())

    assert "N14" in world.take()["HV-A"]


async def test_an_adults_own_withdrawal_takes_out_what_is_theirs(world: World) -> None:
    """Mia withdraws what is about herself from housing: N10 there, and the next view is without."""
    await world.shared()
    assert "Mia Example" in world.last("HV-A").text
    world.take()
    await world.decide(
        "SCH-A",
        world.own(
            state="WITHDRAWN",
            withdrawal_type="SHARE_SERVICE",
            share_decision="no",
            scope_includes=[],
            scope_excludes=[{"service": "HV-A/HV", "section": "all"}],
        ),
    )
    assert world.take() == {"HV-A": ["N10"]}
    recall = world.deliveries(message_type="N10")[0].delivery_id
    await world.collector.acknowledge(world.partners["HV-A"], recall, "COPIES_LOCKED")
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))

    assert "Mia Example" not in world.last("HV-A", "N6").text
    assert world.head.process == "ASSESSED"


async def test_losing_a_request_purpose_recalls_too(world: World) -> None:
    """What was given for a request for services is lost with that purpose."""
    await world.planned()
    scope = [
        *includes(),
        {"service": "HOU-A/HOUS", "section": "sec.env.community", "purpose": "REQUEST_SERVICE"},
    ]
    await world.decide("EHM-A", world.decision(scope_includes=scope, purpose=PURPOSES))
    world.take()
    narrowed = world.decision(state="NARROWED", scope_includes=includes()[3:])
    await world.decide("EHM-A", narrowed)

    assert world.take() == {"HOU-A": ["N10"]}


# Widening


async def test_widening_is_told_to_who_gained_only(world: World) -> None:
    """T20: N7 with what is new to them, to nobody else."""
    await world.planned()
    wide = [{"service": "HOU-A/HOUS", "section": "sec.env.community"}]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))

    assert "Element 3.4" in world.last("HOU-A").text
    assert world.take() == {"HOU-A": ["N7"]}


async def test_the_recording_system_gains_too(world: World) -> None:
    """The lead's system records what it gains itself, and is sent it: it did not write it."""
    await world.opened()
    scope = [*includes()[:1], {"service": "EHM-A/FSW", "section": "sec.identity"}]
    await world.decide("SCH-A", world.decision(scope_includes=scope))
    await world.send("SCH-A", "assessment.completed", episode=completion())
    await world.send(
        "SCH-A",
        "lead_professional.changed",
        episode=part(
            services={"lead_professional": b.practitioner("p-lead"), "lp_state": "APPOINTED"}
        ),
    )
    world.take()
    wide = [{"service": "EHM-A/FSW", "section": "sec.child.speech"}]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))

    assert world.take() == {"EHM-A": ["N7"]}


# The index, and the end


async def test_index_consent_taken_back_makes_the_index_forget(world: World) -> None:
    """Yes, then no: N14, and the question is answered NONE; yes again: N1 anew."""
    await world.shared()
    asked = {"identifiers": NHS, "date_of_birth": "2016-05-14"}
    assert (await world.check("HV-A", **asked))["result"] == "OPEN"
    world.take()
    await world.decide("SCH-A", world.decision(scope_includes=includes(), index_consent="no"))
    assert world.take() == {"IDX": ["N14"]}
    assert await world.check("HV-A", **asked) == {"result": "NONE"}
    entry = next(iter(world.store._tables.index.values()))
    assert (dict(entry.match), dict(entry.contact), entry.tokens) == ({}, {}, ())

    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    assert world.take() == {"IDX": ["N1"]}
    assert (await world.check("HV-A", **asked))["result"] == "OPEN"


async def test_storage_withdrawn_closes_and_the_index_learns(world: World) -> None:
    """T24: recalls to whoever holds copies, N2 to the index, and nothing more is accepted."""
    await world.planned()
    await world.decide(
        "EHM-A",
        world.decision(
            state="WITHDRAWN",
            withdrawal_type="STORE",
            store_decision="no",
            share_decision="no",
            scope_includes=[],
            index_consent="no",
        ),
    )

    assert world.take() == {"IDX": ["N2"], "SCH-A": ["N10"], "HV-A": ["N10"], "HOU-A": ["N10"]}
    assert (world.head.process, world.tree["status"]) == ("CLOSED", "CLOSED")
    assert world.head.facts["closure_reason"] == "CONSENT_WITHDRAWN"
    assert "closure" not in world.tree
    with pytest.raises(Withheld) as refused:
        await world.send("SCH-A", episode=part(subjects=subject(gender="F")))
    assert refused.value.code is Code.CONSENT_NONE


async def test_copies_are_recalled_after_closure_too(world: World) -> None:
    """T19 after the end: copies are still held."""
    await world.planned()
    closure = {"closed_on": "2026-11-01", "closure_reason": "NEEDS_MET", "closure_summary": "."}
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))
    world.take()
    await narrow(world)

    assert world.take() == {"SCH-A": ["N10"]}


async def test_participants_read_their_own_scope_only(world: World) -> None:
    """The assessor and the lead read every decision; others the items of their own services."""
    await world.planned()
    mine = await world.lookup.consents(world.partners["HOU-A"], "e1")
    lead = await world.lookup.consents(world.partners["EHM-A"], "e1")

    assert {s["service"] for d in mine["decisions"] for s in d["scope_includes"]} == {"HOU-A/HOUS"}
    assert "given_by_person" not in orjson.dumps(mine).decode()
    assert "given_by_person" in orjson.dumps(lead).decode()


@pytest.mark.parametrize(
    ("path", "changes", "listed"),
    [
        ("first send", {"state": State.SENDING, "attempts": 1}, True),
        ("retry", {"state": State.SENDING, "attempts": 3, "evidence": {"unknown": True}}, True),
        ("offered again", {"state": State.SENDING, "attempts": 2, "lease_epoch": 4}, True),
        ("pull", {"state": State.HANDED_OVER, "evidence": {"fetched": True}}, True),
        ("notification", {"state": State.SENDING, "message_type": "N5"}, True),
        ("not fetched", {"state": State.HANDED_OVER, "evidence": {}}, False),
        ("waits to be tried again", {"state": State.PENDING, "evidence": {"unknown": True}}, False),
        ("arrived", {"state": State.DELIVERED}, False),
    ],
)
async def test_a_withdrawal_lists_what_is_in_flight_on_every_path(
    world: World, path: str, changes: dict[str, Any], listed: bool
) -> None:
    """P23: whatever may still arrive after the answer is named in it, and nothing else is."""
    await world.shared()
    sent = world.deliveries(partner="HV-A", message_type="N7")[0]
    world.put(sent, **changes)
    everything = {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL", "share_decision": "no"}

    receipt = await world.decide(
        "SCH-A", world.decision(scope_includes=[], **everything), drain=False
    )

    named = [one["delivery_id"] for one in receipt.body["in_flight"]]
    assert (sent.delivery_id in named) is listed, path
    assert receipt.status == (202 if named else 201)


async def test_a_new_dispute_is_said_at_once(world: World) -> None:
    """The lead professional does not wait for the scheduler to hear of a held service."""
    await world.teamed()
    refused = world.decision(
        state="REFUSED",
        given_by_person="c9",
        pr_basis="FATHER_REG",
        refusal_scope="SERVICE",
        share_decision="no",
        scope_includes=[],
        scope_excludes=[{"service": "HOU-A/HOUS", "section": "all"}],
    )
    housing = [{"service": "HOU-A/HOUS", "section": "sec.plan"}]

    await world.decide("EHM-A", refused)
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=housing))

    found = [one for _, one in await world.store.alerts(0, 50)]
    assert [(one.kind, one.audience, one.service) for one in found] == [
        ("consent.disputed", "lead:EHM-A/FSW", "HOU-A/HOUS")
    ]
    assert world.take().get("HOU-A", []).count("N7") == 1  # the first sharing alone
