"""The life cycle, where the property test's model would only repeat itself."""

from dataclasses import fields
from typing import Any

import pytest

from hub.domain import codes
from hub.domain.dictionary import leaves
from hub.domain.events import WIRE, Event
from hub.domain.exchange import Priority
from hub.domain.lifecycle import (
    GUARDS,
    TRANSITIONS,
    Facts,
    Index,
    Lead,
    Process,
    Regions,
    Role,
    allowed,
    step,
)
from hub.domain.notifications import NOTIFICATIONS, Audience
from hub.errors import Code, Conflict

READY: dict[str, Any] = {f.name: True for f in fields(Facts) if f.name in GUARDS}
EVERYBODY = frozenset(Role)


def facts(**more: Any) -> Facts:
    """Return facts with every guard satisfied and nothing else said."""
    return Facts(**{**READY, "roles": EVERYBODY, "acting": False, **more})


def play(*events: str | None, **more: Any) -> list[str]:
    """Return the process states that *events* lead through from nothing."""
    here, states = Regions(), []
    for event in events:
        here = step(here, event, facts(**more)).regions
        states.append(here.process)
    return states


def test_the_whole_way() -> None:
    """From a decision to store to the archive, as S1 goes."""
    states = play(
        "consent.given",
        "episode.opened",
        "assessment.completed",
        "team.called",
        "lead_professional.appointed",
        "plan.agreed",
        "service.requested",
        "service.answered",
        "family.moved",
        "consent.widened",
        "transfer.accepted",
        "lead_professional.changed",
        "review.opened",
        "review.completed",
        "episode.closed",
        "retention.expired",
        "retention.expired",
        index_consented=True,
    )

    assert states[:5] == ["CONSENT_SOUGHT", "ASSESSING", "ASSESSED", "TEAM_FORMING", "TEAM_FORMING"]
    assert states[8:11] == ["TRANSFER_PENDING", "TRANSFER_PENDING", "PLAN_ACTIVE"]
    assert states[-3:] == ["CLOSED", "ARCHIVED", "PURGED"]


def test_an_episode_may_open_from_nothing() -> None:
    """T1-T5 are local to the sender; what counts is the recorded decision to store."""
    opened = step(Regions(), "episode.opened", facts(index_consented=True))
    withheld = step(Regions(), "episode.opened", facts(index_consented=False))

    assert opened.regions == Regions("ASSESSING", None, "ACTING", "OPEN")
    assert opened.notifications == ("N1",)
    assert (withheld.regions.index, withheld.notifications) == ("NONE", ())
    with pytest.raises(Conflict, match="storage_consent_given"):
        step(Regions(), "episode.opened", facts(storage_consent_given=False))


def test_an_impossible_step_says_what_is_possible() -> None:
    """E_STATE names the state, the event and what would be allowed now."""
    with pytest.raises(Conflict) as refused:
        step(Regions("ASSESSING", None, "ACTING"), "plan.agreed", facts())

    (fault,) = refused.value.faults
    assert refused.value.code is Code.STATE
    assert "ASSESSING" in refused.value.detail
    assert "plan.agreed" in refused.value.detail
    assert "assessment.completed" in fault.allowed
    assert "plan.agreed" not in fault.allowed


def test_an_unknown_event_is_not_repeated() -> None:
    """Somebody's text in the event's place does not come back in the error."""
    with pytest.raises(Conflict) as refused:
        step(Regions(), "Ava Example", facts())

    assert "Ava" not in refused.value.detail


def test_every_failed_guard_is_named_with_its_remedy() -> None:
    """One answer tells everything that is missing."""
    here = Regions("ASSESSING", None, "ACTING")
    with pytest.raises(Conflict) as refused:
        step(here, "assessment.completed", facts(conclusions_present=False, sharing_decided=False))

    assert [fault.path for fault in refused.value.faults] == [
        "/event#conclusions_present",
        "/event#sharing_decided",
    ]
    assert all(fault.remedy for fault in refused.value.faults)


