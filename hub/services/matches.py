"""Notices that belong to nobody for certain: what waits for a person, and what they decide.

The operator sees ids, codes and times, and of the children whom a notice may be about only what
agrees and what differs, never a value (`domain.md` 5.3): enough to ring its sender and ask.  What
nobody has said that they will decide is erased after a day (`hub.services.notice_duties`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final, cast

from hub.domain.exchange import SET_ASIDE, UNMATCHED, WAITING, Delivery, Notice, Tree
from hub.domain.partner import Registry
from hub.errors import Code, Conflict, Fault, InvalidContent, Missing
from hub.ports import Clock, Digester, Handover, Needs, Session, Store
from hub.services.audit import row
from hub.services.pass_on import PassOn
from hub.services.quarantine import REFERENCE
from hub.services.whose import candidates

PAGE: Final = 50
WHILE_DECIDING: Final = timedelta(hours=72)
"""How long a body is kept from when a person has said that they will decide; they may say so
again."""
WAITS: Final = (WAITING, SET_ASIDE)


class Action(StrEnum):
    """What a person does about one notice."""

    CLAIM = "claim"
    """Say that they will decide; until then the body is kept."""
    LINK = "link"
    """It is about this child: passed on like any other, under today's consent."""
    REFUSE = "refuse"
    """It is about none of them: erased at once."""
    RETRY = "retry"
    """Match it again, after what failed was mended."""


REASONS: Final[Mapping[Action, tuple[str, ...]]] = {
    Action.CLAIM: (),
    Action.LINK: ("CONFIRMED_BY_SENDER", "CONFIRMED_BY_LEAD", "CONFIRMED_BY_RECORDS", "TEST"),
    Action.REFUSE: ("NOT_THIS_CHILD", "NOT_KNOWN_HERE", "SENT_IN_ERROR", "TEST"),
    Action.RETRY: ("MENDED", "TRY_AGAIN", "TEST"),
}
"""Why: codes, for a free text could name a child."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one person said about one notice; *by* and *ticket* are opaque references."""

    action: Action
    by: str
    reason: str | None
    ticket: str | None
    episode_id: str | None
    subject_id: str | None

    @property
    def facts(self) -> dict[str, str]:
        """Return what the audit row holds of it."""
        told = {"by": self.by, "reason": self.reason, "ticket": self.ticket}
        return {name: held for name, held in told.items() if held is not None}


def read_said(body: Mapping[str, Any]) -> Said:
    """Return what *body* says; raises `InvalidContent` with every fault."""
    names = {"action", "by", "reason", "ticket", "episode_id", "subject_id"}
    faults = [
        Fault(Code.UNKNOWN_FIELD, "", "leave out what is not asked for")
        for _ in range(bool(body.keys() - names))
    ]
    actions = tuple(action.value for action in Action)
    action = Action(body["action"]) if body.get("action") in actions else None
    if action is None:
        faults.append(Fault(Code.CODELIST, "action", "say what to do", None, actions))
    reasons = REASONS[action] if action is not None else ()
    if reasons and body.get("reason") not in reasons:
        faults.append(Fault(Code.CODELIST, "reason", "say why, by a code", None, reasons))
    child = action is Action.LINK
    for name, needed in (
        ("by", True),
        ("ticket", False),
        ("episode_id", child),
        ("subject_id", child),
    ):
        given = body.get(name)
        if given is None and not needed:
            continue
        if not isinstance(given, str) or not REFERENCE.fullmatch(given):
            remedy = "a reference of letters, digits and ._:/-; nobody's name or address"
            faults.append(Fault(Code.FORMAT if given else Code.REQUIRED, name, remedy))
    if faults:
        raise InvalidContent(faults[0].code, "say what, why and who", faults)
    reason = body["reason"] if reasons else None
    parts = (body.get("ticket"), body.get("episode_id"), body.get("subject_id"))
    return Said(cast("Action", action), body["by"], reason, *parts)


