"""`ecaf audit export`: the audit as FHIR AuditEvents, for who keeps watch outside the hub."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from hub.cli_asking import Json, Site, asked, say
from hub.cli_errors import misused
from hub.cli_operator import Socket
from hub.services.audited import PAGE
from mappings.formats.fhir_audit import EXPORTED, audit_event, bundle

audit: Final = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="The record of who was given what, and why."
)


@audit.command(
    epilog="\b\nExamples:\n  ecaf audit export > audit.ndjson\n"
    "  ecaf audit export --episode 3f1c… --bundle\n"
    "  ecaf audit export --since 2026-09-01 --until 2026-10-01"
)
def export(
    episode: Annotated[str | None, typer.Option(help="Only of this episode.")] = None,
    since: Annotated[str | None, typer.Option(help="Recorded then or later (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Recorded before (UTC).")] = None,
    as_bundle: Annotated[
        bool, typer.Option("--bundle", help="One Bundle instead of a line for each.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Into this file, with mode 0600.")] = None,
    canonical: Annotated[
        str, typer.Option(envvar="ECAF_CANONICAL_URL", help="The base of the hub's own URLs.")
    ] = "https://ecaf.example/fhir",
    site: Site = None,
    socket: Socket = None,
    as_json: Json = False,
) -> None:
    """Write what left, what came in and who asked the index as FHIR R4 AuditEvents (IHE BALP).

    Ids, codes and times; the patient is the episode's reference. One resource a line, oldest first.
    """
    bounds = [
        _moment("--since", since, as_json=as_json),
        _moment("--until", until, as_json=as_json),
    ]
    rows = _rows(episode, bounds[0], bounds[1], site, socket, as_json=as_json)
    made = (audit_event(row, hub=hub, canonical=canonical.rstrip("/")) for hub, row in rows)
    events = [event for event in made if event is not None]
    if as_bundle or as_json:
        written = orjson.dumps(bundle(events)) + b"\n"
    else:
        written = b"".join(orjson.dumps(one) + b"\n" for one in events)
    if out is None:
        typer.echo(written.decode(), nl=False)
        return
    out.touch(mode=0o600)
    out.write_bytes(written)
    say(f"{len(events)} events in {out}")


def _moment(name: str, given: str | None, *, as_json: bool) -> datetime | None:
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        misused(f"{name} takes a date or moment: 2026-09-01T09:00Z", as_json=as_json)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _rows(
    episode: str | None,
    since: datetime | None,
    until: datetime | None,
    site: Path | None,
    socket: Path | None,
    *,
    as_json: bool,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    after: int | None = 0
    while after is not None:
        page: Mapping[str, Any] = asked(
            "/admin/audit",
            lambda hub, at=after: hub.audited(at, PAGE),  # type: ignore[misc]
            site,
            socket,
            as_json=as_json,
            silent=True,
            query={"after": str(after), "limit": str(PAGE)},
        )
        for row in page["rows"]:
            at = datetime.fromisoformat(row["at"])
            if row["kind"] not in EXPORTED or (episode and row["episode_id"] != episode):
                continue
            if (since and at < since) or (until and at >= until):
                continue
            yield page["hub"], row
        after = page.get("next")
