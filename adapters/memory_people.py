"""Practitioners and pilots in dictionaries: the part of `adapters.memory` for people."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.memory_alerts import MemoryAlerts
from hub.domain.exchange import Alert, Involvement
from hub.domain.practitioner import Assertion


class MemoryPeople(MemoryAlerts):
    """How a session knows what is vouched for, and how many episodes a partner is in."""

    def __init__(
        self,
        alerts: dict[str, Alert],
        practitioners: dict[tuple[str, str], Assertion],
        involvements: Mapping[str, Involvement],
    ) -> None:
        """Read these, and change the first two at once."""
        super().__init__(alerts)
        self._practitioners, self._involved = practitioners, involvements

    def episodes_before(self, partner: str, episode_id: str) -> int:
        """Return in how many other episodes *partner* took part before this one."""
        first: dict[str, datetime] = {}
        for held in self._involved.values():
            if held.partner == partner:
                first[held.episode_id] = min(first.get(held.episode_id, held.since), held.since)
        here = first.pop(episode_id, None)
        return sum(1 for e, at in first.items() if here is None or (at, e) < (here, episode_id))

    def practitioner(self, organisation: str, ref: str) -> Assertion | None:
        """Return what an organisation vouches for of the practitioner that it calls *ref*."""
        return self._practitioners.get((organisation, ref))

    def put_practitioner(self, assertion: Assertion) -> None:
        """Insert or replace what an organisation vouches for."""
        self._set(self._practitioners, (assertion.organisation, assertion.ref), assertion)

    def practitioners(self, after: tuple[str, str], limit: int) -> Sequence[Assertion]:
        """Return what organisations vouch for, by (organisation, ref), beyond *after*."""
        found = sorted(self._practitioners.items())
        return tuple(one for name, one in found if name > after)[:limit]
