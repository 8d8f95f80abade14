"""Whose word on consent counts for an episode: our own register, or an authority's own server.

The gate reads decisions through a register and never around it.  A register that cannot vouch for
what it holds raises, and then nothing is shared (`reliability.md` P22).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from hub.domain.exchange import Decision, EpisodeHead
from hub.errors import Code, Unavailable
from hub.ports import Session

UNSURE: Final = "consent cannot be confirmed now, so nothing is shared; it will be tried again"


class ConsentRegister(Protocol):
    """Where the decisions about an episode are kept: in the hub, or on somebody else's server."""

    def decisions(self, session: Session, head: EpisodeHead) -> Sequence[Decision]:
        """Return every decision that counts now, oldest first, under the lock on *head*.

        Raises `Unavailable` (``E_REGISTER``) where nobody can be sure of them: nothing is shared.
        """
        ...

    async def refresh(self, episode_id: str) -> None:
        """Learn what was decided since, holding no lock; what goes wrong shows in `decisions`."""
        ...


@dataclass(frozen=True, slots=True)
class OwnRegister:
    """The decisions in the store: what the doors recorded, append-only, always fresh."""

    def decisions(self, session: Session, head: EpisodeHead) -> Sequence[Decision]:
        """Return every decision; raises `Unavailable` if the head counts more than there are.

        The head and the decisions are written in one transaction: if they disagree, a decision was
        lost, and it may have been the family's no.
        """
        found = session.decisions(head.episode_id)
        if [one.sequence for one in found] != list(range(1, len(found) + 1)):
            raise Unavailable(Code.REGISTER, UNSURE)
        if len(found) < head.consent_version:
            raise Unavailable(Code.REGISTER, UNSURE)
        return found

    async def refresh(self, episode_id: str) -> None:
        """Do nothing: what is in the store is all that there is."""
        del episode_id


OWN: Final = OwnRegister()


@dataclass(frozen=True, slots=True)
class Registers:
    """Every register of a site: *by_authority* for the episodes of one, else *site*."""

    site: ConsentRegister = OWN
    by_authority: Mapping[str, ConsentRegister] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def of(self, head: EpisodeHead) -> ConsentRegister:
        """Return the register that decides about *head*, by its home authority."""
        return self.at(head.home_authority)

    def at(self, authority: str | None) -> ConsentRegister:
        """Return the register of an authority."""
        return self.by_authority.get(authority or "", self.site)


OWN_ALONE: Final = Registers()


@dataclass(frozen=True, slots=True)
class Heard:
    """What a register says of an episode now: its decisions, or *unsure* and none."""

    decisions: Sequence[Decision]
    unsure: str | None = None


def heard(registers: Registers, session: Session, head: EpisodeHead) -> Heard:
    """Return what the episode's register says; doubt is a value, for the gate to answer in turn."""
    try:
        return Heard(registers.of(head).decisions(session, head))
    except Unavailable as fault:
        if fault.code is not Code.REGISTER:
            raise
        return Heard((), fault.detail)


@dataclass(frozen=True, slots=True)
class Unsure:
    """A case that waits for its register: ask it, then try once more."""

    register: ConsentRegister
    episode_id: str

    async def refresh(self) -> None:
        """Ask the register."""
        await self.register.refresh(self.episode_id)
