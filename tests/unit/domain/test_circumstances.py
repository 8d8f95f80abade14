"""Birthdays, lost parental responsibility and disagreeing parents, in the decision itself."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.domain.circumstances import birthday, circumstances
from hub.domain.consent import LISTED, Agreements, Ask
from hub.errors import Code
from tests.unit.domain.decisions import item, record, recorded, young

HOU, SCH = "HOU-A/HOUS", "SCH-A/SCH"


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def shown(born: str | None = "2010-10-01", **responsibility: str) -> dict[str, Any]:
    """Return an episode of Bea's, and who of her parents has parental responsibility."""
    return {
        "subjects": [{"subject_id": "bea", **({"date_of_birth": born} if born else {})}],
        "parents_carers": [
            {
                "parent_carer_id": name,
                "relationships": [{"subject_id": "bea", "has_parental_responsibility": has}],
            }
            for name, has in responsibility.items()
        ],
    }


def mia(state: str = "SHARE", **changes: Any) -> dict[str, Any]:
    return record(state, subject_id="bea", **changes)


def jon(state: str = "SHARE", **changes: Any) -> dict[str, Any]:
    return mia(state, **{"given_by_person": "jon", "pr_basis": "FATHER_REG"} | changes)


def sees(
    *records: dict[str, Any], tree: Any = None, day: str = "2026-09-20", service: str = HOU
) -> list[str]:
    """Return the sections of Bea that *service* may see that day; fine ones with a star."""
    agreements = Agreements(recorded(*records), ["bea"], [], known=circumstances(tree))
    ask = Ask(service, "PLAN", at(day))
    cells = {"": agreements.listed("bea", ask)} | {
        name: agreements.section("bea", f"sec.{name}", ask) for name in ("plan", "identity")
    }
    return [
        name + "*" * bool(name and cell.sensitive) for name, cell in cells.items() if cell.permitted
    ]


SHARED = mia(scope_includes=[item(HOU, "sec.plan")], review_by="2026-12-01")


@pytest.mark.parametrize(
    ("born", "age", "day"),
    [
        ("2010-10-01", 16, "2026-10-01"),
        ("2010-02-28", 18, "2028-02-28"),
        ("2008-02-29", 16, "2024-02-29"),
        ("2008-02-29", 18, "2026-03-01"),
        ("2084-02-29", 16, "2100-03-01"),
        ("2010-02", 16, "2026-02-28"),
        ("2008-02", 18, "2026-03-01"),
        ("2010", 16, "2026-12-31"),
        ("soon", 16, None),
        ("2010-13", 16, None),
        ("2010-02-30", 16, None),
        ("", 16, None),
        (2010, 16, None),
        ("9999", 16, None),
    ],
)
def test_a_birthday_is_the_first_certain_moment(born: Any, age: int, day: str | None) -> None:
    """A partial date counts from its last day; what is no date is no birthday."""
    found = birthday(born, age)

    assert (found and found.date().isoformat()) == day


def test_a_parent_s_scope_stands_at_sixteen_until_the_next_review() -> None:
    """4.4: it is kept, and continuity is not assumed beyond the review (1 December)."""
    tree = shown("2010-10-01")

    assert sees(SHARED, tree=tree, day="2026-10-02") == ["", "plan"]
    assert sees(SHARED, tree=tree, day="2026-11-30") == ["", "plan"]
    assert sees(SHARED, tree=tree, day="2026-12-01") == []
    assert sees(SHARED, tree=shown("2011-10-01"), day="2026-12-01") == ["", "plan"]
    # The last review on record was before the birthday: only the expiry is known.
    assert sees(SHARED, tree=shown("2010-12-02"), day="2027-03-01") == ["", "plan"]
    assert sees(SHARED, tree=shown("2010-12-01"), day="2026-12-01") == []


