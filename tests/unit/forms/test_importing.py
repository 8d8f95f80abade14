"""`ecaf import` into a real hub: over its HTTP door, and into a site that is at rest."""

import asyncio
import csv
import io
import json
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.cli import app
from hub.importing import doors
from hub.importing.doors import HttpDoor
from hub.ports import Session
from hub.secrets import Secret
from mappings.commands import translator
from mappings.history.columns import columns
from tests.acceptance.real_hub import RealHub, real_hub, site

RUN = CliRunner()
TODAY = datetime.now(UTC).date()
SIGNED = (TODAY - timedelta(days=100)).isoformat()
EXAMPLE = {column.name: column.example for column in columns()} | {
    "opened_on": SIGNED,
    "assessment_started_on": SIGNED,
    "assessment_completed_on": (TODAY - timedelta(days=90)).isoformat(),
    "consent_signed_on": SIGNED,
}


def table(file: Path, *rows: Mapping[str, str]) -> Path:
    """Write a CSV of the example with changes."""
    out = io.StringIO()
    write = csv.DictWriter(out, EXAMPLE)
    write.writeheader()
    write.writerows({**EXAMPLE, **row} for row in rows)
    file.write_text(out.getvalue(), "utf-8")
    return file


def ecaf(*words: str | Path) -> Result:
    """Run the command line."""
    return RUN.invoke(app, ["import", *map(str, words)])


def outcomes(result: Result) -> dict[str, str]:
    """How each reference ended."""
    return {one["reference"]: one["outcome"] for one in json.loads(result.stdout)["episodes"]}


async def stored(folder: Path) -> list[tuple[str, dict[str, Any], int, int]]:
    """What the site's database holds: (state, newest tree, decisions, deliveries) by episode."""
    store = SqlStore(f"sqlite:///{folder / 'hub.db'}", FileVault(folder / "vault.key"))

    def look(session: Session, episode_id: str) -> tuple[str, dict[str, Any], int, int]:
        head = session.episode(episode_id)
        assert head is not None
        version = session.version(episode_id, head.version)
        assert version is not None
        return (
            str(head.process),
            dict(version.tree),
            len(session.decisions(episode_id)),
            len(session.deliveries(episode_id)),
        )

    try:
        return [
            await store.run(lambda session, one=one: look(session, one))  # type: ignore[misc]
            for one in IDS
        ]
    finally:
        await store.close()


IDS: list[str] = []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile the catalogue once for all hubs of this file."""
    IDS.clear()
    monkeypatch.setattr("hub.bootstrap.translator", lambda *_: translator())
    monkeypatch.setattr("hub.importing.run.translator", lambda *_: translator())


# Looking first


def test_a_check_sends_and_stores_nothing(tmp_path: Path) -> None:
    """A table of what would happen, every fault with its place; no address is even asked for."""
    file = table(
        tmp_path / "p.csv",
        {},
        {"unique_ref_no": "B", "consent_store": ""},
        {"unique_ref_no": "C", "child_gender": "girl"},
        {"unique_ref_no": "D", "closed_on": SIGNED, "closure_reason": "NEEDS_MET"},
    )
    result = ecaf(file, "--check")
    assert result.exit_code == 1
    assert "CAF/2009/0117" in result.stdout
    assert "child_gender" in result.stdout
    assert "E_CODELIST" in result.stdout
    assert "E_CONSENT_NONE" in result.stdout
    assert "nothing was sent or stored" in result.stderr
    told = json.loads(ecaf(file, "--check", "--json").stdout)
    assert told["counts"] == {"close": 1, "fault": 1, "hold": 1, "import": 1}
    assert {(one["row"], one["column"], one["code"]) for one in told["faults"]} == {
        (3, "consent_store", "E_CONSENT_NONE"),
        (4, "child_gender", "E_CODELIST"),
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.csv"]


def test_what_is_held_back_is_no_fault(tmp_path: Path) -> None:
    """A family that was not asked is how things stand, not a mistake of the table."""
    assert ecaf(table(tmp_path / "p.csv", {"consent_store": ""}), "--check").exit_code == 0


def test_the_template_is_printed() -> None:
    """To be filled in."""
    result = ecaf("--template")
    assert result.exit_code == 0
    assert result.stdout.startswith("unique_ref_no,")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["x.csv"],
        ["x.csv", "--to", "http://127.0.0.1:1", "--site", "."],
        ["x.csv", "--to", "http://127.0.0.1:1"],
        ["x.csv", "--site", "."],
    ],
)
def test_wrong_usage_is_exit_2(words: list[str]) -> None:
    """With what to say instead."""
    result = ecaf(*words)
    assert result.exit_code == 2
    assert result.stderr


def test_a_word_too_many_is_told_what_the_command_takes() -> None:
    """What a file holds is told from the file; the answer shows the commands that work."""
    done = RUN.invoke(app, ["import", "paper", "x.csv"])
    assert done.exit_code == 2
    assert "paper says nothing here" in done.stderr
    assert "ecaf import x.csv --check" in done.stderr
    assert "ecaf import --template" in done.stderr


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Exit 1, and why."""
    result = ecaf(tmp_path / "none.csv", "--check")
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


