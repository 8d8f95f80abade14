"""Merging by example: what senders really do to an episode."""

from typing import Any

import pytest

from hub.domain.dictionary import Leaf
from hub.domain.merge import merge
from hub.errors import Code, Conflict
from tests import builders

Tree = dict[str, Any]


def everything(_: Leaf) -> bool:
    """Allow all, as for the owner of an episode."""
    return True


def sent(**parts: Any) -> Tree:
    """Return a part of Ava's episode."""
    return {"episode_id": "e1", **parts}


def merged(part: Tree, *deletes: str) -> Tree:
    """Return what the owner's part makes of Ava's episode."""
    return dict(merge(builders.episode(), part, deletes=deletes, writable=everything))


def test_the_first_part_is_the_episode() -> None:
    """Where nothing is stored, what is sent is what there is."""
    assert merge(None, builders.episode(), writable=everything) == builders.episode()


def test_what_is_not_sent_is_kept() -> None:
    """A sender that knows one action loses nobody's plan."""
    part = sent(plan={"action": [{"id": "a2", "action_status": "DONE"}]})
    expected = builders.episode()
    expected["plan"]["action"][1]["action_status"] = "DONE"
    assert merged(part) == expected


def test_an_unknown_key_is_a_new_item() -> None:
    """A second child is added; the first stays as she was."""
    child = builders.subject(subject_id="s2", given_names=["Max"], identifiers=[])
    assert merged(sent(subjects=[child]))["subjects"] == [builders.subject(), child]


def test_an_empty_list_deletes_nothing() -> None:
    """Only a deletion deletes; an empty list of items says nothing about those that are stored."""
    assert merged(sent(reviews=[], subjects=[])) == builders.episode()


def test_a_list_of_values_is_one_leaf() -> None:
    """Sent telephone numbers replace the stored ones, since nothing tells two of them apart."""
    part = sent(subjects=[{"subject_id": "s1", "contact_tel": ["0113 496 0999"]}])
    assert merged(part)["subjects"][0]["contact_tel"] == ["0113 496 0999"]


def test_a_team_member_who_left_is_still_one_member() -> None:
    """Members have no key: organisation, service and practitioner tell them apart."""
    member = {**builders.plan()["team_member"][3], "left": "2026-11-01"}
    team = merged(sent(plan={"team_member": [member]}))["plan"]["team_member"]
    assert team == [*builders.plan()["team_member"][:3], member]


def test_a_new_comment_stands_beside_the_old_one() -> None:
    """Nobody's words are overwritten by somebody's later ones."""
    said = {"parent_carer_id": "c1", "text": "I have thought about it."}
    comments = merged(sent(plan={"parent_comment": [said]}))["plan"]["parent_comment"]
    assert comments == [*builders.plan()["parent_comment"], said]


def test_a_new_home_replaces_the_old_one_whole() -> None:
    """What is not sent of the new home is gone, for two half addresses are nobody's."""
    home = {"address_lines": ["3 New Street", "Newtown"], "postcode": "ZZ99 3BB", "use": "home"}
    part = sent(subjects=[{"subject_id": "s1", "address": [home]}])
    assert merged(part)["subjects"][0]["address"] == [home]


def test_a_second_home_is_another_address() -> None:
    """Split residence: an address of another use stands beside the first."""
    second = builders.address(use="second_home", postcode="ZZ99 3CC")
    part = sent(subjects=[{"subject_id": "s1", "address": [second]}])
    assert merged(part)["subjects"][0]["address"] == [builders.address(), second]


def test_another_lead_professional_inherits_no_telephone() -> None:
    """A new person replaces the old one whole, for her contact block must not mix with his."""
    newlead = {"practitioner_id": "p-new", "name": "Ms N Newlead", "organisation": "EHM-B"}
    part = sent(services={"lead_professional": newlead})
    assert merged(part)["services"]["lead_professional"] == newlead


def test_the_same_lead_professional_keeps_what_is_not_sent() -> None:
    """A changed number of the same person leaves the address of her office alone."""
    part = sent(
        services={
            "lead_professional": {"practitioner_id": "p-lead", "contact_tel": "0113 496 0002"}
        }
    )
    assert merged(part)["services"]["lead_professional"] == builders.practitioner(
        "p-lead", contact_tel="0113 496 0002"
    )


def test_another_owner_of_an_action_replaces_the_old_one() -> None:
    """An action passes to the mother: no practitioner of the old owner stays behind."""
    part = sent(plan={"action": [{"id": "a1", "action_owner": {"person_id": "c1"}}]})
    assert merged(part)["plan"]["action"][0]["action_owner"] == {"person_id": "c1"}


def test_another_practice_replaces_the_old_one() -> None:
    """A GP practice of another id is another practice, not the old one renamed."""
    practice = {"organisation_id": "GP-B", "name": "New Surgery"}
    part = sent(subjects=[{"subject_id": "s1", "gp_practice": practice}])
    assert merged(part)["subjects"][0]["gp_practice"] == practice
    part = sent(subjects=[{"subject_id": "s1", "gp_practice": {"contact_tel": "0113 496 0405"}}])
    assert merged(part)["subjects"][0]["gp_practice"]["name"] == "Example Surgery"


