"""From the head of a lane to its outcome: order, retries, quarantine, and what a crash leaves."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.memory import MemoryStore
from hub.domain.exchange import Delivery, EpisodeHead, State
from hub.errors import Code, Rejected, Unavailable
from hub.ports import Needs, Session
from hub.services.lane import CONTENT_CLASS, holds
from tests import builders as b
from tests.unit.services.world import START, World, completion, includes, part, subject

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> World:
    """The services, with nothing in them."""
    return World()


def down(retry_after: float | None = None, code: Code = Code.UNAVAILABLE) -> Unavailable:
    """Return what a destination raises that does not answer."""
    fault = Unavailable(code, "down")
    fault.retry_after = retry_after
    return fault


async def update(world: World, level: str) -> None:
    """Change what everybody sees."""
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": level}))


async def later(world: World, by: timedelta = HOUR) -> None:
    """Let time pass and deliver what is due."""
    world.clock.move(by)
    await world.drain()


async def test_a_changed_policy_counts_from_the_next_attempt_on(world: World) -> None:
    """The profile gives up earlier since the first failure: the second failure is the last."""
    await world.shared()
    world.doubles["HOU-A"].faults += [down(), down()]
    await update(world, "L3")
    (waiting,) = world.deliveries(partner="HOU-A", state=State.PENDING)
    policy = replace(world.partners["HOU-A"].delivering, retry=(0.0, 5.0))
    changed = replace(world.partners["HOU-A"], delivering=policy)
    registry = replace(world.registry, partners={**world.partners, "HOU-A": changed})
    world.dispatcher = replace(world.dispatcher, registry=registry)

    await later(world)

    (one,) = [d for d in world.deliveries() if d.delivery_id == waiting.delivery_id]
    assert (one.state, one.reason, one.attempts) == (State.QUARANTINED, "ATTEMPTS", 2)


# Lanes


async def test_a_lane_keeps_its_order_and_others_flow(world: World) -> None:
    """Behind a receiver that is down, versions wait in order; every other lane goes on."""
    await world.shared()
    world.take()
    world.doubles["HV-A"].faults += [down(), down()]
    for level in ("L3", "L4", "L2"):
        await update(world, level)
    assert world.take() == {"EHM-A": ["N6"] * 3, "HOU-A": ["N6"] * 3}

    await later(world)
    await later(world)

    levels = [g.episode["conclusions"]["need_level"] for g in world.inbox if g.partner == "HV-A"]
    assert levels == ["L3", "L4", "L2"]


async def test_an_urgent_message_overtakes_content_that_waits(world: World) -> None:
    """A recall and a closure do not wait behind a delivery that fails."""
    await world.planned()
    world.doubles["HV-A"].faults.append(down())
    await update(world, "L3")
    world.take()
    closure = {"closed_on": "2026-11-01", "closure_reason": "NEEDS_MET", "closure_summary": "."}
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))

    assert world.take()["HV-A"] == ["N2"]
    await later(world)
    # Content that was late is not for a closed episode.
    assert world.take() == {}
    assert world.states("N6")["HV-A"] == ["suppressed"]


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
async def test_what_is_due_agrees_with_what_holds(backend: str, tmp_path: Path) -> None:
    """Over random lanes, the sweep of either store names exactly what `holds` would let start."""
    store: Any = MemoryStore()
    if backend == "sqlite":
        store = SqlStore(f"sqlite:///{tmp_path}/e.db", FileVault.create(tmp_path / "v.key"))
    chance = random.Random(11)
    every: dict[str, Delivery] = {}
    real = datetime.now(UTC)

    def putting(batch: list[Delivery]) -> Callable[[Session], None]:
        def unit(session: Session) -> None:
            for one in batch:
                if session.episode(one.episode_id) is None:
                    session.put_episode(
                        EpisodeHead(one.episode_id, "S", None, "ASSESSED", None, "ACTING", "OPEN",
                                    1, 1, START, START)
                    )  # fmt: skip
                session.put_delivery(one)

        return unit

    for _ in range(6):
        batch = []
        for lane in range(40):
            for place in range(1, 6):
                if chance.random() < 0.5:
                    continue
                name = f"d{lane}-{place}"
                urgent = chance.random() < 0.4
                known = every.get(name)
                kind = chance.choice(["N10", "N2"]) if urgent else chance.choice(["N7", "N10"])
                if known is not None:
                    kind, priority = known.message_type, known.priority
                else:
                    priority = {"N10": 1, "N2": 3}.get(kind, 10)
                every[name] = Delivery(
                    name, f"P{lane % 4}", "S/SCH", f"e{lane // 4}", kind, priority, place, 1, (),
                    {}, "c", "m", START,
                    state=chance.choice(list(State)),
                    next_attempt_at=chance.choice([None, START, START + HOUR]),
                    lease_until=chance.choice([None, real - HOUR, real + HOUR]),
                )  # fmt: skip
                batch.append(every[name])
        await store.run(putting(batch))

        def startable(one: Delivery) -> bool:
            lane = [
                d
                for d in every.values()
                if (d.partner, d.episode_id) == (one.partner, one.episode_id)
            ]
            if one.state is State.PENDING:
                ready = one.next_attempt_at is None or one.next_attempt_at <= START
            else:
                ready = one.state is State.SENDING and (
                    one.lease_until is None or one.lease_until <= real
                )
            alive = [d for d in lane if d.state in UNENDED]
            return ready and not any(holds(other, one) for other in alive)

        due = set(await store.due(START, 10_000))
        assert due == {name for name, one in every.items() if startable(one)}

        def lanes(session: Session, due: set[str] = due) -> set[str]:
            return {
                one.delivery_id
                for one in every.values()
                if one.delivery_id in due
                and not any(
                    holds(other, one) for other in session.unsettled(one.episode_id, one.partner)
                )
            }

        # What the dispatcher is shown of a lane leads to the same answer.
        assert await store.run(lanes) == due
    await store.close()


UNENDED = {State.PENDING, State.SENDING, State.HANDED_OVER, State.QUARANTINED}


async def test_quarantine_holds_only_later_content_of_its_lane(world: World) -> None:
    """A hint for what is behind it starts nothing; a closure passes."""
    await world.planned()
    world.doubles["HV-A"].faults.append(Rejected(Code.MAPPING, "no"))
    await update(world, "L3")
    world.take()
    await update(world, "L4")
    assert world.take() == {"EHM-A": ["N6"], "HOU-A": ["N6"]}
    for one in world.deliveries(partner="HV-A", message_type="N6"):
        await world.dispatcher.deliver(one.delivery_id)
    assert world.states("N6")["HV-A"] == ["quarantined", "pending"]
    closure = {"closed_on": "2026-11-01", "closure_reason": "NEEDS_MET", "closure_summary": "."}
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))

    assert world.take()["HV-A"] == ["N2"]


# Attempts


async def test_a_failed_attempt_is_tried_again_later(world: World) -> None:
    """Not at once, not sooner than the receiver asked; the same id, marked as a possible copy."""
    await world.shared()
    world.doubles["HV-A"].faults.append(down(retry_after=600.0))
    await update(world, "L3")
    double = world.doubles["HV-A"]
    first = double.attempts[-1]
    await later(world, timedelta(seconds=599))
    assert double.attempts[-1] is first
    await later(world, timedelta(seconds=1))

    second = double.attempts[-1]
    assert first.delivery_id == second.delivery_id
    assert (first.attempt, first.possible_duplicate) == (1, False)
    assert (second.attempt, second.possible_duplicate) == (2, True)
    assert first.lane_sequence == second.lane_sequence
    assert first.body == second.body
    assert world.waits == [600.0]


async def test_the_schedule_ends_in_quarantine(world: World) -> None:
    """After the last attempt somebody must look: the reason is recorded."""
    await world.shared()
    world.doubles["HV-A"].faults += [down(), down(), down()]
    await update(world, "L3")
    for _ in range(4):
        await later(world)

    (delivery,) = world.deliveries(partner="HV-A", message_type="N6")
    assert (delivery.state, delivery.reason, delivery.attempts) == (
        State.QUARANTINED,
        "ATTEMPTS",
        3,
    )
    assert world.audit("delivery.quarantined")[-1].code == "ATTEMPTS"


async def test_a_refusal_by_the_receiver_is_quarantined_with_its_code(world: World) -> None:
    """Never as it stands: no second attempt."""
    await world.shared()
    world.doubles["HV-A"].faults.append(Rejected(Code.FORMAT, "no"))
    await update(world, "L3")
    await later(world)

    (delivery,) = world.deliveries(partner="HV-A", message_type="N6")
    assert (delivery.state, delivery.reason, delivery.attempts) == (
        State.QUARANTINED,
        "E_FORMAT",
        1,
    )


async def test_an_error_of_our_own_is_quarantined(world: World) -> None:
    """A destination that raises anything else keeps the delivery, and names the class only."""
    await world.shared()
    world.doubles["HV-A"].faults.append(RuntimeError("Ava Example"))
    await update(world, "L3")

    (delivery,) = world.deliveries(partner="HV-A", message_type="N6")
    assert (delivery.state, delivery.reason) == (State.QUARANTINED, "INTERNAL:RuntimeError")


async def test_a_gate_that_fails_sends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Doubt is no: the delivery is set aside, and no byte leaves."""

    def broken(*_args: Any) -> None:
        raise ZeroDivisionError

    await world.shared()
    world.take()
    monkeypatch.setattr("hub.services.dispatch.ask_gate", broken)
    await update(world, "L3")

    assert world.take() == {}
    reasons = {d.reason for d in world.deliveries(message_type="N6")}
    assert reasons == {"GATE:ZeroDivisionError"}
    assert not [row for row in world.audit("disclosure.intended") if "N6" in repr(row.facts)]


