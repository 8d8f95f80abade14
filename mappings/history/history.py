"""One episode of paper or of a legacy system: what a hub would be sent, and what would come of it.

Consent is never assumed (`domain.md` 4.4): without a recorded decision to store, in force today, an
episode stays where it is, and nobody is told of it.  Whatever decision comes with it keeps the date
on which it was signed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from hub.domain.checks import check_episode
from hub.domain.consent import Agreements
from hub.domain.decision import moment, next_decision
from hub.domain.entitlement import check_decision
from hub.domain.events import Event
from hub.domain.exchange import Decision
from hub.errors import Code, Fault, HubError
from mappings.formats.canonical_json import read_message
from mappings.forms.forms import Forms
from mappings.forms.judging import judge

Tree = dict[str, Any]
Outcome = Literal["import", "close", "hold", "fault"]
"""*import*: begins as ASSESSING; *close*: kept as CLOSED; *hold*: no decision lets it be kept."""

NOES: Final = frozenset({"REFUSED", "WITHDRAWN", "NARROWED"})
KEPT_HEADERS: Final = (
    "sender_org",
    "sender_system",
    "sender_user_ref",
    "accept_failed_identifiers",
)


@dataclass(frozen=True, slots=True)
class Found:
    """One fault with its place: file, row and column of a table, or path into a message."""

    file: str
    row: int | None
    column: str
    code: Code
    remedy: str
    codes: str | None = None


Where = Callable[[str], tuple[int | None, str]]
"""From the path of a fault to row and column."""


@dataclass(frozen=True, slots=True)
class History:
    """One episode to be imported; *where* finds the place that a fault is about.

    *read* are the faults with which it was read; *notes* say what was understood how.
    """

    file: str
    row: int | None
    name: str
    episode: Tree
    decisions: tuple[Tree, ...]
    where: Where
    header: Mapping[str, Any] = field(default_factory=dict)
    read: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def episode_id(self) -> str:
        """Return the reference under which the hub will know it."""
        return str(self.episode.get("episode_id", ""))

    def message(self) -> bytes:
        """Return the message that imports it, the same bytes every time."""
        header = {name: self.header[name] for name in KEPT_HEADERS if name in self.header}
        tree = {"message": header, "event": Event.EPISODE_IMPORTED.value, "episode": self.episode}
        if not header:
            del tree["message"]
        return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would come of one history, with every fault and what is worth knowing."""

    history: History
    outcome: Outcome
    faults: tuple[Found, ...]
    notes: tuple[str, ...]
    decisions: tuple[Tree, ...] = ()

    def records(self) -> Sequence[tuple[str, bytes]]:
        """Return (id, bytes) of the decisions to be sent, in order; the same bytes every time."""
        return [
            (
                str(one["consent_decision_id"]),
                orjson.dumps(one, option=orjson.OPT_SORT_KEYS),
            )
            for one in self.decisions
        ]


def judged(history: History, forms: Forms, now: datetime) -> Verdict:
    """Return what a hub would make of *history* at the moment *now*; nothing is stored or sent."""
    faults = list(history.read)
    notes = list(history.notes)
    for fault in _faults(history, forms, now, notes):
        row, column = history.where(fault.path)
        found = Found(history.file, row, column, fault.code, fault.remedy, fault.code_list)
        if found not in faults:
            faults.append(found)
    if faults:
        return Verdict(history, "fault", tuple(faults), tuple(notes))
    decisions, over = in_order(history.decisions, now)
    notes += [f"decision signed on {one['signed_at'][:10]} is over, and stays here" for one in over]
    held = _before(over) or _held(history, decisions, now)
    if held is not None:
        row, column = history.where(held.path)
        found = Found(history.file, row, column, held.code, held.remedy)
        return Verdict(history, "hold", (found,), tuple(notes))
    closed = "closed_at" in history.episode
    state = history.episode.get("status")
    if state is not None and not closed:
        notes.append(f"was {state}; it begins as ASSESSING, and goes on from there")
    outcome: Outcome = "close" if closed else "import"
    return Verdict(history, outcome, (), tuple(notes), tuple(decisions))


def _faults(history: History, forms: Forms, now: datetime, notes: list[str]) -> Sequence[Fault]:
    try:
        message, warnings = read_message(history.message())
    except HubError as error:
        return error.faults or (Fault(error.code, "", error.detail),)
    episode = message["episode"]
    try:
        told = judge(forms, message, now.date())
    except HubError as error:
        return error.faults
    notes += [f"{one.path}: {one.remedy}" for one in (*warnings, *told)]
    accepted = bool(message.get("message", {}).get("accept_failed_identifiers"))
    faults = list(
        check_episode(episode, accept_failed_identifiers=accepted, whole=True, at="/episode")
    )
    faults += _dates(episode, now)
    if "home_authority" not in episode:
        faults.append(Fault(Code.REQUIRED, "/episode/home_authority", "the authority of residence"))
    if "closed_at" in episode and "closure_reason" not in episode.get("closure", {}):
        path = "/episode/closure/closure_reason"
        faults.append(Fault(Code.REQUIRED, path, "what is over ended for a reason (CL-19)"))
    return [*faults, *_wrong_decisions(history, episode)]


