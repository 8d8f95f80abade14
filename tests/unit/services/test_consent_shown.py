"""Looking up consent: the decisions, the matrix, why a field flows, and what a decision changes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.domain.dictionary import leaves
from hub.errors import InvalidContent
from hub.services.consent_matrix import decisions_shown, load, matrix
from hub.services.consent_preview import preview
from hub.services.consent_why import why
from hub.services.explain import pattern_of, places
from hub.services.gate import Case, Request, release
from tests.unit.services.world import World


async def case_of(world: World) -> Case:
    """Return Ava's episode as it stands."""
    case: Case = await world.store.run(lambda session: load(session, "e1"))
    return case


def free(place: str) -> bool:
    """Tell whether the leaf at *place* holds a person's own words, names or numbers, not a code."""
    path = pattern_of(place)
    leaf = leaves().get(path) or leaves()[f"{path}[]"]
    return leaf.codes is None and leaf.form == "text"


async def test_every_decision_says_whether_anything_rests_on_it() -> None:
    """The first decision, to store only, is overtaken by the one that shares."""
    world = await World().shared()

    shown = decisions_shown(await case_of(world), world.clock.now())

    assert [(one["sequence"], one["about"], one["standing"]) for one in shown] == [
        (1, "s1", "overtaken"),
        (2, "s1", "in force"),
        (3, "c1", "in force"),
    ]
    assert shown[1]["decides"] > 0
    assert shown[0]["store_decision"] == "yes"


async def test_a_year_later_the_decisions_have_expired() -> None:
    """Nothing is in force after a year, and the matrix says no to all, because of that."""
    world = await World().shared()
    later = world.clock.now() + timedelta(days=400)

    case = await case_of(world)

    assert {one["standing"] for one in decisions_shown(case, later)} == {"expired"}
    assert {row.answer for row in matrix(case, later)} == {"no"}
    assert "E_CONSENT_EXPIRED" in {row.reason for row in matrix(case, later)}


async def test_the_matrix_shows_housing_its_four_sections() -> None:
    """Housing may see what Mia named and nothing sensitive; early help all, to write too."""
    world = await World().shared()

    rows = matrix(await case_of(world), world.clock.now())

    housing = [r for r in rows if (r.service, r.person, r.purpose) == ("HOU-A/HOUS", "s1", "PLAN")]
    assert {row.section for row in housing if row.answer == "yes"} == {
        *("listed", "sec.identity", "sec.env.housing", "sec.conclusions", "sec.plan")
    }
    assert "sensitive" not in {row.answer for row in housing}
    early = [r for r in rows if (r.service, r.person) == ("EHM-A/FSW", "s1")]
    assert {row.answer for row in early} == {"sensitive"}
    assert all(row.contribute for row in early)


async def test_nothing_that_is_shown_to_an_operator_holds_a_value() -> None:
    """Neither name, number, address nor text of the family is in what the commands print."""
    world = await World().shared()
    case = await case_of(world)
    now = world.clock.now()
    values = {
        str(value)
        for place, value in places(case.tree, case.tree)
        if isinstance(value, str) and len(value) > 5 and free(place)
    }

    partner = world.partners["HOU-A"]
    told = why(case, partner, "HOU-A/HOUS", "subjects", "PLAN", now)
    text = repr((decisions_shown(case, now), matrix(case, now), told))

    assert values
    assert not [value for value in values if value in text]


@pytest.mark.parametrize("service", ["HOU-A/HOUS", "EHM-A/FSW", "HV-A/HV", "CAMHS-A/CAMHS"])
@pytest.mark.parametrize("shielding", ["none", "whereabouts", "full"])
async def test_why_agrees_with_the_gate_about_every_leaf(service: str, shielding: str) -> None:
    """What `why` calls released is what the gate releases, leaf by leaf, shields included."""
    world = await World().planned()
    case = await case_of(world)
    subjects = [{**one, "shielding": shielding} for one in case.tree["subjects"]]
    case = Case(case.head, {**case.tree, "subjects": subjects}, case.decisions, case.involvements)
    partner = world.partners[service.partition("/")[0]]
    now = world.clock.now()

    told = [
        place
        for field in case.tree
        if field not in {"checklists", "safeguarding"}
        for place in why(case, partner, service, field, "PLAN", now).places
    ]

    try:
        shown: Any = release(case, Request(partner, service, "VIEW", (), {}, "PLAN", now))
        shown = shown.tree["episode"]
    except Exception as withheld:  # noqa: BLE001 - whatever stops the gate releases nothing
        shown, code = {"episode_id": "e1"}, getattr(withheld, "code", None)
        assert {p.reason for p in told if not p.released} == {str(getattr(code, "value", code))}
    released = {place for place, _value in places(shown, case.tree)}
    assert {place.place for place in told if place.released} - {"episode_id"} == released - {
        "episode_id"
    }
    assert all(place.reason for place in told if not place.released)


