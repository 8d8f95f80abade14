"""Notices from schools and health systems: one answer, one recipient, under consent, or nobody."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.memory import MemorySession
from hub.errors import Code, Conflict
from hub.services import matcher
from hub.services.matcher import PAGE, WAITS, Matcher
from hub.services.notice_duties import NoticeErasure
from hub.services.whose import certain
from hub.worker import Hints
from tests import builders as b
from tests.unit.services.world import World, includes, opening, part, subject

AVA = {
    "identifiers": [{"system": "upn", "value": "W001900120001"}],
    "given_names": ["Ava"],
    "family_name": "Example",
    "date_of_birth": "2016-05-14",
}


@pytest.fixture
async def world() -> World:
    """Ava's plan is agreed; Mr Lead of EHM-A leads."""
    return await World().planned()


def kept(world: World) -> list[Any]:
    """Return the notices in the store."""
    return list(world.store._tables.notices.values())


async def test_a_notice_reaches_the_lead_and_nobody_else(world: World) -> None:
    """S1 7: routed to the lead professional's system, under consent."""
    await world.notify("SCH-A")

    told = world.last("EHM-A").facts
    assert world.take() == {"EHM-A": ["NOTICE"]}
    assert told["notice"]["text"].startswith("Absent on four")
    assert (told["from"], told["subject_id"]) == ("SCH-A", "s1")
    # What was passed on is not kept a second time.
    assert [(n.state, n.body) for n in kept(world)] == [("routed", None)]


async def test_the_answer_never_tells_whether_it_matched(world: World) -> None:
    """The same 202 for a child with a CAF, without one, refused by consent, and twice."""
    nobody = {**AVA, "identifiers": [{"system": "upn", "value": "K00190012601A"}]}
    answers = [
        await world.notify("SCH-A", key="a"),
        await world.notify("SCH-A", key="a"),
        await world.notify("SCH-A", subject=nobody),
        await world.notify("SCH-A", subject={**AVA, "identifiers": []}),
        await world.notify("HV-A", kind="emergency_attendance"),
        await world.notify("VCS-N", kind="missed_appointment"),
    ]

    assert {(one.status, str(one.body), str(one.headers)) for one in answers} == {
        (202, "{'status': 'accepted'}", "{}")
    }


async def test_the_same_notice_twice_is_one(world: World) -> None:
    """One key, one delivery; other content under it is refused whether it matches or not."""
    for _ in range(2):
        await world.notify("SCH-A", key="a")
    assert world.take() == {"EHM-A": ["NOTICE"]}
    with pytest.raises(Conflict) as refused:
        await world.notify("SCH-A", key="a", text="Other.")

    assert refused.value.code is Code.IDEMPOTENCY


async def test_without_consent_the_lead_hears_nothing(world: World) -> None:
    """The section of the notice must be agreed for the lead's service."""
    await world.decide(
        "EHM-A",
        world.decision(
            state="NARROWED",
            scope_includes=[],
            scope_excludes=[{"service": "EHM-A/FSW", "section": "sec.child.learning"}],
        ),
    )
    world.take()
    await world.notify("SCH-A")

    assert world.take() == {}
    assert world.deliveries(message_type="NOTICE")[0].reason == "E_CONSENT_SCOPE"


@pytest.mark.parametrize(
    ("kind", "sections", "passes"),
    [
        ("attendance_concern", {"sec.child.learning": False}, True),
        ("emergency_attendance", {"sec.child.health": False}, False),
        ("emergency_attendance", {"sec.child.health": True}, True),
        ("missed_appointment", {"sec.child.learning": True}, False),
    ],
)
async def test_each_kind_needs_its_section(
    world: World, kind: str, sections: dict[str, bool], passes: bool
) -> None:
    """A health notice needs the sensitive cell of the health section, and no other will do."""
    scope = [
        {"service": "EHM-A/FSW", "section": section, "sensitive": sensitive}
        for section, sensitive in sections.items()
    ]
    await world.decide("EHM-A", world.decision(scope_includes=scope))
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=scope))
    world.take()
    await world.notify("HV-A", kind=kind)

    assert (world.take() == {"EHM-A": ["NOTICE"]}) is passes


async def test_before_a_lead_is_appointed_the_assessor_hears_it() -> None:
    """Whoever completes the CAF holds the baton."""
    world = await World().opened()
    scope = includes()
    await world.decide("SCH-A", world.decision(scope_includes=scope))
    world.take()
    await world.notify("HV-A")

    assert world.take() == {"SCH-A": ["NOTICE"]}


