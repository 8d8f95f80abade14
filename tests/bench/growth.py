"""`make bench-growth`: what a message, and a look, cost when there is much of everything.

The same hub three times, in one process and in turn: a new one, one whose store holds *--stored*
messages, one with *--partners* partners.  Everything is as in production but the sending, which is
a destination that takes what it is given: so no server is needed, and the hub's own cost is seen.
The goal is flat: within 1.2 (`performance.md`; the issue's section 8).
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
import yaml

from adapters.clock import SystemClock
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.partners.profiles import load_registry
from hub.bootstrap import translator
from hub.domain.carriage import Outcome, Parcel
from hub.domain.exchange import UNSETTLED, IndexEntry, State
from hub.domain.search import Search
from hub.hub import Hub
from hub.reaching import Carriers, Reached
from hub.services.index import tokens
from hub.serving import calm_collector
from hub.settings import Settings
from hub.worker import Workers
from mappings.formats.json_strict import parse
from tests.bench.bare import IN_FLIGHT
from tests.bench.filled import INDEX, WORK, multiply
from tests.bench.hubs import InProcess
from tests.bench.load import QUIET, Watch
from tests.bench.story import RECIPIENT, SENDER, decisions, opening, update
from tests.chaos.hub_process import make_site

GOAL: Final = 1.2
BASE: Final = 100
"""Messages that really happened before a store is multiplied."""
CHILD: Final = {"family_name": "Example", "given_names": ["Ava"], "date_of_birth": "2012-05-01"}


class Taking:
    """A destination that takes everything at once (`hub.ports.Destination`)."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Say that it is there."""
        return Outcome(delivered=True, evidence={"bytes": len(parcel.body)})


@dataclass(slots=True)
class Running:
    """A hub at work, and the episodes that it has."""

    name: str
    hub: Hub
    recipients: Sequence[str]
    episodes: Sequence[str] = ()
    sent: int = 0

    async def open(self, prefix: str, count: int) -> None:
        """Open *count* episodes, each shared with one recipient, in turn."""
        way = InProcess(self.hub)
        self.episodes = [f"{prefix}{number}" for number in range(count)]

        async def one(number: int, episode_id: str) -> None:
            recipient = self.recipients[number % len(self.recipients)]
            for record in decisions(episode_id):
                told = json.dumps(record).replace(f"{RECIPIENT}/", f"{recipient}/")
                key = str(record["consent_decision_id"])
                await way.decide(episode_id, told.encode(), key)
            for step, raw in enumerate(opening(episode_id)):
                await way.submit(raw, f"o-{episode_id}-{step}")

        for at in range(0, count, 50):
            each = enumerate(self.episodes[at : at + 50], at)
            await asyncio.gather(*(one(number, episode) for number, episode in each))
        await self.settled()

    async def send(self, messages: int) -> float:
        """Send that many updates and wait until each has ended; return processor µs a message."""
        way, first = InProcess(self.hub), self.sent
        self.sent += messages
        raws = [
            update(self.episodes[number % len(self.episodes)], number)
            for number in range(first, first + messages)
        ]
        turns = asyncio.Semaphore(IN_FLIGHT)

        async def one(number: int, raw: bytes) -> None:
            async with turns:
                await way.submit(raw, f"u-{self.episodes[0]}-{number}")

        began = time.process_time()
        await asyncio.gather(*(one(number, raw) for number, raw in enumerate(raws, first)))
        await self.settled()
        return (time.process_time() - began) / messages * 1e6

    async def settled(self) -> None:
        """Wait until nothing is on its way."""
        async with asyncio.timeout(600):
            while sum((await self.hub.store.counts(UNSETTLED)).values()):  # noqa: ASYNC110 - many
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(name: str, folder: Path, recipients: int = 1) -> AsyncIterator[Running]:
    """Return the hub whose site and store are in *folder*, made where they are not there yet."""
    names = [RECIPIENT, *(f"EHM-{number:03}" for number in range(1, recipients))]
    key = folder / "site/secrets/vault.key"
    settings = Settings(config_dir=folder / "site", vault_key_file=key)
    if not key.exists():
        site, _ = make_site(folder / "site", {SENDER: None, RECIPIENT: None})
        first = yaml.safe_load(site.profiles[RECIPIENT].read_text())
        del first["credentials"]
        for one in names[1:]:
            text = yaml.safe_dump(first).replace(RECIPIENT, one)
            (site.profiles[RECIPIENT].parent / f"{one}.yaml").write_text(text)
    vault = FileVault(key)
    store = SqlStore(f"sqlite:///{folder}/hub.db", vault)
    both = translator(settings.canonical_url)
    registry = load_registry(settings.config_dir)
    hub = Hub(settings, registry, SystemClock(), store, vault, both, both, parse)
    carriers = Carriers(hub)
    carriers.adopt({one: Reached(Taking(), b"") for one in registry.partners})
    workers = Workers(carriers.deliver, store, hub.clock, hub.hints, concurrency=64)
    workers.start()
    try:
        yield Running(name, hub, names)
    finally:
        await workers.stop()
        await store.close()


