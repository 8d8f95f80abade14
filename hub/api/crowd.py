"""How many connections are open, in all and from one address.

Source: `reliability.md` 5.11 and P13.  Beyond a bound a connection is still told so, by an answer
with Retry-After; for those there is a little room, and who finds even that full is hung up on.
"""

import gc
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

Place = Literal["seated", "standing", "none"]

SWEPT: Final = 1_024
"""After so many have gone, what they left is cleared away: connections are cycles, and the
collector of a hub that serves (`hub.serving.calm_collector`) looks so seldom that a crowd that
comes and goes would fill the memory with its dead."""
STANDING: Final = 4
"""One more for each so many that may sit: room to be told that there is none."""


@dataclass
class Crowd:
    """The connections of one listening socket; touched by the event loop's thread only."""

    most: int
    most_per_address: int
    _from: Counter[str] = field(default_factory=Counter)
    _open: int = 0
    _gone: int = 0

    @property
    def open(self) -> int:
        """How many there are now, those included that are only told to come again."""
        return self._open

    def enter(self, address: str) -> Place:
        """Count a connection in, unless there is no place (``none``); *address* empty for a unix
        socket, whose callers are not told apart.
        """
        own = self._from.get(address, 0)
        if self._open >= self.most + self.most // STANDING:
            return "none"
        if address and own >= self.most_per_address + self.most_per_address // STANDING:
            return "none"
        crowded = self._open >= self.most or (bool(address) and own >= self.most_per_address)
        self._open += 1
        self._from[address] += 1
        return "standing" if crowded else "seated"

    def leave(self, address: str) -> None:
        """Count a connection out that was counted in."""
        self._open -= 1
        self._from[address] -= 1
        if not self._from[address]:
            del self._from[address]
        self._gone += 1
        if self._gone % SWEPT == 0:
            gc.collect()
