"""Every scenario once more, on PostgreSQL and RabbitMQ."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_scenarios import SCENARIOS, play
from tests.servers.postgres import PostgresServer, sqlalchemy_url, start_postgres

pytestmark = pytest.mark.acceptance

QUICK = {"s1", "s3"}
"""Between them, with `test_scenarios`, every kind of step; the others are in `make chaos`."""


@pytest.fixture(scope="module")
def durable_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that waits for the disk: the hub refuses to serve on any other."""
    # Not under pytest's folders, which the user that PostgreSQL runs as may not enter.
    with tempfile.TemporaryDirectory(prefix="ecaf-acceptance-") as folder:
        Path(folder).chmod(0o755)
        server = start_postgres(Path(folder) / "postgres", durable=True)
        yield server
        server.stop()


@pytest.fixture
def durable_url(durable_server: PostgresServer) -> Iterator[str]:
    """An empty database of its own; gone afterwards."""
    dsn = durable_server.databases.create()
    yield sqlalchemy_url(dsn)
    durable_server.databases.drop(dsn)


@pytest.mark.database
@pytest.mark.broker
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow)
        for path in SCENARIOS
    ],
)
def test_a_scenario_passes_on_real_servers(
    path: Any, tmp_path: Path, durable_url: Any, empty_rabbitmq: Any
) -> None:
    """PostgreSQL and RabbitMQ instead: not one message more or less."""
    out = tmp_path / "out"
    code, shown = play(path, out, database_url=durable_url, broker_url=empty_rabbitmq.url)

    assert code == 0, shown