# What consent does meanwhile


async def test_a_retry_under_narrower_consent_is_another_delivery(world: World) -> None:
    """The first ends superseded; its heir shows what may be shown now, under an id of its own."""
    await world.shared()
    world.doubles["HV-A"].faults.append(down())
    await update(world, "L3")
    old = world.deliveries(partner="HV-A", message_type="N6")[0]
    await world.decide(
        "SCH-A",
        world.decision(
            state="NARROWED",
            scope_includes=includes("HV-A/HV"),
            scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
        ),
    )
    recall = world.last("HV-A", "N10").parcel.delivery_id
    await world.collector.acknowledge(world.partners["HV-A"], recall, "COPIES_LOCKED")
    world.inbox.clear()
    await later(world)

    first, heir = world.deliveries(partner="HV-A", message_type="N6")
    assert (first.delivery_id, first.state, first.reason) == (
        old.delivery_id,
        State.SUPPRESSED,
        "SUPERSEDED",
    )
    assert heir.causation_id == old.delivery_id
    got = world.last("HV-A")
    assert got.parcel.delivery_id == heir.delivery_id
    assert "Element 2.1" not in got.text
    assert "Element 1.1" in got.text


async def test_what_overtakes_a_vain_attempt_takes_its_number(world: World) -> None:
    """A recall before news that never arrived and never will: no gap tells of the news."""
    await world.planned()
    world.doubles["HOU-A"].faults.append(down())
    await update(world, "L3")
    told = world.doubles["HOU-A"].attempts[-1].lane_sequence
    await world.decide("EHM-A", world.decision(state="WITHDRAWN", withdrawal_type="SHARE_ALL",
                                               share_decision="no", scope_includes=[]))  # fmt: skip

    assert world.last("HOU-A", "N10").message["message"]["episode_seq"] == told


