"""Webhooks: signed POSTs to one partner's address, and what its answer means.

Source: `reliability.md` 5.5 (classes of answers), 5.14 (client); Standard Webhooks for the
signature. Addresses come from profiles, never from messages.  The client follows nothing, trusts no
environment, and reads no more of an answer than it must.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import httpx
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from adapters.destinations import thin
from adapters.destinations.breaker import Breaker
from adapters.outward import Outward, Reach, Resolve, resolved
from adapters.trust import trusted
from hub.domain.carriage import Outcome, Parcel
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from hub.secrets import Secret
from hub.settings import is_loopback

# Delivered only when the receiver says what it did with its copies (domain.md 1.5, N10).
HANDED_OVER: Final = frozenset({"N10"})
GONE_SECONDS: Final = 3600.0
"""How long nothing is sent to an address that answered 410; then one delivery asks again."""
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_LONGEST_WAIT: Final = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """Seconds, bytes, and sends at once; `reliability.md` 5.11 and 5.14."""

    connect_seconds: float = 5.0
    total_seconds: float = 30.0
    reply_seconds: float = 2.0
    reply_bytes: int = 64 * 1024
    at_once: int = 8


class WebhookDestination:
    """Carries parcels to one partner over HTTPS; keeps its connections until `close`."""

    def __init__(
        self,
        url: str,
        secret: Secret,
        *,
        public_url: str,
        ca_file: Path | None = None,
        limits: WebhookLimits | None = None,
        breaker: Breaker | None = None,
        next_secret: Secret | None = None,
        reach: Reach = "public",
        resolve: Resolve = resolved,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = _parsed(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.host)):
            raise Misconfigured(Code.CONFIGURATION, "a webhook must be https unless on loopback")
        self._url = url
        self._public_url = public_url
        self._now = now
        self._limits = limits or WebhookLimits()
        self.breaker = breaker or Breaker()
        self._turns = asyncio.Semaphore(self._limits.at_once)
        # While a secret is replaced, both sign: the receiver takes the one that it has.
        self._signers = [_signer(one) for one in (secret, next_secret) if one is not None]
        self._monotonic, self._gone_until = monotonic, 0.0
        at_once = self._limits.at_once
        self._client = httpx.AsyncClient(
            transport=Outward(
                url,
                trusted(ca_file),
                httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once),
                reach=reach,
                resolve=resolve,
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._limits.total_seconds, connect=self._limits.connect_seconds),
            headers={"user-agent": "ecaf-hub"},
        )

    async def send(self, parcel: Parcel) -> Outcome:
        """POST one parcel; delivered on 2xx, except for what the receiver has still to fetch or
        do.
        """
        body = thin.notice(parcel, self._public_url) if parcel.thin else parcel.body
        kind = thin.CONTENT_TYPE if parcel.thin else parcel.content_type
        async with self._turns, self.breaker.guard():
            self._refuse_gone()
            status = await self._post(body, self._headers(parcel, kind, body))
            if status.code == httpx.codes.GONE:
                self._gone_until = self._monotonic() + GONE_SECONDS
            _judge(status)
        delivered = not parcel.thin and parcel.message_type not in HANDED_OVER
        return Outcome(delivered=delivered, evidence={"status": status.code})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _refuse_gone(self) -> None:
        """Raise `Unavailable` while the address is disabled: what waits is not asked after."""
        left = self._gone_until - self._monotonic()
        if left > 0:
            error = Unavailable(Code.UNAVAILABLE, "the destination said that it is gone (410)")
            error.retry_after = left
            raise error

    def _headers(self, parcel: Parcel, kind: str, body: bytes) -> dict[str, str]:
        now = self._now()
        try:
            text = body.decode()
            marks = [str(one.sign(parcel.delivery_id, now, text)) for one in self._signers]
        except UnicodeDecodeError:
            raise Rejected(Code.ENCODING, "a webhook carries UTF-8 bodies only") from None
        headers = {
            "content-type": kind,
            "webhook-id": parcel.delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(marks),
            "ecaf-message-type": parcel.message_type,
            "ecaf-sequence": str(parcel.lane_sequence),
        }
        if parcel.possible_duplicate:
            headers["ecaf-possible-duplicate"] = "true"
        return headers

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> "_Status":
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                request = self._client.build_request(
                    "POST", self._url, content=body, headers=headers
                )
                response = await self._client.send(request, stream=True)
                try:
                    await self._drain(response)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise Unavailable(Code.UNAVAILABLE, "no connection to the destination") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError):
            # The request may have arrived: the next attempt says that it may be a double.
            raise Unavailable(Code.OUTCOME_UNKNOWN, "the destination did not answer") from None
        return _Status(response.status_code, response.headers.get("retry-after"))

    async def _drain(self, response: httpx.Response) -> None:
        """Read a short answer to its end, so that the connection can be used again; drop a long
        one.

        The status has come already, and nothing else of the answer counts.
        """
        read = 0
        try:
            async with asyncio.timeout(self._limits.reply_seconds):
                async for chunk in response.aiter_raw():
                    read += len(chunk)
                    if read > self._limits.reply_bytes:
                        return
        except (httpx.HTTPError, TimeoutError):
            return


@dataclass(frozen=True, slots=True)
class _Status:
    code: int
    retry_after: str | None


def _judge(status: _Status) -> None:
    """Raise what an answer other than 2xx means; `reliability.md` 5.5."""
    if 200 <= status.code < 300:
        return
    if status.code in _TRY_AGAIN or status.code >= 500:
        error = Unavailable(Code.UNAVAILABLE, f"the destination answered {status.code}")
        error.retry_after = seconds_of(status.retry_after, datetime.now(UTC))
        raise error
    if status.code == 410:
        raise Rejected(Code.GONE, "the destination is gone (410): disabled")
    if 300 <= status.code < 400:
        raise Rejected(Code.FORBIDDEN, f"the destination redirects ({status.code}): not followed")
    raise Rejected(Code.FORBIDDEN, f"the destination refused it ({status.code})")


def seconds_of(header: str | None, now: datetime) -> float | None:
    """Return the seconds of a ``Retry-After`` (a number or a date), at most six hours.

    >>> seconds_of("120", datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> seconds_of("Thu, 01 Jan 2026 00:01:00 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    60.0
    >>> seconds_of("soon", datetime(2026, 1, 1, tzinfo=UTC)) is None
    True
    """
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_WAIT)


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        raise Misconfigured(Code.CONFIGURATION, "a webhook's address must be a URL") from None


def _signer(secret: Secret) -> Webhook:
    try:
        return Webhook(secret.reveal())
    except (ValueError, RuntimeError, EmptyWebhookSecretError):
        remedy = "a webhook secret is whsec_ and base64 (`ecaf keys init` makes one)"
        raise Misconfigured(Code.CONFIGURATION, remedy) from None
