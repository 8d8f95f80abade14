"""A RabbitMQ of our own: private, on loopback, and ours to kill.

Started from the installed server without systemd and without the packaged wrapper, which would
change user and folder. Everything that listens (AMQP, Erlang distribution, epmd) is bound to
127.0.0.1 on a free port, and everything that it writes lies in one folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EXTERNAL = "ECAF_TEST_BROKER_URL"
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class NotOurs(RuntimeError):
    """The broker was given to us by ECAF_TEST_BROKER_URL: it is not ours to stop or to wipe."""


@dataclass
class RabbitServer:
    """A running broker. What stops, kills or wipes it raises `NotOurs` for a broker given to us."""

    url: str
    port: int
    folder: Path | None = None
    _broker: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _epmd: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The process that runs the broker."""
        return self._process().pid

    @property
    def disposable(self) -> bool:
        """Whether it is ours to stop, kill and wipe."""
        return self.folder is not None

    def start(self) -> None:
        """Start the broker on the same port and folder, and wait until a connection opens."""
        folder = self._ours()
        environment = _environment(folder, self.port)
        with (folder / "out").open("ab") as out:
            if self._epmd is None:
                command = ["epmd", "-port", environment["ERL_EPMD_PORT"], "-address", "127.0.0.1"]
                self._epmd = subprocess.Popen(
                    command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
                )
            self._broker = subprocess.Popen(
                [str(SERVER)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill9()
            raise

    def stop(self) -> None:
        """Shut the broker down in order; the folder stays."""
        process = self._process()
        self.sigcont()
        for pid in _beams(process.pid):
            os.kill(pid, signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill9()
        self._broker = None

    def kill9(self) -> None:
        """Kill the broker as a failing machine would; the folder stays."""
        process = self._process()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)
        self._broker = None

    def restart(self) -> None:
        """Start it again, after stopping it if it runs."""
        if self._broker is not None:
            self.stop()
        self.start()

    def wipe(self) -> None:
        """Kill the broker and delete everything that it has stored; it stays down."""
        folder = self._ours()
        if self._broker is not None:
            self.kill9()
        shutil.rmtree(folder / "mnesia")
        (folder / "mnesia").mkdir()

    def sigstop(self) -> None:
        """Freeze the broker: its sockets stay open, and nothing answers."""
        for pid in _beams(self._process().pid):
            os.kill(pid, signal.SIGSTOP)

    def sigcont(self) -> None:
        """Let a frozen broker go on."""
        for pid in _beams(self._process().pid):
            os.kill(pid, signal.SIGCONT)

    def control(self, *command: str) -> None:
        """Run `rabbitmqctl` with *command* against this broker."""
        folder = self._ours()
        environment = _environment(folder, self.port)
        subprocess.run(
            [
                str(SERVER.with_name("rabbitmqctl")),
                "-n",
                environment["RABBITMQ_NODENAME"],
                *command,
            ],
            env=environment,
            check=True,
            capture_output=True,
            timeout=START_SECONDS,
        )

    def close(self) -> None:
        """Stop whatever of it still runs."""
        if self._broker is not None:
            self.stop()
        if self._epmd is not None:
            self._epmd.terminate()
            self._epmd.wait(STOP_SECONDS)
            self._epmd = None

    def _ours(self) -> Path:
        if self.folder is None:
            raise NotOurs(f"{EXTERNAL} is set: this broker is not ours to stop or to wipe")
        return self.folder

    def _process(self) -> subprocess.Popen[bytes]:
        self._ours()
        if self._broker is None:
            raise RuntimeError("the broker is not running")
        return self._broker

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self._process().poll() is not None:
                break
            if _answers(self.url, self.port):
                return
            time.sleep(0.1)
        tail = (self._ours() / "out").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"RabbitMQ did not start on port {self.port}:\n{tail}")


@contextmanager
def start_rabbitmq(folder: Path | None = None) -> Iterator[RabbitServer]:
    """Give a running broker: the one that ECAF_TEST_BROKER_URL names, else one of our own.

    *folder* keeps what it stores; without one it lies in a temporary folder that is removed.
    """
    external = os.environ.get(EXTERNAL)
    if external:
        yield RabbitServer(url=external, port=0)
        return
    if not SERVER.exists():
        raise RuntimeError(f"{SERVER} is missing: install rabbitmq-server, or set {EXTERNAL}")
    with tempfile.TemporaryDirectory(prefix="ecaf-rabbitmq-") as temporary:
        home = (folder or Path(temporary)).resolve()
        port = _lay_out(home)
        server = RabbitServer(url=f"amqp://guest:guest@127.0.0.1:{port}/", port=port, folder=home)
        try:
            server.start()
            yield server
        finally:
            server.close()


def _lay_out(folder: Path) -> int:
    for name in ("home", "mnesia", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    port, distribution, epmd = _free_ports(3)
    (folder / "enabled_plugins").write_text("[].\n")
    (folder / "ports").write_text(f"{port} {distribution} {epmd}\n")
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        "log.file.level = warning\n"
        "vm_memory_high_watermark.absolute = 1GB\n"
        "disk_free_limit.absolute = 100MB\n"
    )
    return port


def _environment(folder: Path, port: int) -> dict[str, str]:
    _, distribution, epmd = (folder / "ports").read_text().split()
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder / "home"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": f"ecaf{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": distribution,
        "ERL_EPMD_PORT": epmd,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _answers(url: str, port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False

    async def connect() -> None:
        async with asyncio.timeout(5):
            await (await aio_pika.connect(url)).close()

    try:
        # In a thread: a fixture may be asked for while its test's event loop runs.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(connect())).result()
    except (TimeoutError, OSError, aio_pika.exceptions.AMQPError):
        return False
    return True


def _beams(leader: int) -> list[int]:
    """Return the Erlang virtual machines of the process group: the shell above them ignores us."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        group = int(text[text.rindex(")") + 2 :].split()[2])
        if group == leader and name == "beam.smp":
            found.append(int(stat.parent.name))
    return found
