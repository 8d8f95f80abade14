"""Consent only rises by an entitled act: code and model agree, whatever families decide."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements, Ask
from hub.domain.consent_change import effect
from hub.domain.decision import read
from hub.domain.exchange import Decision
from hub.domain.lapse import lapsed
from tests.property.consent_model import LISTED, Item, Life, Said, loud, permitted, stores

CHILD = "ava"
SERVICES = ("HOU-A/HOUS", "SCH-A/SCH")
SECTIONS = ("sec.plan", "sec.child.health")
PURPOSES = ("ASSESS", "PLAN", "TRANSFER")
FIRST = date(2026, 1, 1)
RECORD = {
    "SHARE": {"state": "SHARE"},
    "WIDENED": {"state": "WIDENED"},
    "NARROWED": {"state": "NARROWED"},
    "STORE_ONLY": {"state": "STORE_ONLY", "share_decision": "no"},
    "ASKED": {"state": "ASKED"},
    "REFUSE": {"state": "REFUSED", "refusal_scope": "WHOLE_CAF", "share_decision": "no"},
    "WITHDRAW_ALL": {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL"},
    "WITHDRAW_STORE": {"state": "WITHDRAWN", "withdrawal_type": "STORE"},
    "WITHDRAW_SERVICE": {"state": "WITHDRAWN", "withdrawal_type": "SHARE_SERVICE"},
    "WITHDRAW_SECTION": {"state": "WITHDRAWN", "withdrawal_type": "SHARE_SECTION"},
    "BROKEN": {"state": "SHARED WITH EVERYBODY"},
}


def on(day: int) -> str:
    return (FIRST + timedelta(days=day)).isoformat()


def moment(day: int) -> datetime:
    return datetime.combine(FIRST + timedelta(days=day), time(12), UTC)


def scope(item: Item) -> dict[str, Any]:
    written: dict[str, Any] = {"service": item.service, "section": item.section}
    given = {"purpose": item.purpose, "sensitive": item.sensitive or None}
    given |= {"from": None if item.starts is None else on(item.starts)}
    given |= {"to": None if item.ends is None else on(item.ends)}
    return written | {name: value for name, value in given.items() if value is not None}


def recorded(said: Said) -> Decision:
    """Write what was said as a full decision record."""
    young = said.voice == "young person"
    record = {
        "consent_decision_id": f"d{said.number}",
        "episode_id": "e1",
        "subject_id": CHILD,
        "purpose": ["STORE", *PURPOSES],
        "given_by_person": CHILD if young else said.giver,
        "given_by_basis": "CHILD_COMPETENT" if young else "PR_HOLDER",
        "store_decision": "yes",
        "share_decision": "yes",
        "index_consent": "yes",
        "informed": {"reasons_explained": said.informed},
        "scope_includes": [scope(item) for item in said.includes],
        "scope_excludes": [scope(item) for item in said.excludes],
        "signed_at": on(said.signed),
        "expires_at": on(said.expires),
        "review_by": on(said.review),
    }
    if young:
        outcome = "COMPETENT" if said.entitled else "NOT_COMPETENT"
        record["competence_judgement"] = {"outcome": outcome}
    elif said.entitled:
        record["pr_basis"] = "MOTHER"
    if said.supersedes is not None:
        record["supersedes"] = f"d{said.supersedes}"
    return Decision(
        f"d{said.number}", "e1", CHILD, said.number, record | RECORD[said.kind], "p1", moment(0)
    )


def shown(life: Life) -> dict[str, Any]:
    """Return what the episode shows of the family: a date of birth, and who lost what."""
    born: dict[str, Any] = {"subject_id": CHILD}
    if life.sixteen < 10_000:
        # Both birthdays of the model cannot follow from one date: the elder one does.
        born["date_of_birth"] = on(life.sixteen).replace("2026", "2010")
    if life.eighteen < 10_000:
        born["date_of_birth"] = on(life.eighteen).replace("2026", "2008")
    tie = {"subject_id": CHILD, "has_parental_responsibility": "N"}
    lost = [{"parent_carer_id": who, "relationships": [tie]} for who in sorted(life.without)]
    return {"subjects": [born], "parents_carers": lost}


def views(everything: list[Said], day: int, life: Life = Life()) -> dict[tuple[Any, ...], bool]:
    """Return every cell as the code sees it."""
    agreements = Agreements(
        [recorded(said) for said in everything],
        [CHILD],
        ["mia", "jon"],
        known=circumstances(shown(life)),
    )
    seen = {}
    for service, purpose in product(SERVICES, PURPOSES):
        ask = Ask(service, purpose, moment(day))
        seen[service, LISTED, purpose, False] = agreements.listed(CHILD, ask).permitted
        for section in SECTIONS:
            cell = agreements.section(CHILD, section, ask)
            seen[service, section, purpose, False] = cell.permitted
            seen[service, section, purpose, True] = cell.sensitive
    return seen


days = st.one_of(st.none(), st.integers(0, 40))
items = st.builds(
    Item,
    st.sampled_from(SERVICES),
    st.sampled_from([*SECTIONS, "all"]),
    st.booleans(),
    st.sampled_from([None, None, "PLAN", "TRANSFER"]),
    days,
    days,
)
noes = st.builds(
    Item,
    st.sampled_from(SERVICES),
    st.sampled_from([*SECTIONS, "all"]),
    st.booleans(),
    st.sampled_from([None, None, "PLAN", "TRANSFER"]),
    days,
)


class Family(RuleBasedStateMachine):
    """A family that decides, changes its mind, grows older, and is sometimes written down badly."""

    def __init__(self) -> None:
        super().__init__()
        self.day = 0
        self.life = Life()
        self.said: list[Said] = []
        self.before = views([], 0)

    @rule(
        kind=st.sampled_from(["SHARE", "SHARE", "WIDENED", "WIDENED", "NARROWED", *RECORD]),
        voice=st.sampled_from(["parent", "parent", "parent", "young person"]),
        entitled=st.sampled_from([True, True, True, True, False]),
        informed=st.sampled_from([True, True, True, True, False]),
        lasts=st.sampled_from([10, 60, 500]),
        includes=st.lists(items, max_size=4),
        excludes=st.lists(noes, max_size=2),
        back=st.one_of(st.none(), st.none(), st.integers(1, 3)),
        giver=st.sampled_from(["mia", "jon"]),
        review=st.integers(0, 90),
    )
    def decide(
        self,
        kind: str,
        voice: str,
        entitled: bool,
        informed: bool,
        lasts: int,
        includes: list[Item],
        excludes: list[Item],
        back: int | None,
        giver: str,
        review: int,
    ) -> None:
        partly = kind in {"WITHDRAW_SERVICE", "WITHDRAW_SECTION"}
        said = Said(
            number=len(self.said) + 1,
            kind=kind,
            voice=voice,
            entitled=entitled,
            informed=informed,
            signed=self.day,
            expires=self.day + lasts,
            includes=tuple(includes) if kind in {"SHARE", "WIDENED", "NARROWED"} else (),
            excludes=tuple(excludes) or ((Item(SERVICES[0], SECTIONS[0]),) if partly else ()),
            supersedes=len(self.said) + 1 - back if back and back <= len(self.said) else None,
            giver=giver,
            review=self.day + review,
        )
        self.said.append(said)
        now = views(self.said, self.day, self.life)
        risen = [cell for cell, yes in now.items() if yes and not self.before[cell]]
        # P26: nothing opens but what an entitled, informed yes names.
        if risen:
            assert kind in {"SHARE", "WIDENED", "NARROWED"}
            assert entitled
            assert informed
        # Agreeing to storing again opens what was named before, and so does settling a dispute.
        again = said.supersedes is not None or not any(self.before.values())
        for service, section, *_ in () if again else risen:
            assert any(
                item.service == service and (section == LISTED or item.section in {section, "all"})
                for item in includes
            )
        self.before = now

    @rule(days=st.integers(1, 30))
    def wait(self, days: int) -> None:
        old, self.day = self.day, self.day + days
        now = views(self.said, self.day, self.life)
        starts = {i.starts for said in self.said for i in said.includes if i.starts is not None}
        if any(yes and not self.before[cell] for cell, yes in now.items()):
            # P26: no clock widens, but for a yes that was given from a later day on.
            assert any(old < start <= self.day for start in starts)
        self.before = now

    @rule(who=st.sampled_from(["mia", "jon"]))
    def loses_parental_responsibility(self, who: str) -> None:
        """What somebody gave is held, and nothing opens by that."""
        self.life = replace(self.life, without=self.life.without | {who})
        now = views(self.said, self.day, self.life)
        assert not any(yes and not self.before[cell] for cell, yes in now.items())
        self.before = now

    @rule(until=st.integers(1, 200), age=st.sampled_from([16, 16, 16, 18]))
    def is_known_to_be_as_old(self, until: int, age: int) -> None:
        """The episode shows a date of birth: nothing opens by that, today or ever."""
        if self.life.sixteen < 10_000 or len(self.said) < 3:
            return
        day = min(self.day + until, 364)
        years = {16: Life(day), 18: Life(day - 731, day)}[age]
        self.life = replace(years, without=self.life.without)
        now = views(self.said, self.day, self.life)
        assert not any(yes and not self.before[cell] for cell, yes in now.items())
        self.before = now

    @invariant()
    def agrees_with_the_model(self) -> None:
        for (service, section, purpose, fine), yes in views(self.said, self.day, self.life).items():
            expected = permitted(
                self.said, service, section, purpose, self.day, self.life, fine=fine
            )
            assert yes == expected, (service, section, purpose, fine)


said_by_somebody = st.builds(
    Said,
    number=st.just(0),
    kind=st.sampled_from(["SHARE", "SHARE", "WIDENED", "NARROWED", *RECORD]),
    voice=st.sampled_from(["parent", "parent", "young person"]),
    signed=st.integers(0, 10),
    expires=st.integers(5, 60),
    includes=st.lists(items, max_size=3).map(tuple),
    excludes=st.lists(noes, max_size=1).map(tuple),
    giver=st.sampled_from(["mia", "jon"]),
)


ENDED = Said(0, "SHARE", expires=12, includes=(Item("HOU-A/HOUS", "sec.plan", ends=0),))
"""What was agreed to had ended on the day of signing."""


@settings(max_examples=150)
@given(st.lists(said_by_somebody, min_size=1, max_size=4), st.integers(11, 60))
@example([ENDED], 11)
def test_a_lapse_is_what_was_and_is_not_and_will_not_be(written: list[Said], day: int) -> None:
    """PAUSED by time: something was shared or stored on some day before, by the decisions that
    stand; nothing is today, and on no day to come.
    """
    giving = {"SHARE", "WIDENED", "NARROWED"}
    everything = [
        replace(said, number=n, includes=said.includes if said.kind in giving else ())
        for n, said in enumerate(written, start=1)
    ]

    def shares(on: int) -> bool:
        return any(
            permitted(everything, service, LISTED, purpose, on)
            for service, purpose in product(SERVICES, PURPOSES)
        )

    def keeps(on: int) -> bool:
        order = sorted(everything, key=lambda said: (loud(said), said.number), reverse=True)
        return next((s for said in order if (s := stores(said, on, Life())) is not None), False)

    # From the day before the first: what had ended when it was signed has run out as well.
    past, future = range(-1, day), range(day + 1, day + 61)
    over = not shares(day) and not any(map(shares, future)) and any(map(shares, past))
    unkept = not keeps(day) and any(map(keeps, past))
    decisions = [recorded(said) for said in everything]
    agreements = Agreements(decisions, [CHILD], ["mia", "jon"])

    assert lapsed(agreements, [CHILD], moment(day)) == (over or unkept)


TestFamily = Family.TestCase
TestFamily.settings = settings(max_examples=200, stateful_step_count=15, deadline=None)

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["yes", "all"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
GOOD = recorded(
    Said(1, "SHARE", includes=tuple(Item(s, x, True) for s in SERVICES for x in SECTIONS))
)


@given(
    broken=st.dictionaries(st.sampled_from(sorted(GOOD.record)), junk, min_size=1, max_size=3),
    missing=st.sets(st.sampled_from(sorted(GOOD.record)), max_size=2),
)
@settings(max_examples=400)
def test_a_damaged_record_never_says_more(broken: dict[str, Any], missing: set[str]) -> None:
    """Whatever is wrong with a record, it answers, and permits no more than the sound one."""
    kept = {name: value for name, value in GOOD.record.items() if name not in missing}
    damaged = Decision("d1", "e1", CHILD, 1, kept | broken, "p1", moment(0))
    sound, worse = Agreements([GOOD], [CHILD], []), Agreements([damaged], [CHILD], [])

    change = effect(sound, worse, SERVICES, moment(1), PURPOSES)
    worse.state(CHILD, SERVICES[0], moment(1))
    worse.index(CHILD, moment(1))
    worse.services(moment(1))

    assert change.gained == {}


@given(
    item=st.dictionaries(
        st.sampled_from(["service", "section", "purpose", "from", "to", "action", "sensitive"]),
        junk,
    )
)
@settings(max_examples=300)
def test_a_damaged_item_never_opens_and_always_closes(item: dict[str, Any]) -> None:
    """An unreadable inclusion adds nothing, and an unreadable exclusion reveals nothing."""
    scope_of = {"scope_includes": [*GOOD.record["scope_includes"], item]}
    included = Decision("d1", "e1", CHILD, 1, {**GOOD.record, **scope_of}, "p1", moment(0))
    excluded = Decision(
        "d1", "e1", CHILD, 1, {**GOOD.record, "scope_excludes": [item]}, "p1", moment(0)
    )
    sound = Agreements([GOOD], [CHILD], [])

    assert read(included, adult=False) is not None
    for damaged in (included, excluded):
        after = Agreements([damaged], [CHILD], [])
        assert effect(sound, after, SERVICES, moment(1), PURPOSES).gained == {}
