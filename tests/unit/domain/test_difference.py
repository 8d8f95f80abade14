"""The difference between versions: what a bare episode says."""

import copy
from itertools import product
from typing import Any

import pytest

from hub.domain.difference import (
    DEMOGRAPHIC,
    derive,
    lead_state,
    led,
    responsible_practitioner,
    together,
)
from hub.domain.lifecycle import Lead, Regions
from hub.domain.notifications import N5_INDEX_PATHS, N5_TEAM_PATHS
from tests import builders

CHILD = "subjects[subject_id=s1]"


def changed(before: dict[str, Any], after: dict[str, Any], **regions: Any) -> dict[str, Any]:
    """Return what was derived, by code; a code that came twice fails."""
    derived = derive(before, after, **regions)
    found = {item.code: item for item in derived}
    assert len(found) == len(derived)
    return found


@pytest.fixture
def episode() -> dict[str, Any]:
    """Ava's episode."""
    return builders.episode()


def test_the_first_version_is_created_and_nothing_else(episode: dict[str, Any]) -> None:
    """Everything in it is new, so only N1 has something to say."""
    (created,) = derive(None, episode)

    assert (created.code, created.paths) == ("N1", (CHILD,))


def test_the_same_again_says_nothing(episode: dict[str, Any]) -> None:
    """A repeat is no news."""
    assert derive(episode, copy.deepcopy(episode)) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("given_names", ["Eva"]),
        ("family_name", "Sample"),
        ("preferred_name", "Avie"),
        ("aka_previous_names", []),
        ("gender", "U"),
        ("date_of_birth", "2016-05-15"),
        ("address", [builders.address(postcode="ZZ99 4AA")]),
        ("contact_tel", ["0113 496 0999"]),
        ("identifiers", [{"system": "upn", "value": "W001900120001"}]),
    ],
)
def test_demographics(episode: dict[str, Any], field: str, value: Any) -> None:
    """N5 names the changed field and no other, and N6 does not repeat it."""
    after = copy.deepcopy(episode)
    after["subjects"][0][field] = value

    found = changed(episode, after)

    assert found.keys() == {"N5"}
    assert found["N5"].paths == (f"{CHILD}.{field}",)


def test_birth_is_one_change_of_demographics(episode: dict[str, Any]) -> None:
    """S5: the date of birth set, the EDD cleared, the identifier added: one N5."""
    unborn = copy.deepcopy(episode)
    child = unborn["subjects"][0]
    child |= {"is_unborn": True, "expected_date_of_delivery": "2016-05"}
    del child["date_of_birth"], child["identifiers"]

    found = changed(unborn, episode)

    assert found.keys() == {"N5"}
    assert set(found["N5"].paths) >= {
        f"{CHILD}.is_unborn",
        f"{CHILD}.date_of_birth",
        f"{CHILD}.expected_date_of_delivery",
        f"{CHILD}.identifiers",
    }


def test_language_is_demographics_and_ethnicity_is_content(episode: dict[str, Any]) -> None:
    """The team hears of language and special requirements by N5; the rest is assessment."""
    after = copy.deepcopy(episode)
    after["subjects"][0]["characteristics"] |= {"child_first_language": "cy", "ethnicity": "WBRI"}

    found = changed(episode, after)

    assert found["N5"].paths == (f"{CHILD}.characteristics.child_first_language",)
    assert found["N6"].paths == (f"{CHILD}.characteristics",)


def test_every_demographic_field_may_be_shown(episode: dict[str, Any]) -> None:
    """What N5 is derived from is what N5 may carry, so that no change is told empty."""
    carried = {path.split(".")[1].split("[")[0] for path in N5_TEAM_PATHS}

    assert set(DEMOGRAPHIC) == carried - {"characteristics"}
    assert N5_INDEX_PATHS < N5_TEAM_PATHS


