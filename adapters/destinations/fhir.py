"""FHIR out: message Bundles to one partner's ``$process-message``, and what it answers.

Source: FHIR R4 messaging, `standards.md` 3.6, `reliability.md` P9, 5.5 and 5.14.  The address comes
from the profile, never from a message, and where it leads is judged (`adapters.outward`).  The
client follows nothing, trusts no environment, and reads an answer to its end or not at all: only a
sound acknowledgement of this very message delivers.  MessageHeader.id and Bundle.id are the same on
every attempt.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import httpx

from adapters.destinations.breaker import Breaker
from adapters.destinations.fhir_answer import heard, unknown
from adapters.destinations.webhook import HANDED_OVER, seconds_of
from adapters.outward import Outward, Reach, Resolve, resolved
from adapters.trust import shown, trusted
from hub.domain.carriage import Outcome, Parcel
from hub.domain.partner import Delivering
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from hub.secrets import Secret, read_secret

CONTENT_TYPE: Final = "application/fhir+json"
_TRY_AGAIN: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class FhirLimits:
    """Seconds for a whole send, bytes of an answer, and sends at once (`reliability.md` 5.11)."""

    connect_seconds: float = 5.0
    total_seconds: float = 30.0
    answer_bytes: int = 256 * 1024
    at_once: int = 8


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    encoding: str
    retry_after: str | None
    body: bytes


class FhirDestination:
    """Carries parcels to one partner; keeps its connections until `close`."""

    def __init__(
        self,
        url: str,
        *,
        verify: ssl.SSLContext | None = None,
        token: Secret | None = None,
        limits: FhirLimits | None = None,
        breaker: Breaker | None = None,
        reach: Reach = "public",
        resolve: Resolve = resolved,
    ) -> None:
        self._url = url
        self._limits = limits or FhirLimits()
        self.breaker = breaker or Breaker()
        self._turns = asyncio.Semaphore(self._limits.at_once)
        headers = {
            "user-agent": "ecaf-hub",
            "accept": CONTENT_TYPE,
            # What is not packed cannot unpack into anything.
            "accept-encoding": "identity",
            "content-type": CONTENT_TYPE,
        }
        if token is not None:
            headers["authorization"] = f"Bearer {token.reveal()}"
        self._client = httpx.AsyncClient(
            transport=Outward(
                url,
                trusted(None) if verify is None else verify,
                httpx.Limits(
                    max_connections=self._limits.at_once,
                    max_keepalive_connections=self._limits.at_once,
                ),
                reach=reach,
                resolve=resolve,
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._limits.total_seconds, connect=self._limits.connect_seconds),
            headers=headers,
        )

    @classmethod
    def to(cls, delivering: Delivering, limits: FhirLimits | None = None) -> "FhirDestination":
        """Return the destination that a profile describes; raises `Misconfigured` for certificates
        or a token that are none.
        """
        context = trusted(delivering.ca_file)
        if delivering.cert_file is not None and delivering.key_file is not None:
            shown(context, delivering.cert_file, delivering.key_file)
        token = None
        if delivering.secret_file is not None:
            token = read_secret(delivering.secret_file)
            if not token.reveal().isascii() or not token.reveal().isprintable():
                raise Misconfigured(
                    Code.CONFIGURATION, f"{delivering.secret_file} holds no bearer token"
                )
        return cls(
            delivering.url or "",
            verify=context,
            token=token,
            limits=limits,
            reach=delivering.reach,
        )

    async def send(self, parcel: Parcel) -> Outcome:
        """POST one message; delivered when its acknowledgement says ok, handed over on 202."""
        message_id = _message_id(parcel)
        headers = {"ecaf-message-type": parcel.message_type}
        if parcel.possible_duplicate:
            headers["ecaf-possible-duplicate"] = "true"
        async with self._turns, self.breaker.guard():
            answer = await self._post(parcel.body, headers)
            code = _judge(answer, message_id)
        delivered = code == "ok" and parcel.message_type not in HANDED_OVER
        return Outcome(delivered, {"status": answer.status, "ack": code})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _post(self, body: bytes, headers: dict[str, str]) -> _Answer:
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                request = self._client.build_request(
                    "POST", self._url, content=body, headers=headers
                )
                response = await self._client.send(request, stream=True)
                try:
                    return await self._read(response)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Unavailable(Code.UNAVAILABLE, "no connection to the destination") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError):
            # The request may have arrived: the same ids come again.
            raise unknown("the destination did not answer") from None

    async def _read(self, response: httpx.Response) -> _Answer:
        parts: list[bytes] = []
        left = self._limits.answer_bytes
        async for chunk in response.aiter_raw():
            left -= len(chunk)
            if left < 0:
                if response.status_code == HTTPStatus.OK:
                    raise unknown("the answer is longer than any acknowledgement")
                break  # the status has said it all
            parts.append(chunk)
        return _Answer(
            response.status_code,
            response.headers.get("content-type", ""),
            response.headers.get("content-encoding", "identity"),
            response.headers.get("retry-after"),
            b"".join(parts),
        )


def _message_id(parcel: Parcel) -> str:
    """Return the MessageHeader.id under which the parcel will be acknowledged; `Rejected` for what
    is no message.
    """
    if parcel.thin or parcel.content_type != CONTENT_TYPE:
        raise Rejected(Code.CONTENT_TYPE, "whole FHIR messages go there, and nothing else")
    try:
        found = json.loads(parcel.body)["entry"][0]["resource"]["id"]
    except (ValueError, LookupError, TypeError):
        found = None
    if not isinstance(found, str) or not found:
        raise Rejected(Code.MAPPING, "a message without an id could not be acknowledged")
    return found


def _judge(answer: _Answer, message_id: str) -> str:
    """Return ``ok``, or ``accepted`` where the acknowledgement comes later; raise what anything
    else means (`reliability.md` 5.5).
    """
    status = answer.status
    if status == HTTPStatus.ACCEPTED:
        return "accepted"
    if status in _TRY_AGAIN or status >= 500:
        error = Unavailable(Code.UNAVAILABLE, f"the destination answered {status}")
        error.retry_after = seconds_of(answer.retry_after, datetime.now(UTC))
        raise error
    if 300 <= status < 400:
        raise Rejected(Code.FORBIDDEN, f"the destination redirects ({status}): not followed")
    if status >= 400:
        raise Rejected(Code.FORBIDDEN, f"the destination refused it ({status})")
    if status != HTTPStatus.OK:
        raise unknown(f"the destination answered {status}, and no acknowledgement")
    if answer.encoding.lower() != "identity":
        raise unknown("the answer is packed")
    code = heard(answer.content_type, answer.body, message_id)
    if code == "transient-error":
        error = Unavailable(Code.UNAVAILABLE, "the receiver cannot take it now")
        error.retry_after = seconds_of(answer.retry_after, datetime.now(UTC))
        raise error
    if code == "fatal-error":
        raise Rejected(Code.FORBIDDEN, "the receiver refused it (fatal-error)")
    return code
