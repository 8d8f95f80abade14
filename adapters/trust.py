"""Whose certificates a connection believes, and which it shows."""

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


def shown(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """Let *context* show a certificate of ours."""
    try:
        context.load_cert_chain(cert_file, key_file)
    except (ssl.SSLError, OSError):
        raise Misconfigured(
            Code.CONFIGURATION, f"{cert_file} and its key are no matching pair"
        ) from None
    return context


def mutual(ca_file: Path, cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """Return a server's context: TLS 1.2 at least, and nobody without a certificate that *ca_file*
    vouches for.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(ca_file)
    except (ssl.SSLError, OSError):
        raise Misconfigured(Code.CONFIGURATION, f"{ca_file} holds no certificates") from None
    return shown(context, cert_file, key_file)
