"""An AsyncAPI 3.0 document of a topology: its queues as channels, and what the program does there.

Source: the AsyncAPI specification 3.0.0 and its AMQP binding 0.3.0.  What messages hold, whoever
composes the program says: this package looks into none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from messaging.topology import PLACEHOLDER, Queue, Topology

BINDING: Final = "0.3.0"
_PARTNER: Final = "{partner}"


@dataclass(frozen=True, slots=True)
class Use:
    """What the program does with one queue: it *sends* to it, *receives* from it, or both, messages
    of these names.  *partner* marks what partners see.
    """

    title: str
    summary: str
    messages: tuple[str, ...]
    sends: bool = False
    receives: bool = False
    partner: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """What a topology does not say: who the program is, what its queues are for, and its messages
    and schemas as AsyncAPI has them.
    """

    info: Mapping[str, Any]
    server: Mapping[str, Any]
    security: Mapping[str, Any]
    uses: Mapping[str, Use]
    messages: Mapping[str, Mapping[str, Any]]
    schemas: Mapping[str, Any] = field(default_factory=dict)


def document(topology: Topology, told: Document) -> dict[str, Any]:
    """Return the document; `KeyError` for a queue of which *told* does not say the use."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for queue in _queues(topology):
        use = told.uses[queue.name]
        name = _key(queue.name)
        channels[name] = _channel(queue, use)
        for does, action in ((use.sends, "send"), (use.receives, "receive")):
            if does:
                operations[f"{action}-{name}"] = _operation(action, name, use)
    inbound = topology.partner_inbound
    if topology.partner_exchange is not None and inbound is not None:
        # Partners know the exchange, and the queue behind it is the program's own.
        exchange = topology.partner_exchange.replace(PLACEHOLDER, _PARTNER)
        channels[_key(inbound.name)] |= {
            "address": exchange,
            "bindings": {"amqp": _exchange(exchange)},
        }
    schemes = {name: {"$ref": f"#/components/securitySchemes/{name}"} for name in told.security}
    return {
        "asyncapi": "3.0.0",
        "info": dict(told.info),
        "defaultContentType": "application/json",
        "servers": {"broker": {**told.server, "security": list(schemes.values())}},
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {name: dict(one) for name, one in told.messages.items()},
            "schemas": dict(told.schemas),
            "securitySchemes": dict(told.security),
        },
    }


def _queues(topology: Topology) -> Sequence[Queue]:
    patterns = (topology.partner_queue, topology.partner_inbound, topology.partner_replies)
    return [*topology.queues, *(one for one in patterns if one is not None)]


def _key(name: str) -> str:
    """Return a queue's name as a key of the document.

    >>> _key("caf.out.<partner>")
    'caf-out-partner'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def _channel(queue: Queue, use: Use) -> dict[str, Any]:
    address = queue.name.replace(PLACEHOLDER, _PARTNER)
    limits = [f"at most {queue.max_length_bytes} bytes wait; then publishers are refused"]
    if queue.message_ttl is not None:
        limits.append(f"what waits for {queue.message_ttl:g} seconds is dead-lettered")
    if queue.delivery_limit is not None:
        limits.append(f"what was handed out {queue.delivery_limit} times is dead-lettered")
    told: dict[str, Any] = {
        "address": address,
        "title": use.title,
        "summary": use.summary,
        "description": f"A quorum queue: {'; '.join(limits)}.",
        "tags": [{"name": "partner" if use.partner else "internal"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in use.messages},
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": address,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                    "vhost": "/",
                },
                "bindingVersion": BINDING,
            }
        },
    }
    if _PARTNER in address:
        told["parameters"] = {"partner": {"description": "The partner's name in its profile."}}
    return told


def _exchange(name: str) -> dict[str, Any]:
    return {
        "is": "routingKey",
        "exchange": {
            "name": name,
            "type": "fanout",
            "durable": True,
            "autoDelete": False,
            "vhost": "/",
        },
        "bindingVersion": BINDING,
    }


def _operation(action: str, channel: str, use: Use) -> dict[str, Any]:
    amqp: dict[str, Any] = {"ack": True, "bindingVersion": BINDING}
    if action == "send":
        amqp = {"deliveryMode": 2, "mandatory": True, "bindingVersion": BINDING}
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": use.summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in use.messages],
        "bindings": {"amqp": amqp},
    }