def test_a_birth_replaces_the_expected_date() -> None:
    """Born: the date of birth takes the place of the expected one, and the child keeps its id
    (S5).
    """
    before = sent(
        subjects=[
            {
                "subject_id": "s1",
                "is_unborn": True,
                "family_name": "Example",
                "expected_date_of_delivery": "2026-09-10",
            }
        ]
    )
    birth = {
        "subject_id": "s1",
        "is_unborn": False,
        "given_names": ["Fay"],
        "date_of_birth": "2026-09-02",
        "identifiers": [{"system": "nhs-number", "value": "9990000069"}],
    }
    after = merge(before, sent(subjects=[birth]), writable=everything)
    assert after["subjects"] == [{**birth, "family_name": "Example"}]


@pytest.mark.parametrize(
    ("deletion", "place"),
    [
        ("family.family_id", "/family/family_id"),
        ("plan.action[id=a3]", "/plan/action/2"),
        ("subjects[subject_id=s1].email", "/subjects/0/email"),
        ("subjects[subject_id=s1].given_names[=Rose]", "/subjects/0/given_names/1"),
        ("subjects[subject_id=s1].address[use=home][postcode=ZZ99 3AA]", "/subjects/0/address/0"),
        ("subjects[subject_id=s1].elements[element=1.10].kind", "/subjects/0/elements/9/kind"),
        ("services.lead_professional", "/services/lead_professional"),
    ],
)
def test_a_deletion_takes_out_what_it_names(deletion: str, place: str) -> None:
    """Leaves, groups, items of lists and single values can be taken out, and nothing else goes."""
    assert merged(sent(), deletion) == builders.changed(builders.episode(), place, builders.GONE)


def test_deletions_do_not_shift_each_other() -> None:
    """Two items of one list are found before either is taken out."""
    after = merged(sent(), "plan.action[id=a1]", "plan.action[id=a2]", "plan.action[id=a3].text")
    kept = {**builders.plan()["action"][2]}
    del kept["text"]
    assert after["plan"]["action"] == [kept]


@pytest.mark.parametrize(
    "deletion",
    [
        "plan.action[id=a9]",
        "closure.closure_summary",
        "subjects[subject_id=s1].identifiers[verified=true]",
        "services.other_service",
    ],
)
def test_a_deletion_must_name_one_thing(deletion: str) -> None:
    """What is not there cannot be deleted, and a list of items goes item by item or as a whole."""
    if deletion == "services.other_service":
        assert "other_service" not in merged(sent(), deletion)["services"]
        return
    with pytest.raises(Conflict) as refused:
        merged(sent(), deletion)
    assert [(fault.code, fault.path) for fault in refused.value.faults] == [
        (Code.REFERENCE, "/message/deletes/0")
    ]


def not_health(leaf: Leaf) -> bool:
    """Allow everything but characteristics."""
    return leaf.section != "sec.characteristics"


def test_every_leaf_that_is_not_the_senders_is_named() -> None:
    """One refusal for all: changed, added and deleted leaves alike."""
    part = sent(
        subjects=[
            {
                "subject_id": "s1",
                "preferred_name": "Avie",
                "characteristics": {"religion": "CHR", "nationality": "British"},
            }
        ]
    )
    deletion = "subjects[subject_id=s1].characteristics.young_carer"
    with pytest.raises(Conflict) as refused:
        merge(builders.episode(), part, deletes=[deletion], writable=not_health, at="/episode")
    assert {(fault.code, fault.path) for fault in refused.value.faults} == {
        (Code.NOT_OWNER, "/episode/subjects/0/characteristics/religion"),
        (Code.NOT_OWNER, "/episode/subjects/0/characteristics/nationality"),
        (Code.NOT_OWNER, "/message/deletes/0"),
    }


def test_a_deletion_of_what_was_withheld_looks_like_one_of_what_is_not_there() -> None:
    """Deleting cannot be used to find out what is stored."""
    told = []
    for field in ("religion", "nationality"):
        with pytest.raises(Conflict) as refused:
            merge(
                builders.episode(),
                sent(),
                deletes=[f"subjects[subject_id=s1].characteristics.{field}"],
                writable=everything,
                given=lambda leaf, _: not_health(leaf),
            )
        told.append(refused.value.faults)
    assert told[0] == told[1]


def test_given_is_asked_about_stored_places() -> None:
    """The pointer is that of the stored leaf, wherever the sender put it in its own list."""
    asked = set()

    def given(leaf: Leaf, pointer: str) -> bool:
        asked.add((leaf.path, pointer))
        return True

    last = builders.element("3.4")
    merge(
        builders.episode(),
        sent(subjects=[{"subject_id": "s1", "elements": [last]}]),
        writable=lambda _: False,
        given=given,
    )
    assert ("subjects[].elements[].commentary", "/subjects/0/elements/18/commentary") in asked


def test_merging_changes_neither_side() -> None:
    """Both trees are as they were, for others read them too."""
    before, part = builders.episode(), sent(plan=builders.plan(plan_version=2))
    merge(before, part, deletes=["plan.action[id=a1]"], writable=everything)
    assert before == builders.episode()
    assert part == sent(plan=builders.plan(plan_version=2))
