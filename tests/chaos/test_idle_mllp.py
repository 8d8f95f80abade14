"""A crowd at the MLLP door that says nothing keeps nobody waiting who does.

`reliability.md` P13 and 5.11: what does nothing costs nobody anything.
"""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.mllp.door import opened, visit

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
FILES = 8_192
SHARE = 50


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """Both ends of every connection are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, FILES if hard == resource.RLIM_INFINITY else min(FILES, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("number", [1_000, 3_000])
async def test_a_crowd_of_idle_sockets_starves_nobody(number: int, tmp_path: Path) -> None:
    """A thousand, and three times what the door keeps: an honest sender is answered at once.

    From as many places as it takes, for each has its share (`per_address`).
    """
    async with opened(tmp_path) as door:
        crowd = [
            await asyncio.open_connection(
                "127.0.0.1", door.port, local_addr=(f"127.0.1.{1 + place // SHARE}", 0)
            )
            for place in range(number)
        ]
        for control_id in ("1", "2", "3"):
            assert (await door.say(visit(control_id))).code == "AA"
        for _, writer in crowd:
            writer.transport.abort()
