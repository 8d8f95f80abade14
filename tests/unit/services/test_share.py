"""Who is told what: table 1.2 and the recipient lists of `domain.md` 1.5, event by event."""

from datetime import timedelta
from typing import Any

import pytest

from tests import builders as b
from tests.unit.services.world import (
    PURPOSES,
    World,
    appointment,
    completion,
    includes,
    opening,
    part,
    subject,
)

NEW = b.practitioner("p-new", organisation="EHM-A", service_type="FSW", contact_tel="0113 4")


@pytest.fixture
def world() -> World:
    """The services, with nothing in them."""
    return World()


async def test_opening_tells_the_index_and_nobody_else(world: World) -> None:
    """T6: N1 if the family agreed to it; the record is kept, nobody sees it."""
    await world.opened()

    assert world.take() == {"IDX": ["N1"]}


async def test_opening_without_index_consent_tells_nobody(world: World) -> None:
    """T6: index consent refused leaves the index ignorant."""
    await world.decide("SCH-A", world.store_only(index_consent="no"))
    await world.send("SCH-A", "episode.opened", episode=opening())

    assert world.take() == {}
    assert await world.check("HV-A", identifiers=NHS, date_of_birth="2016-05-14") == {
        "result": "NONE"
    }


NHS = [{"system": "nhs-number", "value": "9990000018"}]


async def test_a_draft_is_shared_with_nobody(world: World) -> None:
    """T7: before the assessment is complete nobody has content, so nobody gets a new version."""
    await world.opened()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    world.take()
    await world.send(
        "SCH-A", "assessment.updated", episode=part(assessment={"reason_for_assessment": "New."})
    )

    assert world.take() == {}


async def test_completion_is_shared_with_whom_the_decision_lists(world: World) -> None:
    """T8: N7 to each listed service, none to the sender, none to anybody unlisted."""
    await world.shared()

    assert world.take() == {"IDX": ["N1"], "EHM-A": ["N7"], "HV-A": ["N7"], "HOU-A": ["N7"]}
    assert not world.deliveries(partner="VCS-N")


async def test_an_update_goes_to_who_has_content(world: World) -> None:
    """T7a: N6 with the newer content, in scope, and not to the sender."""
    await world.shared()
    world.take()
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))

    assert world.take() == {"EHM-A": ["N6"], "HV-A": ["N6"], "HOU-A": ["N6"]}


async def test_who_wrote_it_hears_of_what_others_write(world: World) -> None:
    """The school was never given content, having written it: the lead's update goes to it all the
    same, to the services that the family names.
    """
    await world.teamed()
    world.take()
    await world.send("EHM-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))

    assert world.last("SCH-A", "N6").episode["conclusions"]["need_level"] == "L3"
    assert world.take()["SCH-A"] == ["N6"]


async def test_an_update_that_one_may_not_see_is_none_to_them(world: World) -> None:
    """Housing hears nothing of a change outside its four sections, though its own view has since
    changed by N5.
    """
    await world.shared()
    await world.send(
        "SCH-A", "demographics.changed", episode=part(subjects=subject(preferred_name="Avie"))
    )
    world.take()
    told = b.element("1.1", commentary="Something about health.")
    await world.send("SCH-A", "assessment.updated", episode=part(subjects=subject(elements=[told])))

    assert world.take() == {"EHM-A": ["N6"], "HV-A": ["N6"]}
    assert world.states("N6")["HOU-A"] == ["suppressed"]


async def test_a_newer_version_follows_one_that_has_not_left(world: World) -> None:
    """Who still waits for N7 is owed the update too: it must not end with the older content."""
    await world.opened()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    world.doubles["EHM-A"].faults.append(_down())
    await world.send("SCH-A", "assessment.completed", episode=completion())
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))
    world.clock.move(timedelta(hours=1))
    await world.drain()

    assert [got.type for got in world.inbox if got.partner == "EHM-A"] == ["N7", "N6"]
    assert world.last("EHM-A").episode["conclusions"]["need_level"] == "L3"


def _down() -> Exception:
    from hub.errors import Code, Unavailable

    return Unavailable(Code.UNAVAILABLE, "down")


async def test_the_appointment_is_told_to_index_and_team(world: World) -> None:
    """T9 and T10: N3 to both, N8 with the members to the team; not back to the sender."""
    await world.shared()
    world.take()
    await world.send("EHM-A", "lead_professional.appointed", episode=appointment())

    told = world.last("HOU-A").facts
    assert world.take() == {
        "IDX": ["N3"],
        "SCH-A": ["N3", "N8"],
        "HV-A": ["N3", "N8"],
        "HOU-A": ["N3", "N8"],
    }
    assert told["event"] == "team.called"
    assert "HV-A/HV" in told["joined"]


