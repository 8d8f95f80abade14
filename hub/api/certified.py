"""By which client certificate a call came, as the proxy that ends TLS tells it.

Source: `reliability.md` 5.6 (certificates terminated at nginx or HAProxy, handed on over a unix
socket only, the header stripped from outside).  Who can open that socket is who may say so: on any
other way in, the header is air.  A certificate is asked for beside the credential, never instead of
it, and only where the partner's profile names certificates.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hub.api.facade import Hub
from hub.domain.certificates import Shown
from hub.errors import Code, Fault, Misconfigured, Unauthorised
from hub.settings import Settings

HEADER: Final = b"client-cert"
"""RFC 9440; the value as that says (HAProxy), or URL-escaped PEM (nginx)."""

Read = Callable[[bytes], Shown]
"""The header's value to the certificate in it; raises ``ValueError`` where there is none."""


def proxied(settings: Settings) -> bool:
    """Return whether everything comes through a proxy that hands certificates on."""
    return settings.client_certificates and settings.listen.unix is not None


def refuse_uncertified(settings: Settings, certified: Sequence[str]) -> None:
    """Raise `Misconfigured` where profiles name certificates and nobody hands any on."""
    if proxied(settings) or not certified:
        return
    remedy = "needs ECAF_CLIENT_CERTIFICATES=proxy, and ECAF_LISTEN=unix:… behind that proxy"
    faults = [
        Fault(Code.CONFIGURATION, f"partners/{name}.yaml: credentials.https", remedy)
        for name in certified
    ]
    raise Misconfigured(Code.CONFIGURATION, "nobody hands client certificates on", faults)


class Certificates:
    """Holds callers to the certificates of their profiles; reads the registry every time."""

    def __init__(
        self,
        hub: Hub,
        read: Read | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._hub, self._read, self._now = hub, read, now

    def check(self, scope: Mapping[str, Any], given: Mapping[bytes, bytes], partner: str) -> None:
        """Raise `Unauthorised` unless the call came with a certificate of *partner*, if it has any;
        and where it came with one that is somebody else's.
        """
        credentials = self._hub.registry.credentials
        wanted = credentials[partner].https if partner in credentials else None
        shown = self._shown(scope, given)
        if wanted is not None and (shown is None or not wanted.admits(shown)):
            raise _unproved()
        if shown is None:
            return
        others = (held.https for name, held in credentials.items() if name != partner)
        if wanted is None and any(one is not None and one.admits(shown) for one in others):
            raise _unproved()

    def _shown(self, scope: Mapping[str, Any], given: Mapping[bytes, bytes]) -> Shown | None:
        """Return the certificate that the proxy names; ``None`` where there is none to believe."""
        value = given.get(HEADER, b"")
        # A caller on a unix socket has no address; whoever has one did not come by it.
        believed = proxied(self._hub.settings) and scope.get("client") is None
        if not believed or not value or self._read is None:
            return None
        try:
            shown = self._read(value)
        except ValueError:
            raise _unproved() from None
        return shown if shown.until > self._now() else None


def _unproved() -> Unauthorised:
    remedy = "come with a client certificate that the partner profile names"
    fault = Fault(Code.UNAUTHENTICATED, "tls", remedy)
    return Unauthorised(
        Code.UNAUTHENTICATED, "the caller has not proved who it is by its certificate", [fault]
    )