async def test_what_perhaps_arrived_keeps_its_number(world: World) -> None:
    """Nobody knows whether the receiver has it: what overtakes it is numbered after it."""
    await world.planned()
    world.doubles["HOU-A"].faults.append(down(code=Code.OUTCOME_UNKNOWN))
    await update(world, "L3")
    told = world.doubles["HOU-A"].attempts[-1].lane_sequence
    await world.decide("EHM-A", world.decision(state="WITHDRAWN", withdrawal_type="SHARE_ALL",
                                               share_decision="no", scope_includes=[]))  # fmt: skip

    assert world.last("HOU-A", "N10").message["message"]["episode_seq"] == told + 1


async def test_what_was_tried_and_then_withheld_leaves_no_gap(world: World) -> None:
    """A try that surely failed used a number; once consent has run out, the next message has it."""
    await world.shared()
    before = world.last("HV-A").parcel.lane_sequence
    world.doubles["HV-A"].faults.append(down())
    await update(world, "L3")
    assert world.doubles["HV-A"].attempts[-1].lane_sequence == before + 1
    world.clock.move(timedelta(days=400))
    await world.drain()
    assert world.states("N6")["HV-A"] == ["suppressed"]
    world.inbox.clear()
    await world.decide("SCH-A", world.decision(state="SHARE", scope_includes=includes("HV-A/HV")))

    assert [got.parcel.lane_sequence for got in world.inbox if got.partner == "HV-A"] == [
        before + 1
    ]


