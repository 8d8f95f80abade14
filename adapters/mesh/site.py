"""``mesh.yaml`` of a site's folder: the hub's own mailbox at NHS MESH.

Without the file there is no MESH.  Read strictly, every fault at once with its place; secrets are
files of their own that only their owner may read::

    url: https://mesh-sync.spineservices.nhs.uk
    mailbox: X26HC001
    password_file: secrets/mesh.password
    shared_key_file: secrets/mesh-shared.key    # of the environment, issued by NHS England
    cert_file: tls/mesh.pem
    key_file: secrets/mesh.key
    poll_seconds: 300
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.outward import Reach
from adapters.partners.delivering import inside, secret_file
from adapters.partners.mesh import MAILBOX
from adapters.partners.values import matching, reach_of
from hub.errors import Code, Fault, Misconfigured
from hub.positioned import Fields, PositionedErrors, Problems, Value, read_file
from hub.settings import is_loopback

FILE: Final = "mesh.yaml"
_DAY: Final = 24 * 3600
_SMALLEST_CHUNK: Final = 1_000
_LARGEST_CHUNK: Final = 95_000_000


@dataclass(frozen=True, slots=True)
class MeshSite:
    """The hub's mailbox: where it is, by what the hub proves that it is its own, how often it
    looks, and from how many bytes on a message goes in chunks.

    *reach* says whether MESH may lie inside a private network (as a gateway of one's own does).
    *ca_file* left out: what mesh-client ships for the addresses of NHS England, else the machine's
    authorities.
    """

    url: str
    mailbox: str
    password_file: Path
    shared_key_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    poll_seconds: int = 300
    chunk_bytes: int = 20_000_000
    compress: bool = True
    reach: Reach = "public"


def load_mesh(config_dir: Path) -> MeshSite | None:
    """Return the site's mailbox, if it has one; `Misconfigured` with all faults if it is wrong."""
    path = config_dir / FILE
    if not path.exists():
        return None
    problems = Problems()
    found: MeshSite | None = None
    with problems.kept():
        found = _site(read_file(path, FILE), config_dir)
    try:
        problems.settle()
    except PositionedErrors as wrong:
        faults = [
            Fault(Code.CONFIGURATION, path=str(error.place), remedy=error.message)
            for error in wrong.errors
        ]
        raise Misconfigured(Code.CONFIGURATION, f"MESH mailbox:\n{wrong}", faults) from None
    return found


def _site(value: Value, config_dir: Path) -> MeshSite:
    told = value.mapping(
        "url", "mailbox", "password_file", "shared_key_file", "cert_file", "key_file", "ca_file",
        "poll_seconds", "chunk_bytes", "compress", "reach",
    )  # fmt: skip
    secure = _address(told.need("url"))
    files = {name: told.get(name) for name in ("cert_file", "key_file", "ca_file")}
    for name, given in files.items():
        if secure and given is None and name != "ca_file":
            value.error(f"https:// needs the key {name}: MESH asks for a client certificate")
        if not secure and given is not None:
            given.error("means nothing without https://")
    cert, key, ca = files.values()
    return MeshSite(
        url=told.need("url").text().rstrip("/"),
        mailbox=matching(told.need("mailbox"), MAILBOX, "the mailbox's id, as MESH has it"),
        password_file=secret_file(told.need("password_file"), config_dir),
        shared_key_file=secret_file(told.need("shared_key_file"), config_dir),
        cert_file=None if cert is None else inside(cert, config_dir),
        key_file=None if key is None else secret_file(key, config_dir),
        ca_file=None if ca is None else inside(ca, config_dir),
        # A sandbox on this machine is nobody's to spare.
        poll_seconds=_number(told, "poll_seconds", 300, 5 if secure else 1, _DAY),
        chunk_bytes=_number(told, "chunk_bytes", 20_000_000, _SMALLEST_CHUNK, _LARGEST_CHUNK),
        compress=told.boolean("compress", default=True),
        reach=reach_of(told.get("reach")),
    )


def _number(told: Fields, name: str, default: int, low: int, high: int) -> int:
    given = told.get(name)
    return default if given is None else given.integer(low, high)


def _address(value: Value) -> bool:
    """Check the address of MESH, and return whether it is TLS."""
    try:
        parts = urlsplit(value.text())
        host, _port = parts.hostname, parts.port
    except ValueError:
        value.error("must be a URL")
    if not host or parts.username is not None or parts.query or parts.fragment:
        value.error("must be the address of MESH, with no user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        value.error("must be https:// unless it is this machine")
    return parts.scheme == "https"
