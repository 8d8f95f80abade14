"""What certificates say: until when they hold, and whose they are."""

import base64
import binascii
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hub.domain.certificates import Shown

_LONGEST: Final = 32 * 1024


def not_after(path: Path) -> datetime | None:
    """Return when the first of the certificates in *path* ends; ``None`` if it holds none."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None
    return min((one.not_valid_after_utc for one in found), default=None)


def handed_on(value: bytes) -> Shown:
    """Return the certificate in a proxy's header: ``:base64 of DER:`` (RFC 9440, HAProxy) or PEM,
    URL-escaped (nginx).  Raises ``ValueError`` for anything else.
    """
    if len(value) > _LONGEST:
        raise ValueError("longer than any certificate")
    if value[:1] == value[-1:] == b":" and len(value) > 2:
        try:
            found = x509.load_der_x509_certificate(base64.b64decode(value[1:-1], validate=True))
        except binascii.Error:
            raise ValueError("no base64") from None
    else:
        found = x509.load_pem_x509_certificate(unquote_to_bytes(value))
    return Shown(
        fingerprint=sha256(found.public_bytes(Encoding.DER)).hexdigest(),
        hosts=frozenset(name.lower() for name in _names(found)),
        until=found.not_valid_after_utc,
    )


def _names(found: x509.Certificate) -> list[str]:
    try:
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return held.value.get_values_for_type(x509.DNSName)
