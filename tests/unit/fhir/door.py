"""A hub with its FHIR door in this process, and what systems say to it in FHIR."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson

from adapters.partners.keys import new_api_key
from hub.api.app import create_app
from hub.api.fhir.published import Publish
from hub.domain.partner import ApiKey, Credentials, Partner
from hub.hub import Hub
from hub.services.released import rehearse
from hub.serving import consent_in_fhir
from hub.settings import Listen, Settings
from mappings.formats.json_strict import parse
from tests import builders as b
from tests.unit.services.world import PARTNERS, World, opening

FHIR = "application/fhir+json"
PROCESS = "/fhir/$process-message"
LATER = "https://cms.sch-a.example/fhir/answers"


@dataclass
class Couriered:
    """A courier that keeps what it is given."""

    carried: list[tuple[str, str, bytes]] = field(default_factory=list)

    def carry(self, partner: Partner, url: str, body: bytes) -> None:
        self.carried.append((partner.name, url, body))


def message(
    tree: dict[str, Any], *, bundle: str | None = "b-1", header: str | None = "m-1", **told: Any
) -> bytes:
    """Return a canonical message as the FHIR Bundle that a case system would send."""
    name = "fhir-r4/episode"
    held = {"message": b.header(message_id=header or "m-1", **told), **tree}
    raw = World().translator.render(name, rehearse(held), partner="").body
    document = orjson.loads(raw)
    document["id"] = bundle
    if bundle is None:
        del document["id"]
    if header is None:
        del document["entry"][0]["resource"]["id"]
    return orjson.dumps(document)


def opened(**named: Any) -> bytes:
    """Return Ava's episode as it is opened, from the school's system."""
    changes = named.pop("changes", {})
    return message(
        {"event": "episode.opened", "episode": opening(**changes)}, message_type="N6", **named
    )


@dataclass
class Door:
    """The world behind the door, and calls to it by any of its partners."""

    world: World
    hub: Hub
    keys: dict[str, str]
    client: httpx.AsyncClient
    courier: Couriered

    async def say(
        self, raw: bytes, who: str = "SCH-A", path: str = PROCESS, **headers: str
    ) -> httpx.Response:
        """POST a message as a partner and return the answer."""
        given = {"authorization": f"Bearer {self.keys[who]}", "content-type": FHIR, **headers}
        return await self.client.post(path, content=raw, headers=given)

    async def ask(self, path: str, who: str | None = "SCH-A", **headers: str) -> httpx.Response:
        """GET something as a partner, or as nobody."""
        given = dict(headers)
        if who is not None:
            given["authorization"] = f"Bearer {self.keys[who]}"
        return await self.client.get(path, headers=given)


@asynccontextmanager
async def fhir_door(
    world: World | None = None,
    *,
    changed: Iterable[Partner] = (),
    publish: Publish | None = None,
) -> AsyncIterator[Door]:
    """Keep a door open in this process; *changed* replace partners of the world."""
    if world is None:
        these = {one.name: one for one in PARTNERS} | {one.name: one for one in changed}
        these["SCH-A"] = replace(these["SCH-A"], answered_at=(LATER,))
        world = World(partners=these.values())
    keys, credentials = {}, {}
    for name in world.partners:
        key, digest = new_api_key(name, "k1")
        keys[name] = key.reveal()
        credentials[name] = Credentials((ApiKey("k1", digest, date(2099, 1, 1)),))
    world.registry = replace(world.registry, credentials=credentials)
    folder = Path("/nonexistent")
    settings = Settings(config_dir=folder, vault_key_file=folder, listen=Listen("127.0.0.1", 1))
    both = world.translator
    hub = Hub(settings, world.registry, world.clock, world.store, world.digester, both, both, parse)
    courier = Couriered()
    transport = httpx.ASGITransport(
        create_app(
            hub,
            courier=courier,
            publish=publish,
            consent=partial(consent_in_fhir, hub),
        ),
        client=("127.0.0.1", 1),
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        yield Door(world, hub, keys, client, courier)


def response(answer: httpx.Response) -> dict[str, Any]:
    """Return the MessageHeader.response of an acknowledgement."""
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["entry"][0]["resource"]["response"]
    return found


def issues(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the issues of an answer: an OperationOutcome, or the one that an answer goes with."""
    tree = answer.json()
    told = tree if tree["resourceType"] == "OperationOutcome" else tree["entry"][1]["resource"]
    assert told["resourceType"] == "OperationOutcome"
    found: list[dict[str, Any]] = told["issue"]
    return found


def codes(answer: httpx.Response) -> list[str]:
    """Return our codes in an answer."""
    return [
        one["details"]["coding"][0]["code"]
        for one in issues(answer)
        if "coding" in one.get("details", {})
    ]
