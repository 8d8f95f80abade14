"""How `ecaf` says what is wrong: the code, the place, the remedy; on one line each, or as JSON."""

import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import orjson
import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from hub.errors import Code, HubError, Misconfigured

T = TypeVar("T")
FRAMES = 3
"""How many places of our own code are named where something unforeseen happened."""


class Answering(TyperGroup):
    """Commands that end in an answer: whatever goes wrong has a code, and no value is shown.

    A traceback would: the text of an exception may quote what somebody's file says of a child.
    """

    def main(self, *args: Any, **named: Any) -> Any:
        """Run the command line; wrong usage has a code, too (``E_USAGE``, exit 2)."""
        try:
            named["standalone_mode"] = False
            sys.exit(super().main(*args, **named) or 0)
        except typer.Abort:
            typer.echo("Aborted!", err=True)
            sys.exit(1)
        except TyperException as wrong:
            context, said = getattr(wrong, "ctx", None), wrong.format_message()
            if context is not None and said == context.get_help():
                typer.echo(said, err=True)  # a group by itself, which is a way to ask for help
                sys.exit(wrong.exit_code)
            if context is not None:
                typer.echo(context.get_usage(), err=True)
                typer.echo(f"Try '{context.command_path} --help' for help.", err=True)
            typer.echo(f"{Code.USAGE.value}: {said}", err=True)
            sys.exit(wrong.exit_code)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; exit 1 with a coded line where it did not foresee what went wrong."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException, BrokenPipeError):
            raise
        except HubError as error:
            fail(error)
        except OSError as wrong:
            fail(_unusable(wrong))
        except Exception as wrong:  # noqa: BLE001  the last answer before a traceback
            frames = traceback.extract_tb(wrong.__traceback__)[-FRAMES:]
            places = ", ".join(f"{f.filename.rpartition('/')[2]}:{f.lineno}" for f in frames)
            typer.echo(
                f"{Code.INTERNAL.value}: {type(wrong).__name__} at {places}\n"
                "  this is a fault of ours, not of your input: report this line with the command",
                err=True,
            )
            raise typer.Exit(1) from None


def _unusable(wrong: OSError) -> HubError:
    """Return the coded error of a file or address that the system refused."""
    what = wrong.filename or "a file or a connection"
    return Misconfigured(Code.CONFIGURATION, f"{what} cannot be used: {wrong.strerror or 'failed'}")


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


def misused(remedy: str, *, as_json: bool = False) -> NoReturn:
    """Say how the command is meant, with the code ``E_USAGE``; exit 2.

    *remedy* names options and what they take, never what was given.
    """
    if as_json:
        body = {"code": Code.USAGE.value, "detail": remedy, "errors": []}
        typer.echo(orjson.dumps(body).decode())
    else:
        typer.echo(f"{Code.USAGE.value}: {remedy}", err=True)
    raise typer.Exit(2)


def guarded(work: Callable[[], T], *, as_json: bool = False) -> T:
    """Return what *work* returns; a `HubError` is printed with its faults, exit 1."""
    try:
        return work()
    except HubError as error:
        fail(error, as_json=as_json)
