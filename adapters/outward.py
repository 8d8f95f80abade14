"""The way out: a name is resolved once, its addresses are judged, and one of them is connected to.

Source: `reliability.md` 5.14 and promise P35.  What a name leads to is decided by whoever keeps its
zone, and may be another address each time: so the address that was judged is the one that is
dialled, with the name for TLS and Host.  Wherever the Internet does not route, the hub does not go,
unless the profile says that the partner is inside (``reach: private``); and to nothing that only
serves a machine's own network (link-local, metadata services, multicast, addresses that hold
another address) in any case.  `Way` is for every protocol, `Outward` goes it in HTTP.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx

from hub.errors import Code, Misconfigured, Rejected
from hub.settings import is_loopback

Reach = Literal["public", "private"]
Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_NO_V4: Final = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # a public address that a cloud answers inside its machines only
    )
)  # fmt: skip
_INSIDE_V4: Final = tuple(
    IPv4Network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
"""All that is allocated; mapped, translated, local and multicast addresses are outside it."""
_NO_V6: Final = tuple(
    IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_INSIDE_V6: Final = IPv6Network("fc00::/7")
_NO_INSIDE_V6: Final = IPv6Network("fd00:ec2::/32")
_TRIES: Final = 3


def allowed(address: Address, reach: Reach = "public") -> bool:
    """Return whether the hub may connect to *address*.

    >>> allowed(ip_address("64:ff9b::169.254.169.254")), allowed(ip_address("10.0.0.1"))
    (False, False)
    >>> allowed(ip_address("10.0.0.1"), "private"), allowed(ip_address("169.254.1.1"), "private")
    (True, False)
    """
    if isinstance(address, IPv4Address):
        inside = any(address in net for net in _INSIDE_V4)
        return (reach == "private" or not inside) and not any(address in net for net in _NO_V4)
    if address in _INSIDE_V6:
        return reach == "private" and address not in _NO_INSIDE_V6 and address.scope_id is None
    return address in _GLOBAL_V6 and not any(address in net for net in _NO_V6)


async def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses of *host*, in the system's order; `OSError` where it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class Way:
    """The way to one configured host, judged anew for every connection."""

    def __init__(
        self,
        host: str,
        *,
        reach: Reach = "public",
        resolve: Resolve = resolved,
        own: bool | None = None,
    ) -> None:
        """Be ready to go to *host*; *own*: it is this machine, as its plain spelling says."""
        self._host, self._reach, self._resolve = host, reach, resolve
        self._own = is_loopback(host) if own is None else own

    async def addresses(self, port: int) -> Sequence[str]:
        """Return where to connect, at most three, in the system's order; `OSError` where the name
        leads nowhere, `Rejected` where it leads to an address that is not allowed.
        """
        try:
            found = await self._resolve(self._host, port)
        except UnicodeError:
            raise OSError("no name of a host") from None
        return self._judged(found)

    def addresses_now(self, port: int) -> Sequence[str]:
        """As `addresses`, for a thread of its own: asks the system, and blocks meanwhile."""
        try:
            found = socket.getaddrinfo(self._host, port, type=socket.SOCK_STREAM)
        except UnicodeError:
            raise OSError("no name of a host") from None
        return self._judged(list(dict.fromkeys(str(one[4][0]) for one in found)))

    def _judged(self, found: Sequence[str]) -> Sequence[str]:
        if not found:
            raise OSError("no address")
        if not all(self._may(one) for one in found):
            # One of several is enough: nobody who serves the public needs it.
            raise Rejected(Code.FORBIDDEN, "the destination's name leads to an inner address")
        return found[:_TRIES]

    def _may(self, text: str) -> bool:
        try:
            address = ip_address(text)
        except ValueError:
            return False
        return address.is_loopback if self._own else allowed(address, self._reach)


def _host(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        raise Misconfigured(Code.CONFIGURATION, "an address must be a URL") from None
    if not parts.host or parts.userinfo:
        raise Misconfigured(Code.CONFIGURATION, "an address has a host and no user")
    return parts.host


def _plainly_here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


class Outward(httpx.AsyncBaseTransport):
    """Carries requests of one client to the host that was configured, and nowhere else."""

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext,
        limits: httpx.Limits,
        *,
        reach: Reach = "public",
        resolve: Resolve = resolved,
    ) -> None:
        """Be ready to go to the host of *url*; raises `Misconfigured` if that is no address.

        What is plainly this machine, without any other spelling, may be this machine.
        """
        self._host = _host(url)
        self._way = Way(self._host, reach=reach, resolve=resolve, own=_plainly_here(url))
        # The environment names proxies and certificates; a destination is configured here.
        self._inner = httpx.AsyncHTTPTransport(verify=tls, limits=limits, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request*; raises `Rejected` where its host leads to an address that is not
        allowed, before anything is connected.
        """
        host = request.url.host
        if host != self._host:
            raise Rejected(Code.FORBIDDEN, "the destination is another host than was configured")
        fault = httpx.ConnectError("no address", request=request)
        try:
            found = await self._way.addresses(request.url.port or 443)
        except OSError:
            raise fault from None
        for address in found:
            try:
                return await self._inner.handle_async_request(self._pinned(request, address))
            except httpx.ConnectError as refused:
                fault = refused
        raise fault

    def _pinned(self, request: httpx.Request, address: str) -> httpx.Request:
        return httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,  # with the Host of the name
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
