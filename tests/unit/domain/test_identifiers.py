"""Identifiers: every check vector of `domain.md` CL-25, and the shapes around them."""

import pytest

from hub.domain.identifiers import (
    check_identifier,
    nhs_number_ok,
    normalise_nhs_number,
    normalise_postcode,
    normalise_upn,
    postcode_ok,
    upn_ok,
    uprn_ok,
)

GOOD_UPNS = [
    "B801200005001",
    "L001900126001",
    "A001900126002",
    "Q002900126001",
    "K00190012601A",
    "W001900120001",
    "G001900122002",
    "T001900124003",
    "G001900110006",
]
BAD_UPNS = [
    "A801200005001",
    "R247962919251",
    "X428558133462",
    "A950000178301",
    "H243278544154",
    "I001900126001",
    "L00190012600",
    "L0019001260011",
    "l001900126001",
    "K00190012601I",
]
GOOD_NHS = [
    "9434765919",
    "9990000018",
    "9990000026",
    "9990000034",
    "9990000042",
    "9990000050",
    "9990000069",
    "9990000123",
]
GOOD_POSTCODES = [
    "SW1A 1AA",
    "M1 1AE",
    "B33 8TH",
    "DN55 1PT",
    "W1A 0AX",
    "EC1A 1BB",
    "E1W 3SS",
    "N1C 4AG",
    "GIR 0AA",
]


@pytest.mark.parametrize("value", GOOD_UPNS)
def test_a_good_upn_passes(value: str) -> None:
    """Permanent and temporary UPNs of known authorities pass."""
    assert upn_ok(value)
    assert check_identifier("upn", value) is None


@pytest.mark.parametrize("value", BAD_UPNS)
def test_a_bad_upn_fails(value: str) -> None:
    """A wrong letter, an authority that does not exist, or another shape fails."""
    assert not upn_ok(value)
    assert check_identifier("upn", value) in {"shape", "check-letter"}


@pytest.mark.parametrize("value", GOOD_NHS)
def test_a_good_nhs_number_passes(value: str) -> None:
    """Ten digits with the right check digit pass, the 999 range of test data among them."""
    assert nhs_number_ok(value)
    assert check_identifier("nhs-number", value) is None


def test_exactly_one_last_digit_makes_an_nhs_number() -> None:
    """Of ten last digits one passes, and for a base whose check would be ten, none."""
    assert [digit for digit in range(10) if nhs_number_ok(f"999000001{digit}")] == [8]
    assert not any(nhs_number_ok(f"999000000{digit}") for digit in range(10))


@pytest.mark.parametrize("value", ["", "999000001", "99900000180", "999 000 0018", "٩٩٩٠٠٠٠٠١٨"])
def test_other_than_ten_digits_is_no_nhs_number(value: str) -> None:
    """Spaces, other lengths and other scripts' digits are shapes, not numbers."""
    assert not nhs_number_ok(value)
    assert check_identifier("nhs-number", value) == "shape"


@pytest.mark.parametrize("value", [*GOOD_POSTCODES, "ZZ99 3VZ", "ZZ99 3AA", "sw1a1aa", " m1  1ae "])
def test_a_good_postcode_passes(value: str) -> None:
    """Every shape of postcode passes, however it is spaced, and so do the pseudo ones of ZZ99."""
    assert postcode_ok(value)


@pytest.mark.parametrize("value", ["AB1 2CD", "", "ZZ98 3VZ", "SW1A 1A", "Q1 1AA", "NOWHERE"])
def test_a_bad_postcode_fails(value: str) -> None:
    """Letters that no postcode has in that place fail."""
    assert not postcode_ok(value)


def test_a_property_number_has_up_to_twelve_digits() -> None:
    """A UPRN has no public check digit, only a length."""
    assert uprn_ok("1")
    assert uprn_ok("100000000001")
    assert not any(map(uprn_ok, ["", "0", "1000000000001", "12a", "-1"]))


@pytest.mark.parametrize(
    ("system", "good", "bad", "reason"),
    [
        ("uln", "9276308686", "9276308687", "check-digit"),
        ("uln", "9276308686", "0276308686", "shape"),
        ("upn-unknown", "UN5", "UN6", "shape"),
        ("urn", "100001", "10000", "shape"),
        ("laestab", "0019001", "19001", "shape"),
        ("ods", "A81001", "a81001", "shape"),
        ("swe", "SW123", "123", "shape"),
        ("usrn", "10000001", "100000001", "shape"),
        ("la-child-id", "A0001234", "A 1", "shape"),
        ("caf-ref", "CAF/2026/1", "C" * 31, "shape"),
        ("nhs-number", "9990000018", "9990000019", "check-digit"),
    ],
)
def test_each_system_has_its_check(system: str, good: str, bad: str, reason: str) -> None:
    """Every system of CL-25 passes what it issues and says why it refuses the rest."""
    assert check_identifier(system, good) is None
    assert check_identifier(system, bad) == reason


def test_an_unknown_system_vouches_for_nothing() -> None:
    """What no system of CL-25 issued cannot be checked."""
    assert check_identifier("contactpoint", "1") == "system"


def test_normal_forms_are_what_the_checks_expect() -> None:
    """As people write them, normalised: spaces, hyphens and small letters."""
    assert normalise_nhs_number("999 000-0018") == "9990000018"
    assert normalise_upn(" w0019 00120001") == "W001900120001"
    assert normalise_postcode("zz993aa") == "ZZ99 3AA"
