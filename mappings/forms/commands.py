"""What the command line says of forms: `ecaf forms list`, `show` and `check`."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson
import typer

from hub.domain.messages import CONTENT_TYPE
from hub.errors import Fault, HubError, InvalidContent
from mappings.commands import translator
from mappings.commands_print import input_of, show, table
from mappings.forms.form import Form
from mappings.forms.forms import Forms, load_forms
from mappings.forms.judging import fit, judge

T = TypeVar("T")


def list_command(site: Path | None, *, as_json: bool) -> int:
    """Show every version of every form, and until when it is accepted."""
    found = _guarded(lambda: load_forms(site), as_json=as_json)
    today = datetime.now(UTC).date()
    if as_json:
        _print([_told(form, today) for form in found.every()])
        return 0
    made = table("form", "title", "accepted", "fields")
    for form in found.every():
        made.add_row(form.ref, form.title, _standing(form, today), str(len(form.leaves)))
    show(made)
    return 0


def show_command(name: str, version: int | None, site: Path | None, *, as_json: bool) -> int:
    """Show one version of a form: its sections and fields in order, and what it offers."""
    found = _guarded(lambda: load_forms(site), as_json=as_json)
    form = found.named(name if version is None else f"{name}/{version}")
    if form is None:
        typer.echo(f"there is no such form; there are {_refs(found)}", err=True)
        return 1
    today = datetime.now(UTC).date()
    if as_json:
        _print(_whole(form, today))
        return 0
    typer.echo(f"{form.ref}: {form.title}, accepted {_standing(form, today)}")
    made = table("label", "field", "asked", "offers")
    for section in form.sections:
        made.add_row(section.title.upper(), "", "", "")
        for field in section.fields:
            offered = [" ".join(form.narrowed[x]) for x in field.leaves if x in form.narrowed]
            asked = "yes" if field.asked else ""
            made.add_row(field.label, field.caf, asked, ", ".join(dict.fromkeys(offered)))
    show(made)
    return 0


def check_command(file: Path | None, site: Path | None, *, as_json: bool) -> int:
    """Check the forms themselves, or how the canonical message in *file* fits the one it names."""
    found = _guarded(lambda: load_forms(site), as_json=as_json)
    if file is not None:
        return _checked(found, file, as_json=as_json)
    names = sorted(found.versions)
    if as_json:
        _print({"forms": names, "versions": len(found.every())})
    else:
        typer.echo(f"{len(found.every())} versions of {', '.join(names)}: no faults")
    return 0


def _checked(found: Forms, file: Path, *, as_json: bool) -> int:
    today = datetime.now(UTC).date()

    def work() -> tuple[Any, list[Fault]]:
        message = translator().read(CONTENT_TYPE, input_of(file), partner="").message
        return message.get("episode", {}), list(judge(found, message, today))

    episode, told = _guarded(work, as_json=as_json)
    form = found.named(str(episode.get("form_profile")))
    if form is None:
        typer.echo("{}" if as_json else "the message names no form: there is nothing to judge")
        return 0
    fits = fit(form, episode)
    if as_json:
        _print(
            {
                **_told(form, today),
                "warnings": [_fault(one) for one in told],
                "beyond": list(fits.beyond),
                "unanswered": list(fits.unanswered),
            }
        )
        return 0
    typer.echo(f"{form.ref}: {form.title}, accepted {_standing(form, today)}")
    for one in told:
        typer.echo(f"  {one.code} {one.path}: {one.remedy}")
    for path in fits.beyond:
        typer.echo(f"  kept, though the form does not have it: {path}")
    for label in fits.unanswered:
        typer.echo(f"  asked by the form, and not answered: {label}")
    return 0


def _guarded(work: Callable[[], T], *, as_json: bool) -> T:
    try:
        return work()
    except HubError as error:
        if as_json:
            body = {"code": error.code, "detail": error.detail}
            _print({**body, "errors": [_fault(one) for one in error.faults]})
        else:
            typer.echo(str(error), err=True)
            for fault in error.faults if isinstance(error, InvalidContent) else ():
                typer.echo(f"  {fault.code} {fault.path or '/'}: {fault.remedy}", err=True)
        raise typer.Exit(1) from None


def _fault(fault: Fault) -> dict[str, Any]:
    return {
        "code": fault.code,
        "path": fault.path,
        "remedy": fault.remedy,
        "code_list": fault.code_list,
        "allowed": list(fault.allowed),
    }


def _told(form: Form, today: date) -> dict[str, Any]:
    return {
        "form": form.name,
        "version": form.version,
        "title": form.title,
        "from": form.begins.isoformat(),
        "until": form.until.isoformat() if form.until else None,
        "accepted": form.taken_on(today),
        "fields": len(form.leaves),
    }


def _whole(form: Form, today: date) -> dict[str, Any]:
    return {
        **_told(form, today),
        "sections": [
            {
                "title": section.title,
                "fields": [
                    {
                        "caf": field.caf,
                        "label": field.label,
                        "asked": field.asked,
                        "leaves": list(field.leaves),
                        "offers": {
                            leaf: dict(form.narrowed[leaf])
                            for leaf in field.leaves
                            if leaf in form.narrowed
                        },
                    }
                    for field in section.fields
                ],
            }
            for section in form.sections
        ],
    }


def _standing(form: Form, today: date) -> str:
    if form.until is None:
        return f"from {form.begins}, current" if form.begins <= today else f"from {form.begins}"
    return f"until {form.until}" if today <= form.until else f"no more since {form.until}"


def _refs(found: Forms) -> str:
    return ", ".join(form.ref for form in found.every())


def _print(value: Any) -> None:
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
