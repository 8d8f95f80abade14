"""The two ways by which history comes in: a running hub's HTTP door, and a site that is at rest."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self
from urllib.parse import urlsplit

import httpx

from hub.bootstrap import compose
from hub.domain.messages import CONTENT_TYPE
from hub.domain.partner import Partner
from hub.errors import Code, Fault, HubError, Misconfigured, Missing, Unavailable
from hub.hub import Hub
from hub.secrets import Secret
from hub.settings import Settings, is_loopback

TRIES: Final = 5
LONGEST_WAIT: Final = 30.0
SECONDS: Final = 30.0
REST_SECONDS: Final = 10.0
"""How long a site at rest may take to tell the child index before it is left to the next start."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub said: *done*, *later* (it did not answer), or a code with its faults."""

    done: bool
    later: bool = False
    code: Code | None = None
    detail: str = ""
    faults: tuple[Fault, ...] = ()


class Door(Protocol):
    """Where decisions and episodes are handed in."""

    async def decisions(self, episode_id: str) -> set[str] | None:
        """Return the ids of the decisions that the hub has; ``None`` if it does not answer."""
        ...

    async def decide(self, episode_id: str, raw: bytes, key: str) -> Answer:
        """Hand in one decision."""
        ...

    async def submit(self, raw: bytes, key: str) -> Answer:
        """Hand in one message."""
        ...


class HttpDoor:
    """A running hub's door, tried again while it does not answer."""

    def __init__(self, url: str, key: Secret, ca_file: Path | None = None) -> None:
        """Keep where and with what key; raises `Misconfigured` for an address that is not safe."""
        parts = urlsplit(url)
        plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if parts.scheme != "https" and not plain:
            raise Misconfigured(
                Code.CONFIGURATION,
                "the hub's address is not safe",
                [Fault(Code.CONFIGURATION, "--to", "https://, or http:// to this machine")],
            )
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"authorization": f"Bearer {key.reveal()}"},
            timeout=SECONDS,
            trust_env=False,
            verify=str(ca_file) if ca_file is not None else True,
        )

    async def __aenter__(self) -> Self:
        """Ask who is there; raises `HubError` if nobody is, or the key is not known."""
        found = await self._tried(lambda: self._client.get("/directory"))
        if found is None or found.status_code != 200:
            await self._client.aclose()
            if found is None:
                raise Unavailable(Code.UNAVAILABLE, "no hub answers at this address")
            raise HubError(Code.UNAUTHENTICATED, "the hub does not know this key")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def decisions(self, episode_id: str) -> set[str] | None:
        """Return the ids of the decisions that the hub has; ``None`` if it does not answer."""
        found = await self._tried(lambda: self._client.get(f"/episodes/{episode_id}/consents"))
        if found is None:
            return None
        if found.status_code == 200:
            return {one["consent_decision_id"] for one in found.json()["decisions"]}
        return set()

    async def decide(self, episode_id: str, raw: bytes, key: str) -> Answer:
        """Hand in one decision."""
        return await self._post(f"/episodes/{episode_id}/consents", raw, key, "application/json")

    async def submit(self, raw: bytes, key: str) -> Answer:
        """Hand in one message."""
        return await self._post("/messages", raw, key, CONTENT_TYPE)

    async def _post(self, path: str, raw: bytes, key: str, kind: str) -> Answer:
        headers = {"content-type": kind, "idempotency-key": key}
        found = await self._tried(lambda: self._client.post(path, content=raw, headers=headers))
        if found is None:
            return Answer(done=False, later=True)
        if found.is_success:
            return Answer(done=True)
        return _problem(found.json())

    async def _tried(self, call: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response | None:
        """Return the answer, after as many tries as it takes; ``None`` if there is none."""
        for attempt in range(1, TRIES + 1):
            wait = 0.2 * 2**attempt
            try:
                found = await call()
            except httpx.TransportError:
                pass
            else:
                if found.status_code not in (408, 429, 503):
                    return found
                asked = found.headers.get("retry-after", "")
                wait = float(asked) if asked.isdigit() else wait
            if attempt < TRIES:
                await asyncio.sleep(min(wait, LONGEST_WAIT))
        return None


def _problem(body: Mapping[str, Any]) -> Answer:
    known = {code.value: code for code in Code}
    return Answer(
        done=False,
        code=known.get(str(body.get("code")), Code.INTERNAL),
        detail=str(body.get("detail", "")),
        faults=tuple(
            Fault(
                known.get(str(one.get("code")), Code.INTERNAL),
                str(one.get("path", "")),
                str(one.get("remedy", "")),
                one.get("code_list"),
            )
            for one in body.get("errors", ())
        ),
    )


class SiteDoor:
    """A site whose hub is not running: the same use cases, composed for the time of the import."""

    def __init__(self, environ: Mapping[str, str], partner: str) -> None:
        """Keep which site and whose history it is."""
        self._environ = environ
        self._name = partner
        self._stack = AsyncExitStack()
        self._hub: Hub | None = None

    async def __aenter__(self) -> Self:
        """Compose the hub; raises `Misconfigured` where the site or the partner is wrong."""
        settings = Settings.from_environ(self._environ)
        self._hub = await self._stack.enter_async_context(compose(settings))
        if self._name not in self._hub.registry.partners:
            await self._stack.aclose()
            known = ", ".join(sorted(self._hub.registry.partners))
            raise Misconfigured(
                Code.CONFIGURATION,
                "the site has no such partner",
                [Fault(Code.CONFIGURATION, "--partner", f"one of {known}")],
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Wait a little for what is to be told, then stop."""
        if error is None:
            await self._rest()
        await self._stack.aclose()

    async def decisions(self, episode_id: str) -> set[str] | None:
        """Return the ids of the decisions that the hub has; ``None`` if its store is away."""
        hub, partner = self._both()
        try:
            found = await hub.consents(partner, episode_id)
        except Missing:
            return set()
        except Unavailable:
            return None
        return {str(one["consent_decision_id"]) for one in found["decisions"]}

    async def decide(self, episode_id: str, raw: bytes, key: str) -> Answer:
        """Hand in one decision."""
        hub, partner = self._both()
        return await _answered(hub.record_consent(partner, episode_id, raw, key))

    async def submit(self, raw: bytes, key: str) -> Answer:
        """Hand in one message."""
        hub, partner = self._both()
        return await _answered(hub.receive(partner, CONTENT_TYPE, raw, key))

    def _both(self) -> tuple[Hub, Partner]:
        if self._hub is None:
            msg = "the site is not open"
            raise RuntimeError(msg)
        return self._hub, self._hub.registry.partners[self._name]

    async def _rest(self) -> None:
        hub, _partner = self._both()
        for _ in range(int(REST_SECONDS * 10)):
            told = await hub.summary()
            if not told["busy"] and not told["due"]:
                return
            await asyncio.sleep(0.1)


async def _answered(call: Awaitable[object]) -> Answer:
    try:
        await call
    except Unavailable:
        return Answer(done=False, later=True)
    except HubError as error:
        return Answer(done=False, code=error.code, detail=error.detail, faults=tuple(error.faults))
    return Answer(done=True)
