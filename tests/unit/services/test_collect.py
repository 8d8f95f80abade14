"""Recipients that come for their messages: inbox, fetch, acknowledge."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from hub.domain.exchange import State
from hub.domain.partner import Delivering
from hub.errors import Code, Conflict, InvalidContent, Missing, Rejected, Unavailable, Withheld
from tests.unit.services.world import CANONICAL, PARTNERS, World, includes, part, subject


@pytest.fixture
async def world() -> World:
    """Ava's assessment is shared; health visiting pulls, and was offered N7."""
    partners = [
        replace(one, delivering=Delivering("pull", "thin")) if one.name == "HV-A" else one
        for one in PARTNERS
    ]
    return await World(partners=partners).shared()


async def waiting(world: World, name: str = "HV-A", after: int = 0) -> list[Any]:
    """Return what a partner's inbox lists."""
    found = await world.collector.inbox(world.partners[name], after, 100)
    return list(found["deliveries"])


async def test_the_inbox_lists_what_waits_without_its_content(world: World) -> None:
    """Ids, type, episode and sequence: nothing that the gate would have to be asked about."""
    (one,) = await waiting(world)

    assert (one["message_type"], one["sequence"], one["episode_id"]) == ("N7", 1, "e1")
    assert set(one) == {
        "delivery_id", "message_type", "episode_id", "service", "sequence", "created_at"
    }  # fmt: skip


async def test_what_the_gate_has_not_let_through_is_not_listed(world: World) -> None:
    """Neither what waits for its turn, nor what will be suppressed, nor how many there are."""
    from tests import builders as b

    await world.post("SCH-A", b.wire({"episode": part(conclusions={"need_level": "L3"})}))
    found = await world.collector.inbox(world.partners["HV-A"], 0, 100)

    assert len(world.deliveries(partner="HV-A")) == 2
    assert len(found["deliveries"]) == found["next"] == 1


async def test_the_inbox_is_paged(world: World) -> None:
    """*next* continues where the page ended."""
    for level in ("L3", "L4", "L2"):
        await world.send("SCH-A", episode=part(conclusions={"need_level": level}))
    partner = world.partners["HV-A"]
    first = await world.collector.inbox(partner, 0, 3)
    second = await world.collector.inbox(partner, first["next"], 3)

    sequences = [d["sequence"] for d in (*first["deliveries"], *second["deliveries"])]
    assert sequences == [1, 2, 3, 4]


async def test_a_fetch_is_a_disclosure(world: World) -> None:
    """The gate runs, the audit is written, the body is the partner's format."""
    (one,) = await waiting(world)
    body = await world.collector.fetch(world.partners["HV-A"], one["delivery_id"])

    message = orjson.loads(body.body)
    assert message["message"]["message_id"] == one["delivery_id"]
    assert message["message"]["episode_seq"] == 1
    (row,) = world.audit("disclosure.fetched")
    assert row.delivery_id == one["delivery_id"]
    assert await world.collector.fetch(world.partners["HV-A"], one["delivery_id"]) == body


@pytest.mark.parametrize("name", ["SCH-A", "HOU-A"])
async def test_somebody_elses_delivery_does_not_exist(world: World, name: str) -> None:
    """Fetching and acknowledging it are answered as for an id that nobody gave out."""
    (one,) = await waiting(world)
    told = set()
    for delivery_id in (one["delivery_id"], "00000000-0000-4000-8000-000000000000"):
        for call in (
            world.collector.fetch(world.partners[name], delivery_id),
            world.collector.acknowledge(world.partners[name], delivery_id, "APPLIED"),
        ):
            with pytest.raises(Missing) as gone:
                await call
            told.add((gone.value.code, gone.value.detail))
    assert len(told) == 1


async def test_it_is_delivered_when_fetched_and_acknowledged(world: World) -> None:
    """Not before; and what was never fetched cannot be acknowledged."""
    partner = world.partners["HV-A"]
    (one,) = await waiting(world)
    with pytest.raises(Conflict) as early:
        await world.collector.acknowledge(partner, one["delivery_id"], "APPLIED")
    assert early.value.code is Code.STATE
    await world.collector.fetch(partner, one["delivery_id"])
    assert world.deliveries(delivery_id=one["delivery_id"])[0].state is State.HANDED_OVER
    answers = [
        await world.collector.acknowledge(partner, one["delivery_id"], "APPLIED") for _ in range(2)
    ]

    assert answers[0] == answers[1]
    assert world.deliveries(delivery_id=one["delivery_id"])[0].state is State.DELIVERED
    assert await waiting(world) == []


async def test_consent_is_asked_when_it_is_fetched(world: World) -> None:
    """What was withdrawn since it was offered is refused, and ends; no copy, no recall."""
    (one,) = await waiting(world)
    await world.decide(
        "SCH-A",
        world.decision(
            state="NARROWED",
            scope_includes=[],
            scope_excludes=[{"service": "HV-A/HV", "section": "all"}],
        ),
    )
    with pytest.raises(Withheld) as refused:
        await world.collector.fetch(world.partners["HV-A"], one["delivery_id"])
    assert refused.value.code is Code.CONSENT_SCOPE
    assert world.deliveries(delivery_id=one["delivery_id"])[0].state is State.SUPPRESSED
    assert await waiting(world) == []


