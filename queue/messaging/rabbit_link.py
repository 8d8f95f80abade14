"""One connection to RabbitMQ that is kept up.

aio-pika's own robust connection is not used: after the broker was killed its channels were seen
to stay invalid, and some of its reopenings hang (aio-pika issues 231, 508 and 636). Here one task
connects, prepares, waits until anything at all is lost, throws the whole connection away and
begins again. Nothing is repaired in place, so there is only one state to get right.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from aio_pika.abc import AbstractConnection
from yarl import URL

from messaging.channel import State
from messaging.errors import TransportError, TransportUnavailable
from messaging.rabbit_socket import Connection, Sockets
from messaging.retry import reconnect_delay

log = logging.getLogger(__name__)

BLOCKED_POLL = 1.0
"""Seconds between two looks at whether the broker has blocked us; it offers no callback."""

Prepare = Callable[[AbstractConnection], Awaitable[None]]


@asynccontextmanager
async def answer_within(seconds: float, doing: str) -> AsyncIterator[None]:
    """Turn whatever goes wrong with a broker call into `TransportUnavailable`, in time.

    `TransportError` passes through. So does a cancellation that somebody asked for; aiormq also
    cancels its callers when a connection goes, which nobody asked for.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TransportError:
        raise
    except TimeoutError:
        raise TransportUnavailable(f"{doing}: no answer within {seconds:g} s") from None
    except asyncio.CancelledError:
        if was_cancelled():
            raise
        raise TransportUnavailable(f"{doing}: the connection was closed") from None
    except Exception as error:  # aiormq rejects what is pending with a bare Exception, too
        raise TransportUnavailable(f"{doing}: {type(error).__name__}") from error


def was_cancelled() -> bool:
    """Whether the running task was really asked to stop."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Link:
    """Keeps one connection up and tells when it is.

    *prepare* makes a fresh connection useful (channels, queues, consumers); until it has returned
    the link is not up. If it raises, the connection is thrown away and another is tried.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        deadline: float,
        heartbeat: int,
        tls: ssl.SSLContext | None,
        prepare: Prepare,
        on_state: Callable[[], None],
        sockets: type[Sockets] = Sockets,
    ) -> None:
        self._sockets = sockets
        self._url = URL(url).update_query(heartbeat=str(heartbeat), name=name)
        self._name = name
        self._deadline = deadline
        self._tls = tls
        self._prepare = prepare
        self._on_state = on_state
        self._random = Random()
        self._connection: AbstractConnection | None = None
        self._lost = asyncio.Event()
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._blocked = False
        self.last_error: TransportError | None = None

    @property
    def state(self) -> State:
        """Up if connected, prepared and not blocked by an alarm of the broker."""
        return "up" if self._up.is_set() and not self._blocked else "down"

    @property
    def connection(self) -> AbstractConnection:
        """The connection that is up now; raises `TransportUnavailable` if there is none."""
        if self._connection is None or self._lost.is_set():
            raise TransportUnavailable(f"{self._name}: the broker is not connected")
        return self._connection

    async def open(self) -> None:
        """Begin to keep up, and wait for the first success no longer than two deadlines."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_up(), name=self._name)
        try:
            # One deadline to connect, one to prepare.
            async with asyncio.timeout(2 * self._deadline):
                await self._up.wait()
        except TimeoutError:
            raise TransportUnavailable(f"{self._name}: no connection yet") from self.last_error

    async def up(self) -> AbstractConnection:
        """Return the connection as soon as one is up."""
        while True:
            await self._up.wait()
            if self._connection is not None and not self._lost.is_set():
                return self._connection
            await asyncio.sleep(BLOCKED_POLL)

    async def close(self) -> None:
        """Disconnect and stop keeping up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def lose(self) -> None:
        """Give the present connection up, because something about it is wrong."""
        self._lost.set()

    async def blocked(self) -> bool:
        """Whether the broker has told us to publish nothing (a memory or disk alarm)."""
        transport = self.connection.transport
        if transport is None:
            return False
        try:
            async with asyncio.timeout(0):
                await transport.ready()
        except TimeoutError:
            return True
        return False

    async def _keep_up(self) -> None:
        failures = 0
        while True:
            lost = self._lost = asyncio.Event()
            sockets = self._sockets(tls=self._url.scheme == "amqps")
            connection = Connection(self._url, ssl_context=self._tls)
            connection.kwargs["transport_factory"] = sockets
            # The event of this connection: an old one that dies late must not fell its successor.
            connection.close_callbacks.add(_setter(lost))
            try:
                async with answer_within(self._deadline, f"{self._name}: connecting"):
                    await connection.connect()
                self._connection = connection
                await self._prepare(connection)
                failures = 0
                log.info("%s: connected", self._name)
                await self._wait_until_lost()
                log.warning("%s: connection lost", self._name)
            except TransportError as error:
                self.last_error = error
                log.warning("%s: %s", self._name, error)
                failures += 1
            finally:
                self._connection = None
                self._turn(up=False, blocked=False)
                await self._throw_away(connection, sockets)
            await asyncio.sleep(reconnect_delay(failures, random=self._random))

    async def _wait_until_lost(self) -> None:
        self._turn(up=True, blocked=False)
        while True:
            try:
                async with asyncio.timeout(BLOCKED_POLL):
                    await self._lost.wait()
            except TimeoutError:
                if not self._lost.is_set():
                    self._turn(up=True, blocked=await self.blocked())
            else:
                return

    async def _throw_away(self, connection: Connection, sockets: Sockets) -> None:
        if self._lost.is_set():
            # Nobody listens at the other end: a farewell would only wait for its time-out.
            sockets.abort()
        try:
            async with answer_within(self._deadline, f"{self._name}: closing"):
                await connection.close()
        except TransportUnavailable as error:
            log.warning("%s", error)
        finally:
            sockets.abort()

    def _turn(self, *, up: bool, blocked: bool) -> None:
        before = self.state
        if up:
            self._up.set()
        else:
            self._up.clear()
        self._blocked = blocked
        if self.state != before:
            self._on_state()


def _setter(event: asyncio.Event) -> Callable[..., None]:
    def set_event(*_: Any) -> None:
        event.set()

    return set_event
