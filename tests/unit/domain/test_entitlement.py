"""Who may decide what: the checks before a decision is recorded."""

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.domain.entitlement import check_decision
from tests.unit.domain.decisions import NOW, adult, item, record, recorded, young

HOU, SCH, SXH = "HOU-A/HOUS", "SCH-A/SCH", "SXH-A/SXHS"
TREE: dict[str, Any] = {
    "subjects": [
        {"subject_id": "ava", "is_unborn": False, "date_of_birth": "2016-05-14"},
        {"subject_id": "bea", "is_unborn": False, "date_of_birth": "2012-02-20"},
        {"subject_id": "dan", "is_unborn": False, "date_of_birth": "2009-09"},
        {"subject_id": "eli", "is_unborn": False, "date_of_birth": "2007-01-01"},
        {"subject_id": "unborn", "is_unborn": True, "expected_date_of_delivery": "2026-11"},
    ],
    "parents_carers": [
        {
            "parent_carer_id": "mia",
            "relationships": [
                {"subject_id": person, "has_parental_responsibility": "Y", "pr_basis": "MOTHER"}
                for person in ("ava", "bea", "dan", "eli", "unborn")
            ],
        },
        {
            "parent_carer_id": "jon",
            "relationships": [{"subject_id": "ava", "has_parental_responsibility": "N"}],
        },
    ],
}
SHARED = record(scope_includes=[item(SCH, sensitive=True), item(HOU, "sec.plan")])
EVERYBODY = [item(SCH)]


def faults(new: dict[str, Any], *earlier: dict[str, Any], tree: Any = TREE) -> list[str]:
    """Return "code path" for each fault of *new* after *earlier*."""
    new = {
        "consent_decision_id": "new",
        **{k: v for k, v in new.items() if k != "consent_decision_id"},
    }
    found = check_decision(new, earlier=recorded(*earlier), tree=tree, at=NOW)
    return sorted(
        f"{fault.code} {fault.path.removeprefix('/consent_decision/')}" for fault in found
    )


