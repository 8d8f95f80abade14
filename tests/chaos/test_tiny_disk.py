"""A disk that is full: refused with a code, nothing acknowledged lost, and well again with room.

`reliability.md` P14.  The limit is one of the process (`RLIMIT_FSIZE`): the database and its log
cannot grow beyond it, as on a full disk, and nobody else's disk is filled.  It is lifted from
outside, while the hub runs.
"""

import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.chaos.rig import rig

pytestmark = pytest.mark.acceptance
Said = Callable[[str], None]
REFUSALS = 5


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
async def test_a_full_disk_is_survived(rounds: int, seed: int, said: Said) -> None:
    """Filled under load: 503 and a code, what was there can be read, and then all of it arrives."""
    async with rig(seed) as run:
        file = run.folder / "hub.db"
        for number in range(rounds):
            pid = run.hub.pid
            assert pid is not None
            async with run.burst(4, 4):
                await run.moment("answer", run.random.randrange(1, 8))
                largest = max(part.stat().st_size for part in run.folder.glob("hub.db*"))
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
                await run.moment("unwell", REFUSALS)
                page = await run.hub.operator("/admin/lanes")
                assert page.status_code == 200
                resource.prlimit(
                    pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                )
            if number % 2:
                await run.kill_and_restart()
            await run.settle(60.0)
        codes = {line["code"] for line in run.ledger.lines() if line["kind"] == "unwell"}
        verdict = run.verdict()
        unrecorded = await run.undisclosed()
        with closing(sqlite3.connect(file)) as connection:
            whole = connection.execute("PRAGMA integrity_check").fetchone()[0]

    said(
        f"full disk: {rounds} times, {run.ledger.counted['unwell']} refusals, {run.kills} kills,"
        f" {verdict}, seed {seed}"
    )
    assert verdict.faults() == {}
    assert unrecorded == []
    assert codes <= {"E_STORE", "E_OUTCOME_UNKNOWN", "E_BUSY"}
    assert whole == "ok"
    assert verdict.acknowledged == rounds * 2 * 4 * (3 + 4)
