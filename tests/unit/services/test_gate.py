"""The gate: the order of its tests, each with its code, and what each kind of message may say."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.accreditation import Protocol
from hub.domain.exchange import EpisodeHead, Involvement
from hub.errors import Code, Unavailable, Withheld
from hub.services.gate import (
    Case,
    Request,
    news,
    purpose_of,
    related,
    release,
    release_to_index,
)
from hub.services.released import Released, genuine
from tests import builders as b
from tests.unit.services.world import PARTNERS, START, held, partner

SCHOOL = PARTNERS[0]
CO_ORDINATOR = {"name": "CAF co-ordinator", "organisation": "LA-001", "contact_tel": "0113"}


def own(**changes: Any) -> dict[str, Any]:
    """Return Mia's decision about herself, to the same services."""
    record = b.decision(
        **{
            "consent_decision_id": "d2",
            "subject_id": "c1",
            "given_by_person": "c1",
            "given_by_basis": "ADULT_SELF",
            **changes,
        }
    )
    del record["pr_basis"]
    return record


def case(
    tree: dict[str, Any] | None = None,
    *records: dict[str, Any],
    services: tuple[str, ...] = b.SERVICES,
    process: str = "PLAN_ACTIVE",
    **head: Any,
) -> Case:
    """Return Ava's episode as the gate sees it, decided as Mia did unless *records* say else."""
    records = records or (b.decision(), own())
    values = {"owner": "SCH-A", "home_authority": "001", "process": process, **head}
    return Case(
        EpisodeHead(
            "e1", values["owner"], values["home_authority"], process, None, "APPOINTED", "OPEN",
            3, 1, START, START,
        ),
        tree or b.episode(),
        held(records),
        tuple(Involvement(f"i-{name}", "e1", name, "", START) for name in services),
    )  # fmt: skip


def request(kind: str = "N7", service: str = "SCH-A/SCH", **changes: Any) -> Request:
    """Return what a service is to be told."""
    to = next(one for one in PARTNERS if one.serves(service))
    return replace(Request(to, service, kind, (), {}, "PLAN", START), **changes)


def refused(stands: Case, wanted: Request) -> Code:
    """Return the code with which the gate withholds."""
    with pytest.raises(Withheld) as withheld:
        release(stands, wanted)
    return withheld.value.code


def test_what_is_agreed_is_released_for_its_recipient() -> None:
    """The view names its recipient, its purpose and the decisions that it rests on."""
    released = release(case(), request())

    assert genuine(released)
    assert (released.recipient, released.purpose) == ("SCH-A/SCH", "PLAN")
    assert released.decisions == ("d1", "d2")
    assert "checklists" not in released.tree["episode"]


# The order of the tests (`domain.md` 4.4), each with everything after it failing too

HIDDEN = b.changed(b.episode(), "/subjects/0/shielding", "full")
LAPSED = replace(SCHOOL, protocols=(Protocol("ISP-1", date(2026, 8, 31)),))
NO_SCOPE = b.decision(scope_includes=[{"service": "HV-A/HV", "section": "all"}])


@pytest.mark.parametrize(
    ("stands", "wanted", "code"),
    [
        (case(HIDDEN, NO_SCOPE, services=()), {"partner": LAPSED}, Code.ORG_NOT_ACCREDITED),
        (case(HIDDEN, NO_SCOPE, services=()), {}, Code.NO_RELATIONSHIP),
        (case(HIDDEN, NO_SCOPE), {}, Code.SHIELDED),
        (case(None, NO_SCOPE), {}, Code.CONSENT_SCOPE),
        (case(None, b.decision(state="REFUSED", share_decision="no")), {}, Code.CONSENT_NONE),
        (case(None, b.decision(store_decision="no", state="REFUSED")), {}, Code.CONSENT_NONE),
        (case(), {"at": START + timedelta(days=366)}, Code.CONSENT_EXPIRED),
        (case(), {"purpose": "TRANSFER"}, Code.CONSENT_SCOPE),
    ],
    ids=["accredited", "related", "shielded", "scope", "refused", "none", "expired", "purpose"],
)
def test_the_first_test_that_fails_gives_its_reason(
    stands: Case, wanted: dict[str, Any], code: Code
) -> None:
    """Accredited, related, shielded, consented: whatever else is wrong, the first is told."""
    assert refused(stands, request(**wanted)) is code


