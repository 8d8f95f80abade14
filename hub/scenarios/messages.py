"""What a system sends: the wire message of a ``submits`` sentence, as bytes with a key."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.scenarios.casts import Cast, Participant
from hub.scenarios.contents import merged
from hub.scenarios.parts import plain, typed
from hub.scenarios.paths import drop, put
from hub.scenarios.reading import Fields, Text
from hub.scenarios.scenario import Action, Scenario

WIRE = "application/vnd.ecaf.message+json"
OPENING = ("episode.opened", "episode.reopened")


@dataclass(frozen=True, slots=True)
class Sent:
    """One call as it went out, so that it can go out again, byte for byte."""

    participant: str
    method: str
    path: str
    content_type: str
    body: bytes
    key: str
    tree: Any = None


def message(
    action: Action, scenario: Scenario, *, at: datetime, key: str, seen: int | None
) -> Sent:
    """Return the message that the sentence describes; *seen* is the newest sequence received."""
    details, who = action.details, scenario.cast.participant(action.words["who"])
    content_type = details.text("content type") or WIRE
    key = details.text("key") or key
    if details.text("file"):
        body = (scenario.file.parent / details.text("file")).read_bytes()
        return Sent(who.name, "POST", "/messages", content_type, body, key)
    if details.text("text"):
        body = details.text("text").encode()
        return Sent(who.name, "POST", "/messages", content_type, body, key)
    event = details.text("event") or action.words.get("event", "")
    moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    tree: dict[str, Any] = {
        "message": {
            "sender_org": who.organisation,
            "sender_system": f"{who.name} case system",
            "sent_at": moment,
            **acting(action, scenario.cast),
            **told_under(details, "message"),
        }
    }
    if event:
        tree["event"] = event
    if Text("event detail") in details:
        tree["event_detail"] = plain(details[Text("event detail")])
    deletes = [str(path) for path in details.items_of("delete")]
    if deletes:
        tree["message"]["deletes"] = deletes
    if details.yes("accept failed identifiers"):
        tree["message"]["accept_failed_identifiers"] = True
    base = details.text("base version")
    if base:
        tree["message"]["base_seq"] = seen if base == "latest" else int(base)
    for word, field in (
        ("contribution", "contribution"),
        ("acknowledgement", "acknowledgement"),
        ("notification", "notification"),
        ("consent decision", "consent_decision"),
    ):
        if Text(word) in details:
            tree[field] = plain(details[Text(word)])
    if "contribution" in tree:
        tree["contribution"].setdefault("episode_id", episode_of(details, scenario))
    payloads = {"contribution", "acknowledgement", "notification", "consent_decision"}
    if not payloads & tree.keys():
        tree["episode"] = episode(action, scenario, who, event, moment)
    body = json.dumps(tree, ensure_ascii=False).encode()
    return Sent(who.name, "POST", "/messages", content_type, body, key, tree)


def acting(action: Action, cast: Cast) -> dict[str, Any]:
    """Return the metadata that names who acts."""
    user = cast.user(action.words["who"], action.details.text("by"))
    return {} if user is None else {"sender_user_ref": user}


def told_under(details: Fields, key: str) -> dict[str, Any]:
    """Return the mapping under *key* as plain JSON."""
    node = details.get(Text(key))
    found: dict[str, Any] = plain(node) if node is not None else {}
    return found


def episode_of(details: Fields, scenario: Scenario) -> str:
    """Return the episode that a sentence is about."""
    return details.text("into") or scenario.episode


def episode(
    action: Action, scenario: Scenario, who: Participant, event: str, moment: str
) -> dict[str, Any]:
    """Return the part of the episode that goes with the message."""
    details, cast = action.details, scenario.cast
    as_is = details.yes("as is")
    tree: dict[str, Any] = {"episode_id": episode_of(details, scenario)}
    if event in OPENING and not as_is:
        tree |= _opening(cast, who, moment)
    people = [str(name) for name in details.items_of("people")]
    if people == ["no"]:
        tree.pop("subjects", None)
        tree.pop("parents_carers", None)
    elif people or (event in OPENING and not as_is):
        tree |= _family(cast, people)
    if details.text("from"):
        tree = merged(tree, scenario.documents[details.text("from")])
    if Text("episode") in details:
        tree = merged(tree, typed(details[Text("episode")], cast, as_is=as_is))
    for path, value in told_under(details, "with").items():
        put(tree, path, value)
    for path in details.items_of("without"):
        drop(tree, str(path))
    return tree


def _opening(cast: Cast, who: Participant, moment: str) -> dict[str, Any]:
    unborn = any(child.block.get("is_unborn") for child in cast.children)
    return {
        "episode_type": "UNBORN" if unborn else "CHILD",
        "form_profile": "cwdc-caf-2009",
        "form_version_no": 1,
        "home_authority": who.authority or "001",
        "index_checked_at": moment,
        "index_check_result": "NONE",
        "assessment_started_on": moment[:10],
        "services": {"assessor": [cast.of(who.name)]},
    }


def _family(cast: Cast, names: list[str]) -> dict[str, Any]:
    chosen = [cast.person(name) for name in names] or list(cast.people.values())
    family: dict[str, Any] = {"subjects": [p.block for p in chosen if p.child]}
    adults = [p.block for p in chosen if not p.child]
    if adults:
        family["parents_carers"] = adults
    return {key: value for key, value in json.loads(json.dumps(family)).items() if value}
