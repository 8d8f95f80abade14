"""Consent: who may see what, until when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.domain.consent import Agreements, Ask
from hub.domain.consent_change import classify, effect
from hub.domain.decision import SHAREABLE, a_year_after, next_decision
from hub.errors import Code
from tests import builders
from tests.unit.domain.decisions import NOW, adult, item, record, recorded, young

HOU, SCH, EHM = "HOU-A/HOUS", "SCH-A/SCH", "EHM-A/FSW"
LATER = datetime(2026, 11, 1, tzinfo=UTC)


def agreed(*records: dict[str, Any], **more: Any) -> Agreements:
    """Build the agreements of the Examples: Ava, Bea, their mother Mia."""
    return Agreements(recorded(*records), ["ava", "bea"], ["mia"], **more)


def sections(
    agreements: Agreements, service: str, purpose: str = "PLAN", person: str = "ava", at: Any = NOW
) -> set[str]:
    """Return the sections that *service* may see."""
    ask = Ask(service, purpose, at)
    return {s for s in SHAREABLE if agreements.section(person, s, ask).permitted}


def why(agreements: Agreements, service: str = SCH, at: Any = NOW, person: str = "ava") -> Any:
    """Return the reason why basic leaves are not permitted."""
    return agreements.listed(person, Ask(service, "PLAN", at)).reason


OVER_BY = "2026-09-10"
SHARE_TWO = record(scope_includes=[item(HOU, "sec.env.housing"), item(HOU, "sec.plan"), item(SCH)])


def test_nothing_is_permitted_by_default() -> None:
    """Where nobody decided, nothing is shared and nothing stored."""
    nobody = agreed()

    assert sections(nobody, SCH) == set()
    assert why(nobody) is Code.CONSENT_NONE
    assert not nobody.may_store("ava", NOW)
    assert nobody.index("ava", NOW) == "no"
    assert nobody.state("ava", SCH, NOW) == "NOT_ASKED"
    assert nobody.services(NOW) == frozenset()


def test_a_listed_service_gets_basic_leaves_and_what_is_named() -> None:
    """S1 step 4: housing gets its sections, the basic leaves, and no more."""
    family = agreed(SHARE_TWO)

    assert sections(family, HOU) == {"sec.env.housing", "sec.plan"}
    assert family.listed("ava", Ask(HOU, "PLAN", NOW)).permitted
    assert family.basic("ava", "sec.identity", Ask(HOU, "PLAN", NOW)).permitted
    assert not family.listed("ava", Ask(EHM, "PLAN", NOW)).permitted
    assert why(family, EHM) is Code.CONSENT_SCOPE


def test_who_is_listed_by_a_widening_gets_basic_leaves() -> None:
    """After "store only" a widening lists as a first sharing would: the family excluded nothing."""
    wider = record("WIDENED", scope_includes=[item(HOU, "sec.plan")])
    family = agreed(record("STORE_ONLY"), wider)
    refused = agreed(record("REFUSED"), wider)
    ask = Ask(HOU, "PLAN", NOW)

    assert sections(family, HOU) == {"sec.plan"}
    assert family.basic("ava", "sec.identity", ask).permitted
    assert not refused.basic("ava", "sec.identity", ask).permitted


def test_all_is_never_the_checklist_or_safeguarding() -> None:
    """ "All that may be shared" stops before what no consent opens; naming them opens nothing."""
    family = agreed(record(scope_includes=[item(SCH, sensitive=True)]))
    named = agreed(record(scope_includes=[item(SCH, "sec.checklist"), item(SCH, "sec.plan")]))
    ask = Ask(SCH, "PLAN", NOW)

    assert sections(family, SCH) == set(SHAREABLE)
    for agreements in (family, named):
        assert not agreements.section("ava", "sec.checklist", ask).permitted
        assert not agreements.section("ava", "sec.safeguarding", ask).permitted


def test_sensitive_leaves_are_named_as_sensitive() -> None:
    """A section without the word gives its ordinary leaves only."""
    family = agreed(
        record(
            scope_includes=[
                item(SCH, "sec.child.health"),
                item(SCH, "sec.child.emotional", sensitive=True),
            ]
        )
    )
    ask = Ask(SCH, "PLAN", NOW)

    assert not family.section("ava", "sec.child.health", ask).sensitive
    assert family.section("ava", "sec.child.emotional", ask).sensitive


def test_an_exclusion_beats_an_inclusion() -> None:
    """Within one decision the no wins, and takes the section's basic leaves too."""
    family = agreed(record(scope_includes=[item(SCH)], scope_excludes=[item(SCH, "sec.family")]))
    ask = Ask(SCH, "PLAN", NOW)

    assert "sec.family" not in sections(family, SCH)
    assert not family.basic("ava", "sec.family", ask).permitted
    assert family.basic("ava", "sec.identity", ask).permitted


def test_an_exclusion_of_sensitive_leaves_keeps_the_rest() -> None:
    """A family may keep back only what is sensitive in a section."""
    family = agreed(
        record(
            scope_includes=[item(SCH, sensitive=True)],
            scope_excludes=[item(SCH, "sec.child.health", sensitive=True)],
        )
    )
    ask = Ask(SCH, "PLAN", NOW)

    health = family.section("ava", "sec.child.health", ask)
    assert (health.permitted, health.sensitive) == (True, False)
    assert family.section("ava", "sec.child.emotional", ask).sensitive


