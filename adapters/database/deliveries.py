"""Deliveries and their lanes, as a session sees them; who holds the lease, and who is the head."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from adapters.database.rows import Row, micros
from adapters.database.transaction import Batch, Transaction
from hub.domain.exchange import HOLDING, Delivery, State
from hub.errors import Code, Conflict

_ABSENT: Any = object()
_LAST = 1 << 62

Lane = tuple[str, str]
"""(episode, partner)."""


class Deliveries(Transaction):
    """Deliveries by id and by episode, and the counters of their lanes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know nothing yet."""
        super().__init__(*args, **options)
        self._deliveries: dict[str, Delivery | None] = {}
        self._of: dict[str, dict[str, int]] = {}  # episode: its known deliveries, with positions
        self._sealed: dict[str, tuple[Delivery, bytes]] = {}  # as stored, with sealed content
        self._lanes: dict[Lane, int] = {}
        self._new_deliveries: dict[str, Delivery] = {}
        self._changed_deliveries: dict[str, Delivery] = {}
        self._new_lanes: dict[Lane, None] = {}
        self._used_lanes: dict[Lane, None] = {}

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Return one delivery, its episode locked."""
        if delivery_id not in self._deliveries:
            if self._sql.postgresql:
                self._fetch(self._sql.delivery_episodes, self._sql.many([delivery_id]))
                self._lock({e for (e,) in self._cursor.fetchall()})
            self._load_deliveries([delivery_id])
        return self._deliveries[delivery_id]

    def deliveries(self, episode_id: str) -> Sequence[Delivery]:
        """Return every delivery of the episode, in order of creation."""
        self._keep_deliveries(self._load("deliveries", self._sql.deliveries_of, episode_id))
        known = self._of.get(episode_id, {})
        return tuple(d for i in sorted(known, key=known.__getitem__) if (d := self._deliveries[i]))

    def unsettled(self, episode_id: str, partner: str | None = None) -> Sequence[Delivery]:
        """Return what is not final, or quarantined, of the episode (and partner), in lane order."""
        if episode_id not in self._loaded.get("deliveries", ()):
            self._keep_deliveries(self._load("unsettled", self._sql.unsettled_of, episode_id))
        found = [
            d
            for i in self._of.get(episode_id, ())
            if (d := self._deliveries[i])
            and d.state in HOLDING
            and (partner is None or d.partner == partner)
        ]
        found.sort(key=lambda d: (d.partner, d.priority, d.lane_sequence))
        return tuple(found)

    def next_sequence(self, partner: str, episode_id: str) -> int:
        """Return the next number of the lane; gapless, because a unit that fails gives it back."""
        lane = (episode_id, partner)
        self._load_lanes(episode_id)
        if lane not in self._lanes:
            self._set(self._new_lanes, lane, None)
        number = self._lanes.get(lane, 0) + 1
        self._set(self._lanes, lane, number)
        self._set(self._used_lanes, lane, None)
        return number

    def give_back(self, partner: str, episode_id: str, number: int) -> bool:
        """Take *number* of the lane back, if it is the last that was given; return whether."""
        lane = (episode_id, partner)
        self._load_lanes(episode_id)
        last = self._lanes.get(lane) == number
        if last:
            self._set(self._lanes, lane, number - 1)
            self._set(self._used_lanes, lane, None)
        return last

    def put_delivery(self, delivery: Delivery) -> None:
        """Insert or replace one delivery; a worker whose lease was taken over is refused."""
        name = delivery.delivery_id
        self._lock({delivery.episode_id})
        stored = self._deliveries.get(name, _ABSENT)
        if stored is _ABSENT:
            lived = delivery.lease_epoch or delivery.attempts or delivery.state is not State.PENDING
            stored = self.delivery(name) if self._careful or lived else None
        if stored is None:
            self._load_lanes(delivery.episode_id)
            lane = (delivery.episode_id, delivery.partner)
            if lane not in self._lanes:
                self._set(self._new_lanes, lane, None)
                self._set(self._lanes, lane, 0)
            self._set(self._of.setdefault(delivery.episode_id, {}), name, _LAST)
        else:
            check_succession(stored, delivery)
        new = stored is None or name in self._new_deliveries
        self._set(self._new_deliveries if new else self._changed_deliveries, name, delivery)
        self._set(self._deliveries, name, delivery)

    def opened(self, rows: Sequence[Row]) -> Sequence[Delivery]:
        """Return the deliveries of *rows*, in their order, as they stand in the database.

        Nothing is locked and nothing kept: a page of an inbox names many episodes, and who looks
        neither waits for who writes nor is in the way.
        """
        if not rows:
            return ()
        episodes = {row[4] for row in rows}
        self._keys.named.update(f"episode/{e}" for e in episodes)
        shreds: dict[str, int] = dict(
            self.rows_of(self._sql.shreds, self._sql.many(sorted(episodes)))
        )
        read = self._rows.delivery
        return tuple(self._rows.known(read, row[1:], shreds.get(row[4], 0)) for row in rows)

    def delivery_batches(self) -> Iterator[Batch]:
        """Yield what is to be sent.

        A lane that is new in this group has no deliveries but those at hand, so its head is known
        here; of any other only the database knows all: `unsure_lanes`.
        """
        touched = self._touched()
        yield self._sql.add_delivery, self._delivery_rows(self._new_deliveries)
        yield self._sql.put_delivery, self._delivery_rows(self._changed_deliveries)
        yield (
            self._sql.put_lane,
            [(*ln, self._lanes[ln], *head_of(touched.get(ln, ()))) for ln in self._new_lanes],
        )
        yield (
            self._sql.count_lane,
            [
                (*lane, self._lanes[lane], None, None, None, None)
                for lane in self._used_lanes
                if lane not in self._new_lanes
            ],
        )

    def unsure_lanes(self) -> Sequence[Lane]:
        """Return the lanes whose head the database must name anew."""
        return [lane for lane in self._touched() if lane not in self._new_lanes]

    def _touched(self) -> dict[Lane, list[Delivery]]:
        touched: dict[Lane, list[Delivery]] = {}
        for delivery in chain(self._new_deliveries.values(), self._changed_deliveries.values()):
            touched.setdefault((delivery.episode_id, delivery.partner), []).append(delivery)
        return touched

    def _load_deliveries(self, names: Sequence[str]) -> None:
        wanted = [name for name in names if name not in self._deliveries]
        if not wanted:
            return
        self._fetch(self._sql.deliveries, self._sql.many(wanted))
        rows = self._cursor.fetchall()
        self._lock({row[4] for row in rows})
        self._keep_deliveries(rows)
        for name in wanted:
            self._deliveries.setdefault(name, None)

    def _keep_deliveries(self, rows: Sequence[Row]) -> None:
        read = self._rows.delivery
        for row in rows:
            name, episode = row[1], row[4]
            known = self._of.setdefault(episode, {})
            if self._deliveries.get(name) is None:
                found = self._rows.known(read, row[1:], self._shreds[episode])
                self._deliveries[name] = found
                self._sealed[name] = (found, row[9])
            if known.get(name, _LAST) == _LAST:
                known[name] = row[0]

    def _delivery_rows(self, deliveries: Mapping[str, Delivery]) -> list[Row]:
        made = []
        for name, delivery in deliveries.items():
            shreds = self._shreds[delivery.episode_id]
            stored, content = self._sealed.get(name, (None, b""))
            if stored is None or not (
                stored.facts is delivery.facts and stored.focus is delivery.focus
            ):
                content = self._rows.content(delivery, shreds)
            made.append(self._rows.delivery_row(delivery, bytes(content), shreds))
        return made

    def _load_lanes(self, episode_id: str) -> None:
        for episode, partner, last in self._load("lanes", self._sql.lanes, episode_id):
            self._lanes.setdefault((episode, partner), last)


