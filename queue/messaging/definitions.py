"""A broker's definitions, for `rabbitmqctl import_definitions`: users, permissions, and a topology.

Passwords are there as RabbitMQ keeps them (`rabbit_password_hashing_sha256`): base64 of a random
salt of four bytes and the SHA-256 of salt and password.  The salt is short and the hash is fast, so
that only a password that nobody can guess is safe in such a file.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from messaging.rabbit_declare import arguments
from messaging.topology import Topology

HASHING: Final = "rabbit_password_hashing_sha256"
NOTHING: Final = "^$"
"""The permission that names nothing; RabbitMQ takes an empty pattern for the same."""


@dataclass(frozen=True, slots=True)
class User:
    """One user of the broker and what it may configure, write and read, by patterns over names.

    *password* ``None`` means that no password opens this account: it shows a certificate.
    *limits* are RabbitMQ's own (``max-connections``, ``max-channels``).
    """

    name: str
    password: str | None = field(default=None, repr=False)
    configure: str = NOTHING
    write: str = NOTHING
    read: str = NOTHING
    limits: Mapping[str, int] = field(default_factory=dict)


def only(*names: str) -> str:
    r"""Return the pattern of exactly these names.

    >>> only("caf.out.EHM-A"), only()
    ('^(caf\\.out\\.EHM\\-A)$', '^$')
    """
    return f"^({'|'.join(map(re.escape, names))})$" if names else NOTHING


def password_hash(password: str | None, salt: bytes | None = None) -> str:
    """Return a password as RabbitMQ keeps it; of ``None`` the empty text, which no password opens.

    >>> password_hash("test12", bytes.fromhex("908dc60a"))
    'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR'
    """
    if password is None:
        return ""
    salt = secrets.token_bytes(4) if salt is None else salt
    return base64.b64encode(salt + sha256(salt + password.encode()).digest()).decode()


def definitions(topology: Topology, users: Sequence[User], vhost: str = "/") -> dict[str, Any]:
    """Return the definitions of one virtual host with *topology* and *users*, none of whom may use
    the management interface.
    """
    largest = max((queue.max_length_bytes for queue in topology.queues), default=0)
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": user.name,
                "password_hash": password_hash(user.password),
                "hashing_algorithm": HASHING,
                "tags": [],
                "limits": dict(user.limits),
            }
            for user in users
        ],
        "permissions": [
            {
                "user": user.name,
                "vhost": vhost,
                "configure": user.configure,
                "write": user.write,
                "read": user.read,
            }
            for user in users
        ],
        "topic_permissions": [],
        "parameters": [],
        "global_parameters": [],
        # The queues say their own limits; this bounds whatever else anybody makes beside them.
        "policies": [
            {
                "vhost": vhost,
                "name": f"{topology.publish_to}-bounded",
                "pattern": f"^{re.escape(topology.publish_to)}\\.",
                "apply-to": "queues",
                "priority": 0,
                "definition": {"max-length-bytes": largest, "overflow": "reject-publish"},
            }
        ],
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for exchange in topology.exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": arguments(queue, topology),
            }
            for queue in topology.queues
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": vhost,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.routing_key,
                "arguments": {},
            }
            for binding in topology.bindings
        ],
    }
