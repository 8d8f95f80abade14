"""A PostgreSQL of our own: on a free loopback port, with its data where the caller says.

It can be killed and started again, which is what the recovery tests need. It dies with the process
that started it, whatever happens to that process.
"""

import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

OWNER = "hub"
ACCOUNT = "postgres"
_NUMBERS = itertools.count(1)


class NoPostgres(Exception):
    """There is no server to test against; the text says how to get one."""


@dataclass(frozen=True, slots=True)
class Databases:
    """An address where databases can be made; *dsn* names the one for administration."""

    dsn: str

    def create(self, *, template: str = "template1") -> str:
        """Make a database (a copy of *template*, which nobody may be using); return its dsn."""
        name = f"ecaf_{os.getpid()}_{next(_NUMBERS)}"
        with psycopg.connect(self.dsn, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))

    def drop(self, dsn: str) -> None:
        """Remove a database that `create` made, whoever is still connected to it."""
        name = database_name(dsn)
        with psycopg.connect(self.dsn, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


class PostgresServer:
    """A running server. *dsn* is for psycopg and psql, *url* is the same for SQLAlchemy."""

    def __init__(self, programs: Path, folder: Path, port: int, *, durable: bool) -> None:
        self.port = port
        self.dsn = f"postgresql://{OWNER}@127.0.0.1:{port}/postgres"
        self.url = sqlalchemy_url(self.dsn)
        self.databases = Databases(self.dsn)
        self._programs = programs
        self._folder = folder
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process that all others descend from; None while stopped."""
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Close all connections, write everything, and be gone when this returns."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    def kill9(self) -> None:
        """Kill the server and its children as a machine failure would, with no last word."""
        if self._process is None:
            return
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            _kill(pid)
        self._process.wait(timeout=30)
        self._process = None
        # A child that is still there holds the shared memory, and the next start would be refused.
        deadline = time.monotonic() + 10
        while any(map(runs, children)):
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL: a killed child process does not end")
            time.sleep(0.01)

    def restart(self) -> None:
        """Start again, on the same port and data; stops first if it is running."""
        self.stop()
        self._start()

    def _start(self) -> None:
        durability = () if self._durable else ("-c", "fsync=off", "-c", "full_page_writes=off")
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # The kernel stops the server should this process vanish.
                    *_as_owner("--pdeathsig", "INT"),
                    *(self._programs / "postgres", "-D", self._folder / "data", *durability),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, who then stop us in order
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.dsn, connect_timeout=5).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.kill9()
                    said = (self._folder / "log").read_text(errors="replace")[-2000:]
                    raise NoPostgres(f"PostgreSQL did not start. It said:\n{said}") from None
                time.sleep(0.02)
            else:
                return


def start_postgres(folder: Path, *, durable: bool = False) -> PostgresServer:
    """Make a new cluster in *folder* (which must not be used yet) and start it.

    Without *durable* the disk is not waited for: kill -9 loses nothing (the kernel has it), a power
    failure would. Measurements ask for *durable*.
    """
    programs = _programs()
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, ACCOUNT)
    folder.chmod(0o700)
    made = subprocess.run(
        [
            *_as_owner(),
            *(programs / "initdb", "-D", folder / "data", "-U", OWNER, "-A", "trust"),
            *("-E", "UTF8", "--locale=C", "--data-checksums", "--no-sync", "--no-instructions"),
        ],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NoPostgres(f"initdb failed in {folder}:\n{made.stdout}{made.stderr}")
    port = _free_port()
    with (folder / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write(
            f"listen_addresses = '127.0.0.1'\nport = {port}\n"
            # No socket file: its path may have 107 characters only, and folders may be deep.
            "unix_socket_directories = ''\n"
            "max_connections = 100\nshared_buffers = '64MB'\n"
            # Not UTC, so that a time without its zone shows.
            "timezone = 'Pacific/Auckland'\nlog_timezone = 'UTC'\n"
        )
    server = PostgresServer(programs, folder, port, durable=durable)
    server.restart()
    return server


@contextmanager
def databases() -> Iterator[Databases]:
    """Where tests make databases: `ECAF_TEST_DATABASE_URL` if set, else a private server."""
    given = os.environ.get("ECAF_TEST_DATABASE_URL")
    if given:
        yield Databases(plain_dsn(given))
        return
    # Not under pytest's folders, which the user that PostgreSQL runs as may not enter.
    folder = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    try:
        server = start_postgres(folder, durable=True)  # the store refuses one that forgets
        try:
            yield server.databases
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sqlalchemy_url(dsn: str) -> str:
    """Name the driver, as SQLAlchemy wants it."""
    return "postgresql+psycopg" + dsn[dsn.index("://") :]


def plain_dsn(url: str) -> str:
    """Take the driver out again, as psycopg and psql want it."""
    return "postgresql" + url[url.index("://") :]


def database_name(dsn: str) -> str:
    """The database that *dsn* names."""
    return urlsplit(dsn).path.removeprefix("/")


def _programs() -> Path:
    """The newest installed server, or the folder of the one on the PATH."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: [int(part) for part in path.parts[4].split(".") if part.isdigit()],
    )
    found = str(installed[-1]) if installed else shutil.which("postgres")
    if found is None:
        raise NoPostgres(
            "no PostgreSQL here: `sudo apt-get install -y postgresql`,"
            " or set ECAF_TEST_DATABASE_URL to one where databases may be made"
        )
    return Path(found).parent


def _as_owner(*options: str) -> tuple[str, ...]:
    """What to put before a command: PostgreSQL refuses to run as root, Debian brings an account."""
    if os.geteuid() == 0:
        options = ("--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups", *options)
    return ("setpriv", *options, "--") if options else ()


def _children(pid: int) -> tuple[int, ...]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return tuple(int(child) for child in listed.split())


def runs(pid: int) -> bool:
    """Whether it still holds anything: a zombie waits for its parent, and holds nothing."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return after_name.split()[0] not in "ZX"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _free_port() -> int:
    """A port below those that outgoing connections take, so that it is still free after a kill."""
    for port in random.Random().sample(range(15_000, 32_000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NoPostgres("no free port between 15000 and 32000 on 127.0.0.1")
