"""Replay: looked at first, through the gate, under today's consent; and who knew what when."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.domain.exchange import State
from hub.errors import Code, Conflict, InvalidContent, Missing, Rejected, Unavailable
from hub.services.access_report import shown_then
from hub.services.operating import Operations
from tests.unit.services.world import Tree, World, includes, part

GROUND = {"reason": "LOST_BY_RECIPIENT", "by": "op-1"}
HOUSING = "HOU-A/HOUS"
DAY = timedelta(days=1)


@pytest.fixture
async def world() -> World:
    """Ava's assessment, shared on 1 September, a newer version on the second."""
    world = await World().shared()
    world.clock.move(DAY)
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))
    world.clock.move(DAY)
    world.take()
    return world


def operations(world: World) -> Operations:
    """Return what the operator asks of this world."""
    parts = (world.store, world.registry, world.clock)
    return Operations(*parts, lambda: world.translator, world.hints, digester=world.digester)


async def replay(world: World, **body: Any) -> Tree:
    """Ask, and let the workers go on."""
    found = await operations(world).replay(body)
    await world.drain()
    return dict(found)


def to(found: Tree, service: str) -> list[Tree]:
    """Return what is said of one service."""
    return [one for one in found["deliveries"] if one["service"] == service]


async def test_a_dry_run_counts_per_recipient_and_sends_nothing(world: World) -> None:
    """Of two versions the newest goes; nothing is made, and nothing leaves."""
    before = len(world.deliveries())

    found = await replay(world, query={"episode": "e1", "service": HOUSING})

    assert found["recipients"] == {HOUSING: {"NEWER_GOES": 1, "send": 1}}
    assert "sent" not in found
    assert len(world.deliveries()) == before
    assert world.take() == {}


async def test_many_are_sent_by_two(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one person may send alone need a second one, who is not the first; both are on
    record.
    """
    monkeypatch.setattr("hub.services.replay.ALONE", 1)
    asked = {"query": {"episode": "e1"}}
    looked = await replay(world, **asked)
    told = {**asked, "confirm": looked["confirm"], **GROUND}
    with pytest.raises(InvalidContent) as alone:
        await replay(world, **told)
    with pytest.raises(InvalidContent) as twice:
        await replay(world, **told, second="OP-1")
    nothing = world.take()

    sent = (await replay(world, **told, second="op-2"))["sent"]

    assert looked["persons"] == 2
    assert [one.value.faults[0].path for one in (alone, twice)] == ["second", "second"]
    assert nothing == {}
    assert len(sent) > 1
    rows = await world.store.run(lambda session: session.audit("e1"))
    replayed = [row for row in rows if row.kind == "delivery.replayed"]
    assert {(row.facts or {})["second"] for row in replayed} == {"op-2"}


async def test_what_was_looked_at_is_sent_as_a_delivery_of_its_own(world: World) -> None:
    """A new id at the end of the lane, though the recipient had the same before."""
    last = world.deliveries(service=HOUSING)[-1]
    dry = await replay(world, deliveries=[last.delivery_id])

    found = await replay(world, deliveries=[last.delivery_id], confirm=dry["confirm"], **GROUND)

    (new,) = found["sent"].values()
    (got,) = [one for one in world.inbox if one.partner == "HOU-A"]
    assert got.parcel.delivery_id == new != last.delivery_id
    assert got.parcel.lane_sequence == 3
    (row,) = world.audit("delivery.replayed")
    assert (row.code, row.facts["replay_of"], row.facts["by"]) == (
        "LOST_BY_RECIPIENT", last.delivery_id, "op-1",
    )  # fmt: skip


async def test_the_fields_that_differ_from_what_was_first_sent_are_named(world: World) -> None:
    """Consent was narrowed since: what would be missing is named by field, and never sent."""
    last = world.deliveries(service=HOUSING)[-1]
    narrower = [{"service": HOUSING, "section": "sec.identity"}]
    for record in (
        world.decision(scope_includes=[*includes("HV-A/HV"), *narrower]),
        world.own(scope_includes=[*includes("HV-A/HV"), *narrower]),
    ):
        await world.decide("SCH-A", record)
    world.inbox.clear()

    found = await replay(world, deliveries=[last.delivery_id], as_it_was=True)
    (one,) = found["deliveries"]

    assert one["outcome"] == "send"
    assert (one["gains"], "conclusions.need_level" in one["loses"]) == ([], True)
    assert "conclusions.need_level" in one["as_it_was"]
    assert len(one["as_it_was"]) == one["fields_then"]


async def test_withdrawn_nothing_would_go_and_the_reason_is_its_code(world: World) -> None:
    """The gate's own answer of today stands where the fields would."""
    last = world.deliveries(service=HOUSING)[-1]
    stop = {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL", "share_decision": "no",
            "scope_includes": []}  # fmt: skip
    for record in (world.decision(**stop), world.own(**stop)):
        await world.decide("SCH-A", record)
    world.inbox.clear()
    made = len(world.deliveries())

    found = await replay(world, deliveries=[last.delivery_id])
    sent = await replay(world, deliveries=[last.delivery_id], confirm=found["confirm"], **GROUND)

    assert found["recipients"] == {HOUSING: {"E_CONSENT_SCOPE": 1}}
    assert sent["sent"] == {}
    assert len(world.deliveries()) == made


async def test_what_has_changed_since_the_dry_run_is_looked_at_again(world: World) -> None:
    """Another version came in between: the old word is refused and nothing is made."""
    query = {"service": HOUSING, "state": "delivered"}
    dry = await replay(world, query=query)
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))
    made = len(world.deliveries())

    with pytest.raises(Conflict, match="look again"):
        await replay(world, query=query, confirm=dry["confirm"], **GROUND)

    assert len(world.deliveries()) == made


