"""Withdrawal against dispatch, within fifty milliseconds, with four workers on a real store.

Every race prepares an episode of its own and lets one way out (`KINDS`) and the family's
withdrawal start at nearly the same moment.  The oracle knows nothing of the hub: it notes when
bytes left, when the withdrawal was answered, and what that answer listed as in flight
(`reliability.md` P23).
"""

import asyncio
import json
import random
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from hub.domain.carriage import Outcome, Parcel
from hub.domain.exchange import State
from hub.errors import Code, HubError, Unavailable
from hub.ports import Needs, Store
from hub.services.content import sent_tree
from hub.services.dispatch import Dispatcher
from hub.services.pull import Pull
from hub.services.registers import OWN_ALONE
from hub.services.replay import Replay
from tests import builders as b
from tests.unit.services.world import (
    CANONICAL,
    PURPOSES,
    Tree,
    World,
    completion,
    includes,
    opening,
    part,
)

KINDS: Final = (
    *("first send", "retry", "lease", "quarantine", "replay", "pull", "view", "notification"),
    "pull through",
)
WORKERS: Final = 4
AT_ONCE: Final = 16
LEASE: Final = timedelta(seconds=1)
"""Longer than any send, as in a real hub: what outlives its lease is sent by two at once."""
SERVICES: Final = ("SCH-A/SCH", "HV-A/HV", "HV-B/HV")
SOCIAL_CARE: Final = "CSC-A/CSC"
PULLED: Final = ("sec.identity", "sec.conclusions")
CONTENT: Final = frozenset({"N6", "N7", "N9", "N5", "NOTICE", "FETCHED", "VIEW", "PULLED"})


@dataclass
class Left:
    """Bytes that left: when, about which episode, by which delivery."""

    at: float
    episode: str
    delivery: str
    kind: str


@dataclass
class Answered:
    """A withdrawal that was answered: when, and what it listed as in flight."""

    at: float
    in_flight: frozenset[str]


