"""PULL_THROUGH: named sections for a social care assessment, each field with its source (A32)."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.domain.partner import Partner
from hub.errors import Code, Forbidden, HubError, InvalidContent, Missing
from hub.services.pull import Pull, read_pull
from tests import builders as b
from tests.unit.services.world import (
    CANONICAL,
    PURPOSES,
    Tree,
    World,
    completion,
    includes,
    opening,
    part,
    subject,
)

CSC = "CSC-A/CSC"
NAMED = ("sec.identity", "sec.parenting", "sec.conclusions")
ASKED = {"sections": list(NAMED), "reference": "CFA-2026-117"}


def agreed(world: World, *sections: str, who: str = "decision", **changes: Any) -> Tree:
    """Return a decision that lets social care pull these sections."""
    items = [
        {"service": CSC, "section": section, "sensitive": True, "purpose": "PULL_THROUGH"}
        for section in sections
    ]
    purposes = [*PURPOSES, "PULL_THROUGH"]
    record: Tree = getattr(world, who)(
        state="WIDENED", purpose=purposes, scope_includes=items, **changes
    )
    return record


@pytest.fixture
async def world() -> World:
    """Ava's plan runs, and Mia agrees for both that social care pulls three sections."""
    made = await World().planned()
    await made.decide("EHM-A", agreed(made, *NAMED))
    await made.decide("EHM-A", agreed(made, *NAMED, who="own"))
    made.take()
    return made


def social_worker(world: World) -> Partner:
    return replace(world.partners["CSC-A"], acting="p-csc")


async def pulled(world: World, *sections: str, who: Partner | None = None) -> Any:
    """Pull, and return what was released."""
    partner = who or social_worker(world)
    pull = Pull(sections or NAMED, "CFA-2026-117")
    return await world.viewer.pull(partner, partner.services[0].ref, "e1", pull)


async def refused(asked: Any) -> HubError:
    with pytest.raises(HubError) as error:
        await asked
    return error.value


def sources(released: Any) -> dict[str, Tree]:
    """Return the provenance by place."""
    return {entry["path"]: entry for entry in released.tree["provenance"]}


