"""A hub of services in one process: the real use cases, gate and mappings on the memory store.

Its partners are those of scenario S1, with profiles of every kind; `Got` is what one of them was
sent.  The stages of Ava's episode are methods, so that a test starts where its story starts.
"""

import copy
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.clock import StoppedClock
from adapters.destinations.pull import PullDestination
from adapters.memory import MemoryDigester, MemoryStore
from adapters.notifications.child_index import ChildIndexDestination
from hub.bootstrap import translator
from hub.domain.accreditation import Protocol
from hub.domain.carriage import Outcome, Parcel
from hub.domain.exchange import Decision, Delivery, State
from hub.domain.partner import Coordinator, Delivering, Partner, Registry, Service
from hub.domain.suspension import Suspension
from hub.ports import Destination, Store
from hub.services.accept import Acceptor
from hub.services.collect import Collector
from hub.services.consents import Recorder
from hub.services.content import sent_tree
from hub.services.disclose import Discloser
from hub.services.dispatch import Dispatcher
from hub.services.index import ChildIndex
from hub.services.lookup import Lookup
from hub.services.matcher import Matcher
from hub.services.notify import Notifier
from hub.services.receipt import Receipt
from hub.services.receive import Receiver
from hub.services.see import Viewer
from hub.worker import Hints
from tests import builders as b

Tree = dict[str, Any]
START = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
CANONICAL = "application/vnd.ecaf.message+json"
FHIR = "fhir-r4/episode"
NHS = "9990000018"


def partner(name: str, *kinds: str, authority: str | None = "001", **deliver: Any) -> Partner:
    """Return a partner of one organisation with a service of each kind."""
    return Partner(
        name=name,
        organisation=name,
        organisation_name=f"{name} of the example",
        organisation_type="LA_EH",
        authority=authority,
        accredited_from=date(2026, 1, 1),
        accredited_until=date(2029, 1, 1),
        protocols=(Protocol(f"ISP-{name}", date(2029, 1, 1)),),
        administrator=f"admin-{name.lower()}",
        vouches=False,
        chooses=True,
        services=tuple(Service(f"{name}/{kind}", f"{name} {kind}") for kind in kinds),
        operations=frozenset({"submit", "consent", "index", "notify", "read", "disclose"}),
        delivering=Delivering(**{"channel": "webhook", "body": "full", **deliver}),
        support_contact="support@hub.example",
    )


PARTNERS = (
    partner("SCH-A", "SCH"),
    partner("EHM-A", "FSW", content=FHIR),
    partner("HV-A", "HV"),
    partner("HOU-A", "HOUS"),
    partner("CAMHS-A", "CAMHS"),
    partner("CSC-A", "CSC"),
    partner("POL-A", "POLN", content=FHIR),
    partner("EHM-B", "FSW", authority="002", content=FHIR),
    partner("SCH-B", "SCH", authority="002"),
    partner("HV-B", "HV", authority="002", channel="pull", body="thin"),
    partner("VCS-N", "YOUTH", authority=None),
    partner("IDX", authority=None, channel="index"),
)


@dataclass(frozen=True)
class Got:
    """One parcel as its recipient had it."""

    partner: str
    parcel: Parcel
    message: Tree

    @property
    def type(self) -> str:
        return self.parcel.message_type

    @property
    def facts(self) -> Tree:
        facts: Tree = self.message.get("notification", {})
        return facts

    @property
    def episode(self) -> Tree:
        shown: Tree = self.message.get("episode", {})
        return shown

    @property
    def text(self) -> str:
        return self.parcel.body.decode()


@dataclass
class Double:
    """The receiving end of one partner; *faults* are raised first, each once."""

    world: "World"
    name: str
    inner: Destination | None = None
    faults: list[Exception] = field(default_factory=list)
    during: Callable[[Parcel], Any] | None = None
    attempts: list[Parcel] = field(default_factory=list)

    async def send(self, parcel: Parcel) -> Outcome:
        self.attempts.append(parcel)
        if self.during is not None:
            await self.during(parcel)
        if self.faults:
            raise self.faults.pop(0)
        if parcel.thin:
            return await (self.inner or PullDestination()).send(parcel)
        self.world.inbox.append(Got(self.name, parcel, self.world.parse(parcel)))
        if self.inner is not None:
            return await self.inner.send(parcel)
        return Outcome(delivered=True, evidence={"status": 200})


