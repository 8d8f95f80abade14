"""Who sees which alerts, and that an acknowledgement is noted once."""

from datetime import UTC, datetime

import pytest

from adapters.clock import StoppedClock
from adapters.memory import MemoryStore
from hub.errors import Missing
from hub.services.alerts import Alerts, alert
from tests.contract.records import writing
from tests.unit.services.world import partner

NOW = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
EHM, SCH = partner("EHM-A", "FSW"), partner("SCH-A", "SCH")


@pytest.fixture
async def alerts() -> Alerts:
    store = MemoryStore()
    for number, audience in enumerate(
        ("lead:EHM-A/FSW", "administrator:SCH-A", "protocol-owner:SCH-A", "data-protection:001")
    ):
        one = alert("test.due", audience, number, at=NOW, episode_id="e1", facts={"days": number})
        await store.run(writing(one))
    return Alerts(store, StoppedClock(NOW))


async def test_a_partner_sees_its_own(alerts: Alerts) -> None:
    """Its services' and its administrator's; the operator sees all."""
    seen = [
        [one["audience"] for one in (await alerts.list(partner=who))["alerts"]]
        for who in (EHM, SCH, None)
    ]

    assert seen[:2] == [["lead:EHM-A/FSW"], ["administrator:SCH-A"]]
    assert len(seen[2]) == 4
    assert (await alerts.list(partner=EHM, audience="administrator:SCH-A"))["alerts"] == []
    named = await alerts.list(partner=None, audience="protocol-owner:SCH-A")
    assert [one["facts"] for one in named["alerts"]] == [{"days": 2}]


async def test_another_s_alert_is_as_one_that_is_not_there(alerts: Alerts) -> None:
    """Nobody acknowledges what is addressed to somebody else."""
    theirs = (await alerts.list(partner=SCH))["alerts"][0]["alert_id"]
    said = []
    for name in (theirs, "unknown"):
        with pytest.raises(Missing) as refused:
            await alerts.acknowledge(name, partner=EHM)
        said.append(str(refused.value))

    assert said[0] == said[1]
    assert len((await alerts.list(partner=SCH))["alerts"]) == 1


async def test_what_is_acknowledged_is_no_longer_listed(alerts: Alerts) -> None:
    """Unless all are asked for; the audit says by whom, once."""
    mine = (await alerts.list(partner=EHM))["alerts"][0]["alert_id"]

    first = await alerts.acknowledge(mine, partner=EHM)
    again = await alerts.acknowledge(mine, partner=None)

    assert first == again
    assert first["acknowledged_at"] == "2026-09-01T09:00:00Z"
    assert (await alerts.list(partner=EHM))["alerts"] == []
    assert len((await alerts.list(partner=EHM, everything=True))["alerts"]) == 1
    rows = await alerts.store.run(lambda s: s.audit("e1"))
    assert [(row.kind, row.actor) for row in rows] == [("alert.acknowledged", "EHM-A")]


async def test_a_long_list_comes_in_pages(alerts: Alerts) -> None:
    """``next`` leads on; the last page has none."""
    page = await alerts.list(partner=None, limit=3)
    rest = await alerts.list(partner=None, limit=3, after=page["next"])

    assert (len(page["alerts"]), len(rest["alerts"]), "next" in rest) == (3, 1, False)
