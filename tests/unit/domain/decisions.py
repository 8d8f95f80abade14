"""Decision records of the Example family, as they would be recorded."""

from datetime import UTC, datetime
from typing import Any

from hub.domain.exchange import Decision

SIGNED = "2026-09-01T09:00:00Z"
NOW = datetime(2026, 9, 15, 12, tzinfo=UTC)


def item(service: str, section: str = "all", **more: Any) -> dict[str, Any]:
    """Return one scope item; ``from_`` stands for ``from``."""
    return {"service": service, "section": section} | {
        name.rstrip("_"): value for name, value in more.items()
    }


def record(state: str = "SHARE", **changes: Any) -> dict[str, Any]:
    """Return Mia's decision for Ava as PR holder; ``None`` takes a field away."""
    shares = state in {"SHARE", "NARROWED", "WIDENED"}
    whole = {
        "consent_decision_id": "d1",
        "episode_id": "e1",
        "subject_id": "ava",
        "state": state,
        "purpose": ["STORE", "ASSESS", "PLAN", "TRANSFER", "REQUEST_SERVICE"],
        "given_by_person": "mia",
        "given_by_basis": "PR_HOLDER",
        "pr_basis": "MOTHER",
        "informed": {"reasons_explained": True},
        "store_decision": "yes",
        "share_decision": "yes" if shares else "no",
        "index_consent": "yes",
        "method": "WRITTEN",
        "signed_at": SIGNED,
        "recorded_by": "p-teach",
        "recorded_at": SIGNED,
        "review_by": "2026-12-01",
        "expires_at": "2027-08-31T00:00:00Z",
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def young(state: str = "SHARE", **changes: Any) -> dict[str, Any]:
    """Return Bea's own decision, judged competent."""
    judged = {"judged_by": "p1", "judged_at": SIGNED, "outcome": "COMPETENT"}
    own: dict[str, Any] = {
        "subject_id": "bea",
        "given_by_person": "bea",
        "given_by_basis": "CHILD_COMPETENT",
        "pr_basis": None,
        "competence_judgement": judged,
    }
    return record(state, **(own | changes))


def adult(state: str = "SHARE", **changes: Any) -> dict[str, Any]:
    """Return Mia's decision about herself."""
    own: dict[str, Any] = {
        "subject_id": "mia",
        "given_by_basis": "ADULT_SELF",
        "pr_basis": None,
    }
    return record(state, **(own | changes))


def recorded(*records: dict[str, Any]) -> list[Decision]:
    """Return *records* as the store holds them, numbered in their order."""
    return [
        Decision(
            decision_id=f"d{number}",
            episode_id="e1",
            data_subject=written["subject_id"],
            sequence=number,
            record={**written, "consent_decision_id": f"d{number}"},
            recorded_by="p-teach",
            recorded_at=NOW,
        )
        for number, written in enumerate(records, 1)
    ]
