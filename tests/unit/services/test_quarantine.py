"""Quarantine: evidence, owner and due date; and every way out, in order and through the gate."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.exchange import State
from hub.errors import Code, Conflict, Fault, HubError, InvalidContent, Rejected, Unavailable
from hub.services.operating import Operations
from tests.unit.services.world import Tree, World, part

HOUR = timedelta(hours=1)
GROUND = {"reason": "PARTNER_MENDED", "by": "op-1", "ticket": "INC-42"}
HOUSING = "HOU-A/HOUS"
REFUSED = "the destination refused it (422)"


@pytest.fixture
async def world() -> World:
    """Housing refused one version and a second waits behind it."""
    world = await World().shared()
    world.doubles["HOU-A"].faults.append(Rejected(Code.FORBIDDEN, REFUSED))
    await update(world, "L3")
    await update(world, "L4")
    world.take()
    return world


def operations(world: World) -> Operations:
    """Return what the operator asks of this world."""
    parts = (world.store, world.registry, world.clock)
    return Operations(*parts, lambda: world.translator, world.hints)


async def update(world: World, level: str) -> None:
    """Change what everybody sees."""
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": level}))


def stopped(world: World) -> str:
    """Return the id of the one delivery in quarantine."""
    (one,) = world.deliveries(state=State.QUARANTINED)
    return str(one.delivery_id)


async def act(world: World, action: str, delivery: str | None = None, **changes: Any) -> Tree:
    """Do something about a delivery and let the workers go on."""
    second = {"second": "op-2"} if action == "skip" else {}
    body = {"action": action, **GROUND, **second, **changes}
    told = await operations(world).act(delivery or stopped(world), body)
    await world.drain()
    return dict(told)


async def test_what_was_set_aside_is_listed_with_stage_owner_and_due_date(world: World) -> None:
    """Reason, stage, whose move it is, and until when; an alert said so at once."""
    (one,) = (await operations(world).quarantine())["quarantine"]

    assert (one["reason"], one["stage"], one["owner"]) == ("E_FORBIDDEN", "send", "partner HOU-A")
    assert (one["since"], one["due_at"]) == ("2026-09-01T09:00:00.000Z", "2026-09-02T09:00:00.000Z")
    (alert,) = [
        alert
        for _, alert in await world.store.alerts(0, 10)
        if alert.kind == "delivery.quarantined"
    ]
    assert (alert.audience, alert.delivery_id, alert.episode_id) == (
        "operator", one["delivery_id"], None,
    )  # fmt: skip


async def test_one_is_shown_with_its_evidence_and_what_waits_behind(world: World) -> None:
    """What was answered, the lane behind it, and what can be done."""
    shown = await operations(world).quarantined(stopped(world))

    (behind,) = world.deliveries(service=HOUSING, state=State.PENDING)
    assert shown["evidence"]["said"] == REFUSED
    assert (shown["behind"], shown["before"]) == ([behind.delivery_id], None)
    assert shown["actions"] == ["fix", "release", "supersede", "skip"]


async def test_released_it_goes_under_its_own_id_and_then_what_waited(world: World) -> None:
    """The same delivery id, marked as a possible duplicate; the one behind follows in order."""
    delivery = stopped(world)

    await act(world, "release")

    got = [one.parcel for one in world.inbox if one.partner == "HOU-A"]
    assert got[0].delivery_id == delivery
    assert [one.possible_duplicate for one in got] == [True, False]
    assert [one.lane_sequence for one in got] == [2, 3]
    (row,) = world.audit("quarantine.release")
    assert row.facts["reason"] == "PARTNER_MENDED"
    assert (row.facts["by"], row.facts["ticket"], row.facts["was"]) == (
        "op-1", "INC-42", "E_FORBIDDEN",
    )  # fmt: skip


async def test_release_is_under_todays_consent(world: World) -> None:
    """What the family took back meanwhile stays; the release ends without a byte."""
    stop = {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL", "share_decision": "no",
            "scope_includes": []}  # fmt: skip
    for record in (world.decision(**stop), world.own(**stop)):
        await world.decide("SCH-A", record)
    for recall in world.deliveries(partner="HOU-A", message_type="N10"):
        await world.collector.acknowledge(
            world.partners["HOU-A"], recall.delivery_id, "COPIES_LOCKED"
        )
    world.inbox.clear()
    left = [one for one in world.deliveries(service=HOUSING) if one.state is State.QUARANTINED]

    for one in left:
        await act(world, "release", one.delivery_id)

    assert world.take().get("HOU-A") is None
    assert not world.deliveries(state=State.QUARANTINED)


async def test_what_never_arrived_and_may_not_go_leaves_no_gap(world: World) -> None:
    """Released when its protocol has lapsed it is withheld; the next has the number it had."""
    await act(world, "skip", reason="NOT_NEEDED")
    world.take()
    world.doubles["HOU-A"].faults.append(Rejected(Code.FORBIDDEN, REFUSED))
    await update(world, "L2")
    lapsed = replace(world.partners["HOU-A"], accredited_until=date(2026, 8, 1))
    before, world.dispatcher = (
        world.dispatcher,
        replace(
            world.dispatcher,
            registry=replace(world.registry, partners={**world.partners, "HOU-A": lapsed}),
        ),
    )
    delivery = stopped(world)

    await act(world, "release", delivery)
    world.dispatcher = before
    await update(world, "L1")

    (one,) = [d for d in world.deliveries() if d.delivery_id == delivery]
    assert (one.state, one.reason) == (State.SUPPRESSED, "E_ORG_NOT_ACCREDITED")
    assert world.doubles["HOU-A"].attempts[-2].lane_sequence == 3
    assert [got.parcel.lane_sequence for got in world.inbox if got.partner == "HOU-A"] == [3]


async def test_what_a_receiver_rejects_is_set_aside_and_said(world: World) -> None:
    """Its own word puts it into quarantine, at the receiver's stage, with an alert."""
    (one,) = world.deliveries(partner="EHM-A", message_type="N6")[-1:]
    world.put(one, state=State.HANDED_OVER, evidence={"carried": True})

    await world.collector.acknowledge(world.partners["EHM-A"], one.delivery_id, "REJECTED")

    assert one.delivery_id in {
        alert.delivery_id
        for _, alert in await world.store.alerts(0, 10)
        if alert.facts.get("stage") == "receiver"
    }


