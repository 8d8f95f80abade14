"""What passes between the hub and a destination: a parcel, and what the other side said."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a destination is asked to carry: opaque ids and bytes, no meaning."""

    delivery_id: str
    message_type: str
    partner: str
    attempt: int
    possible_duplicate: bool
    content_type: str
    body: bytes
    thin: bool
    lane: str
    lane_sequence: int
    urgent: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the other side said: *delivered* only if the receiver said so itself."""

    delivered: bool
    evidence: Mapping[str, Any]
