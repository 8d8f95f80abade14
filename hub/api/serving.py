"""Serving: sockets, TLS, time-outs and a clean stop for the HTTP door and the operator's socket."""

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from hub.api.crowd import Crowd
from hub.api.protocol import HEAD_SECONDS, BoundedHttp, bounded
from hub.bounds import CLOSING_SECONDS, Bounds
from hub.errors import Code, Fault, Misconfigured
from hub.logging import log, watch
from hub.settings import Listen, Settings

_BACKLOG: Final = 1_024


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; *address* is ``http(s)://host:port`` or ``unix:/path``."""

    server: uvicorn.Server
    address: str


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: whoever composed the process decides when it
    stops.  A TLS handshake has *handshake_seconds* to end: asyncio gives it a minute, and uvicorn
    no word in that.
    """

    def __init__(self, config: uvicorn.Config, handshake_seconds: float) -> None:
        super().__init__(config)
        self._handshake_seconds = handshake_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on *sockets*, which are bound (uvicorn's own start, and the patience)."""
        config, loop = self.config, asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        await self.lifespan.startup()
        patience = self._handshake_seconds if config.ssl is not None else None
        self.servers = [
            await loop.create_server(
                protocol,
                sock=bound,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=patience,
            )
            for bound in sockets or ()
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def _unix_socket(path: Path, group: str | None = None) -> socket.socket:
    """Return a socket at *path*, mode 0600 from its first moment, or 0660 for *group*."""
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode) or _answers(path):
            raise _taken(path)
        # Left behind by a process that was killed.
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise _taken(path) from None  # by who began in the same moment
    finally:
        os.umask(old)
    bound.listen(_BACKLOG)  # at once: who begins meanwhile must not take it for a dead one's
    if group is not None:
        try:
            shutil.chown(path, group=group)
        except (LookupError, OSError) as error:
            bound.close()
            path.unlink()
            raise Misconfigured(
                Code.CONFIGURATION,
                "the socket cannot be given to that group",
                [Fault(Code.CONFIGURATION, "ECAF_LISTEN_GROUP", "a group that the hub is in")],
            ) from error
        path.chmod(0o660)
    return bound


def _taken(path: Path) -> Misconfigured:
    return Misconfigured(
        Code.CONFIGURATION,
        f"{path} is in use",
        [Fault(Code.CONFIGURATION, path=str(path), remedy="stop whoever listens there")],
    )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _bound(
    where: Listen, name: str, scheme: str, group: str | None = None
) -> tuple[socket.socket, str]:
    """Return a bound socket and its address; *name* is the setting that says where."""
    if where.unix is not None:
        return _unix_socket(where.unix, group), f"unix:{where.unix}"
    bound = _tcp_socket(where.host, where.port, name)
    host = f"[{where.host}]" if ":" in where.host else where.host
    return bound, f"{scheme}://{host}:{bound.getsockname()[1]}"


