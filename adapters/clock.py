"""Business clocks: the real one, one that stands still, and one that a scenario moves.

Leases and time-outs never read these (`hub.ports.Clock`).
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """Return the current moment."""
        return datetime.now(UTC)


class StoppedClock:
    """A business clock that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        """Stand at *at*, which knows its zone."""
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        """Return where the clock stands."""
        return self._at

    def move(self, by: timedelta) -> None:
        """Move the clock; backwards, too."""
        self._at += by


class OffsetFileClock:
    """The machine's clock plus the seconds in a file, which a scenario rewrites as its days pass.

    Several processes that read the same file agree.  Without the file nothing is added; a file
    that holds no number is a `ValueError`, for to guess would be to run at a time that nobody
    asked for.
    """

    def __init__(self, path: Path) -> None:
        """Watch *path*, which need not exist yet."""
        self._path = path
        self._read: tuple[int, int, int] | None = None
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the current moment, moved by what the file says now."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._read, self._offset = None, timedelta()
        else:
            # A file replaced within one tick of its file system still has another inode or size.
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen != self._read:
                text = self._path.read_text("ascii").strip()
                try:
                    self._offset = timedelta(seconds=float(text))
                except (ValueError, OverflowError):
                    raise ValueError(f"{self._path} holds no number of seconds") from None
                self._read = seen
        return datetime.now(UTC) + self._offset
