"""Vouching: what an organisation says of its own practitioners (`PUT /practitioners/{ref}`).

Source: `domain.md` 5.1.  What was put counts from its commit: at the door, at the gate, for what
already waits.  Nobody but the organisation itself is ever told any of it.
"""

from dataclasses import dataclass

from hub.domain.exchange import Tree
from hub.domain.partner import Partner
from hub.domain.practitioner import FACTS, Assertion, faults_of
from hub.errors import Code, Fault, Forbidden, InvalidContent, Missing
from hub.ports import Clock, Session, Store
from hub.services.audit import row
from hub.services.people_duties import warnings
from hub.services.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Vouching:
    """Keeps what organisations vouch for."""

    store: Store
    clock: Clock

    async def put(self, partner: Partner, ref: str, body: Tree) -> Receipt:
        """Replace what is vouched for of one practitioner; raises `InvalidContent` with every
        fault, and `Forbidden` where the profile says that the organisation vouches for nobody.
        """
        if not partner.vouches:
            remedy = "let the profile say practitioners: vouched"
            fault = Fault(Code.FORBIDDEN, "practitioners", remedy)
            raise Forbidden(Code.FORBIDDEN, "this organisation vouches for nobody", [fault])
        if ref == partner.administrator:
            fault = Fault(Code.RULE, "ref", "an administrator has an account of its own")
            raise InvalidContent(Code.RULE, "the administrator is no practitioner", [fault])
        faults = faults_of(body)
        if faults:
            raise InvalidContent(faults[0].code, "the assertions are incomplete", tuple(faults))
        now = self.clock.now()
        said = Assertion(partner.organisation, ref, dict(body), partner.name, now)

        def unit(session: Session) -> Tree:
            session.put_practitioner(said)
            for warning in warnings(said, now):
                session.add_alert(warning)
            session.add_audit(
                row(
                    "practitioner.vouched",
                    at=now,
                    actor=partner.name,
                    facts={"practitioner": ref, "expires_on": said.expires_on.isoformat()},
                )
            )
            return _shown(said, self.clock)

        return Receipt(200, await self.store.run(unit))

    async def shown(self, partner: Partner, ref: str) -> Tree:
        """Return what the organisation put, and what it allows today; another's does not exist."""

        def unit(session: Session) -> Tree:
            said = session.practitioner(partner.organisation, ref)
            if said is None:
                raise Missing(Code.NOT_FOUND, "your organisation vouches for nobody of that name")
            session.add_audit(row("practitioner.read", at=self.clock.now(), actor=partner.name))
            return _shown(said, self.clock)

        return await self.store.run(unit)


def _shown(said: Assertion, clock: Clock) -> Tree:
    today = clock.now().date()
    return {
        "practitioner": said.ref,
        "organisation": said.organisation,
        **{name: dict(said.record[name]) for name in FACTS},
        "may_author": said.record["may_author"],
        "may_receive": said.record["may_receive"],
        **({"stopped_on": said.record["stopped_on"]} if "stopped_on" in said.record else {}),
        "vouched_at": said.vouched_at.isoformat().replace("+00:00", "Z"),
        "eligible": {doing: said.eligible(today, doing) for doing in ("author", "receive")},
    }
