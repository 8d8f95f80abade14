"""Everything that a partner received, kept as it came: a file for the body, one for the headers."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adapters.partners.double.sight import add, look


@dataclass(frozen=True, slots=True)
class Received:
    """One message as received; *sections* is what the double itself saw in it."""

    number: int
    message_type: str
    delivery_id: str
    content_type: str
    sequence: int | None
    via: str
    file: str
    sections: Mapping[str, str]
    codes: tuple[str, ...]
    digest: str


class Mailbox:
    """Keeps bodies and headers under *folder*, numbered in the order of arrival, synced to disk.

    The same delivery id twice is one message: the second is counted, and if its bytes differ that
    is a fault of the sender.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.received: list[Received] = []
        self.duplicates: list[str] = []
        self.faults: list[str] = []
        self._seen: dict[str, str] = {}
        self._numbers = 0

    def seen(self, delivery_id: str) -> bool:
        """Tell whether this delivery arrived before."""
        return delivery_id in self._seen

    def kind(self, delivery_id: str) -> str:
        """Return the message type of a delivery that arrived."""
        return next(one.message_type for one in self.received if one.delivery_id == delivery_id)

    def take(
        self,
        delivery_id: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        via: str,
        message_type: str | None = None,
    ) -> bool:
        """Keep one message; return whether it was new.

        The header ``part`` tells apart the several messages of one delivery (HL7 v2 has one for
        each child): the first is the message, the others add to what was seen in it.
        """
        digest = hashlib.sha256(body).hexdigest()
        part = headers.get("part")
        known = f"{delivery_id} {part}" if part else delivery_id
        if known in self._seen:
            self.duplicates.append(delivery_id)
            if self._seen[known] != digest:
                self.faults.append(f"{delivery_id}: the same delivery id with other bytes")
            return False
        first = not self.seen(delivery_id)
        self._seen[known] = digest
        self._seen.setdefault(delivery_id, digest)
        seen = look(body)
        told = message_type or headers.get("ecaf-message-type")
        if told and seen.message_type and told != seen.message_type:
            self.faults.append(f"{delivery_id}: announced as {told}, reads as {seen.message_type}")
        name = seen.message_type or told or "unknown"
        file = self.keep(name, body, {**headers, "ecaf-double-via": via})
        if not first:
            self._add(delivery_id, seen.sections)
            return False
        sequence = headers.get("ecaf-sequence", "")
        self.received.append(
            Received(
                number=self._numbers,
                message_type=name,
                delivery_id=delivery_id,
                content_type=headers.get("content-type", ""),
                sequence=int(sequence) if sequence.isdigit() else None,
                via=via,
                file=str(file),
                sections=seen.sections,
                codes=seen.codes,
                digest=digest,
            )
        )
        return True

    def _add(self, delivery_id: str, sections: Mapping[str, str]) -> None:
        for place, one in enumerate(self.received):
            if one.delivery_id == delivery_id:
                whole = dict(one.sections)
                for section, weight in sections.items():
                    add(whole, section, weight)
                self.received[place] = replace(one, sections=whole)

    def keep(self, name: str, body: bytes, headers: Mapping[str, Any]) -> Path:
        """Write bytes and headers under the next number and return the path of the bytes."""
        self._numbers += 1
        safe = "".join(c for c in name if c.isalnum() or c in "-_")[:40]
        ending = "hl7" if body.startswith(b"MSH") else "json"
        file = self._folder / f"{self._numbers:03d}-{safe}.{ending}"
        _write(file.with_suffix(".headers.json"), json.dumps(headers, indent=1).encode())
        _write(file, body)
        return file

    def state(self, after: int = 0) -> dict[str, Any]:
        """Return what arrived since number *after*, for who asks at the control door."""
        return {
            "received": [asdict(one) for one in self.received if one.number > after],
            "duplicates": self.duplicates,
            "faults": self.faults,
        }


def _write(file: Path, body: bytes) -> None:
    with file.open("wb") as out:
        out.write(body)
        out.flush()
        os.fsync(out.fileno())