@pytest.mark.parametrize(
    "sound",
    [
        SHARED,
        record("STORE_ONLY"),
        record("STORE_ONLY", given_by_basis="CARER_NO_PR", pr_basis=None, given_by_person="gran"),
        record("REFUSED", refusal_scope="WHOLE_CAF", store_decision="no", informed=None),
        record("WITHDRAWN", withdrawal_type="SHARE_ALL", informed=None, expires_at=None),
        record("WITHDRAWN", withdrawal_type="STORE", pr_basis=None, review_by=None, method=None),
        record("NARROWED", scope_excludes=[item(SCH, "sec.plan")], informed=None, review_by=None),
        young(scope_includes=EVERYBODY),
        young(
            subject_id="dan",
            given_by_person="dan",
            given_by_basis="YP_16_17",
            scope_includes=EVERYBODY,
        ),
        young(
            subject_id="eli",
            given_by_person="eli",
            given_by_basis="YA_18P",
            scope_includes=EVERYBODY,
        ),
        adult(scope_includes=EVERYBODY),
        record(subject_id="unborn", scope_includes=EVERYBODY),
        record(given_by_person="somebody the tree does not know", scope_includes=EVERYBODY),
    ],
)
def test_a_sound_decision_is_recorded(sound: dict[str, Any]) -> None:
    """Every kind of giver has a lawful way, and a no needs no formalities."""
    assert faults(sound) == []


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (record(scope_includes=EVERYBODY, pr_basis=None), ["E_CONSENT_GIVER pr_basis"]),
        (
            record(scope_includes=EVERYBODY, given_by_person="jon"),
            ["E_CONSENT_GIVER given_by_person"],
        ),
        (
            record(scope_includes=EVERYBODY, subject_id="bea", given_by_person="jon"),
            ["E_CONSENT_GIVER given_by_person"],
        ),
        (
            record(scope_includes=EVERYBODY, given_by_basis="CARER_NO_PR"),
            ["E_CONSENT_GIVER given_by_basis"],
        ),
        (
            young(scope_includes=EVERYBODY, competence_judgement={"outcome": "NOT_COMPETENT"}),
            ["E_CONSENT_GIVER competence_judgement/outcome"],
        ),
        (
            young(scope_includes=EVERYBODY, given_by_person="mia"),
            ["E_CONSENT_GIVER given_by_person"],
        ),
        (
            young(scope_includes=EVERYBODY, given_by_basis="YP_16_17"),
            ["E_CONSENT_GIVER given_by_basis"],
        ),
        (
            young(scope_includes=EVERYBODY, subject_id="eli", given_by_person="eli"),
            ["E_CONSENT_GIVER given_by_basis"],
        ),
        (record(scope_includes=EVERYBODY, subject_id="eli"), ["E_CONSENT_GIVER given_by_basis"]),
        (
            adult(scope_includes=EVERYBODY, given_by_person="jon"),
            ["E_CONSENT_GIVER given_by_basis"],
        ),
        (
            record(scope_includes=EVERYBODY, given_by_basis="ADULT_SELF"),
            ["E_CONSENT_GIVER given_by_basis"],
        ),
        (
            record(scope_includes=EVERYBODY, subject_id="jon"),
            ["E_CONSENT_GIVER given_by_basis", "E_CONSENT_GIVER given_by_person"],
        ),
        (
            record(scope_includes=EVERYBODY, subject_id="unborn", pr_basis="FATHER_REG"),
            ["E_CONSENT_GIVER pr_basis"],
        ),
        (
            record(scope_includes=EVERYBODY, subject_id="nobody"),
            [
                "E_CONSENT_GIVER given_by_person",
                "E_REFERENCE subject_id",
            ],
        ),
        (
            record(scope_includes=EVERYBODY, informed={"reasons_explained": False}),
            ["E_RULE informed/reasons_explained"],
        ),
        (record("STORE_ONLY", informed=None), ["E_RULE informed/reasons_explained"]),
        (record(scope_includes=EVERYBODY, expires_at=None), ["E_REQUIRED expires_at"]),
        (record(scope_includes=EVERYBODY, review_by=None), ["E_REQUIRED review_by"]),
        (record(scope_includes=EVERYBODY, index_consent=None), ["E_REQUIRED index_consent"]),
        (
            record(scope_includes=EVERYBODY, expires_at="2027-09-01T09:00:01Z"),
            ["E_RULE expires_at"],
        ),
        (record(scope_includes=EVERYBODY, expires_at="2026-08-01"), ["E_RULE expires_at"]),
        (record(scope_includes=EVERYBODY, expires_at="next year"), ["E_FORMAT expires_at"]),
        (record(), ["E_REQUIRED scope_includes"]),
        (record("WIDENED"), ["E_REQUIRED scope_includes"]),
        (record(share_decision="no"), ["E_RULE share_decision"]),
        (record("STORE_ONLY", scope_includes=EVERYBODY), ["E_RULE scope_includes"]),
        (record("WITHDRAWN"), ["E_REQUIRED withdrawal_type"]),
        (record("WITHDRAWN", withdrawal_type="SHARE_SECTION"), ["E_REQUIRED scope_excludes"]),
        (
            record(scope_includes=[item(SCH, "sec.safeguarding")]),
            ["E_RULE scope_includes/0/section"],
        ),
        (record(scope_includes=[item(SCH, "sec.checklist")]), ["E_RULE scope_includes/0/section"]),
        (
            record(scope_includes=[item(SCH, action="re-share")]),
            ["E_CODELIST scope_includes/0/action"],
        ),
        (
            record(scope_includes=[item(SCH, purpose="RESEARCH")]),
            ["E_PURPOSE scope_includes/0/purpose"],
        ),
        (
            record(purpose=["TRANSFER"], scope_includes=[item(SCH)]),
            ["E_PURPOSE scope_includes/0/purpose"],
        ),
        (
            record(scope_includes=[item(SCH, from_="2026-10-01", to="2026-10-01")]),
            ["E_RULE scope_includes/0/to"],
        ),
        (record(scope_includes=[item(SCH, to="soon")]), ["E_FORMAT scope_includes/0/to"]),
        (
            record(
                scope_includes=EVERYBODY, scope_excludes=[item(SCH, "sec.plan", to="2026-12-01")]
            ),
            ["E_RULE scope_excludes/0/to"],
        ),
        (record(scope_includes=EVERYBODY, supersedes="d9"), ["E_REFERENCE supersedes"]),
    ],
)
def test_what_is_wrong_is_named_by_code_and_path(
    wrong: dict[str, Any], expected: list[str]
) -> None:
    """Each rule of 4.1 and 4.3 has its fault, and each fault its place."""
    assert faults(wrong) == expected


