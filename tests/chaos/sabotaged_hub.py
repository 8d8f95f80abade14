"""A hub with one promise broken, for the checker to catch: `python sabotaged_hub.py FLAW serve`.

A test that cannot fail proves nothing (`reliability.md` 2.1, sabotage suite).  Each flaw is what a
plausible mistake would do, put in from outside; the hub itself has no switch for it.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

from adapters.database.session import SqlSession
from adapters.destinations.amqp import AmqpDestination
from adapters.destinations.webhook import WebhookDestination
from hub import serving
from hub.cli import main
from hub.domain.carriage import Outcome, Parcel
from hub.domain.exchange import Audited, Delivery, State
from hub.ports import Needs, Session, Store
from hub.services.accept import Acceptor
from hub.services.dispatch import Dispatcher, Started
from hub.worker import Workers


class HastyStore:
    """A store that says what came of a unit before it has committed it.

    It commits when the answer has left and `IDLE_SECONDS` have gone by since: a hub that dies as
    its answer leaves (`zygote`) never commits, and one that is killed by who reads it hardly ever.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, unit: Callable[[Session], Any], needs: Needs) -> Any:
        """Return what *unit* returns; the commit comes a little later."""
        loop = asyncio.get_running_loop()
        said: asyncio.Future[Any] = loop.create_future()
        left = LEFT.get(None)

        def say(result: Any) -> None:
            if not said.done():
                said.set_result(result)

        def hasty(session: Session) -> Any:
            result = unit(session)
            loop.call_soon_threadsafe(say, result)
            if left is not None:
                assert left.wait(ANSWER_SECONDS), "the answer waits for the commit"
            time.sleep(IDLE_SECONDS)
            return result

        running = asyncio.create_task(self._store.run(hasty, needs))
        self._running.add(running)
        await asyncio.wait({running, said}, return_when=asyncio.FIRST_COMPLETED)
        return said.result() if said.done() else await running


LEFT: ContextVar[threading.Event] = ContextVar("left")
"""Set when the answer to the request at hand has been written."""
ANSWER_SECONDS = 60.0
IDLE_SECONDS = 0.5


def leaving(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return *app*, which sets `LEFT` when an answer has been written."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        left = threading.Event()
        LEFT.set(left)

        async def sent(part: Any) -> None:
            await send(part)
            if part["type"] == "http.response.body" and not part.get("more_body"):
                left.set()

        try:
            await app(scope, receive, sent)
        finally:
            left.set()

    return served


def answer_before_commit() -> None:
    """The sender is answered when the work is done, and only then it is written down."""
    accept, create = Acceptor.accept, vars(serving)["create_app"]

    async def hasty(self: Acceptor, *args: Any, **kwargs: Any) -> Any:
        store = cast(Store, HastyStore(self.store))
        return await accept(replace(self, store=store), *args, **kwargs)

    Acceptor.accept = hasty  # type: ignore[method-assign]
    vars(serving)["create_app"] = lambda *args, **kwargs: leaving(create(*args, **kwargs))


def new_id_each_attempt() -> None:
    """A retransmission looks like another message."""
    send = WebhookDestination.send

    async def renamed(self: WebhookDestination, parcel: Parcel) -> Outcome:
        return await send(self, replace(parcel, delivery_id=str(uuid4())))

    WebhookDestination.send = renamed  # type: ignore[method-assign]


def no_sweep() -> None:
    """What a killed hub had in hand is never looked for again."""

    async def idle(self: Workers) -> None:
        await asyncio.Event().wait()

    Workers._sweep = idle  # type: ignore[method-assign]


def no_dedupe() -> None:
    """A message that comes again is worked on again."""
    SqlSession.inbox = lambda self, partner, key: None  # type: ignore[method-assign]
    SqlSession.add_inbox = lambda self, entry: None  # type: ignore[method-assign]


def audit_after_sending() -> None:
    """That something will be disclosed is noted together with what came of it."""
    add, kept = SqlSession.add_audit, dict[str, Audited]()

    def late(self: SqlSession, row: Audited) -> None:
        if row.kind == "disclosure.intended":
            kept[str(row.delivery_id)] = row
            return
        if row.delivery_id in kept:
            add(self, kept.pop(row.delivery_id))
        add(self, row)

    SqlSession.add_audit = late  # type: ignore[method-assign]


def delivered_before_sent() -> None:
    """What is about to be sent is as good as delivered."""
    send = Dispatcher._send

    async def hopeful(self: Dispatcher, started: Started) -> Any:
        one = started.delivery
        hoped = await self._settle(one, State.DELIVERED, None, {})
        return hoped or await send(self, started)

    Dispatcher._send = hopeful  # type: ignore[method-assign]


def two_transactions() -> None:
    """The record is written first, and then what follows from it."""
    accept = Acceptor.accept

    class Keeping:
        """A session that keeps deliveries for later."""

        def __init__(self, session: Session, kept: dict[str, Delivery]) -> None:
            self._session, self._kept = session, kept

        def put_delivery(self, delivery: Delivery) -> None:
            self._kept[delivery.delivery_id] = delivery

        def __getattr__(self, name: str) -> Any:
            return getattr(self._session, name)

    class Twice:
        """A store that writes deliveries in a transaction of their own."""

        def __init__(self, store: Store) -> None:
            self._store = store

        async def run(self, unit: Callable[[Session], Any], needs: Needs) -> Any:
            kept: dict[str, Delivery] = {}
            found = await self._store.run(lambda s: unit(cast(Session, Keeping(s, kept))), needs)

            def follow(session: Session) -> None:
                for delivery in kept.values():
                    session.put_delivery(delivery)

            await self._store.run(follow)
            return found

    async def split(self: Acceptor, *args: Any, **kwargs: Any) -> Any:
        return await accept(replace(self, store=cast(Store, Twice(self.store))), *args, **kwargs)

    Acceptor.accept = split  # type: ignore[method-assign]


def confirm_ignored() -> None:
    """What was given to the broker's client is as good as in the queue."""
    publish, running = AmqpDestination.send, set[asyncio.Task[Any]]()

    async def hasty(self: AmqpDestination, parcel: Parcel) -> Outcome:
        async def later() -> None:
            await asyncio.sleep(0.5)
            await publish(self, parcel)

        running.add(asyncio.create_task(later()))
        return Outcome(delivered=False, evidence={"confirmed": True})

    AmqpDestination.send = hasty  # type: ignore[method-assign]


FLAWS = {
    "answer-before-commit": answer_before_commit,
    "new-id-each-attempt": new_id_each_attempt,
    "no-sweep": no_sweep,
    "no-dedupe": no_dedupe,
    "audit-after-sending": audit_after_sending,
    "delivered-before-sent": delivered_before_sent,
    "two-transactions": two_transactions,
    "confirm-ignored": confirm_ignored,
}

if __name__ == "__main__":
    FLAWS[sys.argv[1]]()
    main(sys.argv[2:])
