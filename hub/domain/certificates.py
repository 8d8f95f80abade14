"""Client certificates: what one says, and which of them a partner may come with."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate whose chain somebody has verified: the SHA-256 of its bytes, its DNS names (in
    small letters), and until when it holds.
    """

    fingerprint: str
    hosts: frozenset[str]
    until: datetime


@dataclass(frozen=True, slots=True)
class Certified:
    """The certificates of one partner, by fingerprint or by a name that they hold."""

    fingerprints: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    def admits(self, shown: Shown) -> bool:
        """Return whether *shown* is one of them."""
        return shown.fingerprint in self.fingerprints or bool(shown.hosts & self.hosts)
