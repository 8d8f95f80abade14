"""One way against the bare publisher: interleaved rounds, checked, and judged if it was quiet."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.bench.bare import Bare
from tests.bench.hubs import Course
from tests.bench.load import QUIET, Watch
from tests.bench.story import update


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds and processor seconds of one round of both sides, and the load of others."""

    hub: float
    bare: float
    hub_cpu: float
    bare_cpu: float
    others: float

    @property
    def quiet(self) -> bool:
        """Whether the round may be judged."""
        return self.others <= QUIET


@dataclass(slots=True)
class Race:
    """The rounds of one way, in messages of one size."""

    name: str
    messages: int
    rounds: list[Round] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)

    @property
    def judged(self) -> list[Round]:
        """The quiet rounds."""
        return [one for one in self.rounds if one.quiet]

    def line(self) -> str:
        """Return the row of the table: of the quiet rounds, or of all with a word of warning."""
        rounds = self.judged or self.rounds
        ratios = [one.bare / one.hub for one in rounds]
        median = statistics.median
        each = 1e6 / self.messages
        shares = " + ".join(f"{name} {spent:.0f}" for name, spent in self.shares.items())
        warning = "" if self.judged else "  NOT TO BE JUDGED: others were busy in every round"
        return (
            f"{self.name:34} {median(ratios):5.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
            f" {self.messages / median(o.hub for o in rounds):8.0f}"
            f" {self.messages / median(o.bare for o in rounds):8.0f}"
            f" {median(o.hub_cpu for o in rounds) * each:9.0f}"
            f" {median(o.bare_cpu for o in rounds) * each:6.0f}"
            f" {len(self.judged):3}/{len(self.rounds)}  {shares}{warning}"
        )


HEAD = (
    f"{'hub / bare aio-pika':34} {'ratio':5} {'[rounds]':11} {'hub/s':>8} {'bare/s':>8}"
    f" {'hub µs':>9} {'bare':>6} quiet  of that, processor µs a message by"
)


async def race(
    name: str,
    course: Course,
    peer: Bare,
    episodes: Sequence[str],
    body: bytes,
    *,
    messages: int,
    rounds: int,
) -> Race:
    """Run *rounds* after one that does not count; raises if a message is missing or too many."""
    found = Race(name, messages)
    await course.emptied()
    spent: list[dict[str, float]] = []
    for number in range(rounds + 1):
        first = number * messages
        raws = [update(episodes[n % len(episodes)], first + n) for n in range(messages)]
        # Copies: the hub's bodies are not one piece of memory, either.
        bodies = [bytes(bytearray(body)) for _ in range(messages)]
        before = await course.settled()
        with Watch() as bare:
            await peer.burst(bodies)
        start = course.way.cpu()
        with Watch() as hub:
            await course.send(raws)
        end = course.way.cpu()
        after = await course.settled()
        _check("bare", await peer.emptied(), messages)
        _check(name, await course.emptied(), messages)
        handed = after.get("handed_over", 0) - before.get("handed_over", 0)
        _check(f"{name}, handed over", handed, messages)
        shares = {part: end[part] - start[part] for part in end}
        cpu = sum(shares.values())
        others = max(bare.others, hub.others)
        one = Round(hub.seconds, bare.seconds, cpu, bare.cpu, others)
        print(
            f"  {name} {'warm-up' if number == 0 else f'round {number}'}: hub"
            f" {messages / hub.seconds:.0f}/s, bare {messages / bare.seconds:.0f}/s, ratio"
            f" {bare.seconds / hub.seconds:.2f}, others {others:.1f}"
            f"{'' if one.quiet else ' (busy)'}",
            flush=True,
        )
        if number:
            found.rounds.append(one)
            spent.append(shares)
    found.shares = {
        part: statistics.median(one[part] for one in spent) / messages * 1e6 for part in spent[0]
    }
    return found


def _check(what: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{what}: {found} messages instead of {wanted}; nothing counts")
