"""Whereabouts: what is kept out, whom it covers, and what of a place is searched for in texts."""

from typing import Any

import pytest

from hub.domain.consent import Agreements, Ask
from hub.services.shelter import (
    Places,
    may_locate,
    sheltered,
    sheltered_facts,
    shield_of,
    told_fields,
    unreachable,
)
from tests import builders as b
from tests.unit.domain.decisions import NOW, adult, item, record, recorded

HOU = "HOU-A/HOUS"
ASK = Ask(HOU, "PLAN", NOW)


def people(ava: str | None = None, mia: str | None = None) -> dict[str, Any]:
    """Return a tree of Ava and her mother, shielded so."""
    child = {"subject_id": "ava"} | ({"shielding": ava} if ava else {})
    mother = {"parent_carer_id": "mia"} | ({"shielding": mia} if mia else {})
    return {"subjects": [child], "parents_carers": [mother]}


@pytest.mark.parametrize(
    ("trees", "shield"),
    [
        ([], "none"),
        ([{}], "none"),
        ([people()], "none"),
        ([people("whereabouts")], "whereabouts"),
        ([people(None, "whereabouts")], "whereabouts"),
        ([people("full")], "full"),
        ([people("whereabouts", "full")], "full"),
        ([people(), people("whereabouts")], "whereabouts"),
        ([people("full"), people()], "full"),
        ([people("somehow")], "full"),
        ([people("none", "none")], "none"),
    ],
)
def test_the_strongest_shield_of_anybody_counts(trees: list[Any], shield: str) -> None:
    """In any version; a code that is not known is the strongest."""
    assert shield_of(*trees) == shield


LOCATE = item(HOU, "sec.identity", action="locate", sensitive=True)
AVAS = record(scope_includes=[LOCATE])
MIAS = adult(scope_includes=[LOCATE])


@pytest.mark.parametrize(
    ("tree", "records", "may"),
    [
        (people(), [], True),
        (people("whereabouts"), [], False),
        (people("whereabouts"), [AVAS], True),
        (people("whereabouts"), [MIAS], False),
        (people(None, "whereabouts"), [MIAS], True),
        (people("whereabouts", "whereabouts"), [AVAS], False),
        (people("whereabouts", "whereabouts"), [AVAS, MIAS], True),
        (people("full"), [AVAS], False),
        (people("whereabouts", "full"), [AVAS, MIAS], False),
    ],
)
def test_everybody_who_is_shielded_lets_know_the_place(
    tree: Any, records: list[Any], may: bool
) -> None:
    """D-41: each for themselves; ``full`` has no list."""
    agreements = Agreements(recorded(*records), ["ava"], ["mia"])

    assert may_locate([tree], agreements, ASK) is may
    assert may_locate([people(), tree], agreements, ASK) is may


MOTHER = {
    "parent_carer_id": "mia",
    "name": "Mia Example",
    "address": [b.address()],
    "contact_tel": ["0113 496 0000"],
    "email": ["mia@example.org"],
    "aka": ["Mimi"],
}


@pytest.mark.parametrize(
    ("restriction", "gone"),
    [
        (None, set()),
        ("none", set()),
        ("no_address", {"address"}),
        ("no_contact", {"address", "contact_tel", "email"}),
        ("court_order", {"address", "contact_tel", "email"}),
        ("informed_by_professional_only", {"address", "contact_tel", "email"}),
        ("something new", {"address", "contact_tel", "email"}),
    ],
)
def test_who_may_not_be_reached_is_shown_without_the_ways(
    restriction: str | None, gone: set[str]
) -> None:
    """CL-24b, for every view; beside them others are as they were."""
    mother = MOTHER | ({"contact_restriction": restriction} if restriction else {})
    tree = {"parents_carers": [mother, {**MOTHER, "parent_carer_id": "jon"}]}
    shown = unreachable(tree)["parents_carers"]

    assert mother.keys() - shown[0].keys() == gone
    assert shown[1] == {**MOTHER, "parent_carer_id": "jon"}
    alone = unreachable({"parents_carers": [mother]})["parents_carers"]
    assert alone == [shown[0]]
    located = sheltered({**tree, "subjects": []}, located=True)["parents_carers"]
    assert located[0] == shown[0]


