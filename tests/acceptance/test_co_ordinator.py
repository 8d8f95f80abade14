"""What the authority's co-ordinator is not to know of is absent to it, down to the statements.

The same watch as for strangers (`test_existence`), by a partner that is co-ordinator of the
episodes' own authority: it knows of plain ones, and of those that the index may not tell nothing.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.real_hub import CAF, real_hub
from tests.acceptance.test_existence import STRANGER, Watched, at_rest, made, reference, watch

DESK = f"""coordinators:
  "001": {{name: CAF co-ordinator, organisation: {STRANGER}, service: {STRANGER}/SCH}}
"""

ROW = {"at", "what", "by", "service", "message_type"}


def desk(folder: Path) -> None:
    """Make the partner that is watched the co-ordinator of the authority."""
    with (folder / "hub.yaml").open("a", encoding="utf-8") as file:
        file.write(DESK)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """One hub with a plain episode and a shielded one, at rest."""
    async with real_hub(tmp_path, change=desk) as real:
        for number, kind in enumerate(("plain", "whereabouts", "full")):
            await made(real, kind, number)
        await at_rest(real)
        yield Watched(real, await watch(real), "")


async def both(watched: Watched, kind: str) -> list[tuple[Any, ...]]:
    """Return what the co-ordinator sees of asking after consent, of closing, and of the audit."""
    ref = reference(kind)
    closing = {
        "event": "episode.closed",
        "episode": {"episode_id": ref, "closure": {"closure_reason": "DUPLICATE"}},
    }
    return [
        await watched.ask("GET", f"/episodes/{ref}/consents"),
        await watched.ask("GET", f"/episodes/{ref}/audit"),
        await watched.ask(
            "POST", "/messages", closing, key=f"close-{kind}", **{"content-type": CAF}
        ),
    ]


@pytest.mark.parametrize("cold", [False, True])
async def test_a_full_shield_hides_an_episode_from_the_authoritys_co_ordinator(
    watched: Watched, cold: bool
) -> None:
    """Status, headers, body and statements are those of no episode; a plain one is known."""
    watched = replace(watched, cold=cold)
    await both(watched, "warm-up")
    absent = await both(watched, "absent")

    assert [status for status, *_ in absent] == [404, 404, 403]
    assert await both(watched, "full") == absent
    for kind in ("plain", "whereabouts"):
        asked, looked, closed = await both(watched, kind)
        assert (asked[0], looked[0], closed[0]) == (200, 200, 202)
        assert all(row.keys() <= ROW for row in json.loads(looked[2])["rows"])
        (told,) = json.loads(asked[2])["decisions"]
        assert told.keys() == {"state", "signed_on", "expires_on"}