@dataclass
class Race:
    """The world of all races, and what the oracle noted."""

    store: Store
    chance: random.Random
    left: list[Left] = field(default_factory=list)
    answered: dict[str, Answered] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    rounds: dict[str, str] = field(default_factory=dict)
    raced: set[str] = field(default_factory=set)
    late: int = 0

    def __post_init__(self) -> None:
        self.world = World(store=self.store)
        carriers = {name: Receiving(self, name) for name in self.world.partners}
        parts = (self.store, self.world.registry, self.world.translator, self.world.digester,
                 self.world.clock)  # fmt: skip
        self.dispatchers = [
            Dispatcher(*parts, carriers, self.world.hints, lambda *_: 0.0, f"w{n}", LEASE)
            for n in range(WORKERS)
        ]

    # What a partner does

    async def post(self, episode: str, number: int, message: Tree, who: str = "SCH-A") -> Any:
        """Submit a message about one of the episodes as its door does."""
        text = json.dumps(message).replace('"e1"', json.dumps(episode))
        raw = text.replace("9990000018", nhs_number(number)).encode()
        world = self.world
        read = world.translator.read(CANONICAL, raw, partner=who).message
        key = f"k{next(world.keys)}"
        if "consent_decision" in read:
            record = read["consent_decision"]
            return await world.acceptor.accept(
                world.partners[who], CANONICAL, raw, key,
                lambda s, i: world.recorder.record(s, i, episode, record), episode,
            )  # fmt: skip
        assert str(sent_tree(read)["episode_id"]) == episode
        return await world.acceptor.accept(
            world.partners[who], CANONICAL, raw, key,
            lambda s, i: world.receiver.receive(s, i, read, ()), episode,
        )  # fmt: skip

    async def prepared(self, episode: str, number: int) -> None:
        """Bring an episode to where it is assessed and shared, and let all of it arrive."""
        store = {"state": "STORE_ONLY", "share_decision": "no", "scope_includes": []}
        for message in (
            {"consent_decision": self.decision(purpose=["STORE"], **store)},
            {"event": "episode.opened", "episode": opening()},
            {"consent_decision": self.decision()},
            {"event": "assessment.completed", "episode": completion()},
        ):
            await self.post(episode, number, message)
        await self.rest(episode)

    def decision(self, **changes: Any) -> Tree:
        """Return a decision signed now: by default that all may see everything, and that social
        care may pull two sections into its assessment.
        """
        signed = self.world.clock.now().isoformat().replace("+00:00", "Z")
        pull = {"service": SOCIAL_CARE, "sensitive": True, "purpose": "PULL_THROUGH"}
        items = [*includes(*SERVICES), *({**pull, "section": name} for name in PULLED)]
        made = {"signed_at": signed, "recorded_at": signed, "scope_includes": items}
        return self.world.decision(**{**made, "purpose": [*PURPOSES, "PULL_THROUGH"], **changes})

    async def rest(self, episode: str) -> None:
        """Wait until nothing of an episode is on its way."""
        open_ = {State.PENDING, State.SENDING}
        for _ in range(400):
            waiting = await self.store.run(
                lambda s: s.unsettled(episode), Needs(episodes=(episode,))
            )
            if not [one for one in waiting if one.state in open_]:
                return
            for one in waiting:  # content waits for the recall to be acknowledged
                if one.message_type == "N10" and one.state is State.HANDED_OVER:
                    await self.locked(one.partner, one.delivery_id)
            self.world.hints.offer([one.delivery_id for one in waiting if one.state in open_])
            await asyncio.sleep(0.06)
        raise AssertionError("an episode never came to rest")

    async def locked(self, who: str, delivery_id: str) -> None:
        """Let a partner say that it has locked its copies."""
        partner, collector = self.world.partners[who], self.world.collector
        if partner.delivering.channel == "pull":
            await collector.fetch(partner, delivery_id)
        await collector.acknowledge(partner, delivery_id, "COPIES_LOCKED")

    async def update(self, episode: str, number: int) -> None:
        """Change what everybody in the team sees."""
        told = {**b.episode()["conclusions"], "goals": [f"Goal {self.chance.random()}"]}
        await self.post(episode, number, {"episode": part(conclusions=told)})

    async def withdraw(self, episode: str, number: int) -> None:
        """Withdraw all sharing, and note when and with what it was answered."""
        record = self.decision(
            state="WITHDRAWN", withdrawal_type="SHARE_ALL", share_decision="no", scope_includes=[]
        )
        receipt = await self.post(episode, number, {"consent_decision": record})
        listed = frozenset(one["delivery_id"] for one in receipt.body["in_flight"])
        self.answered[self.rounds[episode]] = Answered(time.monotonic(), listed)

    # The races

    async def run(self, episode: str, number: int, kind: str) -> None:
        """Run one race, on an episode that has had one of every other kind."""
        self.rounds[episode] = f"{episode}/{kind}"
        going = await getattr(self, kind.replace(" ", "_"))(episode, number)
        offset = self.chance.uniform(-0.05, 0.05)

        async def out() -> None:
            await asyncio.sleep(max(0.0, offset))
            await going()

        async def back() -> None:
            await asyncio.sleep(max(0.0, -offset))
            await self.withdraw(episode, number)

        await asyncio.gather(out(), back())
        await self.rest(episode)
        self.raced.add(kind)

    async def shared_again(self, episode: str, number: int) -> None:
        """Agree anew, and let what that gives arrive; that belongs to no race."""
        self.rounds[episode] = episode
        await self.post(episode, number, {"consent_decision": self.decision()})
        await self.rest(episode)

    async def first_send(self, episode: str, number: int) -> Any:
        return lambda: self.update(episode, number)

    async def retry(self, episode: str, number: int) -> Any:
        self.failing.add(episode)
        await self.update(episode, number)
        await asyncio.sleep(0.02)

        async def again() -> None:
            self.failing.discard(episode)
            await self.offer(episode)

        return again

    async def lease(self, episode: str, number: int) -> Any:
        self.hanging.add(episode)
        await self.update(episode, number)
        await asyncio.sleep(LEASE.total_seconds())

        async def again() -> None:
            self.hanging.discard(episode)
            await self.offer(episode)

        return again

    async def quarantine(self, episode: str, number: int) -> Any:
        """What was set aside goes again, as a release puts it back."""
        self.failing.add(episode)
        await self.update(episode, number)
        await asyncio.sleep(0.02)
        return lambda: self.release(episode)

    async def release(self, episode: str) -> None:
        self.failing.discard(episode)
        for _ in range(3):
            await self.offer(episode)
            await asyncio.sleep(0.01)

    async def replay(self, episode: str, _number: int) -> Any:
        """What arrived before goes again, once an operator has looked at what it would be."""
        sent = await self.store.run(lambda s: s.deliveries(episode), Needs(episodes=(episode,)))
        last = [d for d in sent if (d.partner, d.message_type) == ("HV-A", "N7")][-1]
        world = self.world
        parts = (self.store, world.registry, OWN_ALONE, world.clock, world.hints)
        asked = {"deliveries": [last.delivery_id], "reason": "LOST_BY_RECIPIENT", "by": "op-1"}
        looked = await Replay(*parts)(asked)

        async def again() -> None:
            with suppress(HubError):  # the family said no since it was looked at
                await Replay(*parts)({**asked, "confirm": looked["confirm"]})

        return again

    async def pull(self, episode: str, number: int) -> Any:
        await self.update(episode, number)
        await self.rest(episode)
        mine = self.world.partners["HV-B"]
        waiting = (await self.world.collector.inbox(mine, 0, 100_000))["deliveries"]
        ids = [one["delivery_id"] for one in waiting if one["episode_id"] == episode]

        async def fetch() -> None:
            for delivery_id in ids:
                try:
                    await self.world.collector.fetch(mine, delivery_id)
                except HubError:
                    continue
                now, stage = time.monotonic(), self.rounds[episode]
                self.left.append(Left(now, stage, delivery_id, "FETCHED"))

        return fetch

    async def view(self, episode: str, _number: int) -> Any:
        async def look() -> None:
            partner = self.world.partners["HV-A"]
            try:
                seen = await self.world.viewer.view(
                    partner, "HV-A/HV", episode, "ASSESS", CANONICAL
                )
            except HubError:
                return
            view_id = json.loads(seen.body)["message"]["message_id"]
            self.left.append(Left(time.monotonic(), self.rounds[episode], view_id, "VIEW"))

        return look

    async def pull_through(self, episode: str, _number: int) -> Any:
        """Social care takes what it may into its own assessment."""
        partner = replace(self.world.partners["CSC-A"], acting="p-csc")

        async def take() -> None:
            try:
                seen = await self.world.viewer.pull(
                    partner, SOCIAL_CARE, episode, Pull(PULLED, "CFA-2026-117")
                )
            except HubError:
                return
            view_id = str(seen.tree["message"]["message_id"])
            self.left.append(Left(time.monotonic(), self.rounds[episode], view_id, "PULLED"))

        return take

    async def notification(self, episode: str, number: int) -> Any:
        """A notice is matched and sent on, or, matched before, only sent on: to match takes longer
        than to withdraw.
        """
        child = b.notification()["subject"]
        child["identifiers"] = [{"system": "nhs-number", "value": "9990000018"}]
        text = json.dumps({"notification": b.notification(subject=child)})
        raw = text.replace("9990000018", nhs_number(number)).encode()
        body = self.world.translator.read(CANONICAL, raw, partner="HOU-A").message["notification"]
        world = self.world

        await world.notifier.notice(world.partners["HOU-A"], raw, f"n{number}", body)
        if self.chance.random() < 0.5:
            return world.matcher.round
        self.failing.add(episode)
        await world.matcher.round()
        await asyncio.sleep(0.02)

        async def again() -> None:
            self.failing.discard(episode)
            await self.offer(episode)

        return again

    async def offer(self, episode: str) -> None:
        """Let the workers look at an episode again."""
        waiting = await self.store.run(lambda s: s.unsettled(episode), Needs(episodes=(episode,)))
        self.world.hints.offer([one.delivery_id for one in waiting])

    # The verdict

    def broken(self) -> list[str]:
        """Return every leaving after an answered withdrawal that the answer had not listed."""
        found = []
        for left in self.left:
            answered = self.answered.get(left.episode)
            if answered is None or left.at <= answered.at or left.kind not in CONTENT:
                continue
            self.late += 1
            if left.delivery not in answered.in_flight:
                found.append(f"{left.kind} of {left.episode} left after the answer")
        return found


