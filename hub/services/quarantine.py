"""Quarantine: what was set aside, whose it is and until when, and what somebody does about it.

Every way out but giving up goes through the gate again, under today's consent (`reliability.md` P8
and 5.5): what is released waits on its lane like anything else.  Reasons are codes, so that the
record of who did what holds no personal data.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from hub.domain.exchange import Delivery, State, Tree
from hub.domain.search import Search
from hub.errors import Code, Conflict, Fault, InvalidContent, Missing
from hub.ports import Session, Store
from hub.services.audit import of_delivery
from hub.services.lane import holds, successor
from hub.services.search import LONGEST, shown
from hub.services.set_aside import due_of, owner_of, stage_of
from hub.services.settle import NOTES, settle
from hub.services.statutory import STATUTORY
from hub.services.trace import at
from hub.services.trace import of_delivery as traced


class Action(StrEnum):
    """What can be done about one delivery."""

    FIX = "fix"
    """Try to render it with today's mappings; where that works, release it."""
    RELEASE = "release"
    """Try it again under its own id, from the first attempt of the schedule."""
    SUPERSEDE = "supersede"
    """End it; a new delivery at the end of the lane says what may be said today."""
    SKIP = "skip"
    """Give it up: it ends expired, and what waits behind it goes on."""


REASONS: Final = (
    "PARTNER_MENDED",
    "MAPPING_MENDED",
    "CONFIGURATION_MENDED",
    "TRY_AGAIN",
    "SENT_OTHERWISE",
    "NOT_NEEDED",
    "LOST_BY_RECIPIENT",
    "TEST",
)
"""Why somebody acts; a free text could name a child."""
OWED: Final = frozenset({"N10", "N13", "N14"})
"""What must be told: skipped only once it was told in another way."""
REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ground:
    """Why, who, and where more is written: a code of `REASONS`, and opaque references; *second* is
    who looked at it too, where one person is not enough.
    """

    reason: str
    by: str
    ticket: str | None = None
    second: str | None = None

    @property
    def facts(self) -> dict[str, str]:
        """Return what the audit row holds of it."""
        told = {"reason": self.reason, "by": self.by}
        more = {"ticket": self.ticket, "second": self.second}
        return told | {name: given for name, given in more.items() if given is not None}

    def check_two(self) -> None:
        """Raise `InvalidContent` where only one person stands behind this."""
        if self.second is None:
            fault = Fault(Code.REQUIRED, "second", "give the reference of a second person")
            raise InvalidContent(Code.REQUIRED, "this needs a second person", [fault])


def read_action(body: Mapping[str, Any]) -> tuple[Action, Ground]:
    """Return what *body* asks for and its ground; raises `InvalidContent` with every fault."""
    actions = tuple(action.value for action in Action)
    unknown = sorted(body.keys() - {"action", "reason", "by", "ticket", "second"})
    if unknown:
        fault = Fault(Code.UNKNOWN_FIELD, unknown[0], "leave it out")
        raise InvalidContent(Code.UNKNOWN_FIELD, "there is no such part", [fault])
    if body.get("action") not in actions:
        fault = Fault(Code.CODELIST, "action", "say what to do", None, actions)
        raise InvalidContent(Code.CODELIST, "there is no such action", [fault])
    action, ground = Action(body["action"]), read_ground(body)
    if action is Action.SKIP:
        ground.check_two()
    return action, ground


def read_ground(body: Mapping[str, Any]) -> Ground:
    """Return the ground that *body* gives; raises `InvalidContent` with every fault."""
    faults = []
    if body.get("reason") not in REASONS:
        faults.append(Fault(Code.CODELIST, "reason", "say why, by a code", None, REASONS))
    for name, needed in (("by", True), ("ticket", False), ("second", False)):
        given = body.get(name)
        if given is None and not needed:
            continue
        if not isinstance(given, str) or not REFERENCE.fullmatch(given):
            remedy = "a reference of letters, digits and ._:/-; nobody's name or address"
            faults.append(Fault(Code.FORMAT if given else Code.REQUIRED, name, remedy))
    second = str(body.get("second", ""))
    if second and second.casefold() == str(body.get("by", "")).casefold():
        faults.append(Fault(Code.RULE, "second", "somebody else than by"))
    if faults:
        raise InvalidContent(faults[0].code, "say why and who", faults)
    return Ground(body["reason"], body["by"], body.get("ticket"), body.get("second"))


def _listed(one: Delivery) -> dict[str, Any]:
    return {
        **shown(one),
        "stage": stage_of(one.reason),
        "owner": owner_of(one),
        "since": at(one.settled_at or one.created_at),
        "due_at": at(due_of(one)),
    }


async def listed(store: Store, partner: str | None, after: int, limit: int) -> Tree:
    """Return a page of what is in quarantine, longest first; *next* continues."""
    wanted = Search(state=State.QUARANTINED, partner=partner)
    page, beyond = await store.search(wanted, after, max(1, min(limit, LONGEST)))
    body: dict[str, Any] = {"quarantine": [_listed(one) for one in page]}
    if beyond is not None:
        body["next"] = beyond
    return body


