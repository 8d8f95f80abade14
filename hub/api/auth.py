"""Who is calling, and what may they do? Default deny.

Source: `domain.md` 5.1 (organisations are accredited, for a period), `reliability.md` 5.6.  The
tenant comes from the credential and from nowhere else.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Final, Protocol

from hub.api.certified import proxied, refuse_uncertified
from hub.api.facade import Hub
from hub.domain.partner import Partner, Registry
from hub.domain.signed import unsigned
from hub.domain.suspension import refuse_suspended
from hub.errors import Code, Fault, Forbidden, Misconfigured, Unauthorised
from hub.logging import failure, log
from hub.settings import Settings

_KEY: Final = re.compile(
    r"hubk_([A-Z0-9][A-Z0-9-]{0,38})\.([A-Za-z0-9_-]{1,32})\.[A-Za-z0-9_-]{43}", re.ASCII
)
_NOBODY: Final = "0" * 64
_WEBHOOK_ID: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


class Recogniser(Protocol):
    """What recognises the access tokens that this hub issued."""

    def recognise(self, token: str) -> "Holder":
        """Return the holder, or raise `Unauthorised`."""
        ...


class Holder(Protocol):
    """Who an access token was issued to, and for what."""

    @property
    def partner(self) -> str:
        """The partner's name."""
        ...

    @property
    def operations(self) -> frozenset[str]:
        """What the token allows."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated partner; its operations are its profile's, narrowed by its token.

    The narrowed partner is what goes on to the use cases, because one address can take payloads
    that need different operations.
    """

    partner: Partner

    @property
    def operations(self) -> frozenset[str]:
        """What this call may do."""
        return self.partner.operations

    def acting_for(self, user: str | None) -> "Principal":
        """Return the same caller, acting for a practitioner of its organisation."""
        return self if user is None else Principal(replace(self.partner, acting=user))


def today() -> date:
    """Return the day by the wall clock, by which credentials expire."""
    return datetime.now(UTC).date()


def _unproved() -> Unauthorised:
    remedy = "send Authorization: Bearer with an access token from POST /token"
    return Unauthorised(
        Code.UNAUTHENTICATED,
        "the caller has not proved who it is",
        [Fault(Code.UNAUTHENTICATED, path="header.authorization", remedy=remedy)],
    )


def _not_accredited(detail: str, remedy: str) -> Forbidden:
    fault = Fault(Code.ORG_NOT_ACCREDITED, remedy=remedy)
    return Forbidden(Code.ORG_NOT_ACCREDITED, detail, [fault])


class Nobodys:
    """What verifies the webhooks of a partner that there is not: work, and no."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Refuse."""
        del headers, now
        hmac.digest(_NOBODY.encode(), body, sha256)
        raise unsigned()


