"""`ecaf consent` on a real store: what was decided, who may see what, and what would change."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner

from hub.api.app import create_operator_app
from hub.checkup import site_of
from hub.cli import app
from hub.hub import Hub
from hub.partner_life import PartnerLife
from tests import builders
from tests.acceptance.real_hub import real_hub
from tests.acceptance.test_explain import SECRET, _delivered

pytestmark = pytest.mark.acceptance


async def test_the_commands_answer_from_the_store_without_a_value(tmp_path: Path) -> None:
    """Each command on a family that was shared: codes and places, never a name or a text."""
    site, file = tmp_path / "site", tmp_path / "decision.json"
    file.write_text(json.dumps(WITHDRAWN))
    async with real_hub(site) as one:
        await _delivered(one)
        headers = {"authorization": f"Bearer {one.keys['SCH-A']}"}
        copy = await one.client.get(
            "/episodes/e1/family-copy?person=c1&purpose=ASSESS", headers=headers
        )
        page = await one.client.get("/episodes/e1/access-report?person=c1", headers=headers)
        refused = await one.client.get(
            "/episodes/e1/family-copy?person=c1&purpose=ASSESS",
            headers={"authorization": f"Bearer {one.keys['HOU-A']}"},
        )
        async with operator_socket(one.hub, tmp_path / "operator.sock") as place:
            running = await answers(file, "--socket", str(place))
    assert copy.status_code == 200, copy.text
    assert copy.headers["content-type"].startswith("text/html")
    assert "Ava" in copy.text
    assert SECRET in copy.text
    assert "HOU-A/HOUS" in page.text
    assert "Ava" not in page.text
    assert refused.status_code == 403

    told = await answers(file, "--site", str(site))

    assert {name: one.output for name, one in told.items()} == {
        name: one.output for name, one in running.items()
    }
    decisions = read(told["show"])["decisions"]
    assert [one["standing"] for one in decisions] == ["in force", "in force"]
    assert {cell["service"] for cell in read(told["cells"])["cells"]} == {"HOU-A/HOUS"}
    assert told["why"].exit_code == 1
    assert read(told["why"])["places"][0]["reason"].startswith("E_CONSENT_SCOPE")
    assert told["gender"].exit_code == 0
    assert read(told["ahead"])["event"] == "consent.withdrawn"
    assert "HOU-A/HOUS" in read(told["ahead"])["recalls"]
    assert any(line["service"] == "HOU-A/HOUS" for line in read(told["given"])["disclosures"])
    assert told["hers"].exit_code == 0
    assert "HOU-A/HOUS" in told["table"].output
    named = "+ HOU-A/HOUS: sec.identity, sec.env.housing, sec.conclusions, sec.plan"
    assert told["shown"].output.count(named) == 2, "in a pipe a line is never folded"
    unknown, slip = told["unknown"], told["slip"]
    assert (unknown.exit_code, "E_NOT_FOUND" in unknown.output) == (1, True)
    assert (slip.exit_code, "subjects[].gender" in slip.output) == (1, True)
    for one_result in told.values():
        for value in (SECRET, "Ava", "Mia", "ZZ99"):
            assert value not in one_result.output


WITHDRAWN = {
    **builders.decision(),
    "consent_decision_id": "d9",
    "state": "WITHDRAWN",
    "withdrawal_type": "SHARE_ALL",
    "share_decision": "no",
    "scope_includes": [],
    "scope_excludes": [],
}


async def answers(file: Path, *where: str) -> dict[str, Any]:
    """Ask every question of the hub at *where*, its socket or its folder."""
    field = "subjects[0].elements[0].commentary"
    asked = {
        "show": ("show", "e1", "--json"),
        "shown": ("show", "e1"),
        "cells": ("matrix", "e1", "--service", "HOU-A/HOUS", "--json"),
        "why": ("why", "e1", "HOU-A/HOUS", field, "--json"),
        "gender": ("why", "e1", "HOU-A/HOUS", "subjects[].gender"),
        "ahead": ("preview", str(file), "--json"),
        "foreseen": ("preview", str(file)),
        "given": ("report", "e1", "--json"),
        "hers": ("report", "e1", "--person", "c1"),
        "table": ("matrix", "e1", "--at", "2026-10-01"),
        "unknown": ("show", "e9"),
        "slip": ("why", "e1", "HOU-A/HOUS", "subjects[].gendre"),
    }

    def run(arguments: tuple[str, ...]) -> Any:
        return CliRunner().invoke(app, ["consent", *arguments, *where])

    return {name: await asyncio.to_thread(run, arguments) for name, arguments in asked.items()}


@asynccontextmanager
async def operator_socket(hub: Hub, place: Path) -> AsyncIterator[Path]:
    """Serve the operator's application of a running hub."""
    app = create_operator_app(hub, site=site_of(hub), life=PartnerLife(hub))
    config = uvicorn.Config(app, uds=str(place), log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - a server that cannot say so
        await asyncio.sleep(0.01)
    yield place
    server.should_exit = True
    await serving


def read(result: Any) -> Any:
    """Return the one JSON object that a command printed."""
    return json.loads(result.output)