async def test_the_plan_is_told_to_the_team(world: World) -> None:
    """T11: N9 as scope allows; and the request that was drafted with it goes to who is asked."""
    await world.opened()
    scope = [
        *includes(),
        {"service": "HOU-A/HOUS", "section": "sec.plan", "purpose": "REQUEST_SERVICE"},
    ]
    await world.decide("SCH-A", world.decision(scope_includes=scope, purpose=PURPOSES))
    await world.send("SCH-A", "assessment.completed", episode=completion())
    await world.send("EHM-A", "lead_professional.appointed", episode=appointment())
    await world.send("EHM-A", episode=part(plan=b.plan()))
    world.take()
    await world.send("EHM-A", "plan.agreed", episode=part(plan=b.plan()))

    assert world.take() == {"SCH-A": ["N9"], "HV-A": ["N9"], "HOU-A": ["N9", "N16"]}


async def test_an_owners_report_is_told_to_the_team(world: World) -> None:
    """T13: N9 to everybody else who sees the plan, naming what happened."""
    await world.planned()
    await world.send(
        "HOU-A",
        "action.updated",
        contribution={"episode_id": "e1", "action": {"id": "a2", "action_status": "IN_PROGRESS"}},
    )

    assert world.last("SCH-A").facts == {"code": "N9", "event": "action.updated"}
    assert world.take() == {"SCH-A": ["N9"], "EHM-A": ["N9"], "HV-A": ["N9"]}


async def test_a_review_is_a_team_event_and_then_a_plan_event(world: World) -> None:
    """T14 and T15: N8 when it opens, N9 when it is done."""
    await world.planned()
    review = {
        "review_id": "rev1",
        "review_date": "2026-10-22",
        "people_present": [{"name": "Mia Example", "person_id": "c1"}],
    }
    await world.send("EHM-A", "review.opened", episode=part(reviews=[review]))
    assert world.last("HV-A").facts["event"] == "review.opened"
    opened = world.take()
    assert {name: kinds[-1] for name, kinds in opened.items()} == dict.fromkeys(
        ("SCH-A", "HV-A", "HOU-A"), "N8"
    )
    done = {**review, "next_review_date": "2026-12-03", "review_decision": "CONTINUE"}
    await world.send("EHM-A", "review.completed", episode=part(reviews=[done]))

    # Housing was never given the reviews.
    assert world.take() == {"SCH-A": ["N9"], "HV-A": ["N9"]}


async def test_contact_details_go_to_team_and_index(world: World) -> None:
    """T16: N4 with the new block of whoever it is; the index only if it holds theirs."""
    await world.planned()
    visit = b.practitioner("p-visit", contact_tel="0113 496 7777")
    members = [{"practitioner": visit, "organisation": "HV-A", "service_type": "HV"}]
    await world.send(
        "HV-A",
        "practitioner.contact_changed",
        episode=part(plan={"plan_id": "plan1", "team_member": members}),
    )

    assert "0113 496 7777" in world.last("HOU-A", "N4").text
    assert world.last("HOU-A", "N4").episode.keys() == {"episode_id", "plan"}
    got = world.take()
    assert "IDX" not in got
    assert got == dict.fromkeys(("SCH-A", "EHM-A", "HOU-A"), ["N4"])

    lead = b.practitioner("p-lead", contact_tel="0113 496 8888")
    await world.send(
        "EHM-A",
        "practitioner.contact_changed",
        episode=part(services={"lead_professional": lead}),
    )
    assert "0113 496 8888" in world.last("IDX").text
    assert world.take() == dict.fromkeys(("IDX", "SCH-A", "HV-A", "HOU-A"), ["N4"])


async def test_demographics_go_to_team_and_index_as_scope_allows(world: World) -> None:
    """T17: N5; a field of a section that one was not given is not told at all."""
    await world.planned()
    await world.send(
        "SCH-A",
        "demographics.changed",
        episode=part(subjects=subject(characteristics={"special_requirements": "Sits in front."})),
    )

    # Not the index's business, and housing has no sec.characteristics.
    assert world.take() == {"EHM-A": ["N5"], "HV-A": ["N5"]}


async def test_a_new_lead_is_told_to_index_and_team(world: World) -> None:
    """T18: N3 with the new contact, from the difference alone."""
    await world.planned()
    await world.send(
        "EHM-A",
        episode=part(services={"lead_professional": NEW, "lp_state": "APPOINTED"}),
    )

    assert "Ms N New" in world.last("IDX").text
    assert world.take() == dict.fromkeys(("IDX", "SCH-A", "HV-A", "HOU-A"), ["N3"])


