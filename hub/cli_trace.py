"""`ecaf trace` and `ecaf why-not`: the whole way of one message, and what stops it."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hub.cli_asking import Json, Site, asked, day, pairs, say, show, steps_of
from hub.cli_operator import Socket


def trace(
    message: Annotated[str, typer.Argument(help="The id of the hub's receipt, or a delivery id.")],
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Show the whole way of a message: receipt, checks, version, and every delivery to its end.

    Each step with its time, decisions, mapping version, attempts and answers; ids and codes, never
    values.  Asks the running hub on its socket; without one, the store of --site (or ECAF_*).
    """
    found = asked(
        f"/admin/messages/{message}/trace",
        lambda hub: hub.trace(message),
        site,
        socket,
        as_json=as_json,
    )
    if as_json:
        return
    received = found["message"]
    if received is None:
        say("the message itself is not a partner's: the hub made this delivery")
    else:
        say(
            f"{day(received['received_at'])} from {received['partner']}: "
            f"{received['content_type']}, answered {received['answered']} {_rest(received)}"
        )
    for one in found["recorded"]:
        say(f"{day(one['at'])} {one['what']} {one['code']} {pairs(one)}".rstrip())
    if not found["deliveries"]:
        say("nothing was to be told to anybody")
    for one in found["deliveries"]:
        _print(one)


def why_not(
    episode: Annotated[str, typer.Argument(help="The episode's reference.")],
    service: Annotated[str, typer.Argument(help="Who did not get it: HOU-A/HOUS.")],
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Name the first thing that keeps a service from what is new of an episode, and what mends it.

    Asked in the order in which it would stop: accreditation, relationship, shield, protocol,
    people, state, consent, then the deliveries by their lane.  Exit 1 if something stops.
    """
    found = asked(
        f"/admin/episodes/{episode}/why-not",
        lambda hub: hub.why_not(episode, service),
        site,
        socket,
        as_json=as_json,
        query={"service": service},
    )
    stopped, last = found["stopped_by"], found["last"]
    if not as_json:
        if stopped is not None:
            say(f"{stopped['code']}: {stopped['what']}")
            if stopped["about"]:
                say(f"  {pairs(stopped['about'])}")
            say(f"  mend: {stopped['mend']}")
        if last is not None:
            said = f", acknowledged {last['acknowledged']}" if last["acknowledged"] else ""
            reason = f"{last['reason']} " if last["reason"] else ""
            say(
                f"{'last' if stopped else 'nothing stops; last'}: {last['message_type']} "
                f"{last['state']} {reason}at {day(last['at'])}{said}; "
                f"ecaf trace {last['delivery_id']}"
            )
    if stopped is not None:
        raise typer.Exit(1)


def _print(one: Mapping[str, Any]) -> None:
    said = one["acknowledged"] or "-"
    say("")
    say(
        f"{one['message_type']} to {one['service']} (lane {one['lane']}, place {one['place']}): "
        f"{one['state']} {one['reason'] or ''}".rstrip()
    )
    say(
        f"  delivery {one['delivery_id']}, attempts {one['attempts']}, acknowledged {said}"
        + (f", held by {one['held_by']}" if one["held_by"] else "")
        + (f", next {day(one['next_attempt_at'])}" if one["next_attempt_at"] else "")
    )
    say(f"  created {day(one['created_at'])}, caused by {one['caused_by']}")
    show(steps_of(one["steps"]))


def _rest(received: Mapping[str, Any]) -> str:
    names = ("status", "event", "state", "code", "episode_id", "version")
    told = " ".join(f"{name}={received[name]}" for name in names if received.get(name) is not None)
    wrong = " ".join(f"{one['code']}@{one['path']}" for one in received["warnings"])
    return f"{told} warnings: {wrong}" if wrong else told
