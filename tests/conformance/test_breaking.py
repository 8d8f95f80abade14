"""A break really breaks, and one that the oracle does not see is told."""

import json
from pathlib import Path

import pytest

from tests.conformance.accepting import Finding
from tests.conformance.breaking import Break, CannotBreak, broken, unseen
from tests.conformance.breaks import BREAKS
from tests.conformance.documents import Document, golden


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """Today's golden documents of every kind that is broken."""
    kinds = sorted({one.kind for one in BREAKS})
    return list(golden(kinds, tmp_path_factory.mktemp("golden")))


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: f"{one.kind}: {one.name}")
def test_a_golden_document_can_be_broken_so(
    one: Break, whole: list[Document], tmp_path: Path
) -> None:
    """Every break finds something to break in today's golden documents."""
    (made,) = broken([one], whole, tmp_path)

    assert made.file.read_bytes() not in {document.file.read_bytes() for document in whole}


def test_a_break_without_anything_to_break_is_told(whole: list[Document], tmp_path: Path) -> None:
    """A self-test that has silently lost its object would prove nothing."""
    gone = Break("gone", "fhir-r4", lambda raw: raw, {})

    with pytest.raises(CannotBreak):
        broken([gone], whole, tmp_path)


def test_only_the_right_finding_of_the_right_weight_counts() -> None:
    """A warning is no error, and another error is not the one."""
    one = Break("code", "fhir-r4", lambda raw: raw, {"hapi-fhir": ("girl", "error")})

    def found(severity: str, message: str) -> list[Finding]:
        return [Finding("d", severity, "code", "Patient.gender", message)]

    assert not unseen(one, "hapi-fhir", found("error", "girl is not in the value set"))
    assert not unseen(one, "hapi-fhir", found("fatal", "girl is not in the value set"))
    assert unseen(one, "hapi-fhir", found("warning", "girl is not in the value set"))
    assert unseen(one, "hapi-fhir", found("error", "status is missing"))
    assert unseen(one, "hapi-fhir", [])


def test_every_kind_of_document_has_a_break_for_each_oracle_that_judges_it() -> None:
    """No oracle judges what it was not seen to reject."""
    kinds = {(kind, oracle) for one in BREAKS for oracle in one.seen for kind in [one.kind]}

    assert {("fhir-r4", "hapi-fhir"), ("fhir-r4", "medplum")} <= kinds


def test_the_breaks_of_fhir_stay_json(whole: list[Document]) -> None:
    """They test the oracle's rules, not its parser."""
    for one in BREAKS:
        if one.kind == "fhir-r4":
            raw = next(
                d.file for d in whole if d.name == "golden/fhir-r4/episode/whole-family"
            ).read_bytes()
            assert json.loads(one.make(raw))["resourceType"] == "Bundle"
