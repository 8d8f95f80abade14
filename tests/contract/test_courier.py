"""Answers that are carried later: where they go, how often, and that nobody is followed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from adapters.destinations.courier import MOST, Courier
from tests.unit.services.world import partner

SCHOOL = partner("SCH-A", "SCH")
BODY = b'{"resourceType":"Bundle"}'


class Far:
    """An address that answers as it is told, and keeps what it got."""

    def __init__(self, says: Sequence[bytes]) -> None:
        self.says = list(says)
        self.got: list[bytes] = []
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.got.append(head + await reader.readexactly(len(BODY)))
        writer.write(self.says.pop(0) if self.says else b"")
        await writer.drain()
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/answers"


@asynccontextmanager
async def far(*says: bytes) -> AsyncIterator[Far]:
    one = Far(says)
    server = await asyncio.start_server(one, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one


async def settled(courier: Courier) -> None:
    """Wait until nothing is under way."""
    await asyncio.wait(set(courier._under_way), timeout=20)
    await asyncio.sleep(0)
    assert not courier._under_way


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"


async def test_an_answer_is_carried_once() -> None:
    """A POST with the acknowledgement, and the matter is over."""
    async with far(OK, OK) as there:
        courier = Courier(waits=(0, 0, 0))
        courier.carry(SCHOOL, there.url, BODY)
        await settled(courier)

        assert len(there.got) == 1
        assert there.got[0].startswith(b"POST /answers HTTP/1.1")
        assert there.got[0].endswith(BODY)


@pytest.mark.parametrize(
    ("says", "times"),
    [
        ([BUSY, OK], 2),
        ([b"", OK], 2),
        ([b"no HTTP at all\r\n\r\n", OK], 2),
        ([BUSY] * 5, 3),
        ([b"HTTP/1.1 302 Found\r\nlocation: /else\r\ncontent-length: 0\r\n\r\n", OK], 2),
    ],
)
async def test_what_was_not_taken_is_carried_again(says: list[bytes], times: int) -> None:
    """Up to three times; a redirect is no answer, and is not followed."""
    async with far(*says) as there:
        courier = Courier(waits=(0, 0, 0))
        courier.carry(SCHOOL, there.url, BODY)
        await settled(courier)

        assert len(there.got) == times
        assert all(got.startswith(b"POST /answers ") for got in there.got)


async def test_a_silent_address_holds_nobody_up() -> None:
    """Carrying never blocks; too many are let go, and closing does not wait for any."""
    async with far() as there:
        there.says = [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"] * 3
        courier = Courier(waits=(60,))
        for _ in range(MOST + 10):
            courier.carry(SCHOOL, there.url, BODY)

        assert len(courier._under_way) == MOST
        async with asyncio.timeout(30):
            await courier.close()
        assert there.got == []
