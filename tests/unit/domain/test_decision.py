"""One decision record: who may have given it, and what it says of storing and of the index."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.domain.consent import Agreements, Ask
from hub.domain.decision import (
    COPIED_FROM,
    Voice,
    a_year_after,
    entitled,
    moment,
    readable,
    voice_of,
)
from hub.domain.dictionary import wire_name
from hub.domain.messages import ConsentDecision
from hub.errors import Code
from tests.unit.domain.decisions import NOW, adult, item, record, recorded, young

SCH, HOU = "SCH-A/SCH", "HOU-A/HOUS"
SHARED = record(scope_includes=[item(SCH)])
FIRST = Ask(SCH, "PLAN", NOW)


def agreed(*records: dict[str, Any]) -> Agreements:
    return Agreements(recorded(*records), ["ava", "bea"], ["mia"])


@pytest.mark.parametrize(
    ("given", "about", "may"),
    [
        (record(), False, True),
        (record(), None, True),
        (record(pr_basis=None), False, False),
        (record(pr_basis="FRIEND"), False, False),
        (record(given_by_basis="LA_PR", pr_basis=None), False, True),
        (record(given_by_basis="CARER_NO_PR"), False, False),
        (record(given_by_basis=None), False, False),
        (young(), False, True),
        (young(), None, True),
        (young(given_by_person="mia"), False, False),
        (young(competence_judgement=None), False, False),
        (young(competence_judgement="COMPETENT"), False, False),
        (young(competence_judgement={"outcome": "NOT_COMPETENT"}), False, False),
        (young(given_by_basis="YP_16_17"), False, True),
        (young(given_by_basis="YP_16_17", competence_judgement=None), False, True),
        (young(given_by_basis="YP_16_17", given_by_person="mia"), False, False),
        (young(given_by_basis="YA_18P", given_by_person="mia"), False, False),
        (young(given_by_basis="SOMEBODY"), False, False),
        (adult(), True, True),
        (adult(), None, True),
        (adult(), False, False),
        (adult(given_by_person="jon"), True, False),
        (adult(given_by_person="jon"), None, False),
        (record(subject_id="mia"), True, False),
        (young(), True, False),
    ],
)
def test_who_may_decide_by_what_the_record_shows(
    given: dict[str, Any], about: bool | None, may: bool
) -> None:
    """4.1: each basis with what it needs; an adult alone, and nobody else as an adult."""
    assert entitled(given, adult=about) is may


@pytest.mark.parametrize(
    ("given", "voice"),
    [
        (young(), Voice.YOUNG_PERSON),
        (young(given_by_basis="YA_18P"), Voice.YOUNG_PERSON),
        (young(competence_judgement=None), Voice.PARENT),
        (young(given_by_person="mia"), Voice.PARENT),
        (record(), Voice.PARENT),
        (record(given_by_basis="LA_PR"), Voice.PARENT),
    ],
)
def test_only_who_may_decide_is_heard_as_a_young_person(
    given: dict[str, Any], voice: Voice
) -> None:
    """The unentitled speak no louder than a parent."""
    assert voice_of(given, adult=False) is voice


def test_a_child_is_no_adult() -> None:
    """A known child's record as an adult is worth nothing; of an unknown person nobody knows."""
    own: dict[str, Any] = {
        "given_by_person": "ava",
        "given_by_basis": "ADULT_SELF",
        "pr_basis": None,
    }
    written = record(scope_includes=[item(SCH)], **own)

    assert not agreed(written).listed("ava", FIRST).permitted
    assert Agreements(recorded(written), [], []).listed("ava", FIRST).permitted
    assert not Agreements(recorded(written), ["ava"], ["mia"]).may_store("ava", NOW)


