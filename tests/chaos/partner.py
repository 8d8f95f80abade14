"""Partner systems that write down what they get before they answer, on every channel.

Nothing here is the hub's: signatures are checked and messages read by the partner double's own code
or ours.  A receipt is on the disk before the hub hears of it, as with a careful receiver.
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping
from random import Random
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import httpx

from adapters.partners.double.http import Answer, Listener, Request
from adapters.partners.double.signature import fault, secret_bytes
from tests.chaos.canaries import WITHHELD
from tests.chaos.ledger import Ledger

MARK = re.compile(rb"Mark ([A-Za-z0-9-]+) v([0-9]+)\.")
"""What the load writes into a leaf that every recipient may see."""
RECALL = "N10"
KEPT_FROM = "HV-A"
"""Whom the family keeps a section from."""
THIN = "application/cloudevents+json"
AGAIN_SECONDS = 0.05
BROKER_ERRORS = (
    OSError,
    TimeoutError,
    aio_pika.exceptions.AMQPError,
    aio_pika.exceptions.ChannelInvalidStateError,
)


def mark(episode: str, version: int) -> str:
    """Return the text by which a receiver knows what it received."""
    return f"Mark {episode} v{version}."


class Left(aio_pika.Connection):
    """A connection that whoever uses it closes: one that was never made needs no closing, which
    aio-pika begins when the collector finds it, after hundreds of refusals and in whatever thread.
    """

    def __del__(self) -> None:
        """Leave it."""


class Partner:
    """One partner system; *url* is where it listens if it is called."""

    def __init__(self, name: str, ledger: Ledger, *, drops: float = 0.0, seed: int = 0) -> None:
        """Prepare; *drops* is the share of webhooks that are received and never answered."""
        self.name = name
        self._ledger = ledger
        self._drops = drops
        self._random = Random(f"{seed} {name}")
        self._secret = b""
        self._hub = ""
        self._client: httpx.AsyncClient | None = None
        self._listener: Listener | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._announced: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()
        self._recalled: asyncio.Queue[str] = asyncio.Queue()
        self.recalls: dict[str, int] = {}
        """Episodes that it will be told to let go of, and as of which version of their sender."""
        self.clear: list[str] = []
        """What it was sent outside of bodies: addresses, headers, routing keys; thin notices."""
        self.slowly = 0.0
        """Seconds until it answers who calls it, once it has written down what it got."""
        self.away = asyncio.Event()
        """Set: does not read its queue or its inbox."""

    def listen(self, url: str, secret: str) -> None:
        """Be called at *url*, with signatures by *secret*."""
        parts = urlsplit(url)
        self._secret = secret_bytes(secret)
        assert parts.hostname is not None
        assert parts.port is not None
        self._listener = Listener(parts.hostname, parts.port, self._on_hook, None)

    async def start(self, hub: str, key: str, *, queue: str | None, polls: bool) -> None:
        """Begin to receive; *queue* is the broker of its own queue, *polls* asks for the inbox."""
        self._hub = hub
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=20, headers={"authorization": f"Bearer {key}"}
        )
        if self._listener is not None:
            await self._listener.open()
            self._tasks.append(asyncio.create_task(self._fetch_announced()))
            self._tasks.append(asyncio.create_task(self._lock_recalled()))
        if queue is not None:
            self._tasks.append(asyncio.create_task(self._read_queue(queue)))
        if polls:
            self._tasks.append(asyncio.create_task(self._poll()))

    def check(self) -> None:
        """Raise what any of its tasks ended with: a partner that fell over proves nothing."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self) -> None:
        """End."""
        if self._listener is not None:
            await self._listener.close()
        pending = set(self._tasks)
        while pending:  # a cancellation that meets a time-out is lost (Python 3.11)
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=1.0)
        if self._client is not None:
            await self._client.aclose()

    def _receive(
        self, delivery: str, kind: str, body: bytes, via: str, signature: str | None
    ) -> None:
        episode, version = self._about(kind, body)
        self._ledger.note(
            "receipt",
            partner=self.name,
            delivery=delivery,
            type=kind,
            episode=episode,
            version=version,
            digest=hashlib.sha256(body).hexdigest(),
            via=via,
            signature=signature,
            overheard=self.name == KEPT_FROM and WITHHELD.encode() in body,
        )

    def _about(self, kind: str, body: bytes) -> tuple[str, int]:
        """Return which episode and which version of it *body* is about."""
        if kind == RECALL:  # says nothing of the content
            found = next((e for e in self.recalls if e.encode() in body), "no episode of ours")
            return found, self.recalls.get(found, 0)
        marks = {(e.decode(), int(v)) for e, v in MARK.findall(body)}
        return marks.pop() if len(marks) == 1 else (f"{len(marks)} marks", 0)

    # Called ----------------------------------------------------------------------------------

    async def _on_hook(self, request: Request) -> Answer:
        self.clear.append(f"{request.method} {request.path} {dict(request.headers)}")
        wrong = fault(self._secret, request.headers, request.body, time.time())
        delivery = request.headers.get("webhook-id", "")
        kind = request.headers.get("ecaf-message-type", "")
        if request.headers.get("content-type", "").startswith(THIN):
            self.clear.append(request.body.decode())
            told = json.loads(request.body)
            self._ledger.note("announced", partner=self.name, delivery=delivery, fault=wrong)
            self._announced.put_nowait((delivery, kind, urlsplit(told["dataref"]).path))
        else:
            self._receive(delivery, kind, request.body, "webhook", wrong)
            if kind == RECALL:
                self._recalled.put_nowait(delivery)
        await asyncio.sleep(self.slowly)
        # First attempts only: a second failure in a row would wait longer than a test should.
        first = "ecaf-possible-duplicate" not in request.headers
        return Answer(cut=first and self._random.random() < self._drops)

    async def _fetch_announced(self) -> None:
        while True:
            delivery, kind, path = await self._announced.get()
            await self._collect(delivery, kind, path)

    async def _lock_recalled(self) -> None:
        while True:
            await self._acknowledge(await self._recalled.get(), "COPIES_LOCKED")

    # Calling ---------------------------------------------------------------------------------

    async def _collect(self, delivery: str, kind: str, path: str) -> None:
        """Fetch one delivery, write it down, acknowledge it; as often as it takes."""
        answer = await self._call("GET", path)
        if answer.status_code == 200:
            self._receive(delivery, kind, answer.content, "fetch", None)
            await self._acknowledge(delivery)
        else:
            said = answer.json().get("detail")
            self._ledger.note(
                "unfetched",
                partner=self.name,
                delivery=delivery,
                status=answer.status_code,
                said=said,
            )

    async def _acknowledge(self, delivery: str, code: str = "APPLIED") -> None:
        answer = await self._call("POST", f"/deliveries/{delivery}/ack", {"code": code})
        self._ledger.note(
            "acknowledged", partner=self.name, delivery=delivery, status=answer.status_code
        )

    async def _call(
        self, method: str, path: str, told: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """Call the hub until it answers anything but that it is not well."""
        assert self._client is not None
        headers = {} if told is None else {"content-type": "application/json"}
        while True:
            try:
                answer = await self._client.request(
                    method,
                    self._hub + path,
                    content=None if told is None else json.dumps(told).encode(),
                    headers=headers,
                )
            except httpx.HTTPError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if answer.status_code < 500 and answer.status_code != 429:
                return answer
            await asyncio.sleep(AGAIN_SECONDS)

    async def _poll(self) -> None:
        while True:
            if not self.away.is_set():
                listed = (await self._call("GET", "/inbox?after=0&limit=100")).json()
                for one in listed["deliveries"]:
                    delivery = one["delivery_id"]
                    await self._collect(delivery, one["message_type"], f"/deliveries/{delivery}")
            await asyncio.sleep(AGAIN_SECONDS)

    # Its own queue ---------------------------------------------------------------------------

    async def _read_queue(self, url: str) -> None:
        while True:
            try:
                connection = await aio_pika.connect(url, timeout=5, connection_class=Left)
                async with connection:
                    channel = await connection.channel()
                    queue = await channel.get_queue(f"caf.out.{self.name}", ensure=True)
                    while True:
                        await self._take_one(queue)
            except BROKER_ERRORS:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _take_one(self, queue: aio_pika.abc.AbstractQueue) -> None:
        """Take one message, if there is one and we are there: write, acknowledge, then let go."""
        message = None if self.away.is_set() else await queue.get(fail=False, timeout=5)
        if message is None:
            await asyncio.sleep(AGAIN_SECONDS)
            return
        delivery = message.message_id or ""
        kind = str(message.headers.get("ecaf-message-type", ""))
        self.clear.append(str(message.info()))
        if (message.content_type or "").startswith(THIN):
            self.clear.append(message.body.decode())
            await self._collect(delivery, kind, urlsplit(json.loads(message.body)["dataref"]).path)
        else:
            self._receive(delivery, kind, message.body, "queue", None)
            await self._acknowledge(delivery)
        await message.ack()