# Over the door


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[RealHub]:
    async with real_hub(tmp_path / "site") as running:
        yield running


async def bring(hub: RealHub, file: Path, *words: str | Path) -> Result:
    """Import over the door as SCH-A, while the hub runs in this process."""
    key = file.parent / "key"
    key.write_text(hub.keys["SCH-A"])
    key.chmod(0o600)
    address = str(hub.client.base_url).rstrip("/")
    return await asyncio.to_thread(ecaf, file, "--to", address, "--key-file", key, *words)


async def looked_up(hub: RealHub, reference: str, result: Result) -> dict[str, Any]:
    """The newest version of an episode in the hub's store."""
    (row,) = [one for one in json.loads(result.stdout)["episodes"] if one["reference"] == reference]

    def look(session: Session) -> dict[str, Any]:
        head = session.episode(row["episode_id"])
        assert head is not None
        version = session.version(head.episode_id, head.version)
        assert version is not None
        return {
            **version.tree,
            "versions": head.version,
            "decisions": [one.record for one in session.decisions(head.episode_id)],
            "deliveries": len(session.deliveries(head.episode_id)),
        }

    return await hub.hub.store.run(look)


async def test_history_comes_in_with_its_dates_and_goes_to_nobody(
    hub: RealHub, tmp_path: Path
) -> None:
    """Opened, assessed and decided on the days of the paper; closed is closed; held stays."""
    closed = (TODAY - timedelta(days=30)).isoformat()
    file = table(
        tmp_path / "p.csv",
        {},
        {"unique_ref_no": "B", "consent_store": ""},
        {"unique_ref_no": "D", "closed_on": closed, "closure_reason": "NEEDS_MET"},
    )
    result = await bring(hub, file, "--json")
    assert result.exit_code == 0, result.output
    assert outcomes(result) == {"CAF/2009/0117": "imported", "B": "hold", "D": "closed"}
    first = await looked_up(hub, "CAF/2009/0117", result)
    assert first["status"] == "ASSESSING"
    assert first["opened_at"] == f"{SIGNED}T00:00:00Z"
    assert first["decisions"][0]["signed_at"] == f"{SIGNED}T00:00:00Z"
    assert first["deliveries"] == 0
    over = await looked_up(hub, "D", result)
    assert (over["status"], over["closed_at"]) == ("CLOSED", f"{closed}T00:00:00Z")
    assert over["deliveries"] == 0


