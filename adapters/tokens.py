"""Access tokens by SMART Backend Services: a signed assertion in, a short-lived token out.

Source: `reliability.md` 5.6 and promise P32, `standards.md` 3.6 (SMART Backend Services).  The home
of joserfc.  Everything here runs on wall-clock time, never on the business clock.
"""

import base64
import binascii
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Protocol

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from hub.domain.partner import Registry
from hub.errors import Code, Fault, Forbidden, Misconfigured, Unauthorised
from hub.secrets import Secret

ASSERTION_ALGORITHMS: Final = ("ES384", "RS384")
ACCESS_ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384"}
ACCESS_TYPE: Final = "at+jwt"
LIFETIME: Final = 300
LONGEST_ASSERTION: Final = 300
LEEWAY: Final = 5
LARGEST: Final = 8 * 1024
_HEADER_MEMBERS: Final = frozenset({"alg", "typ", "kid"})
_JTI: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_CACHED: Final = 1_024


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token, for how many seconds it holds, and which operations it allows."""

    access_token: Secret
    expires_in: int
    operations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who holds a valid access token, and what it allows."""

    partner: str
    operations: frozenset[str]
    expires_at: float


def refused(path: str = "", remedy: str = "") -> Unauthorised:
    """Return the refusal; *path* is only given once the signature has shown who is asking."""
    return Unauthorised(
        Code.UNAUTHENTICATED,
        "the proof of identity was not accepted",
        [
            Fault(
                Code.UNAUTHENTICATED, path=path, remedy=remedy or "see the hub's /docs: POST /token"
            )
        ],
    )


def members_of(segment: str) -> Mapping[str, Any]:
    """Return the JSON object in a base64url *segment*, unverified."""
    if not _SEGMENT.fullmatch(segment):
        raise refused()
    try:
        found = orjson.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, binascii.Error):
        raise refused() from None
    if not isinstance(found, dict):
        raise refused()
    return found


