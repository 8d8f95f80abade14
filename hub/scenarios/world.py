"""The world of one scenario: a hub as a process, a double for every participant, a clock, a broker.

Everything listens on free loopback ports and lives under one temporary folder; nothing survives.
"""

import asyncio
import json
import os
import shutil
import sqlite3
import ssl
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from hub.scenarios.breaking import move_decisions
from hub.scenarios.processes import Process, Proxy, free_port
from hub.scenarios.scenario import Scenario
from hub.scenarios.site import Seat, Site
from hub.scenarios.vouching import Vouched

START_SECONDS = 60.0
REST_SECONDS = 20.0
STABLE_SECONDS = 0.15
WAITING_SECONDS = 1.5
"""How long nothing may change while deliveries wait: for a partner that is down, for the broker."""
LEASE_SECONDS = 5

_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no certificate, and costs nothing to make: for what speaks no TLS."""


class Trouble(Exception):
    """The world does not work: a process ended, a port is closed, nothing comes to rest."""


class World:
    """Starts, moves, breaks and ends everything around one scenario."""

    def __init__(
        self,
        scenario: Scenario,
        out: Path,
        *,
        database_url: str | None = None,
        broker_url: str | None = None,
        tls: bool = False,
        mesh_url: str | None = None,
    ) -> None:
        self.scenario = scenario
        self.out = out
        self.tls = tls
        self.broker_url = broker_url
        self._temporary = tempfile.TemporaryDirectory(prefix="ecaf-")
        self.folder = Path(self._temporary.name)
        self.database_file = None if database_url else self.folder / "hub.db"
        self.database_url = database_url or f"sqlite:///{self.database_file}"
        self.site = Site(self.folder, tls=tls, mesh_url=mesh_url)
        self.port = free_port()
        self.address = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.seats: dict[str, Seat] = {}
        self.doubles: dict[str, Process] = {}
        self.hub: Process | None = None
        self.proxy: Proxy | None = None
        self.paused = self.unread = False
        self.now = scenario.starts_at
        self._moved_at = time.monotonic()
        socket = httpx.AsyncHTTPTransport(uds=str(self._socket), verify=_NOBODY, retries=1)
        self._operator = httpx.AsyncClient(transport=socket, timeout=10)
        self._control = httpx.AsyncClient(trust_env=False, timeout=60, verify=_NOBODY)

    # Starting and ending -------------------------------------------------------------------

    async def start(self) -> None:
        """Start everything; raises `Trouble` with the end of the log of what would not start."""
        self.out.mkdir(parents=True, exist_ok=True)
        self._write_clock()
        if self.broker_url:
            parts = urlsplit(self.broker_url)
            self.proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 5672)
            await self.proxy.open()
        try:
            seats = self.site.write(self.scenario.cast, self.address)
        except ValueError as missing:
            raise Trouble(str(missing)) from None
        for seat in seats:
            self.seats[seat.participant.name] = seat
            self.doubles[seat.participant.name] = self._double(seat)
        await asyncio.gather(*(double.start() for double in self.doubles.values()))
        await self.start_hub()
        await asyncio.gather(*(self._answers(name) for name in self.doubles))
        for one in self.scenario.cast.vouched:
            await self._vouch(one)

    async def _vouch(self, one: Vouched) -> None:
        """Let a participant's own system vouch for one of its practitioners."""
        call = {"method": "PUT", "path": f"/practitioners/{one.ref}", "body": one.record}
        got = await self.control(
            one.participant, "submit", {**call, "content_type": "application/json"}
        )
        if got["status"] != 200:
            raise Trouble(f"{one.participant} cannot vouch for {one.ref}: {got['body']}")

    async def stop(self, keep: Path | None = None) -> None:
        """End everything, whatever state it is in; with *keep*, leave the hub's own site there."""
        processes = [*self.doubles.values(), *([self.hub] if self.hub else [])]
        await asyncio.gather(*(process.stop() for process in processes), return_exceptions=True)
        if self.proxy is not None:
            await self.proxy.close()
        await self._operator.aclose()
        await self._control.aclose()
        if keep is not None:
            self._keep(keep)
        self._temporary.cleanup()

    def _keep(self, site: Path) -> None:
        """Leave configuration, key and database as `ecaf explain --site` and `serve --site` ask."""
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(self.site.config, site)
        site.chmod(0o700)
        shutil.copy2(self.site.vault_key, site / "vault.key")
        if self.database_file is not None and self.database_file.exists():
            shutil.copy2(self.database_file, site / "hub.db")

    def _environ(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ECAF_")}
        told = {
            "ECAF_CONFIG_DIR": str(self.site.config),
            "ECAF_DATABASE_URL": self.database_url,
            "ECAF_LISTEN": f"127.0.0.1:{self.port}",
            "ECAF_PUBLIC_URL": self.address,
            "ECAF_VAULT_KEY_FILE": str(self.site.vault_key),
            "ECAF_OPERATOR_SOCKET": str(self._socket),
            "ECAF_CLOCK_OFFSET_FILE": str(self._clock_file),
            # After a kill, what was being sent goes again when its lease is over; nobody waits a
            # minute for that in a story.
            "ECAF_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        if self.broker_url:
            told["ECAF_BROKER_URL"] = self._proxied()
        certificate = self.site.certificate("hub")
        if certificate is not None:
            told["ECAF_TLS_CERT_FILE"], told["ECAF_TLS_KEY_FILE"] = map(str, certificate)
            told["ECAF_TOKEN_KEY_FILE"] = str(self.site.token_key)
        return kept | told

    def _proxied(self) -> str:
        if self.proxy is None:
            raise Trouble("there is no broker to put a proxy before")
        parts = urlsplit(self.broker_url or "")
        user, at, _host = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{self.proxy.port}"))

    @property
    def _socket(self) -> Path:
        return self.folder / "operator.sock"

    @property
    def _clock_file(self) -> Path:
        return self.folder / "clock"

    def _double(self, seat: Seat) -> Process:
        command = [
            sys.executable,
            "-m",
            "adapters.partners.double",
            "--profile",
            str(seat.profile),
            "--hub",
            self.address,
            "--credentials",
            str(seat.credentials),
            "--out",
            str(self.out),
            "--control",
            f"127.0.0.1:{seat.control}",
            "--with-parent",
        ]
        if seat.certificate is not None:
            command += ["--certificate", str(seat.certificate[0])]
            command += ["--certificate-key", str(seat.certificate[1])]
        if seat.participant.channel == "amqp":
            if not self.broker_url:
                raise Trouble(f"{seat.participant.name} reads a queue: give a broker address")
            command += ["--broker", self.broker_url]
        environ = {k: v for k, v in os.environ.items() if not k.startswith("ECAF_")}
        return Process(command, environ, self.out / f"{seat.participant.name}.log")

    # The hub -------------------------------------------------------------------------------

    async def start_hub(self) -> None:
        """Start the hub on the same store and wait until it says that it is ready."""
        if self.hub is None:
            self.hub = Process(
                [sys.executable, "-m", "hub.cli", "serve"], self._environ(), self.out / "hub.log"
            )
        await self.hub.start()
        await self._ready()

    async def _ready(self) -> None:
        """Wait until the hub says that it is, with its broker if that is not stopped."""
        if self.hub is None:
            return
        verify = ssl.create_default_context(cafile=self.site.ca) if self.site.ca else _NOBODY
        deadline = time.monotonic() + START_SECONDS
        async with httpx.AsyncClient(trust_env=False, verify=verify, timeout=2) as client:
            while time.monotonic() < deadline:
                if not self.hub.alive:
                    raise Trouble(f"the hub ended at its start:\n{self.hub.tail()}")
                try:
                    answer = await client.get(f"{self.address}/readyz")
                    away = answer.json().get("parts", {}).get("broker") == "down"
                    if answer.status_code == HTTPStatus.OK and (self.paused or not away):
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.05)
        raise Trouble(f"the hub did not become ready:\n{self.hub.tail()}")

    async def kill_hub(self) -> None:
        """Kill -9."""
        if self.hub is not None:
            await self.hub.kill()

    async def stop_hub(self) -> None:
        """Stop the hub in order."""
        if self.hub is not None:
            await self.hub.stop()

    async def operator(self, method: str, path: str) -> Any:
        """Call the operator's socket."""
        answer = await self._operator.request(method, f"http://operator{path}")
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    async def broker(self, what: str) -> str:
        """Stop or start the broker; return what was really done, for the table."""
        stops = what == "stops"
        self.paused = stops
        if self.proxy is not None:
            await (self.proxy.close() if stops else self.proxy.open())
            if not stops:  # time that passes before the hub has found it again changes nothing
                await self._ready()
            done = "cut and refused" if stops else "let through"
            return f"the broker {what}: connections are {done}"
        await self.operator("POST", "/admin/pause" if stops else "/admin/resume")
        return "embedded, no broker: dispatch is " + ("paused" if stops else "resumed")

    async def consent_store(self, what: str) -> str:
        """Take the decisions away from the hub, or give them back; return what was done."""
        away, alone = what == "fails", self.database_file is not None
        if alone:  # an embedded hub has its file to itself
            await self.stop_hub()
        try:
            await asyncio.to_thread(
                move_decisions, self.database_file, self.database_url, away=away
            )
        except (OSError, sqlite3.Error) as trouble:
            raise Trouble(f"the consent store: {trouble}") from None
        self.unread = away
        if alone:
            await self.start_hub()
        return "the table of decisions is " + ("gone" if away else "back")

    # The clock -----------------------------------------------------------------------------

    def _write_clock(self) -> None:
        offset = (self.now - datetime.now(UTC)).total_seconds()
        self._moved_at = time.monotonic()
        fresh = self._clock_file.with_suffix(".new")
        fresh.write_text(f"{offset:.3f}\n")
        fresh.replace(self._clock_file)

    def time(self) -> datetime:
        """Return the scenario's time now."""
        return self.now + timedelta(seconds=time.monotonic() - self._moved_at)

    async def move_to(self, moment: datetime) -> None:
        """Move the clock forward, and let the hub look at what has become due; it says that it
        cannot while no decision can be read, and looks again of itself.
        """
        if moment < self.time():
            raise Trouble(f"the clock cannot go back to {moment:%Y-%m-%d %H:%M}")
        self.now = moment
        self._write_clock()
        if self.hub is not None and self.hub.alive:
            try:
                await self.operator("POST", "/admin/schedule")
            except httpx.HTTPStatusError as refused:
                busy = refused.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
                if not (self.unread and busy):
                    raise

    # The doubles ---------------------------------------------------------------------------

    async def control(self, name: str, path: str, told: Any = None) -> Any:
        """Ask one double something."""
        seat = self.seats[name]
        url = f"http://127.0.0.1:{seat.control}/control/{path}"
        try:
            answer = await self._control.post(url, content=json.dumps(told or {}).encode())
        except httpx.HTTPError as trouble:
            double = self.doubles[name]
            await asyncio.sleep(0.2)  # one that has just ended has its status in a moment
            state = "does not answer" if double.alive else f"has ended with {double.status}"
            raise Trouble(
                f"the double of {name} {state} ({type(trouble).__name__})\n{double.tail()}"
            ) from None
        answer.raise_for_status()
        return answer.json()

    async def _answers(self, name: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                await self.control(name, "state")
            except Trouble:
                if time.monotonic() > deadline or not self.doubles[name].alive:
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    async def rest(self) -> None:
        """Wait until nothing moves any more; raises `Trouble` after twenty seconds.

        At rest nothing is due or being sent, the doubles have nothing left to fetch, and that has
        been so for a moment.  With the broker stopped, things are at rest when nothing changes.
        """
        deadline = time.monotonic() + REST_SECONDS
        stable_since: float | None = None
        last: Any = None
        while time.monotonic() < deadline:
            seen = await self._movement()
            now = time.monotonic()
            quiet = seen["quiet"] or self.paused
            if not quiet or seen != last:
                stable_since = now if quiet else None
            elif stable_since is not None:
                states = seen["states"]
                waiting = self.paused or states.get("pending", 0) or states.get("handed_over", 0)
                needed = WAITING_SECONDS if waiting else STABLE_SECONDS
                if now - stable_since >= needed:
                    return
            last = seen
            await asyncio.sleep(0.03)
        raise Trouble(f"nothing comes to rest within {REST_SECONDS:.0f} seconds: {last}")

    async def _movement(self) -> dict[str, Any]:
        summary: dict[str, Any] = {}
        if self.hub is not None and self.hub.alive:
            summary = await self.operator("GET", "/admin/summary")
        settled = await asyncio.gather(*(self.control(name, "settle") for name in self.doubles))
        states = summary.get("states") or summary.get("deliveries") or {}
        return {
            "states": states,
            "due": summary.get("due", 0),
            "doubles": [one["count"] for one in settled],
            "quiet": not summary.get("due", 0)
            and not summary.get("busy", 0)
            and not states.get("sending", 0)
            and all(not one["busy"] and not one["fetched"] for one in settled),
        }