async def test_sending_needs_a_ground(world: World) -> None:
    """Who and why are recorded, so they must be said."""
    last = world.deliveries(service=HOUSING)[-1].delivery_id
    dry = await replay(world, deliveries=[last])

    with pytest.raises(InvalidContent, match="why and who"):
        await replay(world, deliveries=[last], confirm=dry["confirm"])


async def test_what_is_under_way_is_left_alone(world: World) -> None:
    """In quarantine or waiting, it needs no replay; its state says so."""
    world.doubles["HOU-A"].faults.append(Rejected(Code.FORBIDDEN, "refused"))
    for level in ("L4", "L2"):
        await world.send(
            "SCH-A", "assessment.updated", episode=part(conclusions={"need_level": level})
        )

    found = await replay(world, query={"service": HOUSING})

    assert found["recipients"] == {
        HOUSING: {"NEWER_GOES": 1, "PENDING": 1, "QUARANTINED": 1, "send": 1}
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({}, InvalidContent),
        ({"query": {}}, InvalidContent),
        ({"query": {"name": "Ava"}}, InvalidContent),
        ({"deliveries": ["nothing"]}, Missing),
        ({"deliveries": ["x"], "query": {"episode": "e1"}}, InvalidContent),
        ({"deliveries": ["x"], "resend": True}, InvalidContent),
    ],
)
async def test_what_nobody_could_mean_is_refused(
    world: World, body: dict[str, Any], kind: type[Exception]
) -> None:
    """A replay of everything is none, and neither is one of nothing."""
    with pytest.raises(kind):
        await replay(world, **body)


