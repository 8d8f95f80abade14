"""`ecaf consent`: what the family decided, what follows from it, and what a decision would change.

Ids, codes and dates only; no value of an episode is ever printed.
"""

import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table

from hub.cli_errors import guarded
from hub.domain.exchange import Tree

consent = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look up consent: who may see what, why, and what a decision would change.\n\n"
    "With SQLite the hub must not be running; `--site` names its folder.",
)

Episode = Annotated[str, typer.Argument(help="The episode's reference.")]
Site = Annotated[
    Path | None, typer.Option(help="A site's folder (such as demo-out/hub); default ECAF_*.")
]
At = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="On this day (UTC); default now."),
]
Purpose = Annotated[str, typer.Option(help="A purpose of CL-21b.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
T = TypeVar("T")


@consent.command(epilog="\b\nExample:\n  ecaf consent show 3f1c… --site demo-out/hub")
def show(episode: Episode, site: Site = None, at: At = None, as_json: Json = False) -> None:
    """List every decision: who gave it, what it says, and whether anything still rests on it."""
    from hub.consenting import shown

    found = _asked(lambda environ: shown(environ, episode, _moment(at)), site, as_json=as_json)
    if as_json:
        _dump({"episode_id": episode, "decisions": list(found)})
        return
    table = _table("no.", "about", "state", "given by", "scope", "signed", "until", "standing")
    for one in found:
        scope = [_scope(item, "+") for item in one["scope_includes"]]
        scope += [_scope(item, "-") for item in one["scope_excludes"]]
        table.add_row(
            str(one["sequence"]),
            one["about"],
            one.get("state", ""),
            one.get("given_by_basis", ""),
            "\n".join(scope) or ", ".join(one["purposes"]),
            str(one.get("signed_at", ""))[:10],
            str(one.get("expires_at", "")),
            f"{one['standing']} ({one['decides']} cells)" if one["decides"] else one["standing"],
        )
    _print(table)
    for one in found:
        Console().print(f"{one['sequence']}: decision {one['decision']}", highlight=False)


@consent.command(epilog="\b\nExample:\n  ecaf consent matrix 3f1c… --service HOU-A/HOUS")
def matrix(
    episode: Episode,
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    site: Site = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show who may see which sections, for every service that a decision or relationship names.

    `listed` stands for the basic leaves; `!` marks a section with its sensitive leaves, `w` one
    that the service may also write to.
    """
    from hub.consenting import cells

    found = _asked(lambda environ: cells(environ, episode, _moment(at)), site, as_json=as_json)
    rows = [row for row in found if service in {None, row.service}]
    if as_json:
        _dump({"episode_id": episode, "cells": [asdict(row) for row in rows]})
        return
    table = _table("service", "about", "purpose", "may see", "may not see, because")
    asked = dict.fromkeys((row.service, row.person, row.purpose) for row in rows)
    for name, person, purpose in asked:
        mine = [r for r in rows if (r.service, r.person, r.purpose) == (name, person, purpose)]
        yes = [_marked(row) for row in mine if row.answer != "no"]
        reasons = dict.fromkeys(str(row.reason) for row in mine if row.answer == "no")
        no = [
            f"{code}: {_those([r.section for r in mine if str(r.reason) == code], bool(yes))}"
            for code in reasons
        ]
        table.add_row(name, person, purpose, ", ".join(yes) or "nothing", "\n".join(no))
    _print(table)


@consent.command(
    epilog="\b\nExamples:\n  ecaf consent why 3f1c… HOU-A/HOUS subjects[].gender\n"
    "  ecaf consent why 3f1c… HOU-A/HOUS plan"
)
def why(
    episode: Episode,
    service: Annotated[str, typer.Argument(help="ORGANISATION/TYPE, as in a decision.")],
    field: Annotated[str, typer.Argument(help="A field of the dictionary, or the start of one.")],
    purpose: Purpose = "PLAN",
    site: Site = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Say why a field would reach a service, or not: each test of the gate, then each leaf.

    Exit 1 if nothing of the field would be shown.
    """
    from hub.consenting import reasons

    found = _asked(
        lambda environ: reasons(environ, episode, service, field, purpose, _moment(at)),
        site,
        as_json=as_json,
    )
    if as_json:
        _dump(asdict(found))
    else:
        for check in found.tests:
            outcome = "yes" if check.passed else f"NO, {check.code}"
            Console().print(f"{check.name}: {outcome}", highlight=False)
        table = _table("field", "shown", "why")
        for place in found.places:
            because = ", ".join(place.decisions) if place.released else str(place.reason)
            table.add_row(place.place, "yes" if place.released else "no", because)
        if found.places:
            _print(table)
        else:
            Console().print("this episode holds nothing there now", highlight=False)
    if not any(place.released for place in found.places):
        raise typer.Exit(1)


@consent.command(epilog="\b\nExample:\n  ecaf consent preview decision.json")
def preview(
    file: Annotated[
        Path | None, typer.Argument(help="A decision record; - or none: stdin.")
    ] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Say what would newly flow and what would stop if a decision were recorded; records nothing.

    The file is the body of POST /episodes/{ref}/consents; one that would be refused is refused here
    with the same codes, exit 1.
    """
    from hub.consenting import foreseen

    found = _asked(lambda environ: foreseen(environ, file), site, as_json=as_json)
    if as_json:
        _dump(found.as_json())
        return
    console = Console()
    console.print(f"event: {found.event}", highlight=False)
    table = _table("service", "newly flows", "stops")
    for name in sorted({*found.starts, *found.stops}):
        starts, stops = found.starts.get(name, ()), found.stops.get(name, ())
        table.add_row(name, _those(starts), _those(stops))
    if table.row_count:
        _print(table)
    else:
        console.print("no service gains or loses anything", highlight=False)
    for child, kept in found.may_store.items():
        console.print(
            f"{child}: {'may be kept' if kept else 'may NOT be kept'}, "
            f"child index: {found.index[child]}",
            highlight=False,
        )
    if found.recalls:
        console.print(f"told to stop (N10): {', '.join(found.recalls)}", highlight=False)
        console.print(f"on their way, decided anew: {len(found.waiting)}", highlight=False)


@consent.command()
def report(
    episode: Episode,
    person: Annotated[
        str | None, typer.Option(help="As this child, parent or carer may know it.")
    ] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Report who received what, when, for what and by which decision: sections, never values."""
    from hub.consenting import given

    found = _asked(lambda environ: given(environ, episode, person), site, as_json=as_json)
    if as_json:
        lines = [{**asdict(line), "at": line.at.isoformat()} for line in found]
        _dump({"episode_id": episode, "disclosures": lines})
        return
    table = _table("when", "service", "what", "purpose", "sections", "decisions")
    for line in found:
        table.add_row(
            line.at.strftime("%Y-%m-%d %H:%M"),
            line.service,
            line.what,
            line.purpose,
            ", ".join(line.sections),
            ", ".join(line.decisions),
        )
    if found:
        _print(table)
    else:
        Console().print("nothing has been given to anybody", highlight=False)


def _asked(ask: Callable[[Tree], T], site: Path | None, *, as_json: bool) -> T:
    from hub.settings import environ_of

    environ = dict(os.environ) if site is None else environ_of(site)
    return guarded(lambda: ask(environ), as_json=as_json)


def _moment(at: datetime | None) -> datetime:
    return datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)


def _scope(item: Tree, sign: str) -> str:
    fine = "!" if item.get("sensitive") else ""
    return f"{sign} {item.get('service', 'every service')} {item.get('section', '')}{fine}"


def _marked(row: Any) -> str:
    fine = "!" if row.answer == "sensitive" else ""
    return f"{row.section}{fine}{' w' if row.contribute else ''}"


def _those(names: Any, some: bool = False) -> str:
    """Return the names, or how many, where naming each would hide the rest."""
    if len(names) > SHOWN:
        return f"{len(names)} others" if some else f"all {len(names)}"
    return ", ".join(names)


SHOWN = 6


def _table(*headings: str) -> Table:
    table = Table(box=None)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _print(table: Table) -> None:
    Console().print(table)


def _dump(body: object) -> None:
    typer.echo(orjson.dumps(body).decode())
