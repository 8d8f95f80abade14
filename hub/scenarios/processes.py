"""Processes that a scenario starts, and that never outlive it."""

import asyncio
import contextlib
import ctypes
import random
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

GRACE_SECONDS = 10.0
OWN_PORTS = range(16_384, 32_768)
"""Linux takes those for outgoing connections from 32768 up, others from higher still."""


def free_port() -> int:
    """Return a loopback port that nobody uses at the moment.

    It lies below those that the system gives to outgoing connections, for a server that is killed
    and started again must find its port as free as it left it.
    """
    for port in random.SystemRandom().sample(OWN_PORTS, 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    # Even a runner that is killed with -9 leaves nothing behind (PR_SET_PDEATHSIG, Linux only).
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Process:
    """One child process, its output in a file."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self._command, self._environ, self._log = command, dict(environ), log
        self._running: asyncio.subprocess.Process | None = None
        self._output: IO[bytes] | None = None

    async def start(self) -> None:
        """Start it; its output is appended to the log."""
        self._output = self._log.open("ab")
        self._running = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=self._output,
            stderr=self._output,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._running.pid if self.alive and self._running else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._running is not None and self._running.returncode is None

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended."""
        return None if self._running is None else self._running.returncode

    async def over(self) -> int:
        """Wait until it has ended by itself; return its exit status, 0 if it was never started."""
        status = 0 if self._running is None else await self._running.wait()
        self._close()
        return status

    async def kill(self) -> None:
        """End it at once, as kill -9 does."""
        if self._running is not None and self._running.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._running.kill()
            await self._running.wait()
        self._close()

    async def stop(self) -> None:
        """Ask it to end; after ten seconds it is not asked any more."""
        if self._running is not None and self._running.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._running.terminate()
            try:
                await asyncio.wait_for(self._running.wait(), GRACE_SECONDS)
            except TimeoutError:
                await self.kill()
        self._close()

    def _close(self) -> None:
        if self._running is not None and self._running.stdin is not None:
            self._running.stdin.close()
        if self._output is not None:
            self._output.close()
            self._output = None

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its output, for who must find out why it ended."""
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Proxy:
    """A TCP proxy put before the broker: it can refuse and cut as a broker that stops does."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.port = free_port()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let connections through."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Refuse new connections and cut the others."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        except (ConnectionError, asyncio.CancelledError):
            sink.transport.abort()
        finally:
            self._writers.discard(sink)
            sink.close()
