"""Error codes: unique, spelt in one place, and used as they are spelt there."""

import ast
import re
from collections import Counter

from hub.errors import Code
from tests.architecture.tree import ROOT, modules, named

SPELT = re.compile(r"\bE_[A-Z][A-Z_]+\b")


def test_codes_are_unique() -> None:
    """No code stands for two things: an enumeration would silently make the second an alias."""
    source = ast.parse((ROOT / "hub" / "errors.py").read_bytes())
    enumeration = next(
        node for node in source.body if isinstance(node, ast.ClassDef) and node.name == "Code"
    )
    values = [
        ast.literal_eval(statement.value)
        for statement in enumeration.body
        if isinstance(statement, ast.Assign)
    ]

    assert [value for value, times in Counter(values).items() if times > 1] == []
    assert sorted(values) == sorted(Code)


def test_codes_are_named_as_they_read() -> None:
    """Whoever reads `Code.STATE` knows that partners see E_STATE."""
    assert [code for code in Code if code.value != f"E_{code.name}"] == []


def test_no_code_is_spelt_that_does_not_exist() -> None:
    """A code written as text anywhere in the packages is one that partners can look up."""
    unknown = {
        f"{named(path)}: {code}"
        for path in modules()
        for code in SPELT.findall(path.read_text())
        if code not in set(Code)
    }

    assert unknown == set()