async def stored(folder: Path, messages: int) -> None:
    """Let *messages* have passed through the hub of *folder*, each episode with ten of them."""
    async with running("", folder) as past:
        await past.open("past", BASE // 10)
        await past.send(BASE - 2 * len(past.episodes))
    if messages > BASE:
        await asyncio.to_thread(multiply, folder / "hub.db", WORK, messages // BASE - 1)


async def compared(hubs: Sequence[Running], messages: int, rounds: int) -> None:
    """Let each of *hubs* do the same in turn; print what a message costs, beside the first."""
    taken: dict[str, list[float]] = {one.name: [] for one in hubs}
    quiet = 0
    for number in range(rounds + 1):
        with Watch() as watch:
            spent = {one.name: await one.send(messages) for one in hubs}
        quiet += number > 0 and watch.others <= QUIET
        if number:
            for name, cost in spent.items():
                taken[name].append(cost)
    print(f"{'a message: accepted, gated, rendered, settled':48} {'µs':>7} {'ratio':>6}")
    first = taken[hubs[0].name]
    for name, costs in taken.items():
        ratio = statistics.median(b / a for a, b in zip(first, costs, strict=True))
        print(f"  {name:46} {statistics.median(costs):7.0f} {ratio:6.2f}{_verdict(ratio)}")
    print(f"  quiet rounds: {quiet} of {rounds}\n", flush=True)


def _verdict(ratio: float) -> str:
    return "" if ratio <= GOAL else f"  NOT FLAT (goal {GOAL})"


Look = Callable[[Running], Awaitable[Any]]
LOOKS: Final[dict[str, Look]] = {
    "readiness": lambda one: one.hub.readiness(),
    "the brake's count": lambda one: one.hub.store.counts(UNSETTLED),
    "what is due": lambda one: one.hub.store.due(one.hub.clock.now(), 1_000),
    "backlog, for a collector": lambda one: one.hub.store.backlog(),
    "all deliveries by state": lambda one: one.hub.store.counts(),
    "search by state": lambda one: one.hub.store.search(Search(state=State.PENDING), 0, 50),
    "a message by its sender's key": lambda one: one.hub.taken_at(
        one.hub.registry.partners[SENDER], f"u-{one.episodes[0]}-0"
    ),
    "the minute's purge": lambda one: one.hub.store.purge(one.hub.clock.now()),
}


async def looked(few: Running, many: Running, looks: dict[str, Look] = LOOKS) -> None:
    """Print what each look costs with few and with many, as the median of fifty in turn."""
    print(f"{'a look, ms':48} {few.name:>10} {many.name:>18} {'ratio':>6}")
    for name, look in looks.items():
        spent: tuple[list[float], list[float]] = ([], [])
        for _ in range(50):
            for one, times in zip((few, many), spent, strict=True):
                began = time.perf_counter()
                await look(one)
                times.append(time.perf_counter() - began)
        a, b = (statistics.median(times) * 1e3 for times in spent)
        print(f"  {name:46} {a:10.3f} {b:18.3f} {b / a:6.2f}{_verdict(b / a)}", flush=True)
    print()


async def children(folder: Path, count: int) -> None:
    """Put *count* children into the index of the hub in *folder*."""
    async with running("", folder) as one:
        held = {**CHILD, "identifiers": [{"system": "nhs-number", "value": "9990000018"}]}
        at = one.hub.clock.now()
        entry = IndexEntry(
            entry_id="i1", reference="i1", tokens=tokens(one.hub.digester, held), match=held,
            caf_state="OPEN", contact={"name": "A. Example"}, authority=None, mediated=False,
            last_sequence=1, verified_at=at,
        )  # fmt: skip
        await one.hub.store.run(lambda session: session.put_index_entry(entry))
    if count > 1:
        await asyncio.to_thread(multiply, folder / "hub.db", INDEX, count - 1)


async def check(one: Running) -> None:
    """Ask the index for a child by name and date of birth."""
    question = json.dumps({"purpose": "ASSESS", "subject": CHILD}).encode()
    found = await one.hub.check_index(one.hub.registry.partners[SENDER], question)
    if found["result"] != "POSSIBLE":
        raise RuntimeError(f"the index said {found['result']}; nothing counts")


async def _run(told: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="ecaf-bench-") as name:
        top = Path(name)
        began = time.perf_counter()
        for part, messages in (("few", 0), ("many", told.stored), ("wide", 0)):
            (top / part).mkdir()
            if part != "wide":
                await stored(top / part, max(messages, BASE))
        await children(top / "few", 1)
        await children(top / "many", told.children)
        print(f"filled in {time.perf_counter() - began:.0f} s\n", flush=True)
        async with AsyncExitStack() as stack:
            few = await stack.enter_async_context(running("new", top / "few"))
            many = await stack.enter_async_context(running(f"{told.stored} messages", top / "many"))
            wide = await stack.enter_async_context(
                running(f"{told.partners} partners", top / "wide", told.partners)
            )
            for one in (few, many, wide):
                await one.open("now", told.episodes)
            calm_collector()  # as `serve` does: else each message pays for what all three hold
            await compared((few, many, wide), told.messages, told.rounds)
            await looked(few, many)
            few.name, many.name = "1 child", f"{told.children} children"
            await looked(few, many, {"the index, by name and date of birth": check})


def main() -> None:
    """Run with the sizes that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--stored", type=int, default=100_000, help="messages, in the full store")
    parser.add_argument("--partners", type=int, default=500)
    parser.add_argument("--children", type=int, default=100_000, help="in the full index")
    parser.add_argument(
        "--episodes", type=int, default=500, help="in each hub, that messages are about"
    )
    parser.add_argument("--messages", type=int, default=500, help="in one round")
    parser.add_argument("--rounds", type=int, default=5)
    uvloop.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