async def test_a_notice_of_the_leads_own_is_not_sent_back(world: World) -> None:
    """The sender is the lead's system: nothing to pass on, and nothing kept."""
    await world.notify("EHM-A")

    assert world.take() == {}
    assert [(n.state, n.body) for n in kept(world)] == [("nobody", None)]


@pytest.mark.parametrize(
    "subject_sent",
    [
        {**AVA, "date_of_birth": "2016-05-15"},
        {k: v for k, v in AVA.items() if k != "date_of_birth"},
        {**AVA, "identifiers": []},
        {**AVA, "identifiers": [{"system": "la-child-id", "value": "A0001234"}]},
    ],
    ids=["other-birth", "no-birth", "no-number", "weak-number"],
)
async def test_anything_less_than_certain_is_nobody(
    world: World, subject_sent: dict[str, Any]
) -> None:
    """An identifier and the date of birth must both agree."""
    await world.notify("SCH-A", subject=subject_sent)

    assert world.take() == {}
    assert [(n.state, n.episode_id) for n in kept(world)] == [("waiting", None)]


async def test_two_unknown_dates_do_not_agree() -> None:
    """A child without a date of birth is not matched by a notice without one."""
    world = World()
    tree = opening()
    del tree["subjects"][0]["date_of_birth"]
    del tree["subjects"][0]["date_accuracy"]
    await world.decide("SCH-A", world.store_only())
    await world.send("SCH-A", "episode.opened", episode=tree)
    await world.notify("HV-A", subject={k: v for k, v in AVA.items() if k != "date_of_birth"})

    assert [n.state for n in kept(world)] == ["waiting"]


async def erase(world: World) -> Any:
    """Let the duty look, as the scheduler does every minute."""
    return await world.store.run(lambda s: NoticeErasure().due(s, "", world.clock.now()))


async def test_what_matches_nobody_is_kept_a_day_and_erased(world: World) -> None:
    """Its body is destroyed after 24 hours and that is recorded; sent again, it is still known."""
    other = {**AVA, "date_of_birth": "2016-05-15"}
    await world.notify("SCH-A", key="a", subject=other)
    (waiting,) = kept(world)
    assert (waiting.reason, waiting.body is not None) == ("UNCERTAIN", True)
    world.clock.move(timedelta(hours=23, minutes=59))
    await erase(world)
    assert kept(world) == [waiting]
    world.clock.move(timedelta(minutes=1))
    await erase(world)
    assert [(n.state, n.body) for n in kept(world)] == [("erased", None)]
    (row,) = world.audit("notice.erased")
    assert row.facts == {"kind": "attendance_concern", "notice": waiting.notice_id}
    await world.notify("SCH-A", key="a", subject=other)
    assert [(n.state, n.body) for n in kept(world)] == [("erased", None)]

    world.clock.move(timedelta(days=34))
    await world.store.purge(world.clock.now())
    assert kept(world) == []


async def test_a_withheld_notice_is_kept_by_nobody(world: World) -> None:
    """What no decision lets the lead know of is not left lying in the record either."""
    await world.decide(
        "EHM-A",
        world.decision(
            state="NARROWED",
            scope_includes=[],
            scope_excludes=[{"service": "EHM-A/FSW", "section": "sec.child.learning"}],
        ),
    )
    await world.notify("SCH-A")

    (one,) = world.deliveries(message_type="NOTICE")
    assert one.reason == "E_CONSENT_SCOPE"
    assert one.facts == {
        "kind": "attendance_concern",
        "subject_id": "s1",
        "section": "sec.child.learning",
        "from": "SCH-A",
    }


async def test_twins_are_never_linked_by_themselves() -> None:
    """Two children under one number and one date: a person must look."""
    world = World()
    for name in ("s1", "s2"):
        await world.decide("SCH-A", world.store_only(subject_id=name))
    twin = b.subject(subject_id="s2", given_names=["Eva"])
    await world.send("SCH-A", "episode.opened", episode=opening(subjects=[b.subject(), twin]))
    world.take()
    await world.notify("HV-A")

    assert world.take() == {}
    assert [n.state for n in kept(world)] == ["waiting"]


async def test_a_closed_episode_takes_no_notice(world: World) -> None:
    """The child had a CAF: nobody is told, and the sender learns nothing."""
    closure = {"closed_on": "2026-11-01", "closure_reason": "NEEDS_MET", "closure_summary": "."}
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))
    world.take()
    await world.notify("SCH-A")

    assert world.take() == {}


