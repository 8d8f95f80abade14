"""One story, each participant on a protocol of its own, over real servers."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.positioned import PositionedError
from hub.scenarios.language import load
from hub.scenarios.protocols import dress
from tests.acceptance.test_scenarios import FOLDER, play
from tests.servers.mesh import MeshSandbox

S1 = FOLDER / "s1.yaml"
PLAY = FOLDER.with_name("protocols") / "s1.yaml"
BY = {
    "SCH-A": "signed webhook",
    "HV-A": "HL7 v2 over MLLP",
    "EHM-A": "FHIR REST",
    "EHM-B": "NHS MESH",
    "HOU-A": "AMQP",
    "SCH-B": "HTTP, fetched",
}
"""What the story of `domain.md` 7 (S1) is played over."""

pytestmark = pytest.mark.acceptance


@pytest.mark.slow
@pytest.mark.broker
def test_the_story_passes_with_each_participant_on_its_own_protocol(
    tmp_path: Path, empty_rabbitmq: Any, mesh_sandbox: MeshSandbox
) -> None:
    """School by webhook, health visitor by MLLP, A by FHIR, B by MESH, housing by AMQP, SCH-B
    fetches: nothing more or less reaches anybody, and every acknowledgement is understood.
    """
    mesh_sandbox.reset()
    code, shown = play(
        S1,
        tmp_path / "out",
        protocols=PLAY,
        broker_url=empty_rabbitmq.url,
        mesh_url=mesh_sandbox.url,
        json=True,
    )
    told = json.loads(shown)

    assert code == 0, told
    assert told["warnings"] == []
    carried = told["carried"]
    assert {one["who"]: one["protocol"] for one in carried if one["who"] in BY} == BY
    assert {one["state"] for one in carried} == {"delivered"}
    said = {(one["protocol"], one["said"]) for one in carried}
    assert said >= {
        ("signed webhook", "204"),
        ("HL7 v2 over MLLP", "AA"),
        ("FHIR REST", "ok"),
        ("NHS MESH", "APPLIED"),
        ("AMQP", "APPLIED"),
        ("HTTP, fetched", "COPIES_LOCKED"),
    }
    answers = [
        json.loads(file.read_bytes())
        for file in sorted((tmp_path / "out" / "EHM-A").glob("*-answer.json"))
    ]
    bundles = [one for one in answers if one.get("resourceType") == "Bundle"]
    assert len(bundles) >= 4  # what EHM-A sent, it sent in FHIR
    assert {one["entry"][0]["resource"]["response"]["code"] for one in bundles} == {"ok"}
    by_mesh = [
        file
        for file in (tmp_path / "out" / "EHM-B").glob("*-answer.headers.json")
        if '"mesh-workflowid": "CAF_ANSWER"' in file.read_text()
    ]
    assert len(by_mesh) >= 7  # and what EHM-B sent, by MESH
    formats = {(one["who"], one["format"]) for one in carried if one["kind"] == "N7"}
    assert {("HV-A", "HL7 v2"), ("EHM-A", "FHIR R4"), ("EHM-B", "FHIR R4")} <= formats


def test_a_play_changes_the_protocol_and_its_format_only(tmp_path: Path) -> None:
    """Who is told by MLLP gets HL7 v2 and stays who it is; what is misspelt has its place."""
    plain, dressed = load(S1), load(S1)
    dress(dressed, PLAY)

    was, now = (one.cast.participants["HV-A"] for one in (plain, dressed))
    assert (now.channel, now.body, now.content) == ("mllp", "full", "hl7v2/ref-i12")
    assert (now.service, now.operations, now.tel) == (was.service, was.operations, was.tel)
    assert dressed.cast.participants["SCH-A"] == plain.cast.participants["SCH-A"]
    for text, says in (
        ("HV-Z: mllp\n", "participant"),
        ("HV-A: smtp\n", "protocol"),
        ("IDX: webhook\n", "child index"),
    ):
        file = tmp_path / "play.yaml"
        file.write_text(text)
        with pytest.raises(PositionedError, match=says):
            dress(plain, file)