def shielded(**changes: Any) -> dict[str, Any]:
    """Return Ava's episode under a shield of whereabouts."""
    tree = b.changed(b.episode(), "/subjects/0/shielding", "whereabouts")
    return {**tree, **changes}


def test_without_a_shield_nothing_is_taken() -> None:
    """And with the place permitted neither, but for whom nobody may reach."""
    assert sheltered(b.episode()) == b.episode()
    assert sheltered(shielded(), located=True) == shielded()
    assert "address" not in sheltered(b.episode(), shielded())["subjects"][0]


def test_of_services_only_whom_to_ring_is_left() -> None:
    """Schools, practices and other services are where the family is; the unknown stays too."""
    tree = shielded(something_new="x")
    tree["services"] = {
        "lead_professional": b.practitioner("p-x", organisation="EHM-A"),
        **tree["services"],
    }
    shown = sheltered(tree)

    assert {"universal_service", "other_service", "lead_professional"} <= tree["services"].keys()
    assert "lead_professional" in shown["services"]
    assert not {"universal_service", "other_service", "assessor"} & shown["services"].keys()
    assert "something_new" not in shown
    del tree["services"]
    assert "services" not in sheltered(tree)


@pytest.mark.parametrize(
    ("mother", "stays"),
    [
        ({}, False),
        ({"relationships": []}, False),
        ({"relationships": [{"subject_id": "s1", "lives_with_child": "Y"}]}, False),
        ({"relationships": [{"subject_id": "s1"}]}, False),
        ({"relationships": [{"subject_id": "s1", "lives_with_child": "N"}]}, True),
        (
            {
                "relationships": [
                    {"subject_id": "s1", "lives_with_child": "N"},
                    {"subject_id": "s2", "lives_with_child": "Y"},
                ]
            },
            False,
        ),
        (
            {
                "relationships": [{"subject_id": "s1", "lives_with_child": "N"}],
                "shielding": "whereabouts",
            },
            False,
        ),
        (
            {
                "relationships": [{"subject_id": "s1", "lives_with_child": "N"}],
                "shielding": "none",
            },
            True,
        ),
    ],
)
def test_the_household_is_who_may_live_there(mother: dict[str, Any], stays: bool) -> None:
    """An adult is where the children are unless the record says no to all of them."""
    adults = [{**MOTHER, **mother}]
    shown = sheltered(shielded(parents_carers=adults))["parents_carers"][0]

    assert ("address" in shown, "contact_tel" in shown, "aka" in shown) == (stays,) * 3
    found = Places((shielded(parents_carers=adults),))
    assert found.named_in("mia@example.org") is not stays


def test_identifiers_that_name_a_place_stay() -> None:
    """A UPN names the school's authority; an NHS number names nobody's place."""
    tree = shielded()
    tree["subjects"][0]["identifiers"] = [
        {"system": "nhs-number", "value": "9990000018"},
        {"system": "upn", "value": "W001900120001"},
    ]
    shown = sheltered(tree)["subjects"][0]
    assert [one["system"] for one in shown["identifiers"]] == ["nhs-number"]

    tree["subjects"][0]["identifiers"] = [{"system": "upn", "value": "W001900120001"}]
    assert "identifiers" not in sheltered(tree)["subjects"][0]


@pytest.mark.parametrize(
    ("what", "service", "stays"),
    [
        ("action", {"action_owner": {"service": "SCH-A/SCH"}}, False),
        ("action", {"action_owner": {"service": "HOU-A/HOUS"}}, True),
        ("action", {"action_owner": {"practitioner": {"service_type": "GP"}}}, False),
        ("action", {"action_owner": {"practitioner": {"service_type": "FSW"}}}, True),
        ("action", {"action_owner": {"practitioner": None}}, True),
        ("action", {}, True),
        ("service_request", {"requested_service": "HV-A/HV"}, False),
        ("service_request", {"requested_service": "HOU-A/HOUS"}, True),
        ("service_request", {}, True),
    ],
)
def test_what_a_service_where_they_are_does_stays(
    what: str, service: dict[str, Any], stays: bool
) -> None:
    """A school's action tells of the school; what others do does not."""
    whole = {**shielded()["plan"][what][0], "id": "x1"}
    for name in ("action_owner", "requested_service"):
        whole.pop(name, None)
    plan = {what: [{**whole, **service}]}
    shown = sheltered(shielded(plan=plan)).get("plan", {})

    assert (what in shown) is stays


