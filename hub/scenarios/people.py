"""The family of a scenario: children with test identifiers, and adults."""

import re
from typing import Any

from hub.scenarios.casts import Cast, Person, words_of
from hub.scenarios.parts import typed
from hub.scenarios.reading import Fields, unknown

RELATIONS = {
    "mother of": ("MTH", "MOTHER"),
    "father of": ("FTH", None),
    "grandmother of": ("GRMTH", None),
    "grandfather of": ("GRFTH", None),
    "step-parent of": ("STPPRN", None),
    "partner of the parent of": ("DOMPART", None),
    "carer of": ("CARER", None),
    "private foster carer of": ("PFOST", None),
    "special guardian of": ("SGUARD", "SPECIAL_GUARDIAN"),
}
PERSON_WORDS = (
    "child",
    "unborn",
    "born",
    "due",
    "gender",
    "nhs-number",
    "upn",
    "upn-unknown",
    "given names",
    "family name",
    "name",
    "address",
    "postcode",
    "tel",
    "email",
    "authority",
    "with",
    "parental responsibility",
    "lives with the child",
    "id",
    *RELATIONS,
)


def read_people(node: Any, cast: Cast) -> dict[str, Person]:
    """Read ``people:``: children with test identifiers, and adults by what they are to them."""
    people: dict[str, Person] = {}
    for name, told in words_of(node).items():
        details = words_of(told)
        details.pick(*PERSON_WORDS)
        relation = next((word for word in RELATIONS if word in details), None)
        if relation is None:
            people[str(name)] = _child(str(name), details, cast)
        else:
            people[str(name)] = _adult(str(name), details, relation, people, cast)
    return people


def _ref(name: str, told: Fields) -> str:
    return told.text("id") or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _identifiers(told: Fields) -> list[dict[str, Any]]:
    return [
        {"system": system, "value": told.text(system)}
        for system in ("nhs-number", "upn", "upn-unknown")
        if told.text(system)
    ]


def _address(told: Fields) -> list[dict[str, Any]]:
    lines = [str(line) for line in told.items_of("address")]
    if not lines and not told.text("postcode"):
        return []
    return [
        {"address_lines": lines or ["1 Test Street", "Testtown"]}
        | ({"postcode": told.text("postcode")} if told.text("postcode") else {})
        | {"use": "home"}
    ]


def _child(name: str, told: Fields, cast: Cast) -> Person:
    unborn = told.yes("unborn")
    ref = _ref(name, told)
    given = [str(one) for one in told.items_of("given names")] or [name]
    block: dict[str, Any] = {
        "subject_id": ref,
        "identifiers": _identifiers(told),
        "is_unborn": unborn,
        "given_names": given,
        "family_name": told.text("family name") or "Example",
        "gender": told.text("gender") or "U",
        "date_of_birth": told.text("born"),
        "expected_date_of_delivery": told.text("due"),
        "address": _address(told),
        "ordinarily_resident_authority": told.text("authority") or "001",
    }
    block = {key: value for key, value in block.items() if value not in ("", [])}
    for path, value in typed(words_of(told.get("with")), cast, "subjects").items():  # type: ignore[call-overload]
        block[path] = value
    return Person(
        key=name,
        ref=ref,
        child=True,
        names=(name, ref, "child", "young person", "baby"),
        block=block,
        born=told.text("born") or None,
    )


def _adult(name: str, told: Fields, relation: str, people: dict[str, Person], cast: Cast) -> Person:
    code, basis = RELATIONS[relation]
    basis = told.text("parental responsibility") or basis or ""
    has = "Y"
    if basis in ("", "no", "N"):
        has, basis = ("N" if basis else "U"), ""
    children = []
    for child in told.items_of(relation):
        if child not in people:
            raise unknown(child, "child (children come before their parents)", people)
        children.append(people[str(child)])
    ref = _ref(name, told)
    block: dict[str, Any] = {
        "parent_carer_id": ref,
        "name": told.text("name") or f"{name} {told.text('family name') or 'Example'}",
        "date_of_birth": told.text("born"),
        "identifiers": _identifiers(told),
        "relationships": [
            {
                "subject_id": child.ref,
                "relationship": code,
                "has_parental_responsibility": has,
                **({"pr_basis": basis} if basis else {}),
                "lives_with_child": told.text("lives with the child") or "Y",
            }
            for child in children
        ],
        "address": _address(told),
        "contact_tel": [str(one) for one in told.items_of("tel")],
        "email": [str(one) for one in told.items_of("email")],
    }
    block = {key: value for key, value in block.items() if value not in ("", [])}
    for path, value in typed(words_of(told.get("with")), cast, "parents_carers").items():  # type: ignore[call-overload]
        block[path] = value
    return Person(
        key=name,
        ref=ref,
        child=False,
        names=(name, ref, relation.removesuffix(" of")),
        block=block,
        born=told.text("born") or None,
        responsible_for=tuple(child.ref for child in children) if has == "Y" else (),
        basis=basis or None,
    )