def test_a_parent_s_scope_never_widens_from_sixteen_on() -> None:
    """Not by a date that was named before, and not by a decision signed afterwards."""
    later = mia(
        scope_includes=[item(HOU, "sec.plan"), item(HOU, "sec.identity", from_="2026-10-01")]
    )
    tree, before = shown("2010-10-01"), shown("2010-10-02")
    signed = "2026-10-01T09:00:00Z"
    after = mia(scope_includes=[item(HOU)], signed_at=signed)
    unable = after | {"competence_judgement": {"outcome": "NOT_COMPETENT"}}
    able = after | {"competence_judgement": {"outcome": "COMPETENT"}}

    assert sees(later, tree=tree, day="2026-10-03") == ["", "plan"]
    assert sees(later, tree=before, day="2026-10-03") == ["", "plan", "identity"]
    assert sees(after, tree=tree, day="2026-10-03") == []
    assert sees(able, tree=tree, day="2026-10-03") == []
    assert sees(unable, tree=tree, day="2026-10-03") == ["", "plan", "identity"]


@pytest.mark.parametrize(
    ("giver", "until"),
    [
        ({}, "2026-09-30"),
        ({"given_by_basis": "LA_PR"}, "2026-09-30"),
        ({"given_by_person": "bea", "given_by_basis": "YP_16_17", "pr_basis": None}, None),
    ],
)
def test_at_eighteen_the_young_person_alone(giver: dict[str, Any], until: str | None) -> None:
    """What a parent agreed to, storing and the index too, is over that day; their own goes on."""
    tree = shown("2008-10-01")
    basis = {"review_by": None, "competence_judgement": {"outcome": "NOT_COMPETENT"}}
    said = mia(scope_includes=[item(HOU)], **basis | giver)
    agreements = Agreements(recorded(said), ["bea"], [], known=circumstances(tree))
    birthday = at("2026-10-01")

    assert sees(said, tree=tree, day="2026-09-30") == ["", "plan", "identity"]
    assert bool(sees(said, tree=tree, day="2026-10-01")) is (until is None)
    assert agreements.may_store("bea", birthday) is (until is None)
    assert agreements.index("bea", birthday) == ("no" if until else "yes")
    if until:
        cell = agreements.listed("bea", Ask(HOU, "PLAN", birthday))
        assert cell.reason is Code.CONSENT_EXPIRED


def test_a_carer_s_word_to_store_ends_at_eighteen() -> None:
    """Whoever stood in for the child no longer does."""
    carer = mia("STORE_ONLY", given_by_basis="CARER_NO_PR", pr_basis=None)
    known = circumstances(shown("2008-10-01"))
    agreements = Agreements(recorded(carer), ["bea"], [], known=known)

    assert agreements.may_store("bea", at("2026-09-30"))
    assert not agreements.may_store("bea", at("2026-10-01"))


def test_lost_parental_responsibility_holds_what_was_given() -> None:
    """Nothing new leaves on it; storing stands, and so does what another parent agreed to."""
    tree = shown(None, mia="N", jon="Y")
    agreements = Agreements(recorded(SHARED), ["bea"], [], known=circumstances(tree))

    assert sees(SHARED, tree=shown(None, mia="Y")) == ["", "plan"]
    assert sees(SHARED, tree=tree) == []
    assert sees(SHARED, tree=shown(None, mia="U")) == []
    assert agreements.may_store("bea", at("2026-09-20"))
    assert sees(SHARED, jon(scope_includes=[item(HOU, "sec.identity")]), tree=tree) == [
        "",
        "identity",
    ]
    assert sees(SHARED | {"given_by_basis": "LA_PR"}, tree=tree) == ["", "plan"]


def test_a_lost_parent_s_no_stands() -> None:
    """No merge widens: what was refused stays refused until a resolution is recorded."""
    refusal = mia("REFUSED", refusal_scope="SERVICE", scope_excludes=[item(HOU)])
    tree = shown(None, mia="N", jon="Y")
    given = jon(scope_includes=[item(HOU)])

    assert sees(given, refusal, tree=tree) == []
    assert sees(refusal, given, tree=tree) == []
    assert sees(refusal, given | {"supersedes": "d1"}, tree=tree) == ["", "plan", "identity"]


