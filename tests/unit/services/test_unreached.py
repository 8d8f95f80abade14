"""Recalls to who cannot be reached: kept first in their lane, said at once, sent when possible."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.accreditation import Protocol
from hub.domain.exchange import State
from hub.errors import Code, Withheld
from tests.unit.services.world import PARTNERS, Tree, World, part, partner


def lapse(world: World, name: str, *, until: date | None) -> None:
    """Let an organisation's protocol lapse, or be signed anew."""
    protocols = (Protocol("P-1", until or date(2039, 12, 31)),)
    changed = replace(world.partners[name], protocols=protocols, accredited_until=until or date.max)
    world.registry.partners[name] = changed  # type: ignore[index]
    for service in changed.services:
        world.registry._by_service[service.ref] = changed  # type: ignore[index]


def withdrawal(world: World) -> Tree:
    """Return that all sharing ends."""
    return world.decision(
        state="WITHDRAWN", withdrawal_type="SHARE_ALL", share_decision="no", scope_includes=[]
    )


def told(world: World) -> list[Any]:
    """Return the alerts about recalls that reach nobody."""
    return [one for one in world.store._tables.alerts.values() if one.kind == "recall.unreached"]


async def test_a_recall_waits_for_a_lapsed_protocol_and_goes_when_it_is_signed() -> None:
    """Not suppressed: the copies are there; administrator, protocol's owner and data protection
    lead hear of it at once, and once.
    """
    world = await World().planned()
    lapse(world, "HV-A", until=date(2026, 8, 31))
    world.inbox.clear()
    await world.decide("EHM-A", withdrawal(world))
    (recall,) = world.deliveries(partner="HV-A", message_type="N10")

    assert (recall.state, recall.reason) == (State.PENDING, "E_ORG_NOT_ACCREDITED")
    assert "HV-A" not in {got.partner for got in world.inbox}
    assert {one.audience for one in told(world)} == {
        "administrator:HV-A", "protocol-owner:HV-A", "data-protection:001",
    }  # fmt: skip
    assert {one.delivery_id for one in told(world)} == {recall.delivery_id}

    world.clock.move(timedelta(hours=2))
    await world.dispatcher.deliver(recall.delivery_id)
    assert len(told(world)) == 3
    assert len(world.audit("delivery.held")) == 1

    lapse(world, "HV-A", until=None)
    world.clock.move(timedelta(hours=2))
    await world.dispatcher.deliver(recall.delivery_id)
    assert [got.type for got in world.inbox if got.partner == "HV-A"] == ["N10"]


async def test_content_still_ends_where_a_protocol_has_lapsed() -> None:
    """It is made anew from what is consented then; only recalls are owed."""
    world = await World().planned()
    lapse(world, "HV-A", until=date(2026, 8, 31))
    await world.send("EHM-A", episode=part(conclusions={"need_level": "L3"}))

    newest = world.deliveries(partner="HV-A", message_type="N6")[-1]
    assert (newest.state, newest.reason) == (State.SUPPRESSED, "E_ORG_NOT_ACCREDITED")
    assert not told(world)


async def test_content_waits_behind_the_recall_that_waits() -> None:
    """Agreed anew and accredited again: the recall goes before what was agreed to since."""
    world = await World().planned()
    lapse(world, "HV-A", until=date(2026, 8, 31))
    await world.decide("EHM-A", withdrawal(world))
    (recall,) = world.deliveries(partner="HV-A", message_type="N10")
    world.inbox.clear()
    lapse(world, "HV-A", until=None)
    await world.decide("EHM-A", world.decision())
    await world.drain()
    assert not [got for got in world.inbox if got.partner == "HV-A"]

    world.clock.move(timedelta(hours=2))
    await world.dispatcher.deliver(recall.delivery_id)
    assert [got.type for got in world.inbox if got.partner == "HV-A"] == ["N10"]


async def test_a_recall_for_a_system_that_is_gone_is_said_at_once() -> None:
    """Nothing can be sent to a service that no connected partner serves; somebody has to ring."""
    world = await World().planned()
    for name in ("partners", "_by_service"):
        gone = {k: v for k, v in getattr(world.registry, name).items() if not k.startswith("HV-A")}
        getattr(world.registry, name).clear()
        getattr(world.registry, name).update(gone)
    await world.decide("EHM-A", withdrawal(world))

    assert {(one.audience, one.facts["reason"]) for one in told(world)} == {
        ("administrator:HV-A", "NO_PARTNER"),
        ("protocol-owner:HV-A", "NO_PARTNER"),
        ("data-protection:001", "NO_PARTNER"),
    }


async def test_a_pulled_recall_stays_offered_while_its_protocol_has_lapsed() -> None:
    """A refused fetch does not end it."""
    pulls = partner("HV-A", "HV", channel="pull", body="thin")
    world = World(partners=[pulls if one.name == "HV-A" else one for one in PARTNERS])
    world = await world.planned()
    for one in world.deliveries(partner="HV-A"):
        if one.state is State.HANDED_OVER:
            await world.collector.fetch(world.partners["HV-A"], one.delivery_id)
            await world.collector.acknowledge(world.partners["HV-A"], one.delivery_id, "APPLIED")
    await world.decide("EHM-A", withdrawal(world))
    (recall,) = world.deliveries(partner="HV-A", message_type="N10")
    assert recall.state is State.HANDED_OVER
    lapse(world, "HV-A", until=date(2026, 8, 31))
    with pytest.raises(Withheld) as refused:
        await world.collector.fetch(world.registry.partners["HV-A"], recall.delivery_id)
    assert refused.value.code is Code.ORG_NOT_ACCREDITED
    assert world.deliveries(message_type="N10", partner="HV-A")[0].state is State.HANDED_OVER
