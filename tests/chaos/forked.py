"""Hubs that are forked from a warm process (`zygote.py`), to be started hundreds of times."""

import asyncio
import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hub.scenarios.processes import Process

PROGRAM = Path(__file__).with_name("zygote.py")
WARM_SECONDS = 120.0
END_SECONDS = 10.0


class Zygote:
    """The warm process of one site."""

    def __init__(self, config: Path) -> None:
        """Prepare for the site *config*."""
        self._config = config
        self._running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return when it is warm."""
        environ = {name: v for name, v in os.environ.items() if not name.startswith("ECAF_")}
        self._running = await asyncio.create_subprocess_exec(
            *(sys.executable, str(PROGRAM), str(self._config)),
            env=environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert await asyncio.wait_for(self._said(), WARM_SECONDS) == b"warm\n"

    async def fork(self, order: Mapping[str, Any]) -> int:
        """Return the process id of a new hub."""
        assert self._running is not None
        assert self._running.stdin is not None
        self._running.stdin.write(json.dumps(order).encode() + b"\n")
        return int(await self._said())

    async def stop(self) -> None:
        """End it; hubs that still run end with it."""
        if self._running is not None and self._running.stdin is not None:
            self._running.stdin.close()
            await self._running.wait()

    async def _said(self) -> bytes:
        assert self._running is not None
        assert self._running.stdout is not None
        return await self._running.stdout.readline()


class Forked(Process):
    """One hub; `deadly` is the point at which its next life ends, and only that one."""

    def __init__(
        self,
        zygote: Zygote,
        environ: Mapping[str, str],
        log: Path,
        *,
        points: Path | None = None,
        flaw: str | None = None,
        role: str = "all",
    ) -> None:
        """Prepare; nothing runs.

        The points that it reaches are written to *points*, if they are counted.  *flaw* names the
        promise that it breaks (`sabotaged_hub`).
        """
        super().__init__((), environ, log)
        self._zygote = zygote
        self._flaw, self._role = flaw, role
        self._pid: int | None = None
        self._handle: int | None = None
        self._points = points
        self.deadly: tuple[str, int] | None = None

    async def start(self) -> None:
        """Fork it."""
        self._forget()
        order = {
            "environ": dict(self._environ),
            "log": str(self._log),
            "points": None if self._points is None else str(self._points),
            "deadly": self.deadly,
            "flaw": self._flaw,
            "role": self._role,
        }
        self.deadly = None
        self._pid = await self._zygote.fork(order)
        with suppress(ProcessLookupError):  # it died already
            self._handle = os.pidfd_open(self._pid)

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._pid if self.alive else None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        if self._handle is None:
            return False
        return not select.select([self._handle], [], [], 0)[0]

    async def kill(self) -> None:
        """End it at once."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            await self.ended(END_SECONDS)
        self._forget()

    async def stop(self) -> None:
        """End it in order, or at once if it does not."""
        if self._handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGTERM)
            if not await self.ended(END_SECONDS):
                await self.kill()
        self._forget()

    async def ended(self, seconds: float) -> bool:
        """Return whether it has ended, waiting up to *seconds* for it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.alive and loop.time() < deadline:  # noqa: ASYNC110  it is not our child
            await asyncio.sleep(0.002)
        return not self.alive

    def _forget(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