def _listed(one: Notice) -> dict[str, Any]:
    told = {
        "notice_id": one.notice_id,
        "from": one.partner,
        "kind": one.kind,
        "state": one.state,
        "reason": one.reason,
        "received_at": _at(one.received_at),
        "erased_at": _at(one.expires_at),
        "decider": one.decider,
    }
    return {name: held for name, held in told.items() if held is not None}


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Matches:
    """Lists what waits for a person, shows it, and does what they decide."""

    store: Store
    registry: Registry
    digester: Digester
    clock: Clock
    handover: Handover

    async def listed(self, after: str = "", limit: int = PAGE) -> Tree:
        """Return a page of what waits; *next* continues."""
        found = await self.store.notices(WAITS, after, limit + 1)
        body: dict[str, Any] = {"matches": [_listed(one) for one in found[:limit]]}
        if len(found) > limit:
            body["next"] = found[limit - 1].notice_id
        return body

    async def show(self, notice_id: str) -> Tree:
        """Return one, the children whom it may be about, and what can be done."""

        def unit(session: Session) -> Tree:
            one = _waiting(session, notice_id)
            like = [] if one.state == SET_ASIDE else self._candidates(session, one)
            actions = [a for a in Action if a is not Action.RETRY or one.state == SET_ASIDE]
            may = [a.value for a in actions if a is not Action.LINK or like]
            return {**_listed(one), "candidates": like, "actions": may}

        return await self.store.run(unit, Needs())

    def _candidates(self, session: Session, one: Notice) -> list[dict[str, Any]]:
        opened = session.notice(one.partner, one.key)
        body = (opened.body if opened is not None else None) or {}
        return candidates(session, self.digester, body)

    async def decide(self, notice_id: str, body: Mapping[str, Any]) -> Tree:
        """Do what *body* says (action, by, reason, ticket, and for a link whom)."""
        said = read_said(body)
        told, made = await self.store.run(partial(self._decide, notice_id, said), Needs())
        self.handover.offer([one.delivery_id for one in made])
        return told

    def _decide(
        self, notice_id: str, said: Said, session: Session
    ) -> tuple[Tree, Sequence[Delivery]]:
        one, now = _waiting(session, notice_id), self.clock.now()
        if one.decider not in (None, said.by):
            raise Conflict(Code.STATE, "somebody else has said that they will decide this one")
        made: Sequence[Delivery] = ()
        if said.action is Action.CLAIM:
            until = max(one.expires_at, now + WHILE_DECIDING)
            one = replace(one, decider=said.by, expires_at=until)
            session.change_notice(one)
        elif said.action is Action.RETRY:
            if one.state != SET_ASIDE:
                raise Conflict(Code.STATE, "matching it did not fail: link it or refuse it")
            one = replace(one, state=UNMATCHED, attempts=0, next_attempt_at=None, reason=None)
            session.change_notice(one)
        elif said.action is Action.REFUSE:
            one = replace(one, state="refused", decider=said.by)
            session.change_notice(one, erase=True)
        else:
            one, made = self._link(session, one, said, now)
        session.add_audit(
            row(
                f"notice.{said.action}",
                at=now,
                actor="operator",
                code=one.state.upper(),
                episode_id=one.episode_id,
                facts={"kind": one.kind, "notice": one.notice_id, **said.facts},
            )
        )
        return {**_listed(one), "deliveries": len(made)}, made

    def _link(
        self, session: Session, one: Notice, said: Said, now: datetime
    ) -> tuple[Notice, Sequence[Delivery]]:
        opened = session.notice(one.partner, one.key)
        body = (opened.body if opened is not None else None) or {}
        if opened is None or one.state == SET_ASIDE:
            raise Conflict(Code.STATE, "matching it failed: try again first, when that is mended")
        head = session.episode(str(said.episode_id))
        like = {
            (found["episode_id"], found["subject_id"])
            for found in candidates(session, self.digester, body)
        }
        if head is None or (said.episode_id, said.subject_id) not in like:
            fault = Fault(Code.STATE, "subject_id", "link it to a child that `show` names")
            raise Conflict(Code.STATE, "nothing of the notice agrees with that child", [fault])
        found = (head, str(said.subject_id))
        made = PassOn(self.registry).route(session, opened, body, found, now)
        state = "routed" if made else "nobody"
        ended = replace(opened, body=None, state=state, episode_id=head.episode_id, decider=said.by)
        session.put_notice(ended)
        return ended, made


def _waiting(session: Session, notice_id: str) -> Notice:
    one = session.sealed_notice(notice_id)
    if one is None or one.state not in WAITS:
        raise Missing(Code.NOT_FOUND, "no such notice waits; ecaf matches list shows which do")
    return one
