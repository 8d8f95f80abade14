"""One readable, lawful family: Ava Example, ten, and her mother Mia, as in scenario S1.

Everything is invented: NHS numbers of the 999 range, UPNs of the pseudo authorities 001 and 002,
postcodes ``ZZ99 …``.  Each builder returns a fresh plain tree; keywords replace top-level parts of
it, and `changed` reaches any place of it.
"""

import copy
import json
from typing import Any, Final

Tree = dict[str, Any]


class _Gone:
    """The value that stands for "take it away"."""


GONE: Final = _Gone()

ELEMENTS: Final = tuple(
    [f"1.{number}" for number in range(1, 13)]
    + ["2.1", "2.2", "2.3"]
    + ["3.1", "3.2", "3.3", "3.4"]
)

SERVICES: Final = ("SCH-A/SCH", "EHM-A/FSW", "HV-A/HV", "HOU-A/HOUS")


def practitioner(practitioner_id: str, **changes: Any) -> Tree:
    """Return one of the practitioners around Ava, by id, or a new one."""
    known: dict[str, Tree] = {
        "p-teach": {
            "name": "Ms T Teach",
            "role": "TEACH",
            "organisation": "SCH-A",
            "service_type": "SCH",
            "contact_tel": "0113 496 0101",
            "email": "t.teach@sch-a.example",
        },
        "p-lead": {
            "name": "Mr L Lead",
            "role": "FSW",
            "organisation": "EHM-A",
            "service_type": "FSW",
            "contact_tel": "0113 496 0001",
            "email": "l.lead@ehm-a.example",
        },
        "p-visit": {
            "name": "Mrs V Visit",
            "role": "HV",
            "organisation": "HV-A",
            "service_type": "HV",
            "contact_tel": "0113 496 0202",
        },
        "p-house": {
            "name": "Mr H House",
            "role": "HO",
            "organisation": "HOU-A",
            "service_type": "HOUS",
            "contact_tel": "0113 496 0303",
        },
    }
    base = known.get(practitioner_id, {"name": "Ms N New", "organisation": "EHM-A"})
    return {"practitioner_id": practitioner_id, **base, **changes}


def address(**changes: Any) -> Tree:
    """Return the family's home."""
    return {
        "address_lines": ["1 Example Terrace", "Exampletown"],
        "postcode": "ZZ99 3AA",
        "uprn": "100000000001",
        "use": "home",
        "address_valid_from": "2019-08",
        **changes,
    }


def element(code: str, **changes: Any) -> Tree:
    """Return one assessed element."""
    return {
        "element": code,
        "commentary": (
            f"Element {code}: Ava copes well with what she knows, and less well with what is new. "
            "Her teacher, her mother and Ava herself described the same two weeks, and they agree "
            "on most of it: mornings are hard, afternoons are not, and help that came early was "
            "used. What would make a difference is written in the plan."
        ),
        "kind": "BOTH",
        "evidence_source": "Conversation at school, 1 September; records of the term before.",
        "author": practitioner("p-teach"),
        "authored_at": "2026-09-01T09:30:00Z",
        **changes,
    }


def subject(**changes: Any) -> Tree:
    """Return Ava, with all 19 elements."""
    return {
        "subject_id": "s1",
        "identifiers": [
            {"system": "nhs-number", "value": "9990000018", "verified": True},
            {"system": "upn", "value": "W001900120001"},
            {"system": "la-child-id", "value": "A0001234"},
        ],
        "is_unborn": False,
        "given_names": ["Ava", "Rose"],
        "family_name": "Example",
        "preferred_name": "Ava",
        "aka_previous_names": [{"name": "Ava Sample", "use": "previous"}],
        "gender": "F",
        "date_of_birth": "2016-05-14",
        "date_accuracy": "AAA",
        "address": [address()],
        "no_fixed_or_known_address": "KNOWN",
        "contact_tel": ["0113 496 0901"],
        "email": ["ava@family.example"],
        "shielding": "none",
        "ordinarily_resident_authority": "001",
        "school_or_setting": [
            {
                "organisation_id": "SCH-A",
                "name": "Example Primary School",
                "organisation_type": "SCH_MAINT",
                "identifiers": [{"system": "urn", "value": "100001"}],
                "contact_tel": "0113 496 0100",
            }
        ],
        "gp_practice": {
            "organisation_id": "GP-A",
            "name": "Example Surgery",
            "organisation_type": "NHS_GP",
            "identifiers": [{"system": "ods", "value": "Z99999"}],
        },
        "characteristics": {
            "ethnicity": "MOTH",
            "ethnicity_other": "as her mother describes it",
            "religion": "NON",
            "immigration_status": "UKC",
            "child_first_language": "en",
            "parent_first_language": ["cy"],
            "is_disabled": "Y",
            "disability_types": ["HEAR"],
            "disability_details": "Wears a hearing aid on the left.",
            "sen_need_types": ["HI", "SLCN"],
            "has_ehc_plan": False,
            "special_requirements": "Sits where she can see the speaker.",
            "interpreter_required": False,
            "young_carer": True,
            "risk_of_exclusion": False,
        },
        "elements": [element(code) for code in ELEMENTS],
        **changes,
    }