REFUSED = jon("REFUSED", refusal_scope="SERVICE", scope_excludes=[item(HOU)])
GIVEN = mia(scope_includes=[item(HOU, sensitive=True), item(SCH)])


def test_parents_who_disagree_leave_it_refused() -> None:
    """4.1: whichever of them spoke last; the other service is not in dispute."""
    for order in ((GIVEN, REFUSED), (REFUSED, GIVEN)):
        assert sees(*order) == []
        assert sees(*order, service=SCH) == ["", "plan", "identity"]


def test_a_disputed_section_alone_is_held() -> None:
    """The rest of what the service gets goes on."""
    refused = jon("REFUSED", refusal_scope="SECTION", scope_excludes=[item(HOU, "sec.plan")])
    fine = jon(
        "REFUSED", refusal_scope="SECTION", scope_excludes=[item(HOU, "sec.plan", sensitive=True)]
    )

    assert sees(refused, GIVEN) == ["", "identity*"]
    assert sees(fine, GIVEN) == ["", "plan", "identity*"]


def test_refusing_everything_disputes_everything() -> None:
    """A refusal of all, or a withdrawal, holds whatever the other parent gives."""
    for no in (jon("REFUSED", purpose=["PLAN"]), jon("WITHDRAWN", withdrawal_type="SHARE_ALL")):
        assert sees(no, GIVEN) == []
        assert sees(no, GIVEN, service=SCH) == []


def test_a_recorded_resolution_ends_the_dispute() -> None:
    """A parent's decision that supersedes the refusal settles it; the same words alone do not."""
    again = mia(scope_includes=[item(HOU, "sec.plan")])

    assert sees(GIVEN, REFUSED, again) == []
    assert sees(GIVEN, REFUSED, again | {"supersedes": "d2"}) == ["", "plan"]
    assert sees(GIVEN, REFUSED, again | {"supersedes": "d1"}) == []


@pytest.mark.parametrize(
    "no",
    [
        jon("ASKED"),
        mia("WITHDRAWN", withdrawal_type="SHARE_SECTION", scope_excludes=[item(SCH, "sec.plan")]),
        young("WITHDRAWN", withdrawal_type="SHARE_SERVICE", scope_excludes=[item(SCH)]),
        jon("NARROWED"),
        jon(share_decision="no", scope_includes=[item(SCH)]),
        jon("NARROWED", scope_includes=[item(SCH)], informed=None),
        jon("WIDENED", scope_includes=[item(SCH)], pr_basis=None, given_by_basis="CARER_NO_PR"),
        mia("WIDENED", scope_includes=[item(SCH)], given_by_person="lou"),
    ],
)
def test_only_a_yes_that_holds_settles_a_dispute(no: dict[str, Any]) -> None:
    """P26: no question, no withdrawal, and nobody who may not say yes opens what was refused."""
    tree = shown(None, mia="Y", jon="Y", lou="N")

    assert sees(REFUSED, GIVEN, no | {"supersedes": "d1"}, tree=tree) == []
    assert sees(REFUSED, no | {"supersedes": "d1"}, GIVEN, tree=tree) == []
    yes = jon("WIDENED", scope_includes=[item(SCH)], supersedes="d1")
    assert sees(REFUSED, GIVEN, yes, tree=tree) == ["", "plan*", "identity*"]


def test_a_parent_takes_back_their_own_no() -> None:
    """Who refused and then agrees disputes nothing any more, even when that yes is over."""
    back = jon(scope_includes=[item(HOU, "sec.plan")])
    over = jon(scope_includes=[item(HOU, "sec.plan")], expires_at="2026-09-10")

    assert sees(REFUSED, back, GIVEN) == ["", "plan"]
    assert sees(REFUSED, over, GIVEN) == ["", "plan"]
    assert sees(REFUSED, GIVEN, back) == ["", "plan"]