async def test_a_changed_number_is_found_by_the_new_one(world: World) -> None:
    """A subject is found by what the newest version says."""
    number = [{"system": "nhs-number", "value": "9990000026"}]
    await world.send("SCH-A", episode=part(subjects=subject(identifiers=number)))
    world.take()
    await world.notify("SCH-A", subject={**AVA, "identifiers": number})

    assert world.take() == {"EHM-A": ["NOTICE"]}


async def test_what_is_in_a_notice_is_nowhere_else(world: World) -> None:
    """No audit row, reason or answer holds a word of it."""
    await world.notify("SCH-A", text="Ava was seen crying.")

    assert "crying" not in repr(world.store._tables.audit)
    assert "9990000018" not in repr(world.store._tables.audit)


async def record(world: World, key: str, **changes: Any) -> None:
    """Post a notice and leave it as it is recorded."""
    raw = b.wire({"notification": b.notification(**changes)})
    body = b.notification(**changes)
    await world.notifier.notice(world.partners["SCH-A"], raw, key, body)


@pytest.mark.parametrize("shielding", [None, "whereabouts", "full"])
async def test_recording_asks_the_record_the_same_whoever_it_is_about(
    world: World, shielding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read, one notice and one audit row; nothing of the child before the answer."""
    if shielding:
        await world.send("EHM-A", episode=part(subjects=subject(shielding=shielding)))
    asked: list[str] = []
    for name in ("episode", "version", "subject_episodes", "notice", "put_notice", "add_audit",
                 "put_delivery", "decisions", "involvements", "next_sequence"):  # fmt: skip
        inner = getattr(MemorySession, name)

        def noting(*told: Any, _name: str = name, _inner: Any = inner) -> Any:
            asked.append(_name)
            return _inner(*told)

        monkeypatch.setattr(MemorySession, name, noting)
    traces = []
    for key, one in (("known", AVA), ("unknown", {**AVA, "date_of_birth": "2016-05-15"})):
        asked.clear()
        await record(world, key, subject=one)
        traces.append(tuple(asked))

    # The store's own look for a notice under the same key comes with putting it.
    assert traces == [("notice", "put_notice", "notice", "add_audit")] * 2
    assert [(n.state, n.episode_id) for n in kept(world)] == [("received", None)] * 2


async def test_a_notice_is_matched_once_by_however_many(world: World) -> None:
    """Two workers that saw the same page, and a round after it."""
    await record(world, "a")
    other = replace(world.matcher)
    first = [
        await world.store.run(partial(one._settle, "SCH-A", "a")) for one in (world.matcher, other)
    ]
    await world.drain()

    assert [len(made) for made in first] == [1, 0]
    assert world.take() == {"EHM-A": ["NOTICE"]}


async def test_notices_are_matched_in_the_order_in_which_they_came(world: World) -> None:
    """What was recorded first has the first place on the lane."""
    for number in range(5):
        await record(world, f"k{number}", text=f"Number {number}.")
        world.clock.move(timedelta(seconds=1))
    await world.drain()

    texts = [got.facts["notice"]["text"] for got in world.inbox if got.type == "NOTICE"]
    assert texts == [f"Number {number}." for number in range(5)]


def broken(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Let matching fail for every notice that says *word*."""

    def faulty(session: Any, digester: Any, body: Any) -> Any:
        if word in body.get("text", ""):
            raise ValueError
        return certain(session, digester, body)

    monkeypatch.setattr(matcher, "certain", faulty)


def wait_over(world: World) -> None:
    """Let the waits of all that was tried be over."""
    for name, one in world.store._tables.notices.items():
        if one.next_attempt_at is not None:
            past = one.next_attempt_at - timedelta(days=1)
            world.store._tables.notices[name] = replace(one, next_attempt_at=past)


async def test_a_notice_that_raises_does_not_stop_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays recorded, waits, and is matched when the fault is mended."""
    await record(world, "bad", text="Bad.")
    await record(world, "good")
    broken(monkeypatch, "Bad.")
    assert await world.matcher.round() == 2
    assert await world.matcher.round() == 0
    assert await world.store.unmatched(10) == 1
    monkeypatch.setattr(matcher, "certain", certain)
    wait_over(world)
    await world.drain()

    assert world.take() == {"EHM-A": ["NOTICE", "NOTICE"]}


async def test_two_hundred_broken_notices_keep_no_new_one_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page full of them is tried once; the next notice is in the next page, not behind them."""
    broken(monkeypatch, "Bad.")
    for number in range(PAGE):
        await record(world, f"bad{number}", text="Bad.")
    assert await world.matcher.round() == PAGE
    wait_over(world)
    await record(world, "good")
    assert await world.matcher.round() == 1

    await world.drain()
    assert world.take() == {"EHM-A": ["NOTICE"]}


async def test_a_notice_that_always_fails_is_set_aside_and_said(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As often as there are waits, each counted before the work; then once to the operator."""
    broken(monkeypatch, "Bad.")
    await record(world, "bad", text="Bad.")
    world.clock.move(timedelta(hours=23))
    for _ in range(20):
        await world.matcher.round()
        wait_over(world)

    (one,) = kept(world)
    assert (one.state, one.attempts, one.reason) == ("set_aside", len(WAITS), "ValueError")
    assert one.body is not None
    assert one.expires_at == world.clock.now() + timedelta(hours=24)
    assert sum(r.message == "notice not matched" for r in caplog.records) == len(WAITS)
    ((_, alert),) = await world.store.alerts(0, 10)
    assert (alert.kind, alert.audience, alert.facts["reason"]) == (
        "notice.set_aside",
        "operator",
        "ValueError",
    )
    assert "Example" not in str(alert)
    assert [row.code for row in world.audit("notice.set_aside")] == ["SET_ASIDE"]


async def test_a_notice_that_ends_the_process_is_set_aside_unopened(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody lived to say that the attempts failed: the count, made before, says it."""
    await record(world, "deadly")
    for _ in WAITS:
        assert len(await world.store.take_notices(PAGE, WAITS)) == 1
        wait_over(world)
    monkeypatch.setattr(MemorySession, "notice", None)  # opening it would end this process, too
    assert await world.matcher.round() == 1

    assert [(n.state, n.reason) for n in kept(world)] == [("set_aside", "UNFINISHED")]


async def test_what_a_settled_notice_met_in_between_is_left_alone(world: World) -> None:
    """Set aside late, by a worker that slept, it is not taken back from who was told."""
    await record(world, "a")
    (taken,) = await world.store.take_notices(PAGE, WAITS)
    await world.store.run(partial(world.matcher._settle, "SCH-A", "a"))
    await world.store.run(partial(world.matcher._set_aside, taken, "UNFINISHED"))

    assert [n.state for n in kept(world)] == ["routed"]
    assert await world.store.alerts(0, 10) == ()


async def test_a_notice_is_not_destroyed_before_anybody_has_looked(world: World) -> None:
    """Matched late, it is still passed on; what then belongs to nobody goes at once."""
    await record(world, "known")
    await record(world, "unknown", subject={**AVA, "date_of_birth": "2016-05-15"})
    world.clock.move(timedelta(hours=30))
    await erase(world)
    assert all(n.body for n in kept(world))
    await world.drain()

    assert world.take() == {"EHM-A": ["NOTICE"]}
    await erase(world)
    assert [(n.key, n.state, n.body) for n in kept(world)] == [
        ("known", "routed", None),
        ("unknown", "erased", None),
    ]


async def test_a_notice_of_a_partner_that_has_left_is_nobodys(world: World) -> None:
    """Nobody vouches for it any more: not passed on, and destroyed after its day."""
    await record(world, "a")
    del world.registry.partners["SCH-A"]  # type: ignore[attr-defined]
    await world.matcher.round()

    assert [(n.state, n.episode_id) for n in kept(world)] == [("waiting", None)]
    assert world.deliveries(message_type="NOTICE") == []


async def test_what_a_dead_process_left_unmatched_is_found_again(tmp_path: Path) -> None:
    """The matcher knows nothing but the record: another one on the same file goes on."""
    vault = FileVault.create(tmp_path / "vault.key")
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    store = SqlStore(url, vault)
    world = await World(store=store).planned()
    await record(world, "a")
    await store.close()

    again = SqlStore(url, vault)
    hints = Hints()
    late = Matcher(again, world.registry, world.digester, world.clock, hints)
    assert await late.round() == 1
    assert len(hints) == 1
    found = await again.run(lambda s: s.notice("SCH-A", "a"))
    await again.close()

    assert found is not None
    assert (found.state, found.body) == ("routed", None)
