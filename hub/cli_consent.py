"""`ecaf consent`: what the family decided, what follows from it, and what a decision would change.

Ids, codes and dates only; no value of an episode is ever printed.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hub.cli_asking import say, table
from hub.cli_asking import show as show_table
from hub.cli_errors import guarded
from hub.cli_operator import Socket, ask, environ_at_rest, running
from hub.domain.exchange import Tree
from hub.services.consent_look import ConsentLook

consent = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look up consent: who may see what, why, and what a decision would change.\n\n"
    "Asks the running hub on its socket; without one, the store of --site (or ECAF_*) at rest.",
)

Episode = Annotated[str, typer.Argument(help="The episode's reference.")]
Site = Annotated[
    Path | None, typer.Option(help="The folder of a hub that does not run, such as demo-out/hub.")
]
At = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="On this day (UTC); default now."),
]
Purpose = Annotated[str, typer.Option(help="A purpose of CL-21b.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
SHOWN = 6
"""How many names a cell of a table lists before it only counts them."""


@consent.command(epilog="\b\nExample:\n  ecaf consent show 3f1c… --site demo-out/hub")
def show(
    episode: Episode,
    site: Site = None,
    socket: Socket = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """List every decision: who gave it, what it says, and whether anything still rests on it."""
    found = _asked(
        f"/admin/episodes/{episode}/consent",
        lambda look: look.decisions(episode, _moment(at)),
        site,
        socket,
        as_json=as_json,
        query=_at(at),
    )
    if as_json:
        return
    told = table("no.", "about", "state", "given by", "scope", "signed", "until", "standing")
    for one in found["decisions"]:
        scope = [*_scope(one["scope_includes"], "+"), *_scope(one["scope_excludes"], "-")]
        told.add_row(
            str(one["sequence"]),
            one["about"],
            one.get("state", ""),
            one.get("given_by_basis", ""),
            "\n".join(scope) or ", ".join(one["purposes"]),
            str(one.get("signed_at", ""))[:10],
            str(one.get("expires_at", "")),
            f"{one['standing']} ({one['decides']} cells)" if one["decides"] else one["standing"],
        )
    show_table(told)
    for one in found["decisions"]:
        say(f"{one['sequence']}: decision {one['decision']}")


@consent.command(epilog="\b\nExample:\n  ecaf consent matrix 3f1c… --service HOU-A/HOUS")
def matrix(
    episode: Episode,
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    site: Site = None,
    socket: Socket = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Show who may see which sections, for every service that a decision or relationship names.

    `listed` stands for the basic leaves; `!` marks a section with its sensitive leaves, `w` one
    that the service may also write to.
    """
    found = _asked(
        f"/admin/episodes/{episode}/consent/matrix",
        lambda look: look.matrix(episode, service, _moment(at)),
        site,
        socket,
        as_json=as_json,
        query=_at(at) | ({} if service is None else {"service": service}),
    )
    if as_json:
        return
    cells = found["cells"]
    told = table("service", "about", "purpose", "may see", "may not see, because")
    key = ("service", "person", "purpose")
    for asked in dict.fromkeys(tuple(cell[name] for name in key) for cell in cells):
        mine = [cell for cell in cells if tuple(cell[name] for name in key) == asked]
        yes = [_marked(cell) for cell in mine if cell["answer"] != "no"]
        no: dict[str, list[str]] = {}
        for cell in mine:
            if cell["answer"] == "no":
                no.setdefault(str(cell["reason"]), []).append(cell["section"])
        because = [f"{code}: {_those(names, some=bool(yes))}" for code, names in no.items()]
        told.add_row(*asked, ", ".join(yes) or "nothing", "\n".join(because))
    show_table(told)


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
    socket: Socket = None,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Say why a field would reach a service, or not: each test of the gate, then each leaf.

    Exit 1 if nothing of the field would be shown.
    """
    found = _asked(
        f"/admin/episodes/{episode}/consent/why",
        lambda look: look.why(episode, service, field, purpose, _moment(at)),
        site,
        socket,
        as_json=as_json,
        query={"service": service, "field": field, "purpose": purpose, **_at(at)},
    )
    places = found["places"]
    if not as_json:
        for check in found["tests"]:
            say(f"{check['name']}: {'yes' if check['passed'] else 'NO, ' + check['code']}")
        told = table("field", "section", "shown", "why")
        for place in places:
            because = ", ".join(place["decisions"]) if place["released"] else str(place["reason"])
            shown = "yes" if place["released"] else "no"
            told.add_row(place["place"], place["section"], shown, because)
        if places:
            show_table(told)
        else:
            say("this episode holds nothing there now")
    if not any(place["released"] for place in places):
        raise typer.Exit(1)


@consent.command(epilog="\b\nExample:\n  ecaf consent preview decision.json")
def preview(
    file: Annotated[
        Path | None, typer.Argument(help="A decision record; - or none: standard input.")
    ] = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Say what would newly flow and what would stop if a decision were recorded; records nothing.

    The file is the body of POST /episodes/{ref}/consents; one that would be refused is refused here
    with the same codes, exit 1.
    """
    from hub.consenting import decision_of
    from mappings.commands_print import input_of

    raw = guarded(lambda: input_of(None if str(file) == "-" else file), as_json=as_json)
    record = guarded(lambda: decision_of(raw), as_json=as_json)
    found = _asked(
        "/admin/consent/preview",
        lambda look: look.preview(record),
        site,
        socket,
        as_json=as_json,
        body=raw,
    )
    if as_json:
        return
    say(f"event: {found['event']}")
    told = table("service", "newly flows", "stops")
    for name in sorted({*found["starts"], *found["stops"]}):
        starts, stops = found["starts"].get(name, ()), found["stops"].get(name, ())
        told.add_row(name, _those(starts), _those(stops))
    if told.row_count:
        show_table(told)
    else:
        say("no service gains or loses anything")
    for child, kept in found["may_store"].items():
        keeping = "may be kept" if kept else "may NOT be kept"
        say(f"{child}: {keeping}, child index: {found['index'][child]}")
    if found["recalls"]:
        say(f"told to stop (N10): {', '.join(found['recalls'])}")
        say(f"on their way, decided anew: {len(found['waiting'])}")


