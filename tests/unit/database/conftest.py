"""A SQLite store on a file of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    return FileVault.create(tmp_path / "vault.key")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ecaf.db"


@pytest.fixture
async def store(path: Path, vault: FileVault) -> AsyncIterator[SqlStore]:
    opened = SqlStore(f"sqlite:///{path}", vault)
    yield opened
    await opened.close()
