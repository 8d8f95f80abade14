"""An index elsewhere, over HTTP: it hears what our own hears, once in effect, and nothing else."""

import json
from datetime import timedelta
from typing import Any

from adapters.destinations.webhook import WebhookDestination
from adapters.notifications.child_index import ChildIndexDestination
from hub.secrets import Secret
from tests.contract.receiver import Receiver, receiver, reset, status
from tests.contract.test_destinations import LIMITS, PUBLIC, SECRET
from tests.unit.services.world import World, part, subject


def effects(far: Receiver) -> list[tuple[int, dict[str, Any]]]:
    """Return what an index that honours ids has applied, by sequence; a repeat is the same bytes.

    One child, one entry: its numbers tell the order.
    """
    kept: dict[str, bytes] = {}
    found = []
    for one in far.received:
        name = one.headers["webhook-id"]
        assert kept.setdefault(name, one.body) == one.body
        found.append((name, int(one.headers["ecaf-sequence"]), one.body))
    applied = {name: (number, json.loads(body)["notification"]) for name, number, body in found}
    return sorted(applied.values(), key=lambda one: one[0])


async def test_an_index_elsewhere_hears_everything_once_in_effect() -> None:
    """Busy, breaking off with the answer lost, and well again: N1, N3, N5, N2 in their order."""
    async with receiver() as far:
        hook = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC, limits=LIMITS)
        world = World()
        own = ChildIndexDestination(world.store, world.digester, world.clock, hook)
        world.doubles["IDX"].inner = own
        far.answers.extend([status(503), reset])
        await world.planned()
        for _ in range(6):
            world.clock.move(timedelta(minutes=3))
            await world.drain()
        far.answers.append(reset)
        changed = part(subjects=subject(family_name="Sample"))
        await world.send("EHM-A", "demographics.changed", episode=changed)
        for _ in range(6):
            world.clock.move(timedelta(minutes=3))
            await world.drain()
        await hook.close()

    told = effects(far)
    assert [notice["code"] for _, notice in told] == ["N1", "N3", "N5"]
    assert [number for number, _ in told] == [1, 2, 3]
    assert len(far.received) > len(told)
    (entry,) = world.store._tables.index.values()
    assert {notice["episode_ref"] for _, notice in told} == {entry.reference}
    text = b"".join(one.body for one in far.received).decode()
    for content in ("conclusions", "commentary", "'sec.", "desired_outcomes", "ethnic", '"e1"'):
        assert content not in text
    assert all(d.state.value == "delivered" for d in world.deliveries(partner="IDX"))


async def test_an_index_elsewhere_hears_within_a_minute() -> None:
    """In the same moment as our own: nothing waits for a round or a batch."""
    async with receiver() as far:
        hook = WebhookDestination(far.url, Secret(SECRET), public_url=PUBLIC, limits=LIMITS)
        world = World()
        own = ChildIndexDestination(world.store, world.digester, world.clock, hook)
        world.doubles["IDX"].inner = own
        await world.opened()
        await hook.close()

    (one,) = world.deliveries(partner="IDX")
    assert len(far.received) == 1
    assert one.settled_at is not None
    assert one.settled_at - one.created_at < timedelta(minutes=1)
