"""A search: which deliveries an operator looks for, by ids, codes and times; never by content."""

from dataclasses import dataclass
from datetime import datetime

from hub.domain.exchange import Delivery, Priority, State


@dataclass(frozen=True, slots=True)
class Search:
    """Everything that is named must hold; what is None does not matter.

    *since* and *until* bound when the delivery was made: from the first, before the second.
    *urgent* are those that overtake content.
    """

    episode_id: str | None = None
    partner: str | None = None
    service: str | None = None
    message_type: str | None = None
    state: State | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    urgent: bool | None = None

    def finds(self, delivery: Delivery) -> bool:
        """Return whether *delivery* is one of those that are looked for."""
        named = (
            (self.episode_id, delivery.episode_id),
            (self.partner, delivery.partner),
            (self.service, delivery.service),
            (self.message_type, delivery.message_type),
            (self.state, delivery.state),
            (self.reason, delivery.reason),
        )
        if any(wanted not in {None, found} for wanted, found in named):
            return False
        if self.urgent is not None and self.urgent is not (delivery.priority < Priority.CONTENT):
            return False
        made = delivery.created_at
        return (self.since is None or self.since <= made) and (
            self.until is None or made < self.until
        )
