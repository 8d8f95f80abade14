"""Who sends over MLLP: a client certificate and the names in MSH-3 and MSH-4, which must agree.

Fails closed (`reliability.md` 5.6): a certificate that no profile names, a name that is not that
certificate's, a profile without the one or the other, all get the same refusal.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from time import time
from typing import Any, Final

from adapters.mllp.header import Header
from hub.domain.partner import MllpSender, Partner, Registry
from hub.domain.suspension import refuse_suspended
from hub.errors import Code, Fault, Forbidden, Unauthorised

_NAMES: Final = "have MSH-3, MSH-4 and the client certificate entered in the partner profile"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who a connection proved to be: a certificate, or (*plain*) somebody on this machine."""

    plain: bool
    fingerprint: str = ""
    hosts: frozenset[str] = frozenset()
    until: float = float("inf")

    @classmethod
    def of(cls, connection: ssl.SSLObject | ssl.SSLSocket | None) -> "Peer":
        """Return the peer behind a TLS connection whose certificate was verified; of ``None``, a
        plain one.
        """
        if connection is None:
            return cls(plain=True)
        shown: Any = connection.getpeercert() or {}
        raw = connection.getpeercert(binary_form=True) or b""
        return cls(
            plain=False,
            fingerprint=sha256(raw).hexdigest() if raw else "",
            hosts=frozenset(
                name.lower() for kind, name in shown.get("subjectAltName", ()) if kind == "DNS"
            ),
            until=ssl.cert_time_to_seconds(shown["notAfter"]) if "notAfter" in shown else 0.0,
        )


@dataclass(frozen=True, slots=True)
class Known:
    """A partner as which a message may be taken, and how its profile spells its names."""

    partner: Partner
    names: tuple[str, str]
    sender: MllpSender


@dataclass(frozen=True, slots=True)
class Senders:
    """Finds the partner behind a connection and a message; reads the registry every time."""

    registry: Callable[[], Registry]
    today: Callable[[], date]
    wall: Callable[[], float] = time

    def knows(self, peer: Peer) -> bool:
        """Return whether any profile is for this peer."""
        return any(_is(peer, one.mllp) for one in self.registry().credentials.values())

    def who(self, peer: Peer, header: Header) -> Known:
        """Return the partner; `Unauthorised` where certificate and names are not one partner's,
        `Forbidden` where that partner's accreditation does not cover today.
        """
        registry = self.registry()
        names = (header.application, header.facility)
        for name, held in registry.credentials.items():
            sender = held.mllp
            if sender is None or not _is(peer, sender) or names not in sender.names:
                continue
            partner = registry.partners.get(name)
            if partner is None or (not peer.plain and peer.until <= self.wall()):
                break
            _accredited(partner, self.today())
            return Known(replace(partner, acting=sender.acting), names, sender)
        fault = Fault(Code.UNAUTHENTICATED, "message[0].MSH.3", _NAMES)
        raise Unauthorised(
            Code.UNAUTHENTICATED, "this connection may not send under these names", (fault,)
        )


def _is(peer: Peer, sender: MllpSender | None) -> bool:
    if sender is None:
        return False
    if peer.plain or sender.plain:
        return peer.plain and sender.plain
    return peer.fingerprint in sender.fingerprints or bool(peer.hosts & sender.hosts)


def _accredited(partner: Partner, day: date) -> None:
    """Refuse who may not come in today, as the HTTP door does (`domain.md` 5.1)."""
    refuse_suspended(partner.suspended)
    if partner.accredited(day):
        return
    remedy = "have accreditation, stage and signed protocol looked at by the sponsoring authority"
    fault = Fault(Code.ORG_NOT_ACCREDITED, remedy=remedy)
    raise Forbidden(Code.ORG_NOT_ACCREDITED, "the sender is not accredited today", (fault,))
