"""FHIR from end to end over sockets: the hub to another hub, and to a partner's system."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.destinations.breaker import Breaker
from adapters.destinations.fhir import FhirDestination
from adapters.partners.double.caller import Caller, Credentials
from adapters.partners.double.http import Listener
from adapters.partners.double.mailbox import Mailbox
from adapters.partners.double.partner import Double
from hub.api.app import create_app
from hub.api.serving import listening
from hub.errors import Rejected
from hub.scenarios.processes import free_port
from hub.secrets import Secret
from hub.settings import Listen
from tests.contract.test_fhir_destination import PARCEL
from tests.unit.fhir.door import fhir_door, opened

PROCESS = "/fhir/$process-message"


async def test_a_hub_delivers_to_a_hub() -> None:
    """What one hub's destination sends, another's door takes and acknowledges; a repeat as well."""
    parcel = replace(PARCEL, body=opened(header="m-9", bundle="b-9"), delivery_id="m-9")
    async with fhir_door() as door:
        settings = replace(door.hub.settings, listen=Listen("127.0.0.1", 0))
        async with listening(create_app(door.hub), settings, support_contact="s@x") as served:
            line = FhirDestination(
                served[0].address + PROCESS,
                token=Secret(door.keys["SCH-A"]),
                breaker=Breaker(threshold=10**6),
            )
            with pytest.raises(Rejected):
                await line.send(parcel)
            await door.world.decide("SCH-A", door.world.store_only())
            again = replace(parcel, body=opened(header="m-10", bundle="b-10"))
            outcomes = [await line.send(again) for _ in range(2)]
            await line.close()

    assert all(one.delivered for one in outcomes)
    assert len(door.world.store._tables.versions) == 1


async def test_a_partner_acknowledges_in_fhir(tmp_path: Path) -> None:
    """The double keeps the bytes as they came, under the message's own id, and knows a repeat."""
    port = free_port()
    profile = {"partner": "EHM-A", "deliver": {"channel": "fhir"}}
    mailbox = Mailbox(tmp_path)
    caller = Caller("http://127.0.0.1:1", Credentials.load(_credentials(tmp_path)))
    double = Double(profile, caller, mailbox, b"t0ken")
    listener = Listener("127.0.0.1", port, double.on_hook, None)
    await listener.open()
    try:
        url = f"http://127.0.0.1:{port}{PROCESS}"
        line = FhirDestination(url, token=Secret("t0ken"))
        first = await line.send(PARCEL)
        second = await line.send(replace(PARCEL, possible_duplicate=True))
        stranger = FhirDestination(url, token=Secret("another"))
        with pytest.raises(Rejected):
            await stranger.send(PARCEL)
        await line.close()
        await stranger.close()
    finally:
        await listener.close()
        await caller.close()

    assert first.delivered
    assert second.delivered
    (kept,) = mailbox.received
    assert (kept.delivery_id, kept.via) == (PARCEL.delivery_id, "fhir")
    assert kept.digest == hashlib.sha256(PARCEL.body).hexdigest()
    assert mailbox.duplicates == [PARCEL.delivery_id]
    assert mailbox.faults == ["a message without its token"]


def _credentials(folder: Path) -> Path:
    path = folder / "own.json"
    path.write_text('{"api_key": "hubk_EHM-A.k1.x"}')
    return path
