"""Four healthy destinations beside sixteen dead, slow and hostile ones (`reliability.md` P7).

The same traffic twice: with twenty that are well, and with sixteen of them as bad as it gets.  What
is compared is how fast the four get theirs; store, gate, mapping, workers and webhooks are real.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.destinations.webhook import WebhookDestination
from hub.bootstrap import CONCURRENCY
from hub.isolation import Isolation, Rooms, unhindered
from hub.secrets import Secret
from hub.services.dispatch import Dispatcher
from hub.worker import Workers
from messaging.retry import next_delay
from tests import builders as b
from tests.chaos.races import nhs_number
from tests.contract import receiver as far
from tests.contract.receiver import Behaviour, Receiver, receiver
from tests.unit.services.world import (
    CANONICAL,
    PURPOSES,
    START,
    World,
    completion,
    includes,
    opening,
    part,
    partner,
)

pytestmark = [pytest.mark.slow, pytest.mark.acceptance]
Said = Callable[[str], None]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjzQ"
HEALTHY, EPISODES, ROUNDS = 4, 12, 5
LEAST = 0.9
ROUND_SECONDS = 120.0


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer a byte every five seconds."""
    for byte in b"HTTP/1.1 204 X\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(5)


async def late(writer: asyncio.StreamWriter) -> None:
    """Take ten seconds, and then all is well."""
    await asyncio.sleep(10)
    await far.status(204)(writer)


BAD: Sequence[Behaviour | None] = (
    *([far.silence] * 5), *([drip] * 3), *([late] * 2), *([far.status(500)] * 2),
    far.endless, far.reset, far.garbage, None,
)  # fmt: skip
"""What the sixteen do with every request; None: nobody listens there."""


class Always:
    """Answers without end, all alike."""

    def __init__(self, answer: Behaviour) -> None:
        self._answer = answer

    def popleft(self) -> Behaviour:
        return self._answer


class Going:
    """A business clock that goes."""

    def now(self) -> datetime:
        return START + timedelta(seconds=time.monotonic() - BEGAN)


BEGAN = time.monotonic()


class Traffic:
    """One hub and its twenty partners."""

    def __init__(self, store: SqlStore, receivers: Sequence[Receiver]) -> None:
        names = [f"HV-{number:02}" for number in range(len(receivers))]
        people = [partner("SCH-A", "SCH"), *(partner(name, "HV") for name in names)]
        self.world = World(store=store, partners=people)
        self.services = [f"{name}/HV" for name in names]
        self.healthy = receivers[:HEALTHY]
        self.hooks = {
            name: WebhookDestination(one.url, Secret(SECRET), public_url="https://hub.example")
            for name, one in zip(names, receivers, strict=True)
        }
        rooms, random = Rooms(), Random(1)
        dispatcher = Dispatcher(
            store, self.world.registry, self.world.translator, self.world.digester, Going(),
            unhindered(self.hooks, rooms), self.world.hints,
            lambda tried, after, _waits: next_delay(tried, random=random, retry_after=after),
            "w1", timedelta(seconds=60), room=rooms,
        )  # fmt: skip
        self.isolation = Isolation(dispatcher.deliver, rooms, self.world.hints)
        deliver = self.isolation.deliver
        self.workers = Workers(
            deliver, store, Going(), self.world.hints, concurrency=CONCURRENCY, full=rooms.full
        )

    async def close(self) -> None:
        await self.workers.stop(0.1)
        await self.isolation.stop(0.1)
        for one in self.hooks.values():
            await one.close()

    async def post(self, number: int, message: dict[str, Any]) -> None:
        """Submit a message about one of the episodes as its door does."""
        world, episode = self.world, f"e-{number}"
        text = json.dumps(message).replace('"e1"', json.dumps(episode))
        raw = text.replace("9990000018", nhs_number(number)).encode()
        read = world.translator.read(CANONICAL, raw, partner="SCH-A").message
        key, school = f"k{next(world.keys)}", world.partners["SCH-A"]
        if "consent_decision" in read:
            record = read["consent_decision"]
            await world.acceptor.accept(
                school, CANONICAL, raw, key,
                lambda s, i: world.recorder.record(s, i, episode, record), episode,
            )  # fmt: skip
            return
        await world.acceptor.accept(
            school, CANONICAL, raw, key,
            lambda s, i: world.receiver.receive(s, i, read, ()), episode,
        )  # fmt: skip

    async def agreed(self, number: int) -> None:
        """Bring an episode to where it is assessed, and all twenty may see it."""
        kept = {"state": "STORE_ONLY", "share_decision": "no", "scope_includes": []}
        everybody = includes(*self.services)
        await self.post(
            number, {"consent_decision": self.world.decision(purpose=["STORE"], **kept)}
        )
        await self.post(number, {"event": "episode.opened", "episode": opening()})
        shared = self.world.decision(purpose=PURPOSES, scope_includes=everybody)
        await self.post(number, {"consent_decision": shared})

    async def round(self, number: int, turn: int) -> None:
        """Tell everybody something new."""
        told = {"event": "assessment.completed", "episode": completion()}
        if turn:
            said = {**b.episode()["conclusions"], "goals": [f"Goal {turn}"]}
            told = {"episode": part(conclusions=said)}
        await self.post(number, told)

    async def rate(self) -> float:
        """Return how many deliveries a second the healthy ones got."""
        for number in range(EPISODES):
            await self.agreed(number)
        self.workers.start()
        began = time.monotonic()
        for turn in range(ROUNDS):
            await asyncio.gather(*(self.round(number, turn) for number in range(EPISODES)))
            owed = EPISODES * (turn + 1)
            async with asyncio.timeout(ROUND_SECONDS):
                while any(len(one.received) < owed for one in self.healthy):  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        return HEALTHY * EPISODES * ROUNDS / (time.monotonic() - began)


@asynccontextmanager
async def traffic(folder: Path, behaviours: Sequence[Behaviour | None]) -> AsyncIterator[Traffic]:
    """Twenty receivers, the last sixteen of which behave like that, and a hub."""
    vault = FileVault.create(folder / "vault.key")
    async with AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(receiver()) for _ in range(HEALTHY)]
        for behaviour in behaviours:
            one = Receiver(port=1)
            if behaviour is not None:
                one = await stack.enter_async_context(receiver())
                one.answers = Always(behaviour)  # type: ignore[assignment]
            receivers.append(one)
        store = SqlStore(f"sqlite:///{folder / 'hub.db'}", vault)
        stack.push_async_callback(store.close)
        made = Traffic(store, receivers)
        stack.push_async_callback(made.close)
        yield made


def made(folder: Path) -> Path:
    """Return a folder that is there now."""
    folder.mkdir()
    return folder


async def test_the_healthy_keep_their_rate_beside_the_bad(tmp_path: Path, said: Said) -> None:
    """At least nine tenths of what they get when all others are well, and no bad one is asked by
    more than its share of connections.
    """
    async with traffic(made(tmp_path / "well"), [far.status(204)] * len(BAD)) as well:
        before = await well.rate()
    async with traffic(made(tmp_path / "ill"), BAD) as ill:
        beside = await ill.rate()

    said(
        f"isolation: {HEALTHY} healthy beside {len(BAD)} dead, slow or hostile:"
        f" {beside:.1f}/s, {before:.1f}/s beside {len(BAD)} healthy, ratio {beside / before:.2f}"
    )
    assert beside / before >= LEAST
