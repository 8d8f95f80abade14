"""A real `ecaf serve` to be killed: its site, its process, its operator's socket."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from adapters.partners.keys import new_api_key
from adapters.partners.site import Site, init_site
from hub.scenarios.processes import Process, free_port

START_SECONDS = 60.0
SERVE = ("-m", "hub.cli", "serve")
Begun = Callable[[Mapping[str, str], Path], Process]
"""Makes a process that can be started, of an environment and a file for its output."""
LEASE_SECONDS = 3
"""Short, so that what a killed hub was sending goes again soon."""


def make_site(folder: Path, partners: Mapping[str, str | None]) -> tuple[Site, dict[str, str]]:
    """Return a site on loopback, and for each partner the API key that its profile knows."""
    site = init_site(folder, hub_name="Hub", host="localhost", partners=partners)
    expires = (datetime.now(UTC) + timedelta(days=30)).date()
    keys = {}
    for partner in partners:
        key, digest = new_api_key(partner, "k1")
        keys[partner] = key.reveal()
        with site.profiles[partner].open("a") as profile:
            profile.write(f"  api_keys:\n  - {{id: k1, sha256: {digest}, expires: {expires}}}\n")
            profile.write("practitioners: unvouched\n")  # load is about messages, not about people
            profile.write("references: chosen\n")
    return site, keys


class Ended(AssertionError):
    """The hub ended before it was ready."""


class HubProcess:
    """`ecaf serve` on a free loopback port, with a store that outlives it."""

    def __init__(
        self,
        site: Site,
        database_url: str,
        broker_url: str | None = None,
        *,
        program: Sequence[str] = SERVE,
        begun: Begun | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Prepare; without *begun* it is a process of its own, running *program*.

        *settings* come on top of what every hub of the tests has.
        """
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._socket = site.folder / "operator.sock"
        environ = {name: v for name, v in os.environ.items() if not name.startswith("ECAF_")}
        environ |= {
            "ECAF_CONFIG_DIR": str(site.folder),
            "ECAF_VAULT_KEY_FILE": str(site.vault_key),
            "ECAF_TOKEN_KEY_FILE": str(site.keys.token_key),
            "ECAF_DATABASE_URL": database_url,
            "ECAF_LISTEN": f"127.0.0.1:{self._port}",
            "ECAF_OPERATOR_SOCKET": str(self._socket),
            "ECAF_LEASE_SECONDS": str(LEASE_SECONDS),
            "ECAF_LOG_LEVEL": "warning",
        }
        if broker_url is not None:
            environ["ECAF_BROKER_URL"] = broker_url
        environ |= settings
        self.environ = environ
        self._log = site.folder / "hub.log"
        self._begun = begun or partial(Process, [sys.executable, *program])
        self._process = self._begun(environ, self._log)

    def set(self, name: str, value: str) -> None:
        """Change one setting, for the next start."""
        self.environ[name] = value
        self._process = self._begun(self.environ, self._log)

    async def start(self) -> float:
        """Start it and wait until it accepts; return the seconds that took."""
        started = time.monotonic()
        await self._process.start()
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while time.monotonic() - started < START_SECONDS:
                if not self._process.alive:
                    raise Ended(f"the hub ended at its start:\n{self.tail()}")
                try:
                    answer = await client.get(f"{self.address}/readyz")
                except httpx.HTTPError:
                    await asyncio.sleep(0.02)
                    continue
                if answer.status_code == 200:
                    return time.monotonic() - started
                await asyncio.sleep(0.02)
        raise AssertionError(f"the hub did not become ready:\n{self.tail()}")

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended."""
        return self._process.status

    async def kill(self) -> None:
        """Kill -9: the hub is one process and has no children that could outlive it."""
        pid = self._process.pid
        assert pid is not None, f"the hub had ended by itself:\n{self.tail()}"
        assert not _children(pid)
        await self._process.kill()

    async def stop(self) -> None:
        """Stop it in order."""
        await self._process.stop()

    def tail(self) -> str:
        """Return the end of its log."""
        return self._process.tail(40)

    async def summary(self) -> dict[str, Any]:
        """Return the operator's summary: deliveries by state, what is due."""
        answer = await self.operator("/admin/summary")
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    async def operator(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Return what the operator's socket answers, to a question or to a *body*."""
        transport = httpx.AsyncHTTPTransport(uds=str(self._socket))
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            if body is not None:
                return await client.post(f"http://operator{path}", json=body)
            return await client.get(f"http://operator{path}")

    async def rest(self, seconds: float) -> tuple[dict[str, int], float]:
        """Wait until every delivery has ended; return their states, and the seconds that took.

        Fails with the states and the log if that takes more than *seconds*.
        """
        started = time.monotonic()
        states: dict[str, int] = {}
        while time.monotonic() - started < seconds:
            with suppress(httpx.HTTPError):  # its store is on its way back
                states = (await self.summary())["states"]
            if states and not sum(states[name] for name in ("pending", "sending", "handed_over")):
                return states, time.monotonic() - started
            await asyncio.sleep(0.1)
        raise AssertionError(f"no rest within {seconds:.0f} seconds: {states}\n{self.tail()}")


def _children(pid: int) -> str:
    """Return the children of a process, of whichever of its threads."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return "".join(task.read_text() for task in tasks).strip()
