"""Topology: which exchanges, queues and bindings there are, as data.

Read from a plain mapping, so that this module needs no YAML library: whoever composes the program
reads `queue/topology.yaml` and hands the mapping over. Reading is strict, and lists every fault
at once, each with the path of its key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from messaging.envelope import MAX_NAME_BYTES
from messaging.errors import TopologyInvalid

EXCHANGE_TYPES: Final = ("direct", "fanout", "topic")
PLACEHOLDER: Final = "<partner>"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: str = "direct"


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue and its limits.

    *max_length_bytes*: at this size it refuses, and never drops.
    *delivery_limit*: after so many redeliveries the message goes to the dead-letter channel.
    *dead_letter*: the queue that takes what is rejected, expired or redelivered too often.
    *message_ttl*: seconds after which a waiting message is dead-lettered.
    *express*: a second queue, read before this one; it carries the messages with priority,
    because quorum queues know no priorities (RabbitMQ refuses `x-max-priority` on them).
    """

    name: str
    max_length_bytes: int
    delivery_limit: int | None = None
    dead_letter: str | None = None
    message_ttl: float | None = None
    express: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """Messages to *exchange* with *routing_key* also go to *queue*."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that must exist before a message can travel.

    *publish_to* is the exchange that publishers use, with the channel's name as routing key.
    *dead_letter_exchange* leads from every queue to its dead-letter queue.
    *partner_queue* is the pattern of the queues that partners read themselves: its name holds
    ``<partner>``.
    """

    publish_to: str
    dead_letter_exchange: str
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    partner_queue: Queue | None = None

    @staticmethod
    def from_mapping(data: Mapping[str, Any]) -> Topology:
        """Read a topology, or raise `TopologyInvalid` with every fault in it."""
        reader = _Reader()
        topology = reader.topology(data)
        if topology is None or reader.faults:
            raise TopologyInvalid(reader.faults)
        return topology

    def queue(self, name: str) -> Queue | None:
        """Return the queue of that name, or None."""
        return next((queue for queue in self.queues if queue.name == name), None)

    def routes(self, channel: str) -> frozenset[str]:
        """Return the queues that take what is published to *channel*; none means unroutable."""
        types = {exchange.name: exchange.type for exchange in self.exchanges}
        kind = types.get(self.publish_to)
        return frozenset(
            binding.queue
            for binding in self.bindings
            if binding.exchange == self.publish_to
            and (kind == "fanout" or binding.routing_key == channel)
        )

    def for_partner(self, partner: str) -> str:
        """Return the name of that partner's queue."""
        if self.partner_queue is None:
            raise ValueError("the topology has no pattern for partner queues")
        return self.partner_queue.name.replace(PLACEHOLDER, partner)

    def with_queue(
        self, name: str, *, max_length_bytes: int | None, message_ttl: float | None
    ) -> Topology:
        """Return this topology with one more queue after the partner pattern, bound by its name.

        A queue of that name that is there already keeps its place and gets these limits.
        """
        if self.partner_queue is None:
            raise ValueError("the topology has no pattern for partner queues")
        prefix, _, suffix = self.partner_queue.name.partition(PLACEHOLDER)
        if (
            not (name.startswith(prefix) and name.endswith(suffix))
            or len(name) <= len(prefix + suffix)
            or len(name.encode()) > MAX_NAME_BYTES
        ):
            raise ValueError(f"{name!r} is not of the pattern {self.partner_queue.name!r}")
        queue = dataclasses.replace(
            self.partner_queue,
            name=name,
            max_length_bytes=max_length_bytes or self.partner_queue.max_length_bytes,
            message_ttl=message_ttl or self.partner_queue.message_ttl,
        )
        others = tuple(known for known in self.queues if known.name != name)
        binding = Binding(self.publish_to, name, name)
        bindings = tuple(known for known in self.bindings if known != binding)
        return dataclasses.replace(self, queues=(*others, queue), bindings=(*bindings, binding))


_TOP = frozenset(
    {"version", "publish_to", "dead_letter_exchange", "exchanges", "queues", "bindings"}
) | {"partner_queues"}
_QUEUE = frozenset(field.name for field in dataclasses.fields(Queue)) - {"name"}


