"""Identifiers of people, places and bodies, and how to tell a mistyped one (`domain.md` CL-25).

A check says only that a number *can* exist.  Nothing here looks anything up, and no result holds
the value.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from hub.domain.codes import code_list

_UPN_LETTERS: Final = "ABCDEFGHJKLMNPQRTUVWXYZ"
_UPN: Final = re.compile(r"([A-HJ-NP-RT-Z])([0-9]{11})([0-9A-HJ-NP-RT-Z])")
_POSTCODE: Final = re.compile(
    r"GIR 0AA"
    r"|[A-PR-UWYZ](?:[0-9]{1,2}|[A-HK-Y][0-9](?:[0-9]|[ABEHMNPRV-Y])?|[0-9][A-HJKPS-UW])"
    r" [0-9][ABD-HJLNP-UW-Z]{2}"
    r"|ZZ99 [0-9][A-Z]{2}"  # pseudo postcodes: no fixed abode, not known, all of our test people
)


def normalise_nhs_number(value: str) -> str:
    """Return the number without the spaces and hyphens in which people write it."""
    return re.sub(r"[ -]", "", value)


def normalise_upn(value: str) -> str:
    """Return the UPN in capitals and without spaces."""
    return value.replace(" ", "").upper()


def normalise_postcode(value: str) -> str:
    """Return the postcode in capitals with the one space where it belongs.

    >>> normalise_postcode("sw1a1aa")
    'SW1A 1AA'
    """
    bare = re.sub(r"\s", "", value).upper()
    return f"{bare[:-3]} {bare[-3:]}"


def _weighted(digits: str) -> int:
    """Return the sum of *digits* weighted 10, 9, 8 … modulo 11."""
    return sum((10 - place) * int(digit) for place, digit in enumerate(digits)) % 11


def nhs_number_ok(value: str) -> bool:
    """Tell whether *value* is ten digits whose last one is the check digit of the others.

    >>> nhs_number_ok("9434765919"), nhs_number_ok("9990000000")
    (True, False)
    """
    if not re.fullmatch(r"[0-9]{10}", value):
        return False
    check = (11 - _weighted(value[:9])) % 11
    return check == int(value[9])  # a remainder that asks for 10 can never equal one digit


def upn_ok(value: str) -> bool:
    """Tell whether *value* is a UPN, permanent or temporary, of a known authority.

    >>> upn_ok("A001900126002"), upn_ok("K00190012601A"), upn_ok("A950000178301")
    (True, True, False)
    """
    parts = _UPN.fullmatch(value)
    if parts is None:
        return False
    letter, digits, last = parts.groups()
    tail = int(last) if last.isdigit() else _UPN_LETTERS.index(last)
    total = sum(place * int(digit) for place, digit in enumerate(digits, start=2)) + 13 * tail
    return letter == _UPN_LETTERS[total % 23] and digits[:3] in code_list("CL-29").codes


def uln_ok(value: str) -> bool:
    """Tell whether *value* is a unique learner number.

    The weighted sum of all ten digits leaves 10 on division by 11, so that no ULN is an NHS number
    (HESA student record, field ULN).
    """
    return re.fullmatch(r"[1-9][0-9]{9}", value) is not None and _weighted(value) == 10


def postcode_ok(value: str) -> bool:
    """Tell whether *value* has the shape of a postcode, once in capitals and with one space."""
    return _POSTCODE.fullmatch(normalise_postcode(value)) is not None


def uprn_ok(value: str) -> bool:
    """Tell whether *value* is a property number: up to twelve digits, and no public check digit."""
    return re.fullmatch(r"[1-9][0-9]{0,11}", value) is not None


_CHECKS: Final[Mapping[str, tuple[Callable[[str], bool], str]]] = {
    "nhs-number": (nhs_number_ok, "check-digit"),
    "upn": (upn_ok, "check-letter"),
    "uln": (uln_ok, "check-digit"),
}


def check_identifier(system: str, value: str) -> str | None:
    """Return why *value* cannot be an identifier of *system* (a CL-25 code), or ``None``.

    The reasons are ``shape``, ``check-digit``, ``check-letter`` and ``system``.
    """
    known = code_list("CL-25").codes.get(system)
    if known is None:
        return "system"
    if not re.fullmatch(known.attributes["format"], value):
        return "shape"
    if system in _CHECKS:
        holds, reason = _CHECKS[system]
        return None if holds(value) else reason
    return None