def mother(**changes: Any) -> Tree:
    """Return Mia, who has parental responsibility as Ava's mother."""
    return {
        "parent_carer_id": "c1",
        "name": "Mia Example",
        "aka": ["Mia Sample"],
        "date_of_birth": "1990-11",
        "gender": "F",
        "ethnicity": "WBRI",
        "relationships": [
            {
                "subject_id": "s1",
                "relationship": "NMTH",
                "has_parental_responsibility": "Y",
                "pr_basis": "MOTHER",
                "lives_with_child": "Y",
            }
        ],
        "address": [address()],
        "contact_tel": ["0113 496 0900"],
        "email": ["mia@family.example"],
        "shielding": "none",
        "is_consent_giver": True,
        "contact_restriction": "none",
        **changes,
    }


def family(**changes: Any) -> Tree:
    """Return the home and who else belongs to it."""
    return {
        "current_family_and_home_situation": "Ava lives with her mother and her little brother.",
        "household_member": [
            {
                "name": "Max Example",
                "dob": "2022",
                "gender": "M",
                "relationship": "BRO",
                "present_in_home": "Y",
                "previous_caf": "N",
            }
        ],
        "significant_person_elsewhere": [
            {
                "name": "Gwen Sample",
                "relationship": "MGRMTH",
                "address": address(address_lines=["2 Sample Road", "Sampletown"], use="home"),
            }
        ],
        "family_id": "f1",
        **changes,
    }


def services(**changes: Any) -> Tree:
    """Return the people doing the work."""
    return {
        "assessor": [practitioner("p-teach")],
        "lead_professional": practitioner("p-lead"),
        "lp_state": "APPOINTED",
        "lp_from": "2026-09-08",
        "lp_change_reason": "FIRSTAP",
        "universal_service": {
            "gp": {"name": "Example Surgery", "contact_tel": "0113 496 0404"},
            "early_years_or_education_or_training": [{"name": "Example Primary School"}],
        },
        "other_service": [
            {
                "service_type": "HV",
                "tier": "UNIV",
                "name": "Health visiting, north",
                "practitioner": practitioner("p-visit"),
                "organisation": "HV-A",
                "from": "2022-03",
                "contributed": True,
                "is_sensitive_service": False,
            },
            {
                "service_type": "CAMHS",
                "tier": "SPEC",
                "name": "Example CAMHS",
                "organisation": "CAMHS-A",
                "from": "2026",
                "is_sensitive_service": True,
            },
        ],
        **changes,
    }


def plan(**changes: Any) -> Tree:
    """Return the plan that the team agreed."""
    return {
        "plan_id": "plan1",
        "plan_version": 1,
        "plan_date": "2026-09-10",
        "team_member": [
            {
                "practitioner": practitioner(who),
                "organisation": organisation,
                "service_type": service_type,
                "role_in_team": role,
                "joined": "2026-09-08",
            }
            for who, organisation, service_type, role in (
                ("p-teach", "SCH-A", "SCH", "TEACH"),
                ("p-lead", "EHM-A", "FSW", "FSW"),
                ("p-visit", "HV-A", "HV", "HV"),
                ("p-house", "HOU-A", "HOUS", "HO"),
            )
        ],
        "desired_outcome": [
            {
                "id": "o1",
                "text": "Ava is in school every morning.",
                "agreed_with_family": True,
                "ecm_aim": ["EA2"],
            },
            {
                "id": "o2",
                "text": "The family lives in a dry flat.",
                "agreed_with_family": True,
                "ecm_aim": ["EW3", "BH1"],
            },
        ],
        "action": [
            {
                "id": "a1",
                "outcome_id": "o1",
                "text": "Breakfast club, three mornings a week.",
                "action_owner": {"practitioner": practitioner("p-teach"), "service": "SCH-A/SCH"},
                "action_due": "2026-09-21",
                "action_status": "IN_PROGRESS",
                "progress_comment": ["Came twice in the first week."],
            },
            {
                "id": "a2",
                "outcome_id": "o2",
                "text": "Inspect the damp and put it right.",
                "action_owner": {"practitioner": practitioner("p-house"), "service": "HOU-A/HOUS"},
                "action_due": "2026-10-01",
                "action_status": "NEW",
            },
            {
                "id": "a3",
                "outcome_id": "o1",
                "text": "Bedtime at eight on school nights.",
                "action_owner": {"person_id": "c1"},
                "action_due": "2026-09-14",
                "action_status": "ACCEPTED",
            },
        ],
        "service_request": [
            {
                "id": "r1",
                "requested_service": "HOU-A/HOUS",
                "requested_at": "2026-09-10T11:00:00Z",
                "response": "SENT",
            }
        ],
        "agreed_review_date": "2026-10-22",
        "parent_comment": [{"parent_carer_id": "c1", "text": "This is what we need."}],
        "child_comment": [{"subject_id": "s1", "text": "I like breakfast club."}],
        **changes,
    }