def test_silence_and_storing_alone_dispute_nothing() -> None:
    """At least one parent consents; who agreed to storing has not refused, nor has a misprint."""
    silent = jon("STORE_ONLY")
    uninformed = jon(scope_includes=[item(HOU)], informed=None)

    assert sees(silent, GIVEN) == ["", "plan*", "identity*"]
    assert sees(uninformed, GIVEN) == ["", "plan*", "identity*"]
    assert sees(REFUSED, uninformed, GIVEN) == []
    assert sees(REFUSED, silent, GIVEN) == []


def test_one_s_own_change_of_mind_is_no_dispute() -> None:
    """The same parent's newest word counts."""
    mine = mia("REFUSED", refusal_scope="SERVICE", scope_excludes=[item(HOU)])

    assert sees(mine, GIVEN) == ["", "plan*", "identity*"]
    assert sees(mine, GIVEN, jon("STORE_ONLY")) == []


def test_a_competent_young_person_settles_a_dispute() -> None:
    """Her own word beats both."""
    own = young(scope_includes=[item(HOU, "sec.plan")])

    assert sees(REFUSED, GIVEN, own) == ["", "plan"]


def test_a_no_for_another_purpose_disputes_only_that() -> None:
    """What was refused for moving to another authority is not refused for the plan."""
    narrow = jon("REFUSED", refusal_scope="SERVICE", scope_excludes=[item(HOU, purpose="TRANSFER")])
    special = jon("REFUSED", purpose=["TRANSFER"])

    assert sees(narrow, GIVEN) == ["", "plan*", "identity*"]
    assert sees(special, GIVEN) == ["", "plan*", "identity*"]


def test_the_listing_itself_is_held_with_the_service() -> None:
    """Of a refused service not even the name goes, and the answer says refused."""
    agreements = Agreements(recorded(REFUSED, GIVEN), ["bea"], [])
    cell = agreements.listed("bea", Ask(HOU, "PLAN", at("2026-09-20")))

    assert (cell.permitted, cell.excluded, cell.decision_id) == (False, True, "d1")
    assert cell.reason is Code.CONSENT_NONE
    assert agreements.listed("bea", Ask(SCH, "PLAN", at("2026-09-20"))).permitted
    assert LISTED == "listed"


def test_what_was_taken_back_in_part_is_refused_in_the_rest() -> None:
    """Agreeing to a section leaves one's own no to what is sensitive in it."""
    back = jon("WIDENED", scope_includes=[item(HOU, "sec.plan")])

    assert sees(jon("REFUSED"), GIVEN, back) == ["", "plan"]


def test_a_word_that_does_not_hold_takes_no_refusal_back() -> None:
    """Who refused and was then written down without an explanation has still refused."""
    unsound = jon("NARROWED", scope_includes=[item(HOU, "sec.plan")], informed=None)

    assert sees(REFUSED, unsound, GIVEN) == []


def test_what_an_unsound_yes_leaves_out_is_no_refusal() -> None:
    """Neither it nor storing alone is a word about sharing."""
    for said in (jon(informed=None), jon("STORE_ONLY")):
        assert sees(said | {"scope_excludes": [item(HOU)]}, GIVEN) == ["", "plan*", "identity*"]


def test_a_resolution_settles_the_refusal_that_it_names_and_no_other() -> None:
    """A section that was refused opens again; an older no to more of it stands."""
    section = jon("REFUSED", refusal_scope="SECTION", scope_excludes=[item(HOU, "sec.plan")])
    fine = jon("NARROWED", scope_excludes=[item(HOU, "sec.plan", sensitive=True)])
    resolved = mia("WIDENED", scope_includes=[item(HOU, "sec.plan", sensitive=True)])

    assert sees(GIVEN, section, resolved | {"supersedes": "d2"}) == ["", "plan*", "identity*"]
    assert sees(GIVEN, fine, resolved | {"supersedes": "d2"}) == ["", "plan*", "identity*"]
    assert sees(GIVEN, section, fine, resolved | {"supersedes": "d3"}) == ["", "identity*"]


