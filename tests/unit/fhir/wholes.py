"""Messages in which everything is said that FHIR can hold, and how places of a Bundle are named."""

import re
from collections.abc import Mapping
from typing import Any

from tests import builders

Tree = dict[str, Any]


def whole() -> Tree:
    """A message about a closed episode of two children, with every kind of content."""
    closure = {
        "closed_on": "2026-11-02",
        "closure_reason": "NEEDS_MET",
        "closure_summary": "Ava is in school, and the flat is dry.",
        "outcomes_achieved": [{"outcome_id": "o1", "achieved": "ACHIEVED"}],
        "step_to": {"name": "Example Youth Club", "organisation_type": "VCS_LOC"},
        "receiving_authority": "002",
        "child_view": [{"subject_id": "s1", "text": "It is good now."}],
        "parent_view": [{"parent_carer_id": "c1", "text": "Thank you."}],
        "closed_by": builders.practitioner("p-lead"),
        "retention_until": "2032-11-02",
        "legal_hold": False,
    }
    ava = builders.subject(date_of_death="2026-12-01", shielding="none")
    ava["identifiers"].append(
        {"system": "uln", "value": "9276308686", "valid_from": "2020", "valid_to": "2026"}
    )
    ava["characteristics"] |= {
        "religion": "OTH",
        "religion_other": "as she says it",
        "nationality": "Welsh",
        "interpreter_arranged": True,
        "looked_after_status": "no",
    }
    ava["elements"][0]["difference_of_view"] = [{"holder": "Mia", "text": "It is better."}]
    twin: Tree = {
        "subject_id": "s2",
        "is_unborn": True,
        "expected_date_of_delivery": "2027-01-15",
        "no_fixed_or_known_address": "NFA",
    }
    plan = builders.plan()
    plan["action"].append(
        {
            "id": "a4",
            "text": "Choose a book a week.",
            "action_owner": {"person_id": "s1"},
            "action_due": "2026-12-01",
            "action_status": "DONE",
            "action_closed_on": "2026-11-30",
        }
    )
    plan["service_request"][0] |= {"response": "WAITING", "responded_at": "2026-09-12T10:00:00Z"}
    plan["team_member"][0]["left"] = "2026-10"
    episode = builders.episode(
        status="CLOSED",
        closed_at="2026-11-02T15:00:00Z",
        closure=closure,
        subjects=[ava, twin],
        plan=plan,
        parents_carers=[builders.mother(contact_restriction="no_contact")],
        previous_episode_id="e0",
        linked_episode_ids=["e9"],
        responsible_practitioner=builders.practitioner("p-lead"),
        services=builders.services(lp_to="2026-11-02"),
    )
    episode["conclusions"]["comment_declined_reason"] = "Ava was asleep."
    return {
        "message": builders.header(message_type="N7", supersedes="m0"),
        "notification": {"code": "N7"},
        "event": "episode.closed",
        "episode": episode,
    }


def decision() -> Tree:
    """A message that is a consent decision, with an exclusion and a period."""
    record = builders.decision(
        supersedes="d0",
        scope_excludes=[
            {"service": "HOU-A/HOUS", "section": "sec.child.health", "from": "2026-10-01"}
        ],
    )
    record["scope_includes"][0] |= {"purpose": "PLAN", "from": "2026-09-01", "to": "2027-08-31"}
    return {"message": builders.header(recipients=[]), "consent_decision": record}


def shape(document: Mapping[str, Any], path: str) -> str:
    """Return a place of a Bundle by types and names instead of positions.

    ``entry[2].resource.extension[0].valueCode`` is
    ``EpisodeOfCare.extension(process-state).valueCode``; items of a form go by their linkId.
    """
    here: Any = document
    said = "Bundle"
    for step in re.findall(r"[^.\[\]]+|\[\d+\]", path):
        if step.startswith("["):
            here = here[int(step[1:-1])]
            if isinstance(here, Mapping):
                named = here.get("linkId") or str(here.get("url", "")).rpartition("/")[2]
                said += f"({named})" if named else ""
        else:
            here = here[step]
            said += f".{step}"
        if isinstance(here, Mapping) and "resourceType" in here:
            said = str(here["resourceType"])
    return said