def test_a_new_lead_professional_is_told_without_being_pressed(episode: dict[str, Any]) -> None:
    """N3 whenever the derived responsible practitioner changes (1.4)."""
    after = copy.deepcopy(episode)
    after["services"] |= {
        "lead_professional": builders.practitioner("p-visit"),
        "lp_from": "2026-11-01",
    }

    found = changed(episode, after)

    assert found.keys() == {"N3"}
    assert found["N3"].facts == {"was_acting": False, "effective_on": "2026-11-01"}
    assert found["N3"].paths == ("services.lead_professional",)


def test_the_first_appointment_ends_acting(episode: dict[str, Any]) -> None:
    """The assessor held the baton; the fact goes with N3."""
    before = copy.deepcopy(episode)
    del before["services"]["lead_professional"]
    before["services"]["lp_state"] = "ACTING"

    assert changed(before, episode)["N3"].facts["was_acting"] is True


def test_losing_the_lead_makes_the_assessor_responsible(episode: dict[str, Any]) -> None:
    """The derived value changes though nobody named a new lead."""
    after = copy.deepcopy(episode)
    after["services"]["lp_state"] = "ACTING"
    del after["services"]["lead_professional"]

    assert changed(episode, after)["N3"].paths == ("services.assessor",)


def test_who_is_named_to_act_is_responsible(episode: dict[str, Any]) -> None:
    """A deputy who acts is the one to ring, until somebody is appointed (S8 step 4)."""
    after = copy.deepcopy(episode)
    after["services"] |= {"lp_state": "ACTING", "lead_professional": builders.practitioner("p-new")}

    assert changed(episode, after)["N3"].paths == ("services.lead_professional",)


def test_the_regions_decide_who_is_responsible(episode: dict[str, Any]) -> None:
    """What the tree claims counts only until the hub has its own state."""
    acting = Regions("PLAN_ACTIVE", None, "ACTING")
    pending = Regions("PLAN_ACTIVE", None, "HANDOVER_PENDING")
    kept = episode | {"responsible_practitioner": builders.practitioner("p-house")}

    def who(tree: dict[str, Any], regions: Regions | None = None) -> str:
        found = responsible_practitioner(tree, regions)
        assert found is not None
        return str(found["practitioner_id"])

    assert who(episode) == "p-lead"
    assert who(episode, acting) == "p-teach"
    assert who(kept, pending) == "p-house"
    assert responsible_practitioner(None) is None


def test_lead_states_of_senders_that_do_not_name_them(episode: dict[str, Any]) -> None:
    """A lead professional in the tree is an appointed one; else the assessor acts."""
    bare = {"services": {"assessor": [builders.practitioner("p-teach")]}}
    named = {"services": {"lead_professional": builders.practitioner("p-lead")}}

    assert [lead_state(tree) for tree in (episode, bare, named, {})] == [
        "APPOINTED",
        "ACTING",
        "APPOINTED",
        "NONE",
    ]


def test_contact_details_of_the_same_person(episode: dict[str, Any]) -> None:
    """N4 for the practitioner, and neither plan nor assessment is news because of it."""
    after = copy.deepcopy(episode)
    new = builders.practitioner("p-house", contact_tel="0113 496 0777")
    after["plan"]["team_member"][3]["practitioner"] = new
    after["plan"]["action"][1]["action_owner"]["practitioner"] = new

    found = changed(episode, after)

    assert found.keys() == {"N4"}
    assert found["N4"].facts == {"practitioners": ("p-house",)}


def test_removed_contact_details_are_a_change(episode: dict[str, Any]) -> None:
    """A number that is no longer anybody's must leave the index."""
    after = copy.deepcopy(episode)
    for place in (
        after["services"]["lead_professional"],
        after["plan"]["team_member"][1]["practitioner"],
    ):
        del place["email"]

    assert changed(episode, after)["N4"].facts == {"practitioners": ("p-lead",)}


def test_another_copy_of_a_practitioner_is_no_change(episode: dict[str, Any]) -> None:
    """A further mention that says less is no news of how to reach them."""
    after = copy.deepcopy(episode)
    mention = {"practitioner_id": "p-lead", "name": "Mr L Lead", "organisation": "EHM-A"}
    after["plan"]["action"][2]["action_owner"] = {"practitioner": mention}

    assert changed(episode, after).keys() == {"N9"}