@pytest.mark.parametrize(
    ("later", "stores", "index"),
    [
        (record("STORE_ONLY", index_consent="no_sensitive"), True, "no_sensitive"),
        (record("STORE_ONLY", index_consent="perhaps"), True, "no"),
        (record("STORE_ONLY", index_consent=None), True, "no"),
        (record("STORE_ONLY", store_decision="no"), False, "yes"),
        (record("STORE_ONLY", informed=None), False, "no"),
        (record("STORE_ONLY", informed={"reasons_explained": False}), False, "no"),
        (record("STORE_ONLY", informed={"reasons_explained": "true"}), False, "no"),
        (record("STORE_ONLY", informed=True), False, "no"),
        (record("STORE_ONLY", signed_at="soon"), False, "no"),
        (record("STORE_ONLY", expires_at=None), False, "no"),
        (record("STORE_ONLY", pr_basis=None), False, "no"),
        (record("STORE_ONLY", given_by_basis="CARER_NO_PR", pr_basis=None), True, "no"),
        (record("STORE_ONLY", given_by_basis="ADULT_SELF"), False, "no"),
        (record("EXPIRED"), False, "no"),
        (record("ASKED", store_decision="no", index_consent="no"), True, "yes"),
        (record("WITHDRAWN", withdrawal_type="SHARE_ALL"), True, "yes"),
        (record("WITHDRAWN", withdrawal_type="SHARE_ALL", expires_at=None), True, "yes"),
        (record("WITHDRAWN", withdrawal_type="SHARE_ALL", index_consent="no"), True, "no"),
        (record("WITHDRAWN", withdrawal_type="SHARE_ALL", store_decision="no"), False, "yes"),
        (record("WITHDRAWN", withdrawal_type="STORE"), False, "no"),
        (record("WITHDRAWN", withdrawal_type="INDEX"), False, "no"),
        (record("WITHDRAWN"), False, "no"),
        (record("REFUSED", refusal_scope="WHOLE_CAF"), False, "no"),
        (record("REFUSED", refusal_scope="STORE_OK_SHARE_NO"), True, "yes"),
        (record("REFUSED", refusal_scope="STORE_OK_SHARE_NO", informed=None), False, "yes"),
        (record("REFUSED", store_decision="no"), False, "yes"),
        (record("REFUSED", purpose=["TRANSFER"], informed=None), True, "yes"),
        (record("REFUSED", purpose=["TRANSFER"], store_decision="no"), False, "yes"),
        (record("REFUSED", purpose=["TRANSFER", "STORE"], informed=None), False, "yes"),
        (record("REFUSED", purpose=["TRANSFER", "PLAN"], informed=None), False, "yes"),
        (record("NARROWED", informed=None), True, "yes"),
        (record("NARROWED", signed_at=None), True, "yes"),
        (record("NARROWED", expires_at="soon"), True, "yes"),
        (record("NARROWED", informed=None, store_decision="no"), False, "yes"),
        (record("NARROWED", informed=None, index_consent="no"), True, "no"),
        (record("NARROWED", index_consent="no_sensitive"), True, "no_sensitive"),
        (record("NARROWED", given_by_basis="CARER_NO_PR"), True, "yes"),
        (record("SHARE", index_consent="no"), True, "no"),
        (record("SHARE", store_decision="no"), False, "yes"),
        (record("HIDDEN"), False, "no"),
        (record(a_later_version="says more"), False, "no"),
        (record(store_decision="perhaps"), False, "no"),
        (record(share_decision="perhaps"), False, "no"),
        (record(purpose="PLAN"), False, "no"),
        (record(purpose=["PLAN", "FUN"]), False, "no"),
        (record(purpose={"PLAN": True}), False, "no"),
        (record(scope_includes={"service": SCH}), False, "no"),
        (record(scope_includes=[item(SCH), SCH]), False, "no"),
        (record(scope_excludes="none"), False, "no"),
        (record(scope_excludes=[None]), False, "no"),
        (record(given_by_basis="FRIEND"), False, "no"),
        (record("HIDDEN", given_by_basis=None), False, "no"),
    ],
)
def test_storing_and_the_index_after_a_yes_to_both(
    later: dict[str, Any], stores: bool, index: str
) -> None:
    """Each is answered anew, left as it was, or ended; in doubt it is ended."""
    family = agreed(SHARED, later)

    assert family.may_store("ava", NOW) is stores
    assert family.storing("ava", NOW).decision_id in ({"d1", "d2"} if stores else {"d2"})
    assert family.index("ava", NOW) == (index if stores else "no")
    again = agreed(SHARED, later, record("REFUSED", refusal_scope="STORE_OK_SHARE_NO"))
    assert again.index("ava", NOW) == index


