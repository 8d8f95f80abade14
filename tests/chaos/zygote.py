"""Hubs from a warm process: imported and compiled once, then forked, each to die at a named point.

Run as a program: reads one JSON line an order on standard input (`Order`), answers each with the
process id of the hub that it forked, and ends, with all of them, when its input ends.  The hub is
`ecaf serve` as it ships; the counting is put round it from outside (`install`).

A point is a name and how often it had been reached: ``INSERT delivery`` 3 is the instant before
the third such statement.  What has an effect outside the process has a point before and one after.
"""

import ctypes
import gc
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache, wraps
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

import httpcore  # noqa: F401  httpx imports it with the first client, in every fork again
from sqlalchemy import Engine, event

from adapters.database.migrate import upgrade
from adapters.database.statements import statements
from adapters.database.writer import Writer
from adapters.destinations import webhook
from adapters.destinations.amqp import AmqpDestination
from adapters.destinations.webhook import WebhookDestination
from adapters.notifications.child_index import ChildIndexDestination
from adapters.partners.profiles import load_registry
from hub import bootstrap, serving
from hub.services.dispatch import Dispatcher
from messaging.rabbit_consume import RabbitSubscription
from messaging.rabbit_publish import RabbitPublisher

SABOTAGED = Path(__file__).with_name("sabotaged_hub.py")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
GATE = "gate: "
"""What the points of a transaction begin with in which a gate decides."""
_TABLE = re.compile(r"\b(?:INTO|FROM|UPDATE|TABLE|INDEX|ON)\s+\"?(\w+)", re.IGNORECASE)


class Order(TypedDict):
    """One hub: its environment, the file of its output, and that of the points that it reaches, if
    they are counted; the point at which it dies, if it does, and which promise it breaks
    (`sabotaged_hub`), if any; its role.
    """

    environ: dict[str, str]
    log: str
    points: str | None
    deadly: tuple[str, int] | None
    flaw: str | None
    role: str


class Points:
    """Counts what is reached, writes it down, and kills the process where it was told to."""

    def __init__(self, file: str, deadly: tuple[str, int] | None) -> None:
        """Write to *file*; die at *deadly*."""
        self._handle = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._deadly = deadly
        self._counts: Counter[str] = Counter()
        self.deciding = False
        """Whether a gate decides in the transaction that is under way."""
        self._lock = threading.Lock()  # the store writes in a thread of its own

    def reach(self, name: str) -> None:
        """Be at the next *name*; does not return if that is where to die."""
        with self._lock:
            self._counts[name] += 1
            os.write(self._handle, f"{name}\n".encode())
            if (name, self._counts[name]) == self._deadly:
                os.kill(os.getpid(), signal.SIGKILL)


class Counting:
    """A driver's cursor that says what it is about to do."""

    def __init__(self, cursor: Any, points: Points) -> None:
        self._cursor, self._points = cursor, points

    def execute(self, statement: str, *parameters: Any) -> Any:
        """Execute; a commit is a point before and after, and what a gate's transaction does says
        so.
        """
        name = said(statement)
        if name.startswith("BEGIN"):
            self._points.deciding = False
        gate = GATE if self._points.deciding else ""
        self._points.reach(gate + name)
        result = self._cursor.execute(statement, *parameters)
        if name == "COMMIT":
            self._points.reach(f"{gate}after COMMIT")
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@cache
def said(statement: str) -> str:
    """Return what a statement is about: its verb and its first table.

    >>> said("INSERT INTO delivery (a) VALUES (?)"), said("BEGIN IMMEDIATE")
    ('INSERT delivery', 'BEGIN')
    """
    verb = statement.split(maxsplit=1)[0].upper()
    table = _TABLE.search(statement)
    return f"{verb} {table.group(1)}" if table else verb


