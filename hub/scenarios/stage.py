"""The stage of a scenario: who is on it, what has happened, and the calls that all can make."""

import asyncio
import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.scenarios.consents import Register
from hub.scenarios.judging import Answered, Arrival, Difference
from hub.scenarios.messages import Sent
from hub.scenarios.reading import place_of
from hub.scenarios.report import why_withheld
from hub.scenarios.scenario import Scenario, Step
from hub.scenarios.world import World


@dataclass(slots=True)
class Story:
    """Everything that happened, for judging and for the table."""

    arrivals: list[Arrival] = field(default_factory=list)
    answers: list[Answered] = field(default_factory=list)
    sent: list[tuple[int, Sent]] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    file_steps: dict[Path, int] = field(default_factory=dict)
    present: dict[str, set[str]] = field(default_factory=dict)
    played: list[Step] = field(default_factory=list)

    def at(self, name: str) -> list[Arrival]:
        """Return what *name* received, in order of arrival."""
        return [arrival for arrival in self.arrivals if arrival.participant == name]


class Stage:
    """One scenario in one world, with everything that has happened so far."""

    def __init__(self, scenario: Scenario, world: World) -> None:
        self.scenario = scenario
        self.world = world
        self.story = Story()
        self.run = secrets.token_hex(4)
        self.register = Register(scenario.cast, self.run)
        self.withheld: dict[str, str] = {}
        self.recorder: str | None = None
        self._step: Step | None = None
        self._keys = 0

    async def collect(self, number: int) -> list[Arrival]:
        """Fetch from every double what arrived since last time, as of step *number*."""
        fresh: list[Arrival] = []
        for name in self.world.seats:
            state = await self.world.control(name, "state")
            if state["faults"]:
                raise Difference(
                    self._place(),
                    f"{name} found something wrong with what it received",
                    expected="sound, signed, consistent messages",
                    got="; ".join(state["faults"]),
                )
            known = {arrival.delivery_id for arrival in self.story.at(name)}
            fresh += [
                Arrival(
                    participant=name,
                    step=number,
                    number=one["number"],
                    kind=one["message_type"],
                    delivery_id=one["delivery_id"],
                    sections=one["sections"],
                    file=Path(one["file"]),
                    via=one["via"],
                )
                for one in state["received"]
                if one["delivery_id"] not in known
            ]
            for path in (self.world.out / name).glob("*"):
                self.story.file_steps.setdefault(path, number)
        self.story.arrivals += fresh
        present = set().union(*self.story.present.values())
        for arrival in fresh:
            service = self.scenario.cast.participants[arrival.participant].service
            self.withheld[arrival.delivery_id] = why_withheld(
                arrival, service, present, self.register
            )
        return fresh

    def _place(self) -> Any:
        return self._step.place if self._step else place_of(None)

    async def call(
        self, who: str, method: str, path: str, step: Step, *, by: str = "", **told: Any
    ) -> Answered:
        """Let *who* call the hub for the practitioner called *by*, and keep the answer."""
        answer = await self._asked(who, method, path, step, by=by, **told)
        self.story.answers.append(answer)
        return answer

    async def _asked(
        self, who: str, method: str, path: str, step: Step, *, by: str = "", **told: Any
    ) -> Answered:
        user = self.scenario.cast.user(who, by)
        if user is not None:
            told["headers"] = {"ecaf-user": user, **told.get("headers", {})}
        got = await self.world.control(who, "submit", {"method": method, "path": path, **told})
        return Answered(
            participant=who,
            step=step.number,
            status=got["status"],
            body=got["body"],
            sections=got.get("sections", {}),
            length=got.get("length", 0),
            file=Path(got["file"]) if got.get("file") else None,
        )

    async def send(self, sent: Sent, step: Step) -> Answered:
        """Send a message and remember it, so that it can be sent again."""
        self.story.sent.append((step.number, sent))
        answer = await self.repeat(sent, step)
        self.story.answers.append(answer)
        return answer

    async def repeat(self, sent: Sent, step: Step) -> Answered:
        """Send a message that is remembered already; the story keeps nothing of it."""
        if self.scenario.cast.participants[sent.participant].channel == "fhir":
            from hub.scenarios.translating import in_fhir  # noqa: PLC0415 - loads every mapping

            sent = await asyncio.to_thread(in_fhir, sent)
        return await self._asked(
            sent.participant,
            sent.method,
            sent.path,
            step,
            content_type=sent.content_type,
            body_base64=base64.b64encode(sent.body).decode(),
            idempotency_key=sent.key,
        )

    def sending(self) -> datetime:
        """Return the time by the sender's clock."""
        return self.world.time()

    def key(self, who: str) -> str:
        """Return an idempotency key that nobody used before."""
        self._keys += 1
        return f"{self.run}-{who}-{self._keys}"

    def note(self, step: Step, says: str) -> None:
        """Note something that the reader of the table should know."""
        self.story.notes.append((step.number, says))