def test_faults_hold_no_values() -> None:
    """What a record says never comes back in an error."""
    canary = "CANARY"
    wrong = record(canary, given_by_person=canary, supersedes=canary, expires_at=canary)

    found = check_decision(wrong, earlier=[], tree=TREE, at=NOW)

    assert found
    assert canary not in repr(found)


def test_at_sixteen_the_young_person_is_asked() -> None:
    """4.1: capacity is presumed at 16 and 17; a parent decides only where it is judged absent."""
    parents = record(subject_id="dan", scope_includes=EVERYBODY)
    unable = parents | {"competence_judgement": {"outcome": "NOT_COMPETENT"}}
    later = datetime(2026, 10, 15, tzinfo=UTC)

    check = {
        at: [len(check_decision(r, earlier=[], tree=TREE, at=at)) for r in (parents, unable)]
        for at in (datetime(2025, 8, 1, tzinfo=UTC), later)
    }

    assert list(check.values()) == [[0, 0], [1, 0]]


def test_a_partial_date_of_birth_is_given_the_benefit() -> None:
    """Only a basis that is certainly wrong is refused: 2009-09 may be 16 or 17 this September."""
    on_the_edge = young(
        subject_id="dan",
        given_by_person="dan",
        given_by_basis="CHILD_COMPETENT",
        scope_includes=EVERYBODY,
    )
    before = datetime(2025, 9, 15, tzinfo=UTC)
    after = datetime(2025, 10, 1, tzinfo=UTC)

    assert check_decision(on_the_edge, earlier=[], tree=TREE, at=before) == []
    assert check_decision(on_the_edge, earlier=[], tree=TREE, at=after) != []


def test_a_narrowing_keeps_only_what_is_live() -> None:
    """The new scope is a subset of the old (T19), section by section."""
    within = record("NARROWED", scope_includes=[item(SCH, "sec.plan", sensitive=True)])
    beyond = record(
        "NARROWED",
        scope_includes=[item(HOU, "sec.plan"), item(HOU, "sec.review"), item(HOU)],
    )
    finer = record("NARROWED", scope_includes=[item(HOU, "sec.plan", sensitive=True)])

    assert faults(within, SHARED) == []
    assert faults(beyond, SHARED) == ["E_RULE scope_includes/1", "E_RULE scope_includes/2"]
    assert faults(finer, SHARED) == ["E_RULE scope_includes/0"]
    assert faults(within) == ["E_RULE scope_includes/0"]


OWN = young(scope_includes=[item(SXH)], scope_excludes=[item(SCH, "sec.child.health")])


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        (
            record("WIDENED", subject_id="bea", scope_includes=[item(SCH, "sec.child.health")]),
            ["E_CONSENT_GIVER scope_includes/0"],
        ),
        (
            record("WIDENED", subject_id="bea", scope_includes=[item(SCH)]),
            ["E_CONSENT_GIVER scope_includes/0"],
        ),
        (
            record("NARROWED", subject_id="bea", scope_excludes=[item(SXH)]),
            ["E_CONSENT_GIVER scope_excludes/0"],
        ),
        (
            record("WITHDRAWN", subject_id="bea", withdrawal_type="STORE", store_decision="no"),
            ["E_CONSENT_GIVER store_decision"],
        ),
        (
            record(subject_id="bea", scope_includes=[item(HOU, "sec.plan")], supersedes="d1"),
            ["E_CONSENT_GIVER supersedes"],
        ),
        (record("WIDENED", subject_id="bea", scope_includes=[item(SCH, "sec.plan")]), []),
        (record("WITHDRAWN", subject_id="bea", withdrawal_type="SHARE_ALL"), []),
    ],
)
def test_a_parent_does_not_overrule_a_competent_young_person(
    parents: dict[str, Any], expected: list[str]
) -> None:
    """S2: E_CONSENT_GIVER for Bea's own cells; what she did not speak about stays open."""
    assert faults(parents, OWN) == expected


JUDGED = {"judged_by": "p1", "judged_at": "2026-09-10T09:00:00Z", "outcome": "COMPETENT"}
ASKED = record("ASKED", subject_id="bea", competence_judgement=JUDGED)


