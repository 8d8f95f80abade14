"""What the lead professional hears about consent as time passes, and when recalls are escalated."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.domain.exchange import State
from hub.domain.partner import Registry
from hub.services.consent_duties import ConsentDuty
from hub.services.recall_duties import RecallDuty
from tests.contract.records import delivery, head, writing
from tests.unit.domain.decisions import item, record, recorded, young
from tests.unit.services.world import PARTNERS, World

HOU = "HOU-A/HOUS"
REGISTRY = Registry("Hub", "support@hub.example", {one.name: one for one in PARTNERS}, {})
TREE: dict[str, Any] = {"episode_id": "e1", "subjects": [{"subject_id": "bea"}]}


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def mia(state: str = "SHARE", **changes: Any) -> dict[str, Any]:
    return record(state, **{"subject_id": "bea", "scope_includes": [item(HOU)]} | changes)


def said(
    *records: dict[str, Any], day: str, tree: Any = None, lead: str | None = "EHM-A/FSW"
) -> list[str]:
    """Return "kind about" of each alert of that day."""
    found = ConsentDuty(REGISTRY).alerts(
        head(lead_service=lead, assessor_service=None), tree or TREE, recorded(*records), at(day)
    )
    assert {one.audience for one in found} <= {"lead:EHM-A/FSW", "administrator:SCH-A"}
    facts = ("days", "reason", "decision")
    return [
        " ".join([one.kind, *(str(one.facts[name]) for name in facts if name in one.facts)])
        for one in found
    ]


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-10-03", []),
        ("2026-10-04", ["consent.expiring 28 d1"]),
        ("2026-10-17", ["consent.expiring 28 d1"]),
        ("2026-10-18", ["consent.expiring 14 d1"]),
        ("2026-10-29", ["consent.expiring 3 d1"]),
        ("2026-10-31T23:59", ["consent.expiring 3 d1"]),
        ("2026-11-01", ["consent.expired d1"]),
    ],
)
def test_the_lead_is_warned_28_14_and_3_days_before(day: str, expected: list[str]) -> None:
    """`domain.md` 4.4, expired: and told on the day itself; the gate stops it by itself."""
    assert said(mia(expires_at="2026-11-01"), day=day) == expected


def test_a_fresh_decision_ends_the_warnings() -> None:
    """What nothing rests on any more warns nobody."""
    first, second = mia(expires_at="2026-11-01"), mia(expires_at="2027-06-01")

    assert said(first, second, day="2026-10-30") == []
    assert said(first, mia("WITHDRAWN", withdrawal_type="STORE"), day="2026-10-30") == []


def test_a_review_that_was_due_is_said() -> None:
    """From the day of ``review_by`` on."""
    assert said(mia(), day="2026-11-30") == []
    assert said(mia(), day="2026-12-01") == ["consent.review_due d1"]


def test_birthdays_ask_for_a_fresh_decision() -> None:
    """At 16 while a parent's decision is used, at 18 until the young person has decided."""
    tree = {**TREE, "subjects": [{"subject_id": "bea", "date_of_birth": "2010-10-01"}]}
    grown = {**TREE, "subjects": [{"subject_id": "bea", "date_of_birth": "2008-10-01"}]}
    own = young(
        scope_includes=[item(HOU)], given_by_basis="YA_18P", signed_at="2026-10-02T09:00:00Z"
    )

    assert said(mia(), day="2026-09-30", tree=tree) == []
    assert said(mia(), day="2026-10-02", tree=tree) == ["consent.decision_due TURNED_16"]
    assert said(mia(), own, day="2026-10-03", tree=tree) == []
    assert "consent.decision_due TURNED_18" in said(mia(), day="2026-10-02", tree=grown)
    assert said(mia(), own, day="2026-10-03", tree=grown) == []


def test_a_child_judged_competent_is_to_be_asked() -> None:
    """Until she has decided."""
    judged = {"judged_by": "p1", "judged_at": "2026-09-10T09:00:00Z", "outcome": "COMPETENT"}
    asked = mia("ASKED", competence_judgement=judged, scope_includes=None)

    assert said(mia(), asked, day="2026-09-20") == ["consent.decision_due JUDGED_COMPETENT"]
    assert said(mia(), asked, young(scope_includes=[item(HOU)]), day="2026-09-20") == []


def test_a_giver_without_parental_responsibility_is_said() -> None:
    """While what they gave would still be in force."""
    tie = {"subject_id": "bea", "has_parental_responsibility": "N"}
    tree = {**TREE, "parents_carers": [{"parent_carer_id": "mia", "relationships": [tie]}]}

    assert said(mia(), day="2026-09-20", tree=tree) == ["consent.giver_lost d1"]
    assert "consent.giver_lost d1" not in said(mia(), day="2027-09-20", tree=tree)
    assert said(mia("STORE_ONLY", scope_includes=None), day="2026-09-20", tree=tree) == []


def test_a_dispute_is_said_until_it_is_settled() -> None:
    """With the refusal that holds what the other parent gave."""
    refused = record(
        "REFUSED",
        subject_id="bea",
        given_by_person="jon",
        pr_basis="FATHER_REG",
        refusal_scope="SERVICE",
        scope_excludes=[item(HOU)],
    )

    assert said(refused, mia(), day="2026-09-20") == ["consent.disputed d1"]
    assert said(refused, mia(supersedes="d1"), day="2026-09-20") == []


def test_without_a_lead_the_owner_s_administrator_hears() -> None:
    """Nobody's warning is lost because nobody leads."""
    assert said(mia(), day="2026-12-02", lead=None) == ["consent.review_due d1"]


@pytest.mark.parametrize(
    ("hours", "audiences"),
    [
        (23, []),
        (24, ["administrator:HOU-A"]),
        (71, ["administrator:HOU-A"]),
        (72, ["administrator:HOU-A", "protocol-owner:HOU-A"]),
    ],
)
@pytest.mark.parametrize("state", [State.PENDING, State.HANDED_OVER, State.QUARANTINED])
async def test_a_recall_is_escalated_after_a_day_and_after_three(
    hours: int, audiences: list[str], state: State
) -> None:
    """`domain.md` 7.1, wherever it got stuck; an acknowledged one and other messages are not."""
    world = World(partners=PARTNERS)
    start = world.clock.now()
    rows = [
        head(),
        delivery("r1", message_type="N10", priority=1, state=state, created_at=start),
        delivery("r2", 2, message_type="N10", priority=1, state=State.DELIVERED, created_at=start),
        delivery("c1", 3, state=State.HANDED_OVER, created_at=start),
    ]
    await world.store.run(writing(*rows))

    def unit(session: Any) -> Any:
        return RecallDuty(REGISTRY).due(session, "e1", start + timedelta(hours=hours))

    due = await world.store.run(unit)

    assert [one.audience for one in due.alerts] == audiences
    assert {one.delivery_id for one in due.alerts} <= {"r1"}
    assert {one.kind for one in due.alerts} <= {"recall.unacknowledged"}
