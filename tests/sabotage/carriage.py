"""Ways of carrying that are broken on purpose: lanes, leases, attempts, audit, dedupe, logs.

As `gates`: what runs is patched where it is used, in a process of its own
(`tests.sabotage.noticing`), and each has the test that must notice.
"""

import fcntl
import math
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

from adapters.database import engine
from adapters.memory import MemorySession
from hub import logging
from hub.domain.exchange import Audited, Delivery
from hub.ports import Session
from hub.services import accept, dispatch
from hub.services.accept import Accepted
from hub.services.receipt import Receipt
from messaging import retry
from tests.sabotage.noticing import Break


def _put(where: Any, name: str, what: Any) -> None:
    """Put *what* in the place of what runs, which must be there."""
    assert hasattr(where, name), name
    setattr(where, name, what)


def stale_worker_settles() -> None:
    """Who comes back from a long pause writes down what it knows."""

    def mine(_self: Any, session: Session, delivery: Delivery) -> Delivery | None:
        return session.delivery(delivery.delivery_id)

    _put(dispatch.Dispatcher, "_mine", mine)


def lease_not_looked_at() -> None:
    """What was claimed is sent, however long ago."""
    start = dispatch.Dispatcher._start

    def fresh(self: Any, session: Session, delivery_id: str, _since: float, **asked: Any) -> Any:
        return start(self, session, delivery_id, math.inf, **asked)

    _put(dispatch.Dispatcher, "_start", fresh)


def no_lanes() -> None:
    """Whatever is due goes."""
    _put(dispatch, "holds", lambda *_: False)


def everything_queues() -> None:
    """First come, first served, whatever it is."""

    def holds(other: Delivery, delivery: Delivery) -> bool:
        return other.lane_sequence < delivery.lane_sequence

    _put(dispatch, "holds", holds)


def attempts_uncounted() -> None:
    """Only an attempt that came to its end is one."""

    def counting(one: Any, **changes: Any) -> Any:
        if "lease_owner" in changes:
            changes.pop("attempts")
        return replace(one, **changes)

    _put(dispatch, "replace", counting)


def always_news() -> None:
    """Every version goes to everybody."""
    _put(dispatch, "nothing_new", lambda *_: False)


def audit_with_the_outcome() -> None:
    """What was intended is noted together with what came of it."""
    add, kept = MemorySession.add_audit, dict[str | None, Audited]()

    def late(self: MemorySession, row: Audited) -> None:
        if row.kind == "disclosure.intended":
            kept[row.delivery_id] = row
            return
        if row.delivery_id in kept:
            add(self, kept.pop(row.delivery_id))
        add(self, row)

    _put(MemorySession, "add_audit", late)


def key_is_enough() -> None:
    """The same key is the same message."""

    def again(prior: Any, _digest: bytes) -> Accepted:
        return Accepted(Receipt(prior.status, prior.answer))

    _put(accept, "_again", again)


def refused_is_kept() -> None:
    """What was refused may be of use one day."""
    real = accept._refused

    def refused(incoming: Any, *rest: Any) -> Any:
        return replace(real(incoming, *rest), raw=incoming.raw)

    _put(accept, "_refused", refused)


def file_is_shared() -> None:
    """Two hubs on one file will get along."""
    free = SimpleNamespace(LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB, flock=lambda *_: None)
    _put(engine, "fcntl", free)


def no_jitter() -> None:
    """A wait is a wait."""
    _put(retry, "JITTER", 0.0)


def anything_is_logged() -> None:
    """Who reads the log will be glad of every detail."""
    _put(logging, "_shaped", lambda *_: True)


OUT: Final = "tests/unit/services/test_dispatch.py::"

SABOTAGES: Final[Mapping[str, tuple[Break, str]]] = {
    "stale worker settles": (stale_worker_settles, f"{OUT}test_a_stale_worker_settles_nothing"),
    "lease not looked at": (
        lease_not_looked_at, f"{OUT}test_a_worker_past_its_lease_does_not_even_send"
    ),
    "no lanes": (no_lanes, f"{OUT}test_a_lane_keeps_its_order_and_others_flow"),
    "everything queues": (
        everything_queues, f"{OUT}test_an_urgent_message_overtakes_content_that_waits"
    ),
    "attempts uncounted": (
        attempts_uncounted, f"{OUT}test_a_delivery_that_kills_every_worker_is_set_aside"
    ),
    "always news": (always_news, f"{OUT}test_an_unchanged_view_is_not_sent_again"),
    "audit with the outcome": (
        audit_with_the_outcome, f"{OUT}test_the_audit_row_is_committed_before_the_first_byte"
    ),
    "key is enough": (
        key_is_enough, "tests/unit/services/test_receive.py::test_one_key_has_one_content"
    ),
    "refused is kept": (
        refused_is_kept,
        "tests/unit/services/test_consents.py::test_storing_comes_before_opening",
    ),
    "file is shared": (
        file_is_shared,
        "tests/unit/database/test_engine.py::test_a_second_hub_on_one_file_is_refused",
    ),
    "no jitter": (
        no_jitter, "tests/unit/messaging/test_retry.py::test_jitter_spreads_to_both_sides"
    ),
    "anything is logged": (
        anything_is_logged,
        "tests/unit/api/test_logging.py::test_no_value_carries_structure",
    ),
}  # fmt: skip
"""Every broken carriage, and the test that must notice it."""