class _Reader:
    """Collects faults instead of stopping at the first: an operator mends a file once."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def topology(self, data: object) -> Topology | None:
        table = self._table(data, "topology", _TOP)
        if table.get("version") != 1:
            self._fault("version", "must be 1")
        exchanges = tuple(
            self._exchange(name, value, f"exchanges.{name}")
            for name, value in self._table(table.get("exchanges"), "exchanges", None).items()
        )
        queues = tuple(
            self._queue(name, value, f"queues.{name}")
            for name, value in self._table(table.get("queues"), "queues", None).items()
        )
        bindings = self._bindings(table.get("bindings"))
        partner = self._partner(table.get("partner_queues")) if "partner_queues" in table else None
        publish_to = self._name(table.get("publish_to"), "publish_to")
        dead_letter = self._name(table.get("dead_letter_exchange"), "dead_letter_exchange")
        if self.faults:
            return None
        topology = Topology(publish_to, dead_letter, exchanges, queues, bindings, partner)
        self._check_references(topology)
        return topology

    def _check_references(self, topology: Topology) -> None:
        exchanges = {exchange.name for exchange in topology.exchanges}
        queues = {queue.name for queue in topology.queues}
        for key in ("publish_to", "dead_letter_exchange"):
            if getattr(topology, key) not in exchanges:
                self._fault(key, "is not one of the exchanges")
        for number, binding in enumerate(topology.bindings):
            if binding.exchange not in exchanges:
                self._fault(f"bindings[{number}].exchange", "is not one of the exchanges")
            if binding.queue not in queues:
                self._fault(f"bindings[{number}].queue", "is not one of the queues")
        bound = {binding.queue for binding in topology.bindings}
        dead = {
            binding.queue
            for binding in topology.bindings
            if binding.exchange == topology.dead_letter_exchange
            and binding.routing_key == binding.queue
        }
        named = [(f"queues.{queue.name}", queue) for queue in topology.queues]
        if topology.partner_queue is not None:
            named.append(("partner_queues", topology.partner_queue))
        for path, queue in named:
            if queue.name not in bound and path != "partner_queues":
                self._fault(path, "has no binding, so nothing can reach it")
            if queue.dead_letter is not None and queue.dead_letter not in dead:
                self._fault(
                    f"{path}.dead_letter",
                    "is not bound to dead_letter_exchange by its own name",
                )
            if queue.dead_letter is None and queue.delivery_limit is not None:
                # RabbitMQ would drop the message after the last redelivery.
                self._fault(f"{path}.delivery_limit", "needs dead_letter, or messages are lost")
            if queue.dead_letter is None and queue.message_ttl is not None:
                self._fault(f"{path}.message_ttl", "needs dead_letter, or messages are lost")
            if queue.express is not None and queue.express not in topology.routes(queue.express):
                self._fault(f"{path}.express", "is not bound to publish_to by its own name")

    def _exchange(self, name: object, data: object, path: str) -> Exchange:
        table = self._table(data, path, frozenset({"type"}))
        kind = table.get("type", "direct")
        if kind not in EXCHANGE_TYPES:
            self._fault(f"{path}.type", f"must be one of {', '.join(EXCHANGE_TYPES)}")
            kind = "direct"
        return Exchange(self._name(name, path), kind)

    def _queue(self, name: object, data: object, path: str) -> Queue:
        table = self._table(data, path, _QUEUE)
        ttl = table.get("message_ttl")
        if ttl is not None and not (_is_number(ttl) and ttl > 0):
            self._fault(f"{path}.message_ttl", "must be seconds above 0")
            ttl = None
        return Queue(
            name=self._name(name, path),
            max_length_bytes=self._count(table, path, "max_length_bytes") or 0,
            delivery_limit=self._count(table, path, "delivery_limit", needed=False),
            dead_letter=self._optional_name(table, path, "dead_letter"),
            message_ttl=None if ttl is None else float(ttl),
            express=self._optional_name(table, path, "express"),
        )

    def _partner(self, data: object) -> Queue | None:
        table = dict(self._table(data, "partner_queues", _QUEUE | {"pattern"}))
        pattern = self._name(table.pop("pattern", None), "partner_queues.pattern")
        if pattern.count(PLACEHOLDER) != 1:
            self._fault("partner_queues.pattern", f"must hold {PLACEHOLDER} once")
        return self._queue(pattern, table, "partner_queues")

    def _bindings(self, data: object) -> tuple[Binding, ...]:
        if not isinstance(data, list):
            self._fault("bindings", "must be a list")
            return ()
        keys = frozenset({"exchange", "queue", "routing_key"})
        bindings = []
        for number, item in enumerate(data):
            path = f"bindings[{number}]"
            table = self._table(item, path, keys)
            bindings.append(
                Binding(*(self._name(table.get(key), f"{path}.{key}") for key in sorted(keys)))
            )
        return tuple(bindings)

    def _table(self, data: object, path: str, known: frozenset[str] | None) -> Mapping[str, Any]:
        if not isinstance(data, Mapping):
            self._fault(path, "must be a mapping")
            return {}
        if known is not None:
            for key in data:
                if key not in known:
                    where = key if path == "topology" else f"{path}.{key}"
                    self._fault(str(where), f"is not known; known are {', '.join(sorted(known))}")
        return data

    def _name(self, value: object, path: str) -> str:
        if not isinstance(value, str) or not 0 < len(value.encode()) <= MAX_NAME_BYTES:
            self._fault(path, f"must be a name of 1 to {MAX_NAME_BYTES} bytes")
            return "?"
        return value

    def _optional_name(self, table: Mapping[str, Any], path: str, key: str) -> str | None:
        return self._name(table[key], f"{path}.{key}") if table.get(key) is not None else None

    def _count(
        self, table: Mapping[str, Any], path: str, key: str, *, needed: bool = True
    ) -> int | None:
        value = table.get(key)
        if value is None and not needed:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self._fault(f"{path}.{key}", "must be a whole number above 0")
            return None
        return value

    def _fault(self, path: str, text: str) -> None:
        self.faults.append(f"{path}: {text}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
