"""`ecaf partners`: a partner's life, from its first profile to its end."""

from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from hub.cli_asking import Json, day, say, show, table
from hub.cli_errors import guarded
from hub.cli_operator import Socket, ask, environ_at_rest, running

partners: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="A partner's life: add, check, test, suspend, resume and list the systems that connect. "
    "adapters/README.md walks through a first one in fifteen minutes.",
)
Site = Annotated[
    Path | None, typer.Option("--site", help="The site's folder; default ECAF_CONFIG_DIR.")
]
Name = Annotated[str, typer.Argument(help="The partner, as its profile is called: SCH-C.")]
By = Annotated[str, typer.Option(help="Who: a staff reference, never a name.")]


def folder_of(site: Path | None, *, as_json: bool) -> Path:
    """Return the site's folder; exit 1 where nothing says which, or it is none."""
    environ = guarded(lambda: environ_at_rest(site, socket=False), as_json=as_json)
    return Path(environ["ECAF_CONFIG_DIR"])


@partners.command(
    "add",
    epilog="\b\nExamples:\n  ecaf partners add HOU-C --site /etc/ecaf\n"
    "  ecaf partners add SCH-C --like school --url https://mis.sch-c.example/ecaf",
)
def add(
    name: Name,
    like: Annotated[
        str,
        typer.Option(help="case-management, school, trust-engine; or minimal, which fetches."),
    ] = "minimal",
    url: Annotated[str | None, typer.Option(help="Where the hub reaches it.")] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Write a partner's profile from a worked one, with the keys that it names; say what is next.

    Nothing that exists is changed.  The new partner stands at the stage test: it can prove itself
    and sees no child's data until somebody writes pilot or live.
    """
    from hub.partnering import add as write

    folder = folder_of(site, as_json=as_json)
    made = guarded(lambda: write(folder, name, like, url), as_json=as_json)
    if as_json:
        files = [str(path) for path in made.made]
        told = {"profile": str(made.profile), "made": files, "next": made.steps}
        typer.echo(orjson.dumps(told).decode())
        return
    for path in (made.profile, *made.made):
        say(f"made {path}")
    for number, step in enumerate(made.steps, 1):
        say(f"{number}. {step}")


@partners.command(
    "check",
    epilog="\b\nExamples:\n  ecaf partners check\n  ecaf partners check SCH-C --site /etc/ecaf",
)
def check(
    name: Annotated[str | None, typer.Argument(help="One partner; all if left out.")] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Check profiles, mappings and overlays, code tables, keys, certificates and addresses.

    One line a finding: place, then what mends it.  Exit 1 where the hub would refuse to work so;
    `soon` marks what will run out.
    """
    from hub.partnering import check as look

    folder = folder_of(site, as_json=as_json)
    found = guarded(lambda: look(folder, name), as_json=as_json)
    wrong = any(one.fault for one in found)
    if as_json:
        lines = [{"place": f.place, "remedy": f.remedy, "fault": f.fault} for f in found]
        typer.echo(orjson.dumps({"sound": not wrong, "findings": lines}).decode())
    else:
        for one in found:
            say(f"{'fault' if one.fault else 'soon '} {one.place}: {one.remedy}")
        say(f"{name or folder}: {'no faults' if not wrong else 'the hub would refuse this'}")
    raise typer.Exit(1 if wrong else 0)


@partners.command("list", epilog="\b\nExample:\n  ecaf partners list --site /etc/ecaf --json")
def list_(site: Site = None, socket: Socket = None, as_json: Json = False) -> None:
    """List the partners: stage, protocol, last heard of, breaker, suspension, what runs out.

    A running hub (--socket) also knows when it last took a message of each since it began, and
    whether a destination is being rested; a folder alone does not.
    """
    if site is None and running(socket):
        found = ask("GET", "/admin/partners", socket, as_json=as_json)
    else:
        from hub.partnering import listed_at_rest

        folder = folder_of(site, as_json=as_json)
        found = guarded(lambda: listed_at_rest(folder), as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
        return
    shown = table("partner", "stage", "channel", "proves by", "last heard", "state", "due")
    for one in found["partners"]:
        shown.add_row(
            one["partner"],
            one["stage"],
            f"{one['channel']} {one['content']}",
            ",".join(one["proves_by"]),
            day(one["last_heard"]),
            _state(one),
            ", ".join(one["due"]),
        )
    show(shown)
    say(f"{len(found['partners'])} partners of {found['hub']}")


def _state(one: dict[str, Any]) -> str:
    if (stopped := one["suspended"]) is not None:
        return f"SUSPENDED {stopped['reason']} by {stopped['by']} since {day(stopped['since'])}"
    if not one["connected"]:
        return "outside"
    return "rested (breaker open)" if one["breaker"] == "open" else "connected"


Why = Annotated[str, typer.Option("--reason", help="Why: INCIDENT, KEY_LOST, REQUESTED, "
                                  "MAINTENANCE, FAULTY, LEAVING or TEST.")]  # fmt: skip


@partners.command(
    "suspend",
    epilog="\b\nExample:\n  ecaf partners suspend SCH-C --reason KEY_LOST --by staff-17",
)
def suspend(
    name: Name,
    reason: Why,
    by: By,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Stop a partner at once: its doors are shut, and nothing more is sent to it.

    What is to be sent waits on its lanes, in order, and goes when it is resumed: nothing is lost.
    What is on the wire at this moment ends.  A suspension lasts through restarts.
    """
    done = _said(name, "suspend", reason, by, site, socket, as_json=as_json)
    if not as_json:
        say(f"{name} is suspended" if done["changed"] else f"{name} was suspended already")
        say(f"what waits: ecaf lanes --partner {name}; to end it: ecaf partners resume {name}")


@partners.command(
    "resume",
    epilog="\b\nExample:\n  ecaf partners resume SCH-C --reason KEY_LOST --by staff-17",
)
def resume(
    name: Name,
    reason: Why,
    by: By,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """End a suspension: its doors open, and what waited goes, through the gate, under today's
    consent.
    """
    done = _said(name, "resume", reason, by, site, socket, as_json=as_json)
    if not as_json:
        say(f"{name} is at work again" if done["changed"] else f"{name} was not suspended")


def _said(
    name: str,
    action: str,
    reason: str,
    by: str,
    site: Path | None,
    socket: Path | None,
    *,
    as_json: bool,
) -> Any:
    body = {"action": action, "reason": reason, "by": by}
    if site is None and (socket is not None or running(socket)):
        raw = orjson.dumps(body)
        done = ask("POST", f"/admin/partners/{name}", socket, body=raw, as_json=as_json)
    else:
        from hub.partner_at_rest import said_at_rest

        environ = guarded(lambda: environ_at_rest(site), as_json=as_json)
        done = guarded(lambda: said_at_rest(environ, name, body), as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(done).decode())
    return done


def activate(by: By, socket: Socket = None, as_json: Json = False) -> None:
    """Let the running hub take what is in its folder now: partners, mappings, code tables.

    The whole folder is checked first; where anything is wrong, everything stays as it was and every
    fault is shown.  What is under way ends with what it began with.  Audited with who and a digest.
    What is read at a start only and has changed is named.  Of several processes, each is told on
    its own socket; a worker's is ECAF_OPERATOR_SOCKET and `.worker`.
    """
    raw = orjson.dumps({"by": by})
    done = ask("POST", "/admin/config/activate", socket, body=raw, as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(done).decode())
        return
    for what in ("added", "changed", "removed"):
        if done[what]:
            say(f"{what}: {', '.join(done[what])}")
    say(f"{done['partners']} partners at work; digest {done['digest'][:16]}")
    for name in done["needs_restart"]:
        say(f"{name} has changed and is NOT taken: it is read at a start only, restart the hub")
