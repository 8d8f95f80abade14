"""The gate: the order of its tests, each with its code, and what each kind of message may say."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.accreditation import Protocol
from hub.domain.exchange import EpisodeHead, Involvement
from hub.errors import Code, Withheld
from hub.services.gate import Case, Request, release, release_to_index
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
