"""How `ecaf` says what is wrong: the code, the place, the remedy; on one line each, or as JSON."""

from collections.abc import Callable
from typing import NoReturn, TypeVar

import orjson
import typer

from hub.errors import HubError

T = TypeVar("T")


def fail(error: HubError, *, as_json: bool = False) -> NoReturn:
    """Print what is wrong, where, and what would put it right; exit 1."""
    if as_json:
        faults = [
            {
                "code": fault.code.value,
                "path": fault.path,
                "remedy": fault.remedy,
                "code_list": fault.code_list,
                "allowed": list(fault.allowed),
            }
            for fault in error.faults
        ]
        body = {"code": error.code.value, "detail": error.detail, "errors": faults}
        typer.echo(orjson.dumps(body).decode())
    else:
        typer.echo(f"{error.code.value}: {error.detail}", err=True)
        shown = "\n" in error.detail  # every fault stands there already, with its caret
        for fault in () if shown else error.faults:
            allowed = f" (allowed: {', '.join(fault.allowed)})" if fault.allowed else ""
            typer.echo(f"  {fault.path or '-'}: {fault.remedy}{allowed}", err=True)
    raise typer.Exit(1)


def guarded(work: Callable[[], T], *, as_json: bool = False) -> T:
    """Return what *work* returns; a `HubError` is printed with its faults, exit 1."""
    try:
        return work()
    except HubError as error:
        fail(error, as_json=as_json)
