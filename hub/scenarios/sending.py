"""Sentences by which systems send: messages, repetitions, and the family's decisions."""

import json
from typing import Any

from hub.scenarios.contents import sections_of
from hub.scenarios.decisions import records
from hub.scenarios.judging import Answered, Difference, judge_answer
from hub.scenarios.messages import WIRE, Sent, acting, episode_of, message, told_under
from hub.scenarios.paths import put
from hub.scenarios.reading import Text, complain, place_of
from hub.scenarios.scenario import Action, Step
from hub.scenarios.stage import Stage


async def submit(stage: Stage, action: Action, step: Step) -> None:
    who = action.words["who"]
    if action.kind == "appoint":
        sent = appointment(stage, action)
    elif action.kind == "accept":
        sent = short(stage, action, "transfer.accepted", {}, {})
    else:
        seen = sequence(stage, who)
        sent = message(action, stage.scenario, at=stage.sending(), key=stage.key(who), seen=seen)
    answer = await stage.send(sent, step)
    judge_answer(action.answer, answer, place_of(action.text))
    if answer.status < 300:
        learn(stage, who, sent)


def appointment(stage: Stage, action: Action) -> Sent:
    """Return the message that appoints a lead professional, with the team that was there."""
    block = action.ready["practitioner"]
    acting = "acting" in action.words
    event = action.details.text("event") or "lead_professional.appointed"
    state = "ACTING" if acting else "APPOINTED"
    part: dict[str, Any] = {"services": {"lead_professional": block, "lp_state": state}}
    named = [stage.scenario.cast.practitioner(name) for name in action.details.items_of("team")]
    if named or event.endswith(".appointed"):
        team = {one["practitioner_id"]: one for one in [block, *named]}
        part["plan"] = {
            "plan_id": action.details.text("plan") or "plan-1",
            "team_member": [
                {
                    "practitioner": one,
                    "organisation": one["organisation"],
                    "service_type": one["service_type"],
                    "joined": stage.world.time().date().isoformat(),
                }
                for one in team.values()
            ],
        }
    return short(stage, action, event, part, {"acting": True} if acting else {})


def short(
    stage: Stage, action: Action, event: str, episode: dict[str, Any], detail: dict[str, Any]
) -> Sent:

    who = stage.scenario.cast.participant(action.words["who"])

    tree: dict[str, Any] = {
        "message": {
            "sender_org": who.organisation,
            "sender_system": f"{who.name} case system",
            "sent_at": stage.sending().strftime("%Y-%m-%dT%H:%M:%SZ"),
            **acting(action, stage.scenario.cast),
        },
        "event": event,
        "episode": {"episode_id": episode_of(action.details, stage.scenario), **episode},
    }
    if detail:
        tree["event_detail"] = detail
    for path, value in told_under(action.details, "with").items():
        put(tree["episode"], path, value)
    body = json.dumps(tree, ensure_ascii=False).encode()
    return Sent(who.name, "POST", "/messages", WIRE, body, stage.key(who.name), tree)


def sequence(stage: Stage, who: str) -> int | None:
    numbers = []
    for arrival in stage.story.at(who):
        tree = arrival.tree
        if isinstance(tree, dict) and isinstance(tree.get("message"), dict):
            numbers.append(tree["message"].get("episode_seq") or 0)
    return max(numbers, default=None)


def learn(stage: Stage, who: str, sent: Sent) -> None:
    tree = sent.tree if isinstance(sent.tree, dict) else {}
    episode = tree.get("episode", {})
    reference = episode.get("episode_id", stage.scenario.episode)
    present = stage.story.present.setdefault(reference, set())
    present |= sections_of(episode)
    event = tree.get("event")
    if event in ("episode.opened", "transfer.accepted"):
        stage.recorder = who
    lead = episode.get("services", {}).get("lead_professional")
    if lead and event and event.startswith("lead_professional."):
        for one in stage.scenario.cast.participants.values():
            if one.organisation == lead["organisation"]:
                stage.recorder = one.name


def last_sent(stage: Stage, who: str, where: Text) -> Sent:
    mine = [sent for _step, sent in stage.story.sent if sent.participant == who]
    if not mine:
        raise complain(where, f"{who} has sent nothing yet")
    return mine[-1]


async def again(stage: Stage, action: Action, step: Step) -> None:
    who = action.words["who"]
    sent = last_sent(stage, who, action.text)
    earlier = [a for a in stage.story.answers if a.participant == who][-1]
    if action.details.text("key") == "new":
        sent = Sent(sent.participant, sent.method, sent.path, sent.content_type, sent.body,
                    stage.key(who), sent.tree)  # fmt: skip
    answer = await stage.send(sent, step)
    judge_answer(action.answer, answer, place_of(action.text))
    if action.answer is None and not action.details.text("key"):
        same(earlier, answer, action)


def same(earlier: Answered, answer: Answered, action: Action) -> None:
    if (earlier.status, earlier.body) != (answer.status, answer.body):
        raise Difference(
            place_of(action.text),
            "the same message was answered differently",
            expected=f"{earlier.status} {earlier.body[:200]}",
            got=f"{answer.status} {answer.body[:200]}",
        )


async def replay(stage: Stage, action: Action, step: Step) -> None:
    who = action.words["who"]
    number = next(s.number for s in stage.scenario.steps if s.label == action.words["label"])
    mine = [s for n, s in stage.story.sent if n == number and s.participant == who]
    if not mine:
        raise complain(action.text, f"{who} sent nothing in step {action.words['label']}")
    for sent in mine:
        judge_answer(action.answer, await stage.send(sent, step), place_of(action.text))


async def consent(stage: Stage, action: Action, step: Step) -> None:
    told = action.ready.get("recorded by")
    if action.kind == "refuse" and told is None:
        stage.note(step, "a refusal stays with the practitioner: nothing is sent")
        return
    who = told.name if told else stage.recorder
    if who is None:
        raise complain(action.text, "say which system records this: `recorded by: SCH-A`")
    if stage.recorder is None:
        stage.recorder = who
    practitioner = stage.scenario.cast.of(who)["practitioner_id"]
    reference = episode_of(action.details, stage.scenario)
    made = records(
        action,
        stage.register,
        episode=reference,
        recorded_by=practitioner,
        at=stage.world.time(),
    )

    for record in made:
        sent = Sent(
            who,
            "POST",
            f"/episodes/{reference}/consents",
            "application/json",
            json.dumps(record).encode(),
            stage.key(who),
        )
        judge_answer(action.answer, await stage.send(sent, step), place_of(action.text))


async def judge(stage: Stage, action: Action, step: Step) -> None:
    practitioner = stage.scenario.cast.of(action.words["who"])["practitioner_id"]
    stage.register.judge(
        action.ready["person"],
        practitioner,
        stage.world.time(),
        competent="not" not in action.words,
    )
    stage.note(step, "the judgement goes with the decisions that follow")