def test_a_child_newly_judged_competent_is_asked_first() -> None:
    """4.4: until she has decided, a parent keeps what was agreed and gives nothing more."""
    more = record(subject_id="bea", scope_includes=EVERYBODY)
    widened = record("WIDENED", subject_id="bea", scope_includes=EVERYBODY)
    wrong = ["E_CONSENT_GIVER given_by_basis"]
    unable = more | {"competence_judgement": {**JUDGED, "outcome": "NOT_COMPETENT"}}
    own = young(scope_includes=[item(HOU)])

    assert faults(more, record("ASKED", subject_id="bea")) == []
    assert faults(more, ASKED) == faults(widened, ASKED) == wrong
    assert faults(record("WITHDRAWN", subject_id="bea", withdrawal_type="SHARE_ALL"), ASKED) == []
    assert faults(own, ASKED) == []
    assert faults(unable, ASKED) == []
    assert faults(more, ASKED, unable) == []
    assert faults(more, ASKED, own) == []  # what she did not speak about stays open
    assert faults(more, ASKED | {"subject_id": "ava"}) == []
    assert faults(more | {"competence_judgement": JUDGED}) == wrong


def test_before_birth_no_authority_stands_in_for_the_mother() -> None:
    """4.1: there is nobody else with parental responsibility yet."""
    authority = {"subject_id": "unborn", "given_by_basis": "LA_PR", "given_by_person": "la"}

    assert faults(record(scope_includes=EVERYBODY, **authority)) == [
        "E_CONSENT_GIVER given_by_basis"
    ]
    assert faults(record("WITHDRAWN", withdrawal_type="SHARE_ALL", **authority)) == []


def test_after_the_sixteenth_birthday_a_narrowing_is_measured_by_what_still_stands() -> None:
    """What a parent gave and the birthday has ended cannot be kept by a narrowing."""
    tree = {"subjects": [{"subject_id": "bea", "date_of_birth": "2008-09-01"}]}
    given = record(subject_id="bea", scope_includes=[item(HOU)])
    narrowed = young(
        "NARROWED", given_by_basis="YA_18P", scope_includes=[item(HOU)], competence_judgement=None
    )

    assert faults(narrowed, given, tree=tree) == ["E_RULE scope_includes/0"]


def test_a_decision_is_recorded_once() -> None:
    """A change is a new record with a new id, about the same person."""
    again = record("STORE_ONLY", consent_decision_id="d1")
    others = adult(scope_includes=EVERYBODY, supersedes="d1")

    found = check_decision(again, earlier=recorded(SHARED), tree=TREE, at=NOW)

    assert [fault.code for fault in found] == ["E_DUPLICATE"]
    assert faults(others, SHARED) == ["E_REFERENCE supersedes"]


def test_before_the_first_version_the_record_stands_alone() -> None:
    """A decision may reach the hub before the episode does."""
    assert faults(SHARED, tree=None) == []


