"""Whose certificates an outgoing connection believes."""

import ssl
from pathlib import Path

from hub.errors import Code, Misconfigured


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts *ca_file* alone, or the machine's authorities if there is
    none; TLS 1.2 at least.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (ssl.SSLError, OSError):
        raise Misconfigured(Code.CONFIGURATION, f"{ca_file} holds no certificates") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