def review(**changes: Any) -> Tree:
    """Return the first review."""
    return {
        "review_id": "rev1",
        "review_date": "2026-10-22",
        "people_present": [
            {"name": "Mia Example", "person_id": "c1", "role_or_relationship": "Mother"},
            {"name": "Mr L Lead", "role_or_relationship": "Lead professional"},
        ],
        "apologies": [{"name": "Mr H House", "role_or_relationship": "Housing officer"}],
        "review_notes": "Mornings are better; the damp is not.",
        "outcome_progress": [
            {"outcome_id": "o1", "progress": "PARTLY", "comment": "Four days of five."},
            {"outcome_id": "o2", "progress": "NO_CHANGE"},
        ],
        "next_steps": "Housing to report in two weeks.",
        "review_decision": "CONTINUE",
        "next_review_date": "2026-12-03",
        "child_comment": [{"subject_id": "s1", "text": "I want it dry."}],
        "parent_comment": [{"parent_carer_id": "c1", "text": "So do I."}],
        "consent_reconfirmed": True,
        **changes,
    }


def episode(**changes: Any) -> Tree:
    """Return Ava's episode as it stands after the first review."""
    return copy.deepcopy(
        {
            "episode_id": "e1",
            "unique_ref_no": "CAF/2026/0001",
            "local_episode_ids": [{"system": "sch-a", "value": "77-1234"}],
            "episode_type": "CHILD",
            "form_profile": "cwdc-caf-2009",
            "form_version_no": 3,
            "status": "PLAN_ACTIVE",
            "home_authority": "001",
            "other_authorities": ["002"],
            "index_checked_at": "2026-08-31T15:00:00Z",
            "index_check_result": "NONE",
            "assessment_started_on": "2026-09-01",
            "assessment_completed_on": "2026-09-04",
            "opened_at": "2026-09-01T09:00:00Z",
            "checklists": [
                {
                    "checklist_id": "k1",
                    "completed_on": "2026-08-30",
                    "subject_name": "Ava Example",
                    "trigger": ["WORRY"],
                    "concern_source": "2A",
                    "is_healthy": "Y",
                    "is_safe_from_harm": "Y",
                    "is_learning_and_developing_well": "S",
                    "has_positive_impact_on_others": "Y",
                    "is_free_from_effects_of_poverty": "N",
                    "answer_notes": ["Late on most Mondays."],
                    "decision": "CAF",
                }
            ],
            "subjects": [subject()],
            "assessment": {
                "people_present": [
                    {"name": "Mia Example", "person_id": "c1", "role_or_relationship": "Mother"},
                    {"name": "Ava Example", "person_id": "s1", "role_or_relationship": "Child"},
                ],
                "reason_for_assessment": "Ava misses school, and nobody knows why.",
                "trigger": ["WORRY"],
                "concern_source": ["2A"],
                "caf_requested_by_family": False,
            },
            "parents_carers": [mother()],
            "family": family(),
            "services": services(),
            "conclusions": {
                "conclusions": "A close family in a damp flat; help in the mornings would do most.",
                "need_level": "L2",
                "what_needs_to_change": "The flat, and the first hour of the day.",
                "goals": ["In school every day", "A dry bedroom"],
                "child_comment": [{"subject_id": "s1", "text": "It is true."}],
                "parent_comment": [{"parent_carer_id": "c1", "text": "I agree with it."}],
            },
            "plan": plan(),
            "reviews": [review()],
            **changes,
        }
    )


