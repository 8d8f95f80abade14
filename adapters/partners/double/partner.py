"""One partner system: receives, checks, fetches, acknowledges; and misbehaves on order."""

import asyncio
import base64
import contextlib
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from adapters.partners.double import fhir
from adapters.partners.double.caller import Caller
from adapters.partners.double.http import Answer, Listener, Request
from adapters.partners.double.mailbox import Mailbox
from adapters.partners.double.sight import look
from adapters.partners.double.signature import fault

THIN = "application/cloudevents+json"
POLL_SECONDS = 0.2
RETRY_SECONDS = 0.1
TRIES = 50


class Hook(Protocol):
    """Where the hub comes to: it can be switched off and on."""

    async def open(self) -> None:
        """Start to listen."""
        ...

    async def close(self) -> None:
        """Stop to listen."""
        ...


class Post(Protocol):
    """A way of its own to the hub, besides its HTTP door."""

    async def submit(self, content: bytes, content_type: str, key: str) -> httpx.Response:
        """Send one message and return what the hub answered."""
        ...

    async def uncollected(self) -> int:
        """Return how much is still on its way, either way."""
        ...


@dataclass(slots=True)
class Manners:
    """How the partner behaves: *mode* is up, down, slow, status or drop; *mute* never acknowledges.

    *times* limits a bad mood to that many requests (-1: until told otherwise).
    """

    mode: str = "up"
    status: int = 500
    seconds: float = 2.0
    times: int = -1
    mute: bool = False


