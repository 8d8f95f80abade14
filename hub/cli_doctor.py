"""`ecaf doctor`: whether the record agrees with itself, and what mends it where it does not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import typer

from hub.cli_asking import Json, Site, say, show, table
from hub.cli_errors import guarded
from hub.cli_operator import Socket, ask, environ_at_rest, running
from hub.domain.exchange import Tree
from hub.services.doctor import joined


def doctor(site: Site = None, socket: Socket = None, as_json: Json = False) -> None:
    """Check that nothing is lost, doubled or unrecorded, and name each fault with its remedy.

    Goes through the whole record in short steps and changes nothing: every delivery in one state,
    what was made = what ended + what is open, each end with its evidence, each disclosure recorded
    before it was sent, no hole in a lane. Beside the record: database, clocks, broker, profiles,
    keys and certificates, disk. A running hub is asked over its socket; else the store is read
    (with SQLite no hub may run on it). Exit 1 on a fault.
    """
    if site is None and (socket is not None or running(socket)):
        steps = _live(socket, as_json=as_json)
    else:
        from hub.doctoring import at_rest

        steps = guarded(lambda: at_rest(environ_at_rest(site)), as_json=as_json)
    found = joined(steps)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
    else:
        _print(found)
    raise typer.Exit(0 if found["healthy"] else 1)


def _live(socket: Path | None, *, as_json: bool) -> Sequence[Tree]:
    steps = [ask("GET", "/admin/doctor/site", socket, as_json=as_json)]
    query: dict[str, str] | None = {}
    while query is not None:
        steps.append(ask("GET", "/admin/doctor", socket, query=query, as_json=as_json))
        after = steps[-1].get("next")
        query = None if after is None else {"after": str(after)}
    return steps


def _print(found: Mapping[str, Any]) -> None:
    law = found["law"]
    states = " + ".join(f"{n} {name}" for name, n in law.items() if n and name != "made")
    made = law.get("made", 0)
    say(f"{found['episodes']} episodes; made {made} = {states or '0'}: {_verdict(found)}")
    for one in found["checks"]:
        say(f"  {one['state']:8}{one['check']}: {one['says']}")
    if found["findings"]:
        shown = table("", "code", "where", "what", "remedy")
        for one in found["findings"]:
            where = " ".join(f"{name} {value}" for name, value in one["where"].items())
            shown.add_row(one["severity"], one["code"], where, one["what"], one["remedy"])
        show(shown)
    more = sum(found["counted"].values()) - len(found["findings"])
    if more > 0:
        counts = ", ".join(f"{code} {n}" for code, n in found["counted"].items())
        say(f"and {more} more; in all {counts}")
    say("no fault found" if found["healthy"] else "not healthy")


def _verdict(found: Mapping[str, Any]) -> str:
    return "nothing lost" if not found["balance"] else f"{abs(found['balance'])} do not balance"
