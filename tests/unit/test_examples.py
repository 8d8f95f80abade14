"""The examples in docstrings are true: each module that has any is run as a doctest.

pytest's own `--doctest-modules` imports and searches every module there is, in every worker, before
the first test begins.
"""

import doctest
import importlib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PROMPT: Final = ">" * 3 + " "
HOMES: Final = {
    "hub": ROOT,
    "adapters": ROOT,
    "mappings": ROOT,
    "tests": ROOT,
    "queue": ROOT / "queue",
}


def modules() -> list[str]:
    """Return the modules that have an example, by their dotted names."""
    return [
        ".".join(file.relative_to(home).with_suffix("").parts)
        for top, home in HOMES.items()
        for file in sorted((ROOT / top).rglob("*.py"))
        if PROMPT in file.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("name", modules())
def test_its_examples_are_true(name: str) -> None:
    """Each does what it says, and at least one is there."""
    found = doctest.testmod(importlib.import_module(name))

    assert found.failed == 0
    assert found.attempted > 0


def test_no_example_is_overlooked() -> None:
    """The search finds them in every package."""
    assert {name.partition(".")[0] for name in modules()} >= {
        *("hub", "adapters", "mappings", "messaging", "tests"),
    }  # fmt: skip
