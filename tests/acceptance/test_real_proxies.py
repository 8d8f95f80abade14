"""Mutual TLS ended by a real proxy: the shipped configurations, run by nginx and by HAProxy."""

import asyncio
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from adapters.certificates import handed_on
from adapters.partners.keys import Keys, create_keys
from hub.api.app import create_app
from hub.api.serving import listening
from hub.domain.certificates import Certified
from hub.domain.partner import Credentials, Registry
from hub.scenarios.processes import free_port
from hub.settings import Listen
from tests.unit.api.small_hub import CAF, partner, small_hub
from tests.unit.api.test_certified import Names, as_nginx, as_rfc, made
from tests.unit.mllp.test_door import client_certificate, fingerprint

SHIPPED = Path(__file__).parents[2] / "adapters/proxies"
START_SECONDS = 60.0

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@dataclass(frozen=True)
class Place:
    """Where a test's files are, and on which port its proxy listens."""

    folder: Path
    keys: Keys
    port: int

    @property
    def socket(self) -> Path:
        return self.folder / "hub.sock"


def put(text: str, changes: dict[str, str]) -> str:
    """Return a shipped configuration with a test's own places in it, nothing else changed."""
    for shipped, own in changes.items():
        assert shipped in text, f"the shipped configuration does not say {shipped}"
        text = text.replace(shipped, own)
    return text


def nginx(place: Place) -> list[str]:
    """Write nginx's configuration, and return the command that runs it."""
    server, authority = place.keys.server_cert, place.keys.ca_cert
    inner = put(
        (SHIPPED / "nginx.conf").read_text(),
        {
            "unix:/run/ecaf/hub.sock;": f"unix:{place.socket};",
            "listen 443 ssl;": f"listen 127.0.0.1:{place.port} ssl;",
            "/etc/ecaf/tls/server.pem": str(server),
            "/etc/ecaf/tls/server.key": str(place.keys.server_key),
            "/etc/ecaf/tls/clients-ca.pem": str(authority),
        },
    )
    (place.folder / "hub.conf").write_text(inner)
    temporary = "".join(
        f"{kind}_temp_path {place.folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = place.folder / "nginx.conf"
    # Its worker is whoever runs the test: the socket is the hub's and its group's alone.
    whole.write_text(
        f"daemon off;\nuser {place.folder.owner()};\npid {place.folder}/nginx.pid;\n"
        "worker_processes 1;\n"
        f"error_log {place.folder}/proxy.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}include {place.folder}/hub.conf;\n}}\n"
    )
    return ["nginx", "-p", str(place.folder), "-e", f"{place.folder}/proxy.log", "-c", str(whole)]


def haproxy(place: Place) -> list[str]:
    """Write HAProxy's configuration, and return the command that runs it."""
    pair = place.folder / "server-with-key.pem"
    pair.write_bytes(place.keys.server_cert.read_bytes() + place.keys.server_key.read_bytes())
    file = place.folder / "haproxy.cfg"
    file.write_text(
        put(
            (SHIPPED / "haproxy.cfg").read_text(),
            {
                "bind :443": f"bind 127.0.0.1:{place.port}",
                "/etc/ecaf/tls/server-with-key.pem": str(pair),
                "/etc/ecaf/tls/clients-ca.pem": str(place.keys.ca_cert),
                "unix@/run/ecaf/hub.sock": f"unix@{place.socket}",
            },
        )
    )
    return ["haproxy", "-db", "-f", str(file)]


PROXIES: dict[str, tuple[str, Callable[[Place], list[str]]]] = {
    "nginx": ("nginx-light", nginx),
    "haproxy": ("haproxy", haproxy),
}


def program(name: str) -> str:
    """Return where a proxy is installed; fails, and says how to get it, where it is not."""
    package, _ = PROXIES[name]
    found = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    assert found, f"{name} is not installed: apt-get install -y --no-install-recommends {package}"
    return found


@asynccontextmanager
async def behind(name: str, folder: Path) -> AsyncIterator[Place]:
    """Give a hub on a unix socket, and before it a proxy with the shipped configuration."""
    place = Place(folder, create_keys(folder), free_port())
    hub = small_hub(*(partner(who) for who in ("EHM-A", "SCH-A", "HOU-A")))
    hub.settings = replace(hub.settings, listen=Listen(unix=place.socket), client_certificates=True)
    shown, _ = client_certificate(place.keys, "mis")
    hub.registry = Registry(
        "H",
        "s@hub.example",
        hub.registry.partners,
        {
            "EHM-A": Credentials(https=Certified(hosts=frozenset({"cms.example", "late.example"}))),
            "SCH-A": Credentials(https=Certified(fingerprints=frozenset({fingerprint(shown)}))),
            "HOU-A": Credentials(),
        },
    )
    app = create_app(hub, recogniser=Names(), certificates=handed_on)
    command = [program(name), *PROXIES[name][1](place)[1:]]
    async with listening(app, hub.settings, support_contact="s@hub.example"):
        with (folder / "out").open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
            )
        try:
            await _ready(place, process)
            yield place
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _ready(place: Place, process: asyncio.subprocess.Process) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.returncode is None:
        try:
            async with client(place) as door:
                if (await door.get("/healthz")).status_code == 200:
                    return
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    told = [one.read_text(errors="replace") for one in place.folder.glob("*.log")]
    raise AssertionError("\n".join([(place.folder / "out").read_text(), *told]))


