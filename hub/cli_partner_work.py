"""`ecaf partners`, the rest: tested, certified, given new keys, and removed."""

from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from hub.cli_asking import Json, say, show, table
from hub.cli_errors import guarded, misused
from hub.cli_operator import Socket, ask, environ_at_rest, running
from hub.cli_partners import Name, Site, folder_of, partners

whole: Final = partners
"""The group with the commands of this module, too."""


@partners.command(
    "test",
    epilog="\b\nExample:\n  ecaf partners test SCH-C --socket /run/ecaf/operator.sock",
)
def test(
    name: Name,
    wait: Annotated[
        float, typer.Option(min=0, max=25, help="Seconds to wait for its own word.")
    ] = 10.0,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Send a synthetic message through the running hub, hop by hop; exit 1 at the first that fails.

    It is about a test person (NHS number 999…) and marked in its ids (ecaf7e57-…), in MSH-11 (T) or
    as FHIR test data (HTEST); every door of a hub refuses it, and it stands on no lane.
    """
    raw = orjson.dumps({"wait": wait})
    done = ask("POST", f"/admin/partners/{name}/test", socket, body=raw, as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(done).decode())
    else:
        shown = table("hop", "state", "ms", "says")
        for one in done["hops"]:
            ms = "" if one["ms"] is None else f"{one['ms']:.1f}"
            says = f"{one['code']}: {one['says']}" if "code" in one else one["says"]
            shown.add_row(one["hop"], one["state"], ms, says)
        show(shown)
        for one in done["hops"]:
            if one["state"] == "failed":
                say(f"{one['hop']} failed: {one['remedy']}")
        verdict = "every hop is well" if done["passed"] else "not well"
        say(f"{name}: {verdict} ({done['delivery_id']})")
    raise typer.Exit(0 if done["passed"] else 1)


@partners.command(
    "rotate-key",
    epilog="\b\nExamples:\n  ecaf partners rotate-key SCH-C --what webhook --days 14\n"
    "  ecaf partners rotate-key SCH-C --what keys --key new.jwks.json\n"
    "  ecaf partners rotate-key SCH-C --what webhook --retire",
)
def rotate_key(
    name: Name,
    what: Annotated[
        str | None,
        typer.Option(help="webhook, inbound, certificate or keys; the only one if left out."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=90, help="How long both hold.")] = 14,
    key: Annotated[
        Path | None, typer.Option(help="With --what keys: the JWK Set with its new key.")
    ] = None,
    retire: Annotated[bool, typer.Option(help="Let the new one stand alone.")] = False,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Bring a new key or secret beside the old one; with --retire, let the new one stand alone.

    webhook: the hub signs by both, and the partner takes the one that it has.  inbound: what the
    partner signs by either is believed.  keys: it may prove itself by either.  certificate: the new
    one waits until --retire, for the partner to trust it first.  The day until which both hold is
    a deadline that list and check name, not a switch.  The same again changes nothing; the running
    hub goes by it from `ecaf config activate` on.
    """
    from hub.partnering import retired, rotate

    folder = folder_of(site, as_json=as_json)
    if retire:
        done = guarded(lambda: retired(folder, name, what), as_json=as_json)
    else:
        done = guarded(lambda: rotate(folder, name, what, days, key), as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(done).decode())
        return
    chosen = done["what"]
    if retire:
        say(
            f"the new {chosen} of {name} stands alone; ecaf config activate --by REF"
            if done["changed"]
            else f"nothing of {name} is being replaced: {chosen}"
        )
        return
    say(
        f"{'the new stands beside' if done['changed'] else 'a new one stood already beside'} the "
        f"old {chosen} of {name}, until {done['until']}"
    )
    if done["new"]:
        say(f"1. give {done['new']} to its administrator by a safe way")
    say("2. ecaf config activate --by REF")
    say(
        f"3. when its system uses the new: ecaf partners rotate-key {name} --what {chosen} --retire"
    )


@partners.command(
    "certify",
    epilog="\b\nExamples:\n  ecaf partners certify SCH-C --site /etc/ecaf\n"
    "  ecaf partners certify SCH-C --write",
)
def certify(
    name: Name,
    write: Annotated[
        bool, typer.Option(help="Keep the answers of samples that have none; review them.")
    ] = False,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Replay a partner's samples and compare the hub's answers, by structure; for CI.

    partners/NAME/samples/CASE/ holds request.json (or .fhir.json, .cloudevent.json, .xml, .hl7) as
    its system sends it, and answer.json as the hub is to answer; "*" there is anything.  They go in
    order through the partner's mappings into a hub in memory that sends nothing; FHIR, CloudEvents
    and HL7 v2 at their own doors, so that acknowledgements are compared.  Exit 1 where one differs.
    """
    from hub.certifying import certify as replay

    folder = folder_of(site, as_json=as_json)
    judged = guarded(lambda: replay(folder, name, write=write), as_json=as_json)
    differ = [one for one in judged if one.differences]
    if write:
        differ = [one for one in differ if one.sample.expected is not None]
    if as_json:
        told = [
            {"sample": o.sample.name, "answer": o.answer, "differences": list(o.differences)}
            for o in judged
        ]
        typer.echo(orjson.dumps({"passed": not differ, "samples": told}).decode())
    else:
        for one in judged:
            say(f"{'differs' if one in differ else 'as expected'}  {one.sample.name}")
            for line in one.differences if one in differ else ():
                say(f"    {line}")
        say(f"{name}: {len(judged) - len(differ)} of {len(judged)} samples as expected")
    raise typer.Exit(1 if differ else 0)


@partners.command(
    "remove",
    epilog="\b\nExamples:\n  ecaf partners remove SCH-C\n"
    "  ecaf partners remove SCH-C --confirm --reason NOT_NEEDED --by staff-17",
)
def remove(
    name: Name,
    confirm: Annotated[bool, typer.Option(help="Do it; else only say what would happen.")] = False,
    reason: Annotated[
        str | None,
        typer.Option(help="Why what is open may end: NOT_NEEDED, SENT_OTHERWISE, TEST …"),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who: a staff reference, never a name.")] = None,
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Say what removing a partner would do; with --confirm, do it.

    It must be suspended.  What is open for it ends (PARTNER_REMOVED), each with its audit row; what
    its services must be told (N10, N13, N14) only with the reason SENT_OTHERWISE.  Its profile is
    kept under removed/; its keys and secrets are yours to destroy.
    """
    if confirm and (reason is None or by is None):
        misused("--confirm goes with --reason and --by", as_json=as_json)
    body: dict[str, Any] = {"confirm": True, "reason": reason, "by": by} if confirm else {}
    if site is None and (socket is not None or running(socket)):
        raw, path = orjson.dumps(body), f"/admin/partners/{name}/remove"
        done = ask("POST", path, socket, body=raw, as_json=as_json)
    else:
        from hub.partner_at_rest import removed_at_rest

        environ = guarded(lambda: environ_at_rest(site), as_json=as_json)
        done = guarded(lambda: removed_at_rest(environ, name, body), as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(done).decode())
        return
    states = ", ".join(f"{count} {state}" for state, count in done["states"].items())
    services = ", ".join(done["services"])
    if done["removed"]:
        say(f"{name} is removed; {done['ended']} open deliveries ended; {done['profile']}")
        say(f"nobody serves now: {services}")
        return
    say(f"{name}: {done['open']} deliveries are open{f' ({states})' if states else ''}")
    for one in done["must_be_told"]:
        say(f"    must be told: {one['message_type']} {one['delivery_id']}")
    say(f"removing it would end them, and leave without a system: {services}; nothing was done")
