"""`ecaf replay`: send again what was lost, looked at first; `ecaf known`: who knew what when."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from hub.cli_asking import Json, Site, asked, day, say, show, table
from hub.cli_errors import misused
from hub.cli_operator import Socket
from hub.services.quarantine import REASONS
from hub.services.replay import ALONE


def replay(
    deliveries: Annotated[
        list[str] | None, typer.Argument(help="Deliveries; or none, and a query.")
    ] = None,
    episode: Annotated[str | None, typer.Option(help="Those of this episode.")] = None,
    partner: Annotated[str | None, typer.Option(help="Those to this partner.")] = None,
    service: Annotated[str | None, typer.Option(help="Those to this service.")] = None,
    kind: Annotated[str | None, typer.Option("--type", help="Those of a type: N6.")] = None,
    state: Annotated[str | None, typer.Option(help="Those in a state: delivered.")] = None,
    since: Annotated[str | None, typer.Option(help="Those made then or later (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Those made before (UTC).")] = None,
    as_it_was: Annotated[
        bool, typer.Option("--as-it-was", help="Name the fields first sent; that is not sendable.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(help="The dry run's own word: send exactly that.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help=f"Why: {', '.join(REASONS)}.")] = None,
    by: Annotated[str | None, typer.Option(help="Who: a staff reference, never a name.")] = None,
    second: Annotated[
        str | None, typer.Option(help=f"Who looked at it too, if it is more than {ALONE}.")
    ] = None,
    ticket: Annotated[str | None, typer.Option(help="Where more is written.")] = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show what a replay would send, per recipient and field; with --confirm, send that.

    Always through the gate and under today's consent, as new deliveries at the end of their lanes.
    The fields that it names are those that differ from what was first sent.
    """
    named = {"episode": episode, "partner": partner, "service": service, "type": kind}
    named |= {"state": state, "since": since, "until": until}
    query = {name: value for name, value in named.items() if value is not None}
    if bool(deliveries) == bool(query):
        misused("name deliveries, or a query: --episode, --partner … --until", as_json=as_json)
    body: dict[str, Any] = {"as_it_was": as_it_was}
    body |= {"deliveries": list(deliveries)} if deliveries else {"query": query}
    given = {"confirm": confirm, "reason": reason, "by": by, "second": second}
    given["ticket"] = ticket
    body |= {name: value for name, value in given.items() if value is not None}
    found = asked(
        "/admin/replay", lambda hub: hub.replay(body), site, socket, as_json=as_json, body=body
    )
    if as_json:
        return
    shown = table("delivery", "type", "service", "now", "fields then", "gains", "loses")
    for one in found["deliveries"]:
        shown.add_row(
            one["delivery_id"],
            one["message_type"],
            one["service"],
            one["outcome"],
            "gone" if one["fields_then"] is None else str(one["fields_then"]),
            " ".join(one["gains"]),
            " ".join(one["loses"]),
        )
    show(shown)
    for one in found["deliveries"]:
        for field in one.get("as_it_was", ()):
            say(f"{one['delivery_id']} showed {field}")
    for name, counts in found["recipients"].items():
        say(f"{name}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    if "sent" in found:
        for old, new in found["sent"].items():
            say(f"{old} goes again as {new}: ecaf trace {new}")
        say(f"{len(found['sent'])} deliveries made")
    elif any("send" in counts for counts in found["recipients"].values()):
        who = "--by REF --second REF" if found["persons"] > 1 else "--by REF"
        say(f"nothing was sent; to send this: --confirm {found['confirm']} --reason CODE {who}")


def known(
    service: Annotated[str, typer.Argument(help="Who: HOU-A/HOUS.")],
    episode: Annotated[str, typer.Argument(help="The episode's reference.")],
    at: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="By that moment (UTC)."),
    ],
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show what a service had been given of an episode by a day: names of fields, never values.

    A day without a time counts whole.  From the ledger of what left, and acknowledgements; "as
    recorded" is yes where the view made again has the digest that was written down before it left.
    """
    moment = at.replace(tzinfo=UTC)
    if at.hour == at.minute == 0:
        moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
    found = asked(
        f"/admin/episodes/{episode}/known",
        lambda hub: hub.known(episode, service, moment),
        site,
        socket,
        as_json=as_json,
        query={"service": service, "at": moment.isoformat()},
    )
    if as_json:
        return
    shown = table("given", "what", "delivery", "fields", "as recorded", "acknowledged")
    for one in found["given"]:
        shown.add_row(
            day(one["at"]),
            one["what"],
            one["delivery_id"],
            str(one["fields"]),
            {True: "yes", False: "NO", None: "-"}[one["same"]],
            f"{one['acknowledged'] or '-'} {day(one['acknowledged_at'])}".rstrip(),
        )
    show(shown)
    fields = table("field", "first given", "last given", "acknowledged")
    for one in found["fields"]:
        said = "yes" if one["acknowledged"] else "no"
        fields.add_row(one["field"], day(one["first"]), day(one["last"]), said)
    if found["fields"]:
        show(fields)
    for one in found["recalled"]:
        say(f"recalled: {one['code']} at {day(one['at'])}, by {one['delivery_id']}")
    say(f"{len(found['fields'])} fields by {day(found['at'])}")
