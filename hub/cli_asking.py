"""How `ecaf trace` and its kin ask: the running hub on its socket, else the store of a site."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from hub.cli_errors import guarded
from hub.cli_operator import ask, environ_at_rest, running
from hub.domain.exchange import Tree
from hub.services.operating import Operations

Site = Annotated[
    Path | None, typer.Option(help="The folder of a hub that does not run, such as demo-out/hub.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

UNFOLDED: Final = 100_000
"""Wider than any table: a pipe has no edge at which to fold."""
OWN: Final = frozenset({"at", "what", "code", "attempt"})


def asked(
    path: str,
    look: Callable[[Operations], Awaitable[Tree]],
    site: Path | None,
    socket: Path | None,
    *,
    as_json: bool,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    post: bool = False,
    silent: bool = False,
) -> Any:
    """Return the answer; *path* is asked of a running hub, *look* of the store at rest.

    Printed already if *as_json* and not *silent*.  A *post* needs no *body*; with one it is one.
    """
    if site is None and (socket is not None or running(socket)):
        method = "POST" if post or body is not None else "GET"
        raw = None if body is None else orjson.dumps(body)
        found = ask(method, path, socket, query=query, body=raw, as_json=as_json)
    else:
        from hub.operating import at_rest

        found = guarded(lambda: at_rest(environ_at_rest(site), look), as_json=as_json)
    if as_json and not silent:
        typer.echo(orjson.dumps(found).decode())
    return found


def every_alert(
    audience: str | None, site: Path | None, socket: Path | None, *, everything: bool, as_json: bool
) -> list[dict[str, Any]]:
    """Return all alerts for an audience (or for anybody), page after page."""
    found: list[dict[str, Any]] = []
    query: dict[str, str] = {"all": "1"} if everything else {}
    if audience is not None:
        query["audience"] = audience
    after = 0
    while True:
        page = asked(
            "/admin/alerts",
            lambda hub, at=after: hub.alerts(  # type: ignore[misc]
                audience, everything=everything, after=at
            ),
            site,
            socket,
            as_json=as_json,
            silent=True,
            query={**query, "after": str(after)},
        )
        found += page["alerts"]
        if "next" not in page:
            return found
        after = int(page["next"])


def table(*headings: str) -> Table:
    """Return an empty table that folds what is long and cuts nothing."""
    made = Table(box=None, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def show(made: Table) -> None:
    """Print a table; where the output is no terminal, a row is a line, however long."""
    console = Console(markup=False, emoji=False)
    if console.is_terminal:
        console.print(made, highlight=False)
        return
    lines = StringIO()
    Console(file=lines, width=UNFOLDED, markup=False, emoji=False).print(made, highlight=False)
    typer.echo("\n".join(line.rstrip() for line in lines.getvalue().splitlines()))


def say(line: str) -> None:
    """Print one line as it is."""
    Console(soft_wrap=True).print(line, highlight=False, markup=False)


def day(moment: str | None) -> str:
    """Return a moment as a column shows it: to the second, without the zone that all share."""
    return "" if moment is None else moment[:19].replace("T", " ")


def steps_of(told: Iterable[Mapping[str, Any]]) -> Table:
    """Return the steps of one delivery as a table."""
    steps = table("when", "step", "attempt", "code", "by what")
    for step in told:
        steps.add_row(
            day(step["at"]),
            step["what"],
            str(step["attempt"] or ""),
            step["code"],
            pairs(step),
        )
    return steps


def pairs(one: Mapping[str, Any]) -> str:
    """Return what a step says beside its own columns; nothing of what is empty."""
    said = {name: _flat(value) for name, value in one.items() if name not in OWN}
    return " ".join(f"{name}={value}" for name, value in said.items() if value)


def counted(number: int, what: str) -> str:
    """Return a number of things in words.

    >>> counted(1, "lane"), counted(2, "lane")
    ('1 lane', '2 lanes')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def _flat(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
