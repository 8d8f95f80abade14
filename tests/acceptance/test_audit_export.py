"""`ecaf audit export`: FHIR AuditEvents after IHE BALP, of a running hub and of a store at rest."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle
from typer.testing import CliRunner

from hub.cli import app
from mappings.formats.fhir_audit import EXPORTED, audit_event
from tests.acceptance.real_hub import real_hub
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_explain import SECRET, _delivered

pytestmark = pytest.mark.acceptance

SOURCE, RECIPIENT = "PrivacyDisclosure.Source", "PrivacyDisclosure.Recipient"


async def export(*arguments: str) -> Any:
    """Run `ecaf audit export`."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["audit", "export", *arguments])


def lines(output: str) -> list[dict[str, Any]]:
    """Return the resources of an answer, a line each."""
    return [json.loads(line) for line in output.splitlines()]


async def test_the_audit_leaves_as_audit_events(tmp_path: Path) -> None:
    """Each disclosure is there, valid for HL7's own models and the pattern; no value of a child."""
    site = tmp_path / "site"
    async with real_hub(site) as one:
        delivery = await _delivered(one)
        rows = (await one.hub.operations.audited())["rows"]
        async with operator_socket(one.hub, tmp_path / "operator.sock") as place:
            running = await export("--socket", str(place))
    rest = await export("--site", str(site))
    whole = await export("--site", str(site), "--bundle")
    none = await export("--site", str(site), "--episode", "nothing")
    never = await export("--site", str(site), "--since", "2999-01-01")
    wrong = await export("--site", str(site), "--since", "yesterday")
    file = tmp_path / "audit.ndjson"
    kept = await export("--site", str(site), "--out", str(file))

    events = lines(rest.output)
    assert rest.output == running.output == file.read_text()
    assert (rest.exit_code, kept.exit_code, file.stat().st_mode & 0o777) == (0, 0, 0o600)
    assert len(events) == sum(row["kind"] in EXPORTED for row in rows) > 5
    assert (none.output, never.output, wrong.exit_code) == ("", "", 2)
    for event in events:
        AuditEvent.model_validate(event)
        pattern(event)
    Bundle.model_validate(json.loads(whole.output))
    assert [entry["resource"] for entry in json.loads(whole.output)["entry"]] == events
    disclosed = [e for e in events if about(e) == delivery and profile(e) == SOURCE]
    assert [e["subtype"][1]["code"] for e in disclosed] == [
        "disclosure.intended", "disclosure.fetched",
    ]  # fmt: skip
    assert {agent["who"]["display"] for agent in disclosed[0]["agent"]} == {"Hub", "HOU-A/HOUS"}
    assert {e["type"]["code"] for e in disclosed[0]["entity"]} == {"1", "2", "Consent"}
    for told in (rest.output, whole.output, wrong.output):
        for value in (SECRET, "Ava", "Mia", "ZZ99"):
            assert value not in told
        assert not re.search(r"\b999\d{7}\b", told)  # ids of chance have 999 in them, now and then


def profile(event: dict[str, Any]) -> str:
    """Return the pattern that an event says it follows."""
    (found,) = event.get("meta", {"profile": [""]})["profile"]
    return str(found).partition("IHE.BasicAudit.")[2]


def about(event: dict[str, Any]) -> str:
    """Return which delivery or message an event is about."""
    found = [e["what"]["identifier"]["value"] for e in event["entity"] if e["type"]["code"] == "2"]
    return str(found[0]) if found else ""


def pattern(event: dict[str, Any]) -> None:
    """Check what BALP 1.1 asks of a disclosure beyond FHIR itself."""
    assert event["extension"][0]["url"].endswith("/StructureDefinition/audit-position")
    if profile(event) not in {SOURCE, RECIPIENT}:
        return
    code, action = ("110106", "R") if profile(event) == SOURCE else ("110107", "C")
    assert (event["type"]["code"], event["action"]) == (code, action)
    assert "disclose" in {one["code"] for one in event["subtype"]}
    ends = {one["type"]["coding"][0]["code"]: one for one in event["agent"] if "type" in one}
    assert set(ends) == {"110152", "110153"}
    assert all(one["network"]["address"] and one["who"] for one in ends.values())
    ours = ends["110153" if profile(event) == SOURCE else "110152"]
    assert ours["who"] == event["source"]["observer"]
    people = [one for one in event["entity"] if one["type"]["code"] == "1"]
    assert [one["role"]["code"] for one in people] == ["1"]
    assert len(event["entity"]) >= 2


def test_a_refusal_is_no_success_and_the_hubs_own_work_is_no_event() -> None:
    """A refused view has the outcome 4; an outcome of a delivery is not exported."""
    row = {
        "position": 7, "audit_id": "0" * 32, "at": "2026-09-01T09:00:00Z", "kind": "view.refused",
        "actor": "HOU-A", "episode_id": "e1", "service": "HOU-A/HOUS", "delivery_id": None,
        "code": "E_CONSENT_SCOPE", "facts": {},
    }  # fmt: skip
    refused = audit_event(row, hub="Hub", canonical="https://ecaf.example/fhir")

    assert refused is not None
    AuditEvent.model_validate(refused)
    assert (refused["outcome"], refused["outcomeDesc"]) == ("4", "E_CONSENT_SCOPE")
    assert "meta" not in refused
    unknown = audit_event(
        {**row, "kind": "disclosure.recorded", "episode_id": None},
        hub="Hub",
        canonical="https://ecaf.example/fhir",
    )
    assert unknown is not None
    assert "meta" not in unknown
    own = {**row, "kind": "delivery.delivered"}
    assert audit_event(own, hub="Hub", canonical="https://ecaf.example/fhir") is None
