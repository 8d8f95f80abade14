"""`ecaf partners certify`: samples replayed, answers compared by structure, exit code for CI."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from adapters.partners.site import init_site
from hub.cli import app
from hub.partnering import add
from tests.acceptance.test_explain import _consents, _family


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a partner and four samples of its system."""
    folder = tmp_path / "site"
    init_site(folder, hub_name="Hub", host="hub.example", partners={"HOU-A": None, "EHM-A": None})
    add(folder, "SCH-A", "school")
    decision = {"consent_decision": {**_consents()[0]}}
    wrong = {"event": "episode.opened", "episode": {**_family(), "home_authority": "0"}}
    for name, body in (
        ("01-decided", decision),
        ("02-opened", {"event": "episode.opened", "episode": _family()}),
        ("03-again", {"event": "episode.opened", "episode": _family()}),
        ("04-wrong-code", wrong),
    ):
        case = folder / f"partners/SCH-A/samples/{name}"
        case.mkdir()
        (case / "request.json").write_bytes(orjson.dumps(body))
    return folder


def told(site: Path, *words: str) -> Any:
    """Run `ecaf partners certify` on the site."""
    return CliRunner().invoke(app, ["partners", "certify", *words, "--site", str(site)])


def test_samples_are_replayed_and_differences_have_their_path(site: Path) -> None:
    """Written once, they pass; a changed expectation is shown by path; one without is a failure."""
    missing = told(site, "SCH-A")
    written = told(site, "SCH-A", "--write")
    samples = site / "partners/SCH-A/samples"
    answers = {
        path.parent.name: json.loads(path.read_bytes()) for path in samples.glob("*/answer.json")
    }
    again = told(site, "SCH-A", "--json")
    answer = samples / "02-opened/answer.json"
    kept = answer.read_text()
    answer.write_text(kept.replace("202", "200"))
    differs = told(site, "SCH-A")
    answer.write_text("{")
    broken = told(site, "SCH-A")

    assert (missing.exit_code, "no answer.json" in missing.output) == (1, True), missing.output
    assert written.exit_code == 0, written.output
    statuses = {name: one["status"] for name, one in answers.items()}
    assert (statuses["01-decided"], statuses["02-opened"]) == (201, 202), answers
    assert statuses["03-again"] == 409
    assert (statuses["04-wrong-code"], answers["04-wrong-code"]["errors"][0]["path"]) == (
        422, "/episode/home_authority",
    )  # fmt: skip
    assert (again.exit_code, json.loads(again.output)["passed"]) == (0, True)
    assert (differs.exit_code, "/status: 200 expected, 202 found" in differs.output) == (1, True)
    assert (broken.exit_code, "02-opened/answer.json" in broken.output) == (1, True)


def test_what_cannot_be_replayed_is_said(site: Path) -> None:
    """No samples, a stranger, a request of no known kind, a door that there is not."""
    case = site / "partners/SCH-A/samples/01-decided"
    for words, place in ((("HOU-A",), "HOU-A/samples"), (("NOBODY",), "NOBODY.yaml")):
        refused = told(site, *words)
        assert (refused.exit_code, place in refused.output) == (1, True), refused.output
    (case / "sample.yaml").write_text("door: window\n")
    assert "sample.yaml:1:7" in told(site, "SCH-A").output
    (case / "sample.yaml").unlink()
    (case / "request.json").rename(case / "request.txt")
    assert "01-decided" in told(site, "SCH-A").output
