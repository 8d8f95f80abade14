"""The table of wrong inputs, through the door of a real hub."""

import json
from pathlib import Path

import pytest

from tests import builders
from tests.acceptance.real_hub import CAF, RealHub, real_hub
from tests.acceptance.wrong_inputs import CANARY, WRONG_INPUTS, Wrong
from tests.acceptance.wrong_pulls import wrong_pulls
from tests.frugal import frugal

pytestmark = pytest.mark.acceptance
AT_THE_DOOR = {
    "no bytes": ("E_REQUIRED", "body"),
    "larger than five mebibytes": ("E_TOO_LARGE", "body"),
}
"""What the door itself refuses before any reader sees it."""


async def _prepared(one: RealHub, wrong: Wrong, number: int) -> bytes:
    """Return the bytes to send; what only a whole episode shows opens an episode of its own."""
    if wrong.stage == "read":
        return wrong.raw
    message = json.loads(wrong.raw)
    episode_id = f"whole-{number}"
    message["event"] = "episode.opened"
    message["episode"]["episode_id"] = episode_id
    message["message"]["episode_id"] = episode_id
    decision = builders.decision(
        episode_id=episode_id,
        consent_decision_id=f"store-{number}",
        state="STORE_ONLY",
        share_decision="no",
        scope_includes=[],
        scope_excludes=[],
        purpose=["STORE"],
    )
    recorded = await one.post(
        "SCH-A",
        f"/episodes/{episode_id}/consents",
        json.dumps(decision).encode(),
        f"store-{number}",
        "application/json",
    )
    assert recorded.status_code == 201, recorded.text
    return json.dumps(message).encode()


async def test_every_wrong_input_is_told_its_code_at_the_door(tmp_path: Path) -> None:
    """Each is a 4xx problem with its code and place, echoes nothing, and leaves nothing behind."""
    different = []
    async with real_hub(tmp_path / "site") as one:
        for number, wrong in enumerate(WRONG_INPUTS):
            raw = await _prepared(one, wrong, number)
            with frugal():
                answer = await one.post("SCH-A", "/messages", raw, f"wrong-{number}", CAF)
            told = answer.json()
            places = {(fault["code"], fault["path"]) for fault in told.get("errors", ())}
            expected = AT_THE_DOOR.get(wrong.name, (wrong.code, wrong.path))
            good = (
                400 <= answer.status_code < 500
                and answer.headers["content-type"].startswith("application/problem+json")
                and expected in places
                and all(fault["remedy"] for fault in told["errors"])
                and told["support_contact"] == "support@hub.example"
                and CANARY not in answer.text
                and "9990000018" not in answer.text
            )
            if not good:
                different.append(
                    f"{wrong.name}: {answer.status_code} {expected} {sorted(places)[:3]}"
                )
        counts = await one.hub.store.counts()

    assert different == [], "\n".join(different)
    assert sum(counts.values()) == 0


async def test_every_wrong_way_to_fetch_is_told_its_code(tmp_path: Path) -> None:
    """Whoever pulls and gets it wrong, or tries what is not its own: a 4xx problem with a code."""
    different = []
    rows = list(wrong_pulls())
    async with real_hub(tmp_path / "site") as one:
        for wrong in rows:
            headers = {
                "authorization": f"Bearer {one.keys['SCH-A']}",
                "content-type": "application/json",
                "idempotency-key": wrong.key,
                **wrong.headers,
            }
            if wrong.method == "GET" and not wrong.body:
                del headers["content-type"], headers["idempotency-key"]
            with frugal():
                answer = await one.client.request(
                    wrong.method, wrong.path, content=wrong.body, headers=headers
                )
            told = answer.json()
            good = (
                400 <= answer.status_code < 500
                and answer.headers["content-type"].startswith("application/problem+json")
                and told["code"].startswith("E_")
                and CANARY not in answer.text
            )
            if not good:
                different.append(f"{wrong.name}: {answer.status_code} {answer.text[:200]}")

    assert len(rows) >= 40
    assert different == [], "\n".join(different)
