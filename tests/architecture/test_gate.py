"""Who may make what leaves the hub: the gate, and nobody else."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.tree import modules, named

MINTS = {"hub/services/exception.py", "hub/services/gate.py", "hub/services/released.py"}
"""The gate of consent, that of disclosures by law, and the rehearsal."""
ASKS = "hub/services/"
"""Only the services ask the gate: a case put together elsewhere would be believed."""
OFFLINE = "hub/offline.py"
"""Shows an operator the real cut of a file, marked as a rehearsal."""
BEHIND = {"__setattr__", "__setitem__", "_mint"}
"""Names by which somebody could reach behind a `Released` or `Frozen`."""


def test_only_the_gate_and_the_rehearsal_mint() -> None:
    """`_mint` is named nowhere else."""
    found = {named(path) for path in modules() if "_mint" in names(path.read_text())}

    assert found == MINTS


def test_only_the_services_ask_the_gate() -> None:
    """No adapter, mapping or door builds a case of its own."""
    found = [
        named(path)
        for path in modules()
        if not named(path).startswith(ASKS) and imports_gate(ast.parse(path.read_text()))
    ]

    assert found == [OFFLINE]


def test_renderers_and_carriers_do_not_reach_behind_it() -> None:
    """No `object.__setattr__`, no `dict.__setitem__` where anybody handles what was released."""
    found = [
        f"{named(path)}: {name}"
        for path in modules()
        if named(path).startswith(("mappings/", "adapters/", "queue/"))
        and "Released" in (used := names(path.read_text()))
        for name in sorted(BEHIND & used)
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "from hub.services.released import _mint",
        "released._mint(x)",
        "object.__setattr__(a, 'b', 1)",
    ],
)
def test_a_name_is_seen(source: str) -> None:
    """The guard sees each of these."""
    assert BEHIND & names(source)


@pytest.mark.parametrize(
    "source",
    [
        "from hub.services.gate import release",
        "import hub.services.gate",
        "from hub.services import gate",
    ],
)
def test_an_import_is_seen(source: str) -> None:
    """However the gate is imported."""
    assert imports_gate(ast.parse(source))


def names(source: str) -> set[str]:
    """Every name that a module uses."""
    return set(_names(ast.parse(source)))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.FunctionDef):
            yield node.name


def imports_gate(tree: ast.AST) -> bool:
    """Whether a module imports the gate."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found = {alias.name for alias in node.names}
        else:
            continue
        if "hub.services.gate" in found:
            return True
    return False