class World:
    """The services of one hub, wired as bootstrap does, with the receivers at hand."""

    def __init__(
        self, *, store: Store | None = None, partners: Iterable[Partner] = PARTNERS
    ) -> None:
        self.clock = StoppedClock(START)
        self.store: Any = store or MemoryStore()
        self.digester = MemoryDigester()
        self.partners = {one.name: one for one in partners}
        coordinator = Coordinator("CAF co-ordinator", "LA-001", "0113 496 0999")
        self.registry = Registry(
            "Hub", "support@hub.example", self.partners, {}, {"001": coordinator}
        )
        self.hints = Hints()
        self.translator = translator("https://ecaf.example/fhir")
        self.inbox: list[Got] = []
        self.doubles = {name: Double(self, name) for name in self.partners}
        if "IDX" in self.doubles:
            self.doubles["IDX"].inner = ChildIndexDestination(self.store, self.digester, self.clock)
        parts = (self.store, self.registry, self.translator, self.digester, self.clock)
        self.waits: list[float | None] = []
        self.dispatcher = Dispatcher(
            *parts, self.doubles, self.hints, self.backoff, "w1", timedelta(seconds=60)
        )
        self.collector = Collector(*parts, self.hints)
        self.acceptor = Acceptor(self.store, self.digester, self.clock, self.hints)
        self.recorder = Recorder(self.registry, self.digester)
        self.discloser = Discloser(self.store, self.registry, self.clock, self.acceptor)
        self.receiver = Receiver(self.registry, self.digester)
        self.viewer = Viewer(self.store, self.translator, self.digester, self.clock, self.registry)
        self.lookup = Lookup(self.store, self.registry, self.clock)
        self.index = ChildIndex(self.store, self.digester, self.clock)
        self.notifier = Notifier(self.store, self.digester, self.clock)
        self.matcher = Matcher(self.store, self.registry, self.digester, self.clock, self.hints)
        self.keys = itertools.count(1)
        self.numbers = itertools.count(1)

    def backoff(
        self, attempts: int, retry_after: float | None, waits: tuple[float, ...] | None = None
    ) -> float | None:
        """Wait a minute more with each of three attempts, as long as asked, then give up."""
        self.waits.append(retry_after)
        if waits is not None:
            return waits[attempts] if attempts < len(waits) else None
        return None if attempts >= 3 else max(60.0 * attempts, retry_after or 0.0)

    def parse(self, parcel: Parcel) -> Tree:
        """Read what a recipient got; a FHIR Bundle through the mapping."""
        if parcel.content_type.startswith("application/fhir"):
            one = self.translator.catalogue.formats[FHIR]
            return dict(one.compiled.read(one.wire.parse(parcel.body)).message)
        read: Tree = json.loads(parcel.body)
        return read

    # What partners do

    async def post(
        self, who: str, raw: bytes, content_type: str = CANONICAL, key: str | None = None
    ) -> Receipt:
        """Submit bytes as a door does; nothing is delivered yet."""
        read = self.translator.read(content_type, raw, partner=who)
        episode_id = str(sent_tree(read.message)["episode_id"])
        return await self.acceptor.accept(
            self.partners[who],
            content_type,
            raw,
            key or f"k{next(self.keys)}",
            lambda s, i: self.receiver.receive(s, i, read.message, read.warnings),
            episode_id,
        )

    async def send(
        self, who: str, event: str | None = None, *, key: str | None = None, **message: Any
    ) -> Receipt:
        """Submit a message, deliver what follows and return the receipt."""
        if event is not None:
            message["event"] = event
        receipt = await self.post(who, b.wire(message), key=key)
        await self.drain()
        return receipt

    async def decide(
        self, who: str, record: Tree, *, key: str | None = None, drain: bool = True
    ) -> Receipt:
        """Record one decision through the same door as a partner."""
        raw = b.wire({"consent_decision": record})
        read = self.translator.read(CANONICAL, raw, partner=who)
        decision = read.message["consent_decision"]
        episode_id = str(decision["episode_id"])
        receipt = await self.acceptor.accept(
            self.partners[who],
            CANONICAL,
            raw,
            key or f"k{next(self.keys)}",
            lambda s, i: self.recorder.record(s, i, episode_id, decision),
            episode_id,
        )
        if drain:
            await self.drain()
        return receipt

    async def disclose(
        self, who: str, record: Tree, *, key: str | None = None, **message: Any
    ) -> Receipt:
        """Share without consent, or ask for it, deliver what follows and return the receipt."""
        raw = b.wire({"disclosure": record, **message})
        read = self.translator.read(CANONICAL, raw, partner=who).message
        receipt = await self.discloser.disclose(
            self.partners[who], CANONICAL, raw, key or f"k{next(self.keys)}", read
        )
        await self.drain()
        return receipt

    async def notify(self, who: str, *, key: str | None = None, **changes: Any) -> Receipt:
        """Post the school's worry, or another notification."""
        raw = b.wire({"notification": b.notification(**changes)})
        body = self.translator.read(CANONICAL, raw, partner=who).message["notification"]
        key = key or f"k{next(self.keys)}"
        receipt = await self.notifier.notice(self.partners[who], raw, key, body)
        await self.drain()
        return receipt

    async def check(self, who: str, **subject: Any) -> Tree:
        """Ask the child index."""
        query = {"purpose": "ASSESS", "subject": subject}
        return dict(await self.index.check(self.partners[who], query))

    async def drain(self) -> None:
        """Deliver until nothing may go now."""
        for _ in range(300):
            while await self.matcher.round():
                pass
            ids = self.hints.drain(100) or list(await self.store.due(self.clock.now(), 100))
            if not ids:
                return
            for delivery_id in ids:
                await self.dispatcher.deliver(delivery_id)
        raise AssertionError("deliveries never come to rest")

    # What came of it

    def take(self) -> dict[str, list[str]]:
        """Return the types that each partner got since, and forget them."""
        found: dict[str, list[str]] = {}
        for got in self.inbox:
            found.setdefault(got.partner, []).append(got.type)
        self.inbox.clear()
        return found

    def last(self, name: str, message_type: str | None = None) -> Got:
        """Return the newest that a partner got."""
        return next(
            got
            for got in reversed(self.inbox)
            if got.partner == name and message_type in {None, got.type}
        )

    def deliveries(self, **wanted: Any) -> list[Delivery]:
        """Return the deliveries with these values, in order of creation."""
        every = self.store._tables.deliveries.values()
        return [d for d in every if all(getattr(d, k) == v for k, v in wanted.items())]

    def put(self, delivery: Delivery, **changes: Any) -> Delivery:
        """Change a stored delivery behind the hub's back."""
        changed = replace(delivery, **changes)
        self.store._tables.deliveries[delivery.delivery_id] = changed
        return changed

    def audit(self, kind: str) -> list[Any]:
        """Return the audit rows of a kind."""
        return [row for row in self.store._tables.audit.values() if row.kind == kind]

    @property
    def head(self) -> Any:
        return self.store._tables.heads["e1"]

    @property
    def tree(self) -> Tree:
        tree: Tree = self.store._tables.versions["e1", self.head.version].tree
        return tree

    def states(self, message_type: str) -> dict[str, list[str]]:
        """Return the states of the deliveries of a type, by partner."""
        found: dict[str, list[str]] = {}
        for one in self.deliveries(message_type=message_type):
            found.setdefault(one.partner, []).append(one.state.value)
        return found

    # Ava's story

    def decision(self, **changes: Any) -> Tree:
        """Return a new decision of Mia's for Ava, signed now."""
        number = next(self.numbers)
        now = (self.clock.now() - timedelta(minutes=5) + timedelta(seconds=number)).isoformat()
        signed = now.replace("+00:00", "Z")
        year = (self.clock.now() + timedelta(days=360)).date().isoformat()
        return b.decision(
            **{
                "consent_decision_id": f"d{number}",
                "signed_at": signed,
                "recorded_at": signed,
                "review_by": year,
                "expires_at": year,
                "scope_excludes": [],
                **changes,
            }
        )

    def own(self, **changes: Any) -> Tree:
        """Return a decision of Mia's about herself."""
        record = self.decision(
            subject_id="c1", given_by_person="c1", given_by_basis="ADULT_SELF", **changes
        )
        record.pop("pr_basis", None)
        return record

    def store_only(self, **changes: Any) -> Tree:
        """Return a decision that lets the hub keep the episode and nobody see it."""
        return self.decision(
            **{
                "state": "STORE_ONLY",
                "share_decision": "no",
                "scope_includes": [],
                "purpose": ["STORE"],
                **changes,
            }
        )

    async def opened(self, **changes: Any) -> "World":
        """Go to where the episode is being assessed, with consent to store."""
        await self.decide("SCH-A", self.store_only())
        await self.send("SCH-A", "episode.opened", episode=opening(**changes))
        return self

    async def shared(self, **changes: Any) -> "World":
        """Go to where the assessment is complete and shared as Mia decided."""
        await self.opened(**changes)
        await self.decide("SCH-A", self.decision(scope_includes=includes()))
        await self.decide("SCH-A", self.own(scope_includes=includes()))
        await self.send("SCH-A", "assessment.completed", episode=completion())
        return self

    async def teamed(self, **changes: Any) -> "World":
        """Go to where Mr Lead is appointed by the team."""
        await self.shared(**changes)
        await self.send("EHM-A", "lead_professional.appointed", episode=appointment())
        return self

    async def planned(self, **changes: Any) -> "World":
        """Go to where the plan is agreed and housing is asked for support."""
        await self.teamed(**changes)
        await self.send("EHM-A", "plan.agreed", episode={"episode_id": "e1", "plan": b.plan()})
        self.inbox.clear()
        return self


