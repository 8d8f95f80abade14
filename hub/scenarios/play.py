"""Plays a scenario step by step, and judges after each what everybody received."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from hub.scenarios import asking, excepting, sending, troubling
from hub.scenarios.checking import Checker
from hub.scenarios.decisions import KINDS
from hub.scenarios.faults import Faults
from hub.scenarios.judging import Answered, judge_messages
from hub.scenarios.messages import Sent
from hub.scenarios.ordering import judge_order
from hub.scenarios.scenario import Action, Scenario, Step
from hub.scenarios.stage import Stage
from hub.scenarios.world import World

Act = Callable[[Stage, Action, Step], Awaitable[None]]

ACTS: Mapping[str, Act] = {
    **dict.fromkeys(KINDS, sending.consent),
    "submit": sending.submit,
    "appoint": sending.submit,
    "accept": sending.submit,
    "again": sending.again,
    "replay": sending.replay,
    "judge": sending.judge,
    "acknowledge": asking.acknowledge,
    "index": asking.index,
    "notify": asking.notify,
    "disclose": excepting.disclose,
    "ask-by-law": excepting.ask,
    "consent-store": excepting.store,
    "pull": asking.pull,
    "view": asking.view,
    "look-past": excepting.look_past,
    "consents": asking.consents,
    "http": asking.http,
    "pass": troubling.wait,
    "until": troubling.until,
    "manners": troubling.manners,
    "answers": troubling.answers,
    "drops": troubling.drops,
    "mute": troubling.mute,
    "unmute": troubling.unmute,
    "broker": troubling.broker,
    "kill": troubling.kill,
    "hub": troubling.hub,
    "nothing": troubling.nothing,
}
"""What each kind of sentence does."""


class Player(Stage):
    """Plays one scenario in one world, with *faults* in its way."""

    def __init__(self, scenario: Scenario, world: World, faults: Faults | None = None) -> None:
        super().__init__(scenario, world)
        self.faults = faults or Faults()

    async def send(self, sent: Sent, step: Step) -> Answered:
        """Send a message, with what the faults make of it."""
        sent = self.faults.changed(sent)
        tried = await self.faults.tried(self, sent, step)
        answer = await super().send(sent, step)
        self.faults.refused(tried, answer, step)
        await self.faults.sent(self, sent, answer, step)
        return answer

    def sending(self) -> datetime:
        """Return the time by the sender's clock."""
        return self.world.time() + self.faults.skew(self._step.number if self._step else 0)

    async def play(self) -> None:
        """Play every step, then ask every check; raises the first `Difference`."""
        for step in self.scenario.steps:
            await self.step(step)
        await self.finish()

    async def step(self, step: Step) -> None:
        """Play one step and judge it."""
        self._step = step
        self.story.played.append(step)
        await self.faults.before(self, step)
        for action in step.actions:
            await ACTS[action.kind](self, action, step)
        if not step.wait:
            return  # what comes of it is judged with the next step
        await self.faults.after(self, step)
        await self.world.rest()
        fresh = await self.collect(step.number)
        self.faults.judge(self, step, fresh)
        for name in self.scenario.cast.participants:
            came = [arrival for arrival in fresh if arrival.participant == name]
            judge_messages(name, step.expect.get(name, ()), came, step.place)
        if step.checks:
            await self._checker().ask(step.checks)

    async def finish(self) -> None:
        """Ask what must not have flowed, and every check."""
        for name in self.world.seats:
            place = self.scenario.steps[-1].place
            judge_order(name, self.story.at(name), self.story.answers, place)
        checker = self._checker()
        checker.barred()
        await checker.checks()

    def unproven(self) -> list[str]:
        """Return the must-not-flow lines that nothing could have broken."""
        return self._checker().unproven()

    def _checker(self) -> Checker:
        return Checker(self)