async def test_an_heir_is_never_older_than_what_went_before_it(world: World) -> None:
    """At the end of the lane it shows the newest version, so that nobody steps back."""
    await world.shared()
    world.doubles["HV-A"].faults.append(down())
    await update(world, "L3")
    await world.post("SCH-A", b.wire({"episode": part(conclusions={"need_level": "L4"})}))
    await world.decide(
        "SCH-A",
        world.decision(
            state="NARROWED",
            scope_includes=includes("HV-A/HV"),
            scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
        ),
        drain=False,
    )
    await later(world)
    for one in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(world.partners["HV-A"], one.delivery_id, "COPIES_LOCKED")
    await later(world)

    levels = [
        g.episode["conclusions"]["need_level"]
        for g in world.inbox
        if g.partner == "HV-A" and g.type == "N6"
    ]
    assert levels
    assert set(levels) == {"L4"}


async def test_a_version_from_before_somebody_was_shielded_does_not_leave(world: World) -> None:
    """Shielding is asked of the newest version, whatever version waits."""
    await world.shared()
    world.doubles["HV-A"].faults.append(down())
    await update(world, "L3")
    await world.send("SCH-A", episode=part(subjects=subject(shielding="full")))
    world.take()
    for one in world.deliveries(message_type="N10", partner="HV-A"):
        await world.collector.acknowledge(world.partners["HV-A"], one.delivery_id, "COPIES_LOCKED")
    await later(world)

    assert world.take() == {}
    assert world.deliveries(partner="HV-A", message_type="N6")[0].reason == "E_SHIELDED"


# Nothing new


async def test_an_unchanged_view_is_not_sent_again(world: World) -> None:
    """A widening that shows nothing more is no message."""
    await world.shared()
    world.take()
    wide = [{"service": "HOU-A/HOUS", "section": "sec.review"}]
    await world.decide("SCH-A", world.decision(state="WIDENED", scope_includes=wide))

    assert world.take() == {}
    assert world.deliveries(partner="HOU-A", message_type="N7")[-1].reason == "UNCHANGED"


async def test_unchanged_is_judged_by_what_this_recipient_has(world: World) -> None:
    """That another service of the same sight already has it, is no reason not to send."""
    await world.shared()
    alike = [{**item, "service": "VCS-N/YOUTH"} for item in includes()[3:]]
    housing = world.last("HOU-A").episode
    world.take()
    await world.decide("SCH-A", world.decision(scope_includes=[*includes(), *alike]))
    await world.decide("SCH-A", world.own(scope_includes=[*includes(), *alike]))

    assert world.last("VCS-N").episode == housing
    assert set(world.take()) == {"VCS-N"}


async def test_a_value_that_went_back_is_told(world: World) -> None:
    """A change and its reversal are two changes, the second no less than the first."""
    await world.shared()
    world.take()
    for level in ("L3", "L2"):
        await update(world, level)

    levels = [g.episode["conclusions"]["need_level"] for g in world.inbox if g.partner == "HV-A"]
    assert levels == ["L3", "L2"]


# Workers that die, and workers that come back


class Died(BaseException):
    """The process ends here."""