PURPOSES = ["STORE", "ASSESS", "PLAN", "REQUEST_SERVICE", "INDEX"]


def includes(*everything: str, **sections: Iterable[str]) -> list[Tree]:
    """Return scope items: by default three services get all, and housing its four sections."""
    services = everything or b.SERVICES[:3]
    items: list[Tree] = [
        {"service": service, "section": "all", "sensitive": True, "action": "contribute"}
        for service in services
    ]
    if not everything:
        items += [
            {"service": "HOU-A/HOUS", "section": section}
            for section in ("sec.identity", "sec.env.housing", "sec.conclusions", "sec.plan")
        ]
    return items


def opening(**changes: Any) -> Tree:
    """Return Ava's episode as it is opened."""
    tree = b.episode(**changes)
    for name in ("plan", "reviews", "status", "conclusions", "assessment_completed_on"):
        tree.pop(name, None)
    services = tree["services"]
    for name in ("lead_professional", "lp_from", "lp_change_reason"):
        services.pop(name, None)
    services["lp_state"] = "ACTING"
    return tree


def completion() -> Tree:
    """Return what completes the assessment."""
    return {
        "episode_id": "e1",
        "assessment_completed_on": "2026-09-04",
        "conclusions": b.episode()["conclusions"],
    }


def appointment(who: str = "p-lead", **changes: Any) -> Tree:
    """Return what the team's meeting agreed about the team."""
    return {
        "episode_id": "e1",
        "services": {"lead_professional": b.practitioner(who), "lp_state": "APPOINTED"},
        "plan": {"plan_id": "plan1", "team_member": b.plan()["team_member"]},
        **changes,
    }


def part(**members: Any) -> Tree:
    """Return a part of Ava's episode."""
    return copy.deepcopy({"episode_id": "e1", **members})


def subject(**members: Any) -> list[Tree]:
    """Return a part of Ava."""
    return [{"subject_id": "s1", "is_unborn": False, **members}]


def held(records: Iterable[Tree]) -> list[Decision]:
    """Return records as recorded decisions, oldest first."""
    return [
        Decision(
            record["consent_decision_id"],
            "e1",
            record["subject_id"],
            number,
            record,
            "SCH-A",
            START,
        )
        for number, record in enumerate(records, start=1)
    ]


UNDELIVERED = frozenset({State.PENDING, State.SENDING})


def suspended(registry: Registry, *names: str) -> Registry:
    """Return *registry* with these partners, and no others, suspended by the operator."""
    since = Suspension("TEST", "staff-1", datetime(2026, 9, 1, tzinfo=UTC))
    return replace(
        registry,
        partners={
            name: replace(one, suspended=since if name in names else None)
            for name, one in registry.partners.items()
        },
    )
