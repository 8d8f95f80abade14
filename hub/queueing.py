"""What a site's broker must hold: `ecaf queues definitions`."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from adapters.destinations.amqp import queue_of
from adapters.partners.profiles import load_registry
from hub.bootstrap import shape_of
from hub.domain.partner import AmqpUser, Registry
from hub.errors import Code, Fault, Misconfigured
from hub.secrets import read_secret
from hub.settings import Settings
from messaging.definitions import User, definitions, only
from messaging.topology import Topology

LEAST: Final = 24
"""Characters of a password: its hash is quick to try, and lies in a file."""
LIMITS: Final = {"max-connections": 4, "max-channels": 16}
OURS: Final = r"^caf(\..*)?$"
"""Everything that the hub declares, publishes to and reads, and nothing else."""


def users_of(registry: Registry) -> dict[str, AmqpUser]:
    """Return the broker's user of every partner that has to do with the broker, by partner."""
    found: dict[str, AmqpUser] = {}
    for name, partner in registry.partners.items():
        held = registry.credentials.get(name)
        told = None if held is None else held.amqp
        if told is not None:
            found[name] = told
        elif partner.delivering.channel == "amqp":
            found[name] = AmqpUser(name)
    return found


def site_definitions(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the definitions of the broker of the site that *environ* configures.

    The hub's own user is that of ``ECAF_BROKER_URL``.  Raises `Misconfigured` with every fault.
    """
    settings = Settings.from_environ(environ)
    if settings.broker_url is None:
        fault = Fault(Code.CONFIGURATION, "ECAF_BROKER_URL", "set amqps://USER:PASSWORD@HOST/VHOST")
        raise Misconfigured(Code.CONFIGURATION, "this site has no broker", [fault])
    registry = load_registry(settings.config_dir)
    parts = urlsplit(settings.broker_url.reveal())
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    hub = User(name, password or None, configure=OURS, write=OURS, read=OURS)
    shape, faults, users = shape_of(registry), [], [hub]
    taken = {name: "the hub"}
    for partner, told in sorted(users_of(registry).items()):
        place = f"partners/{partner}.yaml: credentials.amqp"
        owner = taken.setdefault(told.user, partner)
        if owner != partner:
            remedy = f"choose another user: {told.user} is that of {owner}"
            faults.append(Fault(Code.CONFIGURATION, place, remedy))
        secret = None if told.password_file is None else read_secret(told.password_file).reveal()
        if secret is not None and len(secret) < LEAST:
            remedy = f"a password of {LEAST} characters at least, made by chance"
            faults.append(Fault(Code.CONFIGURATION, f"{place}.password_file", remedy))
        users.append(_user(registry, shape, partner, told, secret))
    if not name:
        remedy = "name the hub's own user at the broker"
        faults.append(Fault(Code.CONFIGURATION, "ECAF_BROKER_URL", remedy))
    if password and len(password) < LEAST:
        remedy = f"a password of {LEAST} characters at least for the hub's user"
        faults.append(Fault(Code.CONFIGURATION, "ECAF_BROKER_URL", remedy))
    if faults:
        detail = "\n".join(f"{one.path}: {one.remedy}" for one in faults)
        raise Misconfigured(Code.CONFIGURATION, f"users of the broker:\n{detail}", faults)
    return definitions(shape, users, unquote(parts.path[1:]) or "/")


def _user(
    registry: Registry, shape: Topology, partner: str, told: AmqpUser, password: str | None
) -> User:
    """Return a partner's user, who may do what it needs and can name nothing else."""
    reads, writes = [], []
    if registry.partners[partner].delivering.channel == "amqp":
        reads.append(queue_of(partner))
    if told.sends:
        own = shape.inbound(partner)
        reads.append(own.replies)
        writes.append(own.exchange)
    return User(told.user, password, read=only(*reads), write=only(*writes), limits=LIMITS)