def test_no_decision_at_all() -> None:
    """Silence is no."""
    stands = replace(case(), decisions=())

    assert refused(stands, request()) is Code.CONSENT_NONE


def test_a_relationship_that_ended_is_none() -> None:
    """Who has left gets nothing more, whatever consent still says."""
    stands = case()
    ended = tuple(replace(one, until=START) for one in stands.involvements)

    assert refused(replace(stands, involvements=ended), request()) is Code.NO_RELATIONSHIP


@pytest.mark.parametrize("kind", ["N6", "N7", "N9", "N16", "VIEW"])
@pytest.mark.parametrize(
    ("process", "code"),
    [
        ("ASSESSING", Code.STATE),
        ("TRANSFER_PENDING", Code.STATE),
        ("PAUSED", Code.CONSENT_SCOPE),
        ("VOID", Code.STATE),
        ("CLOSED", Code.CONSENT_EXPIRED),
    ],
)
def test_content_leaves_only_where_content_may_leave(kind: str, process: str, code: Code) -> None:
    """What waited when the episode was paused, moved, closed or voided does not leave any more."""
    assert refused(case(process=process), request(kind)) is code


@pytest.mark.parametrize("kind", ["N2", "N3", "N5", "N8", "NOTICE"])
def test_nothing_is_told_of_a_void_episode(kind: str) -> None:
    """After N14 nothing else follows."""
    facts = {"subject_id": "s1", "section": "sec.child.learning"}
    assert refused(case(process="VOID"), request(kind, facts=facts)) is Code.STATE


def test_an_offer_goes_only_while_the_transfer_is_pending() -> None:
    """N11 that waited until the transfer was over says nothing."""
    transfer = b.decision(
        purpose=["TRANSFER"],
        scope_includes=[{"service": "EHM-B/FSW", "section": "all", "purpose": "TRANSFER"}],
    )
    wanted = request("N11", "EHM-B/FSW", purpose="TRANSFER")
    tree = b.episode(responsible_practitioner=b.practitioner("p-lead"))
    stands = case(tree, transfer, services=("EHM-B/FSW",), process="TRANSFER_PENDING")

    shown = release(stands, wanted).tree["episode"]
    assert set(shown) == {"episode_id", "responsible_practitioner", "subjects"}
    assert "elements" not in shown["subjects"][0]
    assert refused(case(None, transfer, services=("EHM-B/FSW",)), wanted) is Code.STATE


@pytest.mark.parametrize(("kind", "focus"), [("N10", ()), ("N14", ()), ("N8", ("left",))])
def test_what_is_owed_to_who_received_says_only_its_facts(kind: str, focus: tuple[str]) -> None:
    """A recall, a correction and a farewell reach whoever received, and show nothing."""
    stands = case(HIDDEN, NO_SCOPE, services=())

    released = release(stands, request(kind, focus=focus, facts={"copies": "LOCK"}))

    assert released.tree == {
        "notification": {"code": kind, "copies": "LOCK"},
        "episode": {"episode_id": "e1"},
    }


# What no recipient may learn


def test_a_plan_event_for_who_may_not_see_the_plan_is_none() -> None:
    """Without a right to plan or reviews, not even that something was agreed."""
    only = b.decision(scope_includes=[{"service": "SCH-A/SCH", "section": "sec.identity"}])

    assert refused(case(None, only), request("N9")) is Code.CONSENT_SCOPE


def test_a_demographic_change_shows_what_changed_and_only_to_who_may_see_it() -> None:
    """N5 holds the changed fields; one that went is named without a value."""
    tree = b.episode()
    del tree["subjects"][0]["email"]
    focus = ("subjects[subject_id=s1].family_name", "subjects[subject_id=s1].email")

    told = release(case(tree), request("N5", focus=focus)).tree

    assert told["episode"]["subjects"] == ({"subject_id": "s1", "family_name": "Example"},)
    assert told["notification"]["changed"] == tuple(sorted(focus))


