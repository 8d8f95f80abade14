"""Deadlines: what stands too long is alerted by lane and class; what nobody collects expires."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.domain.exchange import Alert, State
from hub.errors import Code, Unavailable
from hub.services.deadlines import TO_COLLECT, TO_SEND, due_of, expires_at
from hub.services.doctor import examination, joined
from hub.services.overdue import Overdue
from tests.unit.services.test_dispatch import update
from tests.unit.services.world import PARTNERS, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PULLS = tuple(
    replace(one, delivering=replace(one.delivering, channel="pull", body="thin"))
    if one.name in {"HV-A", "HOU-A"}
    else one
    for one in PARTNERS
)


def frozen(world: World, name: str) -> None:
    """Let one destination answer nobody any more."""

    async def down(_parcel: Any) -> None:
        raise Unavailable(Code.UNAVAILABLE, "down")

    world.doubles[name].during = down
    policy = replace(world.partners[name].delivering, retry=tuple([3_600.0] * 2_000))
    partners = {**world.partners, name: replace(world.partners[name], delivering=policy)}
    registry = replace(world.registry, partners=partners)
    world.dispatcher = replace(world.dispatcher, registry=registry)


async def withdrawn(world: World) -> None:
    """Let the family take their consent back."""
    told = {"withdrawal_type": "SHARE_ALL", "share_decision": "no", "scope_includes": []}
    await world.decide("SCH-A", world.decision(state="WITHDRAWN", **told))


async def look(world: World, worker: str = "w1") -> list[Alert]:
    """Run one round, and return the alerts of its kind so far."""
    await Overdue(world.store, world.clock, world.hints, worker).round()
    every = await world.store.alerts(0, 100)
    return [one for _, one in every if one.kind == "delivery.overdue"]


async def test_a_frozen_destination_is_alerted_at_its_deadline() -> None:
    """Content after a day, by its lane and class, once; what flows is not mentioned."""
    world = World()
    await world.shared()
    frozen(world, "HOU-A")
    for level in ("L3", "L4"):
        await update(world, level)
    world.clock.move(DAY - MINUTE)
    assert await look(world) == []

    world.clock.move(MINUTE)
    (said,) = await look(world)
    world.clock.move(HOUR)
    assert await look(world) == [said]

    assert (said.service, said.episode_id, said.audience) == ("HOU-A/HOUS", "e1", "operator")
    assert said.facts == {
        "partner": "HOU-A", "class": "CONTENT", "waiting": 2, "state": "pending",
        "reason": "E_UNAVAILABLE", "attempts": 1,
    }  # fmt: skip
    oldest = min(world.deliveries(partner="HOU-A", state=State.PENDING), key=due_of)
    assert (said.delivery_id, said.due_at) == (oldest.delivery_id, oldest.created_at + DAY)


async def test_an_alert_names_a_lane_and_never_a_child() -> None:
    """Nothing in it is a subject, a person or a number of theirs."""
    world = World()
    await world.shared()
    frozen(world, "HOU-A")
    await update(world, "L3")
    world.clock.move(2 * DAY)
    (said,) = await look(world)

    subjects = {str(s["subject_id"]) for s in world.tree["subjects"]}
    people = {str(p["parent_carer_id"]) for p in world.tree["parents_carers"]}
    told = {str(value) for value in (said.alert_id, said.delivery_id, *said.facts.values())}
    assert not told & (subjects | people)
    assert not re.search(r"\b999\d{7}\b", str(said.facts))


async def test_what_overtakes_is_alerted_sooner_and_apart() -> None:
    """A recall is late after an hour, behind content that is not late yet."""
    world = World()
    await world.shared()
    frozen(world, "HOU-A")
    await update(world, "L3")
    await withdrawn(world)
    world.clock.move(HOUR)

    (said,) = await look(world)

    assert (said.facts["class"], said.facts["state"]) == ("CONSENT", "pending")


async def test_what_was_handed_over_has_a_deadline_of_its_own() -> None:
    """Nobody fetches it: said after five days; a new oldest is said anew."""
    world = World(partners=PULLS)
    await world.shared()
    world.clock.move(TO_COLLECT[10] - MINUTE)  # type: ignore[index]  # an IntEnum
    early = await look(world)
    world.clock.move(MINUTE)

    late = await look(world)

    assert early == []
    assert {(one.service, one.facts["state"]) for one in late} == {
        ("HOU-A/HOUS", "handed_over"),
        ("HV-A/HV", "handed_over"),
    }


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
async def test_what_nobody_collects_expires(backend: str, tmp_path: Path) -> None:
    """After thirty days it ends, with its evidence; what comes next flows, and shows the newest."""
    store: Any = None
    if backend == "sqlite":
        store = SqlStore(f"sqlite:///{tmp_path}/e.db", FileVault.create(tmp_path / "v.key"))
    world = World(partners=PULLS, store=store)
    await world.shared()
    before = joined([await examination(world.store)])["law"]
    world.clock.move(30 * DAY - MINUTE)
    await look(world)
    assert joined([await examination(world.store)])["law"] == before

    world.clock.move(MINUTE)
    await look(world)

    found = joined([await examination(world.store)])
    assert found["law"]["expired"] == before["handed_over"] > 0
    assert (found["law"]["handed_over"], found["balance"], found["findings"]) == (0, 0, [])
    housing = world.partners["HOU-A"]
    assert (await world.collector.inbox(housing, 0, 9))["deliveries"] == []
    await update(world, "L4")
    (offered,) = (await world.collector.inbox(housing, 0, 9))["deliveries"]
    assert offered["message_type"] == "N6"
    body = (await world.collector.fetch(housing, offered["delivery_id"])).body
    assert b'"L4"' in body
    if store is not None:
        await store.close()


async def test_what_must_be_told_never_expires() -> None:
    """A recall that nobody acknowledges stands for years; nor does the index's own."""
    world = World(partners=PULLS)
    await world.shared()
    for name in ("HOU-A", "HV-A"):
        for one in (await world.collector.inbox(world.partners[name], 0, 9))["deliveries"]:
            await world.collector.fetch(world.partners[name], one["delivery_id"])
    await withdrawn(world)
    recalls = {one.delivery_id for one in world.deliveries(message_type="N10")}
    world.clock.move(800 * DAY)
    await look(world)

    kept = {one.delivery_id for one in world.deliveries(state=State.HANDED_OVER)}
    assert recalls
    assert recalls <= kept
    (index, *_) = world.deliveries(partner="IDX")
    assert expires_at(index) is None


async def test_what_may_lie_in_the_recipients_own_queue_is_recalled_still() -> None:
    """A full body was carried there and never acknowledged: expired, it may be held still."""
    world = World()
    await world.shared()
    (one, *_) = world.deliveries(partner="HOU-A", message_type="N7")
    world.put(one, state=State.EXPIRED, reason="NOT_COLLECTED", evidence={"carried": True})

    await withdrawn(world)

    assert world.states("N10")["HOU-A"]


async def test_one_worker_looks_at_a_time() -> None:
    """Another's round does nothing while the turn is taken."""
    world = World()
    await world.shared()
    frozen(world, "HOU-A")
    await update(world, "L3")
    world.clock.move(2 * DAY)
    await world.store.take_turn("overdue", "other", 60)

    assert await look(world) == []


def test_every_class_has_its_deadlines() -> None:
    """What overtakes more is due sooner, and sending sooner than collecting."""
    assert TO_SEND.keys() == TO_COLLECT.keys()
    for limits in (TO_SEND, TO_COLLECT):
        assert list(limits.values()) == sorted(limits.values())
    assert all(TO_SEND[kind] < TO_COLLECT[kind] for kind in TO_SEND)