async def test_who_joins_gets_content_and_the_team_hears(world: World) -> None:
    """T12: N7 to the joiner, N8 to the team; and what the message changed to the others."""
    await world.planned()
    wide = [{"service": "VCS-N/YOUTH", "section": "all"}]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    assert world.take() == {"VCS-N": ["N7"]}
    await world.send(
        "EHM-A",
        "participant.joined",
        event_detail={"service": "VCS-N/YOUTH"},
        episode=part(conclusions={"need_level": "L4"}),
    )

    assert world.last("HV-A", "N8").facts["joined"] == ["VCS-N/YOUTH"]
    got = world.take()
    assert got["VCS-N"] == ["N7", "N8"]
    assert got["HV-A"] == ["N6", "N8"]


async def test_a_sensitive_service_that_joins_is_told_to_nobody(world: World) -> None:
    """Not that it joined, and not that somebody did."""
    await world.planned()
    members = [{"organisation": "CAMHS-A", "service_type": "CAMHS", "joined": "2026-09-20"}]
    wide = [{"service": "CAMHS-A/CAMHS", "section": "sec.identity"}]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    world.take()
    await world.send("EHM-A", episode=part(plan={"plan_id": "plan1", "team_member": members}))

    assert set(world.take()) <= {"CAMHS-A"}


async def test_who_leaves_hears_that_and_nothing_more(world: World) -> None:
    """The relationship ends; later changes are not for them, and no restated decision brings
    them back.
    """
    await world.planned()
    gone = [
        {**m, "left": "2026-09-20"} for m in b.plan()["team_member"] if m["organisation"] == "HV-A"
    ]
    await world.send("EHM-A", episode=part(plan={"plan_id": "plan1", "team_member": gone}))
    assert world.last("HV-A").facts == {"code": "N8", "you_have_left": True}
    world.take()
    await world.decide("EHM-A", world.decision(scope_includes=includes()))
    await world.send("EHM-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))

    assert "HV-A" not in world.take()


async def test_a_request_goes_to_who_is_asked_and_the_answer_to_the_lead(world: World) -> None:
    """T34-T36: N16 each way; the withdrawal to the service."""
    await world.planned()
    wide = [{"service": "HOU-A/HOUS", "section": "sec.plan", "purpose": "REQUEST_SERVICE"}]
    await world.decide(
        "EHM-A", world.decision(state="WIDENED", scope_includes=wide, purpose=PURPOSES)
    )
    world.take()
    asked = {"id": "r2", "requested_service": "HOU-A/HOUS", "response": "SENT"}
    detail = {"service": "HOU-A/HOUS", "request_id": "r2"}
    await world.send(
        "EHM-A",
        "service.requested",
        event_detail=detail,
        episode=part(plan={"plan_id": "plan1", "service_request": [asked]}),
    )
    assert world.take() == {"HOU-A": ["N16"]}
    await world.send(
        "HOU-A",
        "service.answered",
        event_detail={"request_id": "r2", "answer": "ACCEPTED"},
        contribution={
            "episode_id": "e1",
            "service_answer": {"request_id": "r2", "answer": "ACCEPTED"},
        },
    )
    # What the team hears by N9 does not say which event it was.
    assert world.last("SCH-A").facts == {"code": "N9"}
    assert world.take() == {"EHM-A": ["N16"], "SCH-A": ["N9"], "HV-A": ["N9"]}
    await world.send(
        "EHM-A",
        "service.request_withdrawn",
        event_detail=detail,
        episode=part(
            plan={"plan_id": "plan1", "service_request": [{**asked, "response": "WITHDRAWN"}]}
        ),
    )
    assert world.take().get("HOU-A") == ["N16"]


async def test_a_drafted_request_waits_for_the_plan(world: World) -> None:
    """T34: before the plan is agreed nobody is asked."""
    await world.teamed()
    world.take()
    await world.send("EHM-A", episode=part(plan=b.plan()))

    assert not world.deliveries(message_type="N16")


async def test_closure_tells_index_and_team(world: World) -> None:
    """T30: N2; the reason is not the index's to know."""
    await world.planned()
    await close(world)

    assert "NEEDS_MET" not in world.last("IDX").text
    assert world.take() == dict.fromkeys(("IDX", "SCH-A", "HV-A", "HOU-A"), ["N2"])


async def close(world: World, **changes: Any) -> None:
    closure = {
        "closed_on": "2026-11-01",
        "closure_reason": "NEEDS_MET",
        "closure_summary": "Over.",
        **changes,
    }
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))


