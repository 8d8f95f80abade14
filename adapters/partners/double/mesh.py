"""A mailbox of the partner's own at NHS MESH, by NHS England's client.

Reads what the hub sends, acknowledges it to MESH, and says in FHIR what it did with it; sends
messages of its own, and waits for the hub's answer to each.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpx
import requests
from mesh_client import MeshClient

from adapters.partners.double.fhir import CONTENT_TYPE, answer_to
from adapters.partners.double.partner import Double

T = TypeVar("T")

WORKFLOWS = {"acknowledgement": "CAF_ACK", "message": "CAF_MESSAGE", "answer": "CAF_ANSWER"}
POLL_SECONDS = 0.3
ANSWER_SECONDS = 50.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it was read."""

    message_id: str
    headers: Mapping[str, Any]
    body: bytes


class OwnMailbox:
    """Looks into the mailbox while it is switched on; *told* is the part ``mesh`` of the partner's
    credentials: url, mailbox, password, shared_key, and the hub's mailbox.
    """

    def __init__(self, told: Mapping[str, str], double: Double) -> None:
        self._hub, self._double = told["hub"], double
        self._client = MeshClient(
            told["url"],
            told["mailbox"],
            told["password"],
            shared_key=told["shared_key"].encode(),
            max_retries=0,
            timeout=10,
            application_name="ecaf-partner-double",
        )
        self._client._session.trust_env = False  # noqa: SLF001 - a proxy is no way to loopback
        self._turn = asyncio.Lock()  # a client counts its nonces, one call at a time
        self._on = True
        self._answers: dict[str, asyncio.Future[Letter]] = {}
        self._sent: set[str] = set()

    async def keep_reading(self) -> None:
        """Look until cancelled; a MESH that is away is asked again."""
        while True:
            if self._on:
                try:
                    for letter in await self._with(self._look):
                        with self._double.working():
                            await self._take(letter)
                except (requests.RequestException, OSError):
                    pass  # MESH keeps what waits
            await asyncio.sleep(POLL_SECONDS)

    async def switch(self, on: bool) -> None:  # noqa: FBT001 - a switch is on or off
        """Start or stop to look."""
        self._on = on

    async def uncollected(self) -> int:
        """Return how many of its own messages wait for the hub, and how many for itself; one, if
        MESH does not say.
        """
        if not self._on:
            return 0
        try:
            return await self._counted()
        except requests.RequestException:
            return 1

    async def _counted(self) -> int:
        for message_id in tuple(self._sent):
            said = await self._with(partial(_track, message_id))
            if str(said.get("status", "")).lower() == "acknowledged":
                self._sent.discard(message_id)
        waiting = await self._with(lambda client: client.count_messages())
        return len(self._sent) + int(waiting)

    async def submit(self, content: bytes, content_type: str, key: str) -> httpx.Response:
        """Send a message and return what the hub answered, as its HTTP door would have."""
        answer = self._answers[key] = asyncio.get_running_loop().create_future()
        try:
            await self._send(content, WORKFLOWS["message"], content_type, key)
            letter = await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            raise httpx.ReadTimeout("the hub did not answer through MESH") from None
        finally:
            del self._answers[key]
        told = json.loads(letter.body)
        status = 202 if told.get("status") == "accepted" else 422
        kept = {f"mesh-{name}": str(value) for name, value in letter.headers.items()}
        return httpx.Response(status, content=letter.body, headers=kept)

    async def _take(self, letter: Letter) -> None:
        if letter.headers.get("workflowid") == WORKFLOWS["answer"]:
            about = str(json.loads(letter.body).get("message", ""))
            if waiting := self._answers.get(about):
                waiting.set_result(letter)
            await self._collected(letter)
            return
        delivery_id = str(letter.headers.get("localid"))
        headers = {f"mesh-{name}": str(value) for name, value in letter.headers.items()}
        headers |= {"content-type": CONTENT_TYPE, "message-id": delivery_id}
        kind = self._double.kept(letter.body, headers, via="mesh")
        await self._collected(letter)
        if not self._double.manners.mute:
            body = answer_to(delivery_id, kind)
            await self._send(body, WORKFLOWS["acknowledgement"], CONTENT_TYPE, f"ack-{delivery_id}")

    async def _collected(self, letter: Letter) -> None:
        await self._with(lambda client: client.acknowledge_message(letter.message_id))

    async def _send(self, body: bytes, workflow: str, content_type: str, local_id: str) -> None:
        def send(client: MeshClient) -> str:
            return client.send_message(
                self._hub,
                body,
                workflow_id=workflow,
                local_id=local_id,
                content_type=content_type,
                subject="eCAF",
            )

        self._sent.add(await self._with(send))

    async def _with(self, work: Callable[[MeshClient], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(work, self._client)

    @staticmethod
    def _look(client: MeshClient) -> list[Letter]:
        found = []
        for message_id in client.list_messages():
            message = client.retrieve_message(message_id)
            headers = dict(message.mex_headers())  # type: ignore[no-untyped-call]
            found.append(Letter(message_id, headers, message.read()))
        return found


def _track(message_id: str, client: MeshClient) -> Mapping[str, Any]:
    return dict(client.track_message(message_id))