def client(place: Place, pair: tuple[Path, Path] | None = None) -> httpx.AsyncClient:
    """Return a client of the proxy that shows a certificate, or none."""
    tls = ssl.create_default_context(cafile=str(place.keys.ca_cert))
    if pair is not None:
        tls.load_cert_chain(*pair)
    return httpx.AsyncClient(
        base_url=f"https://localhost:{place.port}", verify=tls, trust_env=False, timeout=30
    )


async def inbox(
    place: Place, who: str, pair: tuple[Path, Path] | None = None, **headers: str
) -> int:
    """Return what *who* is answered; 0 where the proxy does not even let it speak."""
    told = {"authorization": f"Bearer {who}"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        async with client(place, pair) as door:
            return (await door.get("/inbox", headers=told)).status_code
    except (httpx.TransportError, ssl.SSLError):
        return 0


@pytest.mark.parametrize("name", PROXIES)
async def test_a_partner_comes_by_a_real_proxy_with_its_certificate(
    name: str, tmp_path: Path
) -> None:
    """Its own opens; none, another's, an unknown authority's and a forged header do not."""
    async with behind(name, tmp_path) as place:
        own, others = (client_certificate(place.keys, who) for who in ("cms", "mis"))
        assert await inbox(place, "EHM-A", own) == 200
        assert await inbox(place, "SCH-A", others) == 200
        assert await inbox(place, "HOU-A") == 200
        async with client(place, own) as door:
            sent = await door.post(
                "/messages",
                content=b'{"a": 1}',
                headers={
                    "authorization": "Bearer EHM-A",
                    "content-type": CAF,
                    "idempotency-key": "k-1",
                },
            )
        assert sent.status_code == 202

        assert await inbox(place, "EHM-A") == 401
        assert await inbox(place, "EHM-A", others) == 401
        assert await inbox(place, "HOU-A", others) == 401

        forged = made("cms.example")
        for value in (as_nginx(forged), as_rfc(forged), "cms.example"):
            assert await inbox(place, "EHM-A", client_cert=value) == 401
            assert await inbox(place, "EHM-A", others, client_cert=value) == 401
            # What comes from outside is replaced, so that it does not spoil the real one either.
            assert await inbox(place, "EHM-A", own, client_cert=value) == 200

        stranger = client_certificate(create_keys(tmp_path / "elsewhere"), "cms")
        late = client_certificate(place.keys, "late", days=-1)
        for pair in (stranger, late):
            assert await inbox(place, "EHM-A", pair) in (0, 400, 401)
        async with client(place, own) as door:
            assert (await door.get("/metrics")).status_code == 404