def leaves(value: Any, at: str = "/episode") -> dict[str, Any]:
    """Return every leaf of an extract by JSON pointer."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for name, held in value.items():
            found |= leaves(held, f"{at}/{name}")
        return found
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        found = {}
        for number, held in enumerate(value):
            found |= leaves(held, f"{at}/{number}")
        return found
    return {at: value}


async def test_social_care_gets_the_named_sections_and_nothing_else(world: World) -> None:
    """What consent for PULL_THROUGH opens, cut to what was named; no state, plan or team."""
    shown = (await pulled(world)).tree["episode"]

    assert set(shown) == {"episode_id", "subjects", "conclusions"}
    (child,) = shown["subjects"]
    assert child["family_name"] == "Example"
    assert {one["element"] for one in child["elements"]} == {"2.1", "2.2", "2.3"}
    assert "characteristics" not in child


async def test_fewer_are_shown_than_are_agreed_to_if_fewer_are_named(world: World) -> None:
    """The assessment names what it needs."""
    shown = (await pulled(world, "sec.conclusions")).tree["episode"]

    assert set(shown) == {"episode_id", "conclusions"}


async def test_every_field_has_its_source(world: World) -> None:
    """One entry for each leaf, no more: system, organisation, when, by which message."""
    released = await pulled(world)
    found = sources(released)

    assert found.keys() == leaves(released.tree["episode"]).keys() - {"/episode/episode_id"}
    messages = {e.message_id: e for e in world.store._tables.inbox.values()}
    for path, entry in found.items():
        assert entry["organisation"] == entry["system"] == "SCH-A", path
        assert messages[entry["message_id"]].partner == "SCH-A"
    assert found["/episode/conclusions/need_level"]["section"] == "sec.conclusions"
    element = next(e for p, e in found.items() if p.endswith("/elements/0/commentary"))
    assert (element["section"], element["author"]) == ("sec.parenting", "p-teach")
    assert element["authored_at"]


async def test_a_change_moves_the_source_of_what_changed_alone(world: World) -> None:
    """Who wrote it last, and when; the rest stays with who wrote that."""
    world.clock.move(timedelta(days=3))
    conclusions = {"need_level": "L4"}
    receipt = await world.send("EHM-A", episode=part(conclusions=conclusions))
    found = sources(await pulled(world))

    level, text = (found[f"/episode/conclusions/{name}"] for name in ("need_level", "conclusions"))
    assert level["organisation"] == "EHM-A"
    assert level["message_id"] == receipt.body["message_id"]
    assert level["recorded_at"] == "2026-09-04T09:00:00Z"
    assert text["organisation"] == "SCH-A"


async def test_items_without_a_key_keep_their_source_when_others_come(world: World) -> None:
    """A second address before the first: the first is still from who wrote it."""
    world.clock.move(timedelta(days=1))
    new = b.address(address_lines=["5 New Way", "Exampleton"], postcode="ZZ99 8NW")
    address = [new, *world.tree["subjects"][0]["address"]]
    await world.send("EHM-A", episode=part(subjects=subject(address=address)))
    released = await pulled(world)
    found = sources(released)
    shown = leaves(released.tree["episode"])

    came = {
        shown[path]: entry["organisation"]
        for path, entry in found.items()
        if path.endswith("/postcode")
    }
    assert came == {"ZZ99 8NW": "EHM-A", "ZZ99 3AA": "SCH-A"}


async def test_the_practitioner_who_sent_it_is_named(world: World) -> None:
    """Where the message said who acts."""
    before = sources(await pulled(world))
    assert all("practitioner_id" not in entry for entry in before.values())
    for key, one in list(world.store._tables.audit.items()):
        if one.kind == "message.accepted":
            world.store._tables.audit[key] = replace(one, facts={**one.facts, "user": "p-teach"})

    found = sources(await pulled(world))
    assert {entry["practitioner_id"] for entry in found.values()} == {"p-teach"}


async def test_it_is_a_disclosure_on_record(world: World) -> None:
    """Audited with sections, purpose, decisions and reference; in the ledger, for recalls."""
    await pulled(world)
    (row,) = world.audit("view.pulled")

    assert row.service == CSC
    assert row.facts["purpose"] == "PULL_THROUGH"
    assert row.facts["sections"] == list(NAMED)
    assert row.facts["reference"] == "CFA-2026-117"
    assert row.facts["practitioner"] == "p-csc"
    assert row.facts["decisions"]
    record = world.store._tables.released[max(world.store._tables.released)]
    assert (record.service, record.message_type) == (CSC, "VIEW")


async def test_consent_withdrawn_recalls_what_was_pulled(world: World) -> None:
    """N10 to social care, and to nobody else; and no extract any more."""
    await pulled(world)
    world.clock.move(timedelta(hours=1))
    gone = {"service": CSC, "section": "all"}
    record = world.decision(
        state="NARROWED", scope_includes=[], scope_excludes=[gone],
        purpose=[*PURPOSES, "PULL_THROUGH"],
    )  # fmt: skip
    await world.decide("EHM-A", record)

    assert world.take() == {"CSC-A": ["N10"]}
    for recall in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(
            world.partners["CSC-A"], recall.delivery_id, "COPIES_LOCKED"
        )
    assert (await refused(pulled(world))).code is Code.CONSENT_SCOPE


async def test_nothing_is_pushed_for_a_consent_to_pull() -> None:
    """Social care asks when it assesses; it joins no team and gets no message."""
    world = await World().planned()
    await world.decide("EHM-A", agreed(world, *NAMED))
    assert world.take() == {}
    await world.send("EHM-A", episode=part(conclusions={"need_level": "L4"}))
    assert "CSC-A" not in world.take()
    error = await refused(world.viewer.view(social_worker(world), CSC, "e1", "ASSESS", CANONICAL))
    assert error.code is Code.CONSENT_SCOPE


# The order of the refusals


async def test_without_a_relationship_it_is_no_episode() -> None:
    """Unknown, unrelated and shielded: the same."""
    world = await World().planned()
    unrelated = await refused(pulled(world))
    partner = social_worker(world)
    unknown = await refused(world.viewer.pull(partner, CSC, "e-none", Pull(NAMED, "CFA-1")))
    await world.decide("EHM-A", agreed(world, *NAMED))
    await world.send("EHM-A", episode=part(subjects=subject(shielding="full")))
    shielded = await refused(pulled(world))

    assert {(type(e), e.code, e.detail) for e in (unrelated, unknown, shielded)} == {
        (Missing, Code.NO_RELATIONSHIP, unknown.detail)
    }


async def test_a_consent_for_something_else_is_no_consent_to_pull() -> None:
    """The purpose is a dimension of the scope: who may assess and plan may not pull."""
    world = await World().planned()
    items = [{"service": CSC, "section": "all", "sensitive": True}]
    record = world.decision(state="WIDENED", purpose=PURPOSES, scope_includes=items)
    await world.decide("EHM-A", record)

    assert (await refused(pulled(world))).code is Code.CONSENT_SCOPE


async def test_what_is_withheld_and_what_was_never_written_look_alike(world: World) -> None:
    """None of the named sections: the same refusal, whether refused or empty."""
    withheld = await refused(pulled(world, "sec.env.housing"))
    empty = await refused(pulled(world, "sec.closure"))

    assert (withheld.code, withheld.detail) == (empty.code, empty.detail)
    assert withheld.code is Code.CONSENT_SCOPE
    both = await pulled(world, "sec.conclusions", "sec.env.housing")
    alone = await pulled(world, "sec.conclusions")
    assert both.tree["episode"] == alone.tree["episode"]
    assert both.tree["provenance"] == alone.tree["provenance"]


async def test_a_closed_episode_is_pulled_from_no_more(world: World) -> None:
    """What the family agreed to reaches until the closure (4.2)."""
    closure = {"closure_reason": "NEEDS_MET", "closure_summary": ".", "closed_on": "2026-11-01"}
    await world.send("EHM-A", "episode.closed", episode=part(closure=closure))

    assert (await refused(pulled(world))).code is Code.CONSENT_EXPIRED


async def test_a_paused_episode_is_pulled_from_no_more(world: World) -> None:
    """All sharing withdrawn, pulling too."""
    record = world.decision(
        state="WITHDRAWN", share_decision="no", scope_includes=[], withdrawal_type="SHARE_ALL"
    )
    await world.decide("EHM-A", record)
    for recall in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(
            world.partners[recall.partner], recall.delivery_id, "COPIES_LOCKED"
        )

    assert world.head.process == "PAUSED"
    assert (await refused(pulled(world))).code is Code.CONSENT_SCOPE


# What the source must not tell


async def test_a_sensitive_source_is_not_named() -> None:
    """What a sensitive service wrote says when, and not who."""
    world, who = World(), "CAMHS-A"
    worker = b.practitioner("p-camhs", organisation=who, service_type="CAMHS")
    await world.decide(who, world.store_only())
    tree = opening(subjects=[b.subject(elements=[])])
    tree["services"] = {**tree["services"], "assessor": [worker]}
    await world.send(who, "episode.opened", episode=tree)
    everything = agreed(world, *NAMED)["scope_includes"]
    purposes = [*PURPOSES, "PULL_THROUGH"]
    await world.decide(who, world.decision(scope_includes=everything, purpose=purposes))
    await world.send(who, "assessment.completed", episode=completion())
    released = await pulled(world)

    for entry in released.tree["provenance"]:
        assert entry.keys().isdisjoint({"organisation", "system", "practitioner_id"})
        assert entry["recorded_at"]


async def test_under_a_shield_nobody_at_work_is_named(world: World) -> None:
    """Who wrote it may be where the child goes."""
    await world.send("EHM-A", episode=part(subjects=subject(shielding="whereabouts")))
    for recall in world.deliveries(message_type="N10"):
        await world.collector.acknowledge(
            world.partners[recall.partner], recall.delivery_id, "COPIES_LOCKED"
        )
    released = await pulled(world)

    said = json.dumps(released.tree)
    assert "SCH-A" not in json.dumps(released.tree["provenance"])
    assert "1 Example Road" not in said


async def test_when_a_shield_was_lowered_leaves_no_trace() -> None:
    """The sources of a family that was once shielded are those of one that never was."""

    async def told(*shields: str) -> Any:
        world = await World().planned()
        await world.decide("EHM-A", agreed(world, *NAMED))
        for how in shields:
            world.clock.move(timedelta(days=1))
            await world.send("EHM-A", episode=part(subjects=subject(shielding=how)))
        for recall in world.deliveries(message_type="N10"):
            await world.collector.acknowledge(
                world.partners[recall.partner], recall.delivery_id, "COPIES_LOCKED"
            )
        return [
            {k: v for k, v in entry.items() if k != "message_id"}
            for entry in (await pulled(world)).tree["provenance"]
        ]

    assert await told("whereabouts", "none") == await told("full", "none") == await told()


async def test_when_a_restriction_was_lifted_leaves_no_trace() -> None:
    """A mother whom nobody was to reach for a while: her number is from who wrote it, then."""

    async def told(*restrictions: str) -> Any:
        world = await World().planned()
        for who in ("decision", "own"):
            await world.decide("EHM-A", agreed(world, "sec.family", who=who))
        for how in restrictions:
            world.clock.move(timedelta(days=1))
            mother = [{"parent_carer_id": "c1", "contact_restriction": how}]
            await world.send("EHM-A", episode=part(parents_carers=mother))
        found = sources(await pulled(world, "sec.family")).items()
        return [(path, told["recorded_at"], told["organisation"]) for path, told in found]

    never = await told()
    assert any("contact_tel" in path for path, *_ in never)
    assert await told("no_contact", "none") == never


async def test_a_system_of_sensitive_services_alone_is_no_source_by_name() -> None:
    """Nothing in the record says what it is; its profile does."""
    world = await World().planned(services={**b.services(), "other_service": []})
    await world.decide("EHM-A", agreed(world, *NAMED))
    await world.decide(
        "EHM-A",
        world.decision(state="WIDENED", purpose=PURPOSES, scope_includes=includes("CAMHS-A/CAMHS")),
    )
    await world.send(
        "CAMHS-A", "demographics.changed", episode=part(subjects=subject(preferred_name="Avi"))
    )
    released = await pulled(world)
    entry = sources(released)["/episode/subjects/0/preferred_name"]

    assert released.tree["episode"]["subjects"][0]["preferred_name"] == "Avi"
    assert entry.keys() == {"path", "section", "recorded_at", "message_id"}


async def test_what_is_withheld_leaves_no_trace_in_the_sources(world: World) -> None:
    """Changes to what social care may not see move nothing."""
    before = (await pulled(world)).tree["provenance"]
    for number in range(3):
        world.clock.move(timedelta(days=1))
        element = b.element("3.1", commentary=f"CANARY {number}")
        await world.send("SCH-A", episode=part(subjects=subject(elements=[element])))
        await world.send("SCH-A", episode=part(plan={**b.plan(), "plan_version": number + 2}))

    assert (await pulled(world)).tree["provenance"] == before


# The door


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"sections": []}, Code.REQUIRED, "sections"),
        ({"sections": "sec.identity"}, Code.REQUIRED, "sections"),
        ({"sections": ["sec.nothing"]}, Code.CODELIST, "sections/0"),
        ({"sections": ["sec.identity", "all"]}, Code.CODELIST, "sections/1"),
        ({"sections": ["sec.safeguarding"]}, Code.CODELIST, "sections/0"),
        ({"sections": ["sec.checklist"]}, Code.CODELIST, "sections/0"),
        ({"sections": ["sec.consent"]}, Code.CODELIST, "sections/0"),
        ({"sections": [["sec.identity"]]}, Code.CODELIST, "sections/0"),
        ({"reference": "Ava Example"}, Code.REQUIRED, "reference"),
        ({"reference": None}, Code.REQUIRED, "reference"),
        ({"purpose": "PLAN"}, Code.UNKNOWN_FIELD, ""),
    ],
)
async def test_what_no_assessment_asks_is_refused_with_its_place(
    world: World, change: Tree, code: Code, place: str
) -> None:
    """Before anything of any episode is looked at, and without an echo."""
    with pytest.raises(InvalidContent) as error:
        read_pull(social_worker(world), CSC, {**ASKED, **change})

    assert (error.value.faults[0].code, error.value.faults[0].path) == (code, place)
    assert "Ava" not in repr(error.value.faults)


async def test_only_children_social_care_pulls(world: World) -> None:
    """Not a school, not early help, not the police; and somebody must be named who asks."""
    for who in ("SCH-A", "EHM-A", "POL-A"):
        partner = replace(world.partners[who], acting="p")
        with pytest.raises(Forbidden):
            read_pull(partner, partner.services[0].ref, ASKED)
    with pytest.raises(InvalidContent) as error:
        read_pull(world.partners["CSC-A"], CSC, ASKED)
    assert error.value.faults[0].path == "ECAF-User"
    assert read_pull(social_worker(world), CSC, ASKED) == Pull(NAMED, "CFA-2026-117")


async def test_a_whole_view_is_not_for_that_purpose(world: World) -> None:
    """The sections are named, or nothing is pulled."""
    error = await refused(
        world.viewer.view(social_worker(world), CSC, "e1", "PULL_THROUGH", CANONICAL)
    )
    assert error.code is Code.PURPOSE


async def test_the_family_sees_it_in_the_access_report(world: World) -> None:
    """What was taken, by whom and when, with the sections that were shown."""
    await pulled(world)
    report = await world.lookup.access_report(world.partners["EHM-A"], "e1", "s1")
    line = report["disclosures"][-1] if "disclosures" in report else report["lines"][-1]

    assert line["service"] == CSC
    assert line["what"] == "parts taken into a social care assessment"
    assert line["purpose"]
    assert line["ground"]
