"""The PostgreSQL of the tests is itself worth relying on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.servers.postgres import (
    Databases,
    PostgresServer,
    database_name,
    plain_dsn,
    runs,
    start_postgres,
)

pytestmark = pytest.mark.database
ROOT = Path(__file__).resolve().parents[2]
STARTS = """
import sys, time
from pathlib import Path
from tests.servers.postgres import start_postgres
print(start_postgres(Path(sys.argv[1])).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with TemporaryDirectory(prefix="ecaf-postgres-") as folder:
        server = start_postgres(Path(folder))
        yield server
        server.stop()


def test_committed_rows_survive_kill9(server: PostgresServer) -> None:
    """What was committed before kill -9 is there after a restart on the same address."""
    with psycopg.connect(server.dsn) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    server.kill9()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.dsn)
    server.restart()

    with psycopg.connect(server.dsn) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchall() == [(42,)]


def test_damage_to_pages_is_noticed(server: PostgresServer) -> None:
    """Data checksums are on."""
    with psycopg.connect(server.dsn) as connection:
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)


def test_server_ends_with_its_owner() -> None:
    """A test run that is killed leaves no server behind."""
    with TemporaryDirectory(prefix="ecaf-postgres-") as folder:
        owner = subprocess.Popen(
            [sys.executable, "-c", STARTS, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())

        os.kill(owner.pid, signal.SIGKILL)
        owner.communicate()

        deadline = time.monotonic() + 20
        while runs(pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_each_test_has_its_own_database(postgres: Databases, postgres_url: str) -> None:
    """What a test finds is what it made, also beside a copy made from it."""
    with psycopg.connect(plain_dsn(postgres_url)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS one")
    copy = postgres.create(template=database_name(postgres_url))

    with psycopg.connect(copy, autocommit=True) as connection:
        connection.execute("DROP TABLE mine")

    with psycopg.connect(plain_dsn(postgres_url)) as connection:
        assert connection.execute("SELECT one FROM mine").fetchall() == [(1,)]
    postgres.drop(copy)