class Double:
    """Plays one partner; everything it receives ends in its mailbox."""

    def __init__(
        self, profile: Mapping[str, Any], caller: Caller, mailbox: Mailbox, secret: bytes | None
    ) -> None:
        self.name: str = profile["partner"]
        self._profile = profile
        self._deliver: Mapping[str, Any] = profile.get("deliver", {})
        self._caller = caller
        self._mailbox = mailbox
        self._secret = secret
        self.manners = Manners()
        self._busy = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._owed: dict[str, str] = {}
        self._tries: dict[str, int] = {}
        self._polling = asyncio.Lock()
        self._after = 0
        self.hook: Hook | None = None
        self.switch: Callable[[bool], Any] | None = None
        self.post: Post | None = None

    @property
    def pulls(self) -> bool:
        """Whether it asks the hub for its inbox instead of being called."""
        return self._deliver.get("channel") == "pull"

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Count as busy for the time of the block."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    def fault(self, says: str) -> None:
        """Note something that is wrong with what the hub sent."""
        self._mailbox.faults.append(says)

    def owes(self, delivery_id: str) -> bool:
        """Whether it still has to fetch what this event announced."""
        return delivery_id in self._owed

    # What the hub does to us -----------------------------------------------------------------

    async def on_hook(self, request: Request) -> Answer:
        """Receive one webhook: check the signature on the raw bytes, keep, answer 204."""
        with self.working():
            mode = self.mood()
            if mode == "slow":
                await asyncio.sleep(self.manners.seconds)
            if mode == "status":
                return Answer(status=self.manners.status)
            if self._deliver.get("channel") == "fhir":
                return await self._on_message(request, mode)
            if self._secret is not None:
                wrong = fault(self._secret, request.headers, request.body, time.time())
                if wrong:
                    self.fault(wrong)
                    return Answer(status=401)
            await self.take(request.body, request.headers, via="webhook")
            return Answer(cut=True) if mode == "drop" else Answer()

    async def _on_message(self, request: Request, mode: str) -> Answer:
        """Receive one FHIR message: check the token, keep, acknowledge."""
        if self._secret is not None:
            token = f"Bearer {self._secret.decode()}"
            if request.headers.get("authorization") != token:
                self.fault("a message without its token")
                return Answer(status=401)
        about = fhir.message_id(request.body)
        if about is None:
            self.fault("no FHIR message")
            return fhir.refusal("send a message Bundle with ids")
        await self.take(request.body, {**request.headers, "message-id": about}, via="fhir")
        if mode == "drop":
            return Answer(cut=True)
        return fhir.acknowledgement(about, "ok", about)

    def mood(self) -> str:
        """Return how to treat what has just come; one of a limited number is used up."""
        if self.manners.mode in ("up", "down") or self.manners.times == 0:
            return "up"
        self.manners.times -= 1
        return self.manners.mode

    async def take(self, body: bytes, headers: Mapping[str, str], *, via: str) -> None:
        """Take a body pushed by webhook or queue: a whole message, or a note to fetch one."""
        delivery_id = headers.get("webhook-id") or headers.get("message-id") or "no-id"
        if headers.get("content-type", "").startswith(THIN):
            if delivery_id not in self._owed and not self._mailbox.seen(delivery_id):
                self._mailbox.keep("event", body, {**headers, "ecaf-double-via": via})
                told = json.loads(body)
                self._owed[delivery_id] = told.get("dataref", f"/deliveries/{delivery_id}")
            if via == "queue":  # what is not fetched now stays in the queue
                await self.fetch_owed()
            else:
                asyncio.get_running_loop().call_soon(self._fetch_soon)
            return
        new = self._mailbox.take(delivery_id, body, headers, via=via)
        kind = self._mailbox.received[-1].message_type if new else ""
        if not self.manners.mute and (via == "queue" or kind == "N10"):
            self._owed_acknowledgement(delivery_id, kind)

    def kept(self, body: bytes, headers: Mapping[str, str], *, via: str) -> str:
        """Keep a whole message and return its message type, also where it came before."""
        delivery_id = headers["message-id"]
        self._mailbox.take(delivery_id, body, headers, via=via)
        return self._mailbox.kind(delivery_id)

    # What we do at the hub -------------------------------------------------------------------

    def _fetch_soon(self) -> None:
        self._later(self.fetch_owed())

    def _owed_acknowledgement(self, delivery_id: str, kind: str) -> None:
        self._later(self._acknowledge(delivery_id, kind))

    def _later(self, work: Any) -> None:
        self._busy += 1

        async def run() -> None:
            try:
                await work
            except httpx.HTTPError as trouble:
                self.fault(f"call to the hub failed: {type(trouble).__name__}")
            finally:
                self._busy -= 1

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def fetch_owed(self) -> None:
        """Fetch what thin events announced and acknowledge it; what the hub refuses is given up."""
        async with self._polling:
            for delivery_id, address in tuple(self._owed.items()):
                if await self._fetch(delivery_id, address, None):
                    self._owed.pop(delivery_id, None)
        if self._owed and self.manners.mode != "down":
            await asyncio.sleep(RETRY_SECONDS)
            self._fetch_soon()

    async def _fetch(self, delivery_id: str, address: str, message_type: str | None) -> bool:
        """Fetch one delivery; return ``False`` only if it is worth trying again."""
        if self._mailbox.seen(delivery_id):
            await self._acknowledge(delivery_id, message_type or "")
            return True
        answer = await self._caller.call("GET", address)
        if answer.status_code >= 500 or answer.status_code == 429:
            return False
        headers = dict(answer.headers)
        if answer.status_code == 404 and self._patient(delivery_id):
            return False
        if answer.status_code != 200:
            self._mailbox.keep("fetch-refused", answer.content, headers)
            return True
        self._mailbox.take(
            delivery_id, answer.content, headers, via="fetch", message_type=message_type
        )
        if not self.manners.mute:
            await self._acknowledge(delivery_id, self._mailbox.received[-1].message_type)
        return True

    def _patient(self, delivery_id: str) -> bool:
        """Tell whether to ask again: an event may outrun what it announces by a moment."""
        self._tries[delivery_id] = self._tries.get(delivery_id, 0) + 1
        return self._tries[delivery_id] < TRIES

    async def _acknowledge(self, delivery_id: str, kind: str) -> None:
        code = "COPIES_LOCKED" if kind == "N10" else "APPLIED"
        for _ in range(TRIES):
            answer = await self._caller.call(
                "POST",
                f"/deliveries/{delivery_id}/ack",
                content=json.dumps({"code": code}).encode(),
                headers={
                    "content-type": "application/json",
                    "idempotency-key": f"ack-{delivery_id}",
                },
            )
            if answer.status_code < 300:
                return
            await asyncio.sleep(RETRY_SECONDS)
        self._mailbox.keep("ack-refused", answer.content, dict(answer.headers))

    async def poll(self) -> int:
        """Ask for the inbox once, fetch and acknowledge what waits; return how many came."""
        if self.manners.mode == "down":
            return 0
        async with self._polling:
            answer = await self._caller.call("GET", f"/inbox?after={self._after}&limit=100")
            if answer.status_code != 200:
                return 0
            listed = answer.json().get("deliveries", [])
            fetched = 0
            for one in listed:
                if self.manners.mute and self._mailbox.seen(one["delivery_id"]):
                    continue
                if not fetched:
                    self._mailbox.keep("inbox", answer.content, dict(answer.headers))
                path = f"/deliveries/{one['delivery_id']}"
                await self._fetch(one["delivery_id"], path, one.get("message_type"))
                fetched += 1
            return fetched

    async def keep_polling(self) -> None:
        """Poll until cancelled; a hub that is away is asked again."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await self.poll()
            await asyncio.sleep(POLL_SECONDS)

    # The control door, for who plays the scenario --------------------------------------------

    async def on_control(self, request: Request) -> Answer:
        """Answer the one who plays the scenario: submit, behave, settle, state."""
        path = request.path.partition("?")[0]
        told = json.loads(request.body) if request.body else {}
        if path == "/control/submit":
            return _json(await self.submit(told))
        if path == "/control/behave":
            return _json(await self.behave(told))
        if path == "/control/settle":
            return _json(await self.settle())
        if path == "/control/state":
            after = int(request.path.partition("after=")[2] or 0)
            return _json({"partner": self.name, **self._mailbox.state(after)})
        return Answer(status=400, body=b'{"error": "no such control"}')

    async def submit(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call the hub as this partner and keep the answer as one more thing that it received."""
        content: bytes | None = None
        if "body_base64" in told:
            content = base64.b64decode(told["body_base64"])
        elif "body" in told:
            body = told["body"]
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = dict(told.get("headers", {}))
        for name, key in (("content-type", "content_type"), ("accept", "accept")):
            if told.get(key):
                headers[name] = told[key]
        if told.get("idempotency_key"):
            headers["idempotency-key"] = told["idempotency_key"]
        started = time.monotonic()
        try:
            answer = await self._sent(told, content, headers)
        except httpx.HTTPError as trouble:
            return {"status": 0, "headers": {}, "body": f"{type(trouble).__name__}: {trouble}"}
        kept = {**answer.headers, "ecaf-double-status": str(answer.status_code)}
        file = self._mailbox.keep("answer", answer.content, kept)
        status, body = answer.status_code, answer.text
        if told["path"] == fhir.PROCESS and status == 200:  # how it went is said inside
            status, said = fhir.heard(answer.content)
            body = json.dumps(said)
        return {
            "status": status,
            "headers": dict(answer.headers),
            "body": body,
            "length": len(answer.content),
            "sections": look(answer.content).sections if answer.status_code == 200 else {},
            "seconds": time.monotonic() - started,
            "file": str(file),
            "number": int(file.name.partition("-")[0]),
        }

    async def _sent(
        self, told: Mapping[str, Any], content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Send by the way that this partner has for messages; everything else is asked by HTTP."""
        path, method = told["path"], told.get("method", "POST")
        if self.post is not None and path == "/messages" and content is not None:
            kind = headers.get("content-type", "")
            return await self.post.submit(content, kind, headers["idempotency-key"])
        return await self._caller.call(method, path, content=content, headers=headers)

    async def behave(self, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change manners; *down* really stops to listen, and *up* starts again."""
        mode = str(told.get("mode", self.manners.mode))
        if mode not in ("up", "down", "slow", "status", "drop"):
            return {"error": f"no such mode: {mode}"}
        self.manners = Manners(
            mode=mode,
            status=int(told.get("status", 500)),
            seconds=float(told.get("seconds", 2)),
            times=int(told.get("times", -1)),
            mute=bool(told.get("mute", self.manners.mute)),
        )
        if self.hook is not None:
            await (self.hook.close() if mode == "down" else self.hook.open())
        if self.switch is not None:
            await self.switch(mode != "down")
        return {"mode": mode, "mute": self.manners.mute}

    async def settle(self) -> Mapping[str, Any]:
        """Do now whatever would be done soon, and tell whether anything is left."""
        fetched = 0
        with contextlib.suppress(httpx.HTTPError):
            if self.pulls:
                fetched = await self.poll()
            elif self._owed and self.manners.mode != "down":
                await self.fetch_owed()
        owed = 0 if self.manners.mode == "down" else len(self._owed)
        if self.post is not None:
            owed += await self.post.uncollected()
        return {"busy": self._busy + owed, "fetched": fetched, "count": len(self._mailbox.received)}


def _json(value: Mapping[str, Any]) -> Answer:
    return Answer(status=200, body=json.dumps(value).encode())


def listener(address: str, handler: Any, certificate: tuple[Path, Path] | None = None) -> Listener:
    """Return a listener for ``host:port`` (with TLS if a certificate and its key are given)."""
    host, _, port = address.rpartition(":")
    return Listener(host, int(port), handler, shown(certificate))


def shown(certificate: tuple[Path, Path] | None) -> ssl.SSLContext | None:
    """Return TLS with a certificate and its key; ``None`` without one."""
    if certificate is None:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*map(str, certificate))
    return tls
