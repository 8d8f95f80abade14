"""Sentences that move the clock, and those that break things."""

from datetime import timedelta
from typing import Any

from hub.scenarios.scenario import Action, Step
from hub.scenarios.sentences import NUMBERS
from hub.scenarios.stage import Stage

UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}


def span(action: Action) -> timedelta:
    """Return how much time a sentence lets pass."""
    if action.kind != "pass":
        return timedelta()
    word = action.words["count"]
    count = 1 if word in ("a", "an") else int(word) if word.isdigit() else NUMBERS.index(word) + 1
    return count * UNITS[action.words["unit"]]


async def wait(stage: Stage, action: Action, _step: Step) -> None:
    await stage.world.move_to(stage.world.time() + span(action))


async def until(stage: Stage, action: Action, _step: Step) -> None:
    await stage.world.move_to(action.ready["moment"])


async def manners(stage: Stage, action: Action, _step: Step) -> None:
    mode = "up" if action.words["mode"] == "back" else action.words["mode"]
    told: dict[str, Any] = {"mode": mode}
    if action.details.text("seconds"):
        told["seconds"] = float(action.details.text("seconds"))
    if action.details.text("times"):
        told["times"] = int(action.details.text("times"))
    await stage.world.control(action.words["who"], "behave", told)


async def answers(stage: Stage, action: Action, _step: Step) -> None:
    times = int(action.details.text("times") or -1)
    told = {"mode": "status", "status": int(action.words["status"]), "times": times}
    await stage.world.control(action.words["who"], "behave", told)


async def drops(stage: Stage, action: Action, _step: Step) -> None:
    times = int(action.details.text("times") or -1)
    await stage.world.control(action.words["who"], "behave", {"mode": "drop", "times": times})


async def mute(stage: Stage, action: Action, _step: Step) -> None:
    await stage.world.control(action.words["who"], "behave", {"mute": True})


async def unmute(stage: Stage, action: Action, _step: Step) -> None:
    await stage.world.control(action.words["who"], "behave", {"mute": False})


async def broker(stage: Stage, action: Action, step: Step) -> None:
    stage.note(step, await stage.world.broker(action.words["what"]))


async def kill(stage: Stage, action: Action, _step: Step) -> None:
    await stage.world.kill_hub()
    if "back" in action.words:
        await stage.world.start_hub()


async def hub(stage: Stage, action: Action, _step: Step) -> None:
    what = action.words["what"]
    if what in ("stops", "restarts"):
        await stage.world.stop_hub()
    if what in ("starts", "restarts"):
        await stage.world.start_hub()


async def nothing(_stage: Stage, _action: Action, _step: Step) -> None:
    return
