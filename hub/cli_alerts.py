"""The part of `ecaf` for alerts: asks the running hub over the operator's socket."""

from typing import Annotated, Any, Final

import orjson
import typer

from hub.cli_operator import Socket, ask

alerts: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What somebody should look at: consent that ends, recalls that nobody acknowledges …",
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@alerts.command("list")
def alerts_list(
    audience: Annotated[
        str | None, typer.Option(help="Only for these, such as lead:EHM-A/FSW or operator.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that somebody has acknowledged.")
    ] = False,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show alerts, oldest first: codes, dates and ids, never anything of a family."""
    found: list[dict[str, Any]] = []
    query: dict[str, str] = {"all": "1"} if everything else {}
    if audience is not None:
        query["audience"] = audience
    while True:
        page = ask("GET", "/admin/alerts", socket, query=query)
        found += page["alerts"]
        if "next" not in page:
            break
        query["after"] = str(page["next"])
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
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Note that somebody has seen an alert; the first time counts."""
    seen = ask("POST", f"/admin/alerts/{alert_id}/ack", socket)
    typer.echo(orjson.dumps(seen).decode() if as_json else f"seen at {seen['acknowledged_at']}")
