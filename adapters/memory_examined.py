"""Dossiers out of dictionaries: the part of `adapters.memory` that `ecaf doctor` goes through."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hub.domain.dossier import Dossier
from hub.domain.exchange import Audited


class Examined:
    """How a store in dictionaries shows its record."""

    _tables: Any

    async def examine(self, after: str, limit: int) -> Sequence[Dossier]:
        """Return the dossiers of up to *limit* episodes beyond the id *after*."""
        t = self._tables
        rows: Iterable[Any] = (
            *t.heads.values(), *t.versions.values(), *t.decisions.values(),
            *t.deliveries.values(), *t.released.values(), *t.audit.values(),
        )  # fmt: skip
        names = {row.episode_id for row in rows} | {episode for _, episode in t.sequences}
        wanted = sorted(name for name in names - {None} if name > after)[:limit]
        return tuple(_dossier(t, name) for name in wanted)

    async def audited(self, after: int, limit: int) -> Sequence[tuple[int, Audited]]:
        """Return rows of audit with their positions, in order, beyond position *after*."""
        found = [(place + 1, row) for place, row in self._tables.audit.items() if place >= after]
        return tuple(found[:limit])


def _dossier(t: Any, name: str) -> Dossier:
    def of(table: Mapping[Any, Any]) -> list[Any]:
        return [row for row in table.values() if row.episode_id == name]

    head = t.heads.get(name)
    deliveries = tuple(
        replace(one, focus=(), facts={}, evidence=None if one.evidence is None else {})
        for one in of(t.deliveries)
    )
    made = {partner: last for (partner, episode), last in t.sequences.items() if episode == name}
    return Dossier(
        episode_id=name,
        version=None if head is None else head.version,
        consent_version=None if head is None else head.consent_version,
        versions=tuple(row.version for row in of(t.versions)),
        decisions=tuple(row.sequence for row in of(t.decisions)),
        lanes=made,
        deliveries=deliveries,
        audit=tuple(of(t.audit)),
        given=tuple(replace(row, paths=()) for row in of(t.released)),
    )
