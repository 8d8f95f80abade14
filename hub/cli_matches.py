"""`ecaf matches`: notices that belong to nobody for certain, and what a named person decides."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from hub.cli_asking import Json, Site, day, say, show, table
from hub.cli_errors import guarded
from hub.cli_operator import Socket, ask, environ_at_rest, running
from hub.domain.exchange import Tree
from hub.services.matches import PAGE, REASONS, Action, Matches

matches: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Notices of schools and health systems that match no child for certain: what waits, whom "
    "it may be about by what agrees and differs, and what a named person decides.  Bodies are "
    "erased after a day, or 72 hours after somebody claimed them; none is ever shown here.",
)
Id = Annotated[str, typer.Argument(help="The notice, as `ecaf matches list` shows it.")]
By = Annotated[str, typer.Option(help="Who: a staff reference, never a name.")]
Ticket = Annotated[str | None, typer.Option(help="Where more is written: a reference.")]
CODES: Final = "; ".join(f"{a}: {', '.join(r)}" for a, r in REASONS.items() if r)


@matches.command("list", epilog="\b\nThen:\n  ecaf matches show NOTICE")
def matches_list(
    after: Annotated[str, typer.Option(help="`next` of the previous page.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = PAGE,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List what waits for a person: sender, kind, why, and until when it is kept."""
    query = {"limit": str(limit), **({"after": after} if after else {})}
    found = _asked(
        "/admin/matches",
        lambda hub: hub.listed(after, limit),
        site,
        socket,
        as_json=as_json,
        query=query,
    )
    if as_json:
        return
    shown = table("received", "notice", "from", "kind", "why", "erased", "decider")
    for one in found["matches"]:
        shown.add_row(
            day(one["received_at"]),
            one["notice_id"],
            one["from"],
            one["kind"],
            one.get("reason", ""),
            day(one["erased_at"]),
            one.get("decider", ""),
        )
    show(shown)
    more = f", and more: --after {found['next']}" if "next" in found else ""
    say(f"{len(found['matches'])} waiting{more}")


@matches.command("show")
def matches_show(
    notice: Id, site: Site = None, socket: Socket = None, as_json: Json = False
) -> None:
    """Show one: the children whom it may be about, by what agrees and differs, and what to do."""
    one = _asked(
        f"/admin/matches/{notice}", lambda hub: hub.show(notice), site, socket, as_json=as_json
    )
    if as_json:
        return
    say(
        f"{one['kind']} from {one['from']}, received {day(one['received_at'])}, "
        f"{one.get('reason', '')}, erased {day(one['erased_at'])}"
    )
    if one["candidates"]:
        shown = table(
            "episode", "child", "identifier", "date of birth", "family name", "given name"
        )
        for like in one["candidates"]:
            told = ("identifier", "date_of_birth", "family_name", "given_names")
            shown.add_row(like["episode_id"], like["subject_id"], *(like[name] for name in told))
        show(shown)
    for action in one["actions"]:
        more = "" if action == "claim" else " --reason CODE"
        more += " --episode REF --child REF" if action == "link" else ""
        say(f"    ecaf matches decide {notice} {action}{more} --by REF")


@matches.command()
def decide(
    notice: Id,
    action: Annotated[Action, typer.Argument(help="What to do about it.")],
    by: By,
    reason: Annotated[str | None, typer.Option(help=f"Why. {CODES}.")] = None,
    episode: Annotated[str | None, typer.Option(help="To link it: the episode.")] = None,
    child: Annotated[str | None, typer.Option(help="To link it: the child in it.")] = None,
    ticket: Ticket = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Claim one, so that it is kept; link it to a child, refuse it, or match it again.

    What is linked is passed on as if it had matched, as far as the family agrees today.
    """
    given = {
        "action": action.value,
        "by": by,
        "reason": reason,
        "episode_id": episode,
        "subject_id": child,
        "ticket": ticket,
    }
    body = {name: held for name, held in given.items() if held is not None}
    done = _asked(
        f"/admin/matches/{notice}",
        lambda hub: hub.decide(notice, body),
        site,
        socket,
        as_json=as_json,
        body=body,
    )
    if not as_json:
        say(f"{done['notice_id']}: {done['state']}, {done['deliveries']} deliveries")


def _asked(
    path: str,
    look: Callable[[Matches], Awaitable[Tree]],
    site: Path | None,
    socket: Path | None,
    *,
    as_json: bool,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> Any:
    """Return the answer: of the running hub on its socket, else of the store of a site."""
    if site is None and (socket is not None or running(socket)):
        raw = None if body is None else orjson.dumps(body)
        method = "GET" if body is None else "POST"
        found = ask(method, path, socket, query=query, body=raw, as_json=as_json)
    else:
        from hub.operating import matches_at_rest

        environ = guarded(lambda: environ_at_rest(site), as_json=as_json)
        found = guarded(lambda: matches_at_rest(environ, look), as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
    return found