def test_a_change_of_what_one_may_not_see_is_not_told() -> None:
    """Special requirements are in sec.characteristics, which housing was never given."""
    focus = ("subjects[subject_id=s1].characteristics.special_requirements",)

    assert refused(case(), request("N5", "HOU-A/HOUS", focus=focus)) is Code.CONSENT_SCOPE


def test_a_move_to_a_refuge_is_told_as_an_address_that_went() -> None:
    """Where a refuge is never leaves, and no address at all looks the same."""
    focus = ("subjects[subject_id=s1].address",)
    trees = b.episode(), b.episode()
    trees[0]["subjects"][0]["address"] = [b.address(use="refuge", address_lines=["9 Safe", "St"])]
    del trees[1]["subjects"][0]["address"]

    refuge, none = (release(case(t), request("N5", focus=focus)).tree for t in trees)

    assert refuge == none


@pytest.mark.parametrize(("reason", "told"), [("MOVED", "MOVED"), ("ACCEND", None), (None, None)])
def test_why_the_lead_changed_goes_with_content(reason: str | None, told: str | None) -> None:
    """Never in N3 (`domain.md` 1.5), and that somebody's access was ended (S8) to nobody: that
    looks like no reason at all.
    """
    tree = b.episode()
    tree["services"].pop("lp_change_reason")
    if reason:
        tree["services"]["lp_change_reason"] = reason

    seen = {kind: release(case(tree), request(kind)).tree["episode"] for kind in ("N7", "N3")}

    assert seen["N7"]["services"].get("lp_change_reason") == told
    assert "services" not in seen["N3"]


def test_contact_details_are_those_of_who_changed_them() -> None:
    """N4 shows the practitioner's own block wherever they work, and nothing of the child."""
    shown = release(case(), request("N4", "HOU-A/HOUS", focus=("p-visit",))).tree["episode"]

    assert set(shown) == {"episode_id", "plan"}
    assert [m["practitioner"]["name"] for m in shown["plan"]["team_member"]] == ["Mrs V Visit"]
    assert refused(case(), request("N4", focus=("p-nobody",))) is Code.CONSENT_SCOPE


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"joined": ["HV-A/HV", "CAMHS-A/CAMHS"]}, {"joined": ("HV-A/HV",)}),
        ({"event": "team.called"}, {"event": "team.called"}),
        ({"left": ["CAMHS-A/CAMHS"], "event": "team.called"}, {"event": "team.called"}),
        ({"joined": ["CAMHS-A/CAMHS"]}, None),
        ({}, None),
    ],
)
def test_who_came_and_went_without_sensitive_services(
    facts: dict[str, Any], told: dict[str, Any] | None
) -> None:
    """A team event names nobody sensitive, and where only they moved it is none."""
    wanted = request("N8", facts=facts)
    if told is None:
        assert refused(case(), wanted) is Code.CONSENT_SCOPE
    else:
        assert release(case(), wanted).tree["notification"] == {"code": "N8", **told}


def test_members_are_named_only_to_who_sees_the_plan() -> None:
    """That the team changed is told to all of it; by whom, to who was given the plan."""
    only = b.decision(scope_includes=[{"service": "SCH-A/SCH", "section": "sec.identity"}])
    wanted = request("N8", facts={"joined": ["HV-A/HV"]})

    assert release(case(None, only), wanted).tree["notification"] == {"code": "N8"}


def test_a_request_for_services_tells_of_no_other_request() -> None:
    """N16 shows its own request; who else was asked is not the service's to know."""
    tree = b.episode()
    tree["plan"]["service_request"].append({"id": "r2", "requested_service": "HV-A/HV"})
    wanted = request("N16", "HOU-A/HOUS", focus=("request", "r1"))

    plan = release(case(tree), wanted).tree["episode"]["plan"]

    assert [item["id"] for item in plan["service_request"]] == ["r1"]


