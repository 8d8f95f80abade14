"""Two services that are away while a step is played: the child index, and the register of consent.

`domain.md` 7.1.  With the index down an episode "may open locally" with an index check that says
`unavailable`; what the index is to hear waits for it, and nobody else waits.  With the consent
store unreachable "all content stops; only S47 passes": what a step has put on its way stays with
the hub until decisions can be read again, and then everything comes as the story says.
"""

import asyncio
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from hub.scenarios.judging import Difference
from hub.scenarios.messages import WIRE, Sent
from hub.scenarios.scenario import Step
from hub.scenarios.stage import Stage
from hub.scenarios.world import REST_SECONDS, WAITING_SECONDS, Trouble

UNREAD_GOES: Final = frozenset({"N13", "N10", "N14"})
"""What rests on no decision: disclosures by law, and what takes back."""
LATER: Final = timedelta(minutes=20)
"""By then what could not be sent has been tried again."""
TROUBLED: Final = frozenset({"broker", "consent-store", "kill", "hub"})
"""Sentences by which a story itself takes something away or gives it back."""


def episode_of(sent: Sent) -> dict[str, Any] | None:
    """Return a copy of the whole message where it is a canonical one with an episode, or None."""
    if sent.content_type != WIRE or sent.method != "POST":
        return None
    try:
        tree = json.loads(sent.body)
    except ValueError:
        return None
    if not isinstance(tree, dict) or not isinstance(tree.get("episode"), dict):
        return None
    return tree


def rewritten(sent: Sent, tree: dict[str, Any]) -> Sent:
    """Return *sent* with *tree* as its message, under the same key."""
    return replace(sent, body=json.dumps(tree, ensure_ascii=False).encode(), tree=tree)


def unasked(sent: Sent) -> Sent:
    """Return the message as its system sends it that could not ask the index."""
    tree = episode_of(sent)
    if tree is None or "index_check_result" not in tree["episode"]:
        return sent
    tree["episode"].pop("index_checked_at", None)
    tree["episode"]["index_check_result"] = "UNAVAILABLE"
    return rewritten(sent, tree)


class IndexDown:
    """The system at the other end of the index is off while a step is played."""

    def __init__(self) -> None:
        self._off: list[str] = []

    async def begin(self, stage: Stage, well: list[str]) -> None:
        """Switch it off, unless the story says how it behaves."""
        cast = stage.scenario.cast.participants
        self._off = [name for name in well if cast[name].is_index]
        for name in self._off:
            await stage.world.control(name, "behave", {"mode": "down"})

    async def end(self, stage: Stage) -> None:
        """Let everything else come to rest without it; then switch it on."""
        if not self._off:
            return
        await stage.world.rest()
        for name in self._off:
            await stage.world.control(name, "behave", {"mode": "up"})
        self._off = []
        await stage.world.move_to(stage.world.time() + LATER)


class Unread:
    """Decisions cannot be read from when a step's messages are taken until nothing moves."""

    def __init__(self) -> None:
        self._held = False

    async def begin(self, stage: Stage, step: Step) -> None:
        """Let nothing be sent yet, unless the story itself breaks things in this step."""
        self._held = not _troubled(stage, step)
        if self._held:
            await stage.world.broker("stops")

    async def end(self, stage: Stage, step: Step) -> None:
        """Take the decisions away, let the hub try, judge what came, and give them back.

        Raises `Difference` where anything went out that rests on a decision.
        """
        if not self._held:
            return
        self._held = False
        world = stage.world
        await world.consent_store("fails")
        told = (world.out / "hub.log").stat().st_size
        await world.broker("starts")
        came = await _tried(stage, told)
        await world.consent_store("is back")
        if wrong := [f"{kind} to {name}" for name, kind in came if kind not in UNREAD_GOES]:
            raise Difference(
                step.place,
                "something went out while no decision could be read",
                expected="nothing but what rests on none",
                got=", ".join(wrong),
            )
        await world.move_to(world.time() + LATER)


async def _tried(stage: Stage, told: int) -> list[tuple[str, str]]:
    """Return (participant, kind) of what has come since the last step, once the hub has tried to
    send and nothing more comes.

    It has tried when its log, from place *told* on, says that it could not read its store; with
    nothing to send there is nothing to try.  Raises `Trouble` if it never does.
    """
    world, deadline = stage.world, time.monotonic() + REST_SECONDS
    log, came, since = world.out / "hub.log", await _fresh(stage), time.monotonic()
    while True:
        due = (await world.operator("GET", "/admin/summary")).get("due", 0)
        tried = b'"E_STORE"' in log.read_bytes()[told:]
        more, now = await _fresh(stage), time.monotonic()
        if more != came:
            came, since = more, now
        elif (tried or not due) and now - since >= WAITING_SECONDS:
            return came
        if now > deadline:
            raise Trouble("the hub does not try to send while no decision can be read")
        await asyncio.sleep(0.05)


async def _fresh(stage: Stage) -> list[tuple[str, str]]:
    """Return (participant, kind) of what has come since the last step."""
    found = []
    for name in stage.world.seats:
        known = {arrival.delivery_id for arrival in stage.story.at(name)}
        state = await stage.world.control(name, "state")
        found += [
            (name, str(one["message_type"]))
            for one in state["received"]
            if one["delivery_id"] not in known
        ]
    return found


def _troubled(stage: Stage, step: Step) -> bool:
    """Return whether the story breaks something in this step, or has and not mended it yet."""
    away = False
    for one in stage.scenario.steps[: stage.scenario.steps.index(step) + 1]:
        troubled = [action for action in one.actions if action.kind in TROUBLED]
        for action in troubled:
            away = action.words.get("what") in {"fails", "stops"}
    return bool(troubled) or away
