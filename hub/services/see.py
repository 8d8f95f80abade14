"""The caller's consented view of an episode, now, through the gate (`GET /episodes/{ref}`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import uuid4

from hub.domain.exchange import ReleasedRecord, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import (
    Code,
    Conflict,
    Fault,
    Forbidden,
    InvalidContent,
    Rejected,
    Unavailable,
    Withheld,
)
from hub.ports import Clock, Digester, Needs, Rendered, Renderer, Session, Store
from hub.services.audit import row
from hub.services.case import coordinator
from hub.services.eligible import check_user
from hub.services.gate import Case, Request, address, narrow, related, release
from hub.services.kin import kin_of, whereabouts_hidden
from hub.services.lane import recalled
from hub.services.masking import masked
from hub.services.override import Lift, tell_of
from hub.services.own_consents import cited
from hub.services.pull import PULL, Pull, provenance
from hub.services.pull import PURPOSE as PULLING
from hub.services.registers import OWN_ALONE, UNSURE, Registers, Unsure, heard
from hub.services.released import Released
from hub.services.standing import WRITES_ALL, roles
from hub.services.strangers import UNTOLD, hidden

KEEPERS: Final = WRITES_ALL
"""Who keeps the record with the family: it is for them to hand out copies (`domain.md` 5.3)."""
PURPOSES: Final = ("ASSESS", "PLAN", "TRANSFER", "REQUEST_SERVICE")
"""What a whole view is for; what is pulled into another assessment names its sections."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One look: by whom, at what, for what; a copy for *person*, past a shield (*lift*), or an
    extract (*pull*).
    """

    partner: Partner
    service: str
    episode_id: str
    purpose: str
    person: str | None = None
    lift: Lift | None = None
    pull: Pull | None = None

    @property
    def kind(self) -> str:
        """What the audit calls it."""
        if self.pull:
            return "view.pulled"
        return "view.overridden" if self.lift else "view.copied" if self.person else "view.released"

    def noted(self) -> Mapping[str, Any]:
        """Return what the audit says of it besides: codes and references."""
        if self.pull:
            asked = {"reference": self.pull.reference, "practitioner": self.partner.acting}
            return {"sections": list(self.pull.sections), **asked}
        if self.lift:
            return {"basis": self.lift.basis}
        return {} if self.person is None else {"person": self.person}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Shows a service what it may see of an episode today."""

    store: Store
    renderer: Renderer
    digester: Digester
    clock: Clock
    registry: Registry
    registers: Registers = OWN_ALONE

    async def view(
        self,
        partner: Partner,
        service: str,
        episode_id: str,
        purpose: str,
        accept: str,
        person: str | None = None,
        lift: Lift | None = None,
    ) -> Rendered:
        """Return the view in the format of *accept*; raises `Missing`, or `Withheld` with the
        reason, or `Unavailable` (``E_REGISTER``) while consent cannot be confirmed.

        With *person* it is the copy for that member of the family: of the caller's own view, what
        they may read (`hub.services.kin`); only for who keeps the record with the family,
        `Forbidden` for others.  With *lift* it is seen past a shield, once
        (`hub.services.override`).  The audit row is committed before the first byte leaves.
        """
        if purpose not in PURPOSES:
            fault = Fault(Code.PURPOSE, "purpose", "say for what", "CL-21b", PURPOSES)
            raise InvalidContent(Code.PURPOSE, "a purpose is required", (fault,))
        format_name = self.renderer.format_for(accept)
        if format_name is None:
            raise Rejected(Code.NOT_ACCEPTABLE, "no mapping renders the accepted types")
        asked = _Asked(partner, service, episode_id, purpose, person, lift)
        return self.renderer.render(format_name, await self._seen(asked), partner=partner.name)

    async def pull(self, partner: Partner, service: str, episode_id: str, pull: Pull) -> Released:
        """Return the extract of the sections that *pull* names, with ``provenance`` beside it;
        raises as `view`.
        """
        return await self._seen(_Asked(partner, service, episode_id, PULLING, pull=pull))

    async def _seen(self, asked: "_Asked") -> Released:
        """Return what the gate lets through, once it is on record; raises as `view`."""
        partner, service, episode_id = asked.partner, asked.service, asked.episode_id
        if not partner.serves(service):
            raise hidden()
        if not partner.accredited(self.clock.now().date()):
            # Before anything is looked up: the answer is the same whether there is an episode.
            raise Withheld(Code.ORG_NOT_ACCREDITED, "your organisation is not accredited today")

        def unit(session: Session) -> Released | Withheld | Unsure:
            return self._release(session, asked)

        needs = Needs(episodes=(episode_id,), hidden=True)
        outcome = await self.store.run(unit, needs)
        if isinstance(outcome, Unsure):
            await outcome.refresh()
            outcome = await self.store.run(unit, needs)
        if isinstance(outcome, Unsure):
            raise Unavailable(Code.REGISTER, UNSURE)
        if isinstance(outcome, Withheld):
            if outcome.code in UNTOLD:
                raise hidden()
            raise outcome
        return outcome

    def _release(self, session: Session, asked: "_Asked") -> Released | Withheld | Unsure:
        now = self.clock.now()
        partner, service, episode_id = asked.partner, asked.service, asked.episode_id
        person, lift, pull = asked.person, asked.lift, asked.pull
        check_user(session, partner, partner.acting, "receive", now)
        head = session.episode(episode_id)
        involvements = session.involvements(episode_id)
        # Before anything of it is opened: who has no relationship reads what is read of no episode.
        here = head if head is not None and related(involvements, service) else None
        content = session.version(episode_id, here.version) if here and here.version else None
        if here is None or content is None:
            session.add_audit(
                row(
                    "view.refused",
                    at=now,
                    actor=partner.name,
                    code=Code.NO_RELATIONSHIP.value,
                    episode_id=head.episode_id if head is not None else None,
                    service=service,
                )
            )
            refused, theirs = Code.NO_RELATIONSHIP.value, partner.authority
            tell_of(session, partner, service, lift, refused, authority=theirs, at=now)
            return Withheld(Code.NO_RELATIONSHIP, "no relationship")
        if lift is None and recalled(session, episode_id, partner.name):
            raise Conflict(Code.STATE, "acknowledge the change of consent (N10) first")
        said = heard(self.registers, session, here)
        case = Case(
            here,
            content.tree,
            said.decisions,
            involvements,
            unsure=said.unsure,
            vouched=session.practitioner,
            earlier=lambda name: session.episodes_before(name, episode_id),
        )
        request = Request(
            partner=partner,
            service=service,
            message_type=PULL if pull else "VIEW",
            focus=pull.sections if pull else (),
            facts={},
            purpose=asked.purpose,
            at=now,
            lifted=lift is not None,
        )
        told = partial(
            tell_of, session, partner, service, lift, at=now, authority=here.home_authority
        )
        try:
            known = coordinator(self.registry, here)
            released = _view(case, request, person, known)
        except Unavailable:
            return Unsure(self.registers.of(here), episode_id)
        except Withheld as withheld:
            session.add_audit(
                row(
                    "view.refused",
                    at=now,
                    actor=partner.name,
                    code=withheld.code.value,
                    episode_id=episode_id,
                    service=service,
                )
            )
            told(withheld.code.value, episode_id=episode_id)
            return withheld
        beside = {}
        if pull:
            found = provenance(session, self.registry, case, request, released)
            beside = {"provenance": found}
        view_id = str(uuid4())
        told("SHOWN", episode_id=episode_id, view_id=view_id)
        digest = self.digester.digest_tree(released.tree)
        session.add_audit(
            row(
                asked.kind,
                at=now,
                actor=partner.name,
                episode_id=episode_id,
                service=service,
                delivery_id=view_id,
                facts={
                    "decisions": list(released.decisions),
                    "purpose": asked.purpose,
                    "consent_version": here.consent_version,
                    "version": here.version,
                    "view": digest.hex(),
                    **asked.noted(),
                },
            )
        )
        session.add_released(
            ReleasedRecord(
                delivery_id=view_id,
                episode_id=episode_id,
                service=service,
                message_type="VIEW",
                version=here.version,
                paths=(),
                digest=digest,
                released_at=now,
            )
        )
        message = {
            "message_id": view_id,
            # What content is called on the wire, however it was asked for.
            "message_type": "N7",
            "schema_version": "1",
            "episode_id": episode_id,
            "sender_org": self.registry.hub,
            "sender_system": "urn:ecaf:hub",
            "sent_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "recipients": [service],
            "purpose": asked.purpose,
            "consent_decision_id": cited(case.decisions, (service,), released.decisions),
        }
        return address(released, message, **beside)


def _view(case: Case, request: Request, person: str | None, known: Tree | None) -> Released:
    """Return the caller's view, or what *person* of the family may read of it."""
    if person is None:
        return release(case, request, coordinator=known)
    held = roles(request.partner, case.head, case.tree, case.involvements)
    released = release(case, request, coordinator=known)
    if not held & KEEPERS:
        raise Forbidden(Code.FORBIDDEN, "copies for the family come from who keeps the record")
    kin = kin_of(case.tree, case.decisions, person)
    known_as = whereabouts_hidden(case.tree) if kin.hides_places else case.tree
    permits = kin.permits(released.tree["episode"], masked(case.tree))
    return narrow(released, permits, known_as)