async def test_skipped_it_ends_and_the_lane_goes_on_without_a_gap(world: World) -> None:
    """Expired with the reason; what follows has the number that was never used."""
    delivery = stopped(world)

    told = await act(world, "skip", reason="NOT_NEEDED")

    assert (told["state"], told["reason"]) == ("expired", "SKIPPED")
    (one,) = [d for d in world.deliveries() if d.delivery_id == delivery]
    assert (one.state, one.reason) == (State.EXPIRED, "SKIPPED")
    assert [got.parcel.lane_sequence for got in world.inbox if got.partner == "HOU-A"] == [2]


async def test_superseded_a_new_delivery_says_what_may_be_said_today(world: World) -> None:
    """The old one ends; its heir is at the end of the lane and shows the newest version."""
    told = await act(world, "supersede", reason="MAPPING_MENDED")

    (heir,) = [d for d in world.deliveries() if d.delivery_id == told["heir"]]
    assert (heir.causation_id, heir.version) == (told["delivery_id"], world.head.version)
    assert [got.episode["conclusions"]["need_level"] for got in world.inbox] == ["L4"]
    assert heir.reason == "UNCHANGED"  # the one behind it said the same


async def test_what_stands_behind_another_waits_its_turn(world: World) -> None:
    """Out of order is refused, and the one to deal with first is named."""
    first = stopped(world)
    (second,) = world.deliveries(service=HOUSING, state=State.PENDING)
    world.put(second, state=State.QUARANTINED, reason="E_MAPPING")

    with pytest.raises(Conflict) as refused:
        await act(world, "release", second.delivery_id)

    assert refused.value.faults[0].allowed == (first,)


