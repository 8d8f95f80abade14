"""The configuration of a hub made for one scenario: profiles, keys, certificates, secrets."""

import base64
import hashlib
import ipaddress
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from hub.scenarios.casts import Cast, Participant
from hub.scenarios.lines import LISTENING, MAILBOXES, Lines
from hub.scenarios.processes import free_port


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one participant sits: profile, credentials, and the addresses of its double."""

    participant: Participant
    profile: Path
    credentials: Path
    control: int
    hook: int | None
    certificate: tuple[Path, Path] | None


def _private(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    return path


class Site:
    """Writes everything below one folder; nothing of it is used twice."""

    def __init__(self, folder: Path, *, tls: bool, mesh_url: str | None = None) -> None:
        self.folder = folder
        self.tls = tls
        self.config = folder / "config"
        (self.config / "partners").mkdir(parents=True)
        self.lines = Lines(self.config, _private, tls, mesh_url)
        self._mailboxes = list(MAILBOXES)
        root, kek = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
        self.vault_key = _private(
            folder / "vault.key",
            json.dumps({"vault": 1, "root": root, "keks": {"1": kek}, "active": 1}),
        )
        self.ca: Path | None = None
        self.token_key: Path | None = None
        self._authority: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
        if tls:
            self._authority = _authority()
            self.ca = folder / "ca.pem"
            self.ca.write_bytes(self._authority[0].public_bytes(serialization.Encoding.PEM))
            (self.config / "tls").mkdir()
            (self.config / "tls" / "ca.pem").write_bytes(self.ca.read_bytes())
            key = ec.generate_private_key(ec.SECP256R1())
            self.token_key = _private(folder / "token.key", _pem(key))
            shown = self.certificate("hub-client")
            if shown is not None:
                (self.config / "tls" / "hub-client.pem").write_bytes(shown[0].read_bytes())
                _private(self.config / "secrets" / "hub-client.key", shown[1].read_bytes())

    def write(self, cast: Cast, hub: str) -> list[Seat]:
        """Write the hub's configuration and return where everybody sits."""
        people = {
            authority: {
                "name": f"CAF co-ordinator of authority {authority}",
                "organisation": f"LA-{authority}",
                "contact_tel": f"0113 496 9{authority}",
                "email": f"coordinator@la-{authority}.example",
            }
            for authority in sorted(
                {p.authority for p in cast.participants.values() if p.authority}
            )
        }
        for one in cast.participants.values():
            if one.coordinates in people:
                people[one.coordinates]["service"] = one.service
        # JSON is YAML, and needs no writer of ours.
        (self.config / "hub.yaml").write_text(
            json.dumps(
                {"hub": "Hub", "support_contact": "support@hub.example", "coordinators": people}
            )
        )
        if any(one.channel == "mesh" for one in cast.participants.values()):
            self.lines.write_mesh()
        return [self._seat(participant, hub) for participant in cast.participants.values()]

    def certificate(self, name: str) -> tuple[Path, Path] | None:
        """Return a certificate for loopback and its key, or ``None`` without TLS."""
        if self._authority is None:
            return None
        issuer, signer = self._authority
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(name, issuer.subject, key)
            .add_extension(
                x509.SubjectAlternativeName(
                    [
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                        x509.DNSName("localhost"),
                    ]
                ),
                critical=False,
            )
            .sign(signer, hashes.SHA256())
        )
        shown = self.folder / f"{name}.pem"
        shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return shown, _private(self.folder / f"{name}.key", _pem(key))

    def _seat(self, one: Participant, hub: str) -> Seat:
        name = one.name.lower()
        hook = free_port() if one.channel in LISTENING else None
        line = self.lines.of(one, hook, self._mailbox() if one.channel == "mesh" else None)
        credentials, told = self._credentials(one, hub, line.own)
        profile = {
            "partner": one.name,
            "organisation": {
                "code": one.organisation,
                "name": one.service_name,
                "type": one.organisation_type,
                **({"authority": one.authority} if one.authority else {}),
            },
            "accredited": one.accredited,
            "practitioners": "vouched" if one.vouches else "unvouched",
            "references": "chosen",  # so that a story may call its episode by a name
            "support_contact": f"support@{name}.example",
            "services": []
            if one.is_index
            else [
                {
                    "service": one.service,
                    "name": one.service_name,
                    "contact_tel": one.tel,
                    "email": one.email,
                }
            ],
            "operations": list(one.operations),
            "deliver": line.deliver,
        }
        if not one.is_index:
            profile["credentials"] = told | line.credentials
        path = self.config / "partners" / f"{one.name}.yaml"
        path.write_text(json.dumps(profile, indent=1))
        return Seat(
            participant=one,
            profile=path,
            credentials=credentials,
            control=free_port(),
            hook=hook,
            certificate=None if hook is None else self.certificate(name),
        )

    def _mailbox(self) -> str:
        if self.lines.mesh_url is None:
            raise ValueError("somebody has a mailbox: give the address of a MESH sandbox")
        if not self._mailboxes:
            raise ValueError(f"the MESH sandbox has {len(MAILBOXES)} mailboxes for partners")
        return self._mailboxes.pop(0)

    def _credentials(
        self, one: Participant, hub: str, more: Mapping[str, Any]
    ) -> tuple[Path, dict[str, Any]]:
        """Return the partner's own credentials file, and what its profile says of it."""
        own = self.folder / "partners" / f"{one.name}.json"
        expires = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
        if not self.tls:
            key = f"hubk_{one.name}.k1.{secrets.token_urlsafe(32)}"
            _private(own, json.dumps({"api_key": key, **more}))
            digest = hashlib.sha256(key.encode()).hexdigest()
            return own, {"api_keys": [{"id": "k1", "sha256": digest, "expires": expires}]}
        pair = ec.generate_private_key(ec.SECP384R1())
        key_id = f"{one.name.lower()}-1"
        key_file = _private(own.with_suffix(".key"), _pem(pair))
        public = ECKey.import_key(_pem(pair)).as_dict(private=False)
        jwks = {"keys": [{**public, "kid": key_id, "alg": "ES384", "use": "sig"}]}
        named = f"keys/{one.name.lower()}.jwks.json"
        (self.config / "keys").mkdir(exist_ok=True)
        (self.config / named).write_text(json.dumps(jwks))
        _private(
            own,
            json.dumps(
                {
                    "client_id": one.name,
                    "key_file": key_file.name,
                    "key_id": key_id,
                    "token_url": f"{hub}/token",
                    "ca_file": str(self.ca),
                    **more,
                }
            ),
        )
        return own, {"jwks_file": named}


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
    )


def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = "scenario authority"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(name, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key