def test_a_step_belongs_to_somebody() -> None:
    """T13: only the action's owner updates it; the answer says whose step it is."""
    with pytest.raises(Conflict) as refused:
        step(
            Regions("PLAN_ACTIVE", None, "APPOINTED"),
            "action.updated",
            facts(roles=frozenset({Role.LEAD})),
        )

    assert refused.value.code is Code.NOT_OWNER
    assert refused.value.faults[0].allowed == ("action_owner",)


@pytest.mark.parametrize(
    ("lead", "may"), [("ACTING", True), ("APPOINTED", False), ("VACANT", False)]
)
def test_the_assessor_holds_the_baton_until_somebody_is_appointed(lead: str, may: bool) -> None:
    """1.4: whoever completes the CAF leads until another is appointed."""
    assessor = facts(roles=frozenset({Role.ASSESSOR}))
    here = Regions("ASSESSED", None, lead)

    if may:
        assert step(here, "plan.agreed", assessor).regions.process == "PLAN_ACTIVE"
    else:
        with pytest.raises(Conflict, match="E_NOT_OWNER"):
            step(here, "plan.agreed", assessor)


@pytest.mark.parametrize("state", ["ASSESSING", "ASSESSED", "IN_REVIEW", "TRANSFER_PENDING"])
def test_a_pause_goes_back_to_where_it_was(state: str) -> None:
    """T21, T22: content is told again only where it may leave at all."""
    paused = step(
        Regions(state, None, "ACTING", "OPEN"), "consent.withdrawn", facts(index_consented=True)
    )
    resumed = step(
        paused.regions, "consent.given", facts(something_shared=True, index_consented=True)
    )

    assert paused.regions == Regions("PAUSED", state, "ACTING", "OPEN")
    assert paused.notifications == ("N10",)
    assert resumed.regions == Regions(state, None, "ACTING", "OPEN")
    assert resumed.notifications == (("N7",) if state in {"ASSESSED", "IN_REVIEW"} else ())


def test_a_closed_episode_is_never_revived() -> None:
    """T31 is a new episode; the old one says so."""
    with pytest.raises(Conflict) as refused:
        step(Regions("CLOSED"), "episode.reopened", facts())
    anew = step(Regions(), "episode.reopened", facts(index_consented=True))

    assert "previous_episode_id" in refused.value.faults[0].remedy
    assert (anew.regions.process, anew.notifications) == ("ASSESSING", ("N1",))


def test_a_withdrawal_of_storage_closes_whatever_is_held() -> None:
    """T24: the family's word counts at once; N10 and N2 go in that order."""
    done = step(
        Regions("PLAN_ACTIVE", None, "APPOINTED", "OPEN"),
        "consent.withdrawn",
        facts(storage_withdrawn=True, no_legal_hold=False),
    )

    assert done.regions == Regions("CLOSED", None, "APPOINTED", "PREVIOUS")
    assert done.notifications == ("N10", "N2")
    assert done.closure_reason == "CONSENT_WITHDRAWN"


def test_the_index_follows_its_own_consent() -> None:
    """Late consent tells the index, withdrawn consent makes it forget, whatever is shared."""
    here = Regions("PLAN_ACTIVE", None, "APPOINTED", "NONE")
    told = step(here, "consent.given", facts(index_consented=True))
    forgot = step(told.regions, "consent.narrowed", facts(index_consented=False))

    assert (told.regions.index, told.notifications) == ("OPEN", ("N1", "N7"))
    assert (forgot.regions.index, forgot.notifications) == ("NONE", ("N10",))


def test_the_offer_waits_for_consent() -> None:
    """S1 8-9: moving tells of the address; the offer goes when the family agrees to it."""
    here = Regions("PLAN_ACTIVE", None, "APPOINTED", "OPEN")
    moved = step(here, "family.moved", facts(index_consented=True))
    agreed = step(
        moved.regions, "consent.widened", facts(transfer_consent_gained=True, index_consented=True)
    )
    early = step(here, "family.moved", facts(transfer_consented=True, index_consented=True))

    assert moved.notifications == ("N5",)
    assert agreed.notifications == ("N11",)
    assert early.notifications == ("N5", "N11")


