"""Every row of `domain.md` 5.1-5.3 is asked for by a test, and the family's row is asked here."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.acceptance.access_world import ROLES, SECRET, door

TESTS: Final = Path(__file__).parents[1]
TABLES: Final = yaml.safe_load(Path(__file__).with_name("domain_tables.yaml").read_text())
ROWS: Final = {
    "5.1": ("organisation", "agreement", "named account", "practitioner", "log-in", "volunteers",
            "not children's workforce"),
    "5.2": tuple(f"A{number}" for number in range(1, 13)),
    "5.3": ("practitioner, no episode", "assessor", "lead professional", "team member",
            "sensitive-service member", "co-ordinator", "eCAF administrator",
            "children's social care", "receiving authority", "family", "hub operator"),
}  # fmt: skip
KEEPERS: Final = ("assessor", "lead")
"""Through whom the family reads its own copy here: who keeps the record."""


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    """Build the ground before any loop runs: its own story runs one."""
    door()


def proofs() -> Iterator[tuple[str, str]]:
    """Yield each row or cell with each test that is named for it."""
    for table, rows in TABLES.items():
        for row, named in rows.items():
            for one in named:
                yield f"{table} {row}", one


@pytest.mark.parametrize("table", ROWS)
def test_no_row_is_missing(table: str) -> None:
    """A row of the domain without a test fails here."""
    assert tuple(TABLES[table]) == ROWS[table]
    assert all(TABLES[table].values())


@pytest.mark.parametrize(("row", "named"), list(proofs()))
def test_every_named_test_is_there(row: str, named: str) -> None:
    """By file and name; a test that was renamed must be named anew."""
    file, _, name = named.partition("::")
    text = (TESTS / file).read_text("utf-8")

    assert name == "*" or re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE), row


@pytest.mark.parametrize("role", ROLES)
async def test_the_family_acts_through_whoever_keeps_the_record(role: str) -> None:
    """Content: the own copy; audit: who saw it; no other role hands out either, and nobody's copy
    of a child's holds an adult's part.
    """
    who, user = ROLES[role]
    service = door().world.partners[who].services[0].ref
    answers: dict[str, Any] = {}
    for path in (
        f"/episodes/e1/family-copy?person=s1&purpose=PLAN&service={service}",
        "/episodes/e1/access-report?person=s1",
    ):
        door().put_back("open")
        call = {"method": "GET", "path": path, "headers": {"accept": "*/*"}}
        answers[path.partition("?")[0]] = await door().ask(door().app, call, who, user)

    for path, answer in answers.items():
        if role in KEEPERS:
            assert answer.status_code == 200, (path, answer.text)
        else:
            assert answer.status_code in {403, 404}, (path, answer.text)
            assert SECRET not in answer.text
        assert "Mia" not in answer.text, path
