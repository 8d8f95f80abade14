"""What mutation testing changes, and what it is told to be the same."""

import ast
from pathlib import Path

import pytest

from tests.mutation.equivalents import known, stale
from tests.mutation.mutants import mutants
from tests.mutation.plan import ROOT, TESTS, path_of

SOURCE = '''
"""A module."""
from typing import Final
LIMIT: Final = 3
def may(a: int | None, b: bool) -> bool:
    """Tell."""
    if a is None or a > LIMIT:
        return False
    for n in range(2):
        if n == a:
            continue
        print(n + 1)
    return b and not a
'''


def test_every_mutant_is_another_module() -> None:
    """One change each, still Python, and none in annotations or docstrings."""
    found = mutants("some.module", SOURCE)
    texts = [one.text() for one in found]
    same = ast.unparse(ast.parse(SOURCE))

    assert len(set(texts)) == len(found) == 19
    assert all(text != same for text in texts)
    assert all("int | None" in text and "A module." in text for text in texts)
    assert [one.line for one in found if one.function is None] == [4]
    assert {one.function for one in found[1:]} == {"may"}
    assert {*found[-1].lines} == {13}
    assert {one.change for one in found} >= {
        "3 -> 4", "Gt -> GtE", "Is -> IsNot", "and <-> or", "without not", "the other branch",
        "without the call", "without break or continue", "without b", "False -> True",
    }  # fmt: skip


def test_what_is_said_to_change_nothing_is_there() -> None:
    """Each mutant that is excused is one of the module as it stands, with a reason."""
    entries = known()

    for module in {entry.module for entry in entries}:
        found = mutants(module, path_of(module).read_text("utf-8"))
        assert stale([entry for entry in entries if entry.module == module], found) == []


def test_an_excuse_for_something_else_is_noticed(tmp_path: Path) -> None:
    """An entry without a reason is refused, one that matches nothing is named."""
    entry = "{module: some.module, function: may, code: n + 1, change: another operator, why: '%s'}"
    (file := tmp_path / "equivalents.yaml").write_text(f"- {entry % 'so'}")
    (bad := tmp_path / "bad.yaml").write_text(f"- {entry % ''}")

    assert stale(known(file), mutants("some.module", SOURCE)) == []
    assert stale(known(file), mutants("other.module", SOURCE)) == [*known(file)]
    with pytest.raises(ValueError, match="no reason"):
        known(bad)


def test_what_is_changed_and_what_must_notice_are_there() -> None:
    """Every module has its tests, and every file exists."""
    assert all(path_of(module).is_file() and tests for module, tests in TESTS.items())
    assert all((ROOT / file).is_file() for tests in TESTS.values() for file in tests)
