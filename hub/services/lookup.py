"""What a partner may look up: its own messages, the decisions about its services, the directory."""

from dataclasses import dataclass

from hub.domain.exchange import Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Forbidden, Missing
from hub.ports import Clock, Needs, Session, Store
from hub.services.access_report import access_report, in_words
from hub.services.audit import row
from hub.services.brokering import LOOKS, OVERSEEING, brokering, states
from hub.services.consents import RECORDERS, standing
from hub.services.eligible import check_covered, check_user
from hub.services.gate import people
from hub.services.kin import kin_of
from hub.services.oversight import overseen
from hub.services.own_consents import own_decisions
from hub.services.see import KEEPERS
from hub.services.standing import roles
from hub.services.strangers import hidden


@dataclass(frozen=True, slots=True)
class Lookup:
    """Answers about what is already recorded, within the caller's own standing."""

    store: Store
    registry: Registry
    clock: Clock

    async def message(self, partner: Partner, message_id: str) -> Tree:
        """Return the receipt of a message that *partner* sent; somebody else's does not exist."""

        def unit(session: Session) -> Tree:
            entry = session.message(message_id)
            if entry is None or entry.partner != partner.name:
                raise Missing(Code.NOT_FOUND, "there is no such message of yours")
            return {
                "message_id": entry.message_id,
                "received_at": entry.received_at.isoformat().replace("+00:00", "Z"),
                "status": entry.status,
                "answer": dict(entry.answer),
            }

        return await self.store.run(unit, Needs())

    async def consents(self, partner: Partner, episode_id: str) -> Tree:
        """Return decision records: all to who may record them, the scope of one's own services to
        others at work there, and to the authority's co-ordinator no more than how consent stands.
        """

        def unit(session: Session) -> Tree | None:
            now = self.clock.now()
            check_user(session, partner, partner.acting, "receive", now)
            found = standing(session, episode_id, partner, LOOKS, self.registry)
            held = roles(partner, found.head, found.tree, found.involvements)
            held = held or brokering(partner, found.head, LOOKS, self.registry)
            if found.head is None or not held:
                return None
            check_covered(session, partner, found.head, found.head.home_authority, now)
            session.add_audit(
                row("consents.read", at=now, actor=partner.name, episode_id=episode_id)
            )
            if held == OVERSEEING:
                return {"decisions": states(found.decisions, people(found.tree)[0])}
            if held & RECORDERS:
                return {"decisions": [dict(decision.record) for decision in found.decisions]}
            mine = frozenset(service.ref for service in partner.services)
            return {"decisions": own_decisions(found.decisions, mine)}

        answer = await self.store.run(unit, Needs(episodes=(episode_id,), hidden=True))
        if answer is None:
            raise hidden()
        return answer

    async def audit(self, partner: Partner, episode_id: str, after: int, limit: int) -> Tree:
        """Return who did what to an episode, as far as *partner* may know
        (`hub.services.oversight`); *next* is where the next page begins, if there is one.
        """

        def unit(session: Session) -> Tree | None:
            now = self.clock.now()
            check_user(session, partner, partner.acting, "receive", now)
            found = standing(session, episode_id, partner, LOOKS, self.registry)
            held = roles(partner, found.head, found.tree, found.involvements)
            held = held or brokering(partner, found.head, LOOKS, self.registry)
            if found.head is None or not held:
                return None
            check_covered(session, partner, found.head, found.head.home_authority, now)
            told = overseen(session.audit(episode_id), partner, held, self.registry)
            session.add_audit(row("audit.read", at=now, actor=partner.name, episode_id=episode_id))
            page: dict[str, object] = {"rows": told[after : after + limit]}
            return {**page, "next": after + limit} if len(told) > after + limit else page

        answer = await self.store.run(unit, Needs(episodes=(episode_id,), hidden=True))
        if answer is None:
            raise hidden()
        return answer

    async def access_report(self, partner: Partner, episode_id: str, person: str) -> Tree:
        """Return who received what, as *person* of the family may know it; only for who keeps the
        record with the family.
        """

        def unit(session: Session) -> Tree | None:
            now = self.clock.now()
            check_user(session, partner, partner.acting, "receive", now)
            found = standing(session, episode_id, partner)
            held = roles(partner, found.head, found.tree, found.involvements)
            if found.head is None or not held:
                return None
            check_covered(session, partner, found.head, found.head.home_authority, now)
            if not held & KEEPERS:
                raise Forbidden(Code.FORBIDDEN, "reports for the family come from who keeps it")
            kin = kin_of(found.tree, found.decisions, person)
            lines = access_report(session, self.registry, episode_id, kin)
            session.add_audit(
                row(
                    "report.read",
                    at=now,
                    actor=partner.name,
                    episode_id=episode_id,
                    facts={"person": person, "lines": len(lines)},
                )
            )
            return {
                "episode_id": episode_id,
                "made_at": now.isoformat().replace("+00:00", "Z"),
                "disclosures": in_words(lines, found.decisions),
            }

        answer = await self.store.run(unit, Needs(episodes=(episode_id,), hidden=True))
        if answer is None:
            raise hidden()
        return answer

    def directory(self) -> Tree:
        """Return accredited services: codes, channels, stage, and the authorities that a protocol
        covers today (``*``: every); no personal data.
        """
        today = self.clock.now().date()
        return {
            "hub": self.registry.hub,
            "support_contact": self.registry.support_contact,
            "services": [
                {
                    "service": service.ref,
                    "name": service.name,
                    "organisation": partner.organisation_name,
                    "organisation_type": partner.organisation_type,
                    "authority": partner.authority,
                    "stage": partner.stage.value,
                    "authorities": sorted(
                        protocol.authority or "*"
                        for protocol in partner.protocols
                        if today <= protocol.expires_on
                    ),
                    "channel": partner.delivering.channel,
                    "format": partner.delivering.content,
                }
                for partner in self.registry.partners.values()
                if partner.accredited(today)
                for service in partner.services
                if not (partner.pilot and partner.pilot.services - {service.ref})
                or service.ref in partner.pilot.services
            ],
        }