async def test_what_a_shield_hides_is_refused_in_the_words_of_a_view(world: World) -> None:
    """One error for both ways (`domain.md` 4.4), and it does not say that anybody is shielded."""
    (offered,) = await waiting(world)
    mine = world.partners["HV-A"]
    await world.send("SCH-A", episode=part(subjects=subject(shielding="full")))
    with pytest.raises(Missing) as fetched:
        await world.collector.fetch(mine, offered["delivery_id"])
    with pytest.raises(Missing) as looked:
        await world.viewer.view(mine, "HV-A/HV", "e1", "ASSESS", CANONICAL)

    said = [(one.value.code, one.value.detail, one.value.faults) for one in (fetched, looked)]
    assert said[0] == said[1]
    assert said[0][0] is Code.NO_RELATIONSHIP


async def test_a_narrower_view_comes_under_a_new_id(world: World) -> None:
    """The old delivery is gone, the inbox has its heir."""
    partner = world.partners["HV-A"]
    (one,) = await waiting(world)
    await world.decide(
        "SCH-A",
        world.decision(
            state="NARROWED",
            scope_includes=includes("HV-A/HV"),
            scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
        ),
    )
    with pytest.raises(Missing):
        await world.collector.fetch(partner, one["delivery_id"])
    await world.drain()
    (heir,) = await waiting(world)

    assert heir["delivery_id"] != one["delivery_id"]
    body = (await world.collector.fetch(partner, heir["delivery_id"])).body
    assert b"Element 2.1" not in body


async def test_a_receiver_may_be_quicker_than_our_commit(world: World) -> None:
    """It acknowledges while we still wait for its 2xx: the word counts, and stays."""

    async def at_once(parcel: Any) -> None:
        partner = world.partners["EHM-A"]
        await world.collector.acknowledge(partner, parcel.delivery_id, "APPLIED")

    world.doubles["EHM-A"].during = at_once
    await world.send("SCH-A", episode=part(conclusions={"need_level": "L3"}))

    (one,) = world.deliveries(partner="EHM-A", message_type="N6")
    assert (one.state, (one.evidence or {})["acknowledged"]) == (State.DELIVERED, "APPLIED")


async def test_a_word_after_a_lost_answer_counts(world: World) -> None:
    """The 2xx got lost, the acknowledgement did not: no second attempt."""
    world.doubles["EHM-A"].faults.append(Unavailable(Code.OUTCOME_UNKNOWN, "no answer"))
    await world.send("SCH-A", episode=part(conclusions={"need_level": "L3"}))
    (one,) = world.deliveries(partner="EHM-A", message_type="N6")
    assert one.state is State.PENDING
    await world.collector.acknowledge(world.partners["EHM-A"], one.delivery_id, "APPLIED")

    assert world.deliveries(delivery_id=one.delivery_id)[0].state is State.DELIVERED


async def test_before_it_was_sent_there_is_nothing_to_acknowledge(world: World) -> None:
    """A delivery that the gate has not seen does not exist for its recipient."""
    from tests import builders as b

    await world.post("SCH-A", b.wire({"episode": part(conclusions={"need_level": "L3"})}))
    (one,) = world.deliveries(partner="EHM-A", message_type="N6")

    with pytest.raises(Missing):
        await world.collector.acknowledge(world.partners["EHM-A"], one.delivery_id, "APPLIED")


async def test_a_rejection_is_quarantined_and_said_again_the_same(world: World) -> None:
    """The receiver could not take it: kept with the reason."""
    partner = world.partners["HV-A"]
    (one,) = await waiting(world)
    await world.collector.fetch(partner, one["delivery_id"])
    answers = [
        await world.collector.acknowledge(partner, one["delivery_id"], "REJECTED") for _ in range(2)
    ]

    assert answers[0] == answers[1]
    (kept,) = world.deliveries(delivery_id=one["delivery_id"])
    assert (kept.state, kept.reason) == (State.QUARANTINED, "RECEIVER_REJECTED")


async def test_what_was_taken_cannot_be_rejected_any_more(world: World) -> None:
    """A later, better word is kept; a contrary one is refused rather than ignored."""
    partner = world.partners["EHM-A"]
    (one,) = world.deliveries(partner="EHM-A", message_type="N7")
    await world.collector.acknowledge(partner, one.delivery_id, "APPLIED")
    assert (world.deliveries(delivery_id=one.delivery_id)[0].evidence or {})["acknowledged"] == (
        "APPLIED"
    )

    with pytest.raises(Conflict):
        await world.collector.acknowledge(partner, one.delivery_id, "REJECTED")


async def test_an_unknown_word_is_refused(world: World) -> None:
    """The answer names those that there are."""
    with pytest.raises(InvalidContent) as refused:
        await world.collector.acknowledge(world.partners["HV-A"], "x", "DONE")

    assert refused.value.code is Code.CODELIST
    assert "COPIES_LOCKED" in refused.value.faults[0].allowed


async def test_what_the_format_cannot_say_is_set_aside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch that cannot be rendered tells nothing, and somebody is to look."""

    def cannot(*_args: Any, **_options: Any) -> None:
        raise Rejected(Code.MAPPING, "no")

    (one,) = await waiting(world)
    monkeypatch.setattr(world.translator, "render", cannot)
    with pytest.raises(Missing):
        await world.collector.fetch(world.partners["HV-A"], one["delivery_id"])

    (kept,) = world.deliveries(delivery_id=one["delivery_id"])
    assert (kept.state, kept.reason) == (State.QUARANTINED, "E_MAPPING")