async def test_fix_tries_the_rendering_and_changes_nothing_where_it_fails(world: World) -> None:
    """The faults are those of today's mapping; nothing is released."""

    class Broken:
        def render(self, *_args: Any, **_options: Any) -> Any:
            raise Rejected(Code.MAPPING, "no code", [Fault(Code.CODELIST, "subjects[].gender")])

    parts = (world.store, world.registry, world.clock)
    broken = Operations(*parts, Broken, world.hints)  # type: ignore[arg-type]
    delivery = stopped(world)

    with pytest.raises(Rejected, match="no code"):
        await broken.act(delivery, {"action": "fix", **GROUND})

    assert stopped(world) == delivery
    assert not world.audit("quarantine.fix")
    told = await act(world, "fix", reason="MAPPING_MENDED")
    assert told["state"] == "pending"
    assert len(world.take()["HOU-A"]) == 2


async def test_what_must_be_told_is_not_skipped_in_silence(world: World) -> None:
    """A recall is given up only once it was told in another way."""
    world.doubles["HV-A"].faults.append(Rejected(Code.FORBIDDEN, "refused"))
    stop = {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL", "share_decision": "no",
            "scope_includes": []}  # fmt: skip
    for record in (world.decision(**stop), world.own(**stop)):
        await world.decide("SCH-A", record)
    (recall,) = world.deliveries(partner="HV-A", message_type="N10", state=State.QUARANTINED)

    with pytest.raises(Conflict, match="must be told"):
        await act(world, "skip", recall.delivery_id, reason="NOT_NEEDED")

    told = await act(world, "skip", recall.delivery_id, reason="SENT_OTHERWISE")
    assert told["state"] == "expired"


async def test_what_waits_for_its_next_attempt_can_be_tried_at_once(world: World) -> None:
    """After mending the partner nobody waits for the schedule; nothing else is released so."""
    world.doubles["HV-A"].faults.append(Unavailable(Code.UNAVAILABLE, "down"))
    await update(world, "L2")
    (waiting,) = world.deliveries(partner="HV-A", state=State.PENDING)
    world.take()

    await act(world, "release", waiting.delivery_id, reason="TRY_AGAIN")

    assert world.take()["HV-A"] == ["N6"]
    with pytest.raises(Conflict, match="not in quarantine"):
        await act(world, "release", waiting.delivery_id)


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({}, "E_CODELIST", "action"),
        ({"action": "release", "by": "op-1"}, "E_CODELIST", "reason"),
        ({"action": "release", "reason": "TEST"}, "E_REQUIRED", "by"),
        ({"action": "release", "reason": "TEST", "by": "Ava Example"}, "E_FORMAT", "by"),
        ({"action": "skip", "reason": "TEST", "by": "op", "ticket": "a@b"}, "E_FORMAT", "ticket"),
        ({"action": "skip", "reason": "TEST", "by": "op", "note": "x"}, "E_UNKNOWN_FIELD", "note"),
        ({"action": "skip", "reason": "TEST", "by": "op"}, "E_REQUIRED", "second"),
        ({"action": "skip", "reason": "TEST", "by": "op", "second": "OP"}, "E_RULE", "second"),
        ({"action": "skip", "reason": "TEST", "by": "op", "second": "a b"}, "E_FORMAT", "second"),
    ],
)
async def test_who_acts_says_why_and_who_in_codes(
    world: World, body: dict[str, Any], code: str, path: str
) -> None:
    """A free text could name a child, so there is none; what is wrong is named by its place."""
    with pytest.raises(InvalidContent) as refused:
        await operations(world).act(stopped(world), body)

    fault = refused.value.faults[0]
    assert (fault.code.value, fault.path) == (code, path)


async def test_only_what_is_set_aside_is_shown_here(world: World) -> None:
    """Of anything else the trace tells."""
    delivered = world.deliveries(state=State.DELIVERED)[0].delivery_id

    with pytest.raises(HubError, match="ecaf trace"):
        await operations(world).quarantined(delivered)