@consent.command()
def report(
    episode: Episode,
    person: Annotated[
        str | None, typer.Option(help="As this child, parent or carer may know it.")
    ] = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Report who received what, when, for what and by which decision: sections, never values."""
    found = _asked(
        f"/admin/episodes/{episode}/disclosures",
        lambda look: look.report(episode, person),
        site,
        socket,
        as_json=as_json,
        query={} if person is None else {"person": person},
    )
    if as_json:
        return
    told = table("when", "service", "what", "purpose", "sections", "decisions")
    for line in found["disclosures"]:
        told.add_row(
            line["at"][:16],
            *(line[name] for name in ("service", "what", "purpose")),
            ", ".join(line["sections"]),
            ", ".join(line["decisions"]),
        )
    if told.row_count:
        show_table(told)
    else:
        say("nothing has been given to anybody")


def _asked(
    path: str,
    look: Callable[[ConsentLook], Awaitable[Tree]],
    site: Path | None,
    socket: Path | None,
    *,
    as_json: bool,
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Any:
    """Return the answer, of the running hub or of a store at rest; printed already if *as_json*."""
    from hub.consenting import look as look_up

    if site is None and (socket is not None or running(socket)):
        method = "GET" if body is None else "POST"
        found = ask(method, path, socket, query=query, body=body, as_json=as_json)
    else:
        found = guarded(lambda: look_up(environ_at_rest(site), look), as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
    return found


def _moment(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


def _at(at: datetime | None) -> dict[str, str]:
    return {} if at is None else {"at": at.replace(tzinfo=UTC).isoformat()}


def _scope(items: Sequence[Tree], sign: str) -> list[str]:
    """Return a line for each service: ``+ HOU-A/HOUS: sec.identity, sec.plan!``."""
    named: dict[str, dict[str, bool]] = {}
    for item in items:
        sections = named.setdefault(str(item.get("service", "every service")), {})
        section = str(item.get("section", ""))
        sections[section] = sections.get(section, False) or item.get("sensitive") is True
    return [
        f"{sign} {service}: " + ", ".join(f"{name}!" if fine else name for name, fine in of.items())
        for service, of in named.items()
    ]


def _marked(cell: Tree) -> str:
    fine = "!" if cell["answer"] == "sensitive" else ""
    return f"{cell['section']}{fine}{' w' if cell['contribute'] else ''}"


def _those(names: Any, *, some: bool = False) -> str:
    """Return the names, or how many, where naming each would hide the rest."""
    if len(names) > SHOWN:
        return f"{len(names)} others" if some else f"all {len(names)}"
    return ", ".join(names)
