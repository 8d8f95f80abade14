"""An external register of consent, copied into our append-only one (`design.md` section 6).

The server is read holding no lock.  What changed is recorded under the lock on the episode's head,
by the `Recorder` of decisions that systems post, so that recalls, relationships and audit follow.
From the moment at which the reading began the copy is good for one lease; without a lease nothing
is shared.  Promises count from when the hub learnt.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import uuid4

from hub.domain.accreditation import Protocol
from hub.domain.decision import COPIED_FROM
from hub.domain.exchange import Decision, EpisodeHead, Tree
from hub.domain.partner import Delivering, Partner
from hub.domain.register import Asked, Holding, Kept
from hub.domain.register_copy import Copy, Seen, contradictions, digest_of, ending, record_id
from hub.errors import Code, HubError, Rejected, Unavailable
from hub.ports import Clock, ConsentServer, Handover, Needs, Session, Store
from hub.services.accept import Accepted, Incoming
from hub.services.audit import row
from hub.services.consents import Recorder
from hub.services.gate import people
from hub.services.registers import OWN, UNSURE, ConsentRegister, Registers
from hub.services.strangers import REGISTER

log = logging.getLogger("hub.register")


@dataclass(frozen=True, slots=True)
class CopiedRegister:
    """One external register; *partner* is as whom its decisions are recorded."""

    name: str
    server: ConsentServer
    store: Store
    recorder: Callable[[], Recorder]
    clock: Clock
    handover: Handover
    partner: Partner
    lease: timedelta
    _reading: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def decisions(self, session: Session, head: EpisodeHead) -> Sequence[Decision]:
        """Return the decisions of the copy, while its lease holds and nothing of it is missing."""
        copy = Copy.of(head.facts, self.name)
        if not copy.fresh(session.clock()):
            raise Unavailable(Code.REGISTER, UNSURE)
        found = OWN.decisions(session, head)
        ids = {one.decision_id for one in found}
        if not all(one.decision_id in ids for one in copy.seen.values()):
            raise Unavailable(Code.REGISTER, UNSURE)
        return found

    async def refresh(self, episode_id: str, *, early: bool = False) -> None:
        """Read the server if the lease has run out (or *early*, before); once for all who wait."""
        running = self._reading.get(episode_id)
        if running is None:
            running = asyncio.create_task(self._read(episode_id, early=early))
            self._reading[episode_id] = running
            running.add_done_callback(lambda _done: self._reading.pop(episode_id, None))
        await asyncio.shield(running)

    async def _read(self, episode_id: str, *, early: bool) -> None:
        needs = Needs(episodes=(episode_id,))
        question = await self.store.run(lambda s: self._question(s, episode_id, early=early), needs)
        if question is None:
            return
        asked, began = question
        try:
            holding = await self.server.read(asked)
        except Exception as fault:  # doubt shares nothing, and is said
            if not isinstance(fault, HubError):
                log.exception("register failed", extra={"code": Code.INTERNAL.value})
            code = fault.code.value if isinstance(fault, HubError) else Code.INTERNAL.value
            await self.store.run(lambda s: self._failed(s, episode_id, code), needs)
            return
        for take in (self._learn, self._wrong):
            try:
                offers = await self.store.run(partial(take, episode_id, holding, began), needs)
            except Unavailable:
                raise
            except HubError as fault:
                code = fault.code.value
            else:
                self.handover.offer(offers)
                return
        await self.store.run(lambda s: self._failed(s, episode_id, code), needs)

    def _question(
        self, session: Session, episode_id: str, *, early: bool
    ) -> tuple[Asked, datetime] | None:
        head = session.episode(episode_id)
        if head is None:
            return None
        copy, now = Copy.of(head.facts, self.name), session.clock()
        if copy.fresh(now) and not early:
            return None
        content = session.version(episode_id, head.version) if head.version else None
        children, adults = people(content.tree) if content else ((), ())
        decided = (one.data_subject for one in session.decisions(episode_id))
        persons = tuple(dict.fromkeys((*children, *adults, *decided)))
        return Asked(episode_id, persons, copy.known()), now

    def _failed(self, session: Session, episode_id: str, code: str) -> None:
        """Say why nothing is known; a lease that still holds is left to run out."""
        head = session.episode(episode_id)
        if head is not None:
            self._say(session, head, Copy.of(head.facts, self.name), code)

    def _say(self, session: Session, head: EpisodeHead, copy: Copy, code: str) -> None:
        """Write down *code*, and the trace once: only who does not answer leaves a lease."""
        until = copy.until if code in WAITING else None
        if (copy.code, copy.until) == (code, until):
            return
        changed = replace(copy, code=code, until=until)
        session.put_episode(_with(head, changed))
        if copy.code != code:
            facts = {"register": self.name}
            at = self.clock.now()
            session.add_audit(
                row("register.unsure", at=at, actor=self.partner.name, code=code,
                    episode_id=head.episode_id, facts=facts)
            )  # fmt: skip

    def _learn(
        self, episode_id: str, holding: Holding, began: datetime, session: Session
    ) -> tuple[str, ...]:
        """Record what changed and give the lease; where it is wrong it raises and records none."""
        found = self._overtaken(session, episode_id, began)
        if found is None:
            return ()
        head, copy = found
        earlier = session.decisions(episode_id)
        faults = [*contradictions(copy, holding, earlier, session.clock())]
        if faults:
            raise Rejected(faults[0].code, "the register cannot be relied on", faults)
        offers: list[str] = []
        seen = dict(copy.seen)
        for kept in _in_order(holding):
            offers += self._copied(session, episode_id, kept, seen)
        head = session.episode(episode_id) or head
        certain = bool(seen)
        until = (began + self.lease).isoformat() if certain else None
        code = "OK" if certain else "NOTHING_KEPT"
        session.put_episode(_with(head, Copy(self.name, code, began.isoformat(), until, seen)))
        if code != copy.code:
            kind = "register.sure" if certain else "register.unsure"
            session.add_audit(
                row(kind, at=self.clock.now(), actor=self.partner.name, code=code,
                    episode_id=episode_id, facts={"register": self.name})
            )  # fmt: skip
        return tuple(offers)

    def _wrong(
        self, episode_id: str, holding: Holding, began: datetime, session: Session
    ) -> tuple[str, ...]:
        """Take the ends that are certain all the same, for a no is never refused; give no lease."""
        found = self._overtaken(session, episode_id, began)
        if found is None:
            return ()
        head, copy = found
        seen = dict(copy.seen)
        offers: list[str] = []
        for kept in holding.consents:
            before = copy.seen.get(kept.resource)
            newer = before is not None and kept.changed_at >= datetime.fromisoformat(
                before.changed_at
            )
            if kept.decision is None and newer:
                offers += self._copied(session, episode_id, kept, seen)
        head = session.episode(episode_id) or head
        self._say(session, head, replace(copy, seen=seen, until=None), Code.REGISTER.value)
        return tuple(offers)

    def _overtaken(
        self, session: Session, episode_id: str, began: datetime
    ) -> tuple[EpisodeHead, Copy] | None:
        """Return head and copy, or None where a later reading has been learnt from already."""
        head = session.episode(episode_id)
        if head is None:
            return None
        copy = Copy.of(head.facts, self.name)
        if copy.began is not None and datetime.fromisoformat(copy.began) > began:
            return None
        return head, copy

    def _copied(
        self, session: Session, episode_id: str, kept: Kept, seen: dict[str, Seen]
    ) -> Iterator[str]:
        """Record one new version of a Consent, and remember it; yield what may be sent."""
        before = seen.get(kept.resource)
        if before is not None and before.version == kept.version:
            return
        if before is None and kept.decision is None:
            return  # it was over before we knew of it
        made = self._record_of(session, episode_id, kept, before)
        decision_id = before.decision_id if before else ""
        if made is not None:
            decision_id = str(made["consent_decision_id"])
            known = {one.decision_id: one for one in session.decisions(episode_id)}
            if decision_id not in known:
                outcome = self._recorded(session, episode_id, kept, made)
                yield from outcome.offers
        seen[kept.resource] = Seen(
            version=kept.version,
            changed_at=kept.changed_at.isoformat(),
            digest=digest_of(kept.decision),
            decision_id=decision_id,
            ended=kept.decision is None,
        )

    def _record_of(
        self, session: Session, episode_id: str, kept: Kept, before: Seen | None
    ) -> Tree | None:
        """Return the record that *kept* means; None where it ends what had ended already."""
        own_id = record_id(self.name, kept)
        known = {one.decision_id: one.record for one in session.decisions(episode_id)}
        if kept.decision is None:
            if before is None or before.ended:
                return None
            return ending(known[before.decision_id], own_id, self.clock.now())
        record: dict[str, Any] = dict(kept.decision)
        posted = known.get(str(record.get("consent_decision_id")))
        if posted is not None and before is None and _same(posted, record):
            return posted
        if posted is not None:
            record["consent_decision_id"] = own_id
        if before is not None:
            record["supersedes"] = before.decision_id
        elif posted is not None:
            record["supersedes"] = posted["consent_decision_id"]
        return record

    def _recorded(self, session: Session, episode_id: str, kept: Kept, record: Tree) -> Accepted:
        now = self.clock.now()
        source = {"register": self.name, "consent": kept.resource, "version": kept.version}
        incoming = Incoming(
            partner=self.partner,
            content_type="application/fhir+json",
            raw=b"",
            key=f"{kept.resource}/{kept.version}",
            message_id=str(uuid4()),
            now=now,
        )
        outcome = self.recorder().record(
            session, incoming, episode_id, {**record, COPIED_FROM: source}
        )
        if not isinstance(outcome, Accepted):
            raise Rejected(Code.REGISTER, "the decision was not recorded")
        session.add_audit(
            row("consent.copied", at=now, actor=self.partner.name, episode_id=episode_id,
                facts={**source, "decision": record["consent_decision_id"]})
        )  # fmt: skip
        return outcome


@dataclass(frozen=True, slots=True)
class External:
    """One register that is somebody else's, as the site configures it."""

    name: str
    authorities: tuple[str, ...]
    server: ConsentServer
    lease: timedelta