def install(points: Points) -> None:
    """Put the counting round the hub's statements, sends, publishes, answers and renames."""
    _put(Dispatcher, "_start", _deciding(vars(Dispatcher)["_start"], points))
    cursor = Writer.cursor
    _put(Writer, "cursor", lambda self: Counting(cursor(self), points))

    def migrating(*about: Any) -> None:
        points.reach(f"migration {said(about[2])}")

    event.listen(Engine, "before_cursor_execute", migrating)
    for carrier in (WebhookDestination, AmqpDestination, ChildIndexDestination):
        _around(carrier, "send", points, lambda one: f"send {one.partner} {one.message_type}")
    _around(RabbitPublisher, "_send", points, lambda one: f"publish {one.channel}")
    _around(RabbitSubscription, "settle", points, lambda _: "settle a queued message")
    create = vars(serving)["create_app"]

    def counted(*args: Any, **kwargs: Any) -> Any:
        return answering(create(*args, **kwargs), points)

    _put(serving, "create_app", counted)
    for name in ("rename", "replace"):
        _put(os, name, _renaming(getattr(os, name), points))


def _put(where: Any, name: str, what: Any) -> None:
    assert hasattr(where, name), name
    setattr(where, name, what)


def _around(where: Any, method: str, points: Points, label: Callable[[Any], str]) -> None:
    real = getattr(where, method)

    @wraps(real)
    async def counted(self: Any, one: Any, *rest: Any) -> Any:
        name = label(one)
        points.reach(name)
        result = await real(self, one, *rest)
        points.reach(f"after {name}")
        return result

    _put(where, method, counted)


def _deciding(real: Callable[..., Any], points: Points) -> Callable[..., Any]:
    def start(*args: Any, **kwargs: Any) -> Any:
        points.deciding = True  # in the writer's thread, and until its next transaction
        points.reach(f"{GATE}begins")
        return real(*args, **kwargs)

    return start


def _renaming(real: Callable[..., None], points: Points) -> Callable[..., None]:
    def rename(*args: Any, **kwargs: Any) -> None:
        points.reach("rename")
        real(*args, **kwargs)
        points.reach("after rename")

    return rename


def answering(app: Callable[..., Awaitable[None]], points: Points) -> Callable[..., Any]:
    """Return *app* with a point before and after every answer, but for who asks how it is."""

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        words = str(scope.get("path", "")).split("/")[1:]
        if words[0] in {"readyz", "healthz", "inbox"}:  # asked for ever, and changes nothing
            return await app(scope, receive, send)
        name = f"answer {scope.get('method')} {'/'.join((words[0], *words[2:]))}"

        async def sent(part: Any) -> None:
            if part["type"] == "http.response.start":
                points.reach(name)
            await send(part)
            if part["type"] == "http.response.body" and not part.get("more_body"):
                points.reach(f"after {name}")

        return await app(scope, receive, sent)

    return counted


def warm(config: Path) -> None:
    """Do once, for all forks, what every hub of the site *config* does at its start."""
    for module, name in (
        (bootstrap, "translator"),
        (bootstrap, "load_forms"),
        (webhook, "trusted"),
    ):
        _put(module, name, cache(getattr(module, name)))
    made = bootstrap.translator("https://ecaf.example/fhir", config)
    for one in bootstrap.ready(made, load_registry(config)):
        one.compiled.ready()
    vars(bootstrap)["load_forms"](config)
    vars(webhook)["trusted"](None)
    for backend in ("sqlite", "postgresql"):
        statements(backend)
    with TemporaryDirectory() as folder:
        upgrade(f"sqlite:///{folder}/empty.db")
    gc.collect()
    gc.freeze()


def become(order: Order) -> None:
    """Be the hub that *order* asks for, to its end."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    log = os.open(order["log"], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if order["flaw"] is not None:
        run_path(str(SABOTAGED))["FLAWS"][order["flaw"]]()
    deadly = order["deadly"]
    if order["points"] is not None:
        install(Points(order["points"], None if deadly is None else (deadly[0], deadly[1])))
    serving.run(order["environ"], order["role"])


def main() -> None:
    """Warm up for the site named on the command line, then fork as told."""
    warm(Path(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody here waits for them
    print("warm", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                become(json.loads(line))
                code = 0
            except BaseException:  # noqa: BLE001  a fork must end here, whatever happened
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    main()
