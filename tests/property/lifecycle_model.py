# ruff: noqa: E501  a table is read by its columns
"""A second opinion on the life cycle: `domain.md` tables 1.2 and 1.5 written down as plain text.

Deliberately another shape than the code: lines of text, one for each way that a step can go, looked
up by state and event.  Columns: states | event | when | who | needs | to | told.
"""

from collections.abc import Iterator

OPEN = "ASSESSING ASSESSED TEAM_FORMING PLAN_ACTIVE IN_REVIEW TRANSFER_PENDING"
SHOWN = "ASSESSED TEAM_FORMING PLAN_ACTIVE IN_REVIEW"
TEAM = "assessor lead participant"

TABLE = f"""
NONE | concern.raised | | any | | CONCERN |
NONE CONCERN | index.checked | | any | purpose_given | CHECKED |
CHECKED | existing.episode.found | | hub | match_confirmed_by_person | = | N12
CHECKED | checklist.completed | | any | | PRE_ASSESSED |
NONE CHECKED PRE_ASSESSED | consent.requested | | any | reasons_explained | CONSENT_SOUGHT |
CONSENT_SOUGHT PAUSED {OPEN} | consent.requested | | any | reasons_explained | = |
NONE CHECKED PRE_ASSESSED CONSENT_SOUGHT | consent.given | | consent_giver_system | | CONSENT_SOUGHT |
NONE CONSENT_SOUGHT | consent.refused | | consent_giver_system | | DECLINED |
CONSENT_SOUGHT | consent.withdrawn | | consent_giver_system | | DECLINED |
CONSENT_SOUGHT | consent.narrowed | | consent_giver_system | | = |
CONSENT_SOUGHT | consent.widened | | consent_giver_system | | = |
NONE CONSENT_SOUGHT | episode.opened | | any | storage_consent_given index_consent_recorded authority_known | ASSESSING | N1?index_consented
NONE CONSENT_SOUGHT | episode.reopened | | any | previous_episode_closed storage_consent_given index_consent_recorded authority_known | ASSESSING | N1?index_consented
NONE CONSENT_SOUGHT | episode.imported | ended_before | any | storage_consent_given authority_known closure_reason_present | CLOSED | N1?index_consented N2?index_consented
NONE CONSENT_SOUGHT | episode.imported | !ended_before | any | storage_consent_given index_consent_recorded authority_known | ASSESSING | N1?index_consented
ASSESSING | assessment.updated | | {TEAM} | | = | N6
{SHOWN} | assessment.updated | | {TEAM} | | = | N6
TRANSFER_PENDING PAUSED | assessment.updated | | {TEAM} | | = |
ASSESSING | assessment.completed | | assessor | conclusions_present comments_asked_for sharing_decided | ASSESSED | N7 -N6 -N9
ASSESSED | team.called | | assessor lead | more_than_one_service_needed invitees_within_consent | TEAM_FORMING | N8
TEAM_FORMING | lead_professional.appointed | | {TEAM} | appointee_accepts appointee_accredited appointee_on_team | = | N3
TEAM_FORMING ASSESSED | plan.agreed | | lead | plan_has_outcome_and_action_with_owner_and_date review_date_set | PLAN_ACTIVE | N9
{SHOWN} | participant.joined | | lead | joiner_named_in_consent | = | N7 N8
ASSESSING TRANSFER_PENDING | participant.joined | | lead | joiner_named_in_consent | = | N8
PLAN_ACTIVE | action.updated | | action_owner | | = | N9
PLAN_ACTIVE | review.opened | | lead | review_has_date_and_people | IN_REVIEW | N8
IN_REVIEW | review.completed | | lead | review_or_closure_decided | PLAN_ACTIVE | N9
PAUSED {OPEN} | practitioner.contact_changed | | employing_organisation | | = | N4
CLOSED PAUSED {OPEN} | demographics.changed | | originator receiving_authority {TEAM} | | = | N5
PAUSED {OPEN} | lead_professional.changed | access_ended | hub | | = | -N3
PAUSED {OPEN} | lead_professional.changed | !access_ended handover_proposed | receiving_authority {TEAM} | | = | -N3
PAUSED {OPEN} | lead_professional.changed | !access_ended !handover_proposed | hub receiving_authority {TEAM} | appointee_accepts/acting | = | N3
CLOSED PAUSED {OPEN} | consent.narrowed | | consent_giver_system | !consent_gained | = | N10
{SHOWN} | consent.widened | | consent_giver_system | decision_names_a_service | = | N7 N10?consent_cut
{SHOWN} | consent.given | | consent_giver_system | | = | N7 N10?consent_cut
ASSESSING | consent.widened | | consent_giver_system | decision_names_a_service | = | N10?consent_cut
ASSESSING | consent.given | | consent_giver_system | | = | N10?consent_cut
TRANSFER_PENDING | consent.widened | | consent_giver_system | decision_names_a_service | = | N10?consent_cut N11?transfer_consent_gained
TRANSFER_PENDING | consent.given | | consent_giver_system | | = | N10?consent_cut N11?transfer_consent_gained
PAUSED {OPEN} | consent.withdrawn | storage_withdrawn | consent_giver_system | | CLOSED | N2 N10
CLOSED | consent.withdrawn | | consent_giver_system | | = | N10
PAUSED | consent.withdrawn | !storage_withdrawn | consent_giver_system | | = | N10
{OPEN} | consent.withdrawn | !storage_withdrawn | consent_giver_system | | PAUSED | N10
{OPEN} | consent.expired | | hub | consent_lapsed | PAUSED | N10
PAUSED | consent.given | something_shared | consent_giver_system | | < | N7?shown -N6 -N9
PAUSED | consent.given | !something_shared | consent_giver_system | | = |
PAUSED {OPEN} | episode.closed | administrative | coordinator | closure_reason_administrative | CLOSED | N2
PAUSED {OPEN} | episode.closed | !administrative life_ended | assessor lead | closure_reason_present | CLOSED | N2
PAUSED | episode.closed | !administrative !life_ended | lead | closure_reason_disengaged_or_withdrawn | CLOSED | N2
IN_REVIEW PLAN_ACTIVE | episode.closed | !administrative !life_ended | lead | closure_reason_present closing_comments_asked_for | CLOSED | N2
ASSESSED | episode.closed | !administrative !life_ended | lead | closure_reason_present | CLOSED | N2
{OPEN} | family.moved | | lead | receiving_authority_named | TRANSFER_PENDING | N5 N11?transfer_consented
TRANSFER_PENDING | transfer.accepted | | receiving_authority | receiving_authority_named_in_consent receiving_practitioner_accredited | PLAN_ACTIVE | N7 N11 -N6 -N9
TRANSFER_PENDING | transfer.consent_refused | | consent_giver_system lead | | CLOSED | N2
PAUSED {OPEN} | social_care.referred | | any | referral_basis_named | = | N13
PAUSED {OPEN} | social_care.decision | | children_social_care | social_care_decision_recorded | CLOSED | N2
CONSENT_SOUGHT CLOSED ARCHIVED PAUSED {OPEN} | episode.voided | | originator | void_reason_given second_approver | VOID | N14
CLOSED | retention.expired | | hub | no_legal_hold | ARCHIVED | N15
ARCHIVED | retention.expired | | hub | no_legal_hold | PURGED | N15
PLAN_ACTIVE | service.requested | | lead | request_in_plan service_consented_for_request | = | N16
PLAN_ACTIVE | service.answered | | requested_service | request_open answer_known | = | N9 N16
PLAN_ACTIVE | service.request_withdrawn | | lead | request_open | = | N16
PAUSED {OPEN} | episode.updated | | employing_organisation receiving_authority {TEAM} | | = |
CLOSED | episode.updated | | employing_organisation originator assessor lead participant | quiet | = |
"""

