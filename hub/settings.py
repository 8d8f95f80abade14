"""Where am I? The environment, read once into a frozen dataclass.

Nothing else in the hub reads the environment.  Every fault is reported at once, by the name of the
variable and what would put it right; values are never repeated, because some of them are secrets.
"""

import difflib
import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hub.bounds import BOUND_NAMES, Bounds, read_bounds
from hub.errors import Code, Fault, Misconfigured
from hub.secrets import Secret, permission_fault

DEFAULT_DATABASE: Final = "sqlite:///ecaf.db"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

NAMES: Final = (
    "ECAF_DATABASE_URL",
    "ECAF_BROKER_URL",
    "ECAF_CONFIG_DIR",
    "ECAF_LISTEN",
    "ECAF_LISTEN_GROUP",
    "ECAF_CLIENT_CERTIFICATES",
    "ECAF_PUBLIC_URL",
    "ECAF_TLS_CERT_FILE",
    "ECAF_TLS_KEY_FILE",
    "ECAF_TOKEN_KEY_FILE",
    "ECAF_TOKEN_ISSUER",
    "ECAF_TOKEN_ISSUER_JWKS",
    "ECAF_VAULT_KEY_FILE",
    "ECAF_OPERATOR_SOCKET",
    "ECAF_CLOCK_OFFSET_FILE",
    "ECAF_CANONICAL_URL",
    "ECAF_LEASE_SECONDS",
    "ECAF_LOG_LEVEL",
    "ECAF_METRICS_LISTEN",
    "ECAF_MLLP_LISTEN",
    "ECAF_MLLP_CERT_FILE",
    "ECAF_MLLP_KEY_FILE",
    "ECAF_MLLP_CA_FILE",
    "ECAF_MLLP_PLAIN",
    "ECAF_TRACES_URL",
    *BOUND_NAMES,
)
# Read by the test suite itself (tests/README.md), never by the hub.
_NOT_OURS: Final = "ECAF_TEST_"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the HTTP door listens: a TCP address, or the path of a unix socket.

    >>> Listen.parse("127.0.0.1:8700").local, Listen.parse("unix:/run/ecaf.sock").local
    (True, True)
    >>> Listen.parse("0.0.0.0:8700").local
    False
    """

    host: str = "127.0.0.1"
    port: int = 8700
    unix: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "Listen":
        """Return the address in *text*; ``ValueError`` where it is neither form."""
        if text.startswith("unix:"):
            path = Path(text.removeprefix("unix:"))
            if not path.is_absolute():
                raise ValueError("unix path must be absolute")
            return cls(unix=path)
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65_536):
            raise ValueError("not host:port")
        return cls(host=host, port=int(port))

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.unix is not None or is_loopback(self.host)

    @property
    def authority(self) -> str:
        """The ``host:port`` of a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine: ``localhost`` or a literal loopback address.

    >>> is_loopback("127.0.0.9"), is_loopback("::1"), is_loopback("hub.example")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class MllpListen:
    """Where the MLLP door listens, with what certificate, and whose client certificates it
    believes; without the three files it is plain, on loopback.
    """

    at: Listen
    cert_file: Path | None = None
    key_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment says.

    *broker_url* absent means embedded: no broker.  *token_key_file* absent means that no partner
    can ask for tokens (API keys on loopback only); *token_issuer* is somebody else
    who gives them; *client_certificates*: all callers come through a proxy that hands theirs on, by
    a unix socket that *listen_group* may open, too; *mllp* absent that there is no such door,
    *metrics_listen* absent that the metrics page is for callers on this machine only.
    Passwords are inside the two URLs, so both are secrets.
    """

    config_dir: Path
    vault_key_file: Path
    database_url: Secret = field(default_factory=lambda: Secret(DEFAULT_DATABASE))
    broker_url: Secret | None = None
    listen: Listen = field(default_factory=Listen)
    public_url: str = "http://127.0.0.1:8700"
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    token_key_file: Path | None = None
    token_issuer: str | None = None
    token_issuer_jwks: Path | None = None
    operator_socket: Path | None = None
    clock_offset_file: Path | None = None
    canonical_url: str = "https://ecaf.example/fhir"
    lease_seconds: int = 60
    log_level: str = "info"
    mllp: MllpListen | None = None
    metrics_listen: Listen | None = None
    listen_group: str | None = None
    client_certificates: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    traces_url: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Return the settings in *environ*; `Misconfigured` listing every fault where any is wrong.

        An empty variable counts as absent.  An unknown ``ECAF_`` variable is a fault: a misspelt
        setting that silently does nothing is how a hub comes to run open.
        """
        return _Reading(environ).settings()


