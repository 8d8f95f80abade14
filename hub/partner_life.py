"""A partner's life in a running hub: listed, suspended and resumed; behind the operator's socket.

Names, codes, days and times only; nothing here touches an episode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from adapters.partners.rotations import Rotation, read_rotations
from adapters.partners.suspensions import (
    REASONS,
    REFERENCE,
    end_suspension,
    put_aside,
    write_suspension,
)
from hub.domain.exchange import Tree
from hub.domain.partner import Credentials, Partner, Registry
from hub.domain.suspension import Suspension
from hub.errors import Code, Conflict, Fault, InvalidContent, Misconfigured, Missing
from hub.hub import Hub
from hub.ports import Clock, Needs, Store
from hub.probing import LONGEST, WAIT_SECONDS, probe
from hub.services.audit import row
from hub.services.expiring import expiring
from hub.services.leaving import counted, end_all, still_open
from hub.services.quarantine import read_ground
from hub.services.trace import at

STATES: Final = {None: None, True: "open", False: "closed"}
ACTIONS: Final = ("suspend", "resume")


@dataclass(frozen=True, slots=True)
class Said:
    """What an operator said about a partner; *by* is a staff reference."""

    action: str
    reason: str
    by: str


def read_said(body: Mapping[str, Any]) -> Said:
    """Return what *body* says; raises `InvalidContent` with every fault."""
    faults = []
    action, reason, by = (body.get(name) for name in ("action", "reason", "by"))
    if action not in ACTIONS:
        faults.append(Fault(Code.CODELIST, "/action", "say which", None, ACTIONS))
    if reason not in REASONS:
        faults.append(Fault(Code.CODELIST, "/reason", "say why", None, REASONS))
    if not isinstance(by, str) or not REFERENCE.fullmatch(by):
        faults.append(Fault(Code.FORMAT, "/by", "a staff reference, never a name"))
    if body.keys() - {"action", "reason", "by"}:
        faults.append(Fault(Code.UNKNOWN_FIELD, "", "send action, reason and by"))
    if faults:
        raise InvalidContent(faults[0].code, "this says nothing about a partner", tuple(faults))
    return Said(str(action), str(reason), str(by))


async def leave(
    store: Store,
    clock: Clock,
    config_dir: Path,
    registry: Registry,
    name: str,
    body: Mapping[str, Any],
) -> Tree:
    """Say what removing *name* would do; with ``confirm``, do it: end what is open, note it in the
    audit, and put its profile aside under ``removed/``.

    Raises `Missing` where there is no such partner, `Conflict` where it is not suspended, or what
    is open may not be ended so.
    """
    partner = registry.partners.get(name)
    if partner is None:
        raise Missing(Code.NOT_FOUND, "no partner has this name: ecaf partners list")
    found = await still_open(store, name)
    services = [one.ref for one in partner.services]
    told = {"partner": name, "services": services, **counted(found), "removed": False}
    if body.get("confirm") is not True:
        return told
    ground = read_ground({part: held for part, held in body.items() if part != "confirm"})
    if partner.suspended is None:
        fault = Fault(Code.STATE, "partner", f"ecaf partners suspend {name} --reason LEAVING")
        raise Conflict(Code.STATE, "a partner at work is not removed", (fault,))
    ended = await end_all(store, clock, name, ground)
    facts = {"partner": name, "ended": ended, **ground.facts}
    noted = row("partner.removed", at=clock.now(), actor=ground.by, facts=facts)
    await store.run(lambda session: session.add_audit(noted), Needs())
    try:
        aside = put_aside(config_dir, name, clock.now().date())
    except OSError as wrong:
        raise Misconfigured(
            Code.CONFIGURATION, f"{config_dir}/removed cannot be written: {wrong.strerror}"
        ) from None
    return {**told, "removed": True, "ended": ended, "profile": str(aside)}


async def record(
    store: Store, clock: Clock, config_dir: Path, registry: Registry, name: str, said: Said
) -> Tree:
    """Suspend or resume *name*: the audit first, then its file; the same again changes nothing.

    Raises `Missing` where there is no such partner.
    """
    if name not in registry.partners:
        raise Missing(Code.NOT_FOUND, "no partner has this name: ecaf partners list")
    now, stop = clock.now(), said.action == "suspend"
    facts = {"partner": name, "reason": said.reason, "by": said.by}
    kind = f"partner.{said.action}{'ed' if stop else 'd'}"
    told = row(kind, at=now, actor=said.by, facts=facts)
    await store.run(lambda session: session.add_audit(told), Needs())
    try:
        if stop:
            changed = write_suspension(config_dir, name, Suspension(said.reason, said.by, now))
        else:
            changed = end_suspension(config_dir, name)
    except OSError as wrong:
        raise Misconfigured(
            Code.CONFIGURATION, f"{config_dir}/suspended cannot be written: {wrong.strerror}"
        ) from None
    return {"partner": name, "suspended": stop, "changed": changed}


def listed(
    registry: Registry,
    day: date,
    heard: Mapping[str, str],
    breakers: Mapping[str, bool],
    rotations: Sequence[Rotation] = (),
) -> Tree:
    """Return every partner: how far it has come, how it is reached, and what is to be done."""
    due: dict[str, list[str]] = {}
    for one in expiring(registry, day):
        due.setdefault(one.where.get("partner", ""), []).append(
            f"{one.code} {one.where.get('until', '')}".rstrip()
        )
    for one_of in rotations:
        due.setdefault(one_of.partner, []).append(f"ROTATION {one_of.what} {one_of.until}")
    partners = [
        _line(one, registry.credentials.get(name, Credentials()), day)
        | {
            "last_heard": heard.get(name),
            "breaker": STATES[breakers.get(name)],
            "due": due.get(name, []),
        }
        for name, one in sorted(registry.partners.items())
    ]
    return {"hub": registry.hub, "partners": partners}


def _line(one: Partner, held: Credentials, day: date) -> dict[str, Any]:
    stopped = one.suspended
    proofs = {
        "api_key": held.api_keys, "keys": held.keys, "mllp": held.mllp, "mesh": held.mesh,
        "webhook": held.webhook, "sftp": held.sftp,
    }  # fmt: skip
    return {
        "partner": one.name,
        "services": [service.ref for service in one.services],
        "stage": one.stage.value,
        "connected": one.connected(day),
        "channel": one.delivering.channel,
        "content": one.delivering.content,
        "proves_by": [name for name, proof in proofs.items() if proof],
        "suspended": None
        if stopped is None
        else {"reason": stopped.reason, "by": stopped.by, "since": at(stopped.since)},
    }


@dataclass(frozen=True, slots=True)
class PartnerLife:
    """What the operator's socket answers about the partners of a running hub; *hears*: whether
    partners' own words come to this process (not to a worker by itself).
    """

    hub: Hub
    hears: bool = True

    async def listed(self) -> Tree:
        """Return every partner, as this process finds it."""
        hub = self.hub
        carriers = hub.activation.carriers if hub.activation is not None else None
        breakers = {} if carriers is None else carriers.breakers()
        heard = {name: at(moment) for name, moment in hub.metrics.heard().items()}
        rotations = read_rotations(hub.settings.config_dir)
        return listed(hub.registry, hub.clock.now().date(), heard, breakers, rotations)

    async def act(self, name: str, body: Mapping[str, Any]) -> Tree:
        """Suspend or resume, at once in this process, within a second in others."""
        hub, said = self.hub, read_said(body)
        done = await record(hub.store, hub.clock, hub.settings.config_dir, hub.registry, name, said)
        if hub.activation is not None:
            await hub.activation.suspensions()
        return dict(done)

    async def remove(self, name: str, body: Mapping[str, Any]) -> Tree:
        """Say what removing a partner would do; with ``confirm``, do it."""
        hub = self.hub
        parts = (hub.store, hub.clock, hub.settings.config_dir, hub.registry)
        done = await leave(*parts, name, body)
        if done["removed"] and hub.activation is not None:
            await hub.activation.without(name)
        return done

    async def test(self, name: str, body: Mapping[str, Any]) -> Tree:
        """Send one synthetic message, hop by hop; *body* may say how long to wait for its word."""
        wait = body.get("wait", WAIT_SECONDS)
        if body.keys() - {"wait"} or not isinstance(wait, int | float) or not 0 <= wait <= LONGEST:
            fault = Fault(Code.FORMAT, "/wait", f"seconds, at most {LONGEST:g}")
            raise InvalidContent(Code.FORMAT, "say how long to wait, or nothing", (fault,))
        return await probe(self.hub, name, float(wait), hears=self.hears)

    async def activate(self, body: Mapping[str, Any]) -> Tree:
        """Take what is in the folder; raises `Misconfigured` with every fault."""
        by = body.get("by")
        if not isinstance(by, str) or not REFERENCE.fullmatch(by) or body.keys() - {"by"}:
            fault = Fault(Code.FORMAT, "/by", "a staff reference, never a name")
            raise InvalidContent(Code.FORMAT, "say who activates", (fault,))
        if self.hub.activation is None:
            raise Missing(Code.NOT_FOUND, "this hub takes its configuration at its start only")
        try:
            return await self.hub.activation.activate(by)
        except Misconfigured as wrong:  # the operator's own: every fault is shown
            raise InvalidContent(wrong.code, wrong.detail, wrong.faults) from wrong
