"""`ecaf messages search` and `ecaf lanes`: what was sent, and what stands where."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
import typer

from hub.cli_asking import Json, Site, asked, counted, day, say, show, table
from hub.cli_errors import misused
from hub.cli_operator import Socket
from hub.domain.exchange import State
from hub.services.search import PAGE

messages: Final = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Find messages and their deliveries."
)
MOST: Final = 10_000
"""How many deliveries a search prints at most."""


@messages.command(
    epilog="\b\nExamples:\n  ecaf messages search --episode 3f1c…\n"
    "  ecaf messages search --state quarantined --partner HOU-A --since 2026-09-01\n"
    "  ecaf messages search --from SCH-A --key 7c1e…"
)
def search(
    episode: Annotated[str | None, typer.Option(help="Of this episode.")] = None,
    partner: Annotated[str | None, typer.Option(help="To this partner.")] = None,
    service: Annotated[str | None, typer.Option(help="To this service.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="A message type: N1 to N16.")] = None,
    state: Annotated[str | None, typer.Option(help=f"One of {', '.join(State)}.")] = None,
    reason: Annotated[str | None, typer.Option(help="A code: E_MAPPING.")] = None,
    since: Annotated[str | None, typer.Option(help="Made at this moment or later (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Made before this moment (UTC).")] = None,
    sender: Annotated[str | None, typer.Option("--from", help="With --key: its sender.")] = None,
    key: Annotated[str | None, typer.Option(help="The sender's own Idempotency-Key.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many at most.")] = PAGE,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List deliveries by ids, codes and times, newest first; in a state, what stands longest.

    With --from and --key: the one message that its sender sent under that key.
    """
    if (sender is None) != (key is None):
        misused("--from and --key go together", as_json=as_json)
    if sender is not None and key is not None:
        _by_key(sender, key, site, socket, as_json=as_json)
        return
    named = {"episode": episode, "partner": partner, "service": service, "type": kind}
    named |= {"state": state, "reason": reason, "since": since, "until": until}
    given = {name: value for name, value in named.items() if value is not None}
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = asked(
            "/admin/messages",
            lambda hub, at=after: hub.search(given, at, limit),  # type: ignore[misc]
            site,
            socket,
            as_json=as_json,
            silent=True,
            query={**given, "after": str(after), "limit": str(min(limit, 500))},
        )
        found += page["deliveries"]
        if "next" not in page or len(found) >= limit:
            break
        after = int(page["next"])
    more = len(found) > limit or "next" in page
    found = found[:limit]
    if as_json:
        typer.echo(orjson.dumps({"deliveries": found, "more": more}).decode())
        return
    shown = table("made", "delivery", "type", "service", "episode", "state", "reason", "message")
    for one in found:
        shown.add_row(
            day(one["created_at"]),
            one["delivery_id"],
            one["message_type"],
            one["service"],
            one["episode_id"],
            one["state"],
            one["reason"] or "",
            one["message"],
        )
    show(shown)
    say(f"{len(found)} deliveries{', and more: --limit' if more else ''}")


def _by_key(sender: str, key: str, site: Any, socket: Any, *, as_json: bool) -> None:
    found = asked(
        "/admin/received",
        lambda hub: hub.by_key(sender, key),
        site,
        socket,
        as_json=as_json,
        query={"from": sender, "key": key},
    )
    if as_json:
        return
    for one in found["messages"]:
        say(
            f"{day(one['received_at'])} from {one['partner']}, answered {one['answered']} "
            f"{one['code'] or ''}".rstrip()
        )
        say(f"    ecaf trace {one['message_id']}")
    if not found["messages"]:
        say(f"nothing of {sender} is kept under this key: it never came, or was refused")


def lanes(
    partner: Annotated[str | None, typer.Option(help="Only of this partner.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many lanes at most.")] = 50,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show the lanes that stand longest: how many wait, since when, and what holds them.

    A lane is what goes to one partner about one episode, in order.
    """
    query = {"limit": str(limit)} | ({} if partner is None else {"partner": partner})
    found = asked(
        "/admin/lanes",
        lambda hub: hub.lanes(partner, limit),
        site,
        socket,
        as_json=as_json,
        query=query,
    )
    if as_json:
        return
    shown = table("oldest", "partner", "episode", "depth", "states", "head", "held by")
    for one in found["lanes"]:
        shown.add_row(
            day(one["oldest_at"]),
            one["partner"],
            one["episode_id"],
            str(one["depth"]),
            " ".join(f"{state}:{count}" for state, count in one["states"].items()),
            _one(one["head"]),
            _one(one["held_by"]),
        )
    show(shown)
    more = ", and more: --limit" if found["more"] else ""
    say(f"{counted(len(found['lanes']), 'lane')} with something on{more}")


def _one(shown: Mapping[str, Any] | None) -> str:
    if shown is None:
        return ""
    then = f" next {day(shown['next_attempt_at'])}" if shown["next_attempt_at"] else ""
    return (
        f"{shown['message_type']} {shown['state']} {shown['reason'] or ''} "
        f"{shown['delivery_id']}{then}"
    )
