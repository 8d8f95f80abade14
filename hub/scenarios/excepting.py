"""Sentences of exceptions: a system discloses without consent, asks for that (N13), or sees past a
shield.
"""

import json
from datetime import timedelta
from typing import Any

from hub.scenarios.asking import VIEWS
from hub.scenarios.judging import judge_answer
from hub.scenarios.messages import WIRE, Sent, episode, episode_of
from hub.scenarios.reading import Text, place_of
from hub.scenarios.scenario import Action, Step
from hub.scenarios.stage import Stage

CONTENT = ("people", "from", "episode")
"""Details by which a system brings sections of its own; without them the hub's record is meant."""


async def disclose(stage: Stage, action: Action, step: Step) -> None:
    """Send one disclosure to each of the named services."""
    for service in action.ready["services"]:
        await _send(stage, action, step, _record(stage, action, "DISCLOSE", service))


async def ask(stage: Stage, action: Action, step: Step) -> None:
    """Send one request, for the asker's own service."""
    service = stage.scenario.cast.participant(action.words["who"]).service
    await _send(stage, action, step, _record(stage, action, "REQUEST", service))


def _record(stage: Stage, action: Action, kind: str, service: str) -> dict[str, Any]:
    details, cast = action.details, stage.scenario.cast
    named = details.get(Text("decided by"))
    who = action.words["who"]
    decided_at = stage.world.time() - timedelta(minutes=1)
    number = sum(sent.path == "/disclosures" for _step, sent in stage.story.sent) + 1
    record: dict[str, Any] = {
        "exception_id": f"{stage.run}-x{number}",
        "kind": kind,
        "episode_id": episode_of(details, stage.scenario),
        "subject_ids": [action.ready["person"].ref],
        "basis": details.text("basis") or "S47",
        "concern_summary": details.text("concern") or "A concern about significant harm.",
        "why_no_consent": details.text("why") or "Asking first would put the child at risk.",
        "decided_by": cast.practitioner(named) if named is not None else cast.of(who),
        "decided_at": decided_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "manager_consulted": True,
        "family_informed": details.text("family informed") or "NOT_TOLD_RISK",
        "disclosed_to": service,
        "disclosed_sections": list(action.ready["sections"]),
    }
    if details.text("order"):
        record["basis_reference"] = details.text("order")
    if details.yes("answers the request"):
        record["request_id"] = _request(stage, who)
    for name in details.items_of("leaves out"):
        record.pop(str(name), None)
    return record


def _request(stage: Stage, who: str) -> str:
    """Return which request *who* received last."""
    asked = [
        arrival.tree["disclosure"]["exception_id"]
        for arrival in stage.story.at(who)
        if arrival.kind == "N13" and arrival.tree.get("disclosure", {}).get("kind") == "REQUEST"
    ]
    return str(asked[-1]) if asked else "no-request"


async def _send(stage: Stage, action: Action, step: Step, record: dict[str, Any]) -> None:
    participant = stage.scenario.cast.participant(action.words["who"])
    tree: dict[str, Any] = {"disclosure": record}
    if action.details.text("event"):
        tree["event"] = action.details.text("event")
    if any(Text(word) in action.details for word in CONTENT):
        moment = stage.world.time().strftime("%Y-%m-%dT%H:%M:%SZ")
        tree["episode"] = episode(action, stage.scenario, participant, "", moment)
    body = json.dumps(tree, ensure_ascii=False).encode()
    key = stage.key(participant.name)
    sent = Sent(participant.name, "POST", "/disclosures", WIRE, body, key, tree)
    judge_answer(action.answer, await stage.send(sent, step), place_of(action.text))


async def look_past(stage: Stage, action: Action, step: Step) -> None:
    """Ask for one view past a shield, as a system does whose practitioner has seen the warning."""
    details, who = action.details, stage.scenario.cast.participant(action.words["who"])
    body = {
        "purpose": action.words.get("purpose", "PLAN"),
        "basis": details.text("basis") or "S47",
        "reference": details.text("reference") or f"{stage.run}-look",
        "warned": details.text("warned") != "no",
    }
    reference, service = episode_of(details, stage.scenario), details.text("service") or who.service
    answer = await stage.call(
        who.name,
        "POST",
        f"/episodes/{reference}/override?service={service}",
        step,
        by=details.text("by"),
        content_type="application/json",
        accept=details.text("accept") or VIEWS.get(who.content, VIEWS["caf-json"]),
        body=body,
        idempotency_key=stage.key(who.name),
    )
    judge_answer(action.answer, answer, place_of(action.text))


async def store(stage: Stage, action: Action, step: Step) -> None:
    """Take the table of decisions away from under the running hub, or put it back."""
    stage.note(step, await stage.world.consent_store(action.words["what"]))
