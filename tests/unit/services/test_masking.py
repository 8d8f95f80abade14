"""Sensitive services: who is never named, and by what the whole episode gives them away."""

from typing import Any

import pytest

from hub.services.masking import (
    NOBODY,
    Masked,
    masked,
    names_sensitive,
    other,
    owned,
    restricted_codes,
    sensitive_section,
    sensitive_service,
)


@pytest.mark.parametrize(
    ("service", "sensitive"),
    [
        ("CAMHS", True),
        ("CAMHS-A/CAMHS", True),
        ("SXHS", True),
        ("SCH", False),
        ("CAMHS/SCH", False),
        ("OTH", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_service_is_sensitive_by_its_type(service: Any, sensitive: bool) -> None:
    """CL-11, with or without the organisation in front."""
    assert sensitive_service(service) is sensitive


def test_sections_and_codes_that_are_special() -> None:
    """Health is of a special category; a refuge and a death are restricted codes."""
    assert sensitive_section("sec.child.health")
    assert not sensitive_section("sec.child.learning")
    assert not sensitive_section("sec.nothing")
    assert "refuge" in restricted_codes("CL-28")
    assert "home" not in restricted_codes("CL-28")
    assert restricted_codes("CL-01") == restricted_codes(None) == frozenset()


MIND = Masked(frozenset({"p-m"}), frozenset({"CAMHS-A"}))


@pytest.mark.parametrize(
    ("block", "hidden"),
    [
        ({"service_type": "CAMHS"}, True),
        ({"service_type": "SCH"}, False),
        ({"service_type": "SCH", "practitioner_id": "p-m", "organisation": "CAMHS-A"}, False),
        ({"practitioner_id": "p-m"}, True),
        ({"practitioner_id": "p-m", "organisation": "SCH-A"}, True),
        ({"practitioner_id": "p-x", "organisation": "CAMHS-A"}, True),
        ({"practitioner_id": "p-x", "organisation": "SCH-A"}, False),
        ({}, False),
    ],
)
def test_whom_a_block_names(block: dict[str, Any], hidden: bool) -> None:
    """By its own type, or else by what other places showed."""
    assert names_sensitive(block, MIND) is hidden


def works(who: str, where: str, kind: str | None = None) -> dict[str, Any]:
    """Return a contact block."""
    return {"practitioner_id": who, "organisation": where} | (
        {} if kind is None else {"service_type": kind}
    )


BLOCK = works("p-m", "CAMHS-A", "CAMHS")


@pytest.mark.parametrize(
    "tree",
    [
        {"services": {"assessor": [works("p-x", "X"), BLOCK]}},
        {"services": {"lead_professional": BLOCK}},
        {"responsible_practitioner": BLOCK},
        {"closure": {"closed_by": BLOCK}},
        {"subjects": [{}, {"elements": [{"element": "HEALTH"}, {"author": BLOCK}]}]},
        {"plan": {"action": [{}, {"action_owner": {"practitioner": BLOCK}}]}},
        {
            "plan": {
                "action": [
                    {
                        "action_owner": {
                            "service": "CAMHS-A/CAMHS",
                            "practitioner": {"practitioner_id": "p-m"},
                        }
                    }
                ]
            }
        },
        {
            "plan": {
                "team_member": [
                    {},
                    {
                        "organisation": "CAMHS-A",
                        "service_type": "CAMHS",
                        "practitioner": {"practitioner_id": "p-m"},
                    },
                ]
            }
        },
        {"plan": {"team_member": [{"organisation": "CAMHS-A", "practitioner": BLOCK}]}},
        {
            "services": {
                "other_service": [
                    {},
                    {
                        "organisation": "CAMHS-A",
                        "service_type": "CAMHS",
                        "practitioner": {"practitioner_id": "p-m"},
                    },
                ]
            }
        },
        {
            "services": {
                "other_service": [
                    {
                        "organisation": "CAMHS-A",
                        "is_sensitive_service": True,
                        "practitioner": works("p-m", "CAMHS-A"),
                    }
                ]
            }
        },
        {"services": {"other_service": [{"organisation": "CAMHS-A", "practitioner": BLOCK}]}},
    ],
)
def test_wherever_a_sensitive_service_is_named_it_is_found(tree: dict[str, Any]) -> None:
    """Every place where somebody at work stands tells of who and where."""
    assert masked(tree) == MIND


def test_an_organisation_that_also_does_open_work_is_not_masked_whole() -> None:
    """A hospital has a sexual health clinic and a midwife; the person stays masked."""
    both = [works("p-m", "HOS-A", "SXHS"), works("p-w", "HOS-A", "MIDW")]
    unknown = [works("p-m", "HOS-A", "SXHS"), works("p-w", "HOS-A")]

    assert masked({"services": {"assessor": both}}) == Masked(frozenset({"p-m"}))
    found = masked({"services": {"assessor": unknown}})
    assert found == Masked(frozenset({"p-m"}), frozenset({"HOS-A"}))
    assert masked({"services": {"assessor": both[1:]}}) == NOBODY
    assert masked({}) == NOBODY
    nameless = {"services": {"assessor": [{"service_type": "SXHS"}]}}
    assert masked(nameless) == Masked()


@pytest.mark.parametrize(
    ("owner", "theirs"),
    [
        ({"service": "CAMHS-A/CAMHS"}, True),
        ({"service": "SCH-A/SCH"}, False),
        ({"practitioner": BLOCK}, True),
        ({"practitioner": {"practitioner_id": "p-m"}}, True),
        ({"service": "SCH-A/SCH", "practitioner": {"practitioner_id": "p-m"}}, True),
        ({"practitioner": None}, False),
        ({"person_id": "c1"}, False),
    ],
)
def test_whose_an_action_is(owner: dict[str, Any], theirs: bool) -> None:
    """By the service, or by who does it."""
    assert owned({"action_owner": owner}, MIND) is theirs
    assert not owned({}, MIND)


@pytest.mark.parametrize(
    ("kind", "said", "hidden"),
    [
        ("OTH", True, True),
        ("OTH", None, True),
        ("OTH", False, False),
        ("CAMHS", False, True),
        ("CAMHS", None, True),
        ("YC", True, True),
        ("YC", None, False),
        ("YC", "yes", False),
        (None, None, False),
    ],
)
def test_an_other_service_by_type_and_by_word(kind: Any, said: Any, hidden: bool) -> None:
    """A type that leaves it open is sensitive unless the record says that it is not."""
    service = {"service_type": kind, "is_sensitive_service": said}

    assert other(service, NOBODY) is hidden