async def test_a_crash_between_the_two_transactions_loses_nothing(world: World) -> None:
    """The lease runs out, and the same delivery goes again under the same id and sequence."""
    await world.shared()
    before = len(world.doubles["HV-A"].attempts)
    world.doubles["HV-A"].faults.append(Died())  # type: ignore[arg-type]
    with pytest.raises(Died):
        await update(world, "L3")
    (left,) = [d for d in world.deliveries(message_type="N6") if d.state is State.SENDING]
    assert left.partner == "HV-A"
    intended = [r for r in world.audit("disclosure.intended") if r.delivery_id == left.delivery_id]
    assert len(intended) == 1
    await world.drain()
    assert world.deliveries(delivery_id=left.delivery_id)[0].state is State.SENDING

    world.put(left, lease_until=datetime.now(UTC) - timedelta(seconds=1))
    await world.drain()

    first, second = world.doubles["HV-A"].attempts[before:]
    assert first.delivery_id == second.delivery_id == left.delivery_id
    assert first.lane_sequence == second.lane_sequence
    assert second.possible_duplicate
    assert world.deliveries(delivery_id=left.delivery_id)[0].state is State.DELIVERED


async def test_a_delivery_that_kills_every_worker_is_set_aside(world: World) -> None:
    """Lost leases count as attempts: nothing loops for ever."""
    await world.shared()
    for _ in range(3):
        world.doubles["HV-A"].faults.append(Died())  # type: ignore[arg-type]
    with pytest.raises(Died):
        await update(world, "L3")
    for _ in range(3):
        (left,) = world.deliveries(partner="HV-A", message_type="N6")
        world.put(left, lease_until=datetime.now(UTC) - timedelta(seconds=1))
        try:
            await world.drain()
        except Died:
            continue

    (left,) = world.deliveries(partner="HV-A", message_type="N6")
    assert (left.state, left.reason) == (State.QUARANTINED, "ATTEMPTS")


async def test_a_stale_worker_settles_nothing(world: World) -> None:
    """Its lease was taken over while it sent: what the other recorded stands."""
    await world.shared()

    async def taken_over(_parcel: Any) -> None:
        world.doubles["HV-A"].during = None
        (mine,) = [d for d in world.deliveries(message_type="N6") if d.partner == "HV-A"]
        world.put(mine, lease_until=datetime.now(UTC) - timedelta(seconds=1))
        other = replace(world.dispatcher, worker="w2")
        world.doubles["HV-A"].faults.append(Rejected(Code.FORMAT, "by the second"))
        await other.deliver(mine.delivery_id)

    world.doubles["HV-A"].during = taken_over
    await update(world, "L3")

    (delivery,) = world.deliveries(partner="HV-A", message_type="N6")
    assert (delivery.state, delivery.reason) == (State.QUARANTINED, "E_FORMAT")
    assert (delivery.attempts, delivery.lease_owner) == (2, "w2")


async def test_who_lost_its_lease_does_not_settle_for_the_other(world: World) -> None:
    """While the second worker still sends, the first one's answer changes nothing."""
    await world.shared()

    async def taken_over(_parcel: Any) -> None:
        (mine,) = [d for d in world.deliveries(message_type="N6") if d.partner == "HV-A"]
        world.put(mine, lease_owner="w2", lease_epoch=mine.lease_epoch + 1, attempts=2)

    world.doubles["HV-A"].during = taken_over
    await update(world, "L3")

    (delivery,) = world.deliveries(partner="HV-A", message_type="N6")
    assert (delivery.state, delivery.lease_owner) == (State.SENDING, "w2")


async def test_what_a_dead_worker_sent_is_recalled(world: World) -> None:
    """It may have arrived, though the next attempt certainly did not."""
    await world.opened()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    world.doubles["HV-A"].faults.append(Died())  # type: ignore[arg-type]
    with pytest.raises(Died):
        await world.send("SCH-A", "assessment.completed", episode=completion())
    (left,) = world.deliveries(partner="HV-A")
    world.put(left, lease_until=datetime.now(UTC) - timedelta(seconds=1))
    world.doubles["HV-A"].faults.append(down())
    await world.drain()
    assert world.deliveries(partner="HV-A")[0].state is State.PENDING
    await world.decide(
        "SCH-A",
        world.decision(
            state="NARROWED",
            scope_includes=[],
            scope_excludes=[{"service": "HV-A/HV", "section": "all"}],
        ),
    )

    assert [d.message_type for d in world.deliveries(partner="HV-A")][-1] == "N10"