@pytest.mark.parametrize(
    ("section", "sensitive", "passes"),
    [
        ("sec.child.learning", False, True),
        ("sec.child.health", False, False),
        ("sec.child.health", True, True),
    ],
)
def test_a_notice_about_health_needs_the_sensitive_cell(
    section: str, sensitive: bool, passes: bool
) -> None:
    """What a health system tells is of a special category, as the element of that section is."""
    scope = [{"service": "SCH-A/SCH", "section": section, "sensitive": sensitive}]
    stands = case(None, b.decision(scope_includes=scope))
    wanted = request("NOTICE", facts={"subject_id": "s1", "section": section})
    if passes:
        assert release(stands, wanted).tree["notification"]["code"] == "NOTICE"
    else:
        assert refused(stands, wanted) is Code.CONSENT_SCOPE


# Sensitive services


@pytest.mark.parametrize("kind", ["CAMHS", "SXHS", "DAS", "YOT"])
def test_an_action_of_a_sensitive_service_stays_with_its_owner(kind: str) -> None:
    """N9 shows it to who may see the sensitive of the plan, and to nobody whose it is."""
    tree = b.episode()
    for number, owner in enumerate(
        [
            {"service": f"X/{kind}"},
            {"practitioner": b.practitioner("p-x", service_type=kind, organisation="X")},
        ]
    ):
        tree["plan"]["action"].append(
            {**tree["plan"]["action"][0], "id": f"x{number}", "action_owner": owner}
        )

    for sensitive, seen in ((True, {"x0", "x1"}), (False, set())):
        whole = [{"service": "SCH-A/SCH", "section": "all", "sensitive": sensitive}]
        stands = case(tree, b.decision(scope_includes=whole, scope_excludes=[]))
        plan = release(stands, request("N9")).tree["episode"]["plan"]

        assert {action["id"] for action in plan["action"]} == {"a1", "a2", "a3"} | seen
        assert kind not in repr(plan)
        assert "p-x" not in repr(plan)


def test_who_works_for_a_sensitive_service_is_not_named_elsewhere_either() -> None:
    """A contact block without a type is masked if another place shows where its owner works."""
    tree = b.episode()
    tree["subjects"][0]["elements"][0]["author"] = {
        "practitioner_id": "p-m",
        "name": "Dr M Mind",
        "organisation": "CAMHS-A",
    }

    assert "Dr M Mind" not in repr(release(case(tree), request()).tree)
    assert "CAMHS" not in repr(release(case(tree), request()).tree)


@pytest.mark.parametrize(
    ("kind", "said", "named"),
    [("OTH", True, False), ("OTH", None, False), ("OTH", False, True), ("YC", True, False),
     ("YC", None, True)],
)  # fmt: skip
def test_a_service_of_another_type_is_named_only_if_the_record_says_it_is_not_sensitive(
    kind: str, said: bool | None, named: bool
) -> None:
    """``OTH`` leaves the question to the record, where silence is doubt; a yes counts for all."""
    tree = b.episode()
    other: dict[str, Any] = {"service_type": kind, "name": "A place to talk"}
    if said is not None:
        other["is_sensitive_service"] = said
    tree["services"]["other_service"].append(other)

    assert ("A place to talk" in repr(release(case(tree), request()).tree)) is named


@pytest.mark.parametrize("reason", ["DIED", "STEPPED_UP"])
def test_a_restricted_reason_for_closure_stays(reason: str) -> None:
    """That a child died, or social care took over, is not told with the closure."""
    tree = b.episode(
        closure={"closed_on": "2026-11-01", "closure_reason": reason, "closure_summary": "Over."}
    )

    shown = release(case(tree, process="CLOSED"), request("N2")).tree["episode"]

    assert shown["closure"] == {"closed_on": "2026-11-01", "closure_summary": "Over."}


# The index


