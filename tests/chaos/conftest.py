"""What the chaos tests share: servers that wait for their disk, and the seed."""

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.postgres import Databases, plain_dsn, sqlalchemy_url, start_postgres

SAID = "chaos"


@pytest.fixture(scope="session")
def durable() -> Iterator[Databases]:
    """A PostgreSQL that waits for its disk: the hub refuses any other."""
    given = os.environ.get("ECAF_TEST_DATABASE_URL")
    if given:
        yield Databases(plain_dsn(given))
        return
    folder = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    server = start_postgres(folder, durable=True)
    try:
        yield server.databases
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def durable_url(durable: Databases) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database on it."""
    dsn = durable.create()
    yield sqlalchemy_url(dsn)
    durable.drop(dsn)


@pytest.fixture
def said(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say one line about a run, to be shown at the end of the suite even if it passed."""
    return lambda line: record_property(SAID, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was killed, wiped, delivered and lost, and the seed to do it again."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, line in getattr(report, "user_properties", ()):
                if name == SAID and report.when == "call":
                    terminalreporter.write_line(str(line))


@pytest.fixture
def seed() -> int:
    """What all chance in a test follows: `ECAF_TEST_SEED`, or another each time."""
    return int(os.environ.get("ECAF_TEST_SEED") or random.SystemRandom().randrange(1_000_000))
