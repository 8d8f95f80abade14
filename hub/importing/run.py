"""`ecaf import`: paper and legacy episodes into a hub, with the dates that they have always had.

First everything is read and judged (`mappings.history`); then, unless it was only a check, what is
fit goes in, decision by decision and episode by episode, over the hub's own door or into a site
whose hub is not running.  Keys are made of the content, and the life cycle lets history in once, so
that a second run changes nothing and a broken one goes on.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import typer

from hub.bootstrap import translator
from hub.errors import Code, Fault, HubError, Misconfigured
from hub.importing.doors import Answer, Door, HttpDoor, SiteDoor
from hub.importing.table import Row, progress, show
from hub.secrets import read_secret
from hub.settings import environ_of
from mappings.commands import translator as shipped
from mappings.forms.forms import load_forms
from mappings.history.columns import template as columns_template
from mappings.history.history import Found, Verdict, judged
from mappings.history.sources import gather

AT_ONCE: Final = 4
"""Episodes on their way at the same time."""
CANONICAL_URL: Final = "https://ecaf.example/fhir"


@dataclass(frozen=True, slots=True)
class Options:
    """What to import, and where to."""

    path: Path | None
    check: bool = False
    to: str | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    site: Path | None = None
    partner: str = ""


def run(options: Options, environ: Mapping[str, str], *, template: bool, as_json: bool) -> int:
    """Import, or show what would happen; 0 if nothing is wrong, 1 if something is, 2 for usage."""
    if template:
        typer.echo(columns_template(), nl=False)
        return 0
    wrong = _usage(options)
    if wrong is not None or options.path is None:
        typer.echo(wrong or "name a file or a folder", err=True)
        return 2
    try:
        verdicts, faults = _looked_at(options, options.path)
        rows = [_planned(verdict) for verdict in verdicts]
        if not options.check:
            rows = asyncio.run(_bring_in(options, environ, verdicts, rows))
    except HubError as error:
        _refused(error, as_json=as_json)
        return 1
    except OSError as error:
        typer.echo(f"{options.path} cannot be read: {error.strerror}", err=True)
        return 1
    show(rows, faults, checked=options.check, as_json=as_json)
    bad = {"fault", "refused", "later"}
    return 1 if faults or any(row.outcome in bad for row in rows) else 0


def _usage(options: Options) -> str | None:
    if options.path is None:
        return "name a file or a folder, or ask for --template"
    if options.check:
        return None
    if (options.to is None) == (options.site is None):
        return "say where to: --to URL or --site FOLDER; or look first with --check"
    if options.to is not None and options.key_file is None:
        return "--to needs --key-file"
    if options.site is not None and not options.partner:
        return "--site needs --partner"
    return None


def _looked_at(options: Options, path: Path) -> tuple[Sequence[Verdict], Sequence[Found]]:
    forms = load_forms(options.site)
    both = shipped() if options.site is None else translator(CANONICAL_URL, options.site)
    histories, faults = gather(path, both, forms)
    now = datetime.now(UTC)
    return [judged(history, forms, now) for history in histories], faults


def _planned(verdict: Verdict) -> Row:
    history = verdict.history
    return Row(
        file=history.file,
        row=history.row,
        name=history.name,
        episode_id=history.episode_id,
        outcome=verdict.outcome,
        opened=str(history.episode.get("opened_at", ""))[:10],
        closed=str(history.episode.get("closed_at", ""))[:10],
        decisions=len(history.decisions),
        faults=verdict.faults,
        notes=verdict.notes,
    )


async def _bring_in(
    options: Options,
    environ: Mapping[str, str],
    verdicts: Sequence[Verdict],
    rows: Sequence[Row],
) -> list[Row]:
    fit = [place for place, one in enumerate(verdicts) if one.outcome in ("import", "close")]
    done = list(rows)
    if not fit:
        return done
    async with AsyncExitStack() as stack:
        door: Door = await stack.enter_async_context(_door(options, environ))
        step = stack.enter_context(progress(len(fit)))
        free = asyncio.Semaphore(AT_ONCE)

        async def one(place: int) -> None:
            async with free:
                done[place] = await _one(door, verdicts[place], rows[place])
            step()

        async with asyncio.TaskGroup() as tasks:
            for place in fit:
                tasks.create_task(one(place))
    return done


def _door(
    options: Options, environ: Mapping[str, str]
) -> AbstractAsyncContextManager[HttpDoor | SiteDoor]:
    if options.to is not None and options.key_file is not None:
        return HttpDoor(options.to, read_secret(options.key_file), options.ca_file)
    site = options.site or Path()
    return SiteDoor({**environ, **environ_of(site)}, options.partner)


async def _one(door: Door, verdict: Verdict, row: Row) -> Row:
    """Bring one episode in: its decisions as they were signed, then what they allow to keep."""
    history = verdict.history
    known = await door.decisions(history.episode_id)
    if known is None:
        return row.ended("later", ())
    records = verdict.records()
    before = {decision_id for decision_id, _ in records} <= known
    for decision_id, raw in records:
        if decision_id in known:
            continue
        answer = await door.decide(history.episode_id, raw, _key(raw))
        if not answer.done:
            return _ended(row, answer)
    raw = history.message()
    answer = await door.submit(raw, _key(raw))
    if answer.code == Code.STATE or (answer.done and before):
        return row.ended("present", ())
    return _ended(row, answer)


def _ended(row: Row, answer: Answer) -> Row:
    if answer.done:
        return row.ended("closed" if row.outcome == "close" else "imported", ())
    if answer.later:
        return row.ended("later", ())
    faults = answer.faults or (Fault(answer.code or Code.INTERNAL, "", answer.detail),)
    return row.ended(
        "refused",
        tuple(
            Found(row.file, row.row, fault.path, fault.code, fault.remedy, fault.code_list)
            for fault in faults
        ),
    )


def _key(raw: bytes) -> str:
    """Return the idempotency key of *raw*: the same content is the same message."""
    return "import-" + hashlib.sha256(raw).hexdigest()


def _refused(error: HubError, *, as_json: bool) -> None:
    if as_json:
        told: dict[str, Any] = {"code": error.code, "detail": error.detail}
        told["errors"] = [{"path": f.path, "remedy": f.remedy} for f in error.faults]
        typer.echo(orjson.dumps(told).decode())
        return
    typer.echo(str(error), err=True)
    if not isinstance(error, Misconfigured):
        return
    for fault in error.faults:
        typer.echo(f"  {fault.path}: {fault.remedy}", err=True)
