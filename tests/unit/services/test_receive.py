"""Receiving: partial senders lose nothing, redacted copies change nothing, and nobody guesses."""

from dataclasses import replace
from typing import Any

import pytest

from hub.errors import Code, Conflict, HubError, Withheld
from tests import builders as b
from tests.unit.services.world import (
    CANONICAL,
    PARTNERS,
    World,
    appointment,
    completion,
    includes,
    opening,
    part,
    subject,
)

FHIR_TYPE = "application/fhir+json"


@pytest.fixture
def world() -> World:
    """The services, with nothing in them."""
    return World()


async def refused(call: Any) -> HubError:
    """Return the error with which a message is refused."""
    with pytest.raises(HubError) as error:
        await call
    return error.value


# Partial senders


async def test_a_partial_sender_loses_nothing(world: World) -> None:
    """What a message does not say is kept, leaf by leaf."""
    await world.planned()
    before = world.tree
    await world.send("SCH-A", episode=part(subjects=subject(preferred_name="Avie")))

    after = world.tree
    assert after["subjects"][0]["preferred_name"] == "Avie"
    assert {**after, "subjects": [{**after["subjects"][0], "preferred_name": "Ava"}]} == before


async def test_only_a_named_deletion_takes_out(world: World) -> None:
    """Absent never means deleted; `message.deletes` does."""
    await world.planned()
    path = "subjects[subject_id=s1].email"
    await world.send("SCH-A", message={"deletes": [path]}, episode=part())

    assert "email" not in world.tree["subjects"][0]
    assert world.last("HV-A", "N5").facts["changed"] == [path]


@pytest.mark.parametrize("name", ["SCH-A", "EHM-A", "HV-A", "HOU-A", "HV-B", "EHM-B"])
async def test_a_copy_posted_back_changes_nothing(name: str) -> None:
    """Each recipient returns its redacted copy in its own format: no version, no message."""
    formats = {"EHM-B": "fhir-r4/episode", "HV-B": "caf-json"}
    partners = []
    for one in PARTNERS:
        plain = replace(one.delivering, channel="webhook", body="full")
        if one.name == name:
            plain = replace(plain, content=formats.get(name, plain.content))
        partners.append(replace(one, delivering=plain) if one.name != "IDX" else one)
    world = World(partners=partners)
    await world.planned()
    service = world.partners[name].services[0].ref
    wide = [{"service": service, "section": "all", "sensitive": name in b.SERVICES}]
    if service not in b.SERVICES:
        await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    copy = await world.viewer.view(
        world.partners[name],
        service,
        "e1",
        "PLAN",
        FHIR_TYPE if name.startswith("EHM") else CANONICAL,
    )
    version, count = world.head.version, len(world.deliveries())
    world.take()
    receipt = await world.post(name, copy.body, copy.content_type)
    await world.drain()

    assert (receipt.status, receipt.body["status"]) == (202, "unchanged")
    assert world.head.version == version
    assert len(world.deliveries()) == count
    assert world.take() == {}


async def test_every_delivery_posted_back_changes_nothing(world: World) -> None:
    """N7 and N9, in JSON and FHIR, as they were received."""
    await world.shared()
    got = [one for one in world.inbox if one.type == "N7"]
    assert {one.partner for one in got} == {"EHM-A", "HV-A", "HOU-A"}
    for one in got:
        receipt = await world.post(one.partner, one.parcel.body, one.parcel.content_type)
        assert receipt.body["status"] == "unchanged", one.partner
    assert world.head.version == 2


# Whose it is


@pytest.mark.parametrize(
    ("who", "tree"),
    [
        ("HV-A", {"conclusions": {"need_level": "L4"}}),
        ("HV-A", {"plan": {"plan_id": "plan1", "action": [{"id": "a2", "action_status": "DONE"}]}}),
        (
            "EHM-A",
            {"plan": {"plan_id": "plan1", "action": [{"id": "a2", "action_status": "DONE"}]}},
        ),
        ("HV-A", {"family": {"current_family_and_home_situation": "Other."}}),
    ],
)
async def test_what_is_anothers_stays(world: World, who: str, tree: dict[str, Any]) -> None:
    """Others' actions, and what a participant does not write, are ``E_NOT_OWNER``."""
    await world.planned()
    version = world.head.version

    for action in tree.get("plan", {}).get("action", ()):
        known = next(a for a in world.tree["plan"]["action"] if a["id"] == action["id"])
        action.update({**known, **action})
    assert (await refused(world.send(who, episode=part(**tree)))).code is Code.NOT_OWNER
    assert world.head.version == version


