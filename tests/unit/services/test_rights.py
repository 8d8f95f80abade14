"""What the agreements let one recipient see: the same answers as cell by cell, all at once."""

from typing import Any

import pytest

from hub.domain.consent import Agreements, Ask
from hub.domain.decision import SHAREABLE
from hub.services.permits import BASIC, SECTION, SENSITIVE
from hub.services.rights import Rights, named_alone
from tests.unit.domain.decisions import NOW, item, record, recorded

SCH, HOU = "SCH-A/SCH", "HOU-A/HOUS"
ALL_BUT = record(
    scope_includes=[item(SCH), item(SCH, "sec.child.health", sensitive=True)],
    scope_excludes=[item(SCH, "sec.family")],
)
NAMED = record(
    scope_includes=[
        item(SCH, "sec.plan", sensitive=True),
        item(SCH, "sec.review"),
        item(SCH, "sec.identity", to="2026-09-10"),
    ]
)


def bits(agreements: Agreements, section: str, ask: Ask) -> int:
    """Return what cell by cell the agreements say."""
    cell, basic = (
        agreements.section("ava", section, ask),
        agreements.basic("ava", section, ask),
    )
    return BASIC * basic.permitted | SECTION * cell.permitted | SENSITIVE * cell.sensitive


@pytest.mark.parametrize(
    "records",
    [
        [],
        [record("STORE_ONLY")],
        [record("REFUSED", store_decision="no")],
        [ALL_BUT],
        [NAMED],
        [NAMED, record("WIDENED", scope_includes=[item(SCH, sensitive=True)])],
        [ALL_BUT, record("NARROWED", scope_excludes=[item(SCH, "sec.child.health")])],
        [ALL_BUT, record("WITHDRAWN", withdrawal_type="SHARE_ALL")],
        [ALL_BUT, record("WIDENED", scope_includes=[item(SCH, "sec.plan", to="2026-09-10")])],
        [record(scope_includes=[item(HOU)], scope_excludes=[item(SCH, sensitive=True)])],
    ],
)
@pytest.mark.parametrize("service", [SCH, HOU])
def test_all_at_once_is_cell_by_cell(records: list[dict[str, Any]], service: str) -> None:
    """Every section that may be shared, and none that may not."""
    agreements = Agreements(recorded(*records), ["ava"], [])
    ask = Ask(service, "PLAN", NOW)
    rights = Rights(agreements, ask)

    for section in SHAREABLE:
        assert rights("ava")[section] == bits(agreements, section, ask), section
    assert rights("ava").keys() == SHAREABLE
    assert set(rights("nobody").values()) == {0}


def test_what_was_kept_names_its_decisions() -> None:
    """A basic leaf rests on the listing, others on their section; a refusal on nothing."""
    wider = record("WIDENED", scope_includes=[item(SCH, "sec.conclusions")])
    agreements = Agreements(recorded(NAMED, wider), ["ava"], [])
    rights = Rights(agreements, Ask(SCH, "PLAN", NOW))

    assert rights.decisions([]) == frozenset()
    assert rights.decisions([(("ava",), "sec.plan", SECTION)]) == {"d1"}
    assert rights.decisions([(("ava",), "sec.family", BASIC)]) == {"d2"}
    assert rights.decisions([(("ava", "ben"), "sec.conclusions", SENSITIVE)]) == {"d2"}
    assert rights("ava")["sec.plan"] == BASIC | SECTION | SENSITIVE
    assert rights.decisions([(("ava",), "sec.review", SECTION)]) == {"d1"}


def test_only_the_sections_named_count_in_what_is_pulled() -> None:
    """Whatever else the decisions allow, nobody asked for it."""
    alone = named_alone(
        Rights(Agreements(recorded(NAMED), ["ava"], []), Ask(SCH, "PLAN", NOW)), ("sec.plan",)
    )

    assert alone("ava") == {"sec.plan": BASIC | SECTION | SENSITIVE}