def _tcp_socket(host: str, port: int, name: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Misconfigured(
            Code.CONFIGURATION,
            f"{name}: the address cannot be used",
            [Fault(Code.CONFIGURATION, path=name, remedy="choose a free address")],
        ) from error
    return bound


def _config(
    app: FastAPI,
    protocol: type[BoundedHttp],
    settings: Settings | None,
    bounds: Bounds | None = None,
) -> uvicorn.Config:
    bounds = bounds or (Bounds() if settings is None else settings.bounds)
    secure = settings is not None and settings.tls_cert_file is not None
    config = uvicorn.Config(
        app,
        # The loop is made by whoever runs us (uvloop in production).
        loop="none",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=bounds.idle_seconds,
        timeout_graceful_shutdown=bounds.stop_seconds - CLOSING_SECONDS,
        ssl_certfile=settings.tls_cert_file if settings and secure else None,
        ssl_keyfile=settings.tls_key_file if settings and secure else None,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise Misconfigured(
            Code.CONFIGURATION,
            "the TLS certificate and key cannot be used",
            [Fault(Code.CONFIGURATION, path="ECAF_TLS_CERT_FILE", remedy="give a matching pair")],
        ) from error
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            await task
            raise Misconfigured(Code.CONFIGURATION, "the HTTP server did not start")
        await asyncio.sleep(0.005)


def _sockets(settings: Settings, *, operator: bool) -> list[tuple[socket.socket, str]]:
    """Return the bound sockets with their addresses: the door's, and the operator's if wanted."""
    scheme = "https" if settings.tls_cert_file is not None else "http"
    found = [_bound(settings.listen, "ECAF_LISTEN", scheme, settings.listen_group)]
    if operator and settings.operator_socket is not None:
        try:
            found.append(
                (_unix_socket(settings.operator_socket), f"unix:{settings.operator_socket}")
            )
        except Misconfigured:
            found[0][0].close()
            raise
    return found


def _release(bound: socket.socket, address: str) -> None:
    bound.close()
    if address.startswith("unix:"):
        Path(address.removeprefix("unix:")).unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def listening(
    app: FastAPI,
    settings: Settings,
    *,
    support_contact: str,
    operator: FastAPI | None = None,
    head_seconds: float | None = None,
) -> AsyncIterator[Sequence[Served]]:
    """Serve *app* (and *operator* on its own socket) while the block runs; then stop cleanly.

    On leaving, nothing new is accepted, and what is being answered has ``ECAF_LIMIT_STOP_SECONDS``
    to end, less what closing takes.  Port 0 chooses a free port; the yielded address has the real
    one.
    """
    bounds = settings.bounds
    seconds = float(bounds.head_seconds) if head_seconds is None else head_seconds
    url = settings.canonical_url
    crowd = Crowd(bounds.connections, bounds.connections_per_address)
    protocol = bounded(support_contact, canonical_url=url, head_seconds=seconds, crowd=crowd)
    configs = [_config(app, protocol, settings)]
    if operator is not None:
        # The operator has a socket of its own, and room there when everybody else is in the way.
        own = bounded(support_contact, canonical_url=url, head_seconds=seconds)
        configs.append(_config(operator, own, None, bounds))
    sockets = _sockets(settings, operator=operator is not None)
    async with _serving(configs, sockets, seconds) as served:
        log.info("door.open", count=len(served))
        yield served
    log.info("door.closed", count=len(served))


@contextlib.asynccontextmanager
async def measured(
    app: FastAPI, settings: Settings, *, support_contact: str
) -> AsyncIterator[Sequence[Served]]:
    """Serve the metrics at ``ECAF_METRICS_LISTEN`` while the block runs; nothing where it is not
    set.
    """
    where = settings.metrics_listen
    if where is None:
        yield ()
        return
    config = _config(app, bounded(support_contact), None)
    async with _serving([config], [_bound(where, "ECAF_METRICS_LISTEN", "http")]) as served:
        yield served


@contextlib.asynccontextmanager
async def _serving(
    configs: Sequence[uvicorn.Config],
    sockets: Sequence[tuple[socket.socket, str]],
    handshake_seconds: float = HEAD_SECONDS,
) -> AsyncIterator[Sequence[Served]]:
    watch(asyncio.get_running_loop())
    served = [
        Served(_Server(config, handshake_seconds), address)
        for config, (_, address) in zip(configs, sockets, strict=False)
    ]
    tasks = [
        asyncio.create_task(one.server.serve(sockets=[bound]), name="http")
        for one, (bound, _) in zip(served, sockets, strict=True)
    ]
    try:
        for one, task in zip(served, tasks, strict=True):
            await _started(one.server, task)
        yield served
    finally:
        for one in served:
            one.server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)
        for bound, address in sockets:
            _release(bound, address)


WORKERS: Final = (".worker", *(f".worker{number}" for number in range(2, 10)))
"""What the names of workers' sockets end in, so that all roles may have one environment."""


@contextlib.asynccontextmanager
async def operated(
    operator: FastAPI, settings: Settings, *, support_contact: str
) -> AsyncIterator[Sequence[Served]]:
    """Serve *operator* alone, at ``ECAF_OPERATOR_SOCKET`` and ``.worker``, while the block runs.

    Where other workers of this environment are there before it, at ``.worker2`` and so on; beyond
    ``.worker9`` not at all, nor where the setting is not there: it works all the same, and the
    former is said.
    """
    if settings.operator_socket is None:
        yield ()
        return
    for ending in WORKERS:
        place = settings.operator_socket.with_name(settings.operator_socket.name + ending)
        with contextlib.suppress(Misconfigured):
            bound = _unix_socket(place)
            break
    else:
        log.warning("operator.taken")
        yield ()
        return
    own = bounded(support_contact, canonical_url=settings.canonical_url)
    config = _config(operator, own, None, settings.bounds)
    async with _serving([config], [(bound, f"unix:{place}")]) as served:
        yield served
