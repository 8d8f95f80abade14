"""Whether one more delivery to a partner may be started here and now."""

from typing import Final, Protocol


class Room(Protocol):
    """Keeps one partner's deliveries from taking the place of all others'."""

    def enter(self, partner: str, delivery_id: str, *, urgent: bool) -> bool:
        """Return whether this delivery may be started; it is then counted until it ends.  For what
        is *urgent* (a withdrawal, a recall) there is always room.

        Asked inside a unit of work, in its thread, and more than once if that is run again.
        """
        ...


class Boundless:
    """There is always room."""

    def enter(self, partner: str, delivery_id: str, *, urgent: bool) -> bool:  # noqa: ARG002
        """Return ``True``."""
        return True


BOUNDLESS: Final = Boundless()
