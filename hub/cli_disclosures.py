"""The part of `ecaf` for reviewing what was shared without consent (`domain.md` 4.6, rule 6)."""

from typing import Annotated, Any, Final

import orjson
import typer

from hub.cli_asking import Json, Site, every_alert
from hub.cli_operator import Socket
from hub.services.review import REVIEW, UNDELIVERED

disclosures: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="What was shared without consent (N13): for the data protection lead's daily review.",
)


@disclosures.command("list")
def disclosures_list(
    authority: Annotated[
        str | None, typer.Option(help="Only of this authority, such as 001; - for none.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that somebody has reviewed.")
    ] = False,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show who was told what sections on what basis, oldest first; never what they say.

    `ecaf alerts ack ID` notes that one has been reviewed.
    """
    audience = None if authority is None else f"data-protection:{authority}"
    alerts = every_alert(audience, site, socket, everything=everything, as_json=as_json)
    found = [one for one in alerts if one["kind"] in {REVIEW, UNDELIVERED}]
    if as_json:
        typer.echo(orjson.dumps({"disclosures": found}).decode())
        return
    for one in found:
        typer.echo(_line(one))
        typer.echo(f"    ecaf alerts ack {one['alert_id']}")
    typer.echo(f"{len(found)} disclosures")


def _line(one: dict[str, Any]) -> str:
    facts = one["facts"]
    if one["kind"] == UNDELIVERED:
        return (
            f"{one['at']} {facts['disclosure']} did NOT reach {one['service']}: "
            f"{facts['state']} {facts['reason']}"
        )
    marked = " consent unverified" if facts["consent_unverified"] else ""
    return (
        f"{one['at']} {facts['disclosure']} {facts['kind']} {facts['basis']} "
        f"from {facts['from']} to {facts['to'] or 'nobody'}: {', '.join(facts['sections'])}; "
        f"family {facts['family_informed']}{marked}"
    )
