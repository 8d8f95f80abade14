"""`ecaf consent` on a real store: what was decided, who may see what, and what would change."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests import builders
from tests.acceptance.real_hub import real_hub
from tests.acceptance.test_explain import SECRET, _delivered

pytestmark = pytest.mark.acceptance


async def test_the_commands_answer_from_the_store_without_a_value(tmp_path: Path) -> None:
    """Each command on a family that was shared: codes and places, never a name or a text."""
    site = tmp_path / "site"
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
    assert copy.status_code == 200, copy.text
    assert copy.headers["content-type"].startswith("text/html")
    assert "Ava" in copy.text
    assert SECRET in copy.text
    assert "HOU-A/HOUS" in page.text
    assert "Ava" not in page.text
    assert refused.status_code == 403

    record = {
        **builders.decision(),
        "consent_decision_id": "d9",
        "state": "WITHDRAWN",
        "withdrawal_type": "SHARE_ALL",
        "share_decision": "no",
        "scope_includes": [],
        "scope_excludes": [],
    }
    file = tmp_path / "decision.json"
    file.write_text(json.dumps(record))

    shown = await told(site, "show", "e1", "--json")
    cells = await told(site, "matrix", "e1", "--service", "HOU-A/HOUS", "--json")
    field = "subjects[0].elements[0].commentary"
    why = await told(site, "why", "e1", "HOU-A/HOUS", field, "--json")
    gender = await told(site, "why", "e1", "HOU-A/HOUS", "subjects[].gender")
    ahead = await told(site, "preview", str(file), "--json")
    given = await told(site, "report", "e1", "--json")
    hers = await told(site, "report", "e1", "--person", "c1")
    table = await told(site, "matrix", "e1")
    unknown = await told(site, "show", "e9")
    slip = await told(site, "why", "e1", "HOU-A/HOUS", "subjects[].gendre")

    assert [one["standing"] for one in body(shown)["decisions"]] == ["in force", "in force"]
    assert {cell["service"] for cell in body(cells)["cells"]} == {"HOU-A/HOUS"}
    assert why.exit_code == 1
    assert body(why)["places"][0]["reason"].startswith("E_CONSENT_SCOPE")
    assert gender.exit_code == 0
    assert body(ahead)["event"] == "consent.withdrawn"
    assert "HOU-A/HOUS" in body(ahead)["recalls"]
    assert any(line["service"] == "HOU-A/HOUS" for line in body(given)["disclosures"])
    assert hers.exit_code == 0
    assert "HOU-A/HOUS" in table.output
    assert (unknown.exit_code, "E_NOT_FOUND" in unknown.output) == (1, True)
    assert (slip.exit_code, "subjects[].gender" in slip.output) == (1, True)
    for one_result in (shown, cells, why, gender, ahead, given, hers, table):
        for value in (SECRET, "Ava", "Mia", "ZZ99"):
            assert value not in one_result.output


def body(result: Any) -> Any:
    """Return the one JSON object that a command printed."""
    return json.loads(result.output)


async def told(site: Path, *arguments: str) -> Any:
    """Run one command of `ecaf consent` on the site."""
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["consent", *arguments, "--site", str(site)]
    )
