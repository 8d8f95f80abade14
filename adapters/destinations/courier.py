"""The courier: acknowledgements carried to FHIR senders that do not wait for them.

The address is one of the partner's profile; the door has compared it to the letter, so nothing in
a message decides where the hub connects, and where the name leads is judged (`reliability.md`
5.14).  A message whose answer never
arrives is sent again by its sender and gets the stored one: so an answer that cannot be carried
after three attempts, or when the hub stops, is let go.
"""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

from adapters.outward import Outward, Reach, Resolve, resolved
from adapters.trust import trusted
from hub.domain.partner import Partner
from hub.errors import Rejected

log = logging.getLogger("hub.courier")

CONTENT_TYPE: Final = "application/fhir+json"
WAITS: Final = (0.0, 5.0, 30.0)
MOST: Final = 256
"""Answers on their way at once; what comes beyond is let go."""
_SECONDS: Final = 10.0


class Courier:
    """Carries answers until `close`."""

    def __init__(
        self,
        *,
        waits: Sequence[float] = WAITS,
        seconds: float = _SECONDS,
        resolve: Resolve = resolved,
    ) -> None:
        self._waits = waits
        self._resolve = resolve
        self._seconds = seconds
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def carry(self, partner: Partner, url: str, body: bytes) -> None:
        """Send *body* to *url* in the background; never blocks and never raises."""
        if len(self._under_way) >= MOST:
            log.warning("answer let go", extra={"code": "E_BUSY", "destination": partner.name})
            return
        task = asyncio.create_task(self._carry(partner, url, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Let go of what is under way."""
        for task in list(self._under_way):
            task.cancel()
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _carry(self, partner: Partner, url: str, body: bytes) -> None:
        try:
            context = self._context(partner.delivering.ca_file)
            for wait in self._waits:
                await asyncio.sleep(wait)
                if await self._post(context, partner.delivering.reach, url, body):
                    return
        except Rejected as error:
            log.warning(
                "answer let go", extra={"code": error.code.value, "destination": partner.name}
            )
            return
        except Exception as error:  # ours; the sender asks again
            log.exception("answer failed", extra={"error_class": type(error).__name__})
            return
        log.warning("answer let go", extra={"code": "E_UNAVAILABLE", "destination": partner.name})

    def _context(self, ca_file: Path | None) -> ssl.SSLContext:
        if ca_file not in self._contexts:
            self._contexts[ca_file] = trusted(ca_file)
        return self._contexts[ca_file]

    async def _post(self, context: ssl.SSLContext, reach: Reach, url: str, body: bytes) -> bool:
        """Return whether the other side took it; of its answer nothing but the status is read.

        Raises `Rejected` where the address leads to what the hub must not reach.
        """
        way = Outward(url, context, httpx.Limits(), reach=reach, resolve=self._resolve)
        with suppress(httpx.HTTPError, TimeoutError):
            async with (
                asyncio.timeout(self._seconds),
                httpx.AsyncClient(
                    transport=way, trust_env=False, follow_redirects=False, timeout=self._seconds
                ) as client,
                client.stream(
                    "POST", url, content=body, headers={"content-type": CONTENT_TYPE}
                ) as answer,
            ):
                return answer.is_success
        return False