def test_a_plan_of_nothing_but_a_team_is_none() -> None:
    """An empty shell would tell that there was something."""
    plan = {"team_member": [{"organisation": "SCH-A", "service_type": "SCH"}]}

    assert "plan" not in sheltered(shielded(plan=plan))


@pytest.mark.parametrize(
    ("contact", "named"),
    [
        (b.practitioner("p-lead", organisation="EHM-A", service_type="FSW"), True),
        (b.practitioner("p-lead", organisation="EHM-A", service_type="GP"), False),
        (b.practitioner("p-lead", organisation="ORG-9", service_type="FSW"), False),
    ],
)
def test_whom_to_ring_is_named_unless_they_work_there(contact: dict[str, Any], named: bool) -> None:
    """By their type, or by the organisation being one of the family's places."""
    tree = shielded(responsible_practitioner=contact)
    tree["subjects"][0]["school_or_setting"] = [{"name": "Oak School", "organisation_id": "ORG-9"}]
    tree["services"]["lead_professional"] = contact
    shown = sheltered(tree)

    assert ("responsible_practitioner" in shown) is named
    assert ("lead_professional" in shown.get("services", {})) is named


NOTICE = {"kind": "admission", "occurred_on": "2026-09-10", "text": "Seen.", "place": "Ward 3"}


def test_a_notice_says_its_kind_day_and_a_text_without_places() -> None:
    """Not who sent it, nor who came and went."""
    facts = {"notice": NOTICE, "from": "GP-A/GP", "event": "x", "joined": ["a"], "left": ["b"]}
    text = {**NOTICE, "text": "Seen at 1 Example Road"}
    tree = shielded()
    tree["subjects"][0]["address"] = [b.address(address_lines=["1 Example Road"])]

    assert sheltered_facts(facts, tree) == {
        "event": "x",
        "notice": {"kind": "admission", "occurred_on": "2026-09-10", "text": "Seen."},
    }
    assert "text" not in sheltered_facts({**facts, "notice": text}, tree)["notice"]
    assert sheltered_facts({"from": "GP-A/GP", "left": ["b"]}, tree) == {"from": "GP-A/GP"}


def test_of_changed_fields_those_of_places_are_not_spoken_of() -> None:
    """Nor identifiers, some of which name a place."""
    focus = [
        f"subjects[subject_id=s1].{name}"
        for name in ("address", "given_names", "identifiers", "school_or_setting", "gender")
    ]

    assert told_fields(focus) == (focus[1], focus[4])


@pytest.mark.parametrize(
    ("child", "text", "found"),
    [
        ({}, "anything", False),
        ({"address": [{"address_lines": ["Elm"]}]}, "by the elm", False),
        ({"address": [{"address_lines": ["Elms"]}]}, "by the Elms", True),
        ({"address": [{"postcode": "ZZ99 1AA"}]}, "zz991aa", True),
        ({"address": [{"postcode": ""}]}, "anything", False),
        ({"address": [{"postcode": "ZZ9"}]}, "at zz9", True),
        ({"address": [{"uprn": "10009990"}]}, "it is 10009990", True),
        ({"address": [{}]}, "None", False),
        ({"contact_tel": ["0113 496 0777"]}, "+44 113 4960777", True),
        ({"contact_tel": ["0113 496 0777"]}, "44113 4960778", False),
        ({"contact_tel": ["01234"]}, "call 1234", False),
        ({"contact_tel": ["012345"]}, "call 12345", True),
        ({"contact_tel": ["0044 113 496 0777"]}, "0113 496 0777", True),
        ({"contact_tel": ["44555"]}, "ring 44555", True),
        ({"contact_tel": ["\u0661\u0662\u0663\u0664\u0665"]}, "12345", True),
        ({"email": ["a@b.example"]}, "A@B.example", True),
        ({"gp_practice": {"name": "Mill Pond"}}, "Mill\u00a0Pond", True),
        ({"gp_practice": {"contact_tel": "0113 496 0779"}}, "01134960779", True),
        ({"gp_practice": None}, "none", False),
        ({"school_or_setting": [{"name": "Oak"}, {"name": "Willow Bank"}]}, "Oak", False),
        ({"school_or_setting": [{"name": "Oak"}, {"name": "Willow Bank"}]}, "willowbank", True),
        ({"address": [{"postcode": "ZZ90 1OL"}]}, "zz9o iol", True),
        ({"address": [{"address_lines": ["Elms"]}]}, "E&nbsp;lms", True),
        ({"address": [{"address_lines": ["Elms"]}]}, "<Elms>", True),
    ],
)
def test_what_is_searched_for_in_texts(child: dict[str, Any], text: str, found: bool) -> None:
    """Lines and names of four letters and more, numbers however dialled, postcodes."""
    assert Places(({"subjects": [child]},)).named_in(text) is found


