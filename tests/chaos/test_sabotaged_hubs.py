"""Hubs that break one promise, each killed at the point where that shows, and each found out.

The sweep (`test_crash_points`) proves nothing if it passes these, too.
"""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.chaos.sweep import Point, Sweep, sweep
from tests.servers.rabbitmq import RabbitServer

pytestmark = pytest.mark.acceptance
Said = Callable[[str], None]
PATIENCE = (8.0, 30.0, 60.0)
"""Seconds for a step of the story, each time that it is told: what a broken hub never does is not
waited for long, and what a slow machine does late is waited for the next time.
"""
SHARED = "answer POST messages"
SENT = "send EHM-A N7"
REPEATED = {"unsteady", "refused"}
"""What is worked on twice is answered otherwise, or is no lawful step any more: either shows it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def warm() -> AsyncIterator[Sweep]:
    """One warm process for all of them."""
    async with sweep() as run:
        yield run


async def caught(
    run: Sweep, flaw: str, deadly: Point, enough: Callable[[set[str]], bool], said: Said
) -> bool:
    """Whether one of three stories at most, told to the hub with *flaw* that dies at *deadly*,
    shows faults that are *enough*.
    """
    for patience in PATIENCE:
        told = await run.tell(deadly, flaw, patience)
        said(f"{flaw}: {told.verdict}, caught by {', '.join(told.faults) or 'nothing'}")
        if told.killed and enough(set(told.faults)):
            return True
    return False


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("flaw", "deadly", "faults"),
    [
        ("answer-before-commit", (f"after {SHARED}", 2), {"lost", "stuck"}),
        pytest.param(
            "two-transactions", ("INSERT delivery", 1), {"states"}, marks=pytest.mark.slow
        ),
        pytest.param("no-sweep", (SENT, 1), {"lost", "stuck"}, marks=pytest.mark.slow),
        pytest.param("delivered-before-sent", (SENT, 1), {"lost", "stuck"}, marks=pytest.mark.slow),
        ("no-dedupe", (SHARED, 2), REPEATED),
        pytest.param(
            "new-id-each-attempt", (f"after {SENT}", 1), {"duplicated"}, marks=pytest.mark.slow
        ),
        ("audit-after-sending", (f"after {SENT}", 1), {"undisclosed"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_sabotaged_hub_is_caught_at_a_point(
    flaw: str, deadly: Point, faults: set[str], warm: Sweep, said: Said
) -> None:
    """A hub that breaks one promise is found out, by what it must be found out by."""

    def enough(found: set[str]) -> bool:
        return bool(faults & found) if faults is REPEATED else faults <= found

    assert await caught(warm, flaw, deadly, enough, said)


@pytest.mark.slow
@pytest.mark.broker
async def test_a_hub_that_ignores_confirms_is_caught(
    empty_rabbitmq: RabbitServer, said: Said
) -> None:
    """What was handed to the client of a broker, and not to the broker, is lost with the hub."""
    async with sweep(empty_rabbitmq.url) as run:
        deadly = ("publish caf.out.HV-A", 1)
        assert await caught(run, "confirm-ignored", deadly, {"lost"}.issubset, said)
