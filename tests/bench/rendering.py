"""What rendering costs: bytes in to bytes out, beside orjson's parse and print of the output."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hub.bootstrap import translator
from hub.services.released import Released, rehearse
from mappings.formats import fhir_r4_rules
from tests import builders
from tests.bench.story import CONTENT, family

ROUNDS: Final = 11
TIMES: Final = 60


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor µs a message (medians), and ratios to orjson (medians of the rounds' ratios)."""

    what: str
    size: int
    unit: float
    render: float
    ratio: float
    validation: float


def costs() -> list[Cost]:
    """Return the cost of the benchmark's update and of a whole family with plan and reviews."""
    episode = {**family("e1"), "status": "ASSESSED"}
    return [_cost("update", episode), _cost("whole family", builders.episode())]


def _cost(what: str, episode: dict[str, Any]) -> Cost:
    header = builders.header(message_id="m1", message_type="N7")
    raw = orjson.dumps({"message": header, "notification": {"code": "N7"}, "episode": episode})
    one = translator("https://ecaf.example/fhir")
    released: Released = rehearse(orjson.loads(raw))
    body = one.render(CONTENT, released, partner="").body
    document = orjson.loads(body)

    def render() -> None:
        orjson.loads(raw)
        one.render(CONTENT, released, partner="")

    works = (
        lambda: orjson.dumps(orjson.loads(body)),
        render,
        lambda: fhir_r4_rules.structure_holds(document),
    )
    rounds = [[_cpu(work) for work in works] for _ in range(ROUNDS + 1)][1:]
    unit, rendered, _ = (statistics.median(spent) for spent in zip(*rounds, strict=True))
    return Cost(
        what,
        len(body),
        unit,
        rendered,
        statistics.median(spent[1] / spent[0] for spent in rounds),
        statistics.median(spent[2] / spent[0] for spent in rounds),
    )


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(TIMES):
        work()
    return (time.process_time() - started) / TIMES * 1e6
