"""Every way out but webhooks: no connection to an address that the hub must not reach."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from adapters.consent.fhir_server import FhirConsentServer
from adapters.destinations.breaker import Breaker
from adapters.destinations.courier import Courier
from adapters.destinations.fhir import FhirDestination
from adapters.destinations.mllp import MllpDestination
from adapters.mesh.mailbox import Mailbox
from adapters.mesh.site import MeshSite
from adapters.outward import Resolve, allowed
from adapters.sftp.line import SftpLine
from adapters.trust import trusted
from hub.domain.carriage import Parcel
from hub.domain.partner import SftpPlace
from hub.domain.register import Asked
from hub.errors import Code, HubError, Rejected
from hub.settings import is_loopback
from mappings.formats.json_strict import parse
from tests.contract import test_fhir_destination, test_mllp_destination
from tests.contract.test_outward import (
    INNER,
    INNER_V6,
    Numeric,
    connects,  # noqa: F401 - a fixture
    names,
    spelled,
)
from tests.unit.services.world import partner

TABLE = dict(names())
NEVER = Breaker(threshold=10**6)
MACHINE = trusted(None)  # reading the machine's authorities hundreds of times takes long


def public(host: str) -> bool:
    """Tell whether the system reads *host* as a public address: ``010.0.0.1`` is 8.0.0.1."""
    try:
        found = socket.getaddrinfo(host, 443, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return all(allowed(ip_address(str(one[4][0]).partition("%")[0])) for one in found)


HOSTS = tuple(
    host
    for host in (
        *(host for address in INNER for host in spelled(address)),
        *(f"[{address}]" for address in INNER_V6),
        *TABLE,
    )
    # This machine by its plain name is what a demonstration configures; no other name is.
    if not is_loopback(host.strip("[]")) and not public(host.strip("[]"))
)
WANTED = {Code.FORBIDDEN, Code.CONFIGURATION, Code.UNAVAILABLE}

Try = Callable[[str, Resolve], Awaitable[None]]


async def in_fhir(host: str, resolve: Resolve) -> None:
    """Send a message in FHIR."""
    url = f"https://{host}/fhir/$process-message"
    line = FhirDestination(url, verify=MACHINE, breaker=NEVER, resolve=resolve)
    try:
        await line.send(test_fhir_destination.PARCEL)
    finally:
        await line.close()


async def over_mllp(host: str, resolve: Resolve) -> None:
    """Send a message in HL7 v2."""
    line = MllpDestination(host.strip("[]"), 2575, tls=MACHINE, breaker=NEVER, resolve=resolve)
    await line.send(test_mllp_destination.PARCEL)


async def code_of(way: Try, host: str) -> Code:
    """Return the code of what becomes of it; connecting is what must not happen."""
    try:
        await way(host, Numeric(TABLE))
    except HubError as fault:
        return fault.code
    return Code.INTERNAL


@pytest.mark.parametrize("way", [in_fhir, over_mllp])
async def test_no_spelling_of_an_inner_address_is_connected_to(
    connects: list[Any],  # noqa: F811
    way: Try,
) -> None:
    """Three hundred and more, by number, by name, with and without a public neighbour."""
    told = {host: await code_of(way, host) for host in HOSTS}

    assert len(told) >= 300
    assert connects == []
    assert {host: code for host, code in told.items() if code not in WANTED} == {}
    assert sum(code is Code.FORBIDDEN for code in told.values()) >= 180


async def inner(_host: str, _port: int) -> Sequence[str]:
    """Resolve everything to where a cloud tells its machines their secrets."""
    return ["169.254.169.254"]


async def private(_host: str, _port: int) -> Sequence[str]:
    """Resolve everything into the site's own network."""
    return ["10.0.0.1"]


async def test_a_consent_server_is_not_asked_there(connects: list[Any]) -> None:  # noqa: F811
    """Nor are the children's ids told to it."""
    server = FhirConsentServer(
        "https://consent.example/fhir", lambda raw: {}, parse, ids="x", resolve=inner
    )
    with pytest.raises(Rejected):
        await server.read(Asked("ep-1", ("s1",), {}))
    await server.close()

    assert connects == []


async def test_an_answer_is_not_carried_there(
    connects: list[Any],  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is let go at once, and not tried again."""
    courier = Courier(waits=(0, 0, 0), resolve=inner)
    with caplog.at_level(logging.WARNING, "hub.courier"):
        courier.carry(partner("SCH-A", "SCH"), "https://cms.example/answers", b"{}")
        await asyncio.wait(set(courier._under_way), timeout=20)
    await courier.close()

    assert connects == []
    assert [one.code for one in caplog.records] == ["E_FORBIDDEN"]  # type: ignore[attr-defined]


async def test_no_file_is_put_there(connects: list[Any], tmp_path: Path) -> None:  # noqa: F811
    """An SFTP server that is named to be somebody else's is not even greeted."""
    place = SftpPlace("files.example", 22, "ecaf", "/in", tmp_path / "key", tmp_path / "hosts")
    line = SftpLine(place, resolve=inner)
    with pytest.raises(Rejected):
        async with line.session():
            raise AssertionError("there is no session")

    assert connects == []


async def test_mesh_is_not_there(
    connects: list[Any],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a message nor the mailbox's password goes to an inner address by MESH's name."""
    for name in ("password", "key"):
        (tmp_path / name).write_text("secret")
        (tmp_path / name).chmod(0o600)

    def leads_inside(*_about: Any, **_more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    site = MeshSite("https://mesh.example", "X26ABC1", tmp_path / "password", tmp_path / "key")
    mailbox = Mailbox(site, threads=1)
    monkeypatch.setattr(socket, "getaddrinfo", leads_inside)
    with pytest.raises(Rejected):
        await mailbox.handshake()
    with pytest.raises(Rejected):
        await mailbox.send("X26ABC2", b"{}", workflow="CAF_EPISODE", local_id="d-1")
    await mailbox.close()

    assert connects == []


async def test_a_partner_inside_is_reached_where_its_profile_says_so() -> None:
    """`reach: private` opens the site's own network for one partner, and nothing else."""
    line = FhirDestination(
        "https://cms.example/fhir/$process-message", verify=MACHINE, resolve=private
    )
    with pytest.raises(Rejected):
        await line.send(test_fhir_destination.PARCEL)
    await line.close()

    tried = await _dialled("10.0.0.1", "private")
    never = await _dialled("169.254.169.254", "private")

    assert tried == ["10.0.0.1"]
    assert never == []


async def _dialled(address: str, reach: Any) -> list[str]:
    """Return what MLLP would dial; the dialling itself is taken away."""
    dialled: list[str] = []

    async def there(_host: str, _port: int) -> Sequence[str]:
        return [address]

    async def dial(host: str, *_about: Any, **_more: Any) -> Any:
        dialled.append(host)
        raise OSError

    parcel: Parcel = replace(test_mllp_destination.PARCEL)
    line = MllpDestination("tie.example", 2575, breaker=NEVER, reach=reach, resolve=there)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "open_connection", dial)
        with pytest.raises(HubError):
            await line.send(parcel)
    return dialled
