"""The repository as files: what the guards in this folder look at."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Package by import name: the folder's name, but for the one that queue/ holds.
PACKAGES = {
    "hub": ROOT / "hub",
    "adapters": ROOT / "adapters",
    "mappings": ROOT / "mappings",
    "messaging": ROOT / "queue" / "messaging",
}


def modules() -> Iterator[Path]:
    """Every Python file that we ship."""
    for folder in PACKAGES.values():
        yield from sorted(folder.rglob("*.py"))


def named(path: Path) -> str:
    """The path as a reader would write it."""
    return path.relative_to(ROOT).as_posix()
