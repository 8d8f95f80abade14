"""`ecaf quarantine`: what was set aside, and what somebody does about it."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hub.cli_asking import Json, Site, asked, counted, day, say, show, steps_of, table
from hub.cli_operator import Socket
from hub.services.quarantine import REASONS, Action

quarantine: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What was set aside, why, whose it is, and what to do about it; every way out goes "
    "through the gate, under today's consent, and in the order of the lane.",
)
Id = Annotated[str, typer.Argument(help="The delivery, as `ecaf quarantine list` shows it.")]
Reason = Annotated[str, typer.Option(help=f"Why: {', '.join(REASONS)}.")]
By = Annotated[str, typer.Option(help="Who: a staff reference, never a name.")]
Second = Annotated[str, typer.Option(help="Who looked at it too: somebody else's reference.")]
Ticket = Annotated[str | None, typer.Option(help="Where more is written: a reference.")]


@quarantine.command("list", epilog="\b\nExample:\n  ecaf quarantine list --partner HOU-A")
def quarantine_list(
    partner: Annotated[str | None, typer.Option(help="Only of this partner.")] = None,
    after: Annotated[int, typer.Option(min=0, help="`next` of the previous page.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 50,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """List what is in quarantine, longest first: reason, stage, owner, and until when."""
    query = {"after": str(after), "limit": str(limit)}
    found = asked(
        "/admin/quarantine",
        lambda hub: hub.quarantine(partner, after, limit),
        site,
        socket,
        as_json=as_json,
        query=query if partner is None else {**query, "partner": partner},
    )
    if as_json:
        return
    shown = table("since", "delivery", "type", "service", "stage", "reason", "owner", "due")
    for one in found["quarantine"]:
        shown.add_row(
            day(one["since"]),
            one["delivery_id"],
            one["message_type"],
            one["service"],
            one["stage"],
            one["reason"] or "",
            one["owner"],
            day(one["due_at"]),
        )
    show(shown)
    more = f", and more: --after {found['next']}" if "next" in found else ""
    say(f"{len(found['quarantine'])} in quarantine{more}")


@quarantine.command("show")
def quarantine_show(
    delivery: Id, site: Site = None, socket: Socket = None, as_json: Json = False
) -> None:
    """Show one: stage, evidence by place and code, what waits behind it, and what can be done."""
    one = asked(
        f"/admin/quarantine/{delivery}",
        lambda hub: hub.quarantined(delivery),
        site,
        socket,
        as_json=as_json,
    )
    if as_json:
        return
    say(
        f"{one['message_type']} to {one['service']} about {one['episode_id']}: {one['reason']} "
        f"at the stage {one['stage']}, {counted(one['attempts'], 'attempt')}, "
        f"since {day(one['since'])}"
    )
    say(f"  owner: {one['owner']}, due {day(one['due_at'])}")
    for fault in one["evidence"].get("faults", ()):
        say(f"  {fault}")
    if "said" in one["evidence"]:
        say(f"  {one['evidence']['said']}")
    if one["before"]:
        say(f"  first: ecaf quarantine show {one['before']}")
    if one["behind"]:
        say(f"  behind it: {', '.join(one['behind'])}")
    show(steps_of(one["steps"]))
    for action in one["actions"]:
        two = " --second REF" if action == Action.SKIP else ""
        say(f"    ecaf quarantine {action} {delivery} --reason CODE --by REF{two}")
    say(f"    CODE: {', '.join(REASONS)}; REF: a staff reference, never a name")


@quarantine.command()
def fix(
    delivery: Id,
    reason: Reason,
    by: By,
    ticket: Ticket = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Try to render it with today's mappings and code tables; where that works, release it.

    Where it still fails, nothing changes and the faults are listed; exit 1.
    """
    _act(Action.FIX, delivery, reason, by, ticket, site, socket, as_json=as_json)


@quarantine.command()
def release(
    delivery: Id,
    reason: Reason,
    by: By,
    ticket: Ticket = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Try it again under its own id, from the first attempt; also what waits for a next attempt."""
    _act(Action.RELEASE, delivery, reason, by, ticket, site, socket, as_json=as_json)


@quarantine.command()
def supersede(
    delivery: Id,
    reason: Reason,
    by: By,
    ticket: Ticket = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """End it; a new delivery at the end of the lane says what may be said today."""
    _act(Action.SUPERSEDE, delivery, reason, by, ticket, site, socket, as_json=as_json)


@quarantine.command()
def skip(
    delivery: Id,
    reason: Reason,
    by: By,
    second: Second,
    ticket: Ticket = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Give it up, and let what waits behind it go on; that takes two persons.

    What must be told is given up as SENT_OTHERWISE only.
    """
    _act(Action.SKIP, delivery, reason, by, ticket, site, socket, as_json=as_json, second=second)


def _act(
    action: Action,
    delivery: str,
    reason: str,
    by: str,
    ticket: str | None,
    site: Path | None,
    socket: Path | None,
    *,
    as_json: bool,
    second: str | None = None,
) -> None:
    body: dict[str, Any] = {"action": action.value, "reason": reason, "by": by}
    body |= {} if ticket is None else {"ticket": ticket}
    body |= {} if second is None else {"second": second}
    done = asked(
        f"/admin/quarantine/{delivery}",
        lambda hub: hub.act(delivery, body),
        site,
        socket,
        as_json=as_json,
        body=body,
    )
    if not as_json:
        say(f"{done['delivery_id']}: {done['state']} {done['reason'] or ''}".rstrip())
        if "heir" in done:
            say(f"in its place: ecaf trace {done['heir']}")
