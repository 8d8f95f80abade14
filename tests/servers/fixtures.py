"""Servers that tests share; `tests/conftest.py` loads this file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.mesh import MeshSandbox, start_mesh_sandbox
from tests.servers.rabbitmq import RabbitServer, start_rabbitmq


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitServer]:
    """A RabbitMQ for the whole test session; ECAF_TEST_BROKER_URL names another."""
    with start_rabbitmq() as server:
        yield server


@pytest.fixture(scope="module")
def empty_rabbitmq() -> Iterator[RabbitServer]:
    """A RabbitMQ of this module's own: whole hubs declare `caf.*` there as they ship."""
    with start_rabbitmq() as server:
        yield server


@pytest.fixture(scope="session")
def mesh_sandbox() -> Iterator[MeshSandbox]:
    """NHS England's MESH sandbox for the whole test session."""
    with start_mesh_sandbox() as server:
        yield server
