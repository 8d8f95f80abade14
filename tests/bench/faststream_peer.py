"""The peer's process: FastStream in an environment of its own (`scripts/faststream`)."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.bench.bare import IN_FLIGHT
from tests.bench.figure import check

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PYTHON: Final = ROOT / ".venv-faststream/bin/python"
PATIENCE: Final = 60.0
"""Seconds that a round may take."""


class FastStream:
    """The peer's process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Talk to *process*."""
        self._process = process

    async def exchange(self, count: int) -> float:
        """Return the processor seconds of that many exchanges."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"%d\n" % count)
        said = json.loads(await self.line())
        check("FastStream's exchanges", said["arrived"], count)
        return float(said["cpu"])

    async def line(self) -> str:
        """Return what it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            said = (await self._process.stdout.readline()).decode()
        if not said:
            raise RuntimeError("FastStream's process has ended")
        return said


@asynccontextmanager
async def faststream(broker: str, body: Path) -> AsyncIterator[FastStream]:
    """Start the peer; `scripts/faststream` makes its environment."""
    script = Path(__file__).with_name("faststream_chain.py")
    process = await asyncio.create_subprocess_exec(
        *(str(PYTHON), str(script), broker, str(body), str(IN_FLIGHT)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    try:
        one = FastStream(process)
        await one.line()
        yield one
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
