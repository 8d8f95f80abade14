"""A small hub that keeps what it is told in dictionaries: enough to try the door on its own.

It keeps the promises of `hub.api.facade.Hub` that the door relies on (same key and content: same
answer; other content: refused; unknown: missing), and has `fail` for what a real one does only on a
bad day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from adapters.memory import MemoryDigester, MemoryStore
from adapters.partners.keys import new_api_key
from hub.domain.accreditation import Protocol
from hub.domain.backlog import Backlog
from hub.domain.exchange import Tree
from hub.domain.partner import ApiKey, Credentials, Delivering, Partner, Registry, Service
from hub.errors import Code, Conflict, Fault, Malformed, Missing
from hub.metrics import Metrics, Reading
from hub.noticing import Noticing
from hub.ports import Read, Rendered
from hub.secrets import Secret
from hub.services.alerts import Alerts
from hub.services.consent_look import ConsentLook
from hub.services.operating import Operations
from hub.services.receipt import Receipt
from hub.settings import Listen, Settings
from hub.worker import Hints

CAF = "application/vnd.ecaf.message+json;version=1"
FHIR = "application/fhir+json"
ALL = frozenset({"submit", "consent", "index", "notify", "read", "disclose"})
TODAY = date(2026, 9, 1)


class Noon:
    """The business clock, standing still."""

    def now(self) -> datetime:
        return datetime.combine(TODAY, datetime.min.time(), UTC)


class TwoTypes:
    """Reads two content types, as far as the door asks."""

    def content_types(self) -> Sequence[str]:
        return (CAF, FHIR)

    def read(self, content_type: str, raw: bytes, *, partner: str) -> Read:
        return Read(self.parse(raw))

    def parse(self, raw: bytes) -> Tree:
        tree: Tree = orjson.loads(raw)
        return tree


class NoFormats:
    """Renders nothing; the door never asks it to."""

    def formats(self) -> Sequence[str]:
        return ()

    def identity(self, format_name: str, partner: str) -> str:
        return ""

    def format_for(self, content_type: str) -> str | None:
        return None

    def render(self, format_name: str, released: Any, *, partner: str) -> Rendered:
        raise Malformed(Code.NOT_ACCEPTABLE, "no formats here")


class Memory:
    """A ledger of used assertions in this process."""

    def __init__(self) -> None:
        self.used: set[tuple[str, str]] = set()

    async def use(self, issuer: str, token_id: str, expires_at: float) -> bool:
        first = (issuer, token_id) not in self.used
        self.used.add((issuer, token_id))
        return first


def partner(name: str, **changes: Any) -> Partner:
    """An accredited partner with one service and every operation."""
    facts: dict[str, Any] = {
        "name": name,
        "organisation": name,
        "organisation_name": f"Organisation {name}",
        "organisation_type": "LA_EH",
        "authority": "001",
        "accredited_from": date(2026, 1, 1),
        "accredited_until": date(2027, 1, 1),
        "protocols": (Protocol("ISP-1", date(2026, 12, 31)),),
        "services": (Service(f"{name}/FSW", "Family support"),),
        "operations": ALL,
        "delivering": Delivering("pull"),
        "support_contact": "support@partner.example",
    }
    return Partner(**(facts | changes))


@dataclass
class SmallHub:
    """See the module."""

    registry: Registry
    settings: Settings
    keys: dict[str, Secret]
    clock: Noon = field(default_factory=Noon)
    reader: TwoTypes = field(default_factory=TwoTypes)
    renderer: NoFormats = field(default_factory=NoFormats)
    store: Any = None
    fail: Exception | None = None
    alerted: MemoryStore = field(default_factory=MemoryStore)
    paused: bool = False
    is_ready: bool = True
    taken: dict[tuple[str, str], tuple[bytes, Receipt]] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    callers: list[frozenset[str]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)

    def _keep(self, name: str, key: str, raw: bytes, status: int) -> Receipt:
        if self.fail is not None:
            raise self.fail
        digest = sha256(raw).digest()
        if (name, key) in self.taken:
            earlier, receipt = self.taken[name, key]
            if earlier != digest:
                raise Conflict(Code.IDEMPOTENCY, "the key was used", [Fault(Code.IDEMPOTENCY)])
            return receipt
        receipt = Receipt(status, {"message_id": f"m-{len(self.taken)}", "bytes": len(raw)})
        self.taken[name, key] = digest, receipt
        return receipt

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        self.asked.append(("receive", partner.name, content_type))
        return self._keep(partner.name, key, raw, 202)

    async def disclose(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        self.asked.append(("disclose", partner.name, content_type))
        return self._keep(partner.name, key, raw, 202)

    async def record_consent(
        self, partner: Partner, episode_id: str, raw: bytes, key: str
    ) -> Receipt:
        self.asked.append(("consent", partner.name, episode_id))
        return self._keep(partner.name, key, raw, 201)

    async def vouch(self, partner: Partner, ref: str, raw: bytes) -> Receipt:
        self.asked.append(("vouch", partner.name, ref, partner.acting))
        return Receipt(200, {"practitioner": ref, **orjson.loads(raw)})

    def reference(self, partner: Partner) -> Tree:
        return {"reference": "r" * 48}

    async def practitioner(self, partner: Partner, ref: str) -> Tree:
        raise Missing(Code.NOT_FOUND, "nobody of that name")

    async def consents(self, partner: Partner, episode_id: str) -> Tree:
        return {"decisions": []}

    async def audit(self, partner: Partner, episode_id: str, after: int, limit: int) -> Tree:
        return {"rows": []}

    async def check_index(self, partner: Partner, raw: bytes) -> Tree:
        return {"answer": "NONE"}

    async def notice(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        self.asked.append(("notice", partner.name, content_type))
        return self._keep(partner.name, key, raw, 202)

    async def view(
        self, partner: Partner, service: str, episode_id: str, purpose: str, accept: str
    ) -> Rendered:
        self.asked.append(("view", service, episode_id, purpose, accept))
        if episode_id != "ep-1":
            raise Missing(Code.NOT_FOUND, "no such thing here")
        return Rendered(FHIR, b'{"resourceType":"Bundle"}', "fhir-r4/episode")

    async def override(
        self, partner: Partner, service: str, episode_id: str, raw: bytes, accept: str
    ) -> Rendered:
        self.asked.append(("override", service, episode_id, raw, accept))
        return await self.view(partner, service, episode_id, "PLAN", accept)

    async def pull_through(
        self, partner: Partner, service: str, episode_id: str, raw: bytes
    ) -> Rendered:
        self.asked.append(("pull_through", service, episode_id, raw))
        return await self.view(partner, service, episode_id, "PULL_THROUGH", "*/*")

    async def family_copy(
        self,
        partner: Partner,
        service: str,
        episode_id: str,
        purpose: str,
        accept: str,
        person: str,
    ) -> Rendered:
        self.asked.append(("family_copy", service, episode_id, purpose, accept, person))
        if episode_id != "ep-1":
            raise Missing(Code.NOT_FOUND, "no such thing here")
        return Rendered("text/html; charset=utf-8", b"<!doctype html>", "html/document")

    async def access_report(self, partner: Partner, episode_id: str, person: str) -> Tree:
        self.asked.append(("access_report", partner.name, episode_id, person))
        if episode_id != "ep-1":
            raise Missing(Code.NOT_FOUND, "no such thing here")
        line = {
            "at": "2026-09-05T09:00:00Z",
            "organisation": "Housing <A>",
            "service": "HOU-A/HOUS",
            "what": "the plan",
            "sections": ["Delivery plan"],
            "purpose": "Plan and deliver",
            "ground": [{"agreed_by": "Person with parental responsibility", "on": "2026-09-01"}],
        }
        return {
            "episode_id": episode_id,
            "made_at": "2026-09-06T09:00:00Z",
            "disclosures": [line],
        }

    async def reading(self) -> Reading:
        told = await self.summary()
        return Reading(
            now=self.clock.now(),
            deliveries=told["deliveries"],
            backlog=Backlog(()),
            alerts=(),
            due=told["due"],
            paused=self.paused,
            ready=self.is_ready,
        )

    async def inbox(self, partner: Partner, after: int, limit: int) -> Tree:
        self.callers.append(partner.operations)
        self.asked.append(("inbox", partner.name, after, limit))
        return {"deliveries": [], "next": after}

    async def fetch(self, partner: Partner, delivery_id: str) -> Rendered:
        if delivery_id != "d-1":
            raise Missing(Code.NOT_FOUND, "no such thing here")
        return Rendered(CAF, b"{}", "caf-json")

    async def acknowledge(self, partner: Partner, delivery_id: str, raw: bytes) -> Receipt:
        self.asked.append(("ack", partner.name, delivery_id, raw))
        return Receipt(200, {"delivery_id": delivery_id})

    async def message(self, partner: Partner, message_id: str) -> Tree:
        for (name, _key), (_digest, receipt) in self.taken.items():
            if name == partner.name and receipt.body["message_id"] == message_id:
                return receipt.body
        raise Missing(Code.NOT_FOUND, "no such thing here")

    def directory(self) -> Tree:
        return {"services": [s.ref for p in self.registry.partners.values() for s in p.services]}

    async def readiness(self) -> Mapping[str, Any]:
        return {"ready": self.is_ready}

    @property
    def alerts(self) -> Alerts:
        return Alerts(self.alerted, self.clock)

    @property
    def consent(self) -> ConsentLook:
        return ConsentLook(self.store, self.registry, self.clock)

    @property
    def operations(self) -> Operations:
        return Operations(self.store, self.registry, self.clock, NoFormats, Hints())

    @property
    def noticing(self) -> Noticing:
        parts = (self.store, self.registry, MemoryDigester(), self.clock, Hints())
        return Noticing(*parts, self.reader, orjson.loads)

    def parsed(self, raw: bytes) -> Tree:
        tree: Tree = orjson.loads(raw)
        return tree

    async def preview_consent(self, raw: bytes) -> Tree:
        self.asked.append(("preview", raw))
        return {}

    async def schedule(self) -> int:
        return 0

    async def summary(self) -> Tree:
        return {"deliveries": {"pending": 2}, "due": 1, "paused": self.paused}

    async def pause(self) -> None:
        self.paused = True

    async def resume(self) -> None:
        self.paused = False


def small_hub(
    *partners: Partner,
    keys: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    listen: Listen | None = None,
    public_url: str = "http://127.0.0.1:8700",
) -> SmallHub:
    """A hub with these partners (EHM-A and HOU-A), each with an API key and perhaps public keys."""
    partners = partners or (partner("EHM-A"), partner("HOU-A", operations=frozenset({"read"})))
    shown, credentials = {}, {}
    for one in partners:
        shown[one.name], digest = new_api_key(one.name, "k1")
        credentials[one.name] = Credentials(
            api_keys=(ApiKey("k1", digest, date(2099, 1, 1)),),
            keys=tuple((keys or {}).get(one.name, ())),
        )
    return SmallHub(
        registry=Registry(
            hub="Hub of authority A",
            support_contact="support@hub.example",
            partners={one.name: one for one in partners},
            credentials=credentials,
        ),
        settings=Settings(
            config_dir=Path(),
            vault_key_file=Path("vault.key"),
            listen=listen or Listen("127.0.0.1", 0),
            public_url=public_url,
        ),
        keys=shown,
    )