async def test_social_care_closes_without_saying_so(world: World) -> None:
    """T29: N2; that social care took over is in no message."""
    await world.planned()
    wide = [{"service": "CSC-A/CSC", "section": "sec.identity"}]
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    world.take()
    await world.send(
        "CSC-A", "social_care.decision", event_detail={"decision": "CIN"}, episode=part()
    )

    assert world.head.process == "CLOSED"
    assert world.head.facts["closure_reason"] == "STEPPED_UP"
    got = {one.partner for one in world.inbox if "STEPPED_UP" in one.text}
    assert got == {"EHM-A"}  # who keeps the record learns why it ended (S4, step 6)
    assert not any('"CIN"' in one.text for one in world.inbox)
    assert world.take() == dict.fromkeys(("IDX", "SCH-A", "EHM-A", "HV-A", "HOU-A"), ["N2"])


async def test_a_referral_is_told_to_nobody_in_the_team(world: World) -> None:
    """T28: whatever else the message changes, its name goes nowhere."""
    await world.planned()
    await world.send(
        "HV-A",
        "social_care.referred",
        event_detail={"reason": "S17"},
        episode=part(),
    )

    assert not any("referred" in got.text for got in world.inbox)
    assert world.take() == {}


async def test_a_void_episode_is_recalled_from_everybody_who_was_told(world: World) -> None:
    """T32: N14 to index and to every service that was told anything; what still waited goes
    nowhere.
    """
    await world.planned()
    world.doubles["HV-A"].faults.append(_down())
    await world.send("EHM-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))
    world.take()
    await world.send(
        "SCH-A",
        "episode.voided",
        event_detail={"reason": "DUPLICATE", "approved_by": "p-head"},
        episode=part(),
    )
    world.clock.move(timedelta(hours=2))
    await world.drain()

    assert world.take() == dict.fromkeys(("IDX", "EHM-A", "HV-A", "HOU-A"), ["N14"])
    assert world.states("N6")["HV-A"] == ["suppressed"]


async def test_what_changed_during_a_transfer_follows_the_acceptance(world: World) -> None:
    """T25, T26: content waits; who had it before gets the newer version, the new ones all of it."""
    await world.planned()
    await world.send(
        "EHM-A", "family.moved", event_detail={"receiving_authority": "002"}, episode=part()
    )
    transfer = [{"service": "EHM-B/FSW", "section": "sec.identity", "purpose": "TRANSFER"}]
    await world.decide(
        "EHM-A",
        world.decision(state="WIDENED", purpose=["TRANSFER"], scope_includes=transfer),
    )
    wide = includes("EHM-B/FSW")
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    world.take()
    await world.send("EHM-A", "assessment.updated", episode=part(conclusions={"need_level": "L4"}))
    assert world.take() == {}
    await world.send("EHM-B", "transfer.accepted", episode=part())

    assert world.take() == {
        "EHM-A": ["N11", "N6"],
        "EHM-B": ["N7"],
        "SCH-A": ["N6"],
        "HV-A": ["N6"],
        "HOU-A": ["N6"],
    }


async def test_a_further_child_is_new_to_the_index_and_the_first_is_not(world: World) -> None:
    """N1 for the second child only, once a decision lets the hub keep it."""
    from hub.errors import Code, Withheld

    await world.shared()
    world.take()
    ben = {
        "subject_id": "s2",
        "is_unborn": False,
        "given_names": ["Ben"],
        "family_name": "Example",
        "date_of_birth": "2019-01-02",
    }
    with pytest.raises(Withheld) as refused:
        await world.send("SCH-A", episode=part(subjects=[ben]))
    assert refused.value.code is Code.CONSENT_NONE
    await world.decide("SCH-A", world.store_only(subject_id="s2"))
    await world.send("SCH-A", episode=part(subjects=[ben]))

    told = world.last("IDX", "N1")
    assert told.facts["subject"]["given_names"] == ["Ben"]
    assert world.take() == {"IDX": ["N1"]}
    assert len(world.store._tables.index) == 2


async def test_a_service_that_nobody_serves_is_noted(world: World) -> None:
    """A decision may name a service that is not connected: audited, so that it can be explained."""
    await world.opened()
    scope = [*includes(), {"service": "GP-Z/GP", "section": "all"}]
    await world.decide("SCH-A", world.decision(scope_includes=scope))
    await world.send("SCH-A", "assessment.completed", episode=completion())

    assert [row.service for row in world.audit("delivery.unroutable")] == ["GP-Z/GP"]


async def test_what_others_are_not_told_leaves_no_gap(world: World) -> None:
    """Each recipient counts one, two, three, whatever was suppressed in between."""
    await world.shared()
    for number in range(3):
        told = b.element("1.1", commentary=f"About health, {number}.")
        await world.send(
            "SCH-A", "assessment.updated", episode=part(subjects=subject(elements=[told]))
        )
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": "L3"}))

    sequences = [g.parcel.lane_sequence for g in world.inbox if g.partner == "HOU-A"]
    assert sequences == [1, 2]
    assert world.states("N6")["HOU-A"].count("suppressed") == 3
