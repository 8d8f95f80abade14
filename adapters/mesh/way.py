"""mesh-client's connections, made to the addresses that were judged (`adapters.outward`).

urllib3 resolves in one place, by the name of its connection: for the time of dialling that name is
an address.  TLS and Host see the name as before.
"""

from functools import partial
from socket import socket

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from adapters.outward import Way


def go_by(session: Session, way: Way) -> None:
    """Let every connection of *session* be one to the host of *way*, to an address that is allowed.

    A request then raises `Rejected` where the name leads to another.
    """
    plain: type[HTTPConnection] = type("_Plain", (_Judged, HTTPConnection), {"way": way})
    secure: type[HTTPSConnection] = type("_Secure", (_Judged, HTTPSConnection), {"way": way})
    pools = {
        "http": type("_PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            adapter.poolmanager.pool_classes_by_scheme = pools


class _Judged(HTTPConnection):
    """A connection whose address was judged."""

    way: Way

    def _new_conn(self) -> socket:
        name = self._dns_host
        fault: Exception = NewConnectionError(self, "no address")
        try:
            found = self.way.addresses_now(self.port or 443)
        except OSError:
            raise fault from None
        dial = partial(super()._new_conn)
        try:
            for address in found:
                self._dns_host = address
                try:
                    return dial()
                except (NewConnectionError, ConnectTimeoutError) as refused:
                    fault = refused
        finally:
            self._dns_host = name
        raise fault
