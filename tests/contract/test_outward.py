"""No connection to an address that the hub must not reach, however it is spelled: at the socket."""

import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from adapters.destinations.webhook import GONE_SECONDS, WebhookDestination
from adapters.outward import Resolve, allowed, resolved
from adapters.trust import trusted
from hub.errors import Code, HubError, Misconfigured, Rejected, Unavailable
from hub.secrets import Secret
from tests.contract.receiver import receiver, status
from tests.contract.test_destinations import LIMITS, PARCEL, PUBLIC, SECRET

INNER = (
    "127.0.0.1", "127.8.8.8", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "100.64.0.1", "100.100.100.200", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1",
    "192.0.0.192", "168.63.129.16",
)  # fmt: skip
INNER_V6 = (
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001::1",
    "2001:db8::1", "2002:7f00:1::", "3fff::1", "100::1", "5f00::1", "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1", "::ffff:0:127.0.0.1",
)  # fmt: skip
SECRETS = (Secret(SECRET),)


def spelled(address: str) -> Iterator[str]:
    """Yield the ways to write one IPv4 address as a host."""
    a, b, c, d = (int(part) for part in address.split("."))
    number = int(IPv4Address(address))
    yield address
    yield f"{address}."
    yield str(number)
    yield hex(number)
    yield f"0{number:o}"
    yield ".".join(f"0{part:o}" for part in (a, b, c, d))
    yield ".".join(hex(part) for part in (a, b, c, d))
    yield ".".join(f"{part:03d}" for part in (a, b, c, d))
    yield f"{a}.{b * 65536 + c * 256 + d}"
    yield f"{a}.{b}.{c * 256 + d}"
    yield f"0x{a:x}.{b}.0{c:o}.{d}"
    yield f"{a + 256}.{b}.{c}.{d}"
    yield "".join(f"%{ord(sign):02x}" for sign in address)
    yield address.translate({ord("0") + n: ord("０") + n for n in range(10)})
    yield address.replace(".", "。")
    yield f"[::ffff:{address}]"
    yield f"[::ffff:{a:02x}{b:02x}:{c:02x}{d:02x}]"
    yield f"[::{address}]"
    yield f"[64:ff9b::{address}]"
    yield f"[64:ff9b:1::{address}]"
    yield f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]"
    yield f"[2001:0:{a:02x}{b:02x}:{c:02x}{d:02x}::1]"
    yield f"[fe80::5efe:{address}]"
    yield f"partner.example@{address}"
    yield f"partner.example:secret@{address}"


def names() -> Iterator[tuple[str, list[str]]]:
    """Yield names that lead inside, alone or beside an address that serves the public."""
    for number, address in enumerate((*INNER, *INNER_V6)):
        yield f"n{number}.example", [address]
        yield f"b{number}.example", ["93.184.216.34", address]
    yield "localhost.", ["127.0.0.1"]
    yield "ip6-localhost", ["::1"]
    yield "nothing.example", ["not an address"]
    yield "zone.example", ["fe80::1%1"]


class Numeric:
    """Resolves what needs no server: numbers as the system reads them, and names of a table."""

    def __init__(self, table: dict[str, list[str]]) -> None:
        self.table = table

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if host in self.table:
            return self.table[host]
        numeric = socket.AI_NUMERICHOST
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
        return [str(one[4][0]) for one in found]


SEEN: list[Any] = []
WATCHING: list[bool] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and WATCHING:
        SEEN.append(arguments[1])


sys.addaudithook(_watch)


@pytest.fixture
def connects() -> Iterator[list[Any]]:
    """Every address that anything in this process connects to, as the interpreter's audit says."""
    SEEN.clear()
    WATCHING.append(True)
    yield SEEN
    WATCHING.clear()


def hook(url: str, resolve: Resolve = resolved, **more: Any) -> WebhookDestination:
    """Return a webhook to *url*."""
    return WebhookDestination(
        url, SECRETS[0], public_url=PUBLIC, limits=LIMITS, resolve=resolve, **more
    )


async def outcome(url: str, resolve: Resolve) -> Code:
    """Return the code of what becomes of a parcel; connecting is what must not happen."""
    try:
        one = hook(url, resolve)
    except Misconfigured as fault:
        return fault.code
    try:
        await one.send(PARCEL)
    except HubError as fault:
        return fault.code
    finally:
        await one.close()
    return Code.INTERNAL


