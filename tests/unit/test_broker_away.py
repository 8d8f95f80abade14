"""A hub on SQLite whose broker is away: what does not go over the broker goes on."""

import asyncio
import json
from pathlib import Path

import pytest

from adapters.destinations.amqp import AmqpDestination
from hub.bootstrap import compose
from hub.domain.carriage import Parcel
from hub.domain.exchange import State
from hub.errors import Code, Unavailable
from hub.scenarios.processes import free_port
from hub.secrets import Secret
from hub.settings import Settings
from tests.bench.hubs import InProcess
from tests.bench.story import RECIPIENT, SENDER, decisions, opening
from tests.chaos.hub_process import make_site


async def test_partners_who_fetch_are_served_while_the_broker_is_away(tmp_path: Path) -> None:
    """Nobody shares a SQLite file's work, so none of it waits for the broker's queue."""
    site, _ = make_site(tmp_path / "site", {SENDER: None, RECIPIENT: None})
    settings = Settings(
        config_dir=site.folder,
        vault_key_file=site.vault_key,
        database_url=Secret(f"sqlite:///{tmp_path}/hub.db"),
        broker_url=Secret(f"amqp://127.0.0.1:{free_port()}/"),
    )
    async with compose(settings) as hub:
        way = InProcess(hub)
        for record in decisions("e1"):
            await way.decide("e1", json.dumps(record).encode(), record["consent_decision_id"])
        for number, raw in enumerate(opening("e1")):
            await way.submit(raw, f"k{number}")
        async with asyncio.timeout(60):
            while not (await hub.store.counts()).get(State.HANDED_OVER.value):  # noqa: ASYNC110 - it is the store that knows
                await asyncio.sleep(0.02)

        assert (await hub.readiness())["parts"]["broker"] == "down"

        assert hub.transport is not None
        queue = AmqpDestination(
            RECIPIENT, hub.transport.publisher, public_url="https://hub.example"
        )
        parcel = Parcel("d-1", "N7", RECIPIENT, 1, False, "", b"{}", True, "e1", 1, False)
        with pytest.raises(Unavailable) as refused:
            await queue.send(parcel)
        # Nothing left: a recall would tell a partner of what it never got.
        assert refused.value.code is Code.UNAVAILABLE
