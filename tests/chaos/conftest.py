"""What the chaos tests share: servers that wait for their disk, and the seed."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.postgres import Databases, plain_dsn, sqlalchemy_url, start_postgres


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
def seed() -> int:
    """What all chance in a test follows: `ECAF_TEST_SEED`, or another each time."""
    return int(os.environ.get("ECAF_TEST_SEED") or random.SystemRandom().randrange(1_000_000))
