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
from tests import builders
from tests.acceptance.test_explain import _consents, _family
from tests.unit.fhir.test_rules import bundle as in_fhir
from tests.unit.fhir.wholes import decision
from tests.unit.mllp.door import visit


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


VISIT = visit().replace(b"PAS|RXX01", b"TIE|TIE-A")
CASES = Path(__file__).resolve().parents[3] / "mappings/catalogue/caf-xml/1/cases"


def first_decision() -> dict[str, Any]:
    """Return a decision about a family of which the hub knows nothing yet."""
    said = decision()
    del said["consent_decision"]["supersedes"]
    return said


EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/sims",
    "type": "example.school.attendance",
    "data": builders.notification(),
}


@pytest.mark.parametrize(
    ("like", "ending", "good", "wrong", "taken", "refused"),
    [
        pytest.param(
            "case-management",
            ".fhir.json",
            orjson.dumps(in_fhir(first_decision())),
            orjson.dumps(in_fhir(decision())),
            {"status": 200, "code": "ok"},
            {"status": 200, "code": "fatal-error"},
            marks=pytest.mark.slow,
        ),
        (
            "trust-engine",
            ".hl7",
            VISIT.replace(b"\r", b"\n"),
            VISIT.replace(b"|P|2.4|", b"|T|2.4|").replace(b"RXX0001", b"RXX0002"),
            {"MSH-9": "ACK^A04^ACK", "MSA-1": "AA", "MSA-2": "RXX0001"},
            {"MSA-1": "AR", "MSA-2": "RXX0002", "ERR": ["E_CONTENT_TYPE"]},
        ),
        pytest.param(
            "school",
            ".cloudevent.json",
            orjson.dumps(EVENT),
            orjson.dumps({**EVENT, "specversion": "2.0"}),
            {"status": 202},
            {"status": 422, "code": "E_FORMAT"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "minimal",
            ".xml",
            (CASES / "consent-decision/expected.xml").read_bytes(),
            b"<caf",
            {"status": 201},
            {"status": 400, "code": "E_SYNTAX"},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_each_format_is_replayed_at_its_own_door(
    tmp_path: Path,
    like: str,
    ending: str,
    good: bytes,
    wrong: bytes,
    taken: dict[str, Any],
    refused: dict[str, Any],
) -> None:
    """What its system would hear: an acknowledgement Bundle, an ACK, a receipt, an error's code."""
    folder = tmp_path / "site"
    init_site(folder, hub_name="Hub", host="hub.example", partners={})
    add(folder, "TIE-A", like)
    for name, raw in (("1-good", good), ("2-wrong", wrong)):
        case = folder / f"partners/TIE-A/samples/{name}"
        case.mkdir()
        (case / f"request{ending}").write_bytes(raw)
    written = told(folder, "TIE-A", "--write")
    again = told(folder, "TIE-A", "--json")

    assert written.exit_code == 0, written.output
    assert (again.exit_code, json.loads(again.output)["passed"]) == (0, True)
    found = [one["answer"] for one in json.loads(again.output)["samples"]]
    good_one, wrong_one = map(heard, found)
    assert taken.items() <= good_one.items(), found
    assert refused.items() <= wrong_one.items(), found


def heard(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer says at its top: of FHIR the response's code, of MLLP the one ACK."""
    if "acks" in answer:
        (ack,) = answer["acks"]
        return dict(ack)
    body = answer.get("body", {})
    code = body.get("code") or answer.get("code")
    if body.get("resourceType") == "Bundle":
        code = body["entry"][0]["resource"]["response"]["code"]
    return {"status": answer["status"], "code": code}


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
