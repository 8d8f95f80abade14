"""The trace: the whole way of one message, from its receipt to the end of every delivery.

Made from what the hub recorded when it happened: the inbox row, the deliveries and their audit
rows.  Ids, codes, places and times only, so that an operator may see it (`domain.md` 5.3).
The three words of the other side stand apart (`reliability.md` P9): *handed_over* (a queue or
inbox has it), *delivered* (the receiver said so) and *acknowledged* (what it did with it).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hub.domain.exchange import Audited, Delivery, InboxEntry, State, Tree
from hub.errors import Code, Missing
from hub.ports import Session
from hub.services.lane import holder
from hub.services.statutory import STATUTORY

ANSWERED: Final = ("status", "event", "state", "code", "episode_seq", "consent_decision_id")
"""What of the sender's answer is codes and ids."""
SHOWN: Final = (
    *("purpose", "decisions", "consent_version", "mapping", "said", "next", "faults"),
    *("status", "ack", "acknowledged", "collected", "report", "reason", "by", "ticket"),
)
"""What of an audit row's facts stands in the trace."""


def trace(session: Session, message_id: str) -> Tree:
    """Return the way of a message, by the id of the hub's receipt or of one of its deliveries.

    Of a delivery's id only that delivery is shown, with those that came in its place.  Raises
    `Missing` where the hub keeps neither.
    """
    entry, one = session.message(message_id), session.delivery(message_id)
    if entry is None and one is None:
        raise Missing(
            Code.NOT_FOUND,
            "no message or delivery has this id: what is refused at the door leaves no trace but "
            "its answer to the sender",
        )
    if one is not None:
        entry = session.message(one.causation_id)
        chosen = tuple(_line(session.deliveries(one.episode_id), {message_id}, {message_id}))
    elif entry is not None and entry.episode_id is not None:
        chosen = tuple(_line(session.deliveries(entry.episode_id), {message_id}, set()))
    else:
        chosen = ()
    episodes = dict.fromkeys(found.episode_id for found in chosen)
    if entry is not None and entry.episode_id is not None:
        episodes.setdefault(entry.episode_id)
    rows = [row for episode_id in episodes for row in session.audit(episode_id)]
    return {
        "asked": message_id,
        "message": None if entry is None else _received(entry),
        "recorded": [
            {"at": at(row.at), "what": row.kind, "code": row.code, **_coded(row.facts, RECORDED)}
            for row in rows
            if entry is not None and row.facts.get("message") == entry.message_id
        ],
        "deliveries": [of_delivery(session, found, rows) for found in chosen],
    }


RECORDED: Final = ("version", "transitions", "deliveries", "decision", "sequence")


def _line(deliveries: Sequence[Delivery], causes: set[str], ids: set[str]) -> Iterator[Delivery]:
    """Yield what these messages caused, and what came in the place of what they caused."""
    for delivery in deliveries:
        if delivery.causation_id in causes or delivery.delivery_id in ids:
            causes.add(delivery.delivery_id)
            yield delivery


def of_delivery(session: Session, delivery: Delivery, rows: Sequence[Audited]) -> dict[str, Any]:
    """Return one delivery: its lane, what was decided, every step with its time, and its end."""
    own = [row for row in rows if row.delivery_id == delivery.delivery_id]
    waits = holder(session, delivery)
    evidence = delivery.evidence or {}
    acknowledged = evidence.get("acknowledged")
    return {
        "delivery_id": delivery.delivery_id,
        "message_type": delivery.message_type,
        "partner": delivery.partner,
        "service": delivery.service,
        "lane": f"{delivery.partner} {delivery.episode_id}",
        "place": delivery.lane_sequence,
        "priority": delivery.priority,
        "sequence": delivery.sequence,
        "version": delivery.version if delivery.message_type != STATUTORY else None,
        "caused_by": delivery.causation_id,
        "created_at": at(delivery.created_at),
        "state": delivery.state.value,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "next_attempt_at": _when(delivery, delivery.next_attempt_at),
        "held_by": None if waits is None else waits.delivery_id,
        "acknowledged": acknowledged,
        "settled_at": None if delivery.settled_at is None else at(delivery.settled_at),
        "steps": [_step(row) for row in own],
    }


def _received(entry: InboxEntry) -> dict[str, Any]:
    warnings = entry.answer.get("warnings", ())
    return {
        "message_id": entry.message_id,
        "partner": entry.partner,
        "content_type": entry.content_type,
        "received_at": at(entry.received_at),
        "answered": entry.status,
        "episode_id": entry.episode_id,
        "version": entry.version,
        **{name: entry.answer[name] for name in ANSWERED if name in entry.answer},
        "warnings": [{"code": one["code"], "path": one["path"]} for one in warnings],
    }


def _step(row: Audited) -> dict[str, Any]:
    return {
        "at": at(row.at),
        "what": row.kind.removeprefix("delivery."),
        "code": row.code,
        "attempt": row.facts.get("attempt"),
        **_coded(row.facts, SHOWN),
    }


def _coded(facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: facts[name] for name in names if name in facts}


def _when(delivery: Delivery, moment: datetime | None) -> str | None:
    return at(moment) if moment is not None and delivery.state is State.PENDING else None


def at(moment: datetime) -> str:
    """Return a moment as it is printed: UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
