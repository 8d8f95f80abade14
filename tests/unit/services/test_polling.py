"""Polling a register: every open episode of an external one, and the next round after a fault."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from hub.errors import Code, Unavailable
from hub.services.copying import CopiedRegister
from hub.services.polling import Poller, every
from hub.services.registers import OWN, Registers
from tests.contract.registered import Registered


class Asked(CopiedRegister):
    """A register that only notes which episodes it was asked about."""

    __slots__ = ()

    async def refresh(self, episode_id: str, *, early: bool = False) -> None:
        asked.append((episode_id, early))
        if len(asked) == 3:
            often.set()
        if failing:
            raise Unavailable(Code.UNAVAILABLE, "down")


asked: list[tuple[str, bool]] = []
failing: list[bool] = []
often = asyncio.Event()


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Forget what other tests asked."""
    asked.clear()
    failing.clear()
    often.clear()


async def opened(registers: Registers) -> Poller:
    """Return a poller over a store with one open episode of authority 001."""
    world = await Registered().opened()
    return Poller(world.store, registers, 0.01)


def external() -> Any:
    """Return a register of somebody else's that is never really asked."""
    parts: Sequence[Any] = [SimpleNamespace()] * 7
    return Asked("county", *parts)


async def test_a_round_asks_about_every_open_episode_before_its_lease_ends() -> None:
    """Early, so that the copy never runs out between two rounds."""
    poller = await opened(Registers(by_authority={"001": external()}))

    assert await poller.round() == 1
    assert asked == [("e1", True)]


async def test_what_is_decided_here_is_not_asked_elsewhere() -> None:
    """Another authority's register, or our own: nobody is asked."""
    for registers in (Registers(), Registers(OWN, {"002": external()})):
        poller = await opened(registers)
        assert await poller.round() == 0
    assert asked == []


async def test_a_round_that_fails_is_followed_by_the_next() -> None:
    """A server that is down ends nothing: the poller goes on until it is cancelled."""
    poller = await opened(Registers(by_authority={"001": external()}))
    failing.append(True)
    running = asyncio.create_task(poller.forever())
    await asyncio.wait_for(often.wait(), 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_rounds_come_twice_in_the_shortest_lease() -> None:
    """And never in a busy loop."""
    assert every([30.0, 10.0]) == 5.0
    assert every([0.1]) == 0.2