async def test_a_replay_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the bound is refused before anything is looked at."""
    monkeypatch.setattr("hub.services.replay.MOST", 3)

    with pytest.raises(InvalidContent, match="too much"):
        await replay(world, query={"state": "delivered"})


async def test_it_holds_no_value_of_the_family(world: World) -> None:
    """Field names, codes and ids; not what they say."""
    told = json.dumps(await replay(world, query={"episode": "e1"}, as_it_was=True))

    for value in ("Ava", "Mia", "Example", "ZZ99", "L3"):
        assert value not in told


# Who knew what when


async def known(world: World, day: int, service: str = HOUSING) -> Tree:
    """Return what *service* knew by the end of a day of September."""
    at = datetime(2026, 9, day, 23, 59, tzinfo=UTC)
    return dict(await operations(world).known("e1", service, at))


async def test_what_a_service_knew_on_a_day_is_rebuilt_from_the_ledger(world: World) -> None:
    """By the first the shared view, by the second the newer one too; before, nothing."""
    first, second = await known(world, 1), await known(world, 2)
    before = dict(await operations(world).known("e1", HOUSING, datetime(2026, 8, 31, tzinfo=UTC)))

    assert before["given"] == before["fields"] == []
    assert [one["what"] for one in first["given"]] == ["N7"]
    assert [one["what"] for one in second["given"]] == ["N7", "N6"]
    fields = {one["field"]: one for one in second["fields"]}
    level = fields["conclusions.need_level"]
    assert (level["first"][:10], level["last"][:10]) == ("2026-09-01", "2026-09-02")
    assert [one["same"] for one in second["given"]] == [True, True]
    everything = {one["field"] for one in (await known(world, 2, "HV-A/HV"))["fields"]}
    assert fields.keys() < everything


async def test_an_acknowledgement_and_a_recall_are_named(world: World) -> None:
    """What was acknowledged by then is marked; a recall that was acknowledged ends the knowing."""
    first = world.deliveries(service="HV-A/HV")[0]
    await world.collector.acknowledge(world.partners["HV-A"], first.delivery_id, "APPLIED")
    stop = {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL", "share_decision": "no",
            "scope_includes": []}  # fmt: skip
    for record in (world.decision(**stop), world.own(**stop)):
        await world.decide("SCH-A", record)
    for recall in world.deliveries(partner="HV-A", message_type="N10"):
        await world.collector.acknowledge(
            world.partners["HV-A"], recall.delivery_id, "COPIES_LOCKED"
        )

    early, late = await known(world, 2, "HV-A/HV"), await known(world, 3, "HV-A/HV")

    assert [one["acknowledged"] for one in early["given"]] == [None, None]
    assert [one["acknowledged"] for one in late["given"] if one["what"] == "N7"] == ["APPLIED"]
    assert early["recalled"] == []
    assert {one["code"] for one in late["recalled"]} == {"COPIES_LOCKED"}


async def test_what_is_not_as_it_was_recorded_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view made again otherwise than it left has another digest, and whoever asks is told."""

    def otherwise(*told: Any) -> Tree:
        return {**shown_then(*told), "episode_id": "another"}

    monkeypatch.setattr("hub.services.known.shown_then", otherwise)

    assert [one["same"] for one in (await known(world, 2))["given"]] == [False, False]


async def test_a_look_at_the_record_counts(world: World) -> None:
    """What a service asked to see it knows, be it delivered or not."""
    await world.viewer.view(
        world.partners["HOU-A"], HOUSING, "e1", "ASSESS", "application/vnd.ecaf.message+json"
    )

    assert [one["what"] for one in (await known(world, 3))["given"]] == ["N7", "N6", "VIEW"]


async def test_what_was_only_tried_by_then_was_not_known(world: World) -> None:
    """A delivery that arrived on the fourth is not what was known on the third."""
    world.doubles["HOU-A"].faults.append(Unavailable(Code.UNAVAILABLE, "down"))
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))
    world.clock.move(DAY)
    await world.drain()

    assert len((await known(world, 3))["given"]) == 2
    assert len((await known(world, 4))["given"]) == 3


async def test_a_glance_has_counts_and_what_stands_longest(world: World) -> None:
    """States add up, and the oldest and the quarantine are named."""
    world.doubles["HOU-A"].faults.append(Rejected(Code.FORBIDDEN, "refused"))
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))

    found = await operations(world).top()

    assert found["deliveries"]["quarantined"] == len(found["quarantine"]) == 1
    assert found["lanes"][0]["partner"] == "HOU-A"
    assert found["deliveries"]["delivered"] == len(world.deliveries(state=State.DELIVERED))