def test_another_assessor_is_no_contact_change(episode: dict[str, Any]) -> None:
    """Somebody else is somebody else: N3 if they are responsible, never N4."""
    before = copy.deepcopy(episode)
    before["services"]["lp_state"] = "ACTING"
    del before["services"]["lead_professional"]
    after = copy.deepcopy(before)
    after["services"]["assessor"] = [builders.practitioner("p-new")]

    assert "N3" in changed(before, after)
    assert "N4" not in changed(before, after)


def test_joining_and_leaving(episode: dict[str, Any]) -> None:
    """N8 names services, and a leaving date is leaving."""
    after = copy.deepcopy(episode)
    after["plan"]["team_member"][0]["left"] = "2026-11-01"
    after["plan"]["team_member"].append({"organisation": "SCH-B", "service_type": "SCH"})

    found = changed(episode, after)

    assert found.keys() == {"N8"}
    assert found["N8"].facts == {"joined": ("SCH-B/SCH",), "left": ("SCH-A/SCH",)}


def test_plan_review_content_and_closure(episode: dict[str, Any]) -> None:
    """Each part of the form that changed is told by its own code."""
    after = copy.deepcopy(episode)
    after["plan"]["action"][0]["action_status"] = "DONE"
    after["reviews"].append(builders.review(review_id="rev2"))
    after["conclusions"]["need_level"] = "L1"
    after["subjects"][0]["elements"][0]["commentary"] = "Better."
    after["closure"] = {"closed_on": "2026-12-03", "closure_reason": "NEEDS_MET"}

    found = changed(episode, after)

    assert found.keys() == {"N2", "N6", "N9"}
    assert found["N9"].paths == ("plan.action", "reviews")
    assert found["N6"].paths == ("conclusions", f"{CHILD}.elements")
    assert found["N2"].facts == {"closed_on": "2026-12-03"}


def test_a_deleted_part_is_a_change(episode: dict[str, Any]) -> None:
    """What went away is as much news as what came."""
    after = copy.deepcopy(episode)
    del after["subjects"][0]["gp_practice"], after["conclusions"]

    assert changed(episode, after)["N6"].paths == ("conclusions", f"{CHILD}.gp_practice")


def test_another_child_is_created(episode: dict[str, Any]) -> None:
    """D3: each child has an index entry of its own."""
    after = copy.deepcopy(episode)
    after["subjects"].append(builders.subject(subject_id="s2", given_names=["Ben"]))

    found = changed(episode, after)

    assert found["N1"].paths == ("subjects[subject_id=s2]",)
    assert "N5" not in found


def test_one_list_without_duplicates(episode: dict[str, Any]) -> None:
    """What the event raised and the difference shows is told once, with the difference's paths."""
    after = copy.deepcopy(episode)
    after["subjects"][0]["gender"] = "U"

    told = together(("N5", "N10"), derive(episode, after))

    assert [item.code for item in told] == ["N10", "N5"]
    assert told[1].paths == (f"{CHILD}.gender",)


def test_only_the_lead_depends_on_the_regions(episode: dict[str, Any]) -> None:
    """What was derived without the regions, and then told them, is what they would have given."""
    after = copy.deepcopy(episode)
    after["conclusions"]["conclusions"] = "Other words."
    after["subjects"][0]["family_name"] = "Other"
    after["services"]["lead_professional"] = builders.practitioner(practitioner_id="p-new")
    regions = [Regions(lead=lead) for lead in Lead]

    for was, now in product(regions, regions):
        whole = derive(episode, after, was=was, now=now)
        told = led(derive(episode, after), episode, after, was, now)
        assert {one.code: one for one in told} == {one.code: one for one in whole}
        assert len(told) == len(whole)
    first = derive(None, after)
    assert led(first, None, after, regions[0], regions[1]) == first
