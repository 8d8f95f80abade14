"""What mutation testing changes: each mutant is one change, and is not the module itself."""

import ast

from tests.mutation.mutants import mutants

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
    found = list(mutants(SOURCE))
    same = ast.unparse(ast.parse(SOURCE))

    assert len({one.source for one in found}) == len(found) == 19
    assert all(one.source != same for one in found)
    assert all("int | None" in one.source and "A module." in one.source for one in found)
    assert {one.change for one in found} >= {
        "3 -> 4", "Gt -> GtE", "Is -> IsNot", "and <-> or", "without not", "the other branch",
        "without print(n + 1)", "without break or continue", "without b", "False -> True",
    }  # fmt: skip
