"""Public keys of partners, as registered: a JWK Set file, checked before anything trusts it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

_LARGEST: Final = 64 * 1024
_MOST: Final = 4
_SMALLEST_RSA: Final = 2048
_FOR: Final = {"EC": "ES384", "RSA": "RS384"}


def read_jwks(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Return the public keys in *path*, each with its ``kid`` and the one ``alg`` that it is for.

    ``ValueError`` says what is wrong: private members, weak or unknown kinds, a missing or repeated
    ``kid``.  ``alg`` may be left out, because the kind of key decides it (ES384 or RS384).
    """
    raw = path.read_bytes()
    if len(raw) > _LARGEST:
        raise ValueError("the key file is too large")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ValueError("the key file is not JSON") from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not 0 < len(members) <= _MOST:
        raise ValueError(f"the key file must hold 1 to {_MOST} keys")
    keys = tuple(_key(member) for member in members)
    if len({key["kid"] for key in keys}) < len(keys):
        raise ValueError("two keys have the same kid")
    return keys


def _key(member: Any) -> Mapping[str, Any]:
    if not isinstance(member, dict) or member.get("kty") not in _FOR:
        raise ValueError("a key must be EC on P-384 or RSA")
    kid = member.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 128:
        raise ValueError("every key needs a kid")
    try:
        key = import_key(member)
    except (JoseError, ValueError, TypeError, KeyError):
        raise ValueError("a key cannot be read") from None
    if key.is_private:
        raise ValueError("the file holds a private key: the hub wants public ones only")
    if isinstance(key, ECKey):
        if key.curve_name != "P-384":
            raise ValueError("an EC key must be on P-384 (for ES384)")
    elif not isinstance(key, RSAKey) or key.public_key.key_size < _SMALLEST_RSA:
        raise ValueError(f"an RSA key must have at least {_SMALLEST_RSA} bits")
    algorithm = _FOR[member["kty"]]
    if member.get("alg", algorithm) != algorithm or member.get("use", "sig") != "sig":
        raise ValueError("a key must be for ES384 or RS384 signatures")
    # Only what checking a signature needs: no x5u, jku or other address travels further.
    return {**key.as_dict(private=False), "kid": kid, "alg": algorithm}


def thumbprint(key: Mapping[str, Any]) -> str:
    """Return what tells one public key from another, whatever it is called."""
    return import_key(dict(key)).thumbprint()
