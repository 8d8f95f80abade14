"""`ecaf top`: how the exchange does, live."""

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import click
import typer

from hub.cli_asking import Json, Site, asked, day
from hub.cli_operator import Socket, running

AGES = ("pending", "sending", "handed_over")


def top(
    once: Annotated[bool, typer.Option("--once", help="One look, then end.")] = False,
    every: Annotated[float, typer.Option(min=0.5, help="Seconds between two looks.")] = 2.0,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show how the exchange does: states, what is due, what stands longest, quarantine, alerts.

    Live in a terminal, plain text elsewhere; with --json or of a hub that does not run, one look.
    """
    once = once or as_json or site is not None or running(socket) is None
    before: Mapping[str, Any] | None = None
    while True:
        began = time.monotonic()
        found = asked("/admin/top", lambda hub: hub.top(), site, socket, as_json=as_json)
        if as_json:
            return
        if not once and sys.stdout.isatty():
            click.clear()
        typer.echo("\n".join(lines(found, before, every)))
        if once:
            return
        before = found
        time.sleep(max(0.0, every - (time.monotonic() - began)))


def lines(found: Mapping[str, Any], before: Mapping[str, Any] | None, every: float) -> list[str]:
    """Return one look as plain lines; *before* is the look *every* seconds ago."""
    counts = found["deliveries"]
    told = [f"{day(found['at'])} UTC   due {found['due']}   open alerts {found['alerts']}"]
    if "busy" in found:
        told[0] += f"   busy {found['busy']}{'   PAUSED' if found['paused'] else ''}"
    told.append("  ".join(f"{state} {count}" for state, count in counts.items()))
    if before is not None:
        ended = counts["delivered"] - before["deliveries"]["delivered"]
        told.append(f"delivered {ended / every:.1f} a second")
    for state in AGES:
        if state in found["oldest"]:
            one = found["oldest"][state]
            told.append(
                f"oldest {state}: {one['seconds']} s, {one['message_type']} to {one['service']} "
                f"{one['delivery_id']}"
            )
    for lane in found["lanes"]:
        held = lane["held_by"]
        why = f", held by {held['state']} {held['delivery_id']}" if held else ""
        told.append(
            f"lane {lane['partner']} {lane['episode_id']}: {lane['depth']} since "
            f"{day(lane['oldest_at'])}{why}"
        )
    told.extend(
        f"quarantine {one['reason']} {one['message_type']} to {one['service']}, "
        f"{one['owner']} by {day(one['due_at'])}: ecaf quarantine show {one['delivery_id']}"
        for one in found["quarantine"]
    )
    return told
