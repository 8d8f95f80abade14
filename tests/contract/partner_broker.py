"""A broker as `ecaf queues definitions` makes it: two partners with queues of their own."""

import asyncio
import json
import secrets
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
from aiormq.abc import AbstractChannel

from adapters.database.vault import FileVault
from adapters.partners.keys import create_keys
from hub.queueing import site_definitions
from tests.servers.rabbitmq import RabbitServer

EXAMPLES = Path(__file__).parents[2] / "adapters/partners/examples"
HUB = "hub: Hub\nsupport_contact: support@hub.example\n"
MAY: dict[str, str] = {"VCS-N": "sends: true", "MIDW-A": "sends: true"}
SECONDS = 20.0


@dataclass(frozen=True)
class Broker:
    """A virtual host of its own, and how each of its users gets in."""

    port: int
    vhost: str
    passwords: dict[str, str]
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the hub there."""
        return {
            "ECAF_CONFIG_DIR": str(self.folder),
            "ECAF_VAULT_KEY_FILE": str(self.folder / "vault.key"),
            "ECAF_DATABASE_URL": f"sqlite:///{self.folder / 'hub.db'}",
            "ECAF_BROKER_URL": self.url("hub"),
        }

    def url(self, user: str) -> str:
        """Return the address for *user*: ``hub`` or a partner's name."""
        name = f"{user}-{self.vhost}"
        return f"amqp://{name}:{self.passwords[user]}@127.0.0.1:{self.port}/{self.vhost}"

    def name(self, user: str) -> str:
        """Return what that user is called at the broker."""
        return f"{user}-{self.vhost}"


def written(folder: Path, port: int = 1) -> tuple[Broker, dict[str, str]]:
    """Write a site whose VCS-N and MIDW-A read and send by the broker; return its environment."""
    vhost = f"test-{uuid4().hex[:8]}"
    passwords = {who: secrets.token_urlsafe(24) for who in ("hub", *MAY)}
    broker = Broker(port, vhost, passwords, folder)
    (folder / "partners").mkdir()
    (folder / "hub.yaml").write_text(HUB)
    for name in (*MAY, "HV-A"):
        shutil.copy(EXAMPLES / f"{name}.yaml", folder / "partners")
    create_keys(folder, partners=(*MAY, "HV-A"))
    FileVault.create(folder / "vault.key")
    for name, more in MAY.items():
        secret = folder / f"secrets/{name.lower()}.amqp"
        secret.write_text(passwords[name] + "\n")
        secret.chmod(0o600)
        profile = folder / f"partners/{name}.yaml"
        profile.write_text(
            profile.read_text() + f"  amqp: {{user: {broker.name(name)}, "
            f"password_file: secrets/{secret.name}, {more}}}\n"
        )
    return broker, broker.environ


@contextmanager
def imported(server: RabbitServer, folder: Path) -> Iterator[Broker]:
    """Let *server* hold what the site's definitions say, and give it back without."""
    broker, environ = written(folder, server.port)
    file = folder / "definitions.json"
    file.write_text(json.dumps(site_definitions(environ)))
    server.control("import_definitions", str(file))
    try:
        yield broker
    finally:
        server.control("delete_vhost", broker.vhost)


Deed = Callable[[AbstractChannel], Awaitable[Any]]


async def tried(url: str, deeds: dict[str, Deed]) -> dict[str, str]:
    """Do each deed on a channel of its own; say what came of it: ``done`` or the error's class."""
    came: dict[str, str] = {}
    connection = await aio_pika.connect(url)
    try:
        for name, deed in deeds.items():
            channel = await connection.channel()
            wire = await channel.get_underlay_channel()
            try:
                async with asyncio.timeout(SECONDS):
                    await deed(wire)
                came[name] = "done"
            except Exception as error:  # noqa: BLE001 - what came of it is what is asked
                came[name] = type(error).__name__
            finally:
                if not channel.is_closed:
                    await channel.close()
    finally:
        await connection.close()
    return came
