"""Sentences by which systems ask, notify and acknowledge."""

import json
from typing import Any

from hub.scenarios.judging import Answered, judge_answer
from hub.scenarios.messages import Sent, episode_of
from hub.scenarios.parts import plain
from hub.scenarios.reading import Text, complain, place_of
from hub.scenarios.scenario import Action, Step
from hub.scenarios.stage import Stage

VIEWS = {
    "caf-json": "application/vnd.ecaf.message+json;version=1",
    "fhir-r4/episode": "application/fhir+json",
}


async def acknowledge(stage: Stage, action: Action, step: Step) -> None:
    who, kind = action.words["who"], action.words["type"]
    await stage.collect(step.number)
    same = [arrival for arrival in stage.story.at(who) if arrival.kind == kind]
    if not same:
        raise complain(action.text, f"{who} has received no {kind} yet")
    code = action.words.get("code") or ("COPIES_LOCKED" if kind == "N10" else "APPLIED")
    answer = await stage.call(
        who,
        "POST",
        f"/deliveries/{same[-1].delivery_id}/ack",
        step,
        content_type="application/json",
        body={"code": code},
        idempotency_key=stage.key(who),
    )
    judge_answer(action.answer, answer, place_of(action.text))


async def ask_index(stage: Stage, who: str, subject: dict[str, Any], step: Step) -> Answered:
    """Let *who* ask the index about a child."""
    return await stage.call(
        who,
        "POST",
        "/index/check",
        step,
        content_type="application/json",
        body={"purpose": "ASSESS", "subject": subject},
    )


async def index(stage: Stage, action: Action, step: Step) -> None:

    subject: dict[str, Any] = {}
    if "person" in action.ready:
        subject = match_set(action.ready["person"].block)
    if Text("subject") in action.details:
        subject |= plain(action.details[Text("subject")])
    answer = await stage.call(
        action.words["who"],
        "POST",
        "/index/check",
        step,
        by=action.details.text("by"),
        content_type="application/json",
        body={"purpose": action.details.text("purpose") or "ASSESS", "subject": subject},
    )
    judge_answer(action.answer, answer, place_of(action.text))


async def notify(stage: Stage, action: Action, step: Step) -> None:

    who = action.words["who"]
    subject = match_set(action.ready["person"].block)
    addresses = action.ready["person"].block.get("address", [])
    if addresses and addresses[0].get("postcode"):
        subject["postcode"] = addresses[0]["postcode"]
    if Text("subject") in action.details:
        subject |= plain(action.details[Text("subject")])
    body: dict[str, Any] = {
        "kind": action.ready["what"],
        "subject": subject,
        "occurred_on": action.details.text("occurred on") or stage.world.time().date().isoformat(),
    }
    if action.details.text("text"):
        body["text"] = action.details.text("text")
    if Text("codes") in action.details:
        body["codes"] = plain(action.details[Text("codes")])
    if action.details.text("practitioner"):
        body["practitioner"] = stage.scenario.cast.practitioner(
            action.details[Text("practitioner")]
        )
    sent = Sent(
        who,
        "POST",
        "/notifications",
        "application/json",
        json.dumps(body, ensure_ascii=False).encode(),
        action.details.text("key") or stage.key(who),
        body,
    )
    judge_answer(action.answer, await stage.send(sent, step), place_of(action.text))


async def view(stage: Stage, action: Action, step: Step) -> None:
    who = stage.scenario.cast.participant(action.words["who"])
    reference = episode_of(action.details, stage.scenario)
    purpose = action.words.get("purpose", "PLAN")
    service = action.details.text("service") or who.service
    accept = action.details.text("accept") or VIEWS.get(who.content, VIEWS["caf-json"])
    answer = await stage.call(
        who.name,
        "GET",
        f"/episodes/{reference}?purpose={purpose}&service={service}",
        step,
        by=action.details.text("by"),
        accept=accept,
    )
    judge_answer(action.answer, answer, place_of(action.text))


async def pull(stage: Stage, action: Action, step: Step) -> None:
    who = stage.scenario.cast.participant(action.words["who"])
    reference = episode_of(action.details, stage.scenario)
    service = action.details.text("service") or who.service
    answer = await stage.call(
        who.name,
        "POST",
        f"/episodes/{reference}/pull-through?service={service}",
        step,
        by=action.details.text("by"),
        content_type="application/json",
        body={
            "sections": list(action.ready["sections"]),
            "reference": action.words.get("reference", "CFA-0001"),
        },
    )
    judge_answer(action.answer, answer, place_of(action.text))


async def consents(stage: Stage, action: Action, step: Step) -> None:
    reference = episode_of(action.details, stage.scenario)
    path, by = f"/episodes/{reference}/consents", action.details.text("by")
    answer = await stage.call(action.words["who"], "GET", path, step, by=by)
    judge_answer(action.answer, answer, place_of(action.text))


async def http(stage: Stage, action: Action, step: Step) -> None:

    details, told = action.details, {}
    if Text("body") in details:
        told["body"] = plain(details[Text("body")])
    if details.text("text"):
        told["body"] = details.text("text")
    if Text("headers") in details:
        told["headers"] = plain(details[Text("headers")])
    if action.words["method"] != "GET":
        told["content_type"] = details.text("content type") or "application/json"
        told["idempotency_key"] = details.text("key") or stage.key(action.words["who"])
    if details.text("accept"):
        told["accept"] = details.text("accept")
    answer = await stage.call(
        action.words["who"],
        action.words["method"],
        action.words["path"],
        step,
        by=details.text("by"),
        **told,
    )
    judge_answer(action.answer, answer, place_of(action.text))


def match_set(block: dict[str, Any]) -> dict[str, Any]:
    """Return by what a child is looked for."""
    names = ("identifiers", "given_names", "family_name", "date_of_birth")
    found = {name: block[name] for name in names if name in block}
    if "expected_date_of_delivery" in block:
        # All that the index is ever told of it: year and month.
        found["expected_date_of_delivery"] = block["expected_date_of_delivery"][:7]
    return found