@pytest.mark.parametrize(
    "no",
    [
        record("WITHDRAWN", withdrawal_type="SHARE_ALL", scope_excludes=[item(HOU)]),
        record("WITHDRAWN", withdrawal_type="SHARE_SECTION"),
        record("REFUSED", refusal_scope="STORE_OK_SHARE_NO", scope_excludes=[item(HOU)]),
        record("REFUSED", refusal_scope="SERVICE"),
        record("REFUSED", purpose=["TRANSFER", "PLAN"]),
        record("STORE_ONLY", share_decision="yes", scope_includes=[item(SCH)]),
        record("STORE_ONLY", share_decision="yes"),
        record("EXPIRED", share_decision="yes", scope_includes=[item(SCH)]),
        record("EXPIRED", share_decision="yes"),
        record("SHARE", share_decision="no", scope_includes=[item(SCH)]),
        record("SHARE", informed={"reasons_explained": False}, scope_includes=[item(SCH)]),
        record("WIDENED", expires_at="soon", scope_includes=[item(HOU)]),
    ],
)
def test_a_no_to_everything_is_one_however_it_is_worded(no: dict[str, Any]) -> None:
    """What is not said to be partial, or does not hold, closes every service."""
    assert not agreed(SHARED, no).listed("ava", FIRST).permitted


@pytest.mark.parametrize(
    "partly",
    [
        record("WITHDRAWN", withdrawal_type="SHARE_SECTION", scope_excludes=[item(HOU)]),
        record("WITHDRAWN", withdrawal_type="SHARE_SERVICE", scope_excludes=[item(HOU)]),
        record("REFUSED", refusal_scope="SERVICE", scope_excludes=[item(HOU)]),
        record("REFUSED", refusal_scope="SECTION", scope_excludes=[item(HOU)]),
        record("REFUSED", refusal_scope="AUTHORITY", scope_excludes=[item(HOU)]),
        record("REFUSED", purpose=["TRANSFER"]),
        record("NARROWED", informed=None, scope_excludes=[item(HOU)]),
        record(
            "WITHDRAWN",
            withdrawal_type="SHARE_SERVICE",
            informed=None,
            scope_excludes=[item(HOU)],
        ),
        record("REFUSED", purpose=["TRANSFER"], expires_at=None),
    ],
)
def test_a_partial_no_leaves_the_rest(partly: dict[str, Any]) -> None:
    """What it does not name goes on, also where it would not do for a yes."""
    assert agreed(SHARED, partly).section("ava", "sec.plan", FIRST).permitted


@pytest.mark.parametrize(
    "no",
    [
        record("WITHDRAWN", withdrawal_type="SHARE_SERVICE"),
        record("WITHDRAWN", withdrawal_type="SHARE_SECTION"),
        record("REFUSED", refusal_scope="SECTION"),
        record("REFUSED", purpose=["TRANSFER"]),
    ],
)
def test_a_no_gives_nothing_whatever_it_lists(no: dict[str, Any]) -> None:
    """A withdrawal or refusal of a part opens nobody else's, though it names a service."""
    listing = no | {"scope_excludes": [item(SCH)], "scope_includes": [item(HOU)]}

    assert not agreed(SHARED, listing).listed("ava", Ask(HOU, "PLAN", NOW)).permitted


def test_the_year_ends_on_the_same_day() -> None:
    """Signed on a leap day, on 1 March; the last year there is has no next one."""
    leap = datetime(2028, 2, 29, 9, tzinfo=UTC)
    last = datetime(9999, 5, 1, tzinfo=UTC)

    assert a_year_after(leap) == datetime(2029, 3, 1, 9, tzinfo=UTC)
    assert a_year_after(datetime(2027, 3, 1, tzinfo=UTC)) == datetime(2028, 3, 1, tzinfo=UTC)
    assert a_year_after(last) == last


