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
PATIENCE = 8.0
"""Seconds for a step of the story: what a broken hub never does is not waited for long."""
SHARED = "answer POST messages"
SENT = "send EHM-A N7"
REPEATED = {"unsteady", "refused"}
"""What is worked on twice is answered otherwise, or is no lawful step any more: either shows it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient() -> AsyncIterator[Sweep]:
    """One warm process for all of them."""
    async with sweep(patience=PATIENCE) as run:
        yield run


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
    flaw: str, deadly: Point, faults: set[str], impatient: Sweep, said: Said
) -> None:
    """A hub that breaks one promise is found out, by what it must be found out by."""
    told = await impatient.tell(deadly, flaw)

    said(f"{flaw}: {told.verdict}, caught by {', '.join(told.faults)}")
    assert told.killed
    assert faults & told.faults.keys() if faults is REPEATED else faults <= told.faults.keys()


@pytest.mark.slow
@pytest.mark.broker
async def test_a_hub_that_ignores_confirms_is_caught(
    empty_rabbitmq: RabbitServer, said: Said
) -> None:
    """What was handed to the client of a broker, and not to the broker, is lost with the hub."""
    async with sweep(empty_rabbitmq.url, patience=PATIENCE) as run:
        told = await run.tell(("publish caf.out.HV-A", 1), "confirm-ignored")

    said(f"confirm-ignored: {told.verdict}, caught by {', '.join(told.faults)}")
    assert told.killed
    assert "lost" in told.faults