async def test_a_worker_past_its_lease_does_not_even_send(world: World) -> None:
    """Held up between claim and send, it leaves the delivery to whoever takes it over."""
    await world.shared()
    world.dispatcher = replace(world.dispatcher, lease=timedelta(0))
    attempts = len(world.doubles["HV-A"].attempts)
    await world.post("SCH-A", b.wire({"episode": part(conclusions={"need_level": "L3"})}))
    for one in world.hints.drain(100):
        await world.dispatcher.deliver(one)

    assert len(world.doubles["HV-A"].attempts) == attempts


async def test_delivering_twice_at_once_sends_once(world: World) -> None:
    """A second hint for a delivery under way starts nothing."""
    await world.shared()

    async def again(parcel: Any) -> None:
        world.doubles["HV-A"].during = None
        await world.dispatcher.deliver(parcel.delivery_id)

    attempts = len(world.doubles["HV-A"].attempts)
    world.doubles["HV-A"].during = again
    await update(world, "L3")

    assert len(world.doubles["HV-A"].attempts) == attempts + 1


async def test_lost_hints_lose_no_delivery(world: World) -> None:
    """What was offered and forgotten is found by the sweep."""
    await world.shared()
    world.take()
    await world.post("SCH-A", b.wire({"episode": part(conclusions={"need_level": "L3"})}))
    world.hints.drain(1000)
    await world.drain()

    assert world.take() == {"EHM-A": ["N6"], "HV-A": ["N6"], "HOU-A": ["N6"]}


async def test_the_audit_row_is_committed_before_the_first_byte(world: World) -> None:
    """At the moment of sending, the disclosure stands in the store: to whom, why, what."""
    await world.shared()
    seen: list[Any] = []

    async def look(parcel: Any) -> None:
        rows = [
            r for r in world.audit("disclosure.intended") if r.delivery_id == parcel.delivery_id
        ]
        seen.extend(rows)

    world.doubles["HV-A"].during = look
    await update(world, "L3")

    (row,) = seen
    assert row.service == "HV-A/HV"
    assert row.facts["purpose"] == "ASSESS"
    assert row.facts["decisions"] == ["d2", "d3"]
    assert row.facts["consent_version"] == world.head.consent_version
    assert len(row.facts["view"]) == 64


async def test_if_the_audit_cannot_be_written_nothing_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction: without its audit row the claim is undone, too."""
    await world.shared()
    world.take()
    await world.post("SCH-A", b.wire({"episode": part(conclusions={"need_level": "L3"})}))
    ids = world.hints.drain(100)
    run = world.store.run

    async def failing(unit: Any, needs: Needs) -> Any:
        def guarded(session: Any) -> Any:
            def refuse(_row: Any) -> None:
                raise Unavailable(Code.STORE, "the disk is full")

            session.add_audit = refuse
            return unit(session)

        return await run(guarded, needs)

    monkeypatch.setattr(world.store, "run", failing)
    for one in ids:
        with pytest.raises(Unavailable):
            await world.dispatcher.deliver(one)

    assert world.take() == {}
    assert {d.state for d in world.deliveries(message_type="N6")} == {State.PENDING}


async def test_who_is_not_connected_any_more_is_quarantined(world: World) -> None:
    """A partner that left the configuration keeps its deliveries, set aside with a reason."""
    await world.shared()
    await world.post("SCH-A", b.wire({"episode": part(conclusions={"need_level": "L3"})}))
    del world.partners["HV-A"]
    await world.drain()

    (left,) = world.deliveries(partner="HV-A", message_type="N6")
    assert (left.state, left.reason) == (State.QUARANTINED, "NO_PARTNER")


async def test_an_urgent_class_is_below_content() -> None:
    """What overtakes is below `CONTENT_CLASS`; a delivery never holds itself."""
    one = Delivery("d", "P", "S", "e", "N7", CONTENT_CLASS, 1, 1, (), {}, "c", "m", START)

    assert not holds(one, one)
    assert holds(replace(one, delivery_id="x", lane_sequence=0), one)
