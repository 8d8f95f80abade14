"""The data keys that one transaction uses, and what a writer remembers from one transaction to
the next.

A key or tree is remembered only after the commit that made it lasting: a key that was used and
then rolled back would seal content that nobody could ever open.  What is remembered is named by
the episode's count of destroyed keys as well, which is read anew under the head's lock each time:
a key that another process destroyed is not used again here.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from adapters.database.statements import Statements
from adapters.database.vault import DataKey, Vault

K = TypeVar("K")
V = TypeVar("V")

SHARED = ""


def owner_of(kind: str, identity: str) -> str:
    """Return whose key it is; by its kind, an episode id is never taken for a message id."""
    return f"{kind}/{identity}"


class Lru(Generic[K, V]):
    """The values used last, at most so many and of at most so much weight together."""

    def __init__(self, entries: int, weight: int) -> None:
        """Take both limits."""
        self._entries, self._limit, self._weight = entries, weight, 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return what is kept under *key*."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keep *value*; what was used longest ago makes room."""
        if weight > self._limit:
            return
        before = self._kept.pop(key, None)
        self._weight += weight - (before[1] if before else 0)
        self._kept[key] = (value, weight)
        while len(self._kept) > self._entries or self._weight > self._limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._weight -= freed

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)


Remembered = Lru[tuple[str, str, int], DataKey]


class Keys:
    """Data keys by (owner, part) in one transaction, read for all named episodes at once."""

    def __init__(
        self, cursor: Any, statements: Statements, vault: Vault, remembered: Remembered
    ) -> None:
        """Use *remembered* where it can."""
        self._cursor, self._statements, self._vault = cursor, statements, vault
        self._remembered = remembered
        self._read: dict[tuple[str, str], DataKey] = {}
        self._asked: set[str] = set()
        self._made: dict[tuple[str, str, int], tuple[DataKey, bytes]] = {}
        self.named: set[str] = set()

    def find(self, owner: str, part: str, shreds: int = 0) -> DataKey | None:
        """Return the key if there is one; ``None`` if it never was or was destroyed."""
        made = self._made.get((owner, part, shreds))
        if made is not None:
            return made[0]
        key = self._remembered.get((owner, part, shreds))
        if key is not None:
            return key
        if owner not in self._asked:
            self._load({owner, *self.named} - self._asked)
        key = self._read.get((owner, part))
        if key is not None:
            self._remembered.put((owner, part, shreds), key)
        return key

    def ask(self, owners: Iterable[str]) -> None:
        """Read the keys of *owners* now, known or not, so that the question tells nothing."""
        self._load(owners)

    def ensure(self, owner: str, part: str, shreds: int = 0) -> DataKey:
        """Return the key, made now if there is none."""
        key = self.find(owner, part, shreds)
        return key if key is not None else self.make(owner, part, shreds)

    def make(self, owner: str, part: str, shreds: int = 0) -> DataKey:
        """Return a new key for an owner that has none; its number tells it from one destroyed."""
        made = self._vault.new_key(f"{owner}\0{part}", shreds)
        self._made[(owner, part, shreds)] = made
        return made[0]

    def rows(self) -> list[tuple[str, str, int, bytes]]:
        """Return the rows of the keys that were made."""
        return [(*name, wrapped) for name, (_, wrapped) in self._made.items()]

    def committed(self) -> None:
        """Remember the keys that were made; only the commit makes that safe."""
        for name, (key, _) in self._made.items():
            self._remembered.put(name, key)

    def _load(self, owners: Iterable[str]) -> None:
        wanted = list(owners)
        self._cursor.execute(self._statements.keys, (self._statements.many(wanted),))
        for owner, part, number, wrapped in self._cursor.fetchall():
            key = self._vault.unwrap(f"{owner}\0{part}", bytes(wrapped), number)
            self._read[(owner, part)] = key
        self._asked.update(wanted)