async def test_an_owner_reports_on_its_own_action(world: World) -> None:
    """Each updates their own; comments are added, never twice."""
    await world.planned()
    report = {"id": "a2", "action_status": "IN_PROGRESS", "progress_comment": ["Inspected."]}
    for _ in range(2):
        await world.send(
            "HOU-A", "action.updated", contribution={"episode_id": "e1", "action": report}
        )

    action = world.tree["plan"]["action"][1]
    assert (action["action_status"], action["progress_comment"]) == ("IN_PROGRESS", ["Inspected."])


@pytest.mark.parametrize("right", [True, False])
async def test_a_guess_tells_nothing(world: World, right: bool) -> None:
    """Housing may not see the ethnicity: the right value and a wrong one are refused alike."""
    await world.planned()
    guess = {"ethnicity": "MOTH" if right else "WBRI"}

    error = await refused(
        world.send("HOU-A", episode=part(subjects=subject(characteristics=guess)))
    )
    assert (error.code, [f.path for f in error.faults]) == (
        Code.NOT_OWNER,
        ["/episode/subjects/0/characteristics/ethnicity"],
    )


@pytest.mark.parametrize("action", ["a9", "a-none"])
async def test_an_action_that_one_never_saw_is_as_none(world: World, action: str) -> None:
    """Reporting on a sensitive service's action, or on none at all, is answered alike."""
    await world.planned()
    plan = b.plan()
    plan["action"].append(
        {**plan["action"][0], "id": "a9", "action_owner": {"service": "CAMHS-A/CAMHS"}}
    )
    await world.send("EHM-A", episode=part(plan=plan))
    error = await refused(
        world.send(
            "HV-A",
            "action.updated",
            contribution={"episode_id": "e1", "action": {"id": action, "action_status": "DONE"}},
        )
    )
    assert (error.code, error.detail) == (Code.NOT_OWNER, "somebody else's to change")


async def test_an_element_is_its_authors(world: World) -> None:
    """A contribution adds a signed element; another's stands, and nobody signs for others."""
    await world.planned()

    def element(code: str, who: str, **changes: Any) -> dict[str, Any]:
        return {
            "episode_id": "e1",
            "element": {
                **b.element(code, author=b.practitioner(who)),
                "subject_id": "s1",
                **changes,
            },
        }

    for who, contribution in (
        ("HV-A", element("1.2", "p-visit")),
        ("HV-A", element("1.2", "p-teach")),
        ("HV-A", element("1.2", "p-visit", subject_id="s9")),
        ("HOU-A", element("1.2", "p-house")),
        ("HOU-A", element("3.4", "p-house")),
    ):
        error = await refused(world.send(who, contribution=contribution))
        assert (error.code, error.detail, error.faults[0].path) == (
            Code.NOT_OWNER,
            "somebody else's to change",
            "/contribution/element",
        )
    await world.send(
        "EHM-A",
        message={"deletes": ["subjects[subject_id=s1].elements[element=1.2]"]},
        episode=part(),
    )
    await world.send("HV-A", contribution=element("1.2", "p-visit", commentary="Seen at home."))
    assert "Seen at home." in repr(world.tree["subjects"][0]["elements"])


async def test_who_may_only_view_a_section_does_not_write_there(world: World) -> None:
    """`domain.md` 4.2, action: view is what an item means; contributing is named."""
    await world.planned()
    elements = [{**b.element("3.3", author=b.practitioner("p-house")), "subject_id": "s1"}]
    await world.send(
        "EHM-A",
        message={"deletes": ["subjects[subject_id=s1].elements[element=3.3]"]},
        episode=part(),
    )
    said = {"episode_id": "e1", "element": elements[0]}

    error = await refused(world.send("HOU-A", contribution=said))
    section = {"service": "HOU-A/HOUS", "section": "sec.env.housing", "action": "contribute"}
    await world.decide("SCH-A", world.decision(state="WIDENED", scope_includes=[section]))
    await world.send("HOU-A", contribution=said)

    assert (error.code, error.faults[0].path) == (Code.NOT_OWNER, "/contribution/element")
    assert "3.3" in {one["element"] for one in world.tree["subjects"][0]["elements"]}


# Versions and keys