async def test_a_second_run_changes_nothing(hub: RealHub, tmp_path: Path) -> None:
    """Not a version, not a decision; and a mended file does not change what is there either."""
    file = table(tmp_path / "p.csv", {}, {"unique_ref_no": "B"})
    result = await bring(hub, file, "--json")
    before = await looked_up(hub, "B", result)
    again = await bring(hub, file, "--json")
    assert again.exit_code == 0
    assert set(outcomes(again).values()) == {"present"}
    assert await looked_up(hub, "B", again) == before
    table(tmp_path / "p.csv", {}, {"unique_ref_no": "B", "conclusions": "Mended."})
    mended = await bring(hub, file, "--json")
    assert set(outcomes(mended).values()) == {"present"}
    assert await looked_up(hub, "B", mended) == before


async def test_a_broken_run_goes_on(
    hub: RealHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub goes away between a decision and its episode: the next run brings the rest in."""
    monkeypatch.setattr(doors, "TRIES", 1)
    file = table(tmp_path / "p.csv", {}, {"unique_ref_no": "B"})
    with monkeypatch.context() as patch:

        async def away(_door: HttpDoor, _raw: bytes, _key: str) -> doors.Answer:
            return doors.Answer(done=False, later=True)

        patch.setattr(HttpDoor, "submit", away)
        result = await bring(hub, file, "--json")
        assert result.exit_code == 1
        assert set(outcomes(result).values()) == {"later"}
    result = await bring(hub, file, "--json")
    assert result.exit_code == 0
    found = await looked_up(hub, "B", result)
    assert (found["versions"], len(found["decisions"])) == (1, 2)


async def test_what_the_hub_refuses_is_told_with_its_code(hub: RealHub, tmp_path: Path) -> None:
    """Somebody else's episode is as unknown as one that does not exist: the row says so."""
    file = table(tmp_path / "p.csv", {})
    first = await bring(hub, file, "--json")
    (row,) = json.loads(first.stdout)["episodes"]
    other = tmp_path / "other.json"
    tree = {"episode": {**(await looked_up(hub, "CAF/2009/0117", first))}}
    for name in ("versions", "decisions", "deliveries", "status", "responsible_practitioner"):
        tree["episode"].pop(name)
    record = (await looked_up(hub, "CAF/2009/0117", first))["decisions"][0]
    other.write_text(json.dumps([tree, {"consent_decision": record}]))
    key = tmp_path / "ehm"
    key.write_text(hub.keys["EHM-A"])
    key.chmod(0o600)
    address = str(hub.client.base_url).rstrip("/")
    result = await asyncio.to_thread(ecaf, other, "--to", address, "--key-file", key, "--json")
    assert result.exit_code == 1
    assert [one["outcome"] for one in json.loads(result.stdout)["episodes"]] == ["refused"]
    (fault,) = json.loads(result.stdout)["faults"]
    assert fault["code"] == "E_NO_RELATIONSHIP"
    assert row["episode_id"] not in fault["remedy"]


async def test_a_wrong_key_and_a_wrong_address(hub: RealHub, tmp_path: Path) -> None:
    """Said before anything is sent."""
    file = table(tmp_path / "p.csv", {})
    key = tmp_path / "key"
    key.write_text("k1.not-a-key")
    key.chmod(0o600)
    address = str(hub.client.base_url).rstrip("/")
    wrong = await asyncio.to_thread(ecaf, file, "--to", address, "--key-file", key)
    assert (wrong.exit_code, "does not know this key" in wrong.stderr) == (1, True)
    far = await asyncio.to_thread(ecaf, file, "--to", "http://hub.example", "--key-file", key)
    assert (far.exit_code, "https://" in far.stderr) == (1, True)
    key.chmod(0o644)
    open_ = await asyncio.to_thread(ecaf, file, "--to", address, "--key-file", key)
    assert (open_.exit_code, "chmod 600" in open_.stderr) == (1, True)
    assert "not-a-key" not in wrong.output + far.output + open_.output


async def test_no_hub_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some tries it says so, and nothing is lost."""
    monkeypatch.setattr(doors, "TRIES", 1)
    file, key = table(tmp_path / "p.csv", {}), tmp_path / "key"
    key.write_text("k")
    key.chmod(0o600)
    result = await asyncio.to_thread(ecaf, file, "--to", "http://127.0.0.1:9", "--key-file", key)
    assert (result.exit_code, "no hub answers" in result.stderr) == (1, True)


async def test_the_door_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy is no answer; how long to wait is the hub's to say; in the end it is left for later."""
    waits: list[float] = []
    answers = [httpx.Response(503, headers={"retry-after": "2"}), httpx.Response(429)]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    door = HttpDoor("http://127.0.0.1:9", Secret("k"))

    async def call() -> httpx.Response:
        return answers.pop(0) if answers else httpx.Response(200)

    found = await door._tried(call)
    assert found is not None
    assert (found.status_code, waits[0]) == (200, 2.0)

    async def never() -> httpx.Response:
        raise httpx.ConnectError("gone")

    assert await door._tried(never) is None
    assert len(waits) == 2 + doors.TRIES - 1
    await door._client.aclose()


# Into a site at rest


def test_history_goes_into_a_site_at_rest(tmp_path: Path) -> None:
    """The same use cases without a door; a second run finds it there."""
    folder = tmp_path / "site"
    site(folder)
    file = table(tmp_path / "p.csv", {}, {"unique_ref_no": "B", "consent_index": "yes"})
    result = ecaf(file, "--site", folder, "--partner", "SCH-A", "--json")
    assert result.exit_code == 0, result.output
    assert set(outcomes(result).values()) == {"imported"}
    IDS.extend(one["episode_id"] for one in json.loads(result.stdout)["episodes"])
    first, second = asyncio.run(stored(folder))
    assert first[0] == second[0] == "ASSESSING"
    assert first[1]["opened_at"] == f"{SIGNED}T00:00:00Z"
    assert (first[2], first[3]) == (2, 0)
    assert (second[2], second[3]) == (2, 1)  # N1 to the index, as the family agreed
    again = ecaf(file, "--site", folder, "--partner", "SCH-A", "--json")
    assert set(outcomes(again).values()) == {"present"}
    assert asyncio.run(stored(folder)) == [first, second]


def test_a_site_has_partners(tmp_path: Path) -> None:
    """Whose history it is, is never guessed."""
    folder = tmp_path / "site"
    site(folder)
    result = ecaf(table(tmp_path / "p.csv", {}), "--site", folder, "--partner", "NOBODY")
    assert result.exit_code == 1
    assert "--partner: one of EHM-A" in result.stderr


def test_a_sites_own_forms_count(tmp_path: Path) -> None:
    """A form of the site's own is taken from its folder."""
    folder = tmp_path / "site"
    site(folder)
    (folder / "forms" / "town").mkdir(parents=True)
    (folder / "forms" / "town" / "1.yaml").write_text(
        "form: town\nversion: 1\ntitle: Town\nfrom: 2000-01-01\nsections: []\n"
    )
    file = table(tmp_path / "p.csv", {"form_profile": "town"})
    assert ecaf(file, "--check").exit_code == 1
    result = ecaf(file, "--site", folder, "--partner", "SCH-A", "--json")
    assert set(outcomes(result).values()) == {"imported"}, result.output


def test_progress_is_said_once_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long work shows how far it is, without a terminal too."""
    from hub.importing import table as shown

    monkeypatch.setattr(shown, "EVERY", 2)
    folder = tmp_path / "site"
    site(folder)
    rows = [{"unique_ref_no": f"R{number}"} for number in range(5)]
    result = ecaf(table(tmp_path / "p.csv", *rows), "--site", folder, "--partner", "SCH-A")
    assert "2 of 5" in result.stderr
    assert "4 of 5" in result.stderr
    assert "5 imported" in result.stderr
    assert os.environ.get("ECAF_CONFIG_DIR") is None
