"""The certificate that a proxy hands on: believed on its own socket, and nowhere else."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.certificates import handed_on
from hub.api.app import create_app
from hub.api.auth import refuse_unsafe_start
from hub.domain.certificates import Certified
from hub.domain.partner import Credentials, Registry
from hub.errors import Misconfigured
from hub.settings import Listen, Settings
from tests.unit.api.small_hub import ALL, SmallHub, partner, small_hub


def made(name: str, *, days: int = 30) -> x509.Certificate:
    """Return a certificate for *name*, until so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "one")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )


def as_nginx(one: x509.Certificate) -> str:
    """Return what nginx writes as ``$ssl_client_escaped_cert``."""
    return quote(one.public_bytes(serialization.Encoding.PEM).decode(), safe="")


def as_rfc(one: x509.Certificate) -> str:
    """Return the form of RFC 9440, as HAProxy is told to write it."""
    return f":{base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode()}:"


OWN, OTHERS, STRANGE = made("cms.ehm-a.example"), made("mis.sch-a.example"), made("x.example")
LATE = made("cms.ehm-a.example", days=-1)
DIGEST = sha256(OTHERS.public_bytes(serialization.Encoding.DER)).hexdigest()


@dataclass(frozen=True)
class Bearer:
    """A token is the name of its holder."""

    partner: str
    operations: frozenset[str] = ALL


class Names:
    """Recognises names."""

    def recognise(self, token: str) -> Bearer:
        return Bearer(token)


def hub_of(listen: Listen, *, proxied: bool) -> SmallHub:
    """A hub to which EHM-A comes by name, SCH-A by fingerprint and HOU-A without a certificate."""
    hub = small_hub(*(partner(name) for name in ("EHM-A", "SCH-A", "HOU-A")))
    hub.settings = replace(hub.settings, listen=listen, client_certificates=proxied)
    hub.registry = Registry(
        "H",
        "s@hub.example",
        hub.registry.partners,
        {
            "EHM-A": Credentials(https=Certified(hosts=frozenset({"cms.ehm-a.example"}))),
            "SCH-A": Credentials(https=Certified(fingerprints=frozenset({DIGEST}))),
            "HOU-A": Credentials(),
        },
    )
    return hub


SOCKET = Listen(unix=Path("/run/ecaf/hub.sock"))
TCP = Listen()


async def came(
    who: str,
    header: str | None,
    *,
    listen: Listen = SOCKET,
    proxied: bool = True,
    client: Any = None,
    path: str = "/inbox",
) -> int:
    """Return the status of a call as *who*, with *header* as its certificate."""
    app = create_app(hub_of(listen, proxied=proxied), recogniser=Names(), certificates=handed_on)
    headers: Mapping[str, str] = {} if header is None else {"client-cert": header}
    transport = httpx.ASGITransport(app, client=client)
    async with httpx.AsyncClient(transport=transport, base_url="https://hub.example") as door:
        answer = await door.get(path, headers={"authorization": f"Bearer {who}", **headers})
        return answer.status_code


@pytest.mark.parametrize(
    ("who", "header", "status"),
    [
        pytest.param("EHM-A", as_nginx(OWN), 200, id="its own, as nginx writes it"),
        pytest.param("EHM-A", as_rfc(OWN), 200, id="its own, as HAProxy writes it"),
        pytest.param("SCH-A", as_rfc(OTHERS), 200, id="its own, by fingerprint"),
        pytest.param("HOU-A", None, 200, id="who needs none comes without"),
        pytest.param("HOU-A", as_rfc(STRANGE), 200, id="or with one that nobody knows"),
        pytest.param("EHM-A", None, 401, id="none"),
        pytest.param("EHM-A", as_nginx(OTHERS), 401, id="another partner's"),
        pytest.param("EHM-A", as_nginx(STRANGE), 401, id="a stranger's"),
        pytest.param("EHM-A", as_nginx(LATE), 401, id="one that has ended"),
        pytest.param("HOU-A", as_rfc(OTHERS), 401, id="another's, where none is needed"),
        pytest.param("EHM-A", "cms.ehm-a.example", 401, id="a name alone"),
        pytest.param("EHM-A", "::", 401, id="nothing between colons"),
        pytest.param("EHM-A", ":!!!:", 401, id="no base64"),
        pytest.param("EHM-A", as_nginx(OWN)[:-40], 401, id="half of it"),
        pytest.param("EHM-A", "%00" * 9_000, 401, id="a very long nothing"),
    ],
)
async def test_a_partner_comes_with_its_own_certificate(
    who: str, header: str | None, status: int
) -> None:
    """Beside its token, where its profile names one; another's is refused to everybody."""
    assert await came(who, header) == status


async def test_the_header_is_air_unless_it_came_by_the_socket() -> None:
    """Over TCP, from a caller with an address, or without the setting, nobody is believed."""
    far = ("198.51.100.7", 5000)

    assert await came("EHM-A", as_nginx(OWN), listen=TCP, client=far) == 401
    assert await came("EHM-A", as_nginx(OWN), listen=TCP) == 401
    assert await came("EHM-A", as_nginx(OWN), client=far) == 401
    assert await came("EHM-A", as_nginx(OWN), proxied=False) == 401
    # And what is not believed harms nobody: who needs no certificate is not refused for another's.
    assert await came("HOU-A", as_nginx(OTHERS), listen=TCP, client=far) == 200


async def test_two_certificates_are_none() -> None:
    """A header that came twice, as from outside and from the proxy, is refused before anything."""
    app = create_app(hub_of(SOCKET, proxied=True), recogniser=Names(), certificates=handed_on)
    transport = httpx.ASGITransport(app, client=None)  # type: ignore[arg-type]
    headers = [("authorization", "Bearer EHM-A")]
    headers += [("client-cert", as_nginx(one)) for one in (OTHERS, OWN)]
    async with httpx.AsyncClient(transport=transport, base_url="https://hub.example") as door:
        answer = await door.get("/inbox", headers=headers)

    assert answer.status_code in (400, 401)


async def test_what_is_for_this_machine_is_not_for_who_comes_by_a_proxy() -> None:
    """Everybody comes by the same socket, so nobody is this machine."""
    assert await came("EHM-A", None, path="/metrics") == 404
    assert await came("EHM-A", None, path="/metrics", proxied=False) == 200


def test_a_start_that_could_not_hold_it_is_refused(tmp_path: Path) -> None:
    """Certificates that nobody hands on, and API keys where the socket is the world's."""
    secured = hub_of(TCP, proxied=False)
    with pytest.raises(Misconfigured, match="client certificates"):
        refuse_unsafe_start(secured.settings, secured.registry)
    keyed = small_hub()
    behind = replace(keyed.settings, listen=SOCKET, client_certificates=True)
    with pytest.raises(Misconfigured):
        refuse_unsafe_start(behind, keyed.registry)
    refuse_unsafe_start(replace(behind, client_certificates=False), keyed.registry)

    given = {"ECAF_CONFIG_DIR": str(tmp_path), "ECAF_CLIENT_CERTIFICATES": "proxy"}
    for listen, wrong in (("127.0.0.1:0", "means nothing"), ("unix:/run/x", "")):
        with pytest.raises(Misconfigured) as fault:
            Settings.from_environ({**given, "ECAF_LISTEN": listen})
        found = [one.remedy for one in fault.value.faults if "CERTIFICATES" in one.path]
        assert bool(found) is bool(wrong)
