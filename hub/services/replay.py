"""Replay: to send again what a recipient lost, through the gate and under today's consent.

Looked at first and sent only then (`reliability.md` 5.5): the dry run counts per recipient and
names the fields that would be there now and were not, or the other way round; its *confirm* is what
the sending must be given, so that nothing else is sent than what was looked at.
A replay is a delivery of its own, at the end of its lane, with the newest content; what was sent
then is shown by the names of its fields, and there is no way to send that.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final, TypeVar

from hub.domain.exchange import Delivery, State, Tree
from hub.domain.partner import Registry
from hub.errors import Code, Conflict, Fault, InvalidContent, Missing, Unavailable, Withheld
from hub.ports import Clock, Handover, Needs, Session, Store
from hub.services.audit import of_delivery
from hub.services.case import ask_gate, load_case
from hub.services.explain import explain, pattern_of, places
from hub.services.lane import successor
from hub.services.quarantine import Ground, read_ground
from hub.services.registers import Registers
from hub.services.search import read_search
from hub.services.share import INDEX_SERVICE
from hub.services.statutory import STATUTORY
from hub.services.views import CONTENT

T = TypeVar("T")

BODY: Final = frozenset(
    {"deliveries", "query", "as_it_was", "confirm", "reason", "by", "ticket", "second"}
)
MOST: Final = 500
"""How many deliveries one replay takes at most."""
ALONE: Final = 10
"""So many may one person send; more need a second one who has looked (`reliability.md` 4.2)."""
REPLAYED: Final = frozenset({State.DELIVERED, State.SUPPRESSED, State.EXPIRED})
"""What has ended; what is in quarantine is released there, what is under way needs no replay."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What the replay of one delivery would do now: *outcome* ``send``, or why not.

    *then*, *gains* and *loses* are names of fields: what was first sent, what would be new, what
    would be missing.
    """

    delivery: Delivery
    outcome: str
    then: tuple[str, ...] | None = None
    gains: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()

    def shown(self, *, as_it_was: bool) -> dict[str, Any]:
        """Return this in codes and names of fields."""
        return {
            "delivery_id": self.delivery.delivery_id,
            "message_type": self.delivery.message_type,
            "service": self.delivery.service,
            "episode_id": self.delivery.episode_id,
            "outcome": self.outcome,
            "gains": list(self.gains),
            "loses": list(self.loses),
            "fields_then": None if self.then is None else len(self.then),
            **({"as_it_was": list(self.then or ())} if as_it_was else {}),
        }


def rehearse(
    session: Session,
    registry: Registry,
    registers: Registers,
    deliveries: Sequence[Delivery],
    now: datetime,
) -> tuple[Rehearsed, ...]:
    """Return what a replay of *deliveries*, all of one episode, would do; nothing is changed.

    Content goes once to each service, by the newest: it shows the newest version anyway.
    """
    newest = {
        one.service: one.delivery_id
        for one in sorted(deliveries, key=lambda one: one.lane_sequence)
        if one.message_type in CONTENT and one.state in REPLAYED
    }
    return tuple(_rehearsed(session, registry, registers, one, newest, now) for one in deliveries)


def _rehearsed(
    session: Session,
    registry: Registry,
    registers: Registers,
    one: Delivery,
    newest: Mapping[str, str],
    now: datetime,
) -> Rehearsed:
    then = _fields_then(session, one)
    if one.state not in REPLAYED:
        return Rehearsed(one, one.state.value.upper(), then)
    if one.message_type == STATUTORY or one.service == INDEX_SERVICE:
        return Rehearsed(one, "NOT_REPLAYED", then)
    if one.message_type in CONTENT and newest[one.service] != one.delivery_id:
        return Rehearsed(one, "NEWER_GOES", then)
    partner = registry.partners.get(one.partner)
    head = session.episode(one.episode_id)
    if partner is None or not partner.serves(one.service) or head is None:
        return Rehearsed(one, "NO_PARTNER" if head is not None else "ERASED", then)
    again = replace(one, version=head.version) if one.message_type in CONTENT else one
    case = load_case(session, again, registers)
    if case is None:
        return Rehearsed(one, "ERASED", then)
    try:
        released = ask_gate(case, again, partner, registry, now)
    except (Withheld, Unavailable) as no:
        return Rehearsed(one, no.code.value, then)
    fields = set(names(released.tree.get("episode", {})))
    before = fields if then is None else set(then)
    gains, loses = sorted(fields - before), sorted(before - fields)
    return Rehearsed(one, "send", then, tuple(gains), tuple(loses))


def _fields_then(session: Session, one: Delivery) -> tuple[str, ...] | None:
    """Return the names of the fields that *one* first showed; None where that is gone."""
    try:
        return names(explain(session, one.delivery_id).tree["episode"])
    except Missing:
        return None


def names(tree: Tree) -> tuple[str, ...]:
    """Return the dictionary's names of the leaves of *tree*, each once, in order.

    >>> names({"episode_id": "e1", "subjects": [{"gender": "2"}, {"gender": "1"}]})
    ('episode_id', 'subjects[].gender')
    """
    return tuple(sorted({pattern_of(place) for place, _value in places(tree, tree)}))


def confirmation(rehearsed: Sequence[Rehearsed]) -> str:
    """Return the word that stands for exactly what was looked at."""
    lines = sorted(
        f"{one.delivery.delivery_id} {one.outcome} {','.join(one.gains)} {','.join(one.loses)}"
        for one in rehearsed
    )
    return sha256("\n".join(lines).encode()).hexdigest()[:12]


def summed(rehearsed: Sequence[Rehearsed], *, as_it_was: bool = False) -> dict[str, Any]:
    """Return the dry run: counts per recipient, each delivery, and the word that confirms it."""
    recipients: dict[str, Counter[str]] = {}
    for one in rehearsed:
        recipients.setdefault(one.delivery.service, Counter())[one.outcome] += 1
    return {
        "recipients": {name: dict(sorted(of.items())) for name, of in sorted(recipients.items())},
        "deliveries": [one.shown(as_it_was=as_it_was) for one in rehearsed],
        "confirm": confirmation(rehearsed),
        "persons": 2 if sum(one.outcome == "send" for one in rehearsed) > ALONE else 1,
    }


def send(
    session: Session, rehearsed: Sequence[Rehearsed], ground: Ground, now: datetime
) -> tuple[tuple[str, str], ...]:
    """Put a delivery at the end of its lane for each that would go; return (old id, new id)."""
    made = []
    for one in rehearsed:
        if one.outcome != "send":
            continue
        old = one.delivery
        head = session.episode(old.episode_id)
        version = head.version if head is not None else old.version
        heir = replace(
            successor(session, old, version, now), evidence={"replay_of": old.delivery_id}
        )
        session.put_delivery(heir)
        facts = {**ground.facts, "replay_of": old.delivery_id}
        session.add_audit(
            of_delivery("delivery.replayed", heir, at=now, code=ground.reason, facts=facts)
        )
        made.append((old.delivery_id, heir.delivery_id))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Replay:
    """The use case: looks, and sends what was looked at."""

    store: Store
    registry: Registry
    registers: Registers
    clock: Clock
    handover: Handover

    async def __call__(self, body: Mapping[str, Any]) -> Tree:
        """Return the dry run of what *body* names (``deliveries`` or ``query``); with ``confirm``,
        make the deliveries and return them as ``sent``.

        Raises `InvalidContent` for what nobody could mean or what is too much, `Conflict`
        (``E_STATE``) where it is not any more what was looked at.
        """
        unknown = sorted(body.keys() - BODY)
        if unknown:
            fault = Fault(Code.UNKNOWN_FIELD, unknown[0], "leave it out", None, tuple(sorted(BODY)))
            raise InvalidContent(Code.UNKNOWN_FIELD, "a replay has no such part", [fault])
        found = await self._found(body)
        rehearsed = [
            one
            for episode_id, ids in found.items()
            for one in await self._each(episode_id, partial(self._look, ids))
        ]
        told = summed(rehearsed, as_it_was=body.get("as_it_was") is True)
        if "confirm" not in body:
            return told
        ground = read_ground(body)
        if body["confirm"] != told["confirm"]:
            raise Conflict(
                Code.STATE, "this is not what was looked at, or it has changed: look again"
            )
        if sum(one.outcome == "send" for one in rehearsed) > ALONE:
            ground.check_two()
        sent: dict[str, str] = {}
        for episode_id, ids in found.items():
            sent |= await self._each(episode_id, partial(self._made, ids, ground))
        self.handover.offer(tuple(sent.values()))
        return {**told, "sent": sent}

    def _made(self, ids: Sequence[str], ground: Ground, session: Session) -> dict[str, str]:
        return dict(send(session, self._look(ids, session), ground, self.clock.now()))

    def _look(self, ids: Sequence[str], session: Session) -> tuple[Rehearsed, ...]:
        deliveries = [one for name in ids if (one := session.delivery(name)) is not None]
        parts = (session, self.registry, self.registers)
        return rehearse(*parts, deliveries, self.clock.now())

    async def _each(self, episode_id: str, unit: Callable[[Session], T]) -> T:
        return await self.store.run(unit, Needs(episodes=(episode_id,)))

    async def _found(self, body: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return the ids of the deliveries that are named, by their episode."""
        named, query = body.get("deliveries"), body.get("query")
        if (named is None) == (query is None):
            fault = Fault(Code.REQUIRED, "deliveries", "name deliveries, or a query")
            raise InvalidContent(Code.REQUIRED, "say what to replay", [fault])
        if query is not None:
            deliveries = await self._queried(query)
        else:
            ids = [str(name) for name in named] if isinstance(named, list) else []

            def unit(session: Session) -> list[Delivery | None]:
                return [session.delivery(name) for name in ids[: MOST + 1]]

            read = await self.store.run(unit, Needs(deliveries=tuple(ids[: MOST + 1])))
            deliveries = [one for one in read if one is not None]
            if len(deliveries) < len(read):
                raise Missing(
                    Code.NOT_FOUND,
                    "there is no such delivery; give delivery ids, as ecaf messages search "
                    "shows them, or a query such as --episode",
                )
        if len(deliveries) > MOST:
            fault = Fault(Code.TOO_LARGE, "query", f"narrow it to {MOST} deliveries")
            raise InvalidContent(Code.TOO_LARGE, "too much for one replay", [fault])
        found: dict[str, list[str]] = {}
        for one in sorted(deliveries, key=lambda one: (one.episode_id, one.lane_sequence)):
            found.setdefault(one.episode_id, []).append(one.delivery_id)
        return found

    async def _queried(self, query: Any) -> list[Delivery]:
        if not isinstance(query, Mapping) or not query:
            fault = Fault(Code.REQUIRED, "query", "name at least one condition")
            raise InvalidContent(Code.REQUIRED, "a replay of everything is none", [fault])
        wanted = read_search({str(name): str(value) for name, value in query.items()})
        found: list[Delivery] = []
        after: int | None = 0
        while after is not None and len(found) <= MOST:
            page, after = await self.store.search(wanted, after, MOST)
            found += page
        return found
