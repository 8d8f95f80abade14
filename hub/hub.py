"""One composed hub: the use cases behind the doors, as `hub.api.facade.Hub` asks for them."""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from hub.domain.exchange import Alert, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, Forbidden, InvalidContent, Malformed
from hub.isolation import Rooms, unhindered
from hub.logging import log
from hub.measuring import measured
from hub.metrics import Metrics
from hub.noticing import Noticing
from hub.ports import (
    Clock,
    Destination,
    Digester,
    Needs,
    Reader,
    Rendered,
    Renderer,
    Session,
    Store,
)
from hub.running import Running
from hub.services.accept import Accepted, Acceptor, Incoming, Refused
from hub.services.alerts import Alerts
from hub.services.collect import Collector
from hub.services.consent_look import ConsentLook
from hub.services.consents import Recorder
from hub.services.content import noted, sent_tree
from hub.services.copying import External, registers_of
from hub.services.disclose import Discloser, check_referral
from hub.services.dispatch import Dispatcher, Waits
from hub.services.duties import duties
from hub.services.eligible import check_author, check_user, user_of
from hub.services.index import ChildIndex
from hub.services.lookup import Lookup
from hub.services.operating import Operations
from hub.services.overdue import Overdue
from hub.services.override import read_lift
from hub.services.predecessor import heads_of
from hub.services.probes import Probes
from hub.services.pull import read_pull
from hub.services.receipt import Receipt
from hub.services.receive import Receiver
from hub.services.references import issue
from hub.services.scheduler import Scheduler
from hub.services.see import Viewer
from hub.services.synthetic import refuse_synthetic, refuse_synthetic_id
from hub.services.vouch import Vouching
from hub.settings import Settings
from hub.tracing import TracedAcceptor, Traces
from hub.worker import Hints
from messaging.retry import SCHEDULE, next_delay

DOORS: Final = (
    ("consent_decision", "consent"),
    ("notification", "notify"),
    ("disclosure", "disclose"),
)
"""Payloads that have doors of their own, and the operation that each of these needs."""
CONTENT: Final = ("episode", "contribution", "acknowledgement")
"""Payloads of the common door; beside one of the others an episode only goes with it."""
CANONICAL: Final = "application/vnd.ecaf.message+json"
FAMILY_PAGE: Final = "text/html"
EXTRACT: Final = "caf-json"
"""The format of an extract: provenance names the places of the canonical model."""


