"""Alerts: what the hub, which has no screen, wants somebody to look at, and who may see which.

Written where it is noticed, in the same transaction (``session.add_alert(alert(...))``); read by
the operator on the socket (``ecaf alerts list``) and by each partner for its own services and
organisation (``GET /alerts``).  Never personal data: codes, counts, dates and ids only
(`reliability.md` P29).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from hub.domain.exchange import Alert, Tree
from hub.domain.partner import Partner
from hub.errors import Code, Missing
from hub.ports import Clock, Session, Store
from hub.services.audit import row

_NAMESPACE: Final = UUID("6f1d6e0e-52c1-5d8e-9b0a-6ecaf0a1e275")
PAGE: Final = 200


def alert(
    kind: str,
    audience: str,
    *about: object,
    at: datetime,
    episode_id: str | None = None,
    service: str | None = None,
    delivery_id: str | None = None,
    due_at: datetime | None = None,
    facts: Tree | None = None,
) -> Alert:
    """Return the alert about *about* (ids, days): the same words again are the same alert.

    >>> now = datetime(2026, 9, 1)
    >>> first = alert("lead.vacant", "operator", "e1", at=now)
    >>> first.alert_id == alert("lead.vacant", "operator", "e1", at=datetime(2026, 9, 2)).alert_id
    True
    """
    words = "\0".join(map(str, (kind, audience, episode_id, *about)))
    return Alert(
        alert_id=str(uuid5(_NAMESPACE, words)),
        at=at,
        kind=kind,
        audience=audience,
        episode_id=episode_id,
        service=service,
        delivery_id=delivery_id,
        facts=facts or {},
        due_at=due_at,
    )


def audiences_of(partner: Partner) -> frozenset[str]:
    """Return the audiences that a partner's systems speak for.

    Its services' leads and its organisation's administrator; the owner of the protocol and the data
    protection lead are reached by the operator, for no system is theirs.
    """
    leads = {f"lead:{service.ref}" for service in partner.services}
    return frozenset(leads | {f"administrator:{partner.organisation}"})


@dataclass(frozen=True, slots=True)
class Alerts:
    """Lists alerts and takes note that somebody has seen them."""

    store: Store
    clock: Clock

    async def list(
        self,
        *,
        partner: Partner | None,
        audience: str | None = None,
        everything: bool = False,
        after: int = 0,
        limit: int = PAGE,
    ) -> Tree:
        """Return alerts, oldest first; *partner* sees its own, ``None`` is the operator.

        *everything*: those too that somebody has acknowledged.  *next* is where the next page
        begins, if there is one.
        """
        mine = None if partner is None else audiences_of(partner)
        if audience is not None:
            mine = frozenset({audience}) if mine is None else mine & {audience}
        found = await self.store.alerts(
            after, limit + 1, audiences=mine, unacknowledged=not everything
        )
        page = found[:limit]
        body: dict[str, Any] = {"alerts": [_shown(one) for _, one in page]}
        if len(found) > limit:
            body["next"] = page[-1][0]
        return body

    async def acknowledge(self, alert_id: str, *, partner: Partner | None) -> Tree:
        """Note that somebody has seen it; raises `Missing` for another's as for none at all."""
        now = self.clock.now()

        def unit(session: Session) -> Alert:
            found = session.alert(alert_id)
            if found is None or (
                partner is not None and found.audience not in audiences_of(partner)
            ):
                raise Missing(Code.NOT_FOUND, "no such alert")
            if found.acknowledged_at is None:
                session.add_audit(
                    row(
                        "alert.acknowledged",
                        at=now,
                        actor=partner.name if partner else "operator",
                        episode_id=found.episode_id,
                        service=found.service,
                        delivery_id=found.delivery_id,
                        facts={"alert": alert_id, "kind": found.kind},
                    )
                )
                session.acknowledge_alert(alert_id, now)
            return session.alert(alert_id) or found

        return _shown(await self.store.run(unit))


def _shown(one: Alert) -> dict[str, Any]:
    told: dict[str, Any] = {
        "alert_id": one.alert_id,
        "at": _day(one.at),
        "kind": one.kind,
        "audience": one.audience,
        "episode_id": one.episode_id,
        "service": one.service,
        "delivery_id": one.delivery_id,
        "due_at": _day(one.due_at),
        "acknowledged_at": _day(one.acknowledged_at),
        "facts": dict(one.facts),
    }
    return {name: value for name, value in told.items() if value not in (None, {})}


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