async def test_a_change_of_what_changed_meanwhile_is_refused(world: World) -> None:
    """By the sender's own sequence: it names the leaf, and what nobody else touched goes on."""
    await world.planned()
    seen = max(d.sequence or 0 for d in world.deliveries(partner="SCH-A"))
    await world.send("EHM-A", episode=part(conclusions={"need_level": "L3"}))
    error = await refused(
        world.send(
            "SCH-A", message={"base_seq": seen}, episode=part(conclusions={"need_level": "L4"})
        )
    )
    assert (error.code, [f.path for f in error.faults]) == (
        Code.VERSION_CONFLICT,
        ["/conclusions/need_level"],
    )
    receipt = await world.send(
        "SCH-A", message={"base_seq": seen}, episode=part(subjects=subject(preferred_name="Avie"))
    )
    assert receipt.body["status"] == "accepted"
    seen = max(d.sequence or 0 for d in world.deliveries(partner="SCH-A"))
    receipt = await world.send(
        "SCH-A", message={"base_seq": seen}, episode=part(conclusions={"need_level": "L4"})
    )
    assert receipt.body["status"] == "accepted"


async def test_ones_own_change_is_no_conflict(world: World) -> None:
    """Who changes twice from the same base has seen its own first change."""
    await world.planned()
    seen = max(d.sequence or 0 for d in world.deliveries(partner="SCH-A"))
    await world.send(
        "EHM-A", episode=part(family={"current_family_and_home_situation": "They moved in."})
    )
    for level in ("L3", "L4"):
        receipt = await world.send(
            "SCH-A", message={"base_seq": seen}, episode=part(conclusions={"need_level": level})
        )
        assert receipt.body["status"] == "accepted"


async def test_part_of_a_version_is_not_all_of_it(world: World) -> None:
    """The new lead was told by N3, the new content by a later N6: with only the first seen, a
    stale content is a conflict.
    """
    await world.planned()
    new = b.practitioner("p-new", organisation="EHM-A", service_type="FSW")
    await world.send(
        "EHM-A",
        episode=part(
            services={"lead_professional": new, "lp_state": "APPOINTED"},
            conclusions={"need_level": "L3"},
        ),
    )
    contact = world.deliveries(partner="SCH-A", message_type="N3")[-1]
    content = world.deliveries(partner="SCH-A", message_type="N6")[-1]
    assert (contact.sequence or 0) < (content.sequence or 0)
    stale = part(conclusions={"need_level": "L4"})

    error = await refused(
        world.send("SCH-A", message={"base_seq": contact.sequence}, episode=stale)
    )
    assert error.code is Code.VERSION_CONFLICT
    receipt = await world.send("SCH-A", message={"base_seq": content.sequence}, episode=stale)
    assert receipt.body["status"] == "accepted"


async def test_a_sequence_that_was_never_given_is_refused(world: World) -> None:
    """Nobody bases a change on what is still to come."""
    await world.planned()

    error = await refused(world.send("SCH-A", message={"base_seq": 999}, episode=part()))
    assert error.code is Code.VERSION_CONFLICT


async def test_a_step_that_cannot_be_taken_names_those_that_can(world: World) -> None:
    """``E_STATE`` says the state, the event and what would be allowed."""
    await world.opened()

    error = await refused(world.send("SCH-A", "review.completed", episode=part()))
    assert error.code is Code.STATE
    assert "review.completed" in error.detail
    assert "ASSESSING" in error.detail
    assert "assessment.completed" in error.faults[0].allowed


async def test_one_key_has_one_content(world: World) -> None:
    """The same again is answered the same and changes nothing; other content is 409."""
    await world.opened()
    message = part(subjects=subject(preferred_name="Avie"))
    first = await world.send("SCH-A", episode=message, key="k-1")
    version = world.head.version
    second = await world.send("SCH-A", episode=message, key="k-1")

    assert (first.status, first.body) == (second.status, second.body)
    assert world.head.version == version
    error = await refused(world.send("SCH-A", episode=part(), key="k-1"))
    assert (type(error), error.code) == (Conflict, Code.IDEMPOTENCY)


async def test_a_refusal_for_lack_of_consent_is_answered_the_same_again(world: World) -> None:
    """Key and keyed digest are kept, no body; even after consent was given meanwhile."""
    for _ in range(2):
        error = await refused(world.send("SCH-A", "episode.opened", episode=opening(), key="k-1"))
        assert (type(error), error.code) == (Withheld, Code.CONSENT_NONE)
    entry = world.store._tables.inbox["SCH-A", "k-1"]
    assert (entry.raw, entry.status, entry.episode_id) == (None, 403, None)
    assert "Ava" not in repr(entry)


