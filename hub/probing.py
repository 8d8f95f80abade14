"""`ecaf partners test`: one synthetic message to a partner, hop by hop, through the running hub.

It goes by the partner's own mapping, overlay and destination, with the breaker, certificates and
secrets that are in force; it stands on no lane and in no record but one audit row.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.outward import Way
from hub.domain.carriage import Outcome, Parcel
from hub.domain.exchange import Tree
from hub.domain.partner import Partner
from hub.errors import Code, Conflict, Fault, HubError, Missing, Unavailable
from hub.hub import Hub
from hub.ports import Needs, Rendered
from hub.services.audit import row
from hub.services.probes import Probe
from hub.services.released import rehearse
from hub.services.synthetic import message_to, new_id
from hub.services.trace import at
from mappings.formats.marks import marked

CONNECT_SECONDS: Final = 5.0
WAIT_SECONDS: Final = 10.0
"""How long the partner's own word is waited for, unless somebody says otherwise."""
LONGEST: Final = 25.0
PORTS: Final = {"https": 443, "http": 80, "mllps": 2575, "mllp": 2575}


@dataclass
class Hops:
    """What was seen so far; after a hop that failed, the others are not tried."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    failed: str | None = None

    async def hop(
        self, name: str, remedy: str, work: Callable[[], Awaitable[tuple[str, Any]]]
    ) -> Any:
        """Do one hop, note how long it took and what it says, and return what it gives."""
        if self.failed is not None:
            self.note(name, "not tried", "")
            return None
        began = time.perf_counter()
        try:
            says, given = await work()
        except Exception as fault:  # noqa: BLE001  a plug-in's, too: what is found is what is told
            self.failed = name
            here = isinstance(fault, OSError | TimeoutError)
            code = Code.UNAVAILABLE if here else Code.INTERNAL
            code = fault.code if isinstance(fault, HubError) else code
            said = fault.detail if isinstance(fault, HubError) else type(fault).__name__
            places = [one.path for one in fault.faults[:5]] if isinstance(fault, HubError) else []
            self.note(name, "failed", said, _since(began), code=code.value, remedy=remedy)
            if places:
                self.seen[-1]["places"] = places
            return None
        self.note(name, "ok", says, _since(began))
        return given

    def note(self, name: str, state: str, says: str, ms: float | None = None, **more: str) -> None:
        """Note a hop."""
        self.seen.append({"hop": name, "state": state, "ms": ms, "says": says, **more})


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)


async def probe(hub: Hub, name: str, wait: float = WAIT_SECONDS, *, hears: bool = True) -> Tree:
    """Send one synthetic message to *name* and return what each hop did; *hears*: whether the word
    of its system would come to this process.

    Raises `Missing` where there is no such partner, `Conflict` where this process sends nothing.
    """
    partner = hub.registry.partners.get(name)
    if partner is None:
        raise Missing(Code.NOT_FOUND, "no partner has this name: ecaf partners list")
    if hub.activation is None or hub.activation.carriers is None:
        fault = Fault(Code.STATE, "--socket", "a worker's: ECAF_OPERATOR_SOCKET and .worker")
        raise Conflict(Code.STATE, "this process sends nothing: ask a worker", (fault,))
    now, delivery_id = hub.clock.now(), new_id()
    service = partner.services[0].ref if partner.services else name
    message = message_to(service, hub.registry.hub, delivery_id, now)
    hops, channel = Hops(), partner.delivering.channel

    async def ready() -> tuple[str, None]:
        if partner.suspended is not None:
            raise Unavailable(Code.SUSPENDED, f"suspended: {partner.suspended.reason}")
        if not partner.connected(now.date()):
            raise Unavailable(Code.ORG_NOT_ACCREDITED, f"at the stage {partner.stage.value}")
        return f"{partner.stage.value}, {channel} {partner.delivering.content}", None

    async def render() -> tuple[str, Rendered]:
        content = partner.delivering.content
        plain = hub.renderer.render(content, rehearse(message, service), partner=name)
        body = marked(plain.content_type, plain.body)
        made = Rendered(plain.content_type, body, plain.mapping)
        return f"{plain.mapping}, {len(body)} bytes", made

    await hops.hop("profile", _READY, ready)
    rendered: Rendered | None = await hops.hop(
        "rendered and validated", f"ecaf partners check {name}; ecaf test", render
    )
    await hops.hop("connected", _REACH, lambda: _connect(partner))
    if rendered is not None and channel != "index":
        made_at, episode_id = at(now), str(message["episode"]["episode_id"])
        one = Probe(delivery_id, name, service, episode_id, made_at, rendered)
        hub.probes.begin(one)
        try:
            await _send(hub, partner, one, hops, wait if hears else None)
        finally:
            hub.probes.end(one)
    elif hops.failed is None:
        hops.note("sent", "not needed", "the child index is the hub's own")
    passed = hops.failed is None
    code = "OK" if passed else str(hops.seen[_at(hops)]["code"])
    facts = {"partner": name, "failed": hops.failed, "delivery": delivery_id}
    told = row("partner.tested", at=now, actor="operator", code=code, facts=facts)
    await hub.store.run(lambda session: session.add_audit(told), Needs())
    return {
        "partner": name,
        "delivery_id": delivery_id,
        "passed": passed,
        "failed": hops.failed,
        "hops": hops.seen,
    }


_READY: Final = "ecaf partners list; ecaf partners resume, or have the accreditation looked at"
_REACH: Final = "is the address right, its system up, the way open (firewall, DNS)? deliver.url"
_SENT: Final = "certificates, secrets and tokens on both sides; its system's own log has the id"


def _at(hops: Hops) -> int:
    return next(n for n, one in enumerate(hops.seen) if one["state"] == "failed")


async def _connect(partner: Partner) -> tuple[str, None]:
    """Open a connection to the partner's address and let it go; nothing is said over it."""
    sftp = partner.delivering.sftp
    parts = urlsplit(partner.delivering.url or "")
    host = sftp.host if sftp is not None else parts.hostname
    if host is None:
        return "nobody is called: its queue, mailbox or inbox, or an adapter's own way", None
    port = sftp.port if sftp is not None else parts.port or PORTS.get(parts.scheme, 443)
    async with asyncio.timeout(CONNECT_SECONDS):
        found = await Way(host, reach=partner.delivering.reach).addresses(port)
        _, writer = await asyncio.open_connection(found[0], port)
    writer.close()
    return f"port {port} answers", None


