"""`ecaf doctor` names what does not agree: every invariant is broken once behind the hub's back.

The record is a real one: Ava's episode up to her plan, a recipient that refused, one that has not
answered, and a view.
"""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from adapters.database.examiner import Examiner
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.doctoring import at_rest
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from hub.services import doctor
from hub.services.doctor import examination, joined
from tests.unit.services.world import CANONICAL, World, part


async def lived(world: World) -> None:
    """Let the family's episode live until there is something of everything."""
    await world.planned()
    for level in ("L3", "L4"):
        world.doubles["HOU-A"].faults.append(Rejected(Code.MAPPING, "no place for it"))
        world.doubles["HV-A"].faults.append(Unavailable(Code.OUTCOME_UNKNOWN, "no answer"))
        raw = part(conclusions={"need_level": level})
        await world.send("SCH-A", "assessment.updated", episode=raw)
    await world.viewer.view(world.partners["EHM-A"], "EHM-A/FSW", "e1", "PLAN", CANONICAL)
    await world.store.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FileVault]:
    """A SQLite file with that episode, to be copied, and the vault that opens it."""
    folder = tmp_path_factory.mktemp("doctor")
    vault = FileVault.create(folder / "vault.key")
    store = SqlStore(f"sqlite:///{folder / 'hub.db'}", vault)
    asyncio.run(lived(World(store=store)))
    return folder / "hub.db", vault


@pytest.fixture
def copy(kept: tuple[Path, FileVault], tmp_path: Path) -> Path:
    """A copy to be broken."""
    return Path(shutil.copy(kept[0], tmp_path / "hub.db"))


def told(url: str, vault: FileVault, *, running: bool = True) -> dict[str, Any]:
    """Return what the doctor says of a database."""
    examiner = Examiner(url, vault)
    try:
        return dict(joined([asyncio.run(examination(examiner, running=running))]))
    finally:
        examiner.close()


def change(path: Path, statement: str) -> None:
    """Change a database as somebody who has its file can: guards first."""
    with sqlite3.connect(path) as database:
        guards = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in guards.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        assert database.execute(statement).rowcount > 0, "the test broke nothing"
    database.close()


def test_a_healthy_record_has_no_finding(copy: Path, kept: tuple[Path, FileVault]) -> None:
    """Delivered, waiting, set aside and seen: all agrees, and the law holds."""
    found = told(f"sqlite:///{copy}", kept[1])

    assert (found["findings"], found["healthy"], found["balance"]) == ([], True, 0)
    law = found["law"]
    assert law["made"] == sum(n for name, n in law.items() if name != "made") > 15
    assert {name for name, n in law.items() if n} == {
        "made", "pending", "delivered", "suppressed", "quarantined",
    }  # fmt: skip


