"""Until when a certificate holds."""

from datetime import datetime
from pathlib import Path

from cryptography import x509


def not_after(path: Path) -> datetime | None:
    """Return when the first of the certificates in *path* ends; ``None`` if it holds none."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None
    return min((one.not_valid_after_utc for one in found), default=None)