def moment_of(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a claim that is a time, in seconds since 1970; ``None`` where there is none."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise refused(f"client_assertion.{name}", "give seconds since 1970 as a number")
    return float(value)


class TokenLedger(Protocol):
    """Remembers which signed assertions were used, for all processes of the hub together."""

    async def use(self, issuer: str, token_id: str, expires_at: float) -> bool:
        """Return whether this is the first use; *expires_at* is wall-clock seconds since 1970."""
        ...


class TokenDesk:
    """Exchanges client assertions for access tokens, and recognises those tokens again.

    An assertion is accepted once, in whichever process it arrives: the ledger is in the store.
    """

    def __init__(
        self,
        registry: Callable[[], Registry],
        signing_key: Secret,
        public_url: str,
        ledger: TokenLedger,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        try:
            key = import_key(signing_key.reveal(), "EC")
        except (JoseError, ValueError) as error:
            raise _bad_signing_key() from error
        if not key.is_private or key.curve_name not in ACCESS_ALGORITHMS:
            raise _bad_signing_key()
        self._registry = registry
        self._key = key
        self._algorithm = ACCESS_ALGORITHMS[key.curve_name]
        self._kid = key.thumbprint()
        self._public_url = public_url
        self._ledger = ledger
        self._clock = clock
        self._seen: OrderedDict[bytes, Bearer] = OrderedDict()

    @property
    def endpoint(self) -> str:
        """The exact audience that assertions must name."""
        return f"{self._public_url}/token"

    async def grant(
        self, assertion: str, *, client_id: str | None = None, scope: str | None = None
    ) -> Granted:
        """Return an access token for *assertion*; `Unauthorised` or `Forbidden` where it gets none.

        *scope* may ask for less than the profile allows, never for more.
        """
        name, claims = self._verified(assertion)
        expires_at = self._check(name, claims)
        if client_id is not None and client_id != name:
            raise refused("client_id", "must equal the issuer of the assertion, or be left out")
        allowed = self._registry().partners[name].operations
        asked = frozenset(scope.split(" ")) if scope else allowed
        if not asked <= allowed:
            raise Forbidden(
                Code.FORBIDDEN,
                "the scope is more than the profile allows",
                [
                    Fault(
                        Code.FORBIDDEN,
                        path="scope",
                        remedy="ask for less, or leave scope out",
                        allowed=tuple(sorted(allowed)),
                    )
                ],
            )
        # Last, so that only an assertion that would have been accepted uses up its jti.
        if not await self._ledger.use(name, claims["jti"], expires_at):
            raise refused("client_assertion.jti", "sign a new assertion for every request")
        return self._issue(name, asked)

    def _verified(self, assertion: str) -> tuple[str, Mapping[str, Any]]:
        """Return partner name and claims of an assertion whose signature holds."""
        parts = assertion.split(".")
        if len(assertion) > LARGEST or len(parts) != 3 or not assertion.isascii():
            raise refused()
        header = members_of(parts[0])
        # A header may name the key that we registered, and nothing else: no key inside the message
        # (jwk, jku, x5u, x5c), and no critical extension that we would have to understand.
        if not set(header) <= _HEADER_MEMBERS or header.get("alg") not in ASSERTION_ALGORITHMS:
            raise refused()
        if str(header.get("typ", "JWT")).upper() != "JWT":
            raise refused()
        issuer = members_of(parts[1]).get("iss")
        held = self._registry().credentials.get(issuer) if isinstance(issuer, str) else None
        keys = [k for k in held.keys if k.get("kid") == header.get("kid")] if held else []
        # The key says which algorithm it is for; the message only has to agree.
        if len(keys) != 1 or keys[0]["alg"] != header["alg"]:
            raise refused()
        claims = check_signature(assertion, keys[0], header["alg"])
        if claims.get("iss") != issuer or not isinstance(issuer, str):
            raise refused()
        return issuer, claims

    def _check(self, name: str, claims: Mapping[str, Any]) -> float:
        """Check the claims of a signed assertion and return when it expires."""
        now = self._clock()
        if claims.get("sub") != name:
            raise refused("client_assertion.sub", "must equal iss: the partner's name")
        audience = claims.get("aud")
        if audience not in (self.endpoint, [self.endpoint]):
            raise refused("client_assertion.aud", "must be the token endpoint's URL, exactly")
        expires_at = moment_of(claims, "exp")
        if expires_at is None or expires_at <= now:
            raise refused("client_assertion.exp", "must be in the future; check the clock")
        if expires_at > now + LONGEST_ASSERTION + LEEWAY:
            raise refused("client_assertion.exp", "must be at most five minutes ahead")
        for member in ("nbf", "iat"):
            moment = moment_of(claims, member)
            if moment is not None and moment > now + LEEWAY:
                raise refused(f"client_assertion.{member}", "is in the future; check the clock")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not _JTI.fullmatch(jti):
            raise refused("client_assertion.jti", "give 1 to 128 visible ASCII characters")
        return expires_at

    def _issue(self, name: str, operations: frozenset[str]) -> Granted:
        now = int(self._clock())
        token = jwt.encode(
            {"alg": self._algorithm, "typ": ACCESS_TYPE, "kid": self._kid},
            {
                "iss": self._public_url,
                "aud": self._public_url,
                "sub": name,
                "client_id": name,
                "iat": now,
                "exp": now + LIFETIME,
                "jti": secrets.token_urlsafe(16),
                "scope": " ".join(sorted(operations)),
            },
            self._key,
            algorithms=[self._algorithm],
        )
        return Granted(Secret(token), LIFETIME, operations)

    def recognise(self, token: str) -> Bearer:
        """Return who holds *token*; `Unauthorised` where it is not one of ours or has expired."""
        now = self._clock()
        mark = sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._seen.get(mark)
        if known is None:
            known = self._read_access(token)
            self._seen[mark] = known
            if len(self._seen) > _CACHED:
                self._seen.popitem(last=False)
        if known.expires_at <= now:
            self._seen.pop(mark, None)
            raise refused("", "ask POST /token for a new access token")
        return known

    def _read_access(self, token: str) -> Bearer:
        parts = token.split(".")
        if len(token) > LARGEST or len(parts) != 3 or not token.isascii():
            raise refused()
        if members_of(parts[0]) != {
            "alg": self._algorithm,
            "typ": ACCESS_TYPE,
            "kid": self._kid,
        }:
            raise refused()
        claims = check_signature(token, self._key.as_dict(private=False), self._algorithm)
        if claims.get("iss") != self._public_url or claims.get("aud") != self._public_url:
            raise refused()
        expires_at = moment_of(claims, "exp")
        name, scope = claims.get("sub"), claims.get("scope")
        if expires_at is None or not isinstance(name, str) or not isinstance(scope, str):
            raise refused()
        return Bearer(name, frozenset(scope.split()), expires_at)


def check_signature(token: str, jwk: Mapping[str, Any], algorithm: str) -> Mapping[str, Any]:
    """Return the claims of *token* if *jwk* signed it with *algorithm* and no other."""
    try:
        key: ECKey | RSAKey = import_key(dict(jwk), "EC" if algorithm.startswith("ES") else "RSA")
        signed = jws.deserialize_compact(token, key, algorithms=[algorithm])
        claims = orjson.loads(signed.payload or b"")
    except (JoseError, ValueError):
        # What exactly was wrong helps only who is guessing.
        raise refused() from None
    if not isinstance(claims, dict):
        raise refused()
    return claims


def _bad_signing_key() -> Misconfigured:
    remedy = "give a private EC key on P-256 or P-384 in PEM (`ecaf keys init` makes one)"
    return Misconfigured(
        Code.CONFIGURATION,
        "the token key cannot be used",
        [Fault(Code.CONFIGURATION, path="ECAF_TOKEN_KEY_FILE", remedy=remedy)],
    )
