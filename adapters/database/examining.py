"""Dossiers for `ecaf doctor`: what stands about some episodes, read in one moment; nothing is
opened but keys and audit, and nothing is changed.

On PostgreSQL the transaction is made a snapshot that cannot write; on SQLite there is one
connection, and nobody writes while it reads.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Table, literal, literal_column, select, union
from sqlalchemy.sql import Select

from adapters.database import tables as t
from adapters.database.deliveries import head_of
from adapters.database.keys import owner_of
from adapters.database.rows import Purposes, Row, moment
from adapters.database.statements import Statements
from adapters.database.vault import DataKey, Vault, bind
from hub.domain.dossier import Dossier
from hub.domain.exchange import HOLDING, Audited, Delivery, ReleasedRecord, State
from hub.errors import HubError

Ask = Callable[..., list[Row]]
"""Runs one statement with its parameters and returns its rows."""

_TABLES = (t.episode, t.version, t.decision, t.delivery, t.lane, t.released, t.audit)
_READ = {
    t.episode: ("version", "consent_version"),
    t.version: ("version",),
    t.decision: ("sequence",),
    t.lane: ("partner", "last_sequence", "head"),
}
"""What is read of a table; of the others all but what is sealed as content."""
_SEALED = frozenset({"position", "content", "evidence", "paths"})
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
"""What a page on PostgreSQL begins with."""


def dossiers(ask: Ask, sql: Statements, vault: Vault, after: str, limit: int) -> Sequence[Dossier]:
    """Return the dossiers of up to *limit* episodes beyond *after*, in their order."""
    names = [name for (name,) in ask(*sql.bound(_ids(after, limit)))]
    if not names:
        return ()
    found: dict[str, dict[str, list[Row]]] = {}
    for table in _TABLES:
        of: dict[str, list[Row]] = {}
        for row in ask(*sql.bound(_rows(table, names))):
            of.setdefault(row[0], []).append(row)
        found[table.name] = of
    shut = _shut(ask(sql.keys, sql.many([owner_of("episode", n) for n in names])), vault)
    audit = Purposes(vault).audit
    return tuple(_dossier(name, found, shut.get(name, []), audit) for name in names)


def audited(
    ask: Ask, sql: Statements, vault: Vault, after: int, limit: int
) -> Sequence[tuple[int, Audited]]:
    """Return rows of audit with their positions; a row that does not open has no facts."""
    query = select(t.audit).where(t.audit.c.position > after).order_by(t.audit.c.position)
    key, found = Purposes(vault).audit, []
    for position, *row in ask(*sql.bound(query.limit(limit))):
        one = _audited(tuple(row), key) or _audited(tuple(row), None)
        found += [(position, one)] if one is not None else []
    return tuple(found)


def _ids(after: str, limit: int) -> Select[Any]:
    """Every episode that any table tells of, so that rows without a head are found, too."""
    each = []
    for table in _TABLES:
        column = table.c.episode_id
        one = select(column).where(column > literal(after)).distinct().order_by(column)
        each.append(select(one.limit(limit).subquery().c.episode_id))
    every = union(*each).subquery()
    return select(every.c.episode_id).order_by(every.c.episode_id).limit(limit)


def _rows(table: Table, names: Sequence[str]) -> Select[Any]:
    """Return the rows of some episodes: the episode first, then what `_dossier` reads."""
    c = table.c
    named = _READ.get(table)
    wanted: list[ColumnElement[Any]] = [
        column for column in c if (column.name in named if named else column.name not in _SEALED)
    ]
    if table is t.delivery:
        wanted.append(c.evidence.is_not(None))
    order = c.position if "position" in c else literal_column("2")
    return select(c.episode_id, *wanted).where(c.episode_id.in_(names)).order_by(order)


def _shut(rows: Sequence[Row], vault: Vault) -> dict[str, list[str]]:
    """Return, by episode, the parts whose data keys do not unwrap."""
    found: dict[str, list[str]] = {}
    for owner, part, number, wrapped in rows:
        try:
            vault.unwrap(f"{owner}\0{part}", bytes(wrapped), number)
        except HubError:
            found.setdefault(owner.partition("/")[2], []).append(part or "shared")
    return found


def _dossier(
    name: str, found: dict[str, dict[str, list[Row]]], shut: list[str], key: DataKey
) -> Dossier:
    def of(table: str) -> list[Row]:
        return found[table].get(name, [])

    heads = of("episode")
    deliveries = tuple(_delivery(row[1:]) for row in of("delivery"))
    unreadable = [("key", part) for part in shut]
    audit = []
    for row in of("audit"):
        one = _audited(row[1:], key)
        if one is None:
            unreadable.append(("audit", row[1]))
        audit.append(one or _audited(row[1:], None))
    lanes = of("lane")
    return Dossier(
        episode_id=name,
        version=heads[0][1] if heads else None,
        consent_version=heads[0][2] if heads else None,
        versions=tuple(row[1] for row in of("version")),
        decisions=tuple(row[1] for row in of("decision")),
        lanes={partner: last for _, partner, last, _ in lanes},
        misled=tuple(
            partner for _, partner, _, head in lanes if head != _head(partner, deliveries)
        ),
        deliveries=deliveries,
        audit=tuple(one for one in audit if one is not None),
        given=tuple(_given(row[1:]) for row in of("released")),
        unreadable=tuple(unreadable),
    )


def _head(partner: str, deliveries: Sequence[Delivery]) -> str | None:
    return head_of(d for d in deliveries if d.partner == partner and d.state in HOLDING)[0]


def _delivery(row: Row) -> Delivery:
    (
        delivery_id, partner, service, episode_id, message_type, priority, lane_sequence, version,
        correlation_id, causation_id, created, state, reason, attempts, due, owner, epoch, lease,
        sequence, digest, settled, evident,
    ) = row  # fmt: skip

    def at(number: int | None) -> Any:
        return None if number is None else moment(number)

    return Delivery(
        delivery_id, partner, service, episode_id, message_type, priority, lane_sequence, version,
        (), {}, correlation_id, causation_id, moment(created), State(state), reason, attempts,
        at(due), owner, epoch, at(lease), sequence, None if digest is None else bytes(digest),
        {} if evident else None, at(settled),
    )  # fmt: skip


def _given(row: Row) -> ReleasedRecord:
    delivery_id, episode_id, service, message_type, version, digest, released = row
    return ReleasedRecord(
        delivery_id, episode_id, service, message_type, version, (), bytes(digest),
        moment(released),
    )  # fmt: skip


def _audited(row: Row, key: DataKey | None) -> Audited | None:
    """Return a row of audit with its facts; ``None`` if they do not open, none without a *key*."""
    audit_id, at, kind, actor, episode_id, service, delivery_id, code, sealed = row
    facts: Any = {}
    if key is not None:
        try:
            facts = orjson.loads(key.open(bytes(sealed), bind("audit", "facts", audit_id)))
        except HubError:
            return None
    return Audited(audit_id, moment(at), kind, actor, episode_id, service, delivery_id, code, facts)