ONE = "(SELECT delivery_id FROM delivery WHERE state = 'delivered' ORDER BY position LIMIT 1)"
LAST = "(SELECT max(position) FROM audit)"
LEASED = "state = 'sending', attempts = attempts + 1, lease_until = 1"
BROKEN: dict[str, tuple[str, set[str]]] = {
    "a delivery is taken out": (
        (f"DELETE FROM delivery WHERE delivery_id = {ONE}"),
        {"LANE_HOLE", "DELIVERY_LOST", "LEDGER_ORPHAN"},
    ),
    "a delivery is put in": (
        (
            "INSERT INTO delivery SELECT (SELECT max(position) + 1 FROM delivery), 'copy', partner,"
            "service, episode_id, message_type, priority, lane_sequence, version, content,"
            "correlation_id, causation_id, created_at, state, reason, attempts, next_attempt_at,"
            "lease_owner, lease_epoch, lease_until, sequence, digest, evidence, settled_at "
            "FROM delivery WHERE state = 'quarantined' LIMIT 1"
        ),
        {"LANE_HOLE", "END_WITHOUT_EVIDENCE", "UNRECORDED_DISCLOSURE"},
    ),
    "an end is made up": (
        (
            "UPDATE delivery SET state = 'suppressed', settled_at = 1 WHERE state = 'pending' "
            "AND attempts = 0"
        ),
        {"END_WITHOUT_EVIDENCE"},
    ),
    "an end is undone": (
        (f"UPDATE delivery SET state = 'handed_over', settled_at = NULL WHERE delivery_id = {ONE}"),
        {"END_UNDONE"},
    ),
    "it ends twice": (
        (
            f"INSERT INTO audit SELECT {LAST} + 1, audit_id, at, kind, actor, episode_id, service,"
            f"delivery_id, code, facts FROM audit WHERE kind = 'delivery.delivered' "
            f"AND delivery_id = {ONE}"
        ),
        {"ENDED_TWICE"},
    ),
    "times say otherwise": (
        (f"UPDATE delivery SET settled_at = NULL WHERE delivery_id = {ONE}"),
        {"STATE_BROKEN"},
    ),
    "a disclosure was never recorded": (
        (f"DELETE FROM audit WHERE kind = 'disclosure.intended' AND delivery_id = {ONE}"),
        {"UNRECORDED_DISCLOSURE"},
    ),
    "a disclosure was recorded after it was sent": (
        (
            f"UPDATE audit SET position = {LAST} + 1 WHERE kind = 'disclosure.intended' "
            f"AND delivery_id = {ONE}"
        ),
        {"UNRECORDED_DISCLOSURE"},
    ),
    "the ledger forgets": ((f"DELETE FROM released WHERE delivery_id = {ONE}"), {"LEDGER_MISSING"}),
    "the ledger invents": (
        ("UPDATE released SET delivery_id = 'nothing' WHERE message_type = 'VIEW'"),
        {"LEDGER_ORPHAN"},
    ),
    "the ledger tells of another view": (
        (f"UPDATE released SET digest = x'00' WHERE delivery_id = {ONE}"),
        {"LEDGER_DIFFERS"},
    ),
    "an episode loses its head": (("DELETE FROM episode"), {"ORPHAN_ROWS"}),
    "a lane is gone": (("DELETE FROM lane WHERE partner = 'EHM-A'"), {"LANE_MISSING"}),
    "a lane names another head": (
        ("UPDATE lane SET head = NULL WHERE head IS NOT NULL"),
        {"LANE_HEAD"},
    ),
    "two deliveries bear one number": (
        ("UPDATE delivery SET sequence = 1 WHERE partner = 'EHM-A' AND state = 'delivered'"),
        {"SEQUENCE_TWICE"},
    ),
    "a version is gone": (("DELETE FROM version WHERE version = 1"), {"VERSION_HOLE"}),
    "a decision is gone": (("DELETE FROM decision WHERE sequence = 1"), {"DECISION_HOLE"}),
    "nobody takes over": (
        (f"UPDATE delivery SET {LEASED} WHERE state = 'pending' AND attempts > 0"),
        {"LEASE_ABANDONED", "UNRECORDED_DISCLOSURE"},
    ),
    "a key is altered": (
        ("UPDATE data_key SET wrapped = zeroblob(60) WHERE owner = 'episode/e1' AND part = ''"),
        {"VAULT_KEY"},
    ),
    "audit is altered": (
        ("UPDATE audit SET facts = zeroblob(60) WHERE kind = 'view.released'"),
        {"AUDIT_ALTERED"},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named(name: str, copy: Path, kept: tuple[Path, FileVault]) -> None:
    """One change behind the hub's back, and its code; nothing else is blamed."""
    statement, codes = BROKEN[name]
    change(copy, statement)

    found = told(f"sqlite:///{copy}", kept[1])

    assert set(found["counted"]) == codes
    assert not found["healthy"]
    for one in found["findings"]:
        assert one["remedy"]
        assert one["where"]["episode"] == "e1"


def test_a_database_of_another_form_is_not_judged(copy: Path, kept: tuple[Path, FileVault]) -> None:
    """It is neither upgraded nor gone through: its form is named, and what to do."""
    change(copy, "UPDATE alembic_version SET version_num = '0001'")
    FileVault.create(copy.parent / "other.key")
    environ = {
        "ECAF_CONFIG_DIR": str(copy.parent),
        "ECAF_VAULT_KEY_FILE": str(copy.parent / "other.key"),
        "ECAF_DATABASE_URL": f"sqlite:///{copy}",
    }

    for _ in range(2):  # looking changes nothing
        found = joined(at_rest(environ))
        assert "SCHEMA_BEHIND" in found["counted"]
        assert (found["episodes"], found["healthy"]) == (0, False)
        assert "0001" in found["findings"][0]["what"]


def test_a_file_that_a_hub_holds_is_left_to_it(copy: Path, kept: tuple[Path, FileVault]) -> None:
    """The error says whose it is and how to ask it; the hub's file is not opened."""
    store = SqlStore(f"sqlite:///{copy}", kept[1])
    try:
        with pytest.raises(Misconfigured, match="belongs to a running hub") as refused:
            Examiner(f"sqlite:///{copy}", kept[1])
    finally:
        asyncio.run(store.close())

    assert "ECAF_OPERATOR_SOCKET" in refused.value.faults[0].remedy
    assert told(f"sqlite:///{copy}", kept[1])["healthy"]


def test_a_long_record_is_gone_through_in_steps(
    copy: Path, kept: tuple[Path, FileVault], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step says where to go on, and together they are the whole, every episode once."""
    change(
        copy,
        "INSERT INTO lane (episode_id, partner, last_sequence) WITH RECURSIVE n(i) AS "
        "(VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 120) SELECT 'x' || i, 'P', 1 FROM n",
    )
    monkeypatch.setattr(doctor, "STEP_SECONDS", 0.0)
    examiner = Examiner(f"sqlite:///{copy}", kept[1])

    async def steps() -> list[Any]:
        made = [await examination(examiner)]
        while "next" in made[-1]:
            made.append(await examination(examiner, made[-1]["next"]))
        return made

    made = asyncio.run(steps())
    examiner.close()

    whole = joined(made)
    assert len(made) == 3
    assert (whole["episodes"], whole["counted"]) == (121, {"LANE_HOLE": 120})
    assert (whole["balance"], whole["healthy"]) == (120, False)