def registers_of(
    external: Sequence[External],
    store: Store,
    recorder: Callable[[], Recorder],
    clock: Clock,
    handover: Handover,
) -> Registers:
    """Return the registers of a site; what no external one has is decided by our own.

    *recorder* gives who records now: partners may be others by then.
    """
    site: ConsentRegister = OWN
    by_authority: dict[str, ConsentRegister] = {}
    for one in external:
        made = CopiedRegister(
            one.name, one.server, store, recorder, clock, handover, _system(one.name), one.lease
        )
        by_authority.update(dict.fromkeys(one.authorities, made))
        if not one.authorities:
            site = made
    return Registers(site, by_authority)


def _system(name: str) -> Partner:
    """Return a register as the system that records: no profile can have its name or operation."""
    return Partner(
        name=f"register:{name}",
        organisation=f"register:{name}",
        organisation_name=name,
        organisation_type="",
        authority=None,
        accredited_from=date.min,
        accredited_until=date.max,
        protocols=(Protocol("", date.max),),
        services=(),
        operations=frozenset({REGISTER}),
        delivering=Delivering("pull"),
        support_contact="",
    )


WAITING: Final = frozenset({Code.UNAVAILABLE.value, Code.TIMEOUT.value})
"""Codes of a server that does not answer: what was learnt before is good till its lease ends."""


def _with(head: EpisodeHead, copy: Copy) -> EpisodeHead:
    return replace(head, facts={**(head.facts or {}), "register": copy.facts()})


def _in_order(holding: Holding) -> list[Kept]:
    """Return what is new, ends first, then by when it was signed and kept."""

    def place(kept: Kept) -> tuple[bool, str, datetime, str]:
        signed = str((kept.decision or {}).get("signed_at", ""))
        return kept.decision is not None, signed, kept.changed_at, kept.resource

    return sorted(holding.consents, key=place)


def _same(posted: Tree, record: Tree) -> bool:
    """Return whether the server keeps the very decision that was posted to the hub."""
    plain = {name: value for name, value in posted.items() if name != COPIED_FROM and value != []}
    return json.dumps(plain, sort_keys=True) == json.dumps(
        {name: value for name, value in record.items() if value != []}, sort_keys=True
    )
