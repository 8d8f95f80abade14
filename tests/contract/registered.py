"""A hub of services whose register of consent is its own, or somebody else's server."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from adapters.consent.fhir_server import FhirConsentServer, Limits
from hub.bootstrap import translator
from hub.domain.exchange import Audited, Decision, Delivery, EpisodeHead
from hub.domain.partner import Partner
from hub.ports import ConsentServer, Session, Store
from hub.services.collect import Collector
from hub.services.copying import External, registers_of
from hub.services.dispatch import Dispatcher
from hub.services.see import Viewer
from mappings.formats.json_strict import parse
from tests import builders as b
from tests.servers.consents import ConsentServerProcess
from tests.unit.services.world import PARTNERS, World, completion, includes, opening

LEASE = timedelta(seconds=30)
PATIENT = Limits(connect_seconds=20.0, total_seconds=30.0)
IDS = "https://ecaf.example/fhir/Id"


def client(process: ConsentServerProcess, **changes: Any) -> FhirConsentServer:
    """The adapter, told of one running server."""
    both = translator("https://ecaf.example/fhir")

    def decision(raw: bytes) -> Any:
        one = both.mapping("fhir-r4/consent")
        return both.read_format(one, raw).message["consent_decision"]

    wanted = {"ids": IDS, "ca_file": process.ca_file, "limits": PATIENT, **changes}
    return FhirConsentServer(process.url, decision, parse, **wanted)


class Registered(World):
    """The services of a hub as bootstrap wires them with an external register; without *server*
    with our own.
    """

    server: Any

    def __init__(
        self,
        server: ConsentServer | None = None,
        *,
        store: Store | None = None,
        lease: timedelta = LEASE,
        authorities: tuple[str, ...] = (),
        partners: Iterable[Partner] = PARTNERS,
    ) -> None:
        super().__init__(store=store, partners=partners)
        self.server = server
        external = [External("county", authorities, server, lease)] if server else []
        self.registers = registers_of(
            external, self.store, lambda: self.recorder, self.clock, self.hints
        )
        parts = (self.store, self.registry, self.translator, self.digester, self.clock)
        self.dispatcher = Dispatcher(
            *parts, self.doubles, self.hints, self.backoff, "w1", timedelta(seconds=60),
            self.registers,
        )  # fmt: skip
        self.collector = Collector(*parts, self.hints, self.registers)
        self.viewer = Viewer(
            self.store, self.translator, self.digester, self.clock, self.registry, self.registers
        )

    async def asked(self, unit: Callable[[Session], Any]) -> Any:
        """Ask the store."""
        return await self.store.run(unit)

    async def known(self) -> Sequence[Decision]:
        """What the register says of the episode, under the lock; raises as it does."""

        def unit(session: Session) -> Sequence[Decision]:
            head = session.episode("e1")
            assert head is not None
            return self.registers.of(head).decisions(session, head)

        found: Sequence[Decision] = await self.asked(unit)
        return found

    async def learn(self) -> None:
        """Ask the register now, whatever its lease, and deliver what follows."""
        register = self.registers.at("001")
        early = {"early": True} if hasattr(register, "lease") else {}
        await register.refresh("e1", **early)
        await self.drain()

    async def trail(self, kind: str) -> list[Audited]:
        """The audit rows of a kind."""
        rows = await self.asked(lambda session: session.audit("e1"))
        return [row for row in rows if row.kind == kind]

    async def sent(self, **wanted: Any) -> list[Delivery]:
        """The deliveries with these values."""
        every = await self.asked(lambda session: session.deliveries("e1"))
        return [d for d in every if all(getattr(d, k) == v for k, v in wanted.items())]

    async def top(self) -> EpisodeHead:
        """The head of the episode."""
        head: EpisodeHead = await self.asked(lambda session: session.episode("e1"))
        return head

    async def complete(self) -> None:
        """The assessment is complete: every service that may see it is sent it."""
        await self.send("SCH-A", "assessment.completed", episode=completion())

    async def begin(self, say: "Callable[[str, dict[str, Any]], Any]") -> None:
        """Open the episode; *say* makes a decision known to the register by its own way."""
        await self.decide("SCH-A", self.store_only())
        await self.send("SCH-A", "episode.opened", episode=opening())
        await say("all", self.decision(scope_includes=includes()))
        await say("own", self.own(scope_includes=includes()))
        await self.learn()


def got(world: World, name: str) -> list[str]:
    """The types that a partner was sent."""
    return [one.type for one in world.inbox if one.partner == name]


__all__ = ["LEASE", "Registered", "b", "client", "got"]
