"""Keys and certificates for a new site: everything that a first start needs, readable by its owner
only.

For demonstrations, compose and small sites; a site with its own authority puts its files in the
same places.  Nothing existing is overwritten.
"""

import base64
import ipaddress
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import ECKey

from hub.errors import Code, Misconfigured
from hub.secrets import Secret

_YEARS: Final = timedelta(days=825)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Keys:
    """Where each file of `create_keys` is; the maps are by partner name."""

    ca_cert: Path
    ca_key: Path
    server_cert: Path
    server_key: Path
    token_key: Path
    partner_keys: dict[str, Path] = field(default_factory=dict)
    jwks: dict[str, Path] = field(default_factory=dict)
    webhook_secrets: dict[str, Path] = field(default_factory=dict)


def create_keys(folder: Path, *, names: Iterable[str] = (), partners: Iterable[str] = ()) -> Keys:
    """Create under *folder* what does not exist yet, and return where everything is.

    ``tls/``: an authority and a server certificate for loopback and *names*.  ``secrets/``: the
    token key, and for each partner a webhook secret.  ``keys/``: for each partner a private key and
    the public JWK Set that its profile names.  Files are 0600, folders 0700.
    """
    keys = Keys(
        ca_cert=folder / "tls/ca.pem",
        ca_key=folder / "tls/ca.key",
        server_cert=folder / "tls/server.pem",
        server_key=folder / "tls/server.key",
        token_key=folder / "secrets/token.key",
    )
    for inner in ("tls", "secrets", "keys"):
        (folder / inner).mkdir(mode=0o700, parents=True, exist_ok=True)
    _tls(keys, names)
    if not keys.token_key.exists():
        _write(keys.token_key, _pem(ec.generate_private_key(ec.SECP256R1())))
    for partner in partners:
        low = partner.lower()
        keys.partner_keys[partner] = folder / f"keys/{low}.key"
        keys.jwks[partner] = folder / f"keys/{low}.jwks.json"
        keys.webhook_secrets[partner] = folder / f"secrets/{low}.webhook"
        partner_key(keys.partner_keys[partner], keys.jwks[partner])
        if not keys.webhook_secrets[partner].exists():
            _write(keys.webhook_secrets[partner], new_secret())
    return keys


def new_api_key(partner: str, key_id: str) -> tuple[Secret, str]:
    """Return a new API key and the SHA-256 that the partner's profile holds."""
    key = f"hubk_{partner}.{key_id}.{secrets.token_urlsafe(32)}"
    return Secret(key), sha256(key.encode()).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read; an existing one is never replaced."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_secret() -> bytes:
    """Return a new secret of Standard Webhooks, as a file holds it."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}\n".encode()


def keep(path: Path, data: bytes) -> bool:
    """Write a new file that only its owner may read; ``False``, and it stays, where there is one.

    Folders that are missing are made, for their owner alone.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        _write(path, data)
    except FileExistsError:
        return False
    return True


def client_certificate(shown: Path, private: Path, name: str) -> bool:
    """Make a certificate of its own, and its key, that the hub shows to a partner, unless it is
    there; ``False`` where it is.  Raises `Misconfigured` if one of the two is missing.
    """
    if shown.exists() != private.exists():
        raise Misconfigured(
            Code.CONFIGURATION,
            f"{shown} and {private} belong together: remove the one that is left",
        )
    if shown.exists():
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        _certificate(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    keep(private, _pem(key))
    return keep(shown, made.public_bytes(Encoding.PEM))


def partner_key(private: Path, public: Path) -> None:
    """Make a partner's private key and its public JWK Set, unless both are there.

    Raises `Misconfigured` if one of the two is missing.
    """
    if private.exists() and public.exists():
        return
    if private.exists() or public.exists():
        raise Misconfigured(
            Code.CONFIGURATION,
            f"{private} and {public} belong together: remove the one that is left",
        )
    key = ECKey.generate_key("P-384", private=True)
    kid = key.thumbprint()
    shown = {**key.as_dict(private=False), "kid": kid, "alg": "ES384", "use": "sig"}
    _write(private, key.as_pem(private=True))
    _write(public, orjson.dumps({"keys": [shown]}, option=orjson.OPT_INDENT_2))


def _tls(keys: Keys, names: Iterable[str]) -> None:
    files = (keys.ca_cert, keys.ca_key, keys.server_cert, keys.server_key)
    if all(path.exists() for path in files):
        return
    if any(path.exists() for path in files):
        raise Misconfigured(
            Code.CONFIGURATION, f"{keys.ca_cert.parent} is incomplete: remove it to start again"
        )
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "eCAF hub test authority")])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    server = _server(ca, ca_key, key, "eCAF hub", names)
    _write(keys.ca_key, _pem(ca_key))
    _write(keys.ca_cert, ca.public_bytes(Encoding.PEM))
    _write(keys.server_key, _pem(key))
    _write(keys.server_cert, server.public_bytes(Encoding.PEM))


def create_certificate(keys: Keys, name: str, hosts: Iterable[str]) -> tuple[Path, Path]:
    """Return ``tls/<name>.pem`` and its key, made by the site's authority if they are not there.

    For a listener beside the hub: loopback and *hosts*.  Raises `Misconfigured` if one of the two
    is missing.
    """
    shown, private = keys.ca_cert.with_name(f"{name}.pem"), keys.ca_cert.with_name(f"{name}.key")
    if shown.exists() != private.exists():
        raise Misconfigured(
            Code.CONFIGURATION,
            f"{shown} and {private} belong together: remove the one that is left",
        )
    if not shown.exists():
        ca = x509.load_pem_x509_certificate(keys.ca_cert.read_bytes())
        ca_key = load_pem_private_key(keys.ca_key.read_bytes(), password=None)
        if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
            raise Misconfigured(Code.CONFIGURATION, f"{keys.ca_key} is not an EC key of ours")
        key = ec.generate_private_key(ec.SECP256R1())
        _write(private, _pem(key))
        _write(shown, _server(ca, ca_key, key, name, hosts).public_bytes(Encoding.PEM))
    return shown, private


def _server(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    common_name: str,
    hosts: Iterable[str],
) -> x509.Certificate:
    """Return a certificate for a server on loopback and *hosts*."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    alternatives = [_alternative(host) for host in dict.fromkeys((*_LOOPBACK, *hosts))]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return (
        _certificate(name, ca.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # An hour back, for machines whose clocks differ.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _YEARS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
