"""References that the hub gives out: whose they are, and that nobody can make one."""

import base64
from dataclasses import replace

import pytest

from adapters.memory import MemoryDigester
from hub.errors import Code, Missing
from hub.services.references import issue, may_open
from tests.unit.services.world import PARTNERS, World

SCHOOL, HEALTH = (replace(PARTNERS[number], chooses=False) for number in (0, 1))


def test_a_reference_is_for_whom_it_was_given_to() -> None:
    """Two are never alike, and somebody else's proof does not hold."""
    digester = MemoryDigester()
    mine, again = issue(digester, SCHOOL), issue(digester, SCHOOL)

    assert mine != again
    assert may_open(digester, SCHOOL, mine)
    assert not may_open(digester, HEALTH, mine)
    assert not may_open(MemoryDigester(), SCHOOL, mine)


def test_nothing_else_is_one() -> None:
    """Changed, cut, in capitals, padded, or made up."""
    digester = MemoryDigester()
    mine = issue(digester, SCHOOL)
    held = bytearray(base64.b32decode(mine.upper()))
    held[0] ^= 1
    changed = base64.b32encode(bytes(held)).decode().lower()
    for wrong in (changed, mine[:-8], mine.upper(), mine + "aaaaaaaa", "e1", "", "ö" * 48):
        assert not may_open(digester, SCHOOL, wrong), wrong


def test_who_chooses_opens_under_any_name() -> None:
    """Its profile says so, and it is trusted."""
    assert may_open(MemoryDigester(), replace(SCHOOL, chooses=True), "CAF/2026/1")


async def test_the_first_decision_needs_one() -> None:
    """Taken or free, a name of one's own is refused in the same words; a given one opens."""
    world = await World().opened()
    mine = replace(world.partners["HV-A"], chooses=False)
    world.partners["HV-A"] = mine
    said = []
    for name in ("e1", "e2"):
        with pytest.raises(Missing) as refused:
            await world.decide("HV-A", world.store_only(episode_id=name))
        said.append((refused.value.code, refused.value.detail))
    given = issue(world.digester, mine)
    receipt = await world.decide("HV-A", world.store_only(episode_id=given))

    assert said[0] == said[1]
    assert said[0][0] is Code.NO_RELATIONSHIP
    assert receipt.status == 201
