"""Places for large messages at the MLLP door: few in all, and of these no sender has more than its
share, so that one whose messages stay half sent keeps none of the others waiting.
"""

import asyncio

from adapters.doors.mllp_senders import Peer, Senders
from adapters.mllp.header import read_header
from hub.errors import HubError


class LargePlaces:
    """*most* in all, *share* for one sender; who finds none waits for it, unread."""

    def __init__(self, most: int, share: int) -> None:
        self.taken = 0
        self._all, self._share = asyncio.Semaphore(most), share
        self._own: dict[str, asyncio.Semaphore] = {}

    async def take(self, sender: str) -> str:
        """Return *sender* when there is a place for it, to be given back by `give`."""
        own = self._own.setdefault(sender, asyncio.Semaphore(self._share))
        # One's own first: who has used up its share holds no place of all while it waits.
        await own.acquire()
        try:
            await self._all.acquire()
        except BaseException:
            own.release()
            raise
        self.taken += 1
        return sender

    def give(self, sender: str) -> None:
        """Give back a place of *sender*'s."""
        self.taken -= 1
        self._all.release()
        self._own[sender].release()


def sender_of(senders: Senders, peer: Peer, begun: bytes) -> str:
    """Return who sends the message that begins with *begun*: the partner, or, where that will be
    refused, the certificate alone.
    """
    try:
        return senders.who(peer, read_header(begun)).partner.name
    except HubError:
        return f"certificate {peer.fingerprint}"
