"""Which client certificates a partner may come with: lists of them in its profile."""

import re
from collections.abc import MutableMapping
from typing import Final

from adapters.partners.values import matching
from hub.domain.certificates import Certified
from hub.positioned import Value

_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.ASCII
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIVE: Final = 2


def read_https(value: Value) -> Certified:
    """Return the certificates with which a partner comes to the HTTP door."""
    listed = value.mapping("certificates").need("certificates")
    found = read_certificates(listed)
    if not found.fingerprints and not found.hosts:
        listed.error("name at least one certificate")
    return found


def read_certificates(listed: Value | None) -> Certified:
    """Return the certificates of a list, none where there is none; every fault has its place."""
    fingerprints: set[str] = set()
    hosts: set[str] = set()
    for item in listed.sequence() if listed else ():
        one = item.mapping("sha256", "dns")
        digest, host = one.get("sha256"), one.get("dns")
        if (digest is None) == (host is None):
            item.error("give either sha256 or dns")
        if digest is not None:
            fingerprints.add(matching(digest, _SHA256, "64 lower-case hex digits"))
        if host is not None:
            hosts.add(matching(host, _HOST, "a whole name in small letters, without wildcards"))
        if len(fingerprints) + len(hosts) > _LIVE:
            item.error("at most two certificates, so that one can replace the other")
    return Certified(frozenset(fingerprints), frozenset(hosts))


def certified_alone(
    partner: str, one: Certified, used: MutableMapping[str, str], place: Value, door: str
) -> None:
    """Check that nobody else has the partner's certificates at *door*; *used* says who has what."""
    proofs = [f"sha256 {found}" for found in one.fingerprints]
    proofs += [f"dns {found}" for found in one.hosts]
    for proof in sorted(proofs):
        if used.setdefault(f"{door} {proof}", partner) != partner:
            name = {"mllp": "MLLP"}.get(door, "HTTP")
            place.error(f"another partner has the same certificate at the {name} door")