def show(session: Session, delivery_id: str) -> Tree:
    """Return one delivery in quarantine: evidence, what waits behind it, and what can be done."""
    one = session.delivery(delivery_id)
    if one is None or one.state is not State.QUARANTINED:
        raise Missing(Code.NOT_FOUND, "this is not in quarantine; ecaf trace shows what it is")
    steps = traced(session, one, session.audit(one.episode_id))["steps"]
    lane = session.unsettled(one.episode_id, one.partner)
    first = _before(lane, one)
    ends = [step for step in steps if step["what"] == "quarantined"]
    return {
        **_listed(one),
        "evidence": {
            name: ends[-1][name] for name in ("said", "faults") if ends and name in ends[-1]
        },
        "behind": [other.delivery_id for other in lane if holds(one, other)],
        "before": None if first is None else first.delivery_id,
        "actions": [str(action) for action in Action if _may(one, action)],
        "steps": steps,
    }


def _before(lane: Sequence[Delivery], one: Delivery) -> Delivery | None:
    """Return what must be dealt with first: an earlier one in quarantine on the same lane."""
    earlier = (other for other in lane if other.state is State.QUARANTINED)
    return next((other for other in earlier if holds(other, one)), None)


def _may(one: Delivery, action: Action) -> bool:
    """Return whether *action* makes sense: a disclosure by law has no newer version."""
    return action is not Action.SUPERSEDE or one.message_type != STATUTORY


def act(
    session: Session, delivery_id: str, action: Action, ground: Ground, now: datetime
) -> tuple[Tree, tuple[str, ...]]:
    """Do *action* and return what became of it, and what may be tried now.

    In order: what stands behind another in quarantine waits for that one (``E_STATE``).  What
    waits for its next attempt may be released, too: it is tried at once.
    """
    one = session.delivery(delivery_id)
    if one is None:
        raise Missing(
            Code.NOT_FOUND,
            "there is no such delivery; ecaf quarantine list shows those that were set aside",
        )
    _check(session, one, action, ground)
    facts = {**ground.facts, "was": one.reason or one.state.value}
    session.add_audit(of_delivery(f"quarantine.{action}", one, at=now, code="OK", facts=facts))
    if action is Action.SKIP:
        return _ended(one, State.EXPIRED, "SKIPPED"), _end(session, one, State.EXPIRED, now)
    if action is Action.SUPERSEDE:
        head = session.episode(one.episode_id)
        if head is None:
            raise Missing(Code.NOT_FOUND, "its episode is gone")
        heir = successor(session, one, head.version, now)
        session.put_delivery(heir)
        offers = _end(session, one, State.SUPPRESSED, now)
        told = {**_ended(one, State.SUPPRESSED, "SUPERSEDED"), "heir": heir.delivery_id}
        return told, (*offers, heir.delivery_id)
    session.put_delivery(released(one, now))
    return _ended(one, State.PENDING, None), (one.delivery_id,)


def released(one: Delivery, now: datetime) -> Delivery:
    """Return *one* as it waits again: its id, place, number and view stay, and what is known of
    its arrival; the attempts begin anew, and the next is marked as a possible duplicate.
    """
    kept = {
        name: value
        for name, value in (one.evidence or {}).items()
        if name in {"unknown", "fetched", "carried", *NOTES}
    }
    tried = int(kept.get("tried", 0)) + one.attempts
    return replace(
        one,
        state=State.PENDING,
        reason=None,
        attempts=0,
        next_attempt_at=now,
        lease_epoch=one.lease_epoch + 1,
        lease_until=None,
        evidence={**kept, "tried": tried} if tried else kept or None,
        settled_at=None,
    )


def _check(session: Session, one: Delivery, action: Action, ground: Ground) -> None:
    waits = one.state is State.PENDING and one.attempts > 0 and action is Action.RELEASE
    if one.state is not State.QUARANTINED and not waits:
        remedy = "ecaf trace shows its way; what a recipient lost goes again by ecaf replay"
        raise Conflict(
            Code.STATE,
            f"it is {one.state.value}, not in quarantine",
            [Fault(Code.STATE, "delivery", remedy)],
        )
    if not _may(one, action):
        raise Conflict(Code.STATE, "a disclosure by law has no newer version: release it")
    if action is Action.SKIP and one.message_type in OWED and ground.reason != "SENT_OTHERWISE":
        fault = Fault(
            Code.STATE, "reason", "tell it in another way first", None, ("SENT_OTHERWISE",)
        )
        raise Conflict(Code.STATE, "the recipient must be told this", [fault])
    first = _before(session.unsettled(one.episode_id, one.partner), one)
    if first is not None:
        fault = Fault(
            Code.STATE, "delivery", "deal with the earlier one first", None, (first.delivery_id,)
        )
        raise Conflict(Code.STATE, "another in quarantine stands before it on its lane", [fault])


def _end(session: Session, one: Delivery, state: State, now: datetime) -> tuple[str, ...]:
    reason = "SKIPPED" if state is State.EXPIRED else "SUPERSEDED"
    following = settle(session, one, state, reason, {}, now)
    if one.sequence is not None and not (one.evidence or {}).keys() - NOTES:
        # It surely did not arrive: without its number no gap tells of it.
        session.give_back(f"to:{one.partner}", one.episode_id, one.sequence)
    return following


def _ended(one: Delivery, state: State, reason: str | None) -> dict[str, Any]:
    return {"delivery_id": one.delivery_id, "state": state.value, "reason": reason}