LAW: dict[str, Any] = {"given_by_basis": "LA_PR", "given_by_person": "la", "pr_basis": None}
SELF: dict[str, Any] = {"given_by_basis": "ADULT_SELF", "given_by_person": "ava", "pr_basis": None}
LOCATE = item(SCH, "sec.identity", action="locate", sensitive=True)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (record(informed=None, scope_includes=EVERYBODY), ["E_RULE informed/reasons_explained"]),
        (record(informed=True, scope_includes=EVERYBODY), ["E_RULE informed/reasons_explained"]),
        (record(informed=None), ["E_REQUIRED scope_includes", "E_RULE informed/reasons_explained"]),
        (record(signed_at=None, scope_includes=EVERYBODY), ["E_REQUIRED signed_at"]),
        (record(signed_at="soon", scope_includes=EVERYBODY), ["E_FORMAT signed_at"]),
        (record(scope_includes=EVERYBODY, expires_at="2027-09-01T09:00:00Z"), []),
        (record(scope_includes=EVERYBODY, expires_at="2026-09-01T09:00:00Z"),
         ["E_RULE expires_at"]),
        (record("WITHDRAWN", withdrawal_type="SHARE_ALL", expires_at="2026-08-01"), []),
        (record(scope_includes=EVERYBODY, subject_id=None), ["E_REFERENCE subject_id"]),
        (record(scope_includes=EVERYBODY, purpose=None),
         ["E_PURPOSE scope_includes/0/purpose", "E_REQUIRED purpose"]),
        (record("NARROWED", purpose=None, scope_excludes=EVERYBODY), []),
        (record("NARROWED", purpose=None, scope_includes=EVERYBODY),
         ["E_PURPOSE scope_includes/0/purpose", "E_REQUIRED purpose"]),
        (record(""), ["E_REQUIRED state"]),
        # Who gives
        (record(scope_includes=EVERYBODY, **SELF), ["E_CONSENT_GIVER given_by_basis"]),
        (young(scope_includes=EVERYBODY, competence_judgement="COMPETENT"),
         ["E_CONSENT_GIVER competence_judgement/outcome"]),
        (record("NARROWED", given_by_basis="CARER_NO_PR", scope_excludes=EVERYBODY), []),
        (record(scope_includes=EVERYBODY, **LAW), []),
        # Withdrawals and refusals in part
        (record("WITHDRAWN", withdrawal_type="SHARE_SECTION", scope_excludes=EVERYBODY), []),
        (record("WITHDRAWN", withdrawal_type="SHARE_SERVICE"), ["E_REQUIRED scope_excludes"]),
        # Items
        (record(scope_includes=[LOCATE]), []),
        (record(scope_includes=[LOCATE | {"section": "sec.plan"}]),
         ["E_RULE scope_includes/0/action"]),
        (record(scope_includes=[LOCATE | {"section": "all"}]), ["E_RULE scope_includes/0/action"]),
        (record(scope_includes=[LOCATE | {"sensitive": False}]),
         ["E_RULE scope_includes/0/action"]),
        (record(scope_includes=[item(SCH, action="view"), item(HOU, action="contribute")]), []),
        (record(scope_includes=[item(SCH, from_="2026-09-02", to="2026-10-01")]), []),
        (record(scope_includes=[item(SCH, from_="2026-10-01")]), []),
        (record(scope_includes=[item(SCH, to="2026-10-01")]), []),
        (record(scope_includes=[item(SCH, from_="2026-10-02", to="2026-10-01")]),
         ["E_RULE scope_includes/0/to"]),
        (record(scope_includes=[item(SCH, from_="soon")]), ["E_FORMAT scope_includes/0/from"]),
        (record(scope_includes=[item(SCH, purpose="TRANSFER")]), []),
        (record(purpose=["ASSESS"], scope_includes=[item(SCH)]), []),
    ],
)  # fmt: skip
def test_each_rule_to_the_letter(written: dict[str, Any], expected: list[str]) -> None:
    """What is just allowed, and what just is not."""
    if written.get("subject_id") is None:
        expected = sorted([*expected, "E_REQUIRED subject_id", "E_CONSENT_GIVER given_by_person"])
    assert faults(written) == expected


def test_a_narrowing_that_keeps_something_is_a_yes() -> None:
    """What it lists must be explained as a sharing is; what it only takes away need not."""
    kept = record("NARROWED", scope_includes=[item(SCH, "sec.plan")], informed=None)
    taken = record("NARROWED", scope_excludes=[item(SCH, "sec.plan")], informed=None)

    assert faults(kept, SHARED) == ["E_RULE informed/reasons_explained"]
    listed = record("NARROWED", scope_includes=[{"service": SCH}])
    assert faults(listed, SHARED) == []
    assert faults(listed, record(scope_includes=[item(HOU)])) == ["E_RULE scope_includes/0"]
    assert faults(taken, SHARED) == []


def test_a_tree_without_people_contradicts_nobody() -> None:
    """Before the first whole version there is nothing to measure the giver by."""
    assert faults(record(scope_includes=EVERYBODY, **LAW), tree=None) == []
    assert faults(SHARED, tree={"episode_id": "e1"}) == []


def at_age(born: str, day: str, basis: str, **more: Any) -> list[str]:
    """Return the faults of a decision on *day* for somebody *born* then: codes allowed, or path."""
    written = record(
        subject_id="x",
        scope_includes=EVERYBODY,
        given_by_basis=basis,
        competence_judgement=more.get("judged"),
        given_by_person="mia" if basis == "PR_HOLDER" else "x",
    )
    tree = {"subjects": [{"subject_id": "x", "date_of_birth": born}]}
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    found = check_decision({**written, **more.get("also", {})}, earlier=[], tree=tree, at=at)
    return [allowed for fault in found for allowed in fault.allowed or (fault.path,)]


ABLE = {"outcome": "COMPETENT"}
UNABLE = {"outcome": "NOT_COMPETENT"}
WRONG = ["/consent_decision/given_by_basis"]


