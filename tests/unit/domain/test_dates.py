"""Partial dates and moments, against the calendar of the standard library."""

from datetime import date, timedelta

import pytest

from hub.domain.dates import after, is_date, is_datetime, is_partial_date, to_utc


def test_every_day_of_four_centuries_is_a_date() -> None:
    """From 1800 to 2199, each day of the calendar is a date, 29 February of 2000 among them."""
    day = date(1800, 1, 1)
    while day < date(2200, 1, 1):
        assert is_date(day.isoformat())
        day += timedelta(days=1)


@pytest.mark.parametrize("year", [1800, 1900, 2015, 2016, 2000, 2100, 2199])
def test_no_other_day_is_a_date(year: int) -> None:
    """Days that a month does not have are refused, leap years counted by the Gregorian rule."""
    for month in range(14):
        for day in range(33):
            try:
                date(year, month, day)
            except ValueError:
                assert not is_date(f"{year}-{month:02}-{day:02}")


@pytest.mark.parametrize("value", ["2016", "2016-05", "2016-05-14", "2016-02-29"])
def test_a_date_may_be_partial(value: str) -> None:
    """A year, a month, a day."""
    assert is_partial_date(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "16",
        "2016-5",
        "2016-13",
        "2016-00",
        "2015-02-29",
        "2016-05-14\n",
        "٢٠١٦",
        "0216",
        "2200",
    ],
)
def test_what_is_in_no_calendar_is_no_partial_date(value: str) -> None:
    """Lost digits, other scripts' digits and line ends are refused."""
    assert not is_partial_date(value)


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("2026-09-01T09:00:00Z", "2026-09-01T09:00:00Z"),
        ("2026-09-01T10:00:00+01:00", "2026-09-01T09:00:00Z"),
        ("2026-08-31T23:30:00-05:30", "2026-09-01T05:00:00Z"),
        ("2026-01-01T00:00:00.123456+14:00", "2025-12-31T10:00:00.123456Z"),
        ("2026-09-01T10:00:00.5+00:00", "2026-09-01T10:00:00.5Z"),
    ],
)
def test_a_moment_is_kept_in_utc_with_its_precision(given: str, normal: str) -> None:
    """Any offset becomes Z; decimals of a second are neither lost nor added."""
    assert is_datetime(given)
    assert to_utc(given) == normal


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-01T09:00:00",
        "2026-09-01T09:00Z",
        "2026-09-01",
        "2026-09-01 09:00:00Z",
        "2026-09-01T24:00:00Z",
        "2026-09-01T09:60:00Z",
        "2026-09-01T09:00:60Z",
        "2026-09-01T09:00:00+15:00",
        "2026-09-01T09:00:00.1234567Z",
        "2015-02-29T09:00:00Z",
        "2026-09-01T09:00:00z",
        "2026-09-01T09:00:00Z\n",
    ],
)
def test_a_moment_without_an_offset_or_a_place_in_time_is_refused(value: str) -> None:
    """Nobody knows when it was."""
    assert not is_datetime(value)


def test_partial_dates_are_compared_as_far_as_they_are_known() -> None:
    """A month does not come after a day within it, nor a moment after its own second."""
    assert after("2016-05", "2016-04-30")
    assert not after("2016-05-31", "2016-05")
    assert not after("2016", "2016-01-01")
    assert after("2026-09-01T09:00:01Z", "2026-09-01T09:00:00.5Z")
    assert not after("2026-09-01T09:00:00Z", "2026-09-01T09:00:00.5Z")
