"""The 86 requirements: every row is a row, and every proof exists."""

from typing import Any

import pytest

from tests.acceptance.requirements import faults, missing, read


def test_every_requirement_has_a_row_and_every_proof_exists() -> None:
    """All 86 are there; nothing named as a proof is missing."""
    assert list(faults(read())) == []


@pytest.mark.parametrize(
    "proof",
    [
        "tests/acceptance/no_such_file.py::test_a",
        "tests/acceptance/test_requirements.py::test_no_such_test",
        "tests/acceptance/scenarios/s1.yaml#no-such-step",
        "tests/acceptance/README.md#no-such-heading",
    ],
)
def test_a_proof_that_does_not_exist_is_found_out(proof: Any, request: Any) -> None:
    """A renamed test or step cannot leave its requirement looking proven."""
    assert missing(proof, request.config.rootpath)


def test_a_row_without_proof_must_say_that_it_is_open() -> None:
    """Silence is not a proof."""
    rows = read()
    hollow = [row.__class__(**{**_fields(row), "ids": (), "open": False}) for row in rows[:1]]

    assert any("names no proof" in fault for fault in faults([*hollow, *rows[1:]]))


def _fields(row: Any) -> Any:
    return {name: getattr(row, name) for name in row.__slots__}