def test_a_year_may_have_a_leap_day_in_it() -> None:
    """Signed in March 2027 and good for a year: the last day is in the next March."""
    signed = {"signed_at": "2027-03-01", "expires_at": "2028-03-01"}
    family = agreed(record(scope_includes=[item(SCH)], **signed))

    assert family.listed("ava", Ask(SCH, "PLAN", datetime(2028, 2, 29, 23, tzinfo=UTC))).permitted
    assert not family.listed("ava", Ask(SCH, "PLAN", datetime(2028, 3, 1, tzinfo=UTC))).permitted


def test_a_yes_is_over_at_the_very_moment_of_its_end() -> None:
    """Also while a newer decision keeps storing alive."""
    short = record(scope_includes=[item(SCH)], expires_at="2026-10-01T00:00:00Z")
    family = agreed(short, record("WIDENED", scope_includes=[item(HOU)]))
    end = datetime(2026, 10, 1, tzinfo=UTC)

    assert family.listed("ava", Ask(SCH, "PLAN", end)).reason is Code.CONSENT_EXPIRED
    assert agreed(short).index("ava", end) == "no"
    assert agreed(short).index("ava", end.replace(month=9)) == "yes"


@pytest.mark.parametrize("value", [None, 7, "", "soon", "2026-09-01T09:00:00", "20260901T09", []])
def test_what_is_no_moment_is_none(value: Any) -> None:
    """A time without an offset is nobody's, and no text is guessed at."""
    assert moment(value) is None


def test_moments_are_told_with_their_offset() -> None:
    """A date is its first moment in UTC."""
    assert moment("2026-09-01") == datetime(2026, 9, 1, tzinfo=UTC)
    assert moment("2026-09-01T09:00:00+01:00") == datetime(2026, 9, 1, 8, tzinfo=UTC)


def test_a_record_with_every_field_is_readable() -> None:
    """What a record may hold it may hold all at once; one name more, and nobody reads it."""
    names = {wire_name(one.name) for one in fields(ConsentDecision)} | {COPIED_FROM}
    whole = dict.fromkeys(names) | {"scope_excludes": []} | SHARED

    assert whole.keys() == names
    assert readable(recorded(whole)[0])
    assert not readable(recorded(whole | {"more": 1})[0])
    assert not readable(recorded(whole | {"state": ["SHARE"]})[0])


def test_a_record_about_somebody_else_says_no() -> None:
    """What is filed under one person and speaks of another is not understood."""
    (misfiled,) = recorded(SHARED | {"subject_id": "bea"})
    family = Agreements([replace(misfiled, data_subject="ava")], ["ava", "bea"], [])

    assert not family.listed("ava", FIRST).permitted
    assert not family.may_store("ava", NOW)


def test_each_yes_is_told_with_its_end() -> None:
    """What gives, or lets store, by decision; not a no, nor what was replaced or cannot be read."""
    end = datetime(2027, 8, 31, tzinfo=UTC)
    unstored = record("WIDENED", scope_includes=[item(SCH)], informed=None)

    assert agreed(SHARED).ends("ava") == {"d1": end}
    assert agreed(SHARED).ends("nobody") == {}
    assert agreed(record("STORE_ONLY")).ends("ava") == {"d1": end}
    assert agreed(SHARED, record("STORE_ONLY", store_decision="no")).ends("ava") == {"d1": end}
    assert agreed(SHARED, record("HIDDEN")).ends("ava") == {"d1": end}
    assert agreed(SHARED, unstored).ends("ava") == {"d1": end}
    keeps = record("SHARE", scope_includes=[item(HOU)], store_decision="no")
    assert agreed(keeps).ends("ava") == {"d1": end}
    replaced = record("WIDENED", scope_includes=[item(HOU)], supersedes="d1")
    assert agreed(keeps, replaced).ends("ava") == {"d2": end}


def test_the_index_forgets_with_the_yes_that_let_it_know() -> None:
    """A newer decision that leaves the answer standing does not make it last longer."""
    short = record("STORE_ONLY", expires_at="2026-10-01T00:00:00Z")
    family = agreed(short, record("REFUSED", refusal_scope="STORE_OK_SHARE_NO"))
    end = datetime(2026, 10, 1, tzinfo=UTC)

    assert family.index("ava", NOW) == "yes"
    assert family.may_store("ava", end)
    assert family.index("ava", end) == "no"