async def test_what_is_refused_otherwise_keeps_nothing(world: World) -> None:
    """The same key may be used again once the message is right."""
    await world.opened()
    await refused(world.send("SCH-A", "review.completed", episode=part(), key="k-1"))
    receipt = await world.send("SCH-A", episode=part(), key="k-1")

    assert receipt.status == 202


# Beginnings and ends


async def test_a_bare_first_episode_opens(world: World) -> None:
    """A sender that only ever sends whole episodes need not name the event."""
    await world.decide("SCH-A", world.store_only())
    receipt = await world.send("SCH-A", episode=opening())

    assert receipt.body["state"] == "ASSESSING"
    assert world.tree["opened_at"] == "2026-09-01T09:00:00Z"
    assert world.take() == {"IDX": ["N1"]}


async def test_an_episode_begins_with_opening(world: World) -> None:
    """Nothing else is a first version, consent or no consent."""
    await world.decide("SCH-A", world.store_only())

    error = await refused(world.send("SCH-A", "assessment.completed", episode=opening()))
    assert error.code is Code.CONSENT_NONE


async def test_a_child_without_a_decision_is_not_kept(world: World) -> None:
    """A sibling who turns up in a later message needs a decision first."""
    await world.opened()
    ben = {"subject_id": "s2", "is_unborn": False, "given_names": ["Ben"], "family_name": "E"}
    error = await refused(world.send("SCH-A", episode=part(subjects=[ben])))

    assert error.code is Code.CONSENT_NONE
    assert "Ben" not in repr(world.store._tables.versions)
    assert "Ben" not in repr(world.store._tables.inbox)


async def test_after_closure_only_people_change(world: World) -> None:
    """A closed episode takes contact details and demographics, and is never revived."""
    await world.planned()
    closure = {"closed_on": "2026-11-01", "closure_reason": "NEEDS_MET", "closure_summary": "."}
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))
    world.take()
    for event, tree in (
        ("plan.agreed", part()),
        (None, part(conclusions={"need_level": "L4"})),
        ("episode.opened", opening()),
    ):
        assert (await refused(world.send("EHM-A", event, episode=tree))).code is Code.STATE
    await world.send("SCH-A", episode=part(subjects=subject(family_name="Sample")))

    assert world.take() == dict.fromkeys(("IDX", "EHM-A", "HV-A", "HOU-A"), ["N5"])


async def test_derived_fields_are_the_hubs(world: World) -> None:
    """A sender may echo status and responsible practitioner, and cannot set them."""
    await world.opened()
    await world.send(
        "SCH-A",
        episode=part(
            status="CLOSED",
            closed_at="2026-09-01T09:00:00Z",
            responsible_practitioner=b.practitioner("p-lead"),
        ),
    )

    assert world.tree["status"] == "ASSESSING"
    assert "closed_at" not in world.tree
    assert world.tree["responsible_practitioner"]["practitioner_id"] == "p-teach"


async def test_a_lead_without_a_service_type_is_found_by_organisation(world: World) -> None:
    """What is for the lead goes to the only service of the lead's organisation, not to the old
    lead's.
    """
    await world.planned()
    new = b.practitioner("p-n", name="Ms N", organisation="VCS-N")
    await world.send(
        "EHM-A", episode=part(services={"lead_professional": new, "lp_state": "APPOINTED"})
    )

    assert world.head.lead_service == "VCS-N/YOUTH"


async def test_a_proposed_lead_is_not_yet_responsible(world: World) -> None:
    """While a handover is pending, what is for the lead still goes to the old one."""
    await world.planned()
    before = world.head.lead_service
    new = b.practitioner("p-n", name="Ms N", organisation="VCS-N", service_type="YOUTH")
    await world.send(
        "EHM-A", episode=part(services={"lead_professional": new, "lp_state": "HANDOVER_PENDING"})
    )

    assert world.head.lead_service == before or world.head.lead == "APPOINTED"


async def test_the_team_is_called_with_the_appointment(world: World) -> None:
    """An appointment on an assessed episode is T9 and T10 in one."""
    await world.opened()
    await world.decide("SCH-A", world.decision(scope_includes=includes()))
    await world.send("SCH-A", "assessment.completed", episode=completion())
    receipt = await world.send("EHM-A", "lead_professional.appointed", episode=appointment())

    assert receipt.body["state"] == "TEAM_FORMING"