def decision(**changes: Any) -> Tree:
    """Return Mia's decision for Ava: three services get all, housing four sections."""
    everything = [
        {"service": service, "section": "all", "sensitive": True, "action": "contribute"}
        for service in SERVICES[:3]
    ]
    housing = [
        {"service": "HOU-A/HOUS", "section": section}
        for section in ("sec.identity", "sec.env.housing", "sec.conclusions", "sec.plan")
    ]
    return copy.deepcopy(
        {
            "consent_decision_id": "d1",
            "episode_id": "e1",
            "subject_id": "s1",
            "state": "SHARE",
            "purpose": ["ASSESS", "PLAN"],
            "given_by_person": "c1",
            "given_by_basis": "PR_HOLDER",
            "pr_basis": "MOTHER",
            "competence_judgement": {
                "judged_by": "p-teach",
                "judged_at": "2026-09-01T08:45:00Z",
                "outcome": "NOT_COMPETENT",
                "notes": "Ava is ten and wants her mother to decide.",
            },
            "informed": {
                "reasons_explained": True,
                "leaflet_ref": "leaflet-7",
                "language": "en",
                "interpreter": False,
            },
            "acknowledged_exceptions": True,
            "store_decision": "yes",
            "share_decision": "yes",
            "scope_includes": everything + housing,
            "scope_excludes": [{"service": "HV-A/HV", "section": "sec.env.housing"}],
            "index_consent": "yes",
            "method": "WRITTEN",
            "signed_at": "2026-09-01T08:50:00Z",
            "evidence_ref": "form-1",
            "recorded_by": "p-teach",
            "recorded_at": "2026-09-01T08:55:00Z",
            "review_by": "2026-10-22",
            "expires_at": "2027-09-01",
            **changes,
        }
    )


def notification(**changes: Any) -> Tree:
    """Return the school's worry about Ava's attendance."""
    return copy.deepcopy(
        {
            "kind": "attendance_concern",
            "subject": {
                "identifiers": [{"system": "upn", "value": "W001900120001"}],
                "given_names": ["Ava"],
                "family_name": "Example",
                "date_of_birth": "2016-05-14",
                "postcode": "ZZ99 3AA",
            },
            "occurred_on": "2026-09-18",
            "codes": [{"system": "https://sch-a.example/attendance", "code": "O"}],
            "text": "Absent on four of five mornings, no reason given.",
            "practitioner": practitioner("p-teach"),
            **changes,
        }
    )


def disclosure(**changes: Any) -> Tree:
    """Return the school's decision to tell children's social care, without consent."""
    return copy.deepcopy(
        {
            "exception_id": "x1",
            "kind": "DISCLOSE",
            "episode_id": "e1",
            "subject_ids": ["s1"],
            "basis": "S47",
            "concern_summary": "A burn that nobody explains.",
            "why_no_consent": "Asking first would put Ava at more risk.",
            "decided_by": practitioner("p-teach", name="Ms Safe", role="DSL"),
            "decided_at": "2026-09-01T08:55:00Z",
            "manager_consulted": True,
            "family_informed": "NOT_TOLD_RISK",
            "disclosed_to": "CSC-A/CSC",
            "disclosed_sections": ["sec.identity", "sec.family", "sec.child.health"],
            **changes,
        }
    )


def header(**changes: Any) -> Tree:
    """Return message metadata as SCH-A writes it."""
    return {
        "message_id": "m1",
        "correlation_id": "e1",
        "schema_version": "1",
        "episode_id": "e1",
        "sender_org": "SCH-A",
        "sender_system": "example-mis",
        "sender_user_ref": "p-teach",
        "sent_at": "2026-09-04T16:00:00Z",
        "recipients": ["EHM-A/FSW"],
        "purpose": "ASSESS",
        **changes,
    }


def message(**changes: Any) -> Tree:
    """Return a wire message, with Ava's episode unless another payload is given."""
    payloads = {"consent_decision", "contribution", "acknowledgement", "notification", "episode"}
    if payloads.isdisjoint(changes):
        changes = {"event": "assessment.completed", "episode": episode(), **changes}
    return copy.deepcopy({"message": header(), **changes})


def changed(tree: Tree, pointer: str, value: Any) -> Tree:
    """Return a copy with *value* at a JSON pointer; ``-`` appends, `GONE` takes away."""
    copied = copy.deepcopy(tree)
    *steps, last = pointer.split("/")[1:]
    held: Any = copied
    for step in steps:
        held = held[int(step)] if isinstance(held, list) else held[step]
    if isinstance(held, list):
        if last == "-":
            held.append(value)
        elif value is GONE:
            del held[int(last)]
        else:
            held[int(last)] = value
    elif value is GONE:
        del held[last]
    else:
        held[last] = value
    return copied


def wire(tree: Tree) -> bytes:
    """Return the bytes of a message."""
    return json.dumps(tree, ensure_ascii=False).encode()