def dispute(*records: dict[str, Any], **more: Any) -> tuple[str | None, Code | None]:
    """Return the refusal that housing is held back by, and the reason that is told."""
    agreements = Agreements(recorded(*records), ["bea"], [], **more)
    ask = Ask(HOU, "PLAN", at("2026-09-20"))
    return agreements.disputed("bea", ask), agreements.listed("bea", ask).reason


def test_a_dispute_is_known_by_its_refusal() -> None:
    """Only where somebody gave, another parent refused, and nothing else is in the way."""
    plain = mia(scope_includes=[item(HOU, "sec.plan")])
    over = mia(scope_includes=[item(HOU, to="2026-09-10")])
    unstored = mia("WITHDRAWN", withdrawal_type="STORE", supersedes="d2")

    assert dispute(REFUSED, GIVEN) == dispute(REFUSED, plain) == ("d1", Code.CONSENT_NONE)
    assert dispute(plain, REFUSED)[0] is None  # the newer no decides by itself
    assert dispute(REFUSED, mia(scope_includes=[item(SCH)])) == (None, Code.CONSENT_NONE)
    assert dispute(REFUSED, over) == (None, Code.CONSENT_EXPIRED)
    lapsed = mia("NARROWED", scope_excludes=[item(SCH)], expires_at="2026-09-10")
    assert dispute(REFUSED, GIVEN, unstored)[0] is None
    assert dispute(REFUSED, GIVEN, lapsed) == (None, Code.CONSENT_EXPIRED)
    assert dispute(GIVEN) == dispute(jon("STORE_ONLY"), GIVEN) == (None, None)
    assert dispute(REFUSED, GIVEN, closed_at=at("2026-09-19")) == (None, Code.CONSENT_EXPIRED)
    assert Agreements([], ["bea"], []).disputed("bea", Ask(HOU, "PLAN", at("2026-09-20"))) is None


@pytest.mark.parametrize("basis", [["PR_HOLDER"], {}, 7, None])
def test_a_basis_that_cannot_be_read_limits_nothing(basis: Any) -> None:
    """It opens nothing anyhow, and the birthdays of the child raise no error."""
    assert sees(SHARED, SHARED | {"given_by_basis": basis}, tree=shown(None, mia="N")) == []
    assert sees(SHARED | {"given_by_basis": basis}, tree=shown("2008-10-01")) == []


def test_dates_that_are_missing_limit_nothing_more() -> None:
    """Without a review only the expiry counts, and without a signature there is no yes."""
    tree = shown("2010-10-01")

    assert sees(SHARED | {"review_by": None}, tree=tree, day="2026-12-02") == ["", "plan"]
    assert sees(SHARED | {"signed_at": None}, tree=tree, day="2026-10-02") == []
    assert sees(SHARED | {"signed_at": "2026-10-01"}, tree=tree, day="2026-10-02") == []
    assert sees(SHARED | {"signed_at": "2026-09-30"}, tree=tree, day="2026-10-02") == ["", "plan"]


def test_a_tie_to_nobody_says_nothing_of_responsibility() -> None:
    """What an episode leaves out is no loss of anybody's."""
    ties = [{"has_parental_responsibility": "N"}, {"subject_id": "bea"}]
    tree = {"parents_carers": [{"parent_carer_id": "mia", "relationships": ties}]}

    assert circumstances(tree).without == frozenset()


def test_what_is_held_has_no_end_to_warn_of() -> None:
    """What nothing leaves on any more does not end either; what lets store does."""
    given = mia(scope_includes=[item(HOU)], store_decision="no")

    for mothers, ends in (("Y", {"d1"}), ("N", set())):
        known = circumstances(shown(None, mia=mothers))
        agreements = Agreements(recorded(given), ["bea"], [], known=known)
        assert agreements.ends("bea").keys() == ends
