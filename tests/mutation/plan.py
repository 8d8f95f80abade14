"""What is changed, and which tests must notice."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
UNIT: Final = "tests/unit/"
_CONSENT: Final = (
    "tests/unit/domain/test_consent.py",
    "tests/unit/domain/test_decision.py",
    "tests/unit/domain/test_hearing.py",
    "tests/unit/domain/test_circumstances.py",
    "tests/unit/domain/test_competence.py",
    "tests/unit/domain/test_entitlement.py",
    "tests/unit/services/test_rights.py",
    "tests/property/test_consent_model.py",
)
_GATE: Final = (
    "tests/unit/services/test_gate.py",
    "tests/unit/services/test_rights.py",
    "tests/unit/services/test_admission.py",
    "tests/unit/services/test_place.py",
    "tests/unit/services/test_masking.py",
    "tests/unit/services/test_permits.py",
    "tests/unit/services/test_shelter.py",
    "tests/unit/services/test_prune.py",
    "tests/property/test_shelter.py",
    "tests/property/test_gate.py",
)
_CHANGE: Final = (
    "tests/unit/domain/test_consent.py",
    "tests/unit/services/test_consents.py",
    "tests/property/test_consent_model.py",
)
TESTS: Final[dict[str, tuple[str, ...]]] = {
    **{
        f"hub.domain.{name}": _CONSENT
        for name in (
            "decision", "hearing", "consent", "cells", "scope_items", "weighing", "disputes",
            "circumstances", "competence", "entitlement",
        )
    },
    "hub.domain.consent_change": _CHANGE,
    **{
        f"hub.services.{name}": _GATE
        for name in (
            "gate", "admission", "rights", "permits", "prune", "place", "leaf_rules", "masking",
            "shelter",
        )
    },
    "hub.services.notice_rights": (
        "tests/unit/services/test_gate.py",
        "tests/unit/services/test_notice_kinds.py",
    ),
    "hub.services.own_consents": ("tests/unit/services/test_own_consents.py",),
}  # fmt: skip
APART: Final = {
    "tests/unit/services/test_prune.py::test_the_code_is_the_same_whatever_the_hash_seed"
}
"""Tests that start a process of their own: it has the unchanged code, so they prove nothing."""
DRAWN: Final = "tests/property/test_gate.py::test_what_is_withheld_changes_no_byte"
"""A test whose parameters are seeds of random families."""


def path_of(module: str) -> Path:
    """Return the file of a module."""
    return ROOT / (module.replace(".", "/") + ".py")