SEEN_IN_DIFFERENCE = {
    "N1": f"PAUSED {OPEN}",
    "N3": f"PAUSED {OPEN}",
    "N4": f"CLOSED PAUSED {OPEN}",
    "N5": f"CLOSED PAUSED {OPEN}",
    "N6": f"ASSESSING {SHOWN}",
    "N8": f"PAUSED {OPEN}",
    "N9": "PLAN_ACTIVE IN_REVIEW",
}


def lines() -> Iterator[list[str]]:
    """Yield the table's rows as lists of stripped columns."""
    for line in TABLE.strip().splitlines():
        yield [column.strip() for column in line.split("|")]


def holds(condition: str, true: set[str]) -> bool:
    """Tell whether one word of a column holds: `a`, `!a`, or `a/b` for either."""
    if condition.startswith("!"):
        return condition[1:] not in true
    return any(word in true for word in condition.split("/"))


def predict(
    state: str,
    resume_to: str | None,
    index: str,
    holds_baton: bool,
    event: str | None,
    roles: set[str],
    true: set[str],
    changed: set[str],
) -> str | tuple[str, str | None, str, set[str]]:
    """Return (state, resume_to, index, told), or "E_STATE" or "E_NOT_OWNER".

    *true*: the facts that are true; *holds_baton*: nobody is appointed yet, so the assessor leads.
    """
    if event is None:
        fresh = state in ("NONE", "CONSENT_SOUGHT")
        event = "episode.opened" if fresh else "episode.updated"
        if not fresh and "N2" in changed:
            event = "episode.closed"
    true = set(true) | ({"quiet"} if set(changed) <= {"N4", "N5"} else set())
    for states, name, when, who, needs, to, told in lines():
        if state not in states.split() or name != event:
            continue
        if not all(holds(word, true) for word in when.split()):
            continue
        acting = set(roles) | ({"lead"} if "assessor" in roles and holds_baton else set())
        if who != "any" and not acting & set(who.split()):
            return "E_NOT_OWNER"
        if not all(holds(word, true) for word in needs.split()):
            return "E_STATE"
        there = {"=": state, "<": str(resume_to)}.get(to, to)
        shown = there in SHOWN.split()
        live = there in f"PAUSED {OPEN}".split()
        was_live = state in f"PAUSED {OPEN}".split()
        wants_index = "index_consented" in true
        if live:
            new_index = index
            decided = name.startswith(("consent.", "transfer.consent")) and not name.endswith(
                "expired"
            )
            if not was_live or decided:
                new_index = "OPEN" if wants_index else "NONE"
        elif there in ("CLOSED", "ARCHIVED"):
            over_before = name == "episode.imported" and wants_index
            new_index = "PREVIOUS" if index == "OPEN" or over_before else index
        else:
            new_index = "NONE"
        codes: set[str] = set()
        covered: set[str] = set()
        for word in told.split():
            code, _, condition = word.partition("?")
            if code.startswith("-"):
                covered.add(code[1:])
            elif not condition or (shown if condition == "shown" else condition in true):
                codes.add(code)
        if live and was_live and index != new_index:
            codes.add("N1" if new_index == "OPEN" else "N10")
        for code in set(changed) - covered:
            told_here = there in SEEN_IN_DIFFERENCE.get(code, "").split()
            if told_here and (code != "N1" or new_index == "OPEN"):
                codes.add(code)
        keeps = state if there == "PAUSED" and state != "PAUSED" else resume_to
        return there, keeps if there == "PAUSED" else None, new_index, codes
    return "E_STATE"
