"""Admission: which organisation, which pilot and which people let a service take part."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.domain.accreditation import Pilot, Stage
from hub.domain.exchange import EpisodeHead
from hub.domain.partner import Partner
from hub.domain.practitioner import FACTS, Assertion
from hub.errors import Code, Withheld
from hub.services.admission import check_admitted, countless, nobody
from tests import builders as b
from tests.unit.services.world import PARTNERS, START

SERVICE = "SCH-A/SCH"
SCHOOL = replace(PARTNERS[0], vouches=True)
HERE = replace(SCHOOL, protocols=tuple(replace(one, authority="001") for one in SCHOOL.protocols))
HEAD = EpisodeHead(
    "e1", "SCH-A", "001", "PLAN_ACTIVE", None, "APPOINTED", "OPEN", 3, 1, START, START
)
LEADS = replace(HEAD, lead_service=SERVICE)


def vouched(*refs: str, may: bool = True) -> Callable[[str, str], Assertion | None]:
    """Vouch for these practitioners of the school, who may receive or may not."""
    fact = {"from": "2026-01-01", "expires": "2027-01-01"}
    record = dict.fromkeys(FACTS, fact) | {"may_author": True, "may_receive": may}

    def find(organisation: str, ref: str) -> Assertion | None:
        known = organisation == "SCH-A" and ref in refs
        return Assertion(organisation, ref, record, "x", START) if known else None

    return find


def works(*refs: str) -> dict[str, Any]:
    """Return an episode in which these work for the school."""
    blocks = [b.practitioner(ref, organisation="SCH-A", service_type="SCH") for ref in refs]
    return {"services": {"assessor": blocks}}


def admitted(
    partner: Partner = SCHOOL,
    kind: str = "N7",
    head: EpisodeHead = HEAD,
    tree: dict[str, Any] | None = None,
    known: Callable[[str, str], Assertion | None] = nobody,
    earlier: Callable[[str], int] = countless,
) -> Code | None:
    """Return why the school may not take part, or None."""
    try:
        check_admitted(partner, SERVICE, kind, START, head, tree or {}, known, earlier)
    except Withheld as withheld:
        return withheld.code
    return None


@pytest.mark.parametrize(
    ("kind", "head", "code"),
    [
        ("N7", HEAD, None),
        ("N7", replace(HEAD, home_authority="002"), Code.ORG_NOT_ACCREDITED),
        ("N11", replace(HEAD, home_authority="002"), Code.ORG_NOT_ACCREDITED),
        (
            "N11",
            replace(HEAD, home_authority="002", facts={"receiving_authority": "001"}),
            None,
        ),
        ("N11", replace(HEAD, facts={"receiving_authority": "002"}), Code.ORG_NOT_ACCREDITED),
        ("N11", replace(HEAD, facts={}), None),
        ("N7", replace(HEAD, facts={"receiving_authority": "002"}), None),
    ],
)
def test_the_protocol_covers_the_authority(kind: str, head: EpisodeHead, code: Code | None) -> None:
    """The episode's home; for an offer, who is to receive it."""
    assert admitted(HERE, kind, head) is code


def test_a_pilot_takes_its_first_episodes() -> None:
    """What it was in before counts, and who cannot count takes none."""
    pilot = replace(SCHOOL, stage=Stage.PILOT, pilot=Pilot(episodes=2))

    assert admitted(pilot, earlier=lambda name: {pilot.name: 1}[name]) is None
    assert admitted(pilot, earlier=lambda _: 2) is Code.ORG_NOT_ACCREDITED
    assert admitted(pilot) is Code.ORG_NOT_ACCREDITED
    assert nobody("SCH-A", "p-1") is None


@pytest.mark.parametrize(
    ("tree", "known", "code"),
    [
        ({}, nobody, None),
        (works("p-1"), nobody, Code.USER_NOT_ELIGIBLE),
        (works("p-1"), vouched("p-1"), None),
        (works("p-1"), vouched("p-1", may=False), Code.USER_NOT_ELIGIBLE),
        (works("p-1", "p-2"), vouched("p-2"), None),
        (works("p-1"), vouched("p-2"), Code.USER_NOT_ELIGIBLE),
    ],
)
def test_one_eligible_person_is_enough(tree: dict[str, Any], known: Any, code: Code | None) -> None:
    """Of those who are named; where nobody is, the system receives."""
    assert admitted(tree=tree, known=known) is code
    assert admitted(replace(SCHOOL, vouches=False), tree=tree, known=known) is None


@pytest.mark.parametrize("kind", ["N2", "N3", "N4", "N10", "N13", "N14"])
def test_some_messages_go_whoever_works_there(kind: str) -> None:
    """Who leads now, the end, recalls and statutory duty."""
    assert admitted(kind=kind, tree=works("p-1")) is None
    assert admitted(kind="N6", tree=works("p-1")) is Code.USER_NOT_ELIGIBLE


def test_at_the_leads_service_the_lead_decides() -> None:
    """Another eligible colleague does not, and while nobody leads nobody receives."""
    tree = works("p-2") | {"responsible_practitioner": b.practitioner("p-1")}
    vacant = replace(LEADS, lead="VACANT")

    assert admitted(head=LEADS, tree=tree, known=vouched("p-2")) is Code.USER_NOT_ELIGIBLE
    assert admitted(head=LEADS, tree=tree, known=vouched("p-1")) is None
    assert admitted(head=HEAD, tree=tree, known=vouched("p-2")) is None
    assert admitted(head=LEADS, tree=works("p-2"), known=vouched("p-2")) is None
    assert admitted(head=vacant, tree=tree, known=vouched("p-1")) is Code.USER_NOT_ELIGIBLE
    unasked = replace(SCHOOL, vouches=False)
    assert admitted(unasked, head=vacant) is Code.USER_NOT_ELIGIBLE
    assert admitted(head=replace(HEAD, lead="VACANT"), known=vouched("p-1")) is None
