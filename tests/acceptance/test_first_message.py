"""The first message of `adapters/README.md` is played as it stands there."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import builders as b
from tests.acceptance.real_hub import CAF, real_hub
from tests.unit.services.world import opening

pytestmark = pytest.mark.acceptance
MANUAL = Path(__file__).parents[2] / "adapters/README.md"


def documented() -> str:
    """Return the decision of the manual, of today: its own days pass."""
    text = MANUAL.read_text("utf-8").partition("## A first message")[2]
    found = re.search(r"```json\n(\{\"consent_decision_id\".*?)```", text, re.DOTALL)
    assert found is not None
    now = datetime.now(UTC)
    decision = found[1]
    for old, new in (
        ("2026-09-01T08:45:00Z", now - timedelta(minutes=20)),
        ("2026-09-01T09:00:00Z", now - timedelta(minutes=10)),
        ("2026-09-01T09:05:00Z", now - timedelta(minutes=5)),
    ):
        assert old in decision
        decision = decision.replace(old, new.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return decision.replace("2027-08-31", (now + timedelta(days=300)).date().isoformat())


async def test_the_first_message_of_the_manual(tmp_path: Path) -> None:
    """A reference, the family's decision, the episode, and what became of it."""
    async with real_hub(tmp_path, issued=["SCH-A"]) as hub:
        own = {"authorization": f"Bearer {hub.keys['SCH-A']}"}
        given = await hub.client.post("/references", headers=own)
        reference = given.json()["reference"]
        decided = await hub.post(
            "SCH-A",
            f"/episodes/{reference}/consents",
            documented().replace("REF", reference, 1).encode(),
            "c-1",
            "application/json",
        )
        assert decided.status_code in (200, 201), decided.text
        told = {
            "message": {"sender_user_ref": "p-0001"},
            "event": "episode.opened",
            "episode": opening(episode_id=reference),
        }
        sent = await hub.post("SCH-A", "/messages", b.wire(told), "m-1", CAF)
        assert sent.status_code == 202, sent.text
        asked = await hub.client.get(f"/messages/{sent.json()['message_id']}", headers=own)
        assert asked.json()["answer"]["episode_id"] == reference


def test_the_decision_is_json() -> None:
    """Whoever copies it has a whole document."""
    assert json.loads(documented())["state"] == "STORE_ONLY"
