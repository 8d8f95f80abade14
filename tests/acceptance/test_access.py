"""Every operation, by every role, on its own, on another and on a shielded episode.

What is expected is `access.yaml`; an operation that has no row there fails here, and so does a row
whose operation is gone.  `domain.md` 5.1-5.3.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from hub.cli import app as commands
from hub.domain.events import WIRE
from tests.acceptance.access_world import EPISODES, ROLES, SECRET, call_for, door, outcome

TABLE: Final[Mapping[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("access.yaml").read_text()
)
REFUSED: Final = frozenset(
    {"E_NOT_OWNER", "E_FORBIDDEN", "E_CONSENT_NONE", "E_NO_RELATIONSHIP", "E_USER_NOT_ELIGIBLE"}
)
OPEN: Final = ("public", "local")
"""Routes that ask nobody who they are: they know nothing of any episode."""


@pytest.fixture(autouse=True, scope="module")
def built() -> None:
    """Build the ground before any loop runs: its own story runs one."""
    door()


def declared(app: Any) -> list[str]:
    """Return every route of an application that asks who is calling."""
    return [
        f"{route.declared.method} {route.path}"
        for route in app.routes
        if getattr(route, "declared", None) is not None and route.declared.who not in OPEN
    ]


def operations() -> set[str]:
    """Return everything that a partner can do: routes, and each event that a message may name."""
    routes = set(declared(door().app)) - {"POST /messages"}
    return routes | {str(event) for event in WIRE} | {"(bare episode)", "(contribution)"}


def expected(operation: str, role: str) -> list[str]:
    told = TABLE["partners"][operation][role]
    return [str(one) for one in (told if isinstance(told, list) else [told] * len(EPISODES))]


def named(group: Any, before: str = "") -> list[str]:
    """Return every command of the command line by its whole name."""
    click = typer.main.get_command(group)

    def walk(one: Any, path: str) -> list[str]:
        inner = getattr(one, "commands", None)
        if inner is None:
            return [path]
        return [
            name for word, each in inner.items() for name in walk(each, f"{path} {word}".strip())
        ]

    return walk(click, before)


def test_every_operation_has_a_row() -> None:
    """A new route or event fails until somebody has said who may do it."""
    assert operations() == set(TABLE["partners"])
    assert set(declared(door().operator)) == set(TABLE["operator"])
    for operation, row in TABLE["partners"].items():
        assert set(row) - {"column", "does"} == set(ROLES), operation


def test_every_command_says_what_it_may_show() -> None:
    """A new command fails until somebody has said what of an episode it can show, and to whom."""
    assert set(named(commands)) == set(TABLE["commands"])
    assert set(TABLE["commands"].values()) <= set(TABLE["shows"])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("operation", sorted(TABLE["partners"]))
async def test_who_may_do_what(operation: str, role: str) -> None:
    """The answer is the table's, and content goes to nobody who was refused."""
    who, user = ROLES[role]
    found = []
    for episode in EPISODES:
        door().put_back(episode)
        service = door().world.partners[who].services[0].ref
        call = call_for(operation, episode, service, user)
        answer = await door().ask(door().app, call, who, user)
        found.append(outcome(answer))
        if answer.status_code >= 400 or episode == "other":
            assert SECRET not in answer.text

    assert found == expected(operation, role)


@pytest.mark.parametrize("operation", sorted(TABLE["operator"]))
@pytest.mark.parametrize("episode", EPISODES)
async def test_the_operator_never_sees_content(operation: str, episode: str) -> None:
    """Metadata and technical state, whatever is asked on the operator's socket (5.3, last row)."""
    door().put_back(episode)

    answer = await door().ask(door().operator, call_for(operation, episode, "", ""), None, None)

    assert outcome(answer) == str(TABLE["operator"][operation])
    assert SECRET not in answer.text
    assert "Example" not in answer.text


def test_the_table_says_what_the_domain_says() -> None:
    """Each row that stands for a column of 5.3 agrees with its letters: `-` is refused, `R` and
    `W` are not.
    """
    wrong = []
    for operation, row in TABLE["partners"].items():
        if "column" not in row:
            continue
        for role in ROLES:
            letters = str(TABLE["domain_5_3"][role][row["column"]])
            answer = expected(operation, role)[0]
            if (row["does"] in letters) == (answer in REFUSED):
                wrong.append(f"{operation} by {role}: {letters} against {answer}")
    covered = {row["column"] for row in TABLE["partners"].values() if "column" in row}

    assert wrong == []
    assert covered == set(TABLE["domain_5_3"]["lead"])


@pytest.mark.parametrize("operation", ["GET /episodes/{ref}", "GET /episodes/{ref}/consents"])
async def test_a_stranger_cannot_tell_the_episodes_apart(operation: str) -> None:
    """Open, somebody else's, and shielded: the same bytes but for the request's own number."""
    who, user = ROLES["stranger"]
    bodies = set()
    for episode in EPISODES:
        door().put_back(episode)
        call = call_for(operation, episode, "VCS-N/YOUTH", user)
        told = (await door().ask(door().app, call, who, user)).json()
        told.pop("request_id")
        bodies.add(str(told))

    assert len(bodies) == 1