def to_index(stands: Case, kind: str, **changes: Any) -> Released:
    """Ask what the index may be told of Ava."""
    facts = {"subject_id": "s1", "reference": "ref-1", **changes.pop("facts", {})}
    wanted = Request(partner("IDX"), "IDX/INDEX", kind, (), facts, "INDEX", START)
    return release_to_index(stands, replace(wanted, **changes), coordinator=CO_ORDINATOR)


LED = b.episode(responsible_practitioner=b.practitioner("p-lead"))


def test_the_index_hears_who_the_child_is_and_whom_to_ring() -> None:
    """N1 holds exactly the list of `domain.md` 1.5: no local id, no reason, no service."""
    told = to_index(case(LED), "N1").tree["notification"]

    assert told["subject"]["identifiers"] == (
        {"system": "nhs-number", "value": "9990000018"},
        {"system": "upn", "value": "W001900120001"},
    )
    assert set(told) == {
        "code", "episode_ref", "responsible_practitioner", "status", "opened_at",
        "home_authority", "subject",
    }  # fmt: skip
    assert set(told["responsible_practitioner"]) <= {
        "name", "role", "organisation", "contact_tel", "email"
    }  # fmt: skip
    assert "ethnicity" not in repr(told)
    assert not to_index(case(LED), "N1").rehearsal


def test_without_index_consent_the_index_hears_nothing_but_an_end() -> None:
    """What it holds must end all the same: N2 when the episode closes, N14 at any time."""
    stands = case(LED, b.decision(index_consent="no"))
    for kind in ("N1", "N3", "N5"):
        with pytest.raises(Withheld) as withheld:
            to_index(stands, kind)
        assert withheld.value.code is Code.CONSENT_NONE

    closed = case(LED, b.decision(index_consent="no"), process="CLOSED")
    assert to_index(closed, "N2").tree["notification"]["code"] == "N2"
    assert to_index(stands, "N14").tree == {"notification": {"code": "N14", "episode_ref": "ref-1"}}


def test_a_sensitive_lead_is_mediated() -> None:
    """The authority's co-ordinator stands in; without one, nothing goes."""
    tree = b.episode(
        responsible_practitioner=b.practitioner(
            "p-m", name="Dr M Mind", organisation="CAMHS-A", service_type="CAMHS"
        )
    )

    told = to_index(case(tree), "N1").tree["notification"]

    assert told["mediated"] is True
    assert told["responsible_practitioner"] == CO_ORDINATOR
    assert "CAMHS" not in repr(told)
    with pytest.raises(Withheld) as withheld:
        release_to_index(
            case(tree),
            Request(partner("IDX"), "IDX/INDEX", "N3", (), {"subject_id": "s1", "reference": "r"},
                    "INDEX", START),
            coordinator=None,
        )  # fmt: skip
    assert withheld.value.code is Code.SENSITIVE


@pytest.mark.parametrize(
    ("kind", "focus", "passes"),
    [
        ("N4", ("p-lead",), True),
        ("N4", ("p-visit",), False),
        ("N5", ("subjects[subject_id=s1].family_name",), True),
        ("N5", ("subjects[subject_id=s1].contact_tel",), False),
        ("N5", ("subjects[subject_id=s2].family_name",), False),
    ],
)
def test_the_index_hears_only_of_what_it_holds(
    kind: str, focus: tuple[str, ...], passes: bool
) -> None:
    """Another practitioner's number, or a field that it never had, is no news to it."""
    if passes:
        assert to_index(case(LED), kind, focus=focus).tree["notification"]["code"] == kind
    else:
        with pytest.raises(Withheld):
            to_index(case(LED), kind, focus=focus)


def test_at_the_index_a_refuge_and_no_address_look_the_same() -> None:
    """What was known before is cleared either way."""
    focus = ("subjects[subject_id=s1].address",)
    trees = b.episode(), b.episode()
    trees[0]["subjects"][0]["address"] = [b.address(use="refuge")]
    del trees[1]["subjects"][0]["address"]

    refuge, none = (to_index(case(t), "N5", focus=focus).tree for t in trees)

    assert refuge == none
    assert none["notification"]["subject"] == {"address": None}


# Each rule to the letter

