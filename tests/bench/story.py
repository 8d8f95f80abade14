"""What the benchmark sends: episodes that are opened and shared, and then updated many times."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests import builders

MESSAGE: Final = "application/vnd.ecaf.message+json;version=1"
SENDER: Final = "SCH-A"
RECIPIENT: Final = "EHM-A"
CONTENT: Final = "fhir-r4/episode"
ELEMENTS: Final = 10
"""Of 19: with a paragraph in each of these, the rendered message has about 20 KB."""


def decisions(episode_id: str) -> list[dict[str, Any]]:
    """Return what the child's mother decides for the child and for herself: the recipient may see
    everything.
    """
    now = datetime.now(UTC)

    def moment(**passed: float) -> str:
        return (now + timedelta(**passed)).strftime("%Y-%m-%dT%H:%M:%SZ")

    theirs: dict[str, Any] = builders.decision(
        consent_decision_id=f"d-{episode_id}",
        episode_id=episode_id,
        scope_includes=[{"service": f"{RECIPIENT}/FSW", "section": "all", "sensitive": True}],
        scope_excludes=[],
        signed_at=moment(days=-1),
        recorded_at=moment(minutes=-1),
        review_by=moment(days=30)[:10],
        expires_at=moment(days=300)[:10],
    )
    theirs["competence_judgement"]["judged_at"] = moment(days=-2)
    own = {
        **theirs,
        "consent_decision_id": f"a-{episode_id}",
        "subject_id": "c1",
        "given_by_basis": "ADULT_SELF",
    }
    own.pop("pr_basis")
    return [theirs, own]


def family(episode_id: str) -> dict[str, Any]:
    """Return the assessed family as its school sends it."""
    whole: dict[str, Any] = builders.episode(episode_id=episode_id)
    for name in ("plan", "reviews", "checklists", "status"):
        whole.pop(name)
    (child,) = whole["subjects"]
    child["elements"] = child["elements"][:ELEMENTS]
    assessor = whole["services"]["assessor"]
    whole["services"] = {"assessor": assessor, "lp_state": "ACTING"}
    return whole


def opening(episode_id: str) -> list[bytes]:
    """Return the messages that open an episode and complete its assessment."""
    return [
        _bytes("episode.opened", family(episode_id)),
        _bytes("assessment.completed", {"episode_id": episode_id}),
    ]


def update(episode_id: str, number: int) -> bytes:
    """Return the whole episode again, with another conclusion each time."""
    whole = family(episode_id)
    whole.pop("services")
    whole["conclusions"]["conclusions"] = f"Version {number} of what was concluded."
    return _bytes("assessment.updated", whole)


def _bytes(event: str, tree: dict[str, Any]) -> bytes:
    return json.dumps({"event": event, "episode": tree}).encode()
