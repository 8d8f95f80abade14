"""The business clocks."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import OffsetFileClock, StoppedClock, SystemClock

SECOND = timedelta(seconds=1)


def ahead(clock: OffsetFileClock) -> timedelta:
    """How far *clock* is ahead of the real time, to the nearest second."""
    return timedelta(seconds=round((clock.now() - datetime.now(UTC)).total_seconds()))


def test_the_system_clock_is_in_utc() -> None:
    """Whatever the machine's zone, the clock says UTC."""
    now = SystemClock().now()

    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < SECOND


def test_the_file_moves_the_clock_whenever_it_changes(tmp_path: Path) -> None:
    """Absent: real time. Written, replaced, removed: the next reading follows."""
    path = tmp_path / "offset"
    clock = OffsetFileClock(path)
    assert ahead(clock) == timedelta()

    path.write_text("259200\n")
    assert ahead(clock) == timedelta(days=3)

    path.write_text("-3600.0")
    assert ahead(clock) == timedelta(hours=-1)

    (tmp_path / "next").write_text("86400.0")
    (tmp_path / "next").replace(path)
    assert ahead(clock) == timedelta(days=1)

    path.unlink()
    assert ahead(clock) == timedelta()


@pytest.mark.parametrize("text", ["", "three days", "nan", "1e300"])
def test_a_file_without_a_number_is_an_error(tmp_path: Path, text: str) -> None:
    """The clock does not guess."""
    path = tmp_path / "offset"
    path.write_text(text)

    with pytest.raises(ValueError, match="holds no number"):
        OffsetFileClock(path).now()


def test_a_stopped_clock_moves_only_when_moved() -> None:
    """It stands still, in UTC, and goes both ways."""
    clock = StoppedClock(datetime.fromisoformat("2026-09-01T12:00:00+02:00"))
    assert clock.now() == clock.now() == datetime(2026, 9, 1, 10, tzinfo=UTC)
    assert clock.now().tzinfo is UTC

    clock.move(timedelta(days=3))
    clock.move(-timedelta(hours=1))
    assert clock.now() == datetime(2026, 9, 4, 9, tzinfo=UTC)
