"""Faults laid over a whole scenario: whatever it tells must come out the same (`domain.md` 7.1).

`ecaf scenario run FILE --fault twice --fault crash` plays every step with these in its way.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from hub.scenarios.judging import Answered, Arrival, Difference
from hub.scenarios.messages import Sent
from hub.scenarios.oddities import oddities, well_refused
from hub.scenarios.old_forms import forewarned, on_old_form, on_unlisted_form
from hub.scenarios.ordering import judge_return
from hub.scenarios.outages import IndexDown, Unread, unasked
from hub.scenarios.scenario import Step
from hub.scenarios.stage import Stage
from hub.scenarios.troubling import span

FAULTS: Final = {
    "twice": "every message and decision is sent a second time, and must be answered the same",
    "crash": "the hub is killed and started again after the messages of each step",
    "late": "each receiver refuses its first message of every step for a while",
    "skew": "the clocks of the senders are five minutes fast and slow in turn",
    "away": "each receiver is off for 72 hours of a step, where the story's dates leave room",
    "odd": "before each message, the same with an unknown code and with a wrong NHS number",
    "index": "nobody can ask the index, and what it is to hear waits until after each step",
    "form": "messages name an old form that is listed; before each, the same on one that is not",
    "unread": "while each step's messages go out, no decision can be read; then they can again",
}
SKEW: Final = timedelta(minutes=5)
AWAY: Final = {"mode": "status", "status": 503, "times": 1}
LATER: Final = timedelta(minutes=20)
"""By then what was refused has been tried again."""
DAYS: Final = (timedelta(hours=24), timedelta(hours=48))
"""When receivers that are away are tried in vain; together 72 hours."""
BACK: Final = timedelta(hours=6)
"""By then what could not be sent for 72 hours has been tried again."""


class Faults:
    """The chosen faults, asked at each place of a step where one may strike."""

    def __init__(self, chosen: Collection[str] = ()) -> None:
        unknown = sorted(set(chosen) - FAULTS.keys())
        if unknown:
            msg = f"there is no fault called {', '.join(unknown)}; there are {', '.join(FAULTS)}"
            raise ValueError(msg)
        self._chosen = frozenset(chosen)
        self._away: list[str] = []
        self._index, self._unread = IndexDown(), Unread()

    def changed(self, sent: Sent) -> Sent:
        """Return what is sent instead: by a system that could not ask, or that has an old form."""
        if "index" in self._chosen:
            sent = unasked(sent)
        return on_old_form(sent) if "form" in self._chosen else sent

    def skew(self, number: int) -> timedelta:
        """Return how far the sender's clock is off in step *number*."""
        if "skew" not in self._chosen:
            return timedelta()
        return SKEW if number % 2 else -SKEW

    async def before(self, stage: Stage, step: Step) -> None:
        """Let receivers be away as the step begins, unless the scenario says how they behave."""
        if "index" in self._chosen and step.wait:
            await self._index.begin(stage, _well(stage))
        if "unread" in self._chosen and step.wait:
            await self._unread.begin(stage, step)
        if "away" in self._chosen and step.wait and step.expect and _room(stage, step):
            self._away = [name for name in _well(stage) if stage.world.seats[name].hook is not None]
            for name in self._away:
                await stage.world.control(name, "behave", {"mode": "down"})
        elif "late" in self._chosen and step.wait:
            for name in _well(stage):
                await stage.world.control(
                    name, "behave", {"mode": "status", "status": 503, "times": 1}
                )

    async def tried(self, stage: Stage, sent: Sent, step: Step) -> list[tuple[str, Answered]]:
        """Send it with one field wrong, before it is sent as it is; return the answers."""
        wrong = list(oddities(sent)) if "odd" in self._chosen else []
        wrong += on_unlisted_form(sent) if "form" in self._chosen else ()
        return [(code, await stage.repeat(odd, step)) for code, odd in wrong]

    async def sent(self, stage: Stage, sent: Sent, answer: Answered, step: Step) -> None:
        """Send it again; the second answer must be the first, and that on an old form says so."""
        if not forewarned(sent, answer):
            raise Difference(
                step.place,
                "a message on an old form was taken without a word",
                expected="a warning until when it is accepted",
                got=answer.body[:300],
            )
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

    def refused(self, tried: list[tuple[str, Answered]], answer: Answered, step: Step) -> None:
        """Judge what was tried; of what is no good as it is, nothing is asked."""
        for code, odd in tried if answer.status < HTTPStatus.BAD_REQUEST else ():
            if not well_refused(code, odd):
                raise Difference(
                    step.place,
                    "a message with one field wrong was not refused whole",
                    expected=f"422 {code}",
                    got=f"{odd.status} {odd.body[:300]}",
                )

    def judge(self, stage: Stage, step: Step, fresh: Sequence[Arrival]) -> None:
        """Judge the order in which things came to those who were away."""
        for name in self._away:
            came = [arrival for arrival in fresh if arrival.participant == name]
            if not stage.scenario.cast.participants[name].is_index:
                judge_return(name, came, step.place)
        self._away = []

    async def after(self, stage: Stage, step: Step) -> None:
        """Kill the hub and start it again; then let come what was refused at first."""
        world = stage.world
        if step.wait:
            await self._unread.end(stage, step)
        if not step.wait or world.paused or world.hub is None or not world.hub.alive:
            return
        if "crash" in self._chosen:
            await world.kill_hub()
            await world.start_hub()
        if self._away:
            for hours in DAYS:
                await world.rest()
                await world.move_to(world.time() + hours)
            await world.rest()
            for name in self._away:
                await world.control(name, "behave", {"mode": "up"})
            # Whom a hub has failed to reach five times it leaves alone for half a real minute.
            await world.stop_hub()
            await world.start_hub()
            await world.move_to(world.time() + BACK)
        elif "late" in self._chosen:
            await world.rest()
            for name in _well(stage):
                await world.control(name, "behave", {"mode": "up"})
            await world.move_to(world.time() + LATER)
        await self._index.end(stage)


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


def _room(stage: Stage, step: Step) -> bool:
    """Return whether three days fit before the next day that the story names, and nobody is away
    in the story itself.
    """
    ill: dict[str, bool] = {}
    for one in stage.scenario.steps[: stage.scenario.steps.index(step) + 1]:
        for action in one.actions:
            if action.kind in {"manners", "answers", "drops", "mute", "unmute"}:
                ill[action.words["who"]] = action.words.get("mode") not in {"up", "back"}
                ill[action.words["who"]] &= action.kind != "unmute"
    if any(ill.values()):
        return False
    back = stage.world.time()
    for later in stage.scenario.steps:
        if later.number < step.number:
            continue
        for action in later.actions:
            back += span(action)
            if action.kind == "until":
                ahead: datetime = action.ready["moment"]
                if later.number > step.number:
                    return back < ahead
                back = ahead
        if later.number == step.number:
            back += sum(DAYS, BACK)
    return True
