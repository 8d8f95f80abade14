"""Faults laid over a whole scenario: whatever it tells must come out the same (`domain.md` 7.1).

`ecaf scenario run FILE --fault twice --fault crash` plays every step with these in its way.
"""

import json
from collections.abc import Collection
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from hub.scenarios.judging import Answered, Difference
from hub.scenarios.messages import Sent
from hub.scenarios.scenario import Step
from hub.scenarios.stage import Stage

FAULTS: Final = {
    "twice": "every message and decision is sent a second time, and must be answered the same",
    "crash": "the hub is killed and started again after the messages of each step",
    "late": "each receiver refuses its first message of every step for a while",
    "skew": "the clocks of the senders are five minutes fast and slow in turn",
}
SKEW: Final = timedelta(minutes=5)
AWAY: Final = {"mode": "status", "status": 503, "times": 1}
LATER: Final = timedelta(minutes=20)
"""By then what was refused has been tried again."""


class Faults:
    """The chosen faults, asked at each place of a step where one may strike."""

    def __init__(self, chosen: Collection[str] = ()) -> None:
        unknown = sorted(set(chosen) - FAULTS.keys())
        if unknown:
            msg = f"there is no fault called {', '.join(unknown)}; there are {', '.join(FAULTS)}"
            raise ValueError(msg)
        self._chosen = frozenset(chosen)

    def skew(self, number: int) -> timedelta:
        """Return how far the sender's clock is off in step *number*."""
        if "skew" not in self._chosen:
            return timedelta()
        return SKEW if number % 2 else -SKEW

    async def before(self, stage: Stage, step: Step) -> None:
        """Let receivers be away as the step begins, unless the scenario says how they behave."""
        if "late" in self._chosen and step.wait:
            for name in _well(stage):
                await stage.world.control(
                    name, "behave", {"mode": "status", "status": 503, "times": 1}
                )

    async def sent(self, stage: Stage, sent: Sent, answer: Answered, step: Step) -> None:
        """Send it again; the second answer must be the first."""
        if "twice" not in self._chosen or not sent.key:
            return
        again = await stage.repeat(sent, step)
        if _told(again) != _told(answer):
            raise Difference(
                step.place,
                "the same message was answered differently",
                expected=f"{answer.status} {answer.body[:200]}",
                got=f"{again.status} {again.body[:200]}",
            )

    async def after(self, stage: Stage, step: Step) -> None:
        """Kill the hub and start it again; then let come what was refused at first."""
        world = stage.world
        if not step.wait or world.paused or world.hub is None or not world.hub.alive:
            return
        if "crash" in self._chosen:
            await world.kill_hub()
            await world.start_hub()
        if "late" in self._chosen:
            await world.rest()
            for name in _well(stage):
                await world.control(name, "behave", {"mode": "up"})
            await world.move_to(world.time() + LATER)


def _told(answer: Answered) -> tuple[int, object]:
    """Return what an answer says; a refusal has an id of its own each time."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return answer.status, answer.body
    return answer.status, json.loads(answer.body).get("code")


def _well(stage: Stage) -> list[str]:
    """Return the participants that the scenario itself has never made behave otherwise."""
    told = {
        action.words["who"]
        for step in stage.scenario.steps
        for action in step.actions
        if action.kind in {"manners", "answers", "drops", "mute", "unmute"}
    }
    return [name for name in stage.world.seats if name not in told]
