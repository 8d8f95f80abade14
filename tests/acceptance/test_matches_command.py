"""`ecaf matches` on a real hub: while it runs, over its socket, and at rest."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests import builders
from tests.acceptance.real_hub import RealHub, real_hub
from tests.acceptance.test_consent_commands import operator_socket

pytestmark = pytest.mark.acceptance


async def waiting(one: RealHub) -> None:
    """Wait until the worker has looked at the notice."""
    for _ in range(400):
        if (await one.hub.noticing.matches.listed())["matches"]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody looked at the notice")


async def test_a_named_person_decides_over_the_socket_and_at_rest(tmp_path: Path) -> None:
    """List, show, claim while it runs; refuse when it does not; and never a value."""
    site, said = tmp_path / "site", []

    async def run(*arguments: str) -> Any:
        done = await asyncio.to_thread(CliRunner().invoke, app, ["matches", *arguments])
        said.append(done.output)
        return done

    async with real_hub(site) as one:
        raw = json.dumps(builders.notification()).encode()
        posted = await one.post("SCH-A", "/notifications", raw, "n-1", "application/json")
        assert posted.status_code == 202
        await waiting(one)
        async with operator_socket(one.hub, tmp_path / "operator.sock") as place:
            where = ("--socket", str(place))
            listed = json.loads((await run("list", "--json", *where)).output)
            (notice,) = [found["notice_id"] for found in listed["matches"]]
            assert "1 waiting" in (await run("list", *where)).output
            assert "decide" in (await run("show", notice, *where)).output
            claimed = await run("decide", notice, "claim", "--by", "p-1", *where)
            assert claimed.exit_code == 0
            wrong = await run("decide", notice, "refuse", "--by", "p-1", *where)
            assert (wrong.exit_code, "E_CODELIST" in wrong.output) == (1, True)

    rest = ("--site", str(site))
    assert "p-1" in (await run("list", *rest)).output
    other = await run("decide", notice, "refuse", "--by", "p-2", "--reason", "TEST", *rest)
    assert (other.exit_code, "E_STATE" in other.output) == (1, True)
    ended = await run("decide", notice, "refuse", "--by", "p-1", "--reason", "TEST", *rest)
    assert "refused" in ended.output
    assert "0 waiting" in (await run("list", *rest)).output
    assert (await run("show", notice, *rest)).exit_code == 1
    for output in said:
        for value in ("Ava", "W001", "2016", "ZZ99", "Absent"):
            assert value not in output
