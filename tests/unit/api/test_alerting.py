"""Alerts over HTTP: a partner's own, and the operator's socket with the command line on it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from hub.api.app import create_app, create_operator_app
from hub.cli import app
from hub.services.alerts import alert
from tests.contract.records import NOW, writing
from tests.unit.api.small_hub import SmallHub, small_hub


@pytest.fixture
async def hub() -> SmallHub:
    made = small_hub()
    for audience in ("lead:EHM-A/FSW", "administrator:HOU-A", "operator"):
        one = alert("test.due", audience, at=NOW, episode_id="e1", facts={"days": 3})
        await made.alerted.run(writing(one))
    return made


@pytest.fixture
async def socket(hub: SmallHub, tmp_path: Path) -> AsyncIterator[Path]:
    """The operator's application on a real socket."""
    place = tmp_path / "s"
    config = uvicorn.Config(create_operator_app(hub), uds=str(place), log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - a server that cannot say so
        await asyncio.sleep(0.01)
    yield place
    server.should_exit = True
    await serving


async def test_a_partner_lists_and_acknowledges_its_own(hub: SmallHub) -> None:
    """And is told nothing of anybody else's."""
    headers = {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}
    transport = httpx.ASGITransport(create_app(hub))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://hub", headers=headers
    ) as door:
        listed = (await door.get("/alerts")).json()["alerts"]
        seen = await door.post(f"/alerts/{listed[0]['alert_id']}/ack")
        others = await door.post("/alerts/unknown/ack")
        left = (await door.get("/alerts")).json()["alerts"]
        bare = await door.get("/alerts", headers={"authorization": ""})

    assert [one["audience"] for one in listed] == ["lead:EHM-A/FSW"]
    assert (seen.status_code, others.status_code, bare.status_code) == (200, 404, 401)
    assert left == []


async def ecaf(*words: str) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, app, ["alerts", *words])
    return done.exit_code, done.output


async def test_the_operator_lists_and_acknowledges_on_the_command_line(socket: Path) -> None:
    """`ecaf alerts list` and `ack`, as text and as JSON, over the running hub's socket."""
    at = ["--socket", str(socket)]
    code, text = await ecaf("list", *at)
    one = json.loads((await ecaf("list", *at, "--audience", "operator", "--json"))[1])["alerts"][0]

    assert code == 0
    assert "test.due for lead:EHM-A/FSW: episode_id=e1 days=3" in text
    assert "3 alerts" in text
    assert "seen at" in (await ecaf("ack", one["alert_id"], *at))[1]
    assert "2 alerts" in (await ecaf("list", *at))[1]
    assert len(json.loads((await ecaf("list", *at, "--all", "--json"))[1])["alerts"]) == 3


async def test_the_command_line_says_what_is_wrong(socket: Path, tmp_path: Path) -> None:
    """No such alert, no hub there, no socket named: exit 1 with a code and a remedy."""
    said = [
        await ecaf("ack", "unknown", "--socket", str(socket)),
        await ecaf("list", "--socket", str(tmp_path / "nobody")),
        await ecaf("list"),
    ]

    assert [code for code, _ in said] == [1, 1, 1]
    assert [text.split(":")[0] for _, text in said] == [
        "E_NOT_FOUND",
        "E_UNAVAILABLE",
        "E_CONFIGURATION",
    ]
