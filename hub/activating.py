"""Activation: the running hub takes changed profiles and mappings, whole and checked, or none.

Source: `design.md` section 3 (configuration).  What is under way ends with what it began with; what
comes next goes by the new.  A fault anywhere leaves everything as it was.
Suspensions are taken by themselves, within a second and whatever else is wrong in the folder, for
they are what somebody does in an emergency (D-108).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol

from hub.domain.exchange import Tree
from hub.domain.partner import Registry
from hub.domain.suspension import Suspension
from hub.errors import Code, Fault, HubError, Misconfigured, Unavailable
from hub.logging import log
from hub.ports import Clock, Destination, Handover, Needs, Reader, Renderer, Store
from hub.services.audit import row
from hub.services.resuming import wake

CONFIGURED: Final = (
    "hub.yaml", "partners", "suspended", "rotations", "catalogue", "codes", "overlays", "forms",
)  # fmt: skip
"""What a running hub takes; the other files of a site are read at its start."""
AT_START: Final = ("mesh.yaml", "consent.yaml", "notify.yaml")
"""What a hub reads at its start only."""
SECONDS: Final = 1.0
"""How often the folder of suspensions is looked at."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A site's folder, checked as a whole; *digest* (hex) tells one state of its files from
    another.
    """

    registry: Registry
    reader: Reader
    renderer: Renderer
    digest: str


class Adopting(Protocol):
    """The hub, as far as activation needs it (`hub.hub.Hub`)."""

    registry: Registry
    reader: Reader
    renderer: Renderer
    store: Store
    clock: Clock
    hints: Any

    def adopt(self, registry: Registry, reader: Reader, renderer: Renderer) -> None:
        """Work with these from the next call on."""
        ...


class Carrying(Protocol):
    """What sends (`hub.reaching.Carriers`)."""

    def prepare(self, registry: Registry) -> Mapping[str, Any]:
        """Return the destinations of *registry*; raises `Misconfigured`."""
        ...

    def adopt(self, made: Mapping[str, Any]) -> None:
        """Send by these from now on."""
        ...

    def destination(self, name: str) -> Destination:
        """Return what carries to a partner."""
        ...

    def breakers(self) -> Mapping[str, bool]:
        """Return which breakers are open."""
        ...


@dataclass
class Activation:
    """Replaces what a running hub works with.

    *load* reads and checks the folder, *stopped* only who is suspended, *names* only their names.
    *checks* may refuse a registry (`Misconfigured`); *followers* are told of each new one.
    *waiting* names the files that have changed since the start and are taken by a start only.
    """

    hub: Adopting
    load: Callable[[], Loaded]
    stopped: Callable[[], Mapping[str, Suspension]]
    names: Callable[[], frozenset[str]]
    waiting: Callable[[], Sequence[str]] = tuple
    carriers: Carrying | None = None
    checks: list[Callable[[Registry], None]] = field(default_factory=list)
    followers: list[Callable[[Registry], Awaitable[None]]] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def activate(self, by: str) -> Tree:
        """Take what is in the folder, for *by* (a staff reference), and return what changed.

        Raises `Misconfigured` with every fault, and nothing has changed.
        """
        async with self._turn:
            loaded = await asyncio.to_thread(self.load)
            old, new = self.hub.registry, loaded.registry
            if new.hub != old.hub:
                fault = Fault(Code.CONFIGURATION, "hub.yaml: hub", "start the hub anew")
                raise Misconfigured(Code.CONFIGURATION, "a running hub keeps its name", (fault,))
            for check in self.checks:
                check(new)
            made = self.carriers.prepare(new) if self.carriers is not None else {}
            changed = changes(old, new)
            facts = {"by": by, "digest": loaded.digest, **changed}
            now = self.hub.clock.now()
            told = row("config.activated", at=now, actor=by, facts=facts)
            await self.hub.store.run(lambda session: session.add_audit(told), Needs())
            await self._adopt(new, loaded.reader, loaded.renderer, made)
            log.info("config.activated", count=len(new.partners))
            body = {"digest": loaded.digest, "partners": len(new.partners), **changed}
            return {**body, "needs_restart": list(await asyncio.to_thread(self.waiting))}

    async def suspensions(self) -> None:
        """Take who is suspended now, and nothing else of the folder."""
        async with self._turn:
            old, stopped = self.hub.registry, self.stopped()
            partners = {
                name: one
                if one.suspended == stopped.get(name)
                else replace(one, suspended=stopped.get(name))
                for name, one in old.partners.items()
            }
            if partners == old.partners:
                return
            new = replace(old, partners=partners)
            made = self.carriers.prepare(new) if self.carriers is not None else {}
            await self._adopt(new, self.hub.reader, self.hub.renderer, made)
            log.info("suspensions.taken", count=len(stopped))

    async def without(self, name: str) -> None:
        """Work without the partner of this name, and take nothing else of the folder."""
        async with self._turn:
            old = self.hub.registry
            kept = {each: one for each, one in old.partners.items() if each != name}
            proofs = {each: one for each, one in old.credentials.items() if each != name}
            new = replace(old, partners=kept, credentials=proofs)
            made = self.carriers.prepare(new) if self.carriers is not None else {}
            await self._adopt(new, self.hub.reader, self.hub.renderer, made)
            log.info("partner.removed", count=len(kept))

    async def watch(self) -> None:
        """Look for suspensions every second: of several processes, only one is told on its
        socket.
        """
        while True:
            try:
                known = self.hub.registry.partners.items()
                here = {name for name, one in known if one.suspended is not None}
                if self.names() & self.hub.registry.partners.keys() != here:
                    await self.suspensions()
            except Unavailable as fault:
                log.warning("suspensions.delayed", code=fault.code.value)
            except (HubError, OSError) as fault:
                log.error("suspensions.failed", error_class=type(fault).__name__)
            await asyncio.sleep(SECONDS)

    async def _adopt(
        self, new: Registry, reader: Reader, renderer: Renderer, made: Mapping[str, Any]
    ) -> None:
        resumed = [
            name
            for name, one in self.hub.registry.partners.items()
            if one.suspended and name in new.partners and not new.partners[name].suspended
        ]
        self.hub.adopt(new, reader, renderer)
        if self.carriers is not None:
            self.carriers.adopt(made)
        for follow in self.followers:
            await follow(new)
        handover: Handover = self.hub.hints
        for name in resumed:
            await wake(self.hub.store, name, self.hub.clock, handover)


def unlike_the_start(folder: Path) -> Callable[[], Sequence[str]]:
    """Return what names, whenever it is asked, the files of `AT_START` that are not as now."""

    def now() -> Mapping[str, bytes | None]:
        found = {name: folder / name for name in AT_START}
        return {name: at.read_bytes() if at.is_file() else None for name, at in found.items()}

    began = now()
    return lambda: [name for name, held in now().items() if held != began[name]]


def digest_of(folder: Path) -> str:
    """Return what tells one state of a site's configuration from another; secrets are not in it."""
    taken = sha256()
    for name in CONFIGURED:
        top = folder / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file():
                taken.update(f"{path.relative_to(folder)}\0".encode())
                taken.update(sha256(path.read_bytes()).digest())
    return taken.hexdigest()


def changes(old: Registry, new: Registry) -> dict[str, Sequence[str]]:
    """Return the names of partners that are added, changed or removed."""
    both = old.partners.keys() & new.partners.keys()
    return {
        "added": sorted(new.partners.keys() - old.partners.keys()),
        "removed": sorted(old.partners.keys() - new.partners.keys()),
        "changed": sorted(
            name
            for name in both
            if old.partners[name] != new.partners[name]
            or old.credentials.get(name) != new.credentials.get(name)
        ),
    }
