"""What the hub needs to keep notices from schools and health systems: the part of `hub.ports`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from hub.domain.exchange import Notice, Taken


class NoticeSession(Protocol):
    """Notices inside one unit of work."""

    def notice(self, partner: str, key: str) -> Notice | None:
        """Return what this partner notified before under this key, locked until the end."""
        ...

    def sealed_notice(self, notice_id: str) -> Notice | None:
        """Return the notice of this id, locked until the end, without its body: to open that may be
        what fails.
        """
        ...

    def put_notice(self, notice: Notice) -> None:
        """Insert or replace one notice; without its body, the key of that is destroyed."""
        ...

    def change_notice(self, notice: Notice, *, erase: bool = False) -> None:
        """Write all but the body, which stays sealed as it is, or is destroyed with its key."""
        ...

    def expired_notices(self, now: datetime, limit: int) -> Sequence[Notice]:
        """Return, without their bodies, those that wait for a person and are past their time."""
        ...


class NoticeStore(Protocol):
    """Notices beside the units of work."""

    async def unmatched(self, limit: int) -> int:
        """Return how many notices are still to be matched, counting to *limit*."""
        ...

    async def take_notices(self, limit: int, waits: Sequence[float]) -> Sequence[Taken]:
        """Count an attempt of notices that may be matched now, and return them.

        Those that were never tried come first, oldest first, a page of them; only when there are
        none, one that was tried before: were it to end this process, no other would be counted.
        *waits*: seconds until it is tried again, by the number of the attempt (the last one serves
        for all beyond), by the database's clock.
        """
        ...

    async def notices(self, states: Collection[str], after: str, limit: int) -> Sequence[Notice]:
        """Return notices in these states without their bodies, by id, beyond the id *after*."""
        ...