def test_accepting_a_transfer_tells_the_lead_only_if_it_changed() -> None:
    """S1 10: the lead stays until B's own meeting; then N3 follows from the difference."""
    here = Regions("TRANSFER_PENDING", None, "APPOINTED", "OPEN")

    assert step(here, "transfer.accepted", facts()).notifications == ("N7", "N11")
    assert step(
        here, "transfer.accepted", facts(changed=frozenset({"N3", "N6"}))
    ).notifications == ("N3", "N7", "N11")


def test_a_bare_episode_is_read_by_its_difference() -> None:
    """No event: what changed says what happened, each code once, where it may be told."""
    here = Regions("PLAN_ACTIVE", None, "ACTING", "OPEN")
    changed = frozenset({"N3", "N5", "N9"})
    done = step(here, None, facts(changed=changed, lead_in_tree="APPOINTED"))
    paused = step(Regions("PAUSED", "PLAN_ACTIVE", "ACTING"), None, facts(changed=changed))

    assert done.notifications == ("N3", "N5", "N9")
    assert done.regions.lead == "APPOINTED"
    assert set(done.events) == {
        Event.EPISODE_UPDATED,
        Event.LEAD_PROFESSIONAL_CHANGED,
        Event.DEMOGRAPHICS_CHANGED,
        Event.ACTION_UPDATED,
    }
    assert paused.notifications == ("N3", "N5")


def test_a_bare_episode_opens_and_closes() -> None:
    """A sender that only knows whole episodes can begin and end one."""
    opened = step(Regions("CONSENT_SOUGHT"), None, facts(index_consented=True))
    closed = step(
        Regions("IN_REVIEW", None, "APPOINTED", "OPEN"), None, facts(changed=frozenset({"N2"}))
    )

    assert opened.regions.process == "ASSESSING"
    assert (closed.regions.process, closed.notifications) == ("CLOSED", ("N2",))


def test_after_closure_only_contact_and_demographics_change() -> None:
    """T17 reaches closed episodes; nothing else does."""
    closed = Regions("CLOSED", None, "APPOINTED", "PREVIOUS")

    assert step(closed, None, facts(changed=frozenset({"N5"}))).notifications == ("N5",)
    with pytest.raises(Conflict, match="only_contact_or_demographics_changed"):
        step(closed, None, facts(changed=frozenset({"N5", "N6"})))


def test_an_event_and_its_difference_are_one_notification() -> None:
    """demographics.changed with changed demographics is one N5, not two."""
    here = Regions("PLAN_ACTIVE", None, "APPOINTED")
    done = step(here, "demographics.changed", facts(changed=frozenset({"N5"})))

    assert done.notifications == ("N5",)
    assert done.events == (Event.DEMOGRAPHICS_CHANGED,)


def test_a_proposed_handover_tells_nobody() -> None:
    """1.4: named and not accepted, the old one stays responsible."""
    here = Regions("PLAN_ACTIVE", None, "APPOINTED")
    proposed = step(
        here, "lead_professional.changed", facts(handover_proposed=True, changed=frozenset({"N3"}))
    )
    acting = step(here, "lead_professional.changed", facts(appointee_accepts=False, acting=True))

    assert (proposed.regions.lead, proposed.notifications) == ("HANDOVER_PENDING", ())
    assert (acting.regions.lead, acting.notifications) == ("ACTING", ("N3",))


def test_the_table_is_whole() -> None:
    """T1-T36 are there, every wire event has a row, and every word of a row means something."""
    ids = [row.id for row in TRANSITIONS]
    names = {f.name for f in fields(Facts)} | {"content_leaves", "offer_due"}
    used = {guard for row in TRANSITIONS for guard in row.guards}

    assert len(ids) == len(set(ids))
    assert {f"T{number}" for number in range(1, 37)} <= set(ids)
    assert {row.event for row in TRANSITIONS} >= WIRE
    assert used == set(GUARDS)
    assert {name for row in TRANSITIONS for name in row.when} <= names
    assert {name for row in TRANSITIONS for _, name in row.raised_if} <= names
    assert {code for row in TRANSITIONS for code in row.raised} <= NOTIFICATIONS.keys()


