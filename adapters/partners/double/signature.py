"""Standard Webhooks, read from its text: the signature is over ``id.timestamp.body``, raw bytes.

Written again here rather than shared with the hub, so that one mistake cannot hide in both ends.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_SECONDS = 300


def secret_bytes(text: str) -> bytes:
    """Return the key behind a ``whsec_...`` secret."""
    return base64.b64decode(text.strip().removeprefix("whsec_"))


def fault(secret: bytes, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
    """Return what is wrong with a signed request, or ``None``; *now* is wall-clock seconds."""
    missing = {"webhook-id", "webhook-timestamp", "webhook-signature"} - headers.keys()
    if missing:
        return f"missing {', '.join(sorted(missing))}"
    stamp = headers["webhook-timestamp"]
    if not stamp.isdigit() or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return "webhook-timestamp is too far from now"
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    for given in headers["webhook-signature"].split():
        version, _, value = given.partition(",")
        if version == "v1" and hmac.compare_digest(value.encode(), expected):
            return None
    return "webhook-signature does not fit the bytes"
