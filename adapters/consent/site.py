"""``consent.yaml`` of a site's folder: which authorities keep consent on a server of their own.

Without the file the hub's own register counts everywhere.  Read strictly, every fault at once with
its place; secrets are files of their own that only their owner may read::

    registers:
      county:
        url: https://consent.county.example/fhir
        authorities: ["001"]          # none: every episode of this hub
        token_file: secrets/county.token
        ca_file: tls/county-ca.pem
        lease_seconds: 30
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.consent.fhir_server import Search
from adapters.outward import Reach
from adapters.partners.values import reach_of
from hub.errors import Code, Fault, Misconfigured
from hub.positioned import PositionedErrors, Problems, Value, read_file
from hub.secrets import permission_fault
from hub.settings import is_loopback

FILE: Final = "consent.yaml"
LONGEST_LEASE: Final = 300
SEARCHES: Final[tuple[Search, ...]] = ("episode", "patient")


@dataclass(frozen=True, slots=True)
class RegisterProfile:
    """One external register; *authorities* empty: every episode that no other one has."""

    name: str
    url: str
    authorities: tuple[str, ...]
    search: Search
    history: bool
    token_file: Path | None
    ca_file: Path | None
    lease_seconds: int
    timeout_seconds: int
    reach: Reach = "public"


def load_registers(config_dir: Path) -> tuple[RegisterProfile, ...]:
    """Return the registers of the site; `Misconfigured` with all faults where any is wrong."""
    path = config_dir / FILE
    if not path.exists():
        return ()
    problems = Problems()
    found: list[RegisterProfile] = []
    with problems.kept():
        top = read_file(path, FILE).mapping("registers")
        taken: dict[str, str] = {}
        for name, value in top.need("registers").items():
            with problems.kept():
                found.append(_register(name, value, config_dir, taken))
    try:
        problems.settle()
    except PositionedErrors as wrong:
        faults = [
            Fault(Code.CONFIGURATION, path=str(error.place), remedy=error.message)
            for error in wrong.errors
        ]
        raise Misconfigured(Code.CONFIGURATION, f"registers of consent:\n{wrong}", faults) from None
    return tuple(found)


def _register(name: str, value: Value, config_dir: Path, taken: dict[str, str]) -> RegisterProfile:
    told = value.mapping(
        "url", "authorities", "search", "history", "token_file", "ca_file", "lease_seconds",
        "timeout_seconds", "reach",
    )  # fmt: skip
    if not (name.isascii() and name.replace("-", "").isalnum() and len(name) <= 32):
        value.error("a register's name is letters, digits and -, at most 32")
    address = told.need("url")
    _address(address)
    authorities = told.get("authorities")
    codes = authorities.texts() if authorities else ()
    for code in codes or ("",):
        if code in taken:
            value.error(f"{taken[code]} has these episodes already")
        taken[code] = name
    search, lease = told.get("search"), told.get("lease_seconds")
    seconds, token = told.get("timeout_seconds"), told.get("token_file")
    authority = told.get("ca_file")
    by = search.one_of(*SEARCHES) if search else "episode"
    return RegisterProfile(
        name=name,
        url=address.text(),
        authorities=codes,
        search=next(one for one in SEARCHES if one == by),
        history=told.boolean("history", default=True),
        token_file=_file(token, config_dir, secret=True) if token else None,
        ca_file=_file(authority, config_dir, secret=False) if authority else None,
        lease_seconds=lease.integer(1, LONGEST_LEASE) if lease else 30,
        timeout_seconds=seconds.integer(1, 30) if seconds else 5,
        reach=reach_of(told.get("reach")),
    )


def _address(value: Value) -> None:
    try:
        parts = urlsplit(value.text())
        host, _port = parts.hostname, parts.port
    except ValueError:
        value.error("must be a URL")
    if not host or parts.username is not None or parts.query or parts.fragment:
        value.error("must be the base URL of the server, with no user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        value.error("must be https:// unless it is this machine")


def _file(value: Value, config_dir: Path, *, secret: bool) -> Path:
    given = Path(value.text())
    if given.is_absolute() or ".." in given.parts:
        value.error("must be relative to the configuration folder and stay inside it")
    path = (config_dir / given).absolute()
    if not path.is_file():
        value.error("there is no such file")
    wrong = permission_fault(path) if secret else None
    if wrong is not None:
        value.error(wrong)
    return path
