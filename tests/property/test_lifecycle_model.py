"""Any sequence of events leaves a lawful state and the notifications that the tables promise."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.domain.events import Event
from hub.domain.lifecycle import Facts, Lead, Process, Regions, Role, Step, allowed, step
from hub.domain.regions import GUARDS, LIVE
from hub.errors import Conflict
from tests.property.lifecycle_model import lines, predict

BOOLEANS = sorted(
    f.name for f in fields(Facts) if f.name not in {"roles", "changed", "lead_in_tree"}
)
MODEL_ONLY = {"quiet"}
EVENTS = [*sorted(Event), None]
CODES = ["N1", "N2", "N3", "N4", "N5", "N6", "N8", "N9"]

facts_true = st.one_of(
    # Mostly true, so that sequences get far; otherwise anything at all.
    st.sets(st.sampled_from(BOOLEANS), max_size=3).map(lambda false: set(BOOLEANS) - false),
    st.sets(st.sampled_from(BOOLEANS)),
)
roles = st.one_of(
    st.just(set(Role)),
    st.sampled_from(sorted(Role)).map(lambda role: {role}),
    st.sets(st.sampled_from(sorted(Role)), max_size=3),
)
changes = st.sets(st.sampled_from(CODES), max_size=3)


def judge(
    regions: Regions, event: str | None, sender: set[Role], true: set[str], changed: set[str]
) -> tuple[object, Step | None]:
    """Return what the code says, in the model's words."""
    yes: dict[str, Any] = dict.fromkeys(true, True)
    facts = Facts(roles=frozenset(sender), changed=frozenset(changed), **yes)
    try:
        taken = step(regions, event, facts)
    except Conflict as refused:
        return refused.code, None
    after = taken.regions
    assert len(taken.notifications) == len(set(taken.notifications))
    return (after.process, after.resume_to, after.index, set(taken.notifications)), taken


class LifeCycle(RuleBasedStateMachine):
    """One episode, pushed by whatever anybody may send."""

    def __init__(self) -> None:
        super().__init__()
        self.regions = Regions()

    @rule(event=st.sampled_from(EVENTS), sender=roles, true=facts_true, changed=changes)
    def send(self, event: str | None, sender: set[Role], true: set[str], changed: set[str]) -> None:
        baton = self.regions.lead in (Lead.NONE, Lead.ACTING)
        here = self.regions
        expected = predict(
            here.process, here.resume_to, here.index, baton, event, set(sender), true, changed
        )

        said, taken = judge(here, event, sender, true, changed)

        assert said == expected
        if taken is not None:
            self.regions = taken.regions

    @rule(number=st.integers(0, 99))
    def go_on(self, number: int) -> None:
        """Take some allowed step with everything in order, so that deep states are reached."""
        choices = [
            e for e in allowed(self.regions) if e not in {"episode.voided", "retention.expired"}
        ]
        if choices:
            true = set(BOOLEANS) - {"life_ended", "storage_withdrawn", "consent_gained"}
            self.send(choices[number % len(choices)], set(Role), true, set())

    @invariant()
    def is_lawful(self) -> None:
        here = self.regions
        assert here.process in set(Process)
        assert (here.process == Process.PAUSED) == (here.resume_to is not None)
        assert here.resume_to is None or here.resume_to in LIVE - {Process.PAUSED}
        assert here.process not in LIVE or here.lead != Lead.NONE
        assert here.index != "OPEN" or here.process in LIVE
        assert here.index != "PREVIOUS" or here.process in {Process.CLOSED, Process.ARCHIVED}


TestLifeCycle = LifeCycle.TestCase
TestLifeCycle.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@given(
    state=st.sampled_from(sorted(Process)),
    event=st.sampled_from(EVENTS),
    sender=roles,
    true=facts_true,
    changed=changes,
    lead=st.sampled_from(sorted(Lead)),
)
@settings(max_examples=500)
def test_every_state_agrees_with_the_model(
    state: str, event: str | None, sender: set[Role], true: set[str], changed: set[str], lead: str
) -> None:
    """From any state, also those that a sequence seldom reaches, code and model say the same."""
    here = Regions(state, "ASSESSED" if state == "PAUSED" else None, lead, "NONE")
    baton = lead in (Lead.NONE, Lead.ACTING)
    expected = predict(
        here.process, here.resume_to, here.index, baton, event, set(sender), true, changed
    )

    assert judge(here, event, sender, true, changed)[0] == expected


@pytest.mark.parametrize(
    "row", list(lines()), ids=lambda row: f"{row[0].split()[0]}-{row[1]}-{row[2]}"
)
def test_every_line_of_the_model_can_happen(row: list[str]) -> None:
    """Each line is taken, in each of its states; each guard and each wrong sender stops it."""
    states, event, when, who, needs, _, _ = row
    true = {word.split("/")[0] for word in needs.split() if not word.startswith("!")}
    true |= {word for word in when.split() if not word.startswith("!")}
    true -= MODEL_ONLY
    for state in states.split():
        here = Regions(state, "ASSESSED" if state == "PAUSED" else None, Lead.APPOINTED, "NONE")
        sender = set(Role) if who == "any" else {Role(who.split()[0])}

        said, taken = judge(here, event, sender, true, set())

        assert taken is not None, said
        assert said == predict(
            state, here.resume_to, "NONE", False, event, set(sender), true, set()
        )
        for role in Role if who != "any" else ():
            answer, _ = judge(here, event, {role}, true, set())
            assert (answer == "E_NOT_OWNER") == (role not in who.split()), role
        for guard in set(taken.transition.guards) & GUARDS.keys() & true:
            assert judge(here, event, sender, true - {guard}, set())[0] == "E_STATE"