class Hub(Running):
    """The use cases behind the doors, composed (`hub.api.facade.Hub`)."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        clock: Clock,
        store: Store,
        digester: Digester,
        reader: Reader,
        renderer: Renderer,
        parse: Callable[[bytes], Any],
        external: Sequence[External] = (),
        traces: Traces | None = None,
    ) -> None:
        """Wire the services; the composition root starts what works in the background.

        *parse* is the strict reader of bare JSON, *external* the registers of consent that are
        somebody else's, *traces* where spans go.
        """
        self.settings = settings
        self.clock = clock
        self.store = store
        self.digester = digester
        self._parse = parse
        self.hints, self.rooms = Hints(), Rooms()
        self.metrics = Metrics()
        parts_of = (store, digester, clock, self.hints, self.metrics)
        self._acceptor = TracedAcceptor(*parts_of, traces) if traces else Acceptor(*parts_of)
        self.registers = registers_of(external, store, lambda: self._recorder, clock, self.hints)
        self._index = ChildIndex(store, digester, clock)
        parts = (store, registry, digester, clock, self.hints, reader, parse)
        self.noticing = Noticing(*parts)
        self._vouching = Vouching(store, clock)
        self.probes = Probes()
        self.alerts = Alerts(store, clock)
        owner = f"{socket.gethostname()}:{os.getpid()}"
        self.scheduler = Scheduler(store, clock, self.hints, duties(registry), owner, _told)
        self.overdue = Overdue(store, clock, self.hints, owner)
        self.adopt(registry, reader, renderer)

    def adopt(self, registry: Registry, reader: Reader, renderer: Renderer) -> None:
        """Work with these partners and mappings from the next call on.

        What is under way keeps the services that it began with, and so ends under what it began
        with (`design.md` section 3).
        """
        store, digester, clock = self.store, self.digester, self.clock
        self.registry, self.reader, self.renderer = registry, reader, renderer
        self._receiver = Receiver(registry, digester)
        self._recorder = Recorder(registry, digester)
        self._discloser = Discloser(store, registry, clock, self._acceptor, self.registers)
        self.consent = ConsentLook(store, registry, clock, self.registers)
        self.operations = Operations(
            store, registry, clock, lambda: renderer, self.hints, self.registers, digester
        )
        self.noticing.adopt(registry, reader)
        self._viewer = Viewer(store, renderer, digester, clock, registry, self.registers)
        self._lookup = Lookup(store, registry, clock)
        self.collector = Collector(
            store, registry, renderer, digester, clock, self.hints, self.registers
        )
        self.scheduler.duties = duties(registry)

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Accept one message durably, or say why not."""
        read = self.reader.read(content_type, raw, partner=partner.name)
        message = read.message
        refuse_synthetic(message)
        # A message may carry what has doors of its own; it needs the same permission as there.
        doors = [door for door in DOORS if door[0] in message]
        for payload, operation in doors or [(one, "submit") for one in CONTENT if one in message]:
            if operation not in partner.operations:
                raise Forbidden(
                    Code.FORBIDDEN,
                    "the partner's profile does not allow this",
                    (Fault(Code.FORBIDDEN, f"/{payload}", f"needs the operation {operation}"),),
                )
        if not {"disclosure", "consent_decision", "acknowledgement"} & message.keys():
            self.check_room()
        if "disclosure" in message:
            return await self._discloser.disclose(partner, content_type, raw, key, message)
        check_referral(message)
        if "consent_decision" in message:
            decision = message["consent_decision"]
            reference, named = str(decision["episode_id"]), user_of(partner, message)
            return await self._decide(partner, reference, raw, key, decision, named)
        if "acknowledgement" in message:
            said = message["acknowledgement"]
            return await self._acknowledged(partner, str(said["delivery_id"]), str(said["code"]))
        if "notification" in message:
            return await self.noticing.notifier.notice(partner, raw, key, message["notification"])

        receiver = self._receiver

        def meaning(session: Session, incoming: Incoming) -> Accepted | Refused:
            user = user_of(partner, message)
            check_author(session, partner, user, message.get("event"), incoming.now)
            told = replace(incoming, user=user)
            return receiver.receive(session, told, message, noted(read))

        sent = sent_tree(message)
        heads = heads_of(str(sent["episode_id"]), sent)
        return await self._acceptor.accept(partner, content_type, raw, key, meaning, *heads)

    async def taken_at(self, partner: Partner, key: str) -> datetime | None:
        """Return when the message that *partner* sent under *key* was recorded, if one was."""

        def unit(session: Session) -> datetime | None:
            kept = session.inbox(partner.name, key) or session.notice(partner.name, key)
            return None if kept is None else kept.received_at

        return await self.store.run(unit, Needs(inbox=((partner.name, key),)))

    async def disclose(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Take a decision to share without consent, or a request for one (N13)."""
        message = self.reader.read(content_type, raw, partner=partner.name).message
        refuse_synthetic(message)
        if "disclosure" not in message:
            fault = Fault(Code.REQUIRED, "/disclosure", "send the decision that was taken")
            raise InvalidContent(Code.REQUIRED, "this door takes disclosures", (fault,))
        return await self._discloser.disclose(partner, content_type, raw, key, message)

    def parsed(self, raw: bytes) -> Tree:
        """Parse strict JSON that must be an object; raises `Malformed`."""
        body = self._parse(raw)
        if not isinstance(body, dict):
            fault = Fault(Code.TYPE, remedy="send an object")
            raise Malformed(Code.TYPE, "an object is expected", (fault,))
        return body

    def _payload(self, raw: bytes, name: str) -> Tree:
        """Read a bare payload as the wire message that carries it, by the same strict rules."""
        body = self.parsed(raw)
        wrapped = json.dumps({name: body}, ensure_ascii=False).encode()
        payload: Tree = self.reader.read(CANONICAL, wrapped, partner="").message[name]
        return payload

    async def record_consent(
        self, partner: Partner, episode_id: str, raw: bytes, key: str
    ) -> Receipt:
        """Record one consent decision for an episode."""
        decision = self._payload(raw, "consent_decision")
        return await self._decide(partner, episode_id, raw, key, decision)

    async def _decide(
        self,
        partner: Partner,
        episode_id: str,
        raw: bytes,
        key: str,
        decision: Tree,
        named: str | None = None,
    ) -> Receipt:
        refuse_synthetic_id(episode_id)
        recorder = self._recorder

        def meaning(session: Session, incoming: Incoming) -> Accepted | Refused:
            user = named or partner.acting or str(decision.get("recorded_by", ""))
            check_user(session, partner, user, "author", incoming.now)
            return recorder.record(session, incoming, episode_id, decision)

        return await self._acceptor.accept(partner, CANONICAL, raw, key, meaning, episode_id)

    async def consents(self, partner: Partner, episode_id: str) -> Tree:
        """Return the decisions that this partner may know of."""
        return await self._lookup.consents(partner, episode_id)

    async def audit(self, partner: Partner, episode_id: str, after: int, limit: int) -> Tree:
        """Return who did what to an episode, as far as this partner may know."""
        return await self._lookup.audit(partner, episode_id, after, limit)

    async def preview_consent(self, raw: bytes) -> Tree:
        """Return what recording the decision in *raw* would change."""
        return await self.consent.preview(self._payload(raw, "consent_decision"))

    async def check_index(self, partner: Partner, raw: bytes) -> Tree:
        """Answer whether a CAF exists, and whom to ring."""
        return await self._index.check(partner, self.parsed(raw))

    async def notice(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Take a notification; the answer never tells whether it matched."""
        self.check_room()
        return await self.noticing.take(partner, content_type, raw, key)

    async def vouch(self, partner: Partner, ref: str, raw: bytes) -> Receipt:
        """Keep what an organisation vouches for of one of its practitioners."""
        return await self._vouching.put(partner, ref, self.parsed(raw))

    def reference(self, partner: Partner) -> Tree:
        """Return a reference under which the caller may open an episode."""
        return {"reference": issue(self.digester, partner)}

    async def practitioner(self, partner: Partner, ref: str) -> Tree:
        """Return what the caller's organisation vouches for of one of its practitioners."""
        return await self._vouching.shown(partner, ref)

    async def view(
        self, partner: Partner, service: str, episode_id: str, purpose: str, accept: str
    ) -> Rendered:
        """Render what *service* may see of an episode now."""
        return await self._viewer.view(partner, service, episode_id, purpose, accept)

    async def override(
        self, partner: Partner, service: str, episode_id: str, raw: bytes, accept: str
    ) -> Rendered:
        """Render what *service* may see of an episode in spite of a shield, once."""
        lift = read_lift(partner, service, self.parsed(raw))
        view = self._viewer.view
        return await view(partner, service, episode_id, lift.purpose, accept, lift=lift)

    async def pull_through(
        self, partner: Partner, service: str, episode_id: str, raw: bytes
    ) -> Rendered:
        """Render named sections for a social care assessment, with where each field is from."""
        pull = read_pull(partner, service, self.parsed(raw))
        seen = await self._viewer.pull(partner, service, episode_id, pull)
        rendered = self.renderer.render(EXTRACT, seen, partner=partner.name)
        sources = json.dumps(seen.tree["provenance"], ensure_ascii=False).encode()
        # One document, so that the places in the provenance are pointers into what holds them.
        body = rendered.body.rstrip().removesuffix(b"}") + b',"provenance":' + sources + b"}"
        return Rendered("application/json", body, rendered.mapping)

    async def family_copy(
        self,
        partner: Partner,
        service: str,
        episode_id: str,
        purpose: str,
        accept: str,
        person: str,
    ) -> Rendered:
        """Render what a member of the family may read of the caller's view; a page by default."""
        accept = FAMILY_PAGE if accept == "*/*" else accept
        return await self._viewer.view(partner, service, episode_id, purpose, accept, person)

    async def access_report(self, partner: Partner, episode_id: str, person: str) -> Tree:
        """Return who received what, as a member of the family may know it."""
        return await self._lookup.access_report(partner, episode_id, person)

    async def inbox(self, partner: Partner, after: int, limit: int) -> Tree:
        """Return what waits for the partner."""
        found = await self.collector.inbox(partner, after, limit)
        tests = self.probes.waiting(partner) if not after else []
        return {**found, "deliveries": [*found["deliveries"], *tests]} if tests else found

    async def fetch(self, partner: Partner, delivery_id: str) -> Rendered:
        """Render one waiting delivery; the gate runs now."""
        test = self.probes.fetch(partner, delivery_id)
        return test if test is not None else await self.collector.fetch(partner, delivery_id)

    async def acknowledge(self, partner: Partner, delivery_id: str, raw: bytes) -> Receipt:
        """Take the receiver's word on one delivery: ``{"code": "APPLIED"}``."""
        body = self.parsed(raw)
        unknown = [name for name in body if name not in {"code", "rejected_reason"}]
        if unknown:
            fault = Fault(Code.UNKNOWN_FIELD, "", "send code, and rejected_reason if you like")
            raise InvalidContent(Code.UNKNOWN_FIELD, "unknown field", (fault,))
        return await self._acknowledged(partner, delivery_id, str(body.get("code", "")))

    async def _acknowledged(self, partner: Partner, delivery_id: str, code: str) -> Receipt:
        test = self.probes.acknowledge(partner, delivery_id, code)
        return test or await self.collector.acknowledge(partner, delivery_id, code)

    async def message(self, partner: Partner, message_id: str) -> Tree:
        """Return what became of a message that this partner sent."""
        return await self._lookup.message(partner, message_id)

    def directory(self) -> Tree:
        """Return accredited services and their channels; no personal data."""
        return self._lookup.directory()

    def dispatcher(self, destinations: Mapping[str, Destination]) -> Dispatcher:
        """Return the dispatcher of this process."""
        random = Random()

        def backoff(attempts: int, retry_after: float | None, waits: Waits | None) -> float | None:
            schedule = SCHEDULE if waits is None else waits
            return next_delay(attempts, random=random, retry_after=retry_after, schedule=schedule)

        return Dispatcher(
            store=self.store,
            registry=self.registry,
            renderer=self.renderer,
            digester=self.digester,
            clock=self.clock,
            destinations=unhindered(
                measured(destinations, self.registry, self.metrics), self.rooms
            ),
            handover=self.hints,
            backoff=backoff,
            worker=f"{socket.gethostname()}:{os.getpid()}",
            lease=timedelta(seconds=self.settings.lease_seconds),
            registers=self.registers,
            meter=self.metrics,
            room=self.rooms,
        )


def _told(alert: Alert) -> None:
    """Say that there is an alert, and nothing of what it says."""
    to = alert.audience.partition(":")[0]
    log.warning("alert", code=alert.kind, destination=to, service=alert.service)
