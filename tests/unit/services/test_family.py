"""What a family is handed: the copy for one person, and the report of who received what."""

import json
from typing import Any

import pytest

from hub.errors import Forbidden, InvalidContent, Missing, Withheld
from tests import builders as b
from tests.unit.services.world import CANONICAL, World, includes

Tree = dict[str, Any]


async def copy_for(world: World, person: str, who: str = "EHM-A") -> Tree:
    """Return the copy that the system of *who* makes for *person*."""
    service = world.partners[who].services[0].ref
    rendered = await world.viewer.view(
        world.partners[who], service, "e1", "PLAN", CANONICAL, person
    )
    read: Tree = json.loads(rendered.body)["episode"]
    return read


async def report_for(world: World, person: str, who: str = "EHM-A") -> list[Tree]:
    """Return the lines of the access report for *person*."""
    found = await world.lookup.access_report(world.partners[who], "e1", person)
    lines: list[Tree] = found["disclosures"]
    return lines


def two_parents(**restricted: Any) -> list[Tree]:
    """Return Mia, and a father who answers for Ava as well."""
    mia = b.episode()["parents_carers"][0]
    father = {
        "parent_carer_id": "c2",
        "name": "Finn Example",
        "contact_tel": ["0113 496 0998"],
        "relationships": [
            {
                "subject_id": "s1",
                "relationship": "FTH",
                "has_parental_responsibility": "Y",
                "pr_basis": "FATHER_REG",
            }
        ],
        **restricted,
    }
    return [mia, father]


async def test_a_parent_reads_about_the_child_and_themself() -> None:
    """Mia's copy has Ava's assessment and Mia's own details."""
    world = await World().planned()

    copy = await copy_for(world, "c1")

    assert copy["subjects"][0]["given_names"][0] == "Ava"
    assert copy["subjects"][0]["elements"]
    assert copy["parents_carers"][0]["parent_carer_id"] == "c1"


async def test_a_parent_reads_nothing_of_the_other_parent() -> None:
    """What is about the father alone is not in Mia's copy, nor hers in his."""
    world = await World().planned(parents_carers=two_parents())
    await world.decide("EHM-A", father_agrees(world))

    seen = {person: json.dumps(await copy_for(world, person)) for person in ("c1", "c2")}

    assert "Finn" not in seen["c1"]
    assert "Mia" not in seen["c2"]
    assert "Finn" in seen["c2"]
    assert all("Ava" in text for text in seen.values())


def father_agrees(world: World) -> Tree:
    """Return the father's decision about himself."""
    record = world.decision(
        subject_id="c2",
        given_by_person="c2",
        given_by_basis="ADULT_SELF",
        scope_includes=includes(),
    )
    record.pop("pr_basis", None)
    return record


async def test_a_child_reads_about_themself_and_no_adult() -> None:
    """Ava's copy has nothing of what her mother told of herself."""
    world = await World().planned()

    copy = await copy_for(world, "s1")

    assert copy["subjects"][0]["given_names"][0] == "Ava"
    assert "parents_carers" not in copy


@pytest.mark.parametrize(
    "restriction", ["no_contact", "court_order", "informed_by_professional_only"]
)
async def test_who_may_not_be_contacted_gets_no_copy(restriction: str) -> None:
    """A copy for somebody under a restriction is for a professional to give, not for a system."""
    world = await World().planned(parents_carers=two_parents(contact_restriction=restriction))

    with pytest.raises(Withheld):
        await copy_for(world, "c2")
    with pytest.raises(Withheld):
        await report_for(world, "c2")


async def test_who_must_not_learn_the_address_learns_no_place() -> None:
    """With `no_address`, the copy holds no address, telephone, school or GP of the child."""
    world = await World().planned(parents_carers=two_parents(contact_restriction="no_address"))
    located = [
        {"service": "EHM-A/FSW", "section": "sec.identity", "sensitive": True, "action": "locate"},
        *includes(),
    ]
    await world.decide("EHM-A", world.decision(scope_includes=located))

    theirs, hers = await copy_for(world, "c2"), await copy_for(world, "c1")

    assert hers["subjects"][0]["address"]
    assert not {"address", "contact_tel", "school_or_setting", "gp_practice"} & set(
        theirs["subjects"][0]
    )
    assert "ZZ99" not in json.dumps(theirs)