def test_the_same_states_are_in_the_code_lists() -> None:
    """What the process and lead regions say can be said on the wire."""
    assert set(codes.code_list("CL-18").codes) == set(Process) - {"NONE"}
    assert set(codes.code_list("lp-state").codes) == set(Lead)
    assert set(codes.code_list("events").codes) == WIRE
    # What a school noticed and the hub passes on is none of the sixteen of table 1.5.
    assert set(codes.code_list("CL-23").codes) == {*NOTIFICATIONS, "NOTICE"}
    reasons = {row.closure_reason for row in TRANSITIONS} - {None}
    assert reasons <= set(codes.code_list("CL-19").codes)
    assert set(Index) == {"NONE", "OPEN", "PREVIOUS"}


def test_ended_states_allow_nothing() -> None:
    """DECLINED, PURGED and VOID are ends."""
    assert [allowed(Regions(state)) for state in ("DECLINED", "PURGED", "VOID")] == [(), (), ()]


def test_notifications_show_only_leaves_of_the_dictionary() -> None:
    """Table 1.5 names real leaves, and the index sees none that holds content."""
    known = leaves()
    for row in NOTIFICATIONS.values():
        assert (row.index_paths | row.team_paths | row.coarse) <= known.keys(), row.code
        assert bool(row.index_paths) <= bool(
            row.audience & {Audience.INDEX, Audience.RECEIVED, Audience.HOLDERS}
        )
    shown = {path for row in NOTIFICATIONS.values() for path in row.index_paths}
    assert {known[path].section for path in shown} <= {
        "sec.admin",
        "sec.identity",
        "sec.closure",
    }
    tags = {tag for path in shown for tag in known[path].sensitivity}
    assert tags <= {"ADM", "IDX", "BAS", "SEN"}
    # The date of delivery is SEN and coarse; nothing else that is SEN reaches the index.
    assert {path for path in shown if "SEN" in known[path].sensitivity} == {
        "subjects[].expected_date_of_delivery"
    }


def test_only_content_notifications_carry_content() -> None:
    """N1, N3, N4 and N5 carry none (fact sheet); N2 the closure, and to the team only."""
    carrying = {code for code, row in NOTIFICATIONS.items() if row.carries_content}

    assert carrying == {"N2", "N6", "N7", "N9", "N13", "N16"}
    assert NOTIFICATIONS["N2"].content == {"sec.closure"}
    assert NOTIFICATIONS["N2"].index_paths.isdisjoint({"closure.closure_reason"})


def test_who_jumps_the_queue() -> None:
    """N10, N14 and N2 overtake content, in that order; N13 waits for nobody."""
    urgent = {
        row.code: row.priority for row in NOTIFICATIONS.values() if row.priority < Priority.CONTENT
    }

    assert sorted(urgent, key=lambda code: urgent[code]) == ["N13", "N10", "N14", "N2"]


def test_another_child_reaches_the_index_only_with_consent() -> None:
    """N1 of a further child follows the index region like everything else that the index hears."""
    changed = frozenset({"N1"})
    told = step(Regions("ASSESSED", None, "ACTING", "OPEN"), None, facts(changed=changed))
    silent = step(Regions("ASSESSED", None, "ACTING", "NONE"), None, facts(changed=changed))

    assert (told.notifications, silent.notifications) == (("N1",), ())


@pytest.mark.parametrize("state", ["PAUSED", "TRANSFER_PENDING"])
def test_content_is_kept_and_not_told_where_it_may_not_leave(state: str) -> None:
    """1.1, last column: the owner's change is accepted and nobody hears of it."""
    here = Regions(state, "ASSESSED" if state == "PAUSED" else None, "ACTING", "OPEN")
    bare = step(here, None, facts(changed=frozenset({"N6", "N9"})))
    named = step(here, "assessment.updated", facts(changed=frozenset({"N6"})))

    assert bare.notifications == named.notifications == ()