async def test_why_takes_a_path_of_the_dictionary_or_a_place() -> None:
    """`subjects[].gender` and `subjects[0].gender` ask about the same leaf."""
    world = await World().shared()
    case, partner = await case_of(world), world.partners["HOU-A"]

    found = [
        why(case, partner, "HOU-A/HOUS", field, "PLAN", world.clock.now()).places
        for field in ("subjects[].gender", "subjects[0].gender", "episode.subjects[0].gender")
    ]

    assert found[0] == found[1] == found[2]
    assert [place.place for place in found[0]] == ["subjects[0].gender"]
    assert found[0][0].released
    assert found[0][0].decisions


async def test_why_names_the_first_test_that_stops() -> None:
    """For somebody without a relationship the relationship is the reason, and consent not asked."""
    world = await World().shared()

    told = why(
        await case_of(world),
        world.partners["CSC-A"],
        "CSC-A/CSC",
        "plan",
        "PLAN",
        world.clock.now(),
    )

    assert [(check.passed, check.code) for check in told.tests] == [
        (True, None),
        (False, "E_NO_RELATIONSHIP"),
        (True, None),
    ]


async def test_an_unknown_field_is_refused_with_what_may_have_been_meant() -> None:
    """A slip of the keyboard gets the near names; a known field that is empty gets no places."""
    world = await World().shared()
    case, partner = await case_of(world), world.partners["HOU-A"]

    with pytest.raises(InvalidContent) as refused:
        why(case, partner, "HOU-A/HOUS", "subjects[].gendre", "PLAN", world.clock.now())

    assert refused.value.faults[0].allowed[0] == "subjects[].gender"
    empty = why(case, partner, "HOU-A/HOUS", "closure.closure_reason", "PLAN", world.clock.now())
    assert empty.places == ()


Change = Callable[[World], dict[str, Any]]
CHANGES: dict[str, Change] = {
    "nothing new": lambda w: w.decision(
        scope_includes=[{"service": "HOU-A/HOUS", "section": "sec.plan"}], state="WIDENED"
    ),
    "a new service": lambda w: w.decision(
        scope_includes=[{"service": "CAMHS-A/CAMHS", "section": "sec.child.health"}],
        state="WIDENED",
    ),
    "housing out": lambda w: w.decision(
        state="NARROWED", scope_excludes=[{"service": "HOU-A/HOUS", "section": "all"}],
        scope_includes=[{"service": "EHM-A/FSW", "section": "all"}],
    ),
    "all withdrawn": lambda w: w.decision(
        state="WITHDRAWN", withdrawal_type="SHARE_ALL", share_decision="no", scope_includes=[],
    ),
    "storing withdrawn": lambda w: w.decision(
        state="WITHDRAWN", withdrawal_type="STORE", share_decision="no", store_decision="no",
        scope_includes=[], index_consent="no",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_the_preview_is_what_then_happens(change: Change) -> None:
    """Event, recalls and newly informed are those of the decision when it is recorded."""
    world = await World().shared()
    world.take()
    record = change(world)
    case = await case_of(world)
    deliveries = await world.store.run(lambda session: session.deliveries("e1"))

    foreseen = preview(case, record, deliveries, world.clock.now())
    versions = len(world.store._tables.decisions)
    receipt = await world.decide("SCH-A", record)

    assert versions == len(case.decisions)
    assert receipt.body["event"] == foreseen.event
    got = world.take()
    assert {name for name, types in got.items() if "N10" in types} == {
        service.partition("/")[0] for service in foreseen.recalls
    } - {"SCH-A"}
    gained = {service.partition("/")[0] for service in foreseen.starts}
    assert {name for name, types in got.items() if "N7" in types} <= gained
    stored = await case_of(world)
    may = {row.section: row.answer for row in matrix(stored, world.clock.now())}
    assert any(may.values())


async def test_an_unlawful_decision_has_no_preview() -> None:
    """What the register would refuse is refused here, with the same code and place."""
    world = await World().shared()

    with pytest.raises(InvalidContent) as refused:
        preview(
            await case_of(world),
            world.decision(given_by_basis="CARER_NO_PR", scope_includes=[]),
            (),
            world.clock.now(),
        )

    assert refused.value.code.value == "E_CONSENT_GIVER"


async def test_why_says_that_consent_cannot_be_confirmed() -> None:
    """While its register vouches for nothing, that is the reason for every field."""
    world = await World().shared()
    case = replace(await case_of(world), decisions=(), unsure="cannot be confirmed")
    partner = world.partners["HOU-A"]

    told = why(case, partner, "HOU-A/HOUS", "subjects[].gender", "PLAN", world.clock.now())

    assert told.tests[-1].code == "E_REGISTER"
    assert {place.reason for place in told.places} == {"E_REGISTER"}
