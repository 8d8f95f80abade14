"""Who holds what of an episode: what a recall must reach, and to whom a newer version is owed."""

from collections.abc import Iterable
from typing import Final

from hub.domain.exchange import Delivery, State
from hub.ports import Session
from hub.services.deadlines import NOT_COLLECTED
from hub.services.share import INDEX_SERVICE

CONTENT: Final = frozenset({"N6", "N7", "N9", "N16"})
FAMILY: Final = CONTENT | {"N2", "N5", "N11", "NOTICE"}
"""The types that carry data of the family."""
TOLD: Final = FAMILY | {"N1", "N3", "N4", "N8"}
"""Everything that must be disregarded if the episode turns out to be void (T32)."""
OWED: Final = frozenset({State.PENDING, State.QUARANTINED, State.HANDED_OVER})
"""States in which a delivery is owed, whether or not its recipient may have it by now."""


def may_hold(delivery: Delivery) -> bool:
    """Return whether the recipient has this, or may have it though it never said so.

    What only waits to be fetched has not arrived; what failed without an answer may have, and so
    may what lay in a queue of the recipient's own until it ran out.
    """
    evidence = delivery.evidence or {}
    if evidence.get("unknown") or evidence.get("fetched"):
        return True
    if delivery.state in {State.HANDED_OVER, State.EXPIRED}:
        return bool(evidence.get("carried"))
    return delivery.state in {State.SENDING, State.DELIVERED}


def holders(
    session: Session, episode_id: str, services: Iterable[str], types: frozenset[str] = FAMILY
) -> dict[str, list[Delivery]]:
    """Return, for each of *services* that holds anything of *types*, by what deliveries.

    A service that only ever asked for a view holds it by none.
    """
    wanted = set(services)
    found: dict[str, list[Delivery]] = {}
    for delivery in session.deliveries(episode_id):
        if delivery.service in wanted and delivery.message_type in types and may_hold(delivery):
            found.setdefault(delivery.service, []).append(delivery)
    for service in wanted - found.keys():
        if any(r.message_type == "VIEW" for r in session.last_released(episode_id, service)):
            found[service] = []
    return found


def owed(session: Session, episode_id: str, services: Iterable[str]) -> frozenset[str]:
    """Return which of *services* were given content or are still to get it: what has not left yet
    shows its own version, and the newer one must follow it.

    What is open and what each was given last nearly always say so; only of whom they do not is
    everything asked that there ever was, which grows with the episode.
    """
    wanted = frozenset(services)
    found = _owed(session.unsettled(episode_id), wanted)
    for service in wanted - found:
        newest = (
            session.delivery(given.delivery_id)
            for given in session.last_released(episode_id, service)
        )
        found |= _owed(filter(None, newest), wanted)
    return found if found == wanted else _owed(session.deliveries(episode_id), wanted)


def _owed(deliveries: Iterable[Delivery], services: frozenset[str]) -> frozenset[str]:
    return frozenset(
        one.service
        for one in deliveries
        if one.service in services
        and one.message_type in CONTENT
        and (
            one.state in OWED
            or one.reason == NOT_COLLECTED  # who comes back gets the newest
            or may_hold(one)
        )
    )


def told(session: Session, episode_id: str) -> tuple[str, ...]:
    """Return every service that was told anything of the episode; the index is none."""
    services = {delivery.service for delivery in session.deliveries(episode_id)} - {INDEX_SERVICE}
    return tuple(sorted(holders(session, episode_id, services, TOLD)))
