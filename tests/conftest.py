"""What every test gets: a clock zone that shows mistakes, and the real servers if it asks."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
# `tests.servers...` must import from wherever pytest was started, also in isolated mode
# (`python -I`), when the wheel is under test. At the end of the path, so that it shadows nothing:
# an installed `hub` stays the one that is tested.
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from tests.servers.postgres import Databases, databases, sqlalchemy_url  # noqa: E402  as above

pytest_plugins = ["tests.servers.fixtures"]

# Half a day from UTC and with a summer time, so that a naive or local time cannot pass unseen.
# Spelt out, because a small machine may have no zone files and would read a name as UTC.
os.environ["TZ"] = "NZST-12NZDT,M9.5.0,M4.1.0/3"
time.tzset()

# Timing is no verdict on a shared machine. CI must find what a developer finds, so it draws the
# same examples every time; at a desk each run looks elsewhere.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

FIRST = ("chaos", "acceptance", "sabotage")
"""Folders of tests that take long and mostly wait: begun last, they would run on alone."""

RAN_ON = "ran on"
BACKENDS = ("SQLite", "PostgreSQL", "memory transport", "RabbitMQ")
_BY_WORD = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "postgresql": "PostgreSQL",
    "postgres_url": "PostgreSQL",
    "memory": "memory transport",
    "embedded": "memory transport",
    "rabbit": "RabbitMQ",
    "rabbitmq": "RabbitMQ",
    "empty_rabbitmq": "RabbitMQ",
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """One PostgreSQL for the session: private, or the one that `ECAF_TEST_DATABASE_URL` names."""
    with databases() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Databases) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database that nobody else sees; gone afterwards."""
    dsn = postgres.create()
    yield sqlalchemy_url(dsn)
    postgres.drop(dsn)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; note on each test what it runs on, for its report."""
    items.sort(key=lambda item: item.path.parent.name not in FIRST)
    for item in items:
        for backend in sorted(backends(item)):
            item.user_properties.append((RAN_ON, backend))


def backends(item: pytest.Item) -> set[str]:
    """What *item* runs on: by its parameters and fixtures or, if these are silent, its markers."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
    words = [str(value).lower() for value in parameters]
    words += getattr(item, "fixturenames", ())
    found = {_BY_WORD[word] for word in words if word in _BY_WORD}
    if item.get_closest_marker("database") and not found & {"SQLite", "PostgreSQL"}:
        found.add("PostgreSQL")
    if item.get_closest_marker("broker") and not found & {"memory transport", "RabbitMQ"}:
        found.add("RabbitMQ")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran on what: a suite that silently lost its servers would show here."""
    reports = [
        report
        for outcome in ("passed", "failed", "xfailed", "xpassed")
        for report in terminalreporter.stats.get(outcome, ())
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    counted = Counter(
        value for report in reports for name, value in report.user_properties if name == RAN_ON
    )
    said = ", ".join(f"{counted[backend]} on {backend}" for backend in BACKENDS)
    terminalreporter.write_line(f"Of {len(reports)} tests: {said}.")
