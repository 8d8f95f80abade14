"""From one version to the next under load: the database first, then each process in its turn.

`reliability.md` P17 and issue 6: PostgreSQL with RabbitMQ, an API and two workers.  The next
version is this one with one more migration, in a tree of its own: it is run while all the older
processes work, and then they are stopped in order and replaced one at a time.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from adapters.database import migrate
from hub.scenarios.processes import Process
from tests.architecture.tree import ROOT
from tests.chaos.hub_process import Ended, HubProcess
from tests.chaos.rig import Rig, rig
from tests.servers.rabbitmq import EXTERNAL, RabbitServer, start_rabbitmq

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.database,
    pytest.mark.broker,
    pytest.mark.slow,
]
Said = Callable[[str], None]
EPISODES, UPDATES = 2, 4
SOME = 10
"""Receipts between two steps: each step happens under load."""
REST_SECONDS = 120.0
API = ("-P", "-m", "hub.cli", "serve", "--role", "api")
WORKER = ("-P", "-m", "hub.cli", "serve", "--role", "worker")
MIGRATION = '''"""What the next version adds: a table, columns of the busiest tables, an index.

Runs before the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{newest}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    op.create_table(
        "next_version",
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_next_version")),
    )
    for table in ("delivery", "episode", "inbox", "audit"):
        op.add_column(table, sa.Column("of_next_version", sa.String(), nullable=True))
    op.create_index("ix_delivery_next_version", "delivery", ["of_next_version"])
'''


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[RabbitServer]:
    """A broker of our own."""
    monkeypatch.delenv(EXTERNAL, raising=False)
    with start_rabbitmq() as server:
        yield server


def next_version(folder: Path) -> dict[str, str]:
    """Make a tree of the next version; return the environment in which Python finds it."""
    for name in ("hub", "adapters", "mappings", "queue"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    newest = migrate.scripts().get_current_head()
    versions = folder / "adapters" / "database" / "migrations" / "versions"
    (versions / "v9999_pre_next_version.py").write_text(MIGRATION.format(newest=newest))
    return python_at(folder)


def scripts_of(folder: Path) -> ScriptDirectory:
    """Return the migrations of the version in *folder*."""
    config = Config()
    location = folder / "adapters" / "database" / "migrations"
    config.set_main_option("script_location", str(location))
    return ScriptDirectory.from_config(config)


def python_at(folder: Path) -> dict[str, str]:
    """Return the environment in which Python finds the packages of *folder*."""
    return {"PYTHONPATH": f"{folder / 'queue'}{os.pathsep}{folder}"}


def worker(run: Rig, database: str, broker: str, tree: Mapping[str, str]) -> HubProcess:
    """Return a worker of the version in *tree*; what it measures says when it is ready."""
    one = HubProcess(run.site, database, broker, program=WORKER, settings=tree)
    one.set("ECAF_METRICS_LISTEN", one.address.removeprefix("http://"))
    return one


async def upgrade(run: Rig, tree: Mapping[str, str]) -> None:
    """Run `ecaf database upgrade` of the version in *tree*."""
    command = [sys.executable, "-P", "-m", "hub.cli", "database", "upgrade"]
    process = Process(command, {**run.hub.environ, **tree}, run.folder / "upgrade.log")
    await process.start()
    assert await process.over() == 0, process.tail()


async def refused(old: HubProcess) -> None:
    """A process of the older version does not start any more: it says why, and touches nothing."""
    with pytest.raises(Ended, match="newer version than this hub"):
        await old.start()
    await old.stop()


async def load(run: Rig, enough: asyncio.Event) -> int:
    """Let families' episodes come until *enough*; return how many bursts that were."""
    bursts = 0
    while not enough.is_set():
        bursts += 1
        async with run.burst(EPISODES, UPDATES):
            pass
    return bursts


async def replace(old: HubProcess, new: HubProcess) -> None:
    """Stop one in order, and start what takes its place."""
    await old.stop()
    assert old.status == 0, f"it did not stop in order:\n{old.tail()}"
    await new.start()


async def test_an_upgrade_under_load_loses_nothing(
    seed: int,
    broker: RabbitServer,
    durable_url: str,
    tmp_path: Path,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything acknowledged arrives once and in order; every process is of the next version."""
    this, following = python_at(ROOT), next_version(tmp_path / "next")
    async with (
        rig(seed, database=durable_url, broker=broker.url, program=API, settings=this) as run,
        AsyncExitStack() as running,
    ):

        def one(tree: Mapping[str, str]) -> HubProcess:
            made = worker(run, durable_url, broker.url, tree)
            running.push_async_callback(made.stop)
            return made

        olds = [one(this), one(this)]
        for old in olds:
            await old.start()
        upgraded = asyncio.Event()
        loading = asyncio.create_task(load(run, upgraded))
        try:
            await run.moment("receipt", SOME)
            await upgrade(run, following)
            await run.moment("receipt", SOME)
            for old in olds:
                await replace(old, one(following))
                await run.moment("receipt", SOME)
            await run.hub.stop()
            run.hub.set("PYTHONPATH", following["PYTHONPATH"])
            await run.hub.start()
            await run.moment("receipt", SOME)
        finally:
            upgraded.set()
            bursts = await loading
        rested = await run.settle(REST_SECONDS)
        verdict = run.verdict()
        await refused(one(this))
        monkeypatch.setattr(migrate, "scripts", lambda: scripts_of(tmp_path / "next"))
        unrecorded = await run.undisclosed()

    said(f"upgrade: {bursts} bursts, {verdict}, rest after {rested:.1f} s, seed {seed}")
    assert verdict.faults() == {}
    assert unrecorded == []
    assert verdict.acknowledged == bursts * 2 * EPISODES * (3 + UPDATES)
