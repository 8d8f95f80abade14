"""Access tokens of an issuer outside: RFC 9068 (`reliability.md` 5.6: the hub may be a resource
server).

For sites whose council or trust gives tokens to every system already.  The issuer is one, by
setting; its keys are a file of the operator's, so that no token can say where to fetch one.  Keys
are pinned to ES384 or RS384.  Who calls is the claim ``client_id``, which must be the name of a
partner; what it may do is its profile, narrowed by the token's ``scope``.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from adapters.partners.jwks import read_jwks
from adapters.tokens import (
    ASSERTION_ALGORITHMS,
    LARGEST,
    LEEWAY,
    Bearer,
    check_signature,
    members_of,
    moment_of,
    refused,
)
from hub.errors import Code, Fault, Misconfigured

log = logging.getLogger("hub.issuer")

TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
LONGEST: Final = 3_600
"""Seconds that a token may still hold; one that holds for ever is no access token."""
_HEADER_MEMBERS: Final = frozenset({"alg", "typ", "kid"})


class Recogniser(Protocol):
    """What recognises access tokens."""

    def recognise(self, token: str) -> Bearer:
        """Return the holder, or raise `Unauthorised`."""
        ...


class Issuer:
    """Recognises the access tokens of one issuer for one audience."""

    def __init__(
        self,
        issuer: str,
        jwks: Path,
        audience: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read the keys; raises `Misconfigured` where *jwks* holds none that can be used."""
        self.issuer = issuer
        self._path = jwks
        self._audience = audience
        self._clock = clock
        try:
            self._keys: Sequence[Mapping[str, Any]] = read_jwks(jwks)
        except (OSError, ValueError) as wrong:
            fault = Fault(Code.CONFIGURATION, "ECAF_TOKEN_ISSUER_JWKS", str(wrong))
            raise Misconfigured(
                Code.CONFIGURATION, "the issuer's keys cannot be used", (fault,)
            ) from wrong
        self._read_at = jwks.stat().st_mtime_ns

    def recognise(self, token: str) -> Bearer:
        """Return who holds *token*; `Unauthorised` where it is not this issuer's, not for this hub,
        or over.
        """
        parts = token.split(".")
        if len(token) > LARGEST or len(parts) != 3 or not token.isascii():
            raise refused()
        header = members_of(parts[0])
        # A header names a key that the operator gave, and nothing else (no jwk, jku, x5u, crit).
        if not set(header) <= _HEADER_MEMBERS or header.get("alg") not in ASSERTION_ALGORITHMS:
            raise refused()
        if str(header.get("typ", "")).lower() not in TYPES:
            raise refused()
        keys = [key for key in self._current() if key["kid"] == header.get("kid")]
        if len(keys) != 1 or keys[0]["alg"] != header["alg"]:
            raise refused()
        claims = check_signature(token, keys[0], str(header["alg"]))
        audience = claims.get("aud")
        if claims.get("iss") != self.issuer or audience not in (self._audience, [self._audience]):
            raise refused()
        return self._holder(claims)

    def _holder(self, claims: Mapping[str, Any]) -> Bearer:
        now = self._clock()
        expires_at = moment_of(claims, "exp")
        if expires_at is None or not now < expires_at <= now + LONGEST + LEEWAY:
            raise refused("", "ask the issuer for a new access token")
        for member in ("nbf", "iat"):
            moment = moment_of(claims, member)
            if moment is not None and moment > now + LEEWAY:
                raise refused("", "the token is not valid yet: check the clock")
        name, scope = claims.get("client_id"), claims.get("scope")
        if not isinstance(name, str) or not isinstance(scope, str):
            raise refused()
        return Bearer(name, frozenset(scope.split()), expires_at)

    def _current(self) -> Sequence[Mapping[str, Any]]:
        """Return the keys, read again if the file was replaced; the old ones if that is no file."""
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._read_at:
                self._keys, self._read_at = read_jwks(self._path), changed
        except (OSError, ValueError):
            log.warning("issuer keys unreadable", extra={"code": Code.CONFIGURATION.value})
        return self._keys


class Recognisers:
    """The hub's own desk, if there is one, and the issuer outside: each knows its own tokens."""

    def __init__(self, own: Recogniser | None, outside: Issuer) -> None:
        self._own = own
        self._outside = outside

    def recognise(self, token: str) -> Bearer:
        """Return who holds *token*; the issuer that it names is asked, and no other."""
        parts = token.split(".")
        if len(token) > LARGEST or len(parts) != 3 or not token.isascii():
            raise refused()
        if members_of(parts[1]).get("iss") == self._outside.issuer:
            return self._outside.recognise(token)
        if self._own is None:
            raise refused()
        return self._own.recognise(token)
