"""What the hub needs so that waits survive a clock that is set: the part of `hub.ports`."""

from datetime import datetime, timedelta
from typing import Protocol


class WaitStore(Protocol):
    """Waits of deliveries, all at once."""

    async def sooner(self, now: datetime, after: datetime, by: timedelta) -> int:
        """Let pending deliveries that wait beyond *after* go *by* sooner, though not before *now*;
        return how many.  By the business clock, as they wait by it.
        """
        ...