class Authenticator:
    """Turns an ``Authorization`` header into a `Principal`.

    API keys are taken on loopback and unix sockets only; elsewhere they are strangers, even if a
    profile has them (the process should not have started at all: `refuse_exposed_keys`).
    """

    def __init__(
        self, hub: Hub, tokens: Recogniser | None, *, today: Callable[[], date] = today
    ) -> None:
        self._hub = hub
        self._tokens = tokens
        self._today = today

    def principal(self, header: str | None, operation: str | None) -> Principal:
        """Return who is calling; `Unauthorised`, or `Forbidden` where *operation* is not theirs.

        *operation* ``None`` asks for an accredited partner and no operation in particular.
        """
        scheme, _, credential = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise _unproved()
        if credential.startswith("hubk_"):
            principal = self._by_key(credential)
        elif self._tokens is not None:
            held = self._tokens.recognise(credential)
            partner = self._hub.registry.partners.get(held.partner)
            if partner is None:
                raise _unproved()
            if not partner.operations <= held.operations:
                partner = replace(partner, operations=partner.operations & held.operations)
            principal = Principal(partner)
        else:
            raise _unproved()
        return self._allowed(principal, operation)

    def signed(
        self, name: str, headers: Mapping[str, str], body: bytes, operation: str
    ) -> tuple[Principal, str]:
        """Return who signed *body* as the partner *name*, and their id of it; the same
        `Unauthorised` for a name that nobody has, for one that signs nothing and for a wrong one.
        """
        registry: Registry = self._hub.registry
        partner, held = registry.partners.get(name), registry.credentials.get(name)
        verifier = held.webhook if held is not None else None
        key = ""
        try:
            # Done for a stranger too, so that names cannot be told apart by the time it takes.
            key = (verifier or Nobodys()).verify(headers, body, datetime.now(UTC))
        except Unauthorised:
            raise
        except Exception as wrong:  # noqa: BLE001 - a plug-in is somebody else's: doubt refuses
            log.error("verifier.failed", partner=name, **failure(wrong))
        if partner is None or not _WEBHOOK_ID.fullmatch(key):
            raise unsigned()
        return self._allowed(Principal(partner), operation), key

    def _allowed(self, principal: Principal, operation: str | None) -> Principal:
        """Return *principal* if it may come to the door today, and do *operation*."""
        refuse_suspended(principal.partner.suspended)
        day = self._hub.clock.now().date()
        if not principal.partner.connected(day):
            raise _not_accredited(
                "accreditation, stage or signed protocol does not cover today",
                "have the accreditation renewed by the sponsoring authority",
            )
        if operation is not None and not principal.partner.accredited(day):
            raise _not_accredited(
                "a connection under test sees no child's data",
                "have the stage raised to pilot or live when the tests are passed",
            )
        if operation is not None and operation not in principal.operations:
            raise Forbidden(
                Code.FORBIDDEN,
                "this partner may not do that",
                [
                    Fault(
                        Code.FORBIDDEN,
                        path="operation",
                        remedy="ask for the operation in the partner profile, or a wider token",
                        allowed=tuple(sorted(principal.operations)),
                    )
                ],
            )
        return principal

    def _by_key(self, credential: str) -> Principal:
        shape = _KEY.fullmatch(credential)
        registry: Registry = self._hub.registry
        name, key_id = shape.groups() if shape else ("", "")
        held = registry.credentials.get(name)
        key = next((k for k in held.api_keys if k.key_id == key_id), None) if held else None
        given = sha256(credential.encode("utf-8", "surrogateescape")).hexdigest()
        # Compared even for a stranger, so that names cannot be told apart by the time it takes.
        same = compare_digest(given, key.sha256 if key else _NOBODY)
        partner = registry.partners.get(name)
        if (
            not same
            or key is None
            or partner is None
            or key.expires_on < self._today()
            or not self._hub.settings.listen.local
            or proxied(self._hub.settings)
        ):
            raise _unproved()
        return Principal(partner)


def refuse_unsafe_start(settings: Settings, registry: Registry) -> None:
    """Raise `Misconfigured` where the credentials in the profiles do not fit the way we listen.

    API keys are for loopback and unix sockets only (and not where others reach the socket through a
    proxy), profiles with public keys need a token key, and those with certificates a proxy.
    """
    refuse_uncertified(settings, registry.with_certificates())
    faults = []
    if not settings.listen.local or proxied(settings):
        faults += [
            Fault(
                Code.CONFIGURATION,
                path=f"partners/{name}.yaml credentials.api_keys",
                remedy="API keys work on loopback or a unix socket only: use jwks_file, "
                "or change ECAF_LISTEN",
            )
            for name in registry.with_api_keys()
        ]
    if settings.token_key_file is None and any(c.keys for c in registry.credentials.values()):
        faults.append(
            Fault(
                Code.CONFIGURATION,
                path="ECAF_TOKEN_KEY_FILE",
                remedy="needed because partners ask for access tokens with their keys",
            )
        )
    if faults:
        raise Misconfigured(Code.CONFIGURATION, "credentials do not fit ECAF_LISTEN", faults)
