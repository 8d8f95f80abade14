"""How much of everything a hub takes, holds and waits for: the limits that a site can move.

Source: `reliability.md` 5.11 and promise P13.  Each is a setting ``ECAF_LIMIT_<NAME>`` with a
default, a range and what happens to whoever goes beyond it; `table` is what the documentation
shows.  Together the defaults keep a process below 512 MiB.
"""

from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

PREFIX: Final = "ECAF_LIMIT_"
CLOSING_SECONDS: Final = 2
"""Of the time for a stop, what is kept for closing everything when what was under way has ended."""
KIB: Final = 1024
MIB: Final = 1024 * KIB


def _bound(default: int, low: int, high: int, unit: str, bounds: str, beyond: str) -> Any:
    told = {"low": low, "high": high, "unit": unit, "bounds": bounds, "beyond": beyond}
    return field(default=default, metadata=told)


_REQUEST: Final = "413, AE, .error.json"
_LATER: Final = "503 with Retry-After"
_CLOSE: Final = "the connection is closed"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Whole numbers, each in the unit that its metadata names."""

    body_bytes: int = _bound(
        5 * MIB, 64 * KIB, 5 * MIB, "bytes", "one HTTP body, MLLP message, file", _REQUEST
    )
    head_seconds: int = _bound(10, 1, 60, "s", "the head of a request", "408, or closed if empty")
    body_seconds: int = _bound(30, 1, 300, "s", "the body of a request", "408")
    idle_seconds: int = _bound(60, 1, 600, "s", "a connection between requests", _CLOSE)
    connections: int = _bound(
        2_048, 16, 65_536, "connections", "the HTTP door, in all", f"{_LATER}, then closed"
    )
    connections_per_address: int = _bound(
        512, 4, 65_536, "connections", "the HTTP door, from one address", f"{_LATER}, then closed"
    )
    in_flight: int = _bound(512, 8, 4_096, "requests", "worked on at once", _LATER)
    in_flight_bytes: int = _bound(
        128 * MIB, 8 * MIB, 1024 * MIB, "bytes", "bodies held at once", _LATER
    )
    client_in_flight: int = _bound(
        256, 2, 4_096, "requests", "worked on at once for one partner", "429 with Retry-After"
    )
    client_per_second: int = _bound(
        500,
        1,
        100_000,
        "requests/s",
        "one partner and operation, on average over ten seconds",
        "429 with Retry-After",
    )
    client_searches_per_second: int = _bound(
        50,
        1,
        100_000,
        "requests/s",
        "the same for asking the index, matching a person, looking past a shield",
        "429 with Retry-After",
    )
    mllp_connections: int = _bound(1_024, 4, 65_536, "connections", "the MLLP door, in all", _CLOSE)
    mllp_connections_read: int = _bound(
        256, 2, 4_096, "connections", "the MLLP door, answered at once", "the others wait unread"
    )
    mllp_connections_per_address: int = _bound(
        64, 2, 65_536, "connections", "the MLLP door, from one address", _CLOSE
    )
    mllp_frame_seconds: int = _bound(30, 1, 300, "s", "one message over MLLP", "AE, then closed")
    backlog: int = _bound(
        1_000_000, 100, 100_000_000, "deliveries", "not ended yet", f"{_LATER} for content"
    )
    disk_bytes: int = _bound(
        100 * MIB, MIB, 1024 * 1024 * MIB, "bytes", "free for the hub's files", _LATER
    )
    database_milliseconds: int = _bound(
        1_000, 10, 60_000, "ms", "an answer of the database, twice running", _LATER
    )
    statement_seconds: int = _bound(
        30, 1, 600, "s", "one statement (PostgreSQL)", "rolled back, 503"
    )
    outbound_connect_seconds: int = _bound(
        5, 1, 30, "s", "connecting to a partner (HTTP, FHIR, MLLP)", "tried again later"
    )
    outbound_seconds: int = _bound(
        30, 2, 300, "s", "one attempt at a partner (HTTP, FHIR, MLLP)", "tried again later"
    )
    stop_seconds: int = _bound(
        10, 3, 60, "s", "a stop, of which two for closing", "what is under way is cut off"
    )


@dataclass(frozen=True, slots=True)
class Described:
    """One limit as an operator sets it; *name* is the variable, *attribute* the one of `Bounds`."""

    name: str
    attribute: str
    default: int
    low: int
    high: int
    unit: str
    bounds: str
    beyond: str


def _described(one: Field[Any]) -> Described:
    default: Any = one.default
    return Described(PREFIX + one.name.upper(), one.name, default, **one.metadata)


BOUNDS: Final = tuple(_described(one) for one in fields(Bounds))
BOUND_NAMES: Final = tuple(one.name for one in BOUNDS)


def read_bounds(number: Callable[[str, int, int, int], int]) -> Bounds:
    """Return the bounds; *number* gives a setting by name, default, lowest and highest value."""
    return Bounds(
        **{one.attribute: number(one.name, one.default, one.low, one.high) for one in BOUNDS}
    )


def table() -> Iterator[str]:
    """Yield the lines of the table that the documentation shows.

    >>> next(iter(table()))
    '| Setting | Default | From | To | Unit | Bounds | Beyond it |'
    """
    yield "| Setting | Default | From | To | Unit | Bounds | Beyond it |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in BOUNDS:
        cells = (f"`{one.name}`", one.default, one.low, one.high, one.unit, one.bounds, one.beyond)
        yield f"| {' | '.join(map(str, cells))} |"
