"""How `ecaf` asks the running hub: over the operator's socket, which only its owner can open."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import orjson
import typer

from hub.cli_errors import fail
from hub.errors import Code, Fault, HubError, Misconfigured, Rejected
from hub.settings import environ_of

Socket = Annotated[
    Path | None,
    typer.Option("--socket", help="The running hub's socket; default ECAF_OPERATOR_SOCKET."),
]
SECONDS = 60


def running(socket: Path | None) -> Path | None:
    """Return the socket that is given or configured, if a hub has made one there."""
    given = socket or os.environ.get("ECAF_OPERATOR_SOCKET")
    return Path(given) if given is not None and Path(given).is_socket() else None


def environ_at_rest(site: Path | None, *, socket: bool = True) -> dict[str, str]:
    """Return the environment of the hub whose store is read: that of *site*, else our own.

    `Misconfigured`, naming the ways, where neither says which hub is meant; *socket*: whether the
    command may also ask a running hub.
    """
    if site is not None and not site.is_dir():
        fault = Fault(
            Code.CONFIGURATION, "--site", "give the folder of a hub, such as demo-out/hub"
        )
        raise Misconfigured(Code.CONFIGURATION, f"{site} is no folder", [fault])
    if site is not None:
        return environ_of(site)
    if not os.environ.get("ECAF_CONFIG_DIR"):
        ways = (
            ("--socket", "of a running hub, its socket; or set ECAF_OPERATOR_SOCKET"),
            (
                "--site",
                "of a stopped hub, its folder, such as demo-out/hub; or set ECAF_CONFIG_DIR",
            ),
        )
        faults = [Fault(Code.CONFIGURATION, place, remedy) for place, remedy in ways[not socket :]]
        raise Misconfigured(Code.CONFIGURATION, "nothing says which hub is meant", faults)
    return dict(os.environ)


def ask(
    method: str,
    path: str,
    socket: Path | None,
    *,
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
    as_json: bool = False,
) -> Any:
    """Return what the running hub answers on its socket; exit 1 with the reason where it cannot."""
    if socket is None and not os.environ.get("ECAF_OPERATOR_SOCKET"):
        typer.echo("E_CONFIGURATION: give --socket, or set ECAF_OPERATOR_SOCKET", err=True)
        raise typer.Exit(1)
    place = running(socket)
    if place is None:
        typer.echo("E_UNAVAILABLE: there is no socket there; is the hub running?", err=True)
        raise typer.Exit(1)
    transport = httpx.HTTPTransport(uds=str(place))
    headers = {"content-type": "application/json"} if body is not None else {}
    try:
        with httpx.Client(transport=transport, timeout=SECONDS) as client:
            answer = client.request(
                method, f"http://operator{path}", params=query, content=body, headers=headers
            )
    except httpx.TransportError as fault:
        typer.echo(f"E_UNAVAILABLE: no hub answers there ({type(fault).__name__})", err=True)
        raise typer.Exit(1) from None
    told = orjson.loads(answer.content)
    if answer.is_error:
        fail(_error(told), as_json=as_json)
    return told


def _error(problem: Any) -> HubError:
    """Return the error that a problem answer tells of."""
    faults = tuple(
        Fault(
            Code(one["code"]),
            one["path"],
            one["remedy"],
            one.get("code_list"),
            tuple(one.get("allowed", ())),
        )
        for one in problem.get("errors", ())
    )
    return Rejected(Code(problem["code"]), problem["detail"], faults)
