"""Expand, then contract: what a migration may do to a database that the code before it still uses.

Workers of two versions share one database while they are restarted one by one (`reliability.md`
P17), and each migration is run before the newer code.  So the older code must find everything that
it knows, and may leave out whatever is new.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

FOLDER = ROOT / "adapters" / "database" / "migrations" / "versions"
MIGRATIONS = sorted(FOLDER.glob("v*.py"))
TAKES_AWAY = frozenset(
    {
        "drop_table",
        "drop_column",
        "rename_table",
        "alter_column",
        "create_unique_constraint",
        "create_check_constraint",
        "create_foreign_key",
        "create_primary_key",
        "batch_alter_table",
    }
)
"""Operations by which the older code would lose a name, or be refused a row that it may write."""
WORDS = ("DROP TABLE", "DROP COLUMN", "RENAME", "SET NOT NULL", "ADD CONSTRAINT", "TRUNCATE")
"""The same in SQL."""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of ``op.NAME(…)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node


def columns(tree: ast.AST) -> dict[str, ast.Call]:
    """Return columns that are made under a name of their own, by that name."""
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def optional(column: ast.expr, named: dict[str, ast.Call]) -> bool:
    """Whether the older code can leave this column out: it may be null or has a default."""
    made = named.get(column.id) if isinstance(column, ast.Name) else column
    if not isinstance(made, ast.Call):
        return False
    said = {word.arg: word.value for word in made.keywords}
    null = said.get("nullable")
    may_be_null = null is None or (isinstance(null, ast.Constant) and null.value is True)
    return may_be_null or "server_default" in said


def harms(source: str) -> list[str]:
    """Return what in a migration would harm the code before it."""
    tree = ast.parse(source)
    named, found = columns(tree), []
    for name, call in calls(tree):
        if name in TAKES_AWAY:
            found.append(f"line {call.lineno}: {name}")
        elif name == "add_column" and not optional(call.args[1], named):
            found.append(f"line {call.lineno}: a column that the older code does not fill")
        elif name == "create_index" and any(
            word.arg == "unique" and getattr(word.value, "value", True) for word in call.keywords
        ):
            found.append(f"line {call.lineno}: a unique index")
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    found += [word for text in texts for word in WORDS if word in text.upper()]
    return found


@pytest.mark.parametrize("path", MIGRATIONS[1:], ids=lambda path: path.stem)
def test_a_migration_takes_nothing_away(path: Path) -> None:
    """Each after the first only adds, and what it adds may be left out."""
    assert harms(path.read_text("utf-8")) == []


def test_migrations_say_when_they_run() -> None:
    """The name says it: before the code (``pre``); there is no other kind yet."""
    assert len(MIGRATIONS) > 1
    assert [path.stem for path in MIGRATIONS if path.stem.split("_")[1] != "pre"] == []


@pytest.mark.parametrize(
    "harm",
    [
        'op.drop_table("notice")',
        'op.drop_column("notice", "state")',
        'op.alter_column("notice", "state", new_column_name="phase")',
        'op.add_column("notice", sa.Column("x", sa.String(), nullable=False))',
        'column = sa.Column("x", sa.String(), nullable=False)\nop.add_column("notice", column)',
        'op.create_index("ix", "notice", ["a"], unique=True)',
        'op.execute("ALTER TABLE notice DROP COLUMN state")',
        'op.execute("alter table notice rename to notices")',
    ],
)
def test_the_test_finds_harm(harm: str) -> None:
    """What would break the older code is found, however it is written."""
    assert harms(harm) != []


def test_what_only_adds_is_let_through() -> None:
    """A table, an optional column, an index."""
    assert (
        harms(
            'op.create_table("t", sa.Column("a", sa.String(), nullable=False))\n'
            'op.add_column("notice", sa.Column("b", sa.String(), nullable=True))\n'
            'op.add_column("notice", sa.Column("c", sa.Integer(), nullable=False, '
            'server_default="0"))\n'
            'op.create_index("ix", "notice", ["b"], unique=False)\n'
            'op.drop_index("ix_old", "notice")'
        )
        == []
    )
