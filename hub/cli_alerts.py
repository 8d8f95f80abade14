"""The part of `ecaf` for alerts: the running hub's on the operator's socket, else a store's."""

from typing import Annotated, Final

import orjson
import typer

from hub.cli_asking import Json, Site, asked, every_alert
from hub.cli_operator import Socket

alerts: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What somebody should look at: consent that ends, recalls that nobody acknowledges …",
)


@alerts.command("list")
def alerts_list(
    audience: Annotated[
        str | None, typer.Option(help="Only for these, such as lead:EHM-A/FSW or operator.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that somebody has acknowledged.")
    ] = False,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show alerts, oldest first: codes, dates and ids, never anything of a family."""
    found = every_alert(audience, site, socket, everything=everything, as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps({"alerts": found}).decode())
        return
    for one in found:
        about = " ".join(
            f"{name}={one[name]}"
            for name in ("episode_id", "service", "delivery_id", "due_at", "acknowledged_at")
            if name in one
        )
        facts = " ".join(f"{name}={value}" for name, value in one.get("facts", {}).items())
        typer.echo(f"{one['at']} {one['kind']} for {one['audience']}: {about} {facts}".rstrip())
        typer.echo(f"    ecaf alerts ack {one['alert_id']}")
    typer.echo(f"{len(found)} alerts")


@alerts.command("ack")
def alerts_ack(
    alert_id: Annotated[str, typer.Argument(help="As `ecaf alerts list` shows it.")],
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Note that somebody has seen an alert; the first time counts."""
    seen = asked(
        f"/admin/alerts/{alert_id}/ack",
        lambda hub: hub.acknowledge_alert(alert_id),
        site,
        socket,
        as_json=as_json,
        post=True,
    )
    if not as_json:
        typer.echo(f"seen at {seen['acknowledged_at']}")
