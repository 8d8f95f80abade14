"""Standard Webhooks: who signed a message, and when (`v1` HMAC-SHA256, `v1a` Ed25519).

Source: Standard Webhooks 1.0 (standardwebhooks.com): ``id.timestamp.body`` is signed, several
signatures may stand side by side while keys rotate, and what is older or newer than five minutes is
refused.  A message that comes again has the same id; the hub's record knows it by that.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.domain.signed import unsigned
from hub.secrets import Secret

TOLERANCE_SECONDS: Final = 300
_ID: Final = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_MOST: Final = 10
_HMAC: Final = "whsec_"
_ED25519: Final = "whpk_"


class StandardWebhooks:
    """Verifies with one or two keys: ``whsec_`` and base64 of 24 to 64 bytes for `v1`, or
    ``whpk_`` and base64 of a public key for `v1a`.
    """

    def __init__(self, keys: Sequence[Secret]) -> None:
        """Read the keys; ``ValueError`` says what a key should be, never what it is."""
        self._shared: list[bytes] = []
        self._public: list[Ed25519PublicKey] = []
        for key in keys:
            told = key.reveal().strip()
            if told.startswith(_ED25519):
                self._public.append(_public(told.removeprefix(_ED25519)))
            else:
                self._shared.append(_shared(told))

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Return the message's id; raises `Unauthorised` whatever is wrong, and says no more."""
        name = headers.get("webhook-id", "")
        at = headers.get("webhook-timestamp", "")
        signatures = headers.get("webhook-signature", "").split(" ")
        if (
            not _ID.fullmatch(name)
            or not _TIMESTAMP.fullmatch(at)
            or len(signatures) > _MOST
            or abs(now.timestamp() - int(at)) > TOLERANCE_SECONDS
        ):
            raise unsigned()
        signed = b".".join((name.encode(), at.encode(), body))
        # Every one is tried, so that the time does not tell which key is the newer one.
        right = [self._holds(one, signed) for one in signatures]
        if not any(right):
            raise unsigned()
        return name

    def _holds(self, signature: str, signed: bytes) -> bool:
        version, _, coded = signature.partition(",")
        try:
            given = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            return False
        if version == "v1":
            made = [hmac.digest(key, signed, sha256) for key in self._shared]
            return sum(hmac.compare_digest(one, given) for one in made) > 0
        if version == "v1a":
            return sum(_verified(key, given, signed) for key in self._public) > 0
        return False


def _verified(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _shared(told: str) -> bytes:
    try:
        key = base64.b64decode(told.removeprefix(_HMAC), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not told.startswith(_HMAC) or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and base64 of 24 to 64 bytes, or whpk_ and a public key")
    return key


def _public(coded: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(coded, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("must be whpk_ and base64 of an Ed25519 public key (32 bytes)") from None
