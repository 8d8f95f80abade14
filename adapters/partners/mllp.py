"""As whom a partner may come to the MLLP door: the part ``credentials.mllp`` of its profile.

A certificate belongs to one partner, and so does a pair of names (MSH-3, MSH-4): who holds the one
may use the other, and nobody else (`reliability.md` 5.6).
"""

import re
from collections.abc import MutableMapping
from typing import Final
from urllib.parse import urlsplit

from adapters.partners.certified import certified_alone, read_certificates
from adapters.partners.values import matching
from hub.domain.certificates import Certified
from hub.domain.partner import MllpSender
from hub.positioned import Value
from hub.settings import is_loopback

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,179}", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


def read_mllp(value: Value) -> MllpSender:
    """Return the sender that a profile describes; every fault has its place."""
    told = value.mapping("senders", "certificates", "plain", "acting", "referrals")
    names: set[tuple[str, str]] = set()
    place = told.need("senders")
    for item in place.sequence():
        pair = item.mapping("application", "facility")
        name = (_named(pair.need("application")), _named(pair.need("facility")))
        if name in names:
            item.error("is listed twice")
        names.add(name)
    if not names:
        place.error("name at least one application and facility (MSH-3, MSH-4)")
    listed, plain = told.get("certificates"), told.get("plain")
    held = read_certificates(listed)
    if plain is not None:
        plain.one_of("loopback")
        if listed is not None:
            plain.error("is for partners without certificates: give one or the other")
    elif not held.fingerprints and not held.hosts:
        value.error("needs certificates (or plain: loopback, for this machine only)")
    acting, referrals = told.get("acting"), told.get("referrals")
    answers = "ack" if referrals is None else referrals.one_of("ack", "rri")
    return MllpSender(
        names=frozenset(names),
        fingerprints=held.fingerprints,
        hosts=held.hosts,
        plain=plain is not None,
        acting=None if acting is None else matching(acting, _USER, "a reference, never a name"),
        referrals="rri" if answers == "rri" else "ack",
    )


def _named(value: Value) -> str:
    return matching(value, _NAME, "letters, digits and . _ : / @ + -, as in MSH")


def alone(partner: str, one: MllpSender, used: MutableMapping[str, str], place: Value) -> None:
    """Check that nobody else has the partner's names or certificates; *used* says who has what."""
    certified_alone(partner, Certified(one.fingerprints, one.hosts), used, place, "mllp")
    for application, facility in sorted(one.names):
        if used.setdefault(f"mllp {application}|{facility}", partner) != partner:
            place.error("another partner sends under the same application and facility (MLLP)")


def mllp_address(value: Value) -> tuple[str, int, bool]:
    """Return host, port and whether it is TLS of ``mllps://host:port``, or of ``mllp://`` to this
    machine.
    """
    try:
        parts = urlsplit(value.text())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    bare = value.text() == f"{parts.scheme}://{parts.netloc}" if host else False
    if (
        not bare
        or parts.scheme not in ("mllp", "mllps")
        or not host
        or not port
        or "@" in parts.netloc
    ):
        value.error("must be mllps://host:port, and nothing else")
    if parts.scheme == "mllp" and not is_loopback(host):
        value.error("must be mllps:// unless it is this machine")
    return host, port, parts.scheme == "mllps"
