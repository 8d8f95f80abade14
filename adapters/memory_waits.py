"""Waits of deliveries in dictionaries: the part of `adapters.memory` for a clock that is set."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.domain.exchange import State


class KeptWaits:
    """How a store moves waits, all at once."""

    _tables: Any

    async def sooner(self, now: datetime, after: datetime, by: timedelta) -> int:
        """Let pending deliveries that wait beyond *after* go *by* sooner, not before *now*."""
        kept = self._tables.deliveries
        found = [
            one
            for one in kept.values()
            if one.state is State.PENDING and one.next_attempt_at and one.next_attempt_at > after
        ]
        for one in found:
            kept[one.delivery_id] = replace(one, next_attempt_at=max(now, one.next_attempt_at - by))
        return len(found)