def check_succession(stored: Delivery, given: Delivery) -> None:
    """Raise `Conflict` if *given* comes from a worker that lost its lease, or changes lanes."""
    if stored.lease_epoch > given.lease_epoch:
        raise Conflict(Code.STATE, "lease lost: another worker has taken this delivery over")
    if (stored.partner, stored.episode_id, stored.priority, stored.lane_sequence) != (
        given.partner, given.episode_id, given.priority, given.lane_sequence,
    ):  # fmt: skip
        raise Conflict(Code.STATE, "a delivery keeps its place on its lane")


def head_of(lane: Iterable[Delivery]) -> tuple[str | None, int | None, int | None, int | None]:
    """Return head, priority, due time and lease of a lane with these deliveries and no others.

    The rule is that of `statements.LANES`; it is said twice so that a new episode costs no query.
    """
    known = sorted(lane, key=lambda d: (d.priority, d.lane_sequence))
    held = False
    for delivery in known:
        if delivery.state in {State.PENDING, State.SENDING}:
            recalls = any(d.state is State.HANDED_OVER and d.message_type == "N10" for d in known)
            if delivery.priority >= 10 and (held or recalls):
                break
            if delivery.state is State.PENDING:
                at = delivery.next_attempt_at
                return delivery.delivery_id, delivery.priority, micros(at) if at else 0, None
            until = delivery.lease_until
            return delivery.delivery_id, delivery.priority, None, micros(until) if until else 0
        held = held or delivery.state is State.QUARANTINED
    return None, None, None, None