@pytest.mark.parametrize(
    ("universal", "text"),
    [
        ({"gp": {"name": "Mill Pond"}}, "Mill Pond"),
        ({"gp": {"address": {"address_lines": ["4 Pond Row"]}}}, "4 Pond Row"),
        ({"early_years_or_education_or_training": [{"name": "Little Oaks"}]}, "Little Oaks"),
        (
            {"early_years_or_education_or_training": [{"address": {"postcode": "ZZ99 3PP"}}]},
            "ZZ99 3PP",
        ),
    ],
)
def test_universal_services_are_places_too(universal: dict[str, Any], text: str) -> None:
    """The practice and the nursery that the form's page of services names."""
    places = Places(({"services": {"universal_service": universal}},))

    assert places.named_in(f"at {text}")
    assert not places.named_in("elsewhere")


def test_a_base_is_where_the_family_is() -> None:
    """By the type of service, or by the organisation of a place."""
    known, unknown = (
        Places(({"subjects": [{"school_or_setting": [school]}]},))
        for school in ({"name": "Oak", "organisation_id": 900001}, {"name": "Oak"})
    )

    assert known.is_base({"service_type": "SCH"})
    assert known.is_base({"organisation": "900001"})
    assert not known.is_base({"service_type": "FSW", "organisation": "EHM-A"})
    assert not known.is_base({})
    assert not unknown.is_base({"organisation": "None"})


def test_of_what_is_left_no_text_names_a_place() -> None:
    """One text of several goes, an empty list does not stay, codes and dates are not searched."""
    place = "1 Example Road"
    tree = shielded()
    tree["subjects"][0]["address"] = [b.address(address_lines=[place, "Home"])]
    tree["conclusions"] = {
        **tree["conclusions"],
        "conclusions": f"They live at {place}.",
        "goals": [f"Stay at {place}", "Sleep"],
        "solutions": [f"Stay at {place}"],
    }
    tree["responsible_practitioner"] = {
        **b.practitioner("p-lead", organisation="EHM-A", service_type="FSW"),
        "address_lines": ["2 Office Row"],
        "postcode": "ZZ99 5OF",
    }
    away = {"subject_id": "s1", "lives_with_child": "N"}
    flat = b.address(address_lines=["9 Far Row"], postcode="ZZ99 8FR", uprn="100000000009")
    tree["parents_carers"] = [{**MOTHER, "address": [flat], "relationships": [away]}]
    shown = sheltered(tree)

    assert shown["conclusions"]["goals"] == ["Sleep"]
    assert not {"conclusions", "solutions"} & shown["conclusions"].keys()
    assert shown["conclusions"]["need_level"] == tree["conclusions"]["need_level"]
    assert not {"address_lines", "postcode"} & shown["responsible_practitioner"].keys()
    assert shown["parents_carers"][0]["address"] == [flat]


def test_where_others_of_the_household_go_to_school_stays() -> None:
    """A brother's school is where the family is."""
    brother = {"name": "Max", "school": "Oak School"}
    tree = shielded(family={"household_member": [brother]})

    shown = sheltered(tree)

    assert shown["family"]["household_member"] == [{"name": "Max"}]
