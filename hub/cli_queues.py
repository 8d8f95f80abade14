"""The part of `ecaf` for the broker: `ecaf queues …`."""

import os
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from hub.cli_errors import guarded
from hub.settings import environ_of

queues: Final = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Prepare the broker and its partner queues."
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@queues.command(
    "definitions",
    epilog="\b\nExample:\n  ecaf queues definitions --out definitions.json\n"
    "  rabbitmqctl import_definitions definitions.json",
)
def queues_definitions(
    out: Annotated[
        Path | None, typer.Option(help="Write here, for its owner alone; default: print.")
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="A site's folder (such as demo-out/hub); default ECAF_*.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what the site's RabbitMQ must hold, to be imported there: users, permissions, queues.

    Every partner has a user of its own, which can read its own queues, write to its own exchange,
    and declare, bind or manage nothing. Passwords come from the files that the profiles name, and
    are there as hashes; a user without one shows a certificate. The hub's user is that of
    ECAF_BROKER_URL. An import adds and changes, and removes nothing.
    """
    from hub.queueing import site_definitions

    environ = dict(os.environ) if site is None else {**os.environ, **environ_of(site)}
    made = guarded(lambda: site_definitions(environ), as_json=as_json)
    text = orjson.dumps(made, option=0 if as_json and out is None else orjson.OPT_INDENT_2)
    if out is None:
        typer.echo(text.decode())
        return
    out.touch(mode=0o600)
    out.chmod(0o600)
    out.write_bytes(text + b"\n")
    told = {"users": len(made["users"]), "queues": len(made["queues"]), "out": str(out)}
    shown = f"{told['users']} users and {told['queues']} queues in {out}"
    typer.echo(orjson.dumps(told).decode() if as_json else shown)


@queues.command("asyncapi", epilog="\b\nExample:\n  ecaf queues asyncapi --out asyncapi.json")
def queues_asyncapi(
    out: Annotated[Path | None, typer.Option(help="Write here; default: print.")] = None,
    as_json: Json = False,
) -> None:
    """Print the AsyncAPI 3.0 document of the queues: channels, messages, limits, who may connect.

    It is JSON in any case; --json leaves out line breaks.
    """
    from hub.queue_document import document_text

    text = document_text()
    if out is not None:
        out.write_text(text, "utf-8")
        told = orjson.dumps({"out": str(out)}).decode()
        typer.echo(told if as_json else f"written to {out}")
        return
    typer.echo(orjson.dumps(orjson.loads(text)).decode() if as_json else text.rstrip())