def test_purposes_default_to_assess_and_plan() -> None:
    """Transfer and requests are cells of their own (CL-21b)."""
    family = agreed(
        record(scope_includes=[item(SCH), item(HOU, "sec.plan", purpose="REQUEST_SERVICE")])
    )

    assert sections(family, SCH, "ASSESS") == set(SHAREABLE)
    assert sections(family, SCH, "TRANSFER") == set()
    assert sections(family, HOU, "REQUEST_SERVICE") == {"sec.plan"}
    assert sections(family, HOU, "PLAN") == set()
    assert sections(family, SCH, "RESEARCH") == set()
    assert sections(family, SCH, "ANYTHING") == set()


def test_a_purpose_outside_the_decision_is_not_given() -> None:
    """An item cannot be for what the decision as a whole is not for."""
    family = agreed(record(purpose=["STORE", "ASSESS"], scope_includes=[item(SCH)]))

    assert sections(family, SCH, "ASSESS") == set(SHAREABLE)
    assert sections(family, SCH, "PLAN") == set()


def test_a_period_is_from_inclusive_to_exclusive() -> None:
    """[from, to): the first day counts, the last does not."""
    family = agreed(
        record(scope_includes=[item(SCH, "sec.plan", from_="2026-09-15", to="2026-10-01")])
    )
    first, last = datetime(2026, 9, 15, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    moments = [first - timedelta(seconds=1), first, last - timedelta(seconds=1), last]

    assert [bool(sections(family, SCH, at=at)) for at in moments] == [False, True, True, False]
    assert why(family, at=last) is Code.CONSENT_EXPIRED
    assert why(family, at=moments[0]) is Code.CONSENT_SCOPE


def test_a_yes_expires_and_a_no_does_not() -> None:
    """After expiry nothing is shared or stored; what was refused stays refused."""
    short = record(scope_includes=[item(SCH)], expires_at="2026-10-01T00:00:00Z")
    family = agreed(short)

    assert sections(family, SCH)
    assert why(family, at=LATER) is Code.CONSENT_EXPIRED
    assert not family.may_store("ava", LATER)
    assert family.index("ava", LATER) == "no"
    assert family.state("ava", SCH, LATER) == "EXPIRED"


def test_an_expired_narrowing_opens_nothing_again() -> None:
    """No clock widens (P26): the older yes stays cut after the cut has run out."""
    narrowed = record(
        "NARROWED",
        scope_excludes=[item(SCH, "sec.parenting")],
        expires_at="2026-10-01T00:00:00Z",
    )
    family = agreed(SHARE_TWO, narrowed, record("SHARE", scope_includes=[item(EHM)]))

    assert "sec.parenting" not in sections(family, SCH)
    assert "sec.parenting" not in sections(family, SCH, at=LATER)
    assert "sec.plan" in sections(family, SCH, at=LATER)


def test_no_decision_lasts_longer_than_a_year() -> None:
    """Whatever the record says, a yes ends twelve months after it was signed."""
    family = agreed(record(scope_includes=[item(SCH)], expires_at="2036-01-01T00:00:00Z"))
    anniversary = datetime(2027, 9, 1, 9, tzinfo=UTC)

    assert sections(family, SCH, at=anniversary - timedelta(seconds=1))
    assert not sections(family, SCH, at=anniversary)
    assert a_year_after(datetime.max.replace(tzinfo=UTC)).year == 9999


def test_closure_ends_sharing() -> None:
    """What goes with the closure is asked for at its moment; nothing after that."""
    family = agreed(SHARE_TWO, closed_at=NOW)

    assert sections(family, SCH)
    assert not sections(family, SCH, at=NOW + timedelta(seconds=1))
    assert why(family, at=NOW + timedelta(seconds=1)) is Code.CONSENT_EXPIRED


def test_the_newest_decision_wins_per_cell() -> None:
    """A widening adds; a share states anew what a service that it lists may see."""
    more = record("WIDENED", scope_includes=[item(HOU, "sec.conclusions")])
    anew = record("SHARE", scope_includes=[item(HOU, "sec.review")])

    assert sections(agreed(SHARE_TWO, more), HOU) == {
        "sec.env.housing",
        "sec.plan",
        "sec.conclusions",
    }
    assert sections(agreed(SHARE_TWO, more, anew), HOU) == {"sec.review"}
    assert sections(agreed(SHARE_TWO, more, anew), SCH) == set(SHAREABLE)


def test_a_narrowing_cuts_one_service_and_no_other() -> None:
    """S1 step 12: parenting is taken from one school, everybody else keeps it."""
    family = agreed(
        record(scope_includes=[item(SCH), item(EHM)]),
        record("NARROWED", scope_excludes=[item(SCH, "sec.parenting")]),
    )

    assert sections(family, SCH) == set(SHAREABLE) - {"sec.parenting"}
    assert sections(family, EHM) == set(SHAREABLE)


def test_a_superseded_decision_gives_nothing_and_still_refuses() -> None:
    """A change is a new record; replacing one opens nothing that neither allows."""
    first = record(scope_includes=[item(SCH), item(HOU)])
    second = record(scope_includes=[item(EHM)], scope_excludes=[item(SCH, "sec.plan")])
    third = record("WIDENED", scope_includes=[item(HOU, "sec.plan")], supersedes="d2")
    family = agreed(first, second, third)

    assert sections(family, EHM) == set()
    assert "sec.plan" not in sections(family, SCH)
    assert (
        sections(agreed(first, record(scope_includes=[item(EHM)], supersedes="d1")), HOU) == set()
    )


def test_asking_again_replaces_without_opening() -> None:
    """A question that supersedes an answer revives nothing older."""
    cut = record("NARROWED", scope_excludes=[item(SCH, "sec.plan")])
    asked = record("ASKED", supersedes="d2")

    assert "sec.plan" not in sections(agreed(SHARE_TWO, cut, asked), SCH)
    assert agreed(record("ASKED")).state("ava", SCH, NOW) == "ASKED"


@pytest.mark.parametrize(
    ("no", "reason"),
    [
        (record("REFUSED", refusal_scope="WHOLE_CAF", store_decision="no"), Code.CONSENT_NONE),
        (record("REFUSED", refusal_scope="STORE_OK_SHARE_NO"), Code.CONSENT_NONE),
        (record("WITHDRAWN", withdrawal_type="STORE"), Code.CONSENT_NONE),
        (record("WITHDRAWN", withdrawal_type="SHARE_ALL"), Code.CONSENT_SCOPE),
        (record("STORE_ONLY"), Code.CONSENT_SCOPE),
        (record("EXPIRED"), Code.CONSENT_NONE),
        (record("NARROWED", share_decision="no"), Code.CONSENT_SCOPE),
        (record("SHARE", store_decision="no", scope_includes=[item(SCH)]), Code.CONSENT_NONE),
        (record("SHARE", informed=None, scope_includes=[item(SCH)]), Code.CONSENT_NONE),
        (record("SHARE", pr_basis=None, scope_includes=[item(SCH)]), Code.CONSENT_NONE),
        (record("SHARE", signed_at=None, scope_includes=[item(SCH)]), Code.CONSENT_NONE),
        (record("SHARE", expires_at="2027-08-31T00:00:00"), Code.CONSENT_NONE),
        (record("SOMETHING ELSE", scope_includes=[item(SCH)]), Code.CONSENT_NONE),
        (record("REFUSED", purpose=[], refusal_scope="STORE_OK_SHARE_NO"), Code.CONSENT_NONE),
        (record("SHARE", given_by_basis="CARER_NO_PR", scope_includes=[item(SCH)]), None),
        (record("SHARE", given_by_basis="ADULT_SELF", scope_includes=[item(SCH)]), None),
    ],
)
def test_a_no_or_a_doubt_denies_everything(no: dict[str, Any], reason: Code | None) -> None:
    """Refused, withdrawn, unsound, unreadable or unentitled: nothing is shared any more."""
    family = agreed(SHARE_TWO, no)

    assert sections(family, SCH) == sections(family, HOU) == set()
    assert not family.listed("ava", Ask(SCH, "PLAN", NOW)).permitted
    assert reason is None or why(family) is reason
    assert family.services(NOW) == frozenset()


def test_withdrawing_a_service_or_section_leaves_the_rest() -> None:
    """CL-21e: SHARE_SERVICE drops one service, SHARE_SECTION one section."""
    service = record(
        "WITHDRAWN", withdrawal_type="SHARE_SERVICE", scope_excludes=[item(SCH, "sec.plan")]
    )
    section = record(
        "WITHDRAWN", withdrawal_type="SHARE_SECTION", scope_excludes=[item(HOU, "sec.plan")]
    )

    assert sections(agreed(SHARE_TWO, service), SCH) == set()
    assert sections(agreed(SHARE_TWO, service), HOU) == {"sec.env.housing", "sec.plan"}
    assert sections(agreed(SHARE_TWO, section), HOU) == {"sec.env.housing"}
    assert agreed(SHARE_TWO, section).may_store("ava", NOW)


def test_a_withdrawal_that_names_nothing_withdraws_everything() -> None:
    """Doubt about what a no covers is answered with no."""
    vague = record("WITHDRAWN", withdrawal_type="SHARE_SECTION", scope_excludes=[])

    assert sections(agreed(SHARE_TWO, vague), HOU) == set()


def test_refusing_a_transfer_leaves_the_team_alone() -> None:
    """T27: "do not tell the next authority" is no refusal of the rest."""
    refusal = record("REFUSED", purpose=["TRANSFER"], refusal_scope="AUTHORITY")
    offer = record("WIDENED", scope_includes=[item(EHM, purpose="TRANSFER")])
    family = agreed(SHARE_TWO, offer, refusal)

    assert sections(family, EHM, "TRANSFER") == set()
    assert sections(family, SCH) == set(SHAREABLE)
    assert family.may_store("ava", NOW)


def test_a_new_yes_after_a_withdrawal_counts_for_itself() -> None:
    """T22: a new decision, not a revival."""
    family = agreed(
        SHARE_TWO,
        record("WITHDRAWN", withdrawal_type="SHARE_ALL"),
        record("SHARE", scope_includes=[item(HOU, "sec.plan")]),
    )

    assert sections(family, HOU) == {"sec.plan"}
    assert sections(family, SCH) == set()


def test_a_competent_young_person_beats_a_parent() -> None:
    """S2: whatever the mother signs later, Bea's no to the school stands; other cells are free."""
    own = young(scope_includes=[item("SXH-A/SXHS")], scope_excludes=[item(SCH, "sec.child.health")])
    mothers = record("WIDENED", subject_id="bea", scope_includes=[item(SCH), item("SXH-A/SXHS")])
    family = agreed(own, mothers)

    seen = sections(family, SCH, person="bea")
    assert "sec.child.health" not in seen
    assert "sec.child.learning" in seen
    assert sections(family, "SXH-A/SXHS", person="bea") == set(SHAREABLE)


def test_a_parents_withdrawal_does_not_take_a_young_persons_yes() -> None:
    """The young person's consent is the one that counts, even if a parent disagrees (4.1)."""
    withdrawn = record("WITHDRAWN", subject_id="bea", withdrawal_type="SHARE_ALL")
    family = agreed(young(scope_includes=[item("SXH-A/SXHS")]), withdrawn)

    assert sections(family, "SXH-A/SXHS", person="bea")


def test_a_child_not_judged_competent_opens_nothing() -> None:
    """Competence is a judgement; without it the child's own record gives nothing."""
    unjudged = young(scope_includes=[item(SCH)], competence_judgement=None)

    assert sections(agreed(unjudged), SCH, person="bea") == set()


def test_each_person_decides_for_themselves() -> None:
    """Mia's decision for Ava says nothing about Mia, and hers nothing about Ava."""
    family = agreed(SHARE_TWO, adult(scope_includes=[item(HOU, "sec.family")]))

    assert sections(family, HOU, person="mia") == {"sec.family"}
    assert sections(family, HOU) == {"sec.env.housing", "sec.plan"}
    assert sections(family, SCH, person="mia") == set()


def test_nobody_decides_for_an_adult() -> None:
    """A parental basis does not work on a parent."""
    family = agreed(record(subject_id="mia", scope_includes=[item(SCH)]))

    assert sections(family, SCH, person="mia") == set()


def test_a_carer_without_pr_may_let_store_and_not_share() -> None:
    """CARER_NO_PR is not valid for sharing (CL-21c), nor for the index."""
    family = agreed(record("STORE_ONLY", given_by_basis="CARER_NO_PR", pr_basis=None))

    assert family.may_store("ava", NOW)
    assert family.index("ava", NOW) == "no"


@pytest.mark.parametrize("answer", ["yes", "no", "no_sensitive"])
def test_index_consent_is_its_own_answer(answer: str) -> None:
    """The index hears of the episode only if the newest decision lets it."""
    family = agreed(record("STORE_ONLY", index_consent=answer))

    assert family.index("ava", NOW) == answer


def test_withdrawing_sharing_keeps_storing_and_the_index() -> None:
    """4.4: the index changes only if index consent is withdrawn."""
    shared = agreed(SHARE_TWO, record("WITHDRAWN", withdrawal_type="SHARE_ALL", supersedes="d1"))
    stored = agreed(SHARE_TWO, record("WITHDRAWN", withdrawal_type="STORE"))

    assert shared.may_store("ava", NOW)
    assert shared.index("ava", NOW) == "yes"
    assert not stored.may_store("ava", NOW)
    assert stored.index("ava", NOW) == "no"


def test_contributing_is_named_and_sharing_onwards_does_not_exist() -> None:
    """An action that is not in the list gives nothing, not even viewing."""
    family = agreed(
        record(
            scope_includes=[
                item(SCH, "sec.plan", action="contribute"),
                item(SCH, "sec.review"),
                item(HOU, "sec.plan", action="re-share"),
            ]
        )
    )

    assert family.section("ava", "sec.plan", Ask(SCH, "PLAN", NOW)).contribute
    for refused in (agreed(), family, agreed(SHARE_TWO, record("REFUSED"))):
        assert not refused.section("ava", "sec.plan", Ask(HOU, "PLAN", NOW)).contribute
    assert not family.section("ava", "sec.review", Ask(SCH, "PLAN", NOW)).contribute
    assert sections(family, HOU) == set()
    assert not family.listed("ava", Ask(HOU, "PLAN", NOW)).permitted


def test_every_yes_names_its_decision() -> None:
    """What is permitted can be traced to the record that permits it."""
    family = agreed(SHARE_TWO, record("WIDENED", scope_includes=[item(HOU, "sec.review")]))
    ask = Ask(HOU, "PLAN", NOW)

    assert family.section("ava", "sec.plan", ask).decision_id == "d1"
    assert family.section("ava", "sec.review", ask).decision_id == "d2"


def test_states_follow_the_decisions() -> None:
    """CL-21a, one instance per subject and service."""
    history = [record("STORE_ONLY"), SHARE_TWO]
    history.append(record("WIDENED", scope_includes=[item(EHM)]))
    history.append(record("WITHDRAWN", withdrawal_type="SHARE_ALL"))

    states = [agreed(*history[:n]).state("ava", EHM, NOW) for n in range(5)]

    assert states == ["NOT_ASKED", "STORE_ONLY", "STORE_ONLY", "WIDENED", "WITHDRAWN"]
    assert agreed(record("REFUSED", store_decision="no")).state("ava", EHM, NOW) == "REFUSED"


def test_the_builders_family_agrees() -> None:
    """The decision that other tests start from is one that the hub honours."""
    written = builders.decision()
    family = Agreements(
        [d for d in recorded(written) if d.record["state"] == "SHARE"], ["s1"], ["c1"]
    )
    at = datetime(2026, 9, 20, tzinfo=UTC)

    assert family.services(at) >= {SCH, EHM, HOU}


def test_an_effect_names_who_gained_and_who_lost() -> None:
    """N7 goes to who gained and N10 to who lost, and to nobody else."""
    before = agreed(SHARE_TWO)
    after = agreed(
        SHARE_TWO,
        record(
            "SHARE",
            scope_includes=[item(HOU, "sec.plan"), item(EHM, "sec.plan")],
            scope_excludes=[item(SCH, "sec.parenting")],
        ),
    )

    change = effect(before, after, [SCH, HOU, EHM, "POL-A/POLN"], NOW)

    assert change.gained == {EHM: {"listed", "sec.plan"}}
    assert change.lost == {SCH: {"sec.parenting"}, HOU: {"sec.env.housing"}}
    assert effect(agreed(), before, [HOU], NOW).gained.keys() == {HOU}


@pytest.mark.parametrize(
    ("every", "one", "rest"), [({"to": OVER_BY}, {}, False), ({}, {"to": OVER_BY}, True)]
)
def test_in_one_decision_the_best_that_is_said_of_a_section_counts(
    every: dict[str, Any], one: dict[str, Any], *, rest: bool
) -> None:
    """Where either "all" or a section's own item has run out, the other still gives it."""
    family = agreed(record(scope_includes=[item(SCH, **every), item(SCH, "sec.plan", **one)]))

    assert family.section("ava", "sec.plan", Ask(SCH, "PLAN", NOW)).permitted
    assert family.section("ava", "sec.family", Ask(SCH, "PLAN", NOW)).permitted is rest


FIRST_SHARE = [record("STORE_ONLY"), SHARE_TWO]
OVER = [record("STORE_ONLY", expires_at="2026-09-10T00:00:00Z")]
NEVER = record("REFUSED", refusal_scope="WHOLE_CAF", store_decision="no")


@pytest.mark.parametrize(
    ("earlier", "new", "event"),
    [
        ([], record("ASKED"), "consent.requested"),
        ([], record("REFUSED", refusal_scope="WHOLE_CAF"), "consent.refused"),
        ([], record("STORE_ONLY"), "consent.given"),
        ([], record("REFUSED", refusal_scope="STORE_OK_SHARE_NO"), "consent.given"),
        ([record("STORE_ONLY")], SHARE_TWO, "consent.given"),
        (FIRST_SHARE, record("WIDENED", scope_includes=[item(EHM)]), "consent.widened"),
        (FIRST_SHARE, record("SHARE", scope_includes=[item(EHM)]), "consent.widened"),
        (FIRST_SHARE, record("SHARE", scope_includes=[item(SCH)]), "consent.given"),
        (FIRST_SHARE, record("SHARE", scope_includes=[item(SCH, "sec.plan")]), "consent.narrowed"),
        (
            FIRST_SHARE,
            record("NARROWED", scope_excludes=[item(SCH, "sec.plan")]),
            "consent.narrowed",
        ),
        (FIRST_SHARE, record("WITHDRAWN", withdrawal_type="SHARE_ALL"), "consent.withdrawn"),
        (FIRST_SHARE, record("WITHDRAWN", withdrawal_type="STORE"), "consent.withdrawn"),
        (FIRST_SHARE, record("REFUSED", refusal_scope="WHOLE_CAF"), "consent.withdrawn"),
        (
            FIRST_SHARE,
            record("WITHDRAWN", withdrawal_type="SHARE_SERVICE", scope_excludes=[item(SCH)]),
            "consent.narrowed",
        ),
        (
            [*FIRST_SHARE, record("WITHDRAWN", withdrawal_type="SHARE_ALL")],
            record("WIDENED", scope_includes=[item(SCH)]),
            "consent.given",
        ),
        (FIRST_SHARE, adult("REFUSED", refusal_scope="WHOLE_CAF"), "consent.narrowed"),
        (FIRST_SHARE[:1], record("STORE_ONLY"), "consent.given"),
        (FIRST_SHARE[:1], record("NARROWED"), "consent.narrowed"),
        (OVER, record("REFUSED", refusal_scope="WHOLE_CAF"), "consent.withdrawn"),
        ([adult()], record("REFUSED", refusal_scope="WHOLE_CAF"), "consent.refused"),
        ([NEVER], record("REFUSED", refusal_scope="WHOLE_CAF"), "consent.refused"),
        (FIRST_SHARE[:1], record(purpose=["TRANSFER"]), "consent.given"),
        (
            FIRST_SHARE,
            record("REFUSED", purpose=["TRANSFER"], refusal_scope="AUTHORITY"),
            "transfer.consent_refused",
        ),
        (
            [*FIRST_SHARE, record(subject_id="cal", scope_includes=[item(SCH)])],
            record("WITHDRAWN", withdrawal_type="SHARE_ALL"),
            "consent.narrowed",
        ),
    ],
)
def test_a_record_is_the_event_that_it_brings_about(
    earlier: list[dict[str, Any]], new: dict[str, Any], event: str
) -> None:
    """The word on the record may not fit; its effect decides."""
    assert classify(new | {"consent_decision_id": "new"}, recorded(*earlier), NOW) == event


def test_each_yes_expires_by_itself() -> None:
    """A newer decision keeps storing alive, and no older yes beyond its own day."""
    short = record(scope_includes=[item(SCH)], expires_at="2026-10-01T00:00:00Z")
    family = agreed(short, record("WIDENED", scope_includes=[item(HOU, "sec.plan")]))

    assert sections(family, HOU, at=LATER) == {"sec.plan"}
    assert sections(family, SCH, at=LATER) == set()
    assert why(family, at=LATER) is Code.CONSENT_EXPIRED


@pytest.mark.parametrize("unreadable", [None, 7, "sec.unknown", "sec.safeguarding", ["sec.plan"]])
def test_an_unreadable_exclusion_closes_everything_it_may_mean(unreadable: Any) -> None:
    """A no that we cannot read is read as widely as it could be meant."""
    family = agreed(record(scope_includes=[item(SCH)], scope_excludes=[item(SCH, unreadable)]))

    assert sections(family, SCH) == set()


def test_a_narrowing_by_inclusion_cuts_every_purpose() -> None:
    """What it lists for one purpose is all that the service may still see."""
    family = agreed(
        record(scope_includes=[item(SCH), item(HOU)]),
        record("NARROWED", scope_includes=[item(SCH, "sec.plan", purpose="ASSESS")]),
    )

    assert sections(family, SCH, "ASSESS") == {"sec.plan"}
    assert sections(family, SCH, "PLAN") == set()
    assert sections(family, HOU, "PLAN") == set(SHAREABLE)


def test_a_parent_does_not_replace_a_young_persons_decision() -> None:
    """Superseding works among equals; from a parent it changes nothing of hers."""
    own = young(scope_includes=[item("SXH-A/SXHS")])
    mothers = record(subject_id="bea", scope_includes=[item(SCH, "sec.plan")], supersedes="d1")
    family = agreed(own, mothers)

    assert sections(family, "SXH-A/SXHS", person="bea")


def test_a_child_judged_not_competent_opens_nothing() -> None:
    """The judgement's outcome counts, not that there was one."""
    judged = young(scope_includes=[item(SCH)], competence_judgement={"outcome": "NOT_COMPETENT"})

    assert sections(agreed(judged), SCH, person="bea") == set()


def test_sensitive_leaves_count_as_gained_and_lost() -> None:
    """A section whose sensitive leaves open is news to the service, and so is their loss."""
    plain = agreed(record(scope_includes=[item(SCH, "sec.plan")]))
    fine = agreed(record(scope_includes=[item(SCH, "sec.plan", sensitive=True)]))

    assert effect(plain, fine, [SCH], NOW).gained == {SCH: {"sec.plan"}}
    assert effect(fine, plain, [SCH], NOW).lost == {SCH: {"sec.plan"}}


def test_an_all_that_is_over_speaks_for_every_section() -> None:
    """The newest decision about a cell decides it, and what has run out opens nothing older."""
    live = record(scope_includes=[item(SCH, "sec.plan")])
    over = record("WIDENED", scope_includes=[item(SCH, to="2026-09-10")])

    assert "sec.plan" in sections(agreed(live), SCH)
    assert not sections(agreed(live, over), SCH)


@pytest.mark.parametrize(
    "broken",
    [
        {"section": "sec.unknown"},
        {"section": ["sec.plan"]},
        {"section": None},
        {"action": ["view"]},
        {"from": "soon"},
        {"from": 7},
        {"to": "later"},
        {"purpose": ["PLAN"]},
        {"service": [SCH]},
    ],
)
def test_an_unreadable_inclusion_opens_nothing(broken: dict[str, Any]) -> None:
    """Not even the basic leaves of the service that it may have meant."""
    family = agreed(record(scope_includes=[item(SCH, "sec.plan") | broken]))

    assert sections(family, SCH) == set()
    assert not family.listed("ava", Ask(SCH, "PLAN", NOW)).permitted


def test_only_a_later_decision_replaces() -> None:
    """A record that names one after it, or itself, replaces nothing."""
    early = record(scope_includes=[item(EHM)], supersedes="d2")
    itself = record(scope_includes=[item(SCH, "sec.plan")], supersedes="d1")

    assert sections(agreed(early, SHARE_TWO), SCH) == set(SHAREABLE)
    assert sections(agreed(itself), SCH) == {"sec.plan"}


def test_a_section_keeps_its_own_decision_beside_the_listing() -> None:
    """Basic leaves of a section go with the section, whatever became of the listing since."""
    ask = Ask(HOU, "PLAN", NOW)
    newer = agreed(SHARE_TWO, record("WIDENED", scope_includes=[item(HOU, "sec.review")]))
    over = record("WIDENED", scope_includes=[item(HOU, "sec.review", to="2026-09-10")])

    assert newer.listed("ava", ask).decision_id == "d2"
    assert newer.basic("ava", "sec.plan", ask).decision_id == "d1"
    assert agreed(SHARE_TWO, over).basic("ava", "sec.plan", ask).permitted
    assert not agreed(SHARE_TWO, over).listed("ava", ask).permitted


def test_sensitive_leaves_never_outlive_their_section() -> None:
    """Where the section itself is over, what is sensitive in it is too."""
    fine = record(scope_includes=[item(SCH, "sec.plan", sensitive=True)])
    over = record("WIDENED", scope_includes=[item(SCH, "sec.plan", to="2026-09-10")])
    cell = agreed(fine, over).section("ava", "sec.plan", Ask(SCH, "PLAN", NOW))

    assert (cell.permitted, cell.sensitive) == (False, False)


@pytest.mark.parametrize("basis", [["PR_HOLDER"], {}, None, "SOMEBODY"])
def test_an_unreadable_basis_says_no_and_loudly(basis: Any) -> None:
    """It may have been a competent young person's no: no parent's yes opens it."""
    unread = record("REFUSED", given_by_basis="?") | {"given_by_basis": basis}
    family = agreed(unread, SHARE_TWO)

    assert sections(family, SCH) == set()
    assert not family.may_store("ava", NOW)


FINE = record(scope_includes=[item(SCH, "sec.plan", sensitive=True)])


def fine(*records: dict[str, Any]) -> tuple[bool, bool]:
    """Return whether the school may see the plan, and what is sensitive in it."""
    cell = agreed(*records).section("ava", "sec.plan", Ask(SCH, "PLAN", NOW))
    return cell.permitted, cell.sensitive


def test_ordinary_and_sensitive_are_decided_apart() -> None:
    """The newest word about each; a restatement takes what it does not name again."""
    all_of_it = record("WIDENED", scope_includes=[item(SCH)])
    no_fine = record("NARROWED", scope_excludes=[item(SCH, sensitive=True)])
    again = record(scope_includes=[item(SCH, "sec.plan")])
    plainly = record("WIDENED", scope_includes=[item(SCH, "sec.plan")])
    refused = record("WITHDRAWN", withdrawal_type="SHARE_ALL")

    assert fine(FINE, all_of_it) == (True, True)
    assert fine(FINE, no_fine) == (True, False)
    assert fine(FINE, again) == (True, False)
    assert fine(FINE, refused, plainly) == (True, False)


@pytest.mark.parametrize(
    ("no", "cut"),
    [
        ({}, True),
        ({"service": None}, True),
        ({"service": [SCH]}, True),
        ({"service": HOU}, False),
        ({"purpose": "PLAN"}, True),
        ({"purpose": "TRANSFER"}, False),
        ({"purpose": "ANYTHING"}, True),
        ({"purpose": ["TRANSFER"]}, True),
        ({"from": "2026-09-15T12:00:00Z"}, True),
        ({"from": "2026-09-14"}, True),
        ({"from": "2026-09-15T12:00:01Z"}, False),
        ({"from": "soon"}, True),
        ({"sensitive": True}, False),
        ({"section": "all", "sensitive": True}, False),
        ({"section": "all"}, True),
    ],
)
def test_an_exclusion_covers_what_it_may_mean(no: dict[str, Any], cut: bool) -> None:
    """Its service, purpose and day, if they can be read; in doubt everything."""
    excludes = [item(SCH, "sec.plan") | no]
    family = agreed(record(scope_includes=[item(SCH)], scope_excludes=excludes))

    assert ("sec.plan" in sections(family, SCH)) is not cut
    assert ("sec.review" in sections(family, SCH)) is not (cut and no.get("section") == "all")


def test_withdrawing_a_service_takes_what_is_ordinary_too() -> None:
    """Whatever item names the service, all of it goes."""
    gone = record(
        "WITHDRAWN",
        withdrawal_type="SHARE_SERVICE",
        scope_excludes=[item(SCH, "sec.plan", sensitive=True)],
    )

    assert sections(agreed(SHARE_TWO, gone), SCH) == set()


def test_a_share_states_a_service_anew_whatever_else_it_names() -> None:
    """An item for another purpose, before or after, leaves the restatement as it is."""
    whole = record(scope_includes=[item(SCH)])
    moving = item(SCH, "sec.review", purpose="TRANSFER")
    for items in ([item(SCH, "sec.plan"), moving], [moving, item(SCH, "sec.plan")]):
        anew = record(scope_includes=items)

        assert sections(agreed(whole, anew), SCH) == {"sec.plan"}


def test_of_several_items_for_a_section_the_best_counts() -> None:
    """Contributing includes viewing, in whichever order, and what is over takes nothing away."""
    view, write = item(SCH, "sec.plan"), item(SCH, "sec.plan", action="contribute")
    over = write | {"to": "2026-09-10"}
    ask = Ask(SCH, "PLAN", NOW)

    for items, writes in (
        ([view, write], True),
        ([write, view], True),
        ([view, over], False),
        ([over, view], False),
    ):
        cell = agreed(record(scope_includes=items)).section("ava", "sec.plan", ask)
        assert (cell.permitted, cell.contribute) == (True, writes), items


def test_a_narrowing_without_an_explanation_cuts_and_gives_nothing() -> None:
    """Not even what it says that the service may keep."""
    unsound = record("NARROWED", scope_includes=[item(SCH, "sec.plan")], informed=None)

    assert sections(agreed(SHARE_TWO, unsound), SCH) == set()
    assert sections(agreed(SHARE_TWO, unsound), HOU) == {"sec.env.housing", "sec.plan"}


HOME = item(HOU, "sec.identity", sensitive=True)
LOCATE = HOME | {"action": "locate"}


@pytest.mark.parametrize(
    ("said", "may"),
    [
        ([LOCATE], True),
        ([HOME], False),
        ([], False),
        ([LOCATE | {"service": SCH}], False),
        ([LOCATE | {"section": "all"}], False),
        ([LOCATE | {"section": "sec.plan"}], False),
        ([LOCATE | {"sensitive": False}], False),
        ([LOCATE | {"sensitive": "yes"}], False),
        ([LOCATE | {"purpose": "TRANSFER"}], False),
        ([LOCATE | {"purpose": "PLAN"}], True),
        ([HOME, LOCATE | {"to": "2026-09-10"}], False),
        ([HOME | {"to": "2026-09-10"}, LOCATE], True),
        ([LOCATE | {"from": "2026-10-01"}], False),
        ([HOME, LOCATE | {"service": SCH}], False),
        ([HOME, LOCATE | {"section": "sec.plan"}], False),
        ([HOME, LOCATE | {"sensitive": False}], False),
        ([HOME, LOCATE | {"purpose": "TRANSFER"}], False),
        ([HOME, LOCATE | {"action": "view"}], False),
    ],
)
def test_knowing_the_place_is_named(said: list[dict[str, Any]], may: bool) -> None:
    """D-41: by its own action, for identity as sensitive, for this service, purpose and time."""
    assert agreed(record(scope_includes=said)).located("ava", Ask(HOU, "PLAN", NOW)) is may


def test_knowing_the_place_rests_on_the_decision_that_shows_identity() -> None:
    """A newer word about identity that does not say it takes it back, and so does a refusal."""
    known = record(scope_includes=[LOCATE])
    ask = Ask(HOU, "PLAN", NOW)

    assert not agreed(known, record("WIDENED", scope_includes=[HOME])).located("ava", ask)
    no = record("NARROWED", scope_excludes=[item(HOU, "sec.identity")])
    assert not agreed(known, no).located("ava", ask)
    assert not agreed(no | {"scope_includes": [LOCATE]}).located("ava", ask)
    assert agreed(record(scope_includes=[HOME]), known).located("ava", ask)
    assert not agreed(known).located("mia", ask)


def test_the_state_says_what_stands() -> None:
    """A yes that does not hold is a refusal; what is shared for one purpose is shared."""
    half = record("NARROWED", scope_excludes=[item(SCH, purpose="ASSESS")])
    stored = record("WITHDRAWN", withdrawal_type="STORE")
    asked = record("WITHDRAWN", withdrawal_type="SHARE_ALL")

    assert agreed(record(informed=None)).state("ava", SCH, NOW) == "REFUSED"
    assert agreed(SHARE_TWO, stored).state("ava", SCH, NOW) == "WITHDRAWN"
    assert agreed(SHARE_TWO, half).state("ava", SCH, NOW) == "SHARE"
    assert agreed(asked).state("ava", SCH, NOW) == "NOT_ASKED"


def test_a_word_about_a_cell_is_known_whatever_became_of_it() -> None:
    """Yes or no, in force or over: somebody decided it."""
    over = record(scope_includes=[item(SCH, "sec.plan")], expires_at="2026-09-10")
    closed = agreed(SHARE_TWO, closed_at=NOW - timedelta(days=1))
    ask = Ask(SCH, "PLAN", NOW)

    assert agreed(over).decided("ava", "sec.plan", ask)
    assert not agreed(over).decided("ava", "sec.plan", Ask(HOU, "PLAN", NOW))
    assert agreed(record("REFUSED", store_decision="no")).decided("ava", "sec.plan", ask)
    assert not agreed().decided("ava", "sec.plan", ask)
    assert closed.decided("ava", "sec.plan", ask)
    wider = record("WIDENED", scope_includes=[item(HOU, "sec.plan")])
    stored = agreed(record("STORE_ONLY", store_decision="yes"), wider)
    assert stored.decided("ava", "sec.plan", Ask(HOU, "PLAN", NOW))


def test_what_never_leaves_has_no_basic_leaves_either() -> None:
    """The checklist and safeguarding, for who is listed for everything."""
    family = agreed(record(scope_includes=[item(SCH, sensitive=True)]))
    ask = Ask(SCH, "PLAN", NOW)

    assert not family.basic("ava", "sec.safeguarding", ask).permitted
    assert not family.basic("ava", "sec.checklist", ask).permitted


def test_a_narrowing_names_a_service_only_by_a_withdrawal() -> None:
    """A scope of refusal on another record changes nothing of what it cuts."""
    cut = record("NARROWED", refusal_scope="SERVICE", scope_excludes=[item(SCH, "sec.plan")])

    assert sections(agreed(SHARE_TWO, cut), SCH) == set(SHAREABLE) - {"sec.plan"}


def test_a_question_of_theirs_replaces_their_own_answer_and_no_more() -> None:
    """Among equals it takes what was given; from a parent it takes nothing of hers."""
    own = young(scope_includes=[item("SXH-A/SXHS")])

    assert not sections(agreed(own, young("ASKED", supersedes="d1")), "SXH-A/SXHS", person="bea")
    mothers = record("ASKED", subject_id="bea", supersedes="d1")
    assert sections(agreed(own, mothers), "SXH-A/SXHS", person="bea")


def test_a_record_is_weighed_as_it_would_be_recorded() -> None:
    """The next in the row, at its own moment if that can be read."""
    earlier = recorded(SHARE_TWO, FINE)
    first = next_decision(SHARE_TWO, [])
    third = next_decision(SHARE_TWO | {"recorded_at": "soon"}, list(reversed(earlier)))

    assert (first.sequence, first.data_subject, first.record) == (1, "ava", SHARE_TWO)
    assert first.recorded_at == datetime(2026, 9, 1, 9, tzinfo=UTC)
    assert third.sequence == 3
    assert third.recorded_at < first.recorded_at


def test_the_moments_of_a_decision_are_those_of_its_periods() -> None:
    """When it ends, when an item opens or ends, when a no begins; of what is unreadable nothing."""
    given = record(
        scope_includes=[item(SCH, from_="2026-10-01", to="2026-11-01"), item(SCH, to="soon")],
        scope_excludes=[item(HOU, from_="2026-12-01"), item(HOU, from_="later")],
    )
    found = agreed(given).moments("ava")

    assert {datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11, 12)} < found
    assert datetime(2027, 8, 31, tzinfo=UTC) in found
    assert agreed(given).moments("nobody") == frozenset()
