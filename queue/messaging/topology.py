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
PATTERNS: Final = ("partner_queues", "partner_inbound", "partner_replies")


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
    *dead_letter_key*: the routing key of what is dead-lettered, where it is not the name of the
    queue that takes it: it says from where a message came, which no header does for certain.
    *alone*: one consumer at a time, whoever else waits: what comes in order is read in order.
    """

    name: str
    max_length_bytes: int
    delivery_limit: int | None = None
    dead_letter: str | None = None
    message_ttl: float | None = None
    express: str | None = None
    dead_letter_key: str | None = None
    alone: bool = False


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
    ``<partner>``.  *partner_exchange*, *partner_inbound* and *partner_replies* are the patterns of
    the exchanges that partners write to, of the queues behind them, and of the queues in which they
    are answered.
    """

    publish_to: str
    dead_letter_exchange: str
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    partner_queue: Queue | None = None
    partner_exchange: str | None = None
    partner_inbound: Queue | None = None
    partner_replies: Queue | None = None

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
        return self.bound(queue, Binding(self.publish_to, name, name))

    def inbound(self, partner: str) -> Inbound:
        """Return by what that partner sends, and where it is answered."""
        if not (self.partner_exchange and self.partner_inbound and self.partner_replies):
            raise ValueError("the topology has no pattern for what partners send")
        return Inbound(
            exchange=self.partner_exchange.replace(PLACEHOLDER, partner),
            queue=self.partner_inbound.name.replace(PLACEHOLDER, partner),
            replies=self.partner_replies.name.replace(PLACEHOLDER, partner),
        )

    def with_sender(self, partner: str) -> Topology:
        """Return this topology with what *partner* needs to send: an exchange of its own, the queue
        behind it, and a queue for the answers.
        """
        named = self.inbound(partner)
        if max(len(name.encode()) for name in dataclasses.astuple(named)) > MAX_NAME_BYTES:
            raise ValueError(f"{partner!r} makes a name of more than {MAX_NAME_BYTES} bytes")
        assert self.partner_inbound is not None  # noqa: S101 - `inbound` has asked
        assert self.partner_replies is not None  # noqa: S101
        taken = dataclasses.replace(
            self.partner_inbound, name=named.queue, dead_letter_key=named.queue, alone=True
        )
        answers = dataclasses.replace(self.partner_replies, name=named.replies)
        whole = self.bound(taken, Binding(named.exchange, named.queue, ""))
        whole = whole.bound(answers, Binding(self.publish_to, named.replies, named.replies))
        exchange = Exchange(named.exchange, "fanout")
        whole = dataclasses.replace(whole, exchanges=(*whole.exchanges, exchange))
        if taken.dead_letter is None:
            return whole
        given_up = Binding(self.dead_letter_exchange, taken.dead_letter, named.queue)
        return dataclasses.replace(whole, bindings=(*whole.bindings, given_up))

    def bound(self, queue: Queue, binding: Binding) -> Topology:
        """Return this topology with one more queue; one of that name keeps its place."""
        others = tuple(known for known in self.queues if known.name != queue.name)
        bindings = tuple(known for known in self.bindings if known != binding)
        return dataclasses.replace(self, queues=(*others, queue), bindings=(*bindings, binding))


@dataclass(frozen=True, slots=True)
class Inbound:
    """The names by which one partner sends: only its own user may write to *exchange*; *queue* is
    the hub's to read, *replies* the partner's.
    """

    exchange: str
    queue: str
    replies: str


_TOP = frozenset(
    {"version", "publish_to", "dead_letter_exchange", "exchanges", "queues", "bindings"}
) | {"partner_queues", "partner_inbound", "partner_replies"}
_OURS = frozenset({"name", "dead_letter_key", "alone"})
_QUEUE = frozenset(field.name for field in dataclasses.fields(Queue)) - _OURS


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
        own = self._patterns(table)
        publish_to = self._name(table.get("publish_to"), "publish_to")
        dead_letter = self._name(table.get("dead_letter_exchange"), "dead_letter_exchange")
        if self.faults:
            return None
        topology = Topology(publish_to, dead_letter, exchanges, queues, bindings, *own)
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
        patterns = (topology.partner_queue, topology.partner_inbound, topology.partner_replies)
        named += [(path, queue) for path, queue in zip(PATTERNS, patterns, strict=True) if queue]
        for path, queue in named:
            if queue.name not in bound and path not in PATTERNS:
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

    def _patterns(
        self, table: Mapping[str, Any]
    ) -> tuple[Queue | None, str | None, Queue | None, Queue | None]:
        """Read what each partner has of its own: its queue, and by what it sends."""
        given = [self._partner(table[path], path) if path in table else None for path in PATTERNS]
        own, inbound, replies = given
        exchange = None
        if (inbound is None) != (replies is None):
            self._fault(
                "partner_replies", "goes with partner_inbound, and without it means nothing"
            )
        if inbound is not None:
            told = table["partner_inbound"]
            said = told.get("exchange") if isinstance(told, Mapping) else None
            exchange = self._name(said, f"{PATTERNS[1]}.exchange")
            if exchange.count(PLACEHOLDER) != 1:
                self._fault(f"{PATTERNS[1]}.exchange", f"must hold {PLACEHOLDER} once")
        return own, exchange, inbound, replies

    def _partner(self, data: object, path: str) -> Queue | None:
        more = {"pattern", "exchange"} if path == "partner_inbound" else {"pattern"}
        table = dict(self._table(data, path, _QUEUE | more))
        pattern = self._name(table.pop("pattern", None), f"{path}.pattern")
        table.pop("exchange", None)
        if pattern.count(PLACEHOLDER) != 1:
            self._fault(f"{path}.pattern", f"must hold {PLACEHOLDER} once")
        return self._queue(pattern, table, path)

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
