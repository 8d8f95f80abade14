"""Alerts, watched episodes and turns in dictionaries: the part of `adapters.memory` for duties."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.domain.exchange import ENDED, GONE, HOLDING, Alert, Watch

_ABSENT: Any = object()


class MemoryAlerts:
    """How a session keeps alerts, and how it takes back what it changed."""

    def __init__(self, alerts: dict[str, Alert]) -> None:
        """Read and change *alerts* at once."""
        self._alerts = alerts
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    def undo(self) -> None:
        """Take back every change that was made."""
        for table, key, before in reversed(self._undo):
            if before is _ABSENT:
                del table[key]
            else:
                table[key] = before

    def _set(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def add_alert(self, alert: Alert) -> bool:
        """Keep one alert; ``False`` if its id is known already."""
        if alert.alert_id in self._alerts:
            return False
        self._set(self._alerts, alert.alert_id, alert)
        return True

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert."""
        return self._alerts.get(alert_id)

    def acknowledge_alert(self, alert_id: str, at: datetime) -> Alert | None:
        """Note that somebody has seen it; the first time counts."""
        found = self._alerts.get(alert_id)
        if found is not None and found.acknowledged_at is None:
            found = replace(found, acknowledged_at=at)
            self._set(self._alerts, alert_id, found)
        return found


class MemoryTurns:
    """How a store lists what the duties need."""

    _tables: Any

    def __init__(self) -> None:
        """Nobody has a turn."""
        self._turns: dict[str, tuple[str, datetime]] = {}

    async def alerts(
        self,
        after: int,
        limit: int,
        *,
        audiences: Collection[str] | None = None,
        unacknowledged: bool = True,
    ) -> Sequence[tuple[int, Alert]]:
        """Return alerts with their positions, oldest first, beyond position *after*."""
        found = [
            (position, alert)
            for position, alert in enumerate(self._tables.alerts.values(), 1)
            if position > after
            and (audiences is None or alert.audience in audiences)
            and not (unacknowledged and alert.acknowledged_at)
        ]
        return tuple(found[:limit])

    async def watched(self, watch: Watch, after: str, limit: int) -> Sequence[str]:
        """Return ids of episodes that *watch* names, in their order, beyond the id *after*."""
        if watch is Watch.RECALLED:
            found = {
                d.episode_id
                for d in self._tables.deliveries.values()
                if d.message_type == "N10" and d.state in HOLDING
            }
        else:
            ended = watch is Watch.ENDED
            found = {
                h.episode_id
                for h in self._tables.heads.values()
                if h.process not in GONE and (h.process in ENDED) is ended
            }
        return tuple(sorted(name for name in found if name > after)[:limit])

    async def take_turn(self, name: str, owner: str, seconds: float) -> bool:
        """Return whether *owner* may do what is called *name* for *seconds*."""
        now = datetime.now(UTC)
        holder, until = self._turns.get(name, (owner, now))
        if holder != owner and now < until:
            return False
        self._turns[name] = owner, now + timedelta(seconds=seconds)
        return True
