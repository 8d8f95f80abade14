"""What is past its time is destroyed, by a clock that is believed (`reliability.md` 5.10)."""

import asyncio
import logging
from typing import Final

from hub.errors import Unavailable
from hub.ports import Store
from hub.services.clock_watch import ClockWatch

log = logging.getLogger("hub.purging")

SECONDS: Final = 60.0


async def purging(store: Store, watch: ClockWatch) -> None:
    """Destroy what is past its time, once a minute."""
    while True:
        await asyncio.sleep(SECONDS)
        try:
            await store.purge(watch.past())
        except Unavailable as fault:
            log.warning("purge failed", extra={"code": fault.code.value})