def _dates(episode: Tree, now: datetime) -> Sequence[Fault]:
    if "opened_at" not in episode:
        return [Fault(Code.REQUIRED, "/episode/opened_at", "say when it was opened")]
    return [
        Fault(Code.RULE, f"/episode/{name}", "history does not lie ahead")
        for name in ("opened_at", "closed_at")
        if name in episode and datetime.fromisoformat(episode[name]) > now
    ]


def _wrong_decisions(history: History, episode: Tree) -> Sequence[Fault]:
    """Check each decision as of the day on which it was signed."""
    faults: list[Fault] = []
    earlier: list[Decision] = []
    children = [child.get("subject_id") for child in episode.get("subjects", ())]
    for record in history.decisions:
        about = record.get("subject_id")
        at = f"/consent/{children.index(about) + 1 if about in children else 1}"
        try:
            read_message(orjson.dumps({"consent_decision": record}))
        except HubError as error:
            faults += [_below(at, fault) for fault in error.faults]
            continue
        signed = moment(record.get("signed_at"))
        if signed is not None:
            wrong = check_decision(record, earlier=earlier, tree=episode, at=signed)
            faults += [_below(at, fault) for fault in wrong]
        earlier.append(next_decision(record, earlier))
    return faults


def _below(at: str, fault: Fault) -> Fault:
    path = at + fault.path.removeprefix("/consent_decision")
    return Fault(fault.code, path, fault.remedy, fault.code_list, fault.allowed)


def in_order(records: Sequence[Tree], now: datetime) -> tuple[Sequence[Tree], Sequence[Tree]]:
    """Return the decisions in the order in which a hub can take them, and those that are over.

    Nothing is kept before somebody has agreed to storing it, so each child's first decision in
    force that does so comes first; what a hub has heard last counts, so all others follow as they
    were signed.  What came before that first one and is over would only be refused.
    """
    first: dict[str, Tree] = {}
    early: list[Tree] = []
    rest: list[Tree] = []
    for record in records:
        child = str(record["subject_id"])
        if record["given_by_basis"] == "ADULT_SELF" or child in first:
            rest.append(record)
        elif _stores(record, now):
            first[child] = record
        else:
            early.append(record)
    over = [record for record in early if record["subject_id"] in first]
    rest += [record for record in early if record["subject_id"] not in first]
    return [*first.values(), *sorted(rest, key=lambda one: str(one["signed_at"]))], over


def _stores(record: Tree, now: datetime) -> bool:
    alone = Agreements([next_decision(record, [])], (), ())
    return alone.may_store(str(record["subject_id"]), now)


def _before(over: Sequence[Tree]) -> Fault | None:
    """Return why a "no" of old days keeps the episode here: left out, it would be forgotten."""
    for record in over:
        if record["state"] in NOES or record.get("scope_excludes"):
            remedy = "a no was said before the decision to store: record one that repeats it"
            return Fault(Code.CONSENT_SCOPE, "/consent/1", remedy)
    return None


def _held(history: History, records: Sequence[Tree], now: datetime) -> Fault | None:
    """Return why no hub may keep the episode today, if none may (`domain.md` 4.4)."""
    earlier: list[Decision] = []
    for record in records:
        earlier.append(next_decision(record, earlier))
    children = [child["subject_id"] for child in history.episode.get("subjects", ())]
    adults = [adult["parent_carer_id"] for adult in history.episode.get("parents_carers", ())]
    agreements = Agreements(earlier, children, adults)
    if not children:
        return Fault(Code.CONSENT_NONE, "/episode/subjects", "an episode is about a child")
    for position, child in enumerate(children, 1):
        if agreements.may_store(child, now):
            continue
        state = agreements.state(child, "", now)
        if state == "EXPIRED":
            remedy = "the decision is over: ask again, and record one of the last twelve months"
            return Fault(Code.CONSENT_EXPIRED, f"/consent/{position}", remedy)
        remedy = {
            "NOT_ASKED": "nobody is known to have been asked: ask, and record the decision",
        }.get(state, "the family did not agree to storing it: it stays where it is")
        return Fault(Code.CONSENT_NONE, f"/consent/{position}", remedy)
    return None