async def test_a_parent_gets_nothing_where_the_young_person_decides() -> None:
    """Once Ava was judged competent and decided, Mia gets neither copy nor report, not even of
    what is about Mia: that would tell that there is an episode.
    """
    world = await World().planned()
    await world.decide("EHM-A", competent(world))

    with pytest.raises(Withheld):
        await copy_for(world, "c1")
    with pytest.raises(Withheld):
        await report_for(world, "c1")
    assert (await copy_for(world, "s1"))["subjects"]


def competent(world: World) -> Tree:
    """Return Ava's own decision, as one judged competent."""
    record = world.decision(
        given_by_person="s1",
        given_by_basis="CHILD_COMPETENT",
        competence_judgement={
            "judged_by": "p-lead",
            "judged_at": "2026-09-01T09:00:00Z",
            "outcome": "COMPETENT",
        },
        scope_includes=includes(),
    )
    record.pop("pr_basis", None)
    return record


async def test_only_who_keeps_the_record_makes_copies() -> None:
    """A team member may not, a stranger learns nothing, and nobody copies for a stranger."""
    world = await World().planned()

    with pytest.raises(Forbidden):
        await copy_for(world, "c1", "HOU-A")
    with pytest.raises(Forbidden):
        await report_for(world, "c1", "HOU-A")
    with pytest.raises(Missing):
        await copy_for(world, "c1", "CSC-A")
    with pytest.raises(Missing):
        await report_for(world, "c1", "CSC-A")
    with pytest.raises(InvalidContent):
        await copy_for(world, "c9")


async def test_a_copy_never_holds_more_than_its_maker_may_see() -> None:
    """What consent keeps from the lead's service is not in the copy that its system makes."""
    world = await World().planned()
    await world.decide(
        "EHM-A",
        world.decision(
            state="NARROWED",
            scope_includes=[{"service": "EHM-A/FSW", "section": "sec.plan"}],
        ),
    )

    copy = await copy_for(world, "c1")

    assert "elements" not in copy["subjects"][0]
    assert copy["plan"]


async def test_the_report_says_who_received_what_and_on_what_ground() -> None:
    """Housing's line names its sections and Mia's decision; nobody's name, no value."""
    world = await World().planned()

    lines = await report_for(world, "c1")

    housing = [
        line
        for line in lines
        if line["service"] == "HOU-A/HOUS" and line["what"] == "what was agreed to be shared"
    ]
    assert housing[0]["organisation"] == "HOU-A of the example"
    assert "Housing, employment and finance" in housing[0]["sections"]
    assert "Health and physical development" not in housing[0]["sections"]
    assert housing[0]["ground"][0]["agreed_by"] == "Person with parental responsibility"
    assert any(line["service"] == "IDX/INDEX" for line in lines)
    assert not [name for name in ("Ava", "Mia", "Lead", "ZZ99") if name in json.dumps(lines)]


async def test_the_report_for_a_child_leaves_out_what_is_about_adults() -> None:
    """The sections of a line are those about whom the reader may read."""
    world = await World().planned()

    mine, hers = await report_for(world, "s1"), await report_for(world, "c1")

    def sections(lines: list[Tree]) -> set[str]:
        return {name for line in lines for name in line["sections"]}

    assert "Parents, carers, family and home" in sections(hers)
    assert "Identifying details" in sections(mine)


async def test_reports_and_copies_are_audited() -> None:
    """Who asked for whom stands in the audit, with a count and no value."""
    world = await World().planned()

    await copy_for(world, "c1")
    lines = await report_for(world, "c1")

    assert world.audit("view.copied")[0].facts["person"] == "c1"
    assert world.audit("report.read")[0].facts == {"person": "c1", "lines": len(lines)}
