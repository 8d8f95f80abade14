"""`ecaf doctor` on a real hub: while it runs, over its socket, and at rest; broken, it exits 1."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests.acceptance.real_hub import real_hub
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_explain import SECRET, _delivered

pytestmark = pytest.mark.acceptance


async def doctor(*arguments: str) -> Any:
    """Run `ecaf doctor` as an operator does."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["doctor", *arguments])


async def test_it_judges_a_running_hub_and_a_store_at_rest(tmp_path: Path) -> None:
    """The law holds both times; what is then taken out of the file is named, with its remedy."""
    site = tmp_path / "site"
    async with real_hub(site) as one:
        delivery = await _delivered(one)
        async with operator_socket(one.hub, tmp_path / "operator.sock") as place:
            running = await doctor("--socket", str(place), "--json")
            held = await doctor("--site", str(site))

    rest = await doctor("--site", str(site), "--json")
    with sqlite3.connect(site / "hub.db") as database:
        database.execute("DELETE FROM delivery WHERE delivery_id = ?", (delivery,))
    database.close()
    broken = await doctor("--site", str(site))

    told = [json.loads(found.output) for found in (running, rest)]
    assert (running.exit_code, rest.exit_code) == (0, 0)
    assert told[0]["law"] == told[1]["law"]
    assert told[0]["law"]["made"] == told[0]["law"]["handed_over"] + told[0]["law"]["delivered"]
    assert all(found["healthy"] and not found["balance"] for found in told)
    assert (held.exit_code, "belongs to a running hub" in held.output) == (1, True)
    assert broken.exit_code == 1
    for words in ("1 do not balance", "LANE_HOLE", "DELIVERY_LOST", "restore the database"):
        assert words in broken.output
    for found in (running, rest, held, broken):
        for value in (SECRET, "Ava", "Mia", "ZZ99"):
            assert value not in found.output