@dataclass
class Receiving:
    """The receiving end of a partner: notes the moment at which the hub began to send."""

    race: Race
    name: str

    async def send(self, parcel: Parcel) -> Outcome:
        """Take a parcel, fail, or hang past the lease, as the race wants it."""
        race, episode = self.race, parcel.lane
        if parcel.thin:
            return Outcome(delivered=False, evidence={"waits": True})
        now, stage = time.monotonic(), race.rounds.get(episode, episode)
        race.left.append(Left(now, stage, parcel.delivery_id, parcel.message_type))
        content = parcel.message_type in CONTENT
        if content and episode in race.failing:
            raise Unavailable(Code.UNAVAILABLE, "down")
        if content and episode in race.hanging:
            await asyncio.sleep(2 * LEASE.total_seconds())
            raise Unavailable(Code.OUTCOME_UNKNOWN, "no answer")
        await asyncio.sleep(race.chance.choice([0.0, 0.05, 0.25]))
        race.left.append(
            Left(time.monotonic(), stage, parcel.delivery_id, parcel.message_type)
        )  # and now it has arrived
        return Outcome(delivered=True, evidence={"status": 200})


def nhs_number(number: int) -> str:
    """Return the test NHS number of a race."""
    for last in range(number * 3 % 1_000_000, 1_000_000):
        nine = f"999{last:06d}"
        check = 11 - sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
        if check != 10:
            return nine + str(check % 11)
    raise AssertionError("no more test numbers")


async def races(store: Store, count: int, seed: int) -> Race:
    """Run *count* races of all kinds with four workers; `Race.broken` is the verdict."""
    race = Race(store, random.Random(seed))

    async def work(dispatcher: Dispatcher) -> None:
        while True:
            await dispatcher.deliver(await race.world.hints.take())

    workers = [asyncio.create_task(work(one)) for one in race.dispatchers for _ in range(4)]
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(first: int) -> None:
        async with turns:
            episode = f"race-{first // len(KINDS)}"
            await race.prepared(episode, first)
            for number in range(first, min(first + len(KINDS), count)):
                if number > first:
                    await race.shared_again(episode, first)
                await race.run(episode, first, KINDS[number % len(KINDS)])

    try:
        await asyncio.gather(*(one(first) for first in range(0, count, len(KINDS))))
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return race
