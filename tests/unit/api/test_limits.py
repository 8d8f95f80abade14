"""Bounds: how many requests, how many bytes at once."""

import asyncio
from typing import ClassVar

import httpx
import pytest

from hub.api.app import create_app
from hub.api.limits import Held, Limits, Load
from hub.domain.partner import Partner
from hub.errors import Code, Rejected, Unavailable
from hub.services.receipt import Receipt
from tests.unit.api.small_hub import CAF, SmallHub, small_hub

SEND = {"content-type": CAF, "idempotency-key": "k-1"}


class SlowHub(SmallHub):
    """A hub that answers when it is told to."""

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        await self.store.wait()
        return await super().receive(partner, content_type, raw, key)


@pytest.mark.parametrize(
    ("limits", "size"),
    [(Limits(in_flight=2), 2), (Limits(in_flight_bytes=2_000), 900)],
)
async def test_too_much_at_once_is_503(limits: Limits, size: int) -> None:
    """Beyond the bound a request is refused with Retry-After; afterwards everything is free
    again.
    """
    plain = small_hub()
    gate = asyncio.Event()
    hub = SlowHub(plain.registry, plain.settings, plain.keys, store=gate)
    transport = httpx.ASGITransport(create_app(hub, limits=limits), client=("127.0.0.1", 1))
    headers = SEND | {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as door:
        first = [
            asyncio.create_task(door.post("/messages", content=b"x" * size, headers=headers))
            for _ in range(2)
        ]
        await asyncio.sleep(0.05)

        third = await door.post("/messages", content=b"x" * size, headers=headers)
        gate.set()
        answered = [(await task).status_code for task in first]
        later = await door.post("/messages", content=b"x" * size, headers=headers)

    assert (third.status_code, third.json()["code"]) == (503, "E_BUSY")
    assert third.headers["retry-after"] == "1"
    assert answered == [202, 202]
    assert later.status_code == 202


def test_held_bytes_are_given_back() -> None:
    """A request that ends gives back what it held, also after a refusal."""
    load = Load(Limits(in_flight_bytes=10))
    held = Held(load)
    held.take(8)

    with pytest.raises(Unavailable):
        held.take(3)
    held.release()

    assert (load.bytes, held.bytes) == (0, 0)


class Steps(Limits):
    """Limits that note for what an answer waited, and wait for nothing."""

    waited: ClassVar[list[float]] = []

    async def until_the_step(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.mark.parametrize(
    ("code", "waits"),
    [(Code.NO_RELATIONSHIP, 1), (Code.NOT_FOUND, 1), (Code.CONSENT_NONE, 0), (Code.SYNTAX, 0)],
)
async def test_what_may_not_be_known_of_is_refused_at_a_step(code: Code, waits: int) -> None:
    """Only refusals that must not tell whether there is such a thing wait: the others say so."""
    hub = small_hub()
    hub.fail = Rejected(code, "bad")
    steps = Steps()
    steps.waited.clear()
    transport = httpx.ASGITransport(create_app(hub, limits=steps), client=("127.0.0.1", 1))
    headers = SEND | {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as door:
        await door.post("/messages", content=b"{}", headers=headers)

    assert len(steps.waited) == waits


@pytest.mark.parametrize(
    ("took", "left"), [(0.0, 0.0), (0.03, 0.07), (0.0999, 0.0001), (0.25, 0.05)]
)
async def test_a_step_ends_after_whole_steps(
    monkeypatch: pytest.MonkeyPatch, took: float, left: float
) -> None:
    """What took a little longer leaves at the same time, unless it took a step longer."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("hub.api.limits.asyncio.sleep", sleep)

    await Limits(refusal_seconds=0.1).until_the_step(took)

    assert slept == pytest.approx([left])
