"""The door in this process, with a small hub behind it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from hub.api.app import create_app
from tests.unit.api.small_hub import SmallHub, small_hub


@pytest.fixture
def hub() -> SmallHub:
    """A hub of two partners."""
    return small_hub()


@pytest.fixture
async def door(hub: SmallHub) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the door as EHM-A, from this machine."""
    transport = httpx.ASGITransport(create_app(hub), client=("127.0.0.1", 5000))
    headers = {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://hub.example", headers=headers
    ) as client:
        yield client
