"""The conservation law after random stories: whatever happened, and wherever one stops.

Families agree and take it back, receivers refuse, fall silent and come back, workers die while they
send, operators release, skip and supersede, partners fetch and acknowledge, time passes.  After
every step the record is gone through as `ecaf doctor` does it (`reliability.md` section 1).
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.domain.exchange import State
from hub.domain.search import Search
from hub.errors import Code, HubError, Rejected, Unavailable
from hub.ports import Needs
from hub.services.conservation import judge
from hub.services.doctor import examination, joined
from hub.services.overdue import Overdue
from hub.services.quarantine import Action, Ground, act
from tests.unit.services.world import CANONICAL, PARTNERS, World, includes, part

STORIES = int(os.environ.get("ECAF_TEST_STORIES", "3"))
STEPS = 30
EVERY = tuple(
    replace(one, delivering=replace(one.delivering, channel="pull", body="thin"))
    if one.name == "HV-A"
    else one
    for one in PARTNERS
)


class Killed(BaseException):
    """The worker is gone: nothing after this line was run."""


class Story:
    """One family's episode under chance; every method is something that happens."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.happened: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()

    async def step(self) -> None:
        """Let one thing happen; refusals are part of the story."""
        does: Callable[[], Awaitable[None]] = self.chance.choice(
            [self.update, self.update, self.trouble, self.narrow, self.widen, self.later,
             self.operator, self.collect, self.view, self.die]
        )  # fmt: skip
        with suppress(HubError):
            await does()
            self.happened[does.__name__] += 1

    async def update(self) -> None:
        level = self.chance.choice(["L2", "L3", "L4"])
        sent = part(conclusions={"need_level": level})
        await self.world.send("SCH-A", "assessment.updated", episode=sent)

    async def trouble(self) -> None:
        fault = self.chance.choice([
            Rejected(Code.MAPPING, "no place for it"),
            Unavailable(Code.OUTCOME_UNKNOWN, "no answer"),
            Unavailable(Code.UNAVAILABLE, "down"),
            RuntimeError("a fault of ours"),
        ])  # fmt: skip
        name = self.chance.choice(["EHM-A", "HOU-A", "HV-A", "IDX"])
        self.world.doubles[name].faults += [fault] * self.chance.randint(1, 4)

    async def narrow(self) -> None:
        narrower: dict[str, Any] = {
            "state": "NARROWED",
            "scope_includes": includes("HV-A/HV"),
            "scope_excludes": [{"service": "HV-A/HV", "section": "sec.parenting"}],
        }
        none = {"withdrawal_type": "SHARE_ALL", "share_decision": "no", "scope_includes": []}
        said: dict[str, Any] = self.chance.choice([narrower, {"state": "WITHDRAWN", **none}])
        await self.world.decide("SCH-A", self.world.decision(**said))

    async def widen(self) -> None:
        await self.world.decide("SCH-A", self.world.decision(scope_includes=includes()))

    async def later(self) -> None:
        self.world.clock.move(timedelta(minutes=self.chance.choice([1, 10, 60, 3_000, 50_000])))
        await Overdue(self.world.store, self.world.clock, self.world.hints, "w1").round()
        await self.world.drain()

    async def die(self) -> None:
        """A worker dies while it sends; its lease is over when the next one comes."""
        name = self.chance.choice(["EHM-A", "HOU-A"])

        async def kill(_parcel: Any) -> None:
            raise Killed

        self.world.doubles[name].during = kill
        with suppress(Killed):
            await self.update()
        self.world.doubles[name].during = None
        await self.lapse()
        await self.world.drain()

    async def lapse(self) -> None:
        page, _ = await self.world.store.search(Search(state=State.SENDING), 0, 50)
        past = self.world.clock.now() - timedelta(days=400)
        for one in page:
            await self.world.store.run(
                lambda s, d=one.delivery_id: s.put_delivery(
                    replace(s.delivery(d), lease_until=past)
                ),
                Needs(deliveries=(one.delivery_id,)),
            )

    async def operator(self) -> None:
        page, _ = await self.world.store.search(Search(state=State.QUARANTINED), 0, 50)
        if not page:
            return
        one, now = self.chance.choice(page), self.world.clock.now()
        action = self.chance.choice([Action.RELEASE, Action.SUPERSEDE, Action.SKIP])
        ground = Ground("SENT_OTHERWISE", "op-1")
        await self.world.store.run(lambda s: act(s, one.delivery_id, action, ground, now))
        await self.world.drain()

    async def collect(self) -> None:
        for partner in ("HV-A", "HOU-A", "EHM-A"):
            theirs = self.world.partners[partner]
            waiting = (await self.world.collector.inbox(theirs, 0, 10))["deliveries"]
            for one in waiting:
                name = one["delivery_id"]
                with suppress(HubError):
                    await self.world.collector.fetch(theirs, name)
                    word = self.chance.choice(["APPLIED", "COPIES_DELETED", "REJECTED"])
                    await self.world.collector.acknowledge(theirs, name, word)
        await self.world.drain()

    async def view(self) -> None:
        who = self.world.partners["EHM-A"]
        await self.world.viewer.view(who, "EHM-A/FSW", "e1", "PLAN", CANONICAL)


async def played(store: Any, seed: int) -> Story:
    """Play one story and examine the record after every step."""
    world = World(store=store, partners=EVERY)
    story = Story(world, random.Random(seed))
    await world.planned()
    for number in range(STEPS):
        await story.step()
        found = joined([await examination(world.store, running=False)])
        assert (found["findings"], found["balance"]) == ([], 0), (seed, number, story.happened)
        story.seen.update(found["law"])
    return story


async def test_whatever_happens_the_record_balances() -> None:
    """After every step nothing is lost, doubled, unrecorded or out of its lane; and the stories
    together do all that they can, and end deliveries in every way that a story knows.
    """
    states: Counter[str] = Counter()
    happened: Counter[str] = Counter()
    for seed in range(STORIES):
        story = await played(None, seed)
        states.update(story.seen)
        happened += story.happened
    assert len(happened) == 9
    for state in ("made", "delivered", "suppressed", "quarantined", "expired", "handed_over"):
        assert states[state], state


async def test_it_balances_on_sqlite_too(tmp_path: Path) -> None:
    """There each lane's head is compared with the rule as well."""
    vault = FileVault.create(tmp_path / "vault.key")
    store = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}", vault)
    await played(store, 1)
    await store.close()


def test_the_judge_sees_what_a_story_hides() -> None:
    """A delivery taken out of a story's record is missed at once."""

    async def story() -> World:
        world = World(partners=EVERY)
        await world.planned()
        return world

    world = asyncio.run(story())
    world.store._tables.deliveries.popitem()
    (found,) = asyncio.run(world.store.examine("", 1))

    codes = {one.code for one in judge(found, world.clock.now())}
    assert {"LANE_HOLE", "DELIVERY_LOST"} <= codes
