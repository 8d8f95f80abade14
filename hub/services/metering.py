"""What the services tell whoever counts: events, each with words of fixed sets and nothing else."""

from typing import Protocol


class Meter(Protocol):
    """Counts; never fails, never waits."""

    def accepted(self, partner: str) -> None:
        """A message of *partner* was taken."""
        ...

    def repeated(self, partner: str) -> None:
        """A message of *partner* came again and got the answer that it had got before."""
        ...

    def withheld(self, code: str) -> None:
        """The gate, or what it found, ended a delivery unsent, by this code."""
        ...


class Unmeasured:
    """Counts nothing."""

    def accepted(self, partner: str) -> None:
        """Count nothing."""

    def repeated(self, partner: str) -> None:
        """Count nothing."""

    def withheld(self, code: str) -> None:
        """Count nothing."""


UNMEASURED = Unmeasured()