SOME = Involvement("i1", "e1", "SCH-A/SCH", "", START)


@pytest.mark.parametrize(
    ("held", "is_related"),
    [
        ((), False),
        ((SOME,), True),
        ((replace(SOME, service="HOU-A/HOUS"),), False),
        ((replace(SOME, since=START + timedelta(hours=5)),), True),
        ((replace(SOME, until=START),), False),
        ((replace(SOME, until=START + timedelta(hours=5)),), False),
        ((replace(SOME, until=START), SOME), True),
    ],
)
def test_a_relationship_is_open_until_somebody_has_ended_it(
    held: tuple[Involvement, ...], is_related: bool
) -> None:
    """Of this very service; a clock that was ahead when it was written down changes nothing."""
    assert related(held, "SCH-A/SCH") is is_related


@pytest.mark.parametrize(
    ("kind", "process", "purpose"),
    [
        ("N11", "TRANSFER_PENDING", "TRANSFER"),
        ("N16", "PLAN_ACTIVE", "REQUEST_SERVICE"),
        ("N9", "TEAM_FORMING", "PLAN"),
        ("N7", "ASSESSED", "ASSESS"),
        ("N7", "PLAN_ACTIVE", "PLAN"),
    ],
)
def test_each_message_has_its_purpose(kind: str, process: str, purpose: str) -> None:
    """Before there is a plan, assessing."""
    assert purpose_of(kind, case(process=process).head) == purpose