def environ_of(site: Path) -> dict[str, str]:
    """Return the environment of a site that has everything in one folder.

    The demo leaves the vault's key beside ``hub.yaml``, `ecaf keys init` puts it into ``secrets/``.
    """
    places = (site / "vault.key", site / "secrets/vault.key")
    return {
        "ECAF_CONFIG_DIR": str(site),
        "ECAF_VAULT_KEY_FILE": str(next((one for one in places if one.exists()), places[0])),
        "ECAF_DATABASE_URL": f"sqlite:///{site / 'hub.db'}",
    }


class _Reading:
    """One pass over the environment that collects faults instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._given = {name: environ[name] for name in NAMES if environ.get(name)}
        self._faults: list[Fault] = []
        for name in sorted(environ):
            if name.startswith("ECAF_") and name not in NAMES and not name.startswith(_NOT_OURS):
                near = difflib.get_close_matches(name, NAMES, n=1)
                meant = f"; did you mean {near[0]}?" if near else ""
                self._fault(name, f"there is no such setting{meant}")

    def _fault(self, name: str, remedy: str) -> None:
        self._faults.append(Fault(Code.CONFIGURATION, path=name, remedy=remedy))

    def settings(self) -> Settings:
        """Return the settings, or raise with all faults."""
        config_dir = self._folder("ECAF_CONFIG_DIR")
        vault_key = self._file("ECAF_VAULT_KEY_FILE", required=True, secret=True)
        listen = self._listen("ECAF_LISTEN", "127.0.0.1:8700")
        cert = self._file("ECAF_TLS_CERT_FILE")
        key = self._file("ECAF_TLS_KEY_FILE", secret=True)
        if ("ECAF_TLS_CERT_FILE" in self._given) != ("ECAF_TLS_KEY_FILE" in self._given):
            self._fault("ECAF_TLS_KEY_FILE", "certificate and key are given together or not at all")
        if listen is not None and not listen.local and "ECAF_TLS_CERT_FILE" not in self._given:
            self._fault(
                "ECAF_TLS_CERT_FILE",
                "needed because ECAF_LISTEN can be reached from other machines "
                "(or listen on loopback or a unix socket behind a proxy that ends TLS)",
            )
        settings = Settings(
            config_dir=config_dir or Path(),
            vault_key_file=vault_key or Path(),
            database_url=Secret(
                self._url("ECAF_DATABASE_URL", ("sqlite", "postgresql")) or DEFAULT_DATABASE
            ),
            broker_url=self._secret_url("ECAF_BROKER_URL", ("amqp", "amqps")),
            listen=listen or Listen(),
            public_url=self._public_url(listen, secure=cert is not None),
            tls_cert_file=cert,
            tls_key_file=key,
            token_key_file=self._file("ECAF_TOKEN_KEY_FILE", secret=True),
            token_issuer=self._issuer(),
            token_issuer_jwks=self._file("ECAF_TOKEN_ISSUER_JWKS"),
            operator_socket=self._socket("ECAF_OPERATOR_SOCKET"),
            clock_offset_file=self._path("ECAF_CLOCK_OFFSET_FILE"),
            canonical_url=(
                self._url("ECAF_CANONICAL_URL", ("http", "https")) or "https://ecaf.example/fhir"
            ).rstrip("/"),
            lease_seconds=self._number("ECAF_LEASE_SECONDS", 60, 1, 3_600),
            log_level=self._choice("ECAF_LOG_LEVEL", "info", LOG_LEVELS),
            mllp=self._mllp(),
            metrics_listen=self._listen("ECAF_METRICS_LISTEN"),
            listen_group=self._by_socket("ECAF_LISTEN_GROUP", listen),
            client_certificates=self._proxied(listen),
            bounds=read_bounds(self._number),
            traces_url=self._url("ECAF_TRACES_URL", ("http", "https")),
        )
        if self._faults:
            names = ", ".join(dict.fromkeys(fault.path for fault in self._faults))
            raise Misconfigured(
                Code.CONFIGURATION, f"the environment is wrong: {names}", self._faults
            )
        return settings

    def _path(self, name: str) -> Path | None:
        given = self._given.get(name)
        return None if given is None else Path(given)

    def _folder(self, name: str) -> Path | None:
        path = self._path(name)
        if path is None:
            self._fault(name, "required: the folder of the site's configuration")
        elif not path.is_dir():
            self._fault(name, "is not a folder")
        return path

    def _file(self, name: str, *, required: bool = False, secret: bool = False) -> Path | None:
        path = self._path(name)
        if path is None:
            if required:
                self._fault(name, "required: the path of a file (`ecaf keys init` makes one)")
            return None
        wrong = permission_fault(path) if secret else None
        if wrong is None and not path.is_file():
            wrong = "cannot be read: give the path of an existing file"
        if wrong is not None:
            self._fault(name, wrong)
        return path

    def _socket(self, name: str) -> Path | None:
        path = self._path(name)
        if path is not None and not path.parent.is_dir():
            self._fault(name, "its folder does not exist")
        return path

    def _listen(self, name: str, default: str | None = None) -> Listen | None:
        where = self._given.get(name, default)
        try:
            return None if where is None else Listen.parse(where)
        except ValueError:
            self._fault(name, "give host:port, or unix:/absolute/path")
            return None

    def _by_socket(self, name: str, listen: Listen | None) -> str | None:
        """Return a setting that means something on a unix socket only."""
        given = self._given.get(name)
        if given is not None and (listen is None or listen.unix is None):
            self._fault(name, "means nothing unless ECAF_LISTEN is unix:/absolute/path")
        return given

    def _proxied(self, listen: Listen | None) -> bool:
        name = "ECAF_CLIENT_CERTIFICATES"
        given = self._by_socket(name, listen)
        if given not in (None, "proxy"):
            self._fault(name, "only proxy: a header of anybody else's is nobody's word")
        return given is not None

    def _mllp(self) -> MllpListen | None:
        names = [name for name in NAMES if name.startswith("ECAF_MLLP_")]
        if "ECAF_MLLP_LISTEN" not in self._given:
            for name in names:
                if name in self._given:
                    self._fault(name, "means nothing without ECAF_MLLP_LISTEN")
            return None
        at: Listen | None = None
        with suppress(ValueError):
            at = Listen.parse(self._given["ECAF_MLLP_LISTEN"])
        if at is None or at.unix is not None:
            self._fault("ECAF_MLLP_LISTEN", "give host:port")
        files = [name for name in names if name.endswith("_FILE")]
        if "ECAF_MLLP_PLAIN" in self._given:
            if self._given["ECAF_MLLP_PLAIN"] != "loopback" or (at is not None and not at.local):
                self._fault("ECAF_MLLP_PLAIN", "only loopback, where ECAF_MLLP_LISTEN is loopback")
            for name in files:
                if name in self._given:
                    self._fault(name, "means nothing with ECAF_MLLP_PLAIN")
            return None if at is None else MllpListen(at)
        for name in files:
            if name not in self._given:
                remedy = "required: MLLP is TLS with client certificates, or ECAF_MLLP_PLAIN"
                self._fault(name, remedy)
        cert, key, ca = (self._file(name, secret=name.endswith("KEY_FILE")) for name in files)
        if at is None or cert is None or key is None or ca is None:
            return None
        return MllpListen(at, cert, key, ca)

    def _split(self, name: str, schemes: tuple[str, ...]) -> SplitResult | None:
        try:
            parts = urlsplit(self._given[name])
            _ = parts.port
        except ValueError:
            parts = None
        if parts is None or parts.scheme.partition("+")[0] not in schemes:
            self._fault(name, f"give a URL that begins with {' or '.join(schemes)}://")
            return None
        return parts

    def _url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        if name not in self._given:
            return None
        self._split(name, schemes)
        return self._given[name]

    def _secret_url(self, name: str, schemes: tuple[str, ...]) -> Secret | None:
        url = self._url(name, schemes)
        return None if url is None else Secret(url)

    def _public_url(self, listen: Listen | None, *, secure: bool) -> str:
        name = "ECAF_PUBLIC_URL"
        if name not in self._given:
            if listen is None:
                return ""
            if not listen.local:
                self._fault(name, "required: the https:// address by which partners reach the hub")
            if listen.unix is not None:
                return "http://localhost"
            return f"{'https' if secure else 'http'}://{listen.authority}"
        parts = self._split(name, ("http", "https"))
        if parts is None:
            return ""
        if parts.username or parts.query or parts.fragment or not parts.hostname:
            self._fault(name, "give scheme, host, port and path only")
        elif parts.scheme != "https" and not is_loopback(parts.hostname):
            self._fault(name, "must be https:// unless it is loopback")
        return self._given[name].rstrip("/")

    def _issuer(self) -> str | None:
        """Return whose access tokens are taken besides the hub's own; its keys go with it."""
        name = "ECAF_TOKEN_ISSUER"
        if (name in self._given) != ("ECAF_TOKEN_ISSUER_JWKS" in self._given):
            self._fault(name, "goes with ECAF_TOKEN_ISSUER_JWKS, its public keys")
        return self._url(name, ("https",))

    def _number(self, name: str, default: int, low: int, high: int) -> int:
        given = self._given.get(name)
        if given is None:
            return default
        if not (given.isascii() and given.isdigit() and low <= int(given[:18]) <= high):
            self._fault(name, f"give a whole number from {low} to {high}")
            return default
        return int(given)

    def _choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        given = self._given.get(name, default).lower()
        if given not in choices:
            self._fault(name, f"give one of {', '.join(choices)}")
        return given
