"""`ecaf explain` on a stored delivery, and `ecaf render --as`: why a field came, and why not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests import builders
from tests.acceptance.real_hub import RealHub, real_hub

pytestmark = pytest.mark.acceptance
SECRET = "headaches-9Kq"


def _consents() -> list[dict[str, Any]]:
    """Mia's decisions for Ava and for herself; housing gets four sections."""
    child = builders.decision()
    adult = {
        **builders.decision(),
        "consent_decision_id": "d2",
        "subject_id": "c1",
        "given_by_basis": "ADULT_SELF",
    }
    adult.pop("pr_basis")
    return [child, adult]


def _family() -> dict[str, Any]:
    """The assessment as the school completes it, with a word that housing must not see."""
    whole = builders.episode()
    for name in ("plan", "reviews", "status"):
        whole.pop(name)
    whole["services"] = {"assessor": whole["services"]["assessor"], "lp_state": "ACTING"}
    whole["subjects"][0]["elements"][0]["commentary"] = SECRET
    return whole


async def _delivered(one: RealHub) -> str:
    """Play the family into the hub and return the id of what HOU-A fetched."""
    for record in _consents():
        raw = json.dumps(record).encode()
        path = "/episodes/e1/consents"
        answer = await one.post(
            "SCH-A", path, raw, record["consent_decision_id"], "application/json"
        )
        assert answer.status_code == 201, answer.text
    for event, tree in (
        ("episode.opened", _family()),
        ("assessment.completed", {"episode_id": "e1"}),
    ):
        raw = json.dumps({"event": event, "episode": tree}).encode()
        answer = await one.post("SCH-A", "/messages", raw, event)
        assert answer.status_code == 202, answer.text
    headers = {"authorization": f"Bearer {one.keys['HOU-A']}"}
    for _ in range(200):
        inbox = (await one.client.get("/inbox", headers=headers)).json()["deliveries"]
        if inbox:
            break
        await asyncio.sleep(0.05)
    delivery_id = str(inbox[0]["delivery_id"])
    body = await one.client.get(f"/deliveries/{delivery_id}", headers=headers)
    assert body.status_code == 200, body.text
    assert SECRET not in body.text
    return delivery_id


async def test_a_delivery_is_explained_by_rule_and_decision_without_values(tmp_path: Path) -> None:
    """Every field has its rule and the decision that let it out; what was cut has its reason."""
    site = tmp_path / "site"
    async with real_hub(site) as one:
        delivery_id = await _delivered(one)

    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["explain", delivery_id, "--site", str(site), "--json"]
    )

    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    rows = {row["caf"]: row for row in told["rows"]}
    housing = next(row for path, row in rows.items() if path and path.endswith(".family_name"))
    assert housing["rule"]
    assert housing["consent"]
    reasons = {cut["caf"]: cut["reason"] for cut in told["withheld"]}
    assert reasons["episode.subjects[0].elements[0].commentary"].startswith("E_CONSENT")
    assert SECRET not in result.output
    assert "Ava" not in result.output


async def test_an_unknown_delivery_is_a_clear_refusal(tmp_path: Path) -> None:
    """Exit 1 with the code, not a traceback."""
    site = tmp_path / "site"
    async with real_hub(site):
        pass

    result = await asyncio.to_thread(
        CliRunner().invoke, app, ["explain", "nothing", "--site", str(site)]
    )

    assert result.exit_code == 1
    assert "E_NOT_FOUND" in result.output


def test_render_shows_the_real_cut_of_a_service(tmp_path: Path) -> None:
    """`--as HOU-A/HOUS` holds housing's sections only; without `--consent` it is wrong usage."""
    message = tmp_path / "message.json"
    message.write_text(json.dumps({"event": "assessment.completed", "episode": _family()}))
    consent = tmp_path / "consent.json"
    consent.write_text(json.dumps(_consents()))
    runner = CliRunner()

    whole = runner.invoke(app, ["render", "caf-json", str(message)])
    cut = runner.invoke(
        app, ["render", "caf-json", str(message), "--as", "HOU-A/HOUS", "--consent", str(consent)]
    )
    wrong = runner.invoke(app, ["render", "caf-json", str(message), "--as", "HOU-A/HOUS"])

    assert SECRET in whole.stdout
    assert cut.exit_code == 0, cut.output
    assert SECRET not in cut.stdout
    assert "Example" in cut.stdout
    assert wrong.exit_code == 2