def shielding(how: str, tree: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return an episode of somebody who is shielded so."""
    return b.changed(tree or b.episode(), "/subjects/0/shielding", how)


def test_a_shield_is_lifted_for_one_view_and_consent_is_not() -> None:
    """D-43: places are shown to who may see them, in full shield too."""
    for how in ("full", "whereabouts"):
        shown = release(case(shielding(how)), request("VIEW", lifted=True)).tree
        assert "address" in shown["episode"]["subjects"][0]
        assert "notification" not in shown
        assert refused(case(shielding(how), NO_SCOPE), request("VIEW", lifted=True)) is (
            Code.CONSENT_SCOPE
        )


def test_nobody_who_may_not_take_part_is_told() -> None:
    """Admission is asked at the gate: a protocol of another authority covers nothing here."""
    elsewhere = replace(
        SCHOOL, protocols=tuple(replace(one, authority="009") for one in SCHOOL.protocols)
    )

    assert refused(case(), request(partner=elsewhere)) is Code.ORG_NOT_ACCREDITED


def test_a_wish_to_be_rung_needs_an_episode_that_may_be_known_of() -> None:
    """N12 asks for no consent; a full shield or an episode that is over stops it."""
    wish = request("N12", facts={"from": "GP-A/GP"})

    told = release(case(None, NO_SCOPE, services=()), wish)
    assert told.tree["notification"] == {"code": "N12", "from": "GP-A/GP"}
    assert not told.rehearsal
    assert refused(case(HIDDEN), wish) is Code.SHIELDED
    assert refused(case(process="VOID"), wish) is Code.STATE
    assert release(case(shielding("whereabouts")), wish).decisions == ()


def test_what_the_keeper_of_a_record_is_told_comes_with_the_facts() -> None:
    """An answer that must be written into the record holds that part, and the episode's own id."""
    facts = {"episode": {"episode_id": "other", "closure": {"closed_on": "2026-11-01"}}}
    told = release(case(), request("N8", focus=("closed",), facts=facts)).tree

    assert told["episode"] == {"episode_id": "e1", "closure": {"closed_on": "2026-11-01"}}
    assert told["notification"] == {"code": "N8"}


def test_where_consent_cannot_be_read_nothing_goes_for_now() -> None:
    """Neither content nor an index entry; what is owed goes."""
    unsure = replace(case(LED), unsure="stale")

    with pytest.raises(Unavailable) as content:
        release(unsure, request())
    with pytest.raises(Unavailable) as entry:
        to_index(unsure, "N1")
    assert content.value.code is entry.value.code is Code.REGISTER
    assert release(unsure, request("N10")).recipient == "SCH-A/SCH"
    closed = replace(case(LED, process="CLOSED"), unsure="stale")
    assert to_index(unsure, "N14").recipient == to_index(closed, "N2").recipient == "IDX/INDEX"
    with pytest.raises(Unavailable):
        to_index(closed, "N3")
    with pytest.raises(Unavailable):
        to_index(unsure, "N2")


def test_under_a_shield_facts_and_fields_are_told_without_places() -> None:
    """To who may know the place they are told whole."""
    focus = ("subjects[subject_id=s1].address", "subjects[subject_id=s1].given_names")
    joined = {"joined": ["HV-A/HV"], "event": "team.called"}
    locating = {"service": "SCH-A/SCH", "section": "sec.identity", "sensitive": True}
    knows = b.decision(
        scope_includes=[
            {"service": "SCH-A/SCH", "section": "all", "sensitive": True},
            {**locating, "action": "locate"},
        ],
        scope_excludes=[],
    )
    for how, records, fields, names in (
        ("none", (b.decision(), own()), 2, True),
        ("whereabouts", (b.decision(), own()), 1, False),
        ("whereabouts", (knows, own()), 2, True),
    ):
        stands = case(shielding(how), *records)
        told = release(stands, request("N5", focus=focus)).tree["notification"]
        team = release(stands, request("N8", facts=joined)).tree["notification"]
        assert len(told["changed"]) == fields, how
        assert ("joined" in team) is names, how


def test_only_decisions_that_gave_are_named() -> None:
    """A message that rests on no leaf names those that list the service, and no refusal."""
    event = request("N8", facts={"event": "team.called"})
    cut = b.decision(
        consent_decision_id="d3",
        state="WITHDRAWN",
        withdrawal_type="SHARE_SECTION",
        scope_includes=[],
        scope_excludes=[{"service": "SCH-A/SCH", "section": "sec.family"}],
    )
    tree = b.episode()
    tree["subjects"].append(b.subject(subject_id="s2"))
    twins = b.decision(
        consent_decision_id="d4", subject_id="s2", state="REFUSED", share_decision="no"
    )

    released = release(case(tree, b.decision(), own(), cut, twins), event)
    assert released.decisions == ("d1",)
    assert not released.rehearsal


MIND = b.practitioner("p-m", name="Dr M Mind", organisation="CAMHS-A", service_type="CAMHS")
TEACHER = b.practitioner("p-t", name="Ms T Teach", organisation="SCH-A", service_type="SCH")


@pytest.mark.parametrize("kind", ["N3", "N7"])
@pytest.mark.parametrize(
    ("tree", "stands_in"),
    [
        (LED, False),
        (b.episode(responsible_practitioner=MIND), True),
        (shielding("whereabouts", b.episode(responsible_practitioner=TEACHER)), True),
        (shielding("whereabouts", LED), False),
    ],
    ids=["open", "sensitive", "where the family is", "elsewhere"],
)
def test_whom_to_ring_is_the_co_ordinator_where_a_name_would_tell(
    kind: str, tree: dict[str, Any], stands_in: bool
) -> None:
    """For a sensitive service and for a shielded family's school alike; N3 says so."""
    released = release(case(tree), request(kind), coordinator=CO_ORDINATOR).tree
    contact = released["episode"]["responsible_practitioner"]

    assert (contact == CO_ORDINATOR) is stands_in
    assert released["notification"].get("mediated") is (
        True if stands_in and kind == "N3" else None
    )


def test_without_anybody_to_ring_nobody_stands_in() -> None:
    """Where no practitioner answers for the episode, and where the message shows none."""
    nobody = b.episode()
    nobody.pop("responsible_practitioner", None)
    hidden = b.episode(responsible_practitioner=MIND)

    seven = release(case(nobody), request("N7"), coordinator=CO_ORDINATOR).tree["episode"]
    changed = request("N5", focus=("subjects[subject_id=s1].given_names",))
    five = release(case(hidden), changed, coordinator=CO_ORDINATOR).tree["episode"]
    alone = release(case(hidden), request("N3")).tree
    assert "responsible_practitioner" not in {*seven, *five, *alone["episode"]}
    assert "mediated" not in alone["notification"]


def test_a_change_that_may_be_seen_is_news() -> None:
    """What is new, what went, and what is not for this service to see."""
    old, new = b.episode(), b.episode()
    stands = case(new)
    assert not news(stands, request("N6"), old)

    new["conclusions"]["conclusions"] = "Other."
    assert news(stands, request("N6"), old)
    assert not news(case(new, NO_SCOPE), request("N6"), old)
    del new["conclusions"]
    assert news(stands, request("N6"), old)
    assert news(case(old), request("N6"), new)


def test_what_ends_an_entry_reaches_the_index_in_any_state() -> None:
    """N14 under a full shield and of a void episode, N2 when it is closed; nothing else."""
    closed = case(LED, b.decision(index_consent="no"), process="CLOSED")
    hidden, void = case(HIDDEN), case(LED, process="VOID")

    assert to_index(hidden, "N14").tree == to_index(void, "N14").tree
    for stands, kind, code in (
        (hidden, "N2", Code.SHIELDED),
        (void, "N1", Code.STATE),
        (closed, "N1", Code.CONSENT_NONE),
        (case(LED, b.decision(index_consent="no")), "N2", Code.CONSENT_NONE),
    ):
        with pytest.raises(Withheld) as withheld:
            to_index(stands, kind)
        assert withheld.value.code is code


def test_the_index_is_told_what_is_gone_under_a_shield_only_when_rewritten() -> None:
    """A change of address is none under a shield; the shield's own N5 takes it off the index."""
    focus = ("subjects[subject_id=s1].address", "subjects[subject_id=s1].given_names")
    stands = case(shielding("whereabouts", LED))

    plain = to_index(stands, "N5", focus=focus).tree["notification"]
    rewritten = to_index(stands, "N5", focus=focus, facts={"rewrite": True}).tree["notification"]
    assert plain["changed"] == ("given_names",)
    assert set(rewritten["changed"]) == {"address", "given_names"}
    assert rewritten["subject"]["address"] is None
    assert "responsible_practitioner" not in {*plain, *rewritten}


def test_the_index_is_told_since_when_and_who_acted() -> None:
    """Facts that are for it, and no others."""
    facts = {"effective_on": "2026-09-10", "was_acting": True, "event": "lead.changed"}
    told = to_index(case(LED), "N3", facts=facts).tree["notification"]

    assert (told["effective_on"], told["was_acting"]) == ("2026-09-10", True)
    assert "event" not in told
    assert "mediated" not in told


@pytest.mark.parametrize("kind", ["N1", "N2", "N3", "N4"])
def test_at_the_index_a_shield_looks_like_a_sensitive_service(kind: str) -> None:
    """The co-ordinator stands in for both, in every message that names somebody."""
    sensitive = b.episode(responsible_practitioner=MIND)
    focus = ("p-lead", "p-m") if kind == "N4" else ()
    told = [
        to_index(case(tree), kind, focus=focus).tree["notification"]
        for tree in (shielding("whereabouts", LED), sensitive)
    ]

    assert [one.get("responsible_practitioner") for one in told] == [CO_ORDINATOR] * 2
    assert all(one["mediated"] is True for one in told)


def test_a_shielded_episode_without_a_contact_names_nobody() -> None:
    """No co-ordinator stands in for nobody."""
    tree = shielding("whereabouts")
    tree.pop("responsible_practitioner", None)

    told = to_index(case(tree), "N1").tree["notification"]
    assert not {"responsible_practitioner", "mediated"} & told.keys()


def test_a_case_is_what_stands_in_the_store() -> None:
    """What was worked out about it, and whom to ask of people, is neither compared nor shown."""
    tree = b.episode()
    asked, fresh = case(tree), case(tree)
    other = replace(fresh, vouched=lambda *_: None, earlier=lambda _: 0)
    release(asked, request())

    assert asked == fresh == other
    assert repr(asked) == repr(fresh) == repr(other)