@pytest.mark.parametrize(
    ("born", "day", "basis", "expected"),
    [
        ("2010-10-05", "2026-10-04", "CHILD_COMPETENT", []),
        ("2010-10-05", "2026-10-05", "CHILD_COMPETENT", WRONG),
        ("2010-10-05", "2026-10-04", "YP_16_17", WRONG),
        ("2010-10-05", "2026-10-05", "YP_16_17", []),
        ("2010-10-05", "2028-10-04", "YP_16_17", []),
        ("2010-10-05", "2028-10-05", "YP_16_17", WRONG),
        ("2010-10-05", "2028-10-04", "YA_18P", WRONG),
        ("2010-10-05", "2028-10-05", "YA_18P", []),
        ("2010-10-05", "2026-10-04", "PR_HOLDER", []),
        ("2010-10-05", "2026-10-05", "PR_HOLDER", ["YP_16_17"]),
        ("2010-10-05", "2028-10-04", "PR_HOLDER", ["YP_16_17"]),
        ("2010-10-05", "2028-10-05", "PR_HOLDER", ["YA_18P"]),
        ("2010-10", "2026-09-30", "YP_16_17", WRONG),
        ("2010-10", "2026-10-01", "YP_16_17", []),
        ("2010-10", "2026-10-30", "CHILD_COMPETENT", []),
        ("2010-10", "2026-10-31", "CHILD_COMPETENT", WRONG),
        ("2010", "2025-12-31", "YP_16_17", WRONG),
        ("2010", "2026-01-01", "YP_16_17", []),
        ("2010", "2026-12-30", "CHILD_COMPETENT", []),
        ("2010", "2026-12-31", "CHILD_COMPETENT", WRONG),
        ("soon", "2026-12-31", "YP_16_17", []),
    ],
)
def test_an_age_is_wrong_only_where_it_is_certain(
    born: str, day: str, basis: str, expected: list[str]
) -> None:
    """From the first day of a partial date somebody may be older, from the last they are."""
    judged = ABLE if basis == "CHILD_COMPETENT" else None

    assert at_age(born, day, basis, judged=judged) == expected


@pytest.mark.parametrize(
    ("day", "judged", "expected"),
    [
        ("2026-10-05", UNABLE, []),
        ("2026-10-05", {"outcome": "UNCLEAR"}, ["YP_16_17"]),
        ("2026-10-05", "NOT_COMPETENT", ["YP_16_17"]),
        ("2028-10-04", UNABLE, []),
        ("2028-10-05", UNABLE, ["YA_18P"]),
    ],
)
def test_in_whose_stead_a_parent_may_decide(day: str, judged: Any, expected: list[str]) -> None:
    """From 16 only where capacity was judged absent, from 18 never."""
    assert at_age("2010-10-05", day, "PR_HOLDER", judged=judged) == expected


def test_a_parents_no_has_no_age() -> None:
    """Nobody must justify a no, whoever should have been asked."""
    no = {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL", "scope_includes": []}

    assert at_age("2010-10-05", "2028-10-05", "PR_HOLDER", also=no) == []


def test_only_the_young_persons_own_words_bind_the_parents() -> None:
    """Not another child's, not an adult's; and their own later decision is theirs to make."""
    siblings = young(subject_id="ava", given_by_person="ava", scope_includes=[item(SCH)])
    parents = record("WIDENED", subject_id="bea", scope_includes=[item(SCH)])
    again = young("NARROWED", scope_excludes=[item(SXH)], supersedes="d1")
    silent = young("REFUSED", store_decision="no")
    unknown = record("WIDENED", subject_id="bea", scope_includes=[item(SCH, purpose="FUN")])

    refused = siblings | {"state": "REFUSED", "store_decision": "no"}
    assert faults(parents, siblings) == faults(parents, refused) == []
    assert faults(again, OWN) == []
    assert faults({"subject_id": "bea"}, OWN)[0].startswith("E_REQUIRED")
    assert "E_CONSENT_GIVER store_decision" not in faults({"subject_id": "bea"}, OWN)
    assert faults(parents, silent) == [
        "E_CONSENT_GIVER scope_includes/0",
        "E_CONSENT_GIVER store_decision",
    ]
    assert faults(unknown, OWN) == ["E_PURPOSE scope_includes/0/purpose"]
