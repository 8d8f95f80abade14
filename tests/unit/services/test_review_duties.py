"""A review that does not come is told to whoever leads, and to nobody else."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from hub.services.duties import duties
from hub.services.review_duties import ReviewDuty, review_awaited
from tests import builders as b
from tests.unit.services.world import World, part

DAY = datetime(2026, 10, 22, tzinfo=UTC)
"""When the plan of the builders is to be reviewed."""
REVIEW = {
    "review_id": "rev1",
    "review_date": "2026-10-22",
    "people_present": [{"name": "Mia Example", "person_id": "c1"}],
}


async def told(world: World, at: datetime) -> list[Any]:
    """Return the alerts that are due at *at*."""
    return list((await world.store.run(lambda s: ReviewDuty().due(s, "e1", at))).alerts)


async def test_the_lead_is_told_a_day_and_four_weeks_after() -> None:
    """Not on the day itself; by codes and dates alone; each step is one alert however often."""
    world = await World().planned()
    assert await told(world, DAY + timedelta(hours=23)) == []

    (first,) = await told(world, DAY + timedelta(days=1))
    assert first.kind == "review.overdue"
    assert first.audience == "lead:EHM-A/FSW"
    assert first.due_at == DAY
    assert first.facts == {"review_date": "2026-10-22", "days": 1}
    later = await told(world, DAY + timedelta(weeks=4))
    assert [one.facts["days"] for one in later] == [1, 28]
    assert later[0].alert_id == first.alert_id


async def test_a_review_ends_it_until_the_day_that_it_named() -> None:
    """While it is open nothing is missing; once it is done the next day counts (T14, T15)."""
    world = await World().planned()
    late = DAY + timedelta(days=2)
    await world.send("EHM-A", "review.opened", episode=part(reviews=[REVIEW]))
    assert await told(world, late) == []

    done = {**REVIEW, "next_review_date": "2026-12-03", "review_decision": "CONTINUE"}
    await world.send("EHM-A", "review.completed", episode=part(reviews=[done]))

    assert await told(world, late) == []
    (missing,) = await told(world, datetime(2026, 12, 4, tzinfo=UTC))
    assert missing.facts["review_date"] == "2026-12-03"


async def test_before_a_plan_there_is_nothing_to_review() -> None:
    """A team that still assesses has agreed on no day."""
    world = await World().teamed()

    assert await told(world, DAY + timedelta(weeks=9)) == []


@pytest.mark.parametrize(
    ("tree", "day"),
    [
        ({}, None),
        ({"plan": {"agreed_review_date": "2026-10-22"}}, date(2026, 10, 22)),
        # A plan that was changed after its review named a later day.
        (
            {"plan": {"agreed_review_date": "2026-11-20"}, "reviews": [REVIEW]},
            date(2026, 11, 20),
        ),
        # Held on its day, and no further one was named.
        (
            {
                "reviews": [
                    {**REVIEW, "next_review_date": "2026-12-03"},
                    b.review(review_date="2026-12-03"),
                ]
            },
            None,
        ),
    ],
    ids=["nothing agreed", "the plan's", "a later plan's", "held"],
)
def test_the_day_is_the_last_that_was_given(tree: dict[str, Any], day: date | None) -> None:
    """Unless a review was held on it or later."""
    assert review_awaited(tree) == day


async def test_the_scheduler_asks_it() -> None:
    """It is among the duties of every hub."""
    assert any(isinstance(duty, ReviewDuty) for duty in duties((await World().planned()).registry))