async def test_no_spelling_of_an_inner_address_is_connected_to(
    connects: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hundred and more, by number, by name, with and without a public neighbour."""
    machine = trusted(None)  # reading the machine's authorities three hundred times takes long
    monkeypatch.setattr("adapters.destinations.webhook.trusted", lambda _file: machine)
    table = dict(names())
    urls = [f"https://{host}/hook" for address in INNER for host in spelled(address)]
    urls += [f"https://[{address}]/hook" for address in INNER_V6]
    urls += [f"https://{host}:{port}/hook" for host in table for port in (443, 22)]
    # This machine by its plain name is what a demonstration configures; no other name is.
    urls = [url for url in urls if url not in PLAIN]
    told = {url: await outcome(url, Numeric(table)) for url in urls}

    assert len(told) >= 300
    assert connects == []
    wanted = {Code.FORBIDDEN, Code.CONFIGURATION, Code.UNAVAILABLE}
    assert {url: code for url, code in told.items() if code not in wanted} == {}
    assert sum(code is Code.FORBIDDEN for code in told.values()) >= 200


PLAIN = {"https://127.0.0.1/hook", "https://127.8.8.8/hook", "https://[::1]/hook"}


async def test_the_address_that_was_judged_is_the_one_that_is_dialled(connects: list[Any]) -> None:
    """A name that flips after the first answer is asked once, and what it said then is judged."""
    asked = []

    async def flips(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with receiver() as far:
        one = hook(far.url.replace("127.0.0.1", "localhost"), flips)
        await one.send(PARCEL)
        first = list(connects)
        with pytest.raises(Rejected):
            await one.send(replace(PARCEL, delivery_id="d-2"))
        await one.close()

    port = int(far.url.rpartition(":")[2].partition("/")[0])
    assert first == [("127.0.0.1", port)]
    assert connects == first
    assert asked == ["localhost", "localhost"]
    assert len(far.received) == 1


async def test_this_machine_by_its_plain_name_is_this_machine_only(connects: list[Any]) -> None:
    """`localhost` that leads elsewhere is not followed there either."""
    for address in ("93.184.216.34", "10.0.0.1", "169.254.169.254"):
        told = await outcome("http://localhost:9/hook", Numeric({"localhost": [address]}))
        assert told is Code.FORBIDDEN
    assert connects == []


async def test_a_redirect_inside_is_not_followed(connects: list[Any]) -> None:
    """Nor is one to a metadata service, whatever its status."""
    async with receiver() as far:
        port = int(far.url.rpartition(":")[2].partition("/")[0])
        for code in (301, 302, 303, 307, 308):
            far.answers.append(status(code, "Location: http://169.254.169.254/latest"))
            one = hook(far.url)
            with pytest.raises(Rejected):
                await one.send(PARCEL)
            await one.close()

    assert {address[1] for address in connects} == {port}


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1::1", True, True),
        ("10.1.2.3", False, True),
        ("172.31.255.255", False, True),
        ("172.32.0.1", True, True),
        ("192.168.0.1", False, True),
        ("fd12::1", False, True),
        ("fd00:ec2::254", False, False),
        ("fd12::1%eth0", False, False),
        *(
            (address, False, False)
            for address in INNER
            if not address.startswith(("10.", "172.", "192.168."))
        ),
        *((address, False, False) for address in INNER_V6 if not address.startswith("fc00")),
    ],
)
def test_what_may_be_reached(address: str, public: bool, private: bool) -> None:
    """Inside only where the profile says so; what serves one machine or network alone, never."""
    found = ip_address(address)

    assert (allowed(found), allowed(found, "private")) == (public, private)


async def test_an_address_that_is_gone_is_not_asked_again() -> None:
    """410: this delivery is refused, and the next ones wait without a request, for an hour."""
    clock = [0.0]
    monotonic: Callable[[], float] = lambda: clock[0]  # noqa: E731
    async with receiver() as far:
        far.answers.append(status(410))
        one = hook(far.url, monotonic=monotonic)
        with pytest.raises(Rejected) as gone:
            await one.send(PARCEL)
        with pytest.raises(Unavailable) as later:
            await one.send(replace(PARCEL, delivery_id="d-2"))
        assert len(far.received) == 1
        clock[0] = GONE_SECONDS
        await one.send(replace(PARCEL, delivery_id="d-2"))
        await one.close()

    assert gone.value.code is Code.GONE
    assert later.value.retry_after == GONE_SECONDS
    assert len(far.received) == 2


async def test_two_secrets_sign_while_one_replaces_the_other() -> None:
    """A receiver that has either of them takes it; one that has neither does not."""
    other, third = ("whsec_" + letters * 12 for letters in ("Tm90", "WmVy"))
    async with receiver() as far:
        one = hook(far.url, next_secret=Secret(other))
        await one.send(PARCEL)
        await one.close()
    (request,) = far.received
    for secret in (SECRET, other):
        Webhook(secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(third).verify(request.body, request.headers)
