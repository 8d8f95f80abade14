"""Alerts as a session sees them: each id once, and the first acknowledgement counts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.database.rows import Row
from adapters.database.transaction import Batch, Transaction
from hub.domain.exchange import Alert


class Alerts(Transaction):
    """What was read or written of alerts; they belong to no episode's lock."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know nothing yet."""
        super().__init__(*args, **options)
        self._alerts: dict[str, Alert | None] = {}
        self._new_alerts: dict[str, Alert] = {}
        self._seen_alerts: dict[str, Alert] = {}

    def add_alert(self, alert: Alert) -> bool:
        """Keep one alert; ``False`` if its id is known already."""
        if self.alert(alert.alert_id) is not None:
            return False
        self._set(self._alerts, alert.alert_id, alert)
        self._set(self._new_alerts, alert.alert_id, alert)
        return True

    def acknowledge_alert(self, alert_id: str, at: datetime) -> Alert | None:
        """Note that somebody has seen it; the first time counts."""
        found = self.alert(alert_id)
        if found is None or found.acknowledged_at is not None:
            return found
        found = replace(found, acknowledged_at=at)
        self._set(self._alerts, alert_id, found)
        self._set(self._seen_alerts, alert_id, found)
        return found

    def alert_batches(self) -> Iterator[Batch]:
        """Yield what is to be sent."""
        rows = self._rows
        yield self._sql.add_alert, [rows.alert_row(a) for a in self._new_alerts.values()]
        yield self._sql.see_alert, [rows.alert_row(a) for a in self._seen_alerts.values()]

    def alerts_of(self, rows: Sequence[Row]) -> Sequence[tuple[int, Alert]]:
        """Open *rows* with their positions."""
        return tuple((row[0], self._rows.alert(row[1:])) for row in rows)

    def alert(self, alert_id: str) -> Alert | None:
        """Return one alert."""
        if alert_id not in self._alerts:
            self._fetch(self._sql.alert, alert_id)
            row = self._cursor.fetchone()
            self._alerts[alert_id] = None if row is None else self._rows.alert(row[1:])
        return self._alerts[alert_id]