async def _send(hub: Hub, partner: Partner, one: Probe, hops: Hops, wait: float | None) -> None:
    """Carry it as a delivery would be carried, and *wait* for the partner's own word, if that
    comes here.
    """
    delivering = partner.delivering
    thin = delivering.body == "thin" or delivering.channel == "pull"
    carriers = hub.activation.carriers if hub.activation is not None else None
    parcel = Parcel(
        delivery_id=one.delivery_id,
        message_type="N7",
        partner=partner.name,
        attempt=1,
        possible_duplicate=False,
        content_type=one.rendered.content_type,
        body=b"" if thin else one.rendered.body,
        thin=thin,
        lane=one.episode_id,
        lane_sequence=1,
        urgent=False,
    )

    async def send() -> tuple[str, Outcome]:
        if carriers is None:
            raise Unavailable(Code.UNAVAILABLE, "this process sends nothing")
        outcome: Outcome = await carriers.destination(partner.name).send(parcel)
        said = " ".join(f"{name}={value}" for name, value in outcome.evidence.items())
        return f"handed over{' thin' if thin else ''}; {said}", outcome

    outcome: Outcome | None = await hops.hop("sent, transport acknowledged", _SENT, send)
    if outcome is None:
        hops.note("acknowledged by its system", "not tried", "")
        return
    if outcome.delivered:
        hops.note("acknowledged by its system", "ok", "the receiver said that it took it")
        return
    if thin and not partner.accredited(hub.clock.now().date()):
        says = "at the stage test nothing may be fetched: test again at pilot"
        hops.note("acknowledged by its system", "not needed", says)
        return

    if wait is None:
        says = "its word would come to a process of the role api, which sends nothing"
        hops.note("acknowledged by its system", "not known", says)
        return

    async def word() -> tuple[str, None]:
        try:
            async with asyncio.timeout(wait):
                if thin:
                    await one.fetched.wait()
                await one.acknowledged.wait()
        except TimeoutError:
            missing = "acknowledged" if one.fetched.is_set() or not thin else "fetched"
            raise Unavailable(Code.TIMEOUT, f"it was not {missing} within {wait:g} s") from None
        return f"{'fetched, ' if thin else ''}answered {one.code}", None

    remedy = "its system fetches GET /deliveries/{id} and answers POST /deliveries/{id}/ack"
    await hops.hop("acknowledged by its system", remedy, word)
