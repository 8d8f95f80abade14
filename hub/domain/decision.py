"""One consent decision, read strictly: who speaks, how loudly, what was said (`domain.md` 4.3).

A record that cannot be understood is not skipped, for skipping it might let an older "yes" stand:
it is read as a "no" to everything about that person. What is read here is one record alone;
`hub.domain.consent` weighs them against each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import MAXYEAR, UTC, datetime
from enum import IntEnum
from functools import cache, lru_cache
from typing import Any, Final

from hub.domain.codes import code_list
from hub.domain.dictionary import wire_name
from hub.domain.exchange import Decision, Tree

PURPOSES: Final = frozenset(code_list("CL-21b").codes)
DEFAULT_PURPOSES: Final = frozenset({"ASSESS", "PLAN"})
"""What an item that names no purpose is for (`domain.md` 4.2)."""
NEVER_SHARED: Final = frozenset({"sec.checklist", "sec.safeguarding"})
"""No consent opens these: the checklist is local (F5), safeguarding travels by N13 only."""
SHAREABLE: Final = frozenset(code_list("sections").codes) - NEVER_SHARED
ALL: Final = "all"
_NOTHING: Final[frozenset[str]] = frozenset()
ACTIONS: Final = ("view", "contribute", "locate")
"""What an item may allow; sharing onwards is not among them and never will be.  ``locate``: see,
and know where the family is although somebody in it is shielded (D-41)."""
YOUNG_PERSON_BASES: Final = frozenset({"CHILD_COMPETENT", "YP_16_17", "YA_18P"})
PARENT_BASES: Final = frozenset({"PR_HOLDER", "LA_PR"})

COPIED_FROM: Final = "copied_from"
"""What the hub adds to a decision that it copied from a register: server, resource, version."""

_STATES = frozenset(code_list("CL-21a").codes)
_BASES = frozenset(code_list("CL-21c").codes)
QUIET_BASES = _BASES - YOUNG_PERSON_BASES
_PR_BASES = frozenset(code_list("CL-06b").codes)
SAYS_NOTHING: Final = frozenset({"NOT_ASKED", "ASKED"})
GIVING_STATES: Final = frozenset({"SHARE", "NARROWED", "WIDENED"})
_SHARE_WITHDRAWALS = frozenset({"SHARE_ALL", "SHARE_SERVICE", "SHARE_SECTION"})
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_YES_NO: Final = frozenset({"yes", "no"})
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Voice(IntEnum):
    """Whose word it is: a competent young person's beats a parent's, however old."""

    PARENT = 1
    YOUNG_PERSON = 2


@dataclass(slots=True)
class Reading:
    """What one record says, before it is weighed against others.

    *gives*: its inclusions may permit.  *restates*: a service that it lists gets what is listed and
    no more; otherwise (WIDENED) it only adds.  *narrows*: as *restates*, for every purpose.
    *refuses*: the purposes that it says no to wholesale; ``None`` is all of them, empty is none.
    *store* and *index* are ``None`` where it leaves an older answer standing. *ends*: when its
    "yes" is over; a "no" has no end.  *superseded*: what it gave is over.  *settled*: what it
    refused is no dispute any more, for a later "yes" names it.  *held*:
    what it gave is not given now, for its giver may not give it any more.  *parent*: who spoke as
    one with parental responsibility; what another of them refused, that person alone does not open.
    """

    decision_id: str
    sequence: int
    state: str
    gives: bool
    restates: bool
    narrows: bool
    refuses: frozenset[str] | None
    store: bool | None
    index: str | None
    ends: datetime
    purposes: frozenset[str]
    includes: Sequence[Tree]
    excludes: Sequence[Tree]
    whole_services: bool
    parent: str | None
    superseded: bool = False
    settled: bool = False
    held: bool = False

    def refuses_all(self, purpose: str) -> bool:
        """Tell whether it says no to everything that is asked for *purpose*."""
        return self.refuses is None or purpose in self.refuses


def moment(value: object) -> datetime | None:
    """Return a date or a moment with an offset as UTC, and ``None`` for anything else.

    >>> moment("2026-09-01"), moment("2026-09-01T09:00:00"), moment("soon")
    (datetime.datetime(2026, 9, 1, 0, 0, tzinfo=datetime.timezone.utc), None, None)
    """
    return _moment(value) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _moment(value: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    if len(value) == len("2026-09-01"):
        return read.replace(tzinfo=UTC)
    return read if read.tzinfo is not None else None


@lru_cache(maxsize=1024)
def a_year_after(start: datetime) -> datetime:
    """Return the same day of the next year: the longest that a decision lasts (`domain.md` 4.2).

    >>> a_year_after(datetime(2028, 2, 29, tzinfo=UTC)).date()
    datetime.date(2029, 3, 1)
    """
    if start.year == MAXYEAR:
        return start
    try:
        return start.replace(year=start.year + 1)
    except ValueError:  # 29 February
        return start.replace(year=start.year + 1, month=3, day=1)


def period(item: Tree) -> tuple[datetime, datetime] | None:
    """Return the period [from, to) of a scope item; ``None`` if one of its dates cannot be read."""
    begins, ends = item.get("from"), item.get("to")
    first = _ALWAYS if begins is None else moment(begins)
    last = _NEVER if ends is None else moment(ends)
    return None if first is None or last is None else (first, last)


def entitled(record: Tree, *, adult: bool | None) -> bool:
    """Tell whether the giver may decide about sharing at all, as far as the record itself shows.

    *adult*: the data subject is a known adult, a known child, or unknown to the tree (``None``).
    Whether the tree agrees with what the record claims is `hub.domain.entitlement`'s question.
    """
    basis = record.get("given_by_basis")
    own = record.get("given_by_person") == record.get("subject_id")
    if basis == "ADULT_SELF":
        return own and adult is not False
    if adult:
        return False
    if basis == "PR_HOLDER":
        return record.get("pr_basis") in _PR_BASES
    if basis == "CHILD_COMPETENT":
        judged = record.get("competence_judgement")
        return own and isinstance(judged, Mapping) and judged.get("outcome") == "COMPETENT"
    return basis == "LA_PR" or (own and basis in YOUNG_PERSON_BASES)


def voice_of(record: Tree, *, adult: bool | None) -> Voice:
    """Return whose word the record is; the unentitled speak no louder than a parent."""
    young = record.get("given_by_basis") in YOUNG_PERSON_BASES
    return Voice.YOUNG_PERSON if young and entitled(record, adult=adult) else Voice.PARENT


def _informed(record: Tree) -> bool:
    informed = record.get("informed")
    return isinstance(informed, dict) and informed.get("reasons_explained") is True


def _special(record: Tree) -> bool:
    """Tell whether the record is only about purposes beside storing, assessing and planning."""
    named = frozenset(record["purpose"])
    return bool(named) and not named & {"STORE", *DEFAULT_PURPOSES}


def _wholesale(record: Tree, excludes: Sequence[Tree]) -> frozenset[str] | None:
    """Return the purposes that a refusal, withdrawal or bare "no" turns down (``None``: all)."""
    state = record["state"]
    if state == "WITHDRAWN":
        partly = record.get("withdrawal_type") in {"SHARE_SERVICE", "SHARE_SECTION"}
        return _NOTHING if partly and excludes else None
    if state == "REFUSED":
        partly = record.get("refusal_scope") in {"SERVICE", "SECTION", "AUTHORITY"}
        if partly and excludes:
            return _NOTHING
        # Refusing one special purpose ("do not tell the next authority") is no refusal of the rest.
        return frozenset(record["purpose"]) if _special(record) else None
    shares = state in GIVING_STATES and record["share_decision"] == "yes"
    return _NOTHING if shares else None


def _store(record: Tree, *, sound: bool) -> bool | None:
    state, said = record["state"], record["store_decision"] == "yes"
    if state == "WITHDRAWN":
        # A withdrawal never grants storing; it leaves what was agreed before.
        return None if said and record.get("withdrawal_type") in _SHARE_WITHDRAWALS else False
    if state == "REFUSED":
        if record.get("refusal_scope") == "WHOLE_CAF":
            return False
        if said and _special(record):
            return None
    if state == "NARROWED" and said and not sound:
        return None
    return said and sound and state != "EXPIRED"


def _index(record: Tree, *, sound: bool) -> str | None:
    said, state = record.get("index_consent"), record["state"]
    if state == "WITHDRAWN" and record.get("withdrawal_type") not in _SHARE_WITHDRAWALS:
        return "no"
    if record.get("refusal_scope") == "WHOLE_CAF":
        return "no"
    if said not in {"yes", "no_sensitive"}:
        return "no"
    if state in {"WITHDRAWN", "REFUSED"} or (state == "NARROWED" and not sound):
        return None
    return str(said) if sound and state != "EXPIRED" else "no"


def _unreadable(decision: Decision, record: Tree) -> Reading:
    """Read what cannot be understood: no to everything."""
    return Reading(
        decision_id=decision.decision_id,
        sequence=decision.sequence,
        state="REFUSED",
        gives=False,
        restates=False,
        narrows=False,
        refuses=None,
        store=False,
        index="no",
        ends=_NEVER,
        purposes=frozenset(),
        includes=(),
        excludes=(),
        whole_services=False,
        parent=parent_of(record),
    )


def parent_of(record: Tree) -> str | None:
    """Return who speaks on the record as one with parental responsibility."""
    basis, giver = record.get("given_by_basis"), record.get("given_by_person")
    parental = isinstance(basis, str) and basis in PARENT_BASES
    return giver if parental and isinstance(giver, str) else None


def _readable(record: Tree, decision: Decision) -> bool:
    purposes = record.get("purpose")
    return (
        _known().issuperset(record)
        and record.get("state") in _STATES
        and record.get("given_by_basis") in _BASES
        and record.get("subject_id") == decision.data_subject
        and record.get("store_decision") in _YES_NO
        and record.get("share_decision") in _YES_NO
        and isinstance(purposes, list | tuple)
        and PURPOSES.issuperset(purposes)
        and _are_items(record.get("scope_includes", ()))
        and _are_items(record.get("scope_excludes", ()))
    )


@cache
def _known() -> frozenset[str]:
    """Return the names that a record may have: one from a later version of the hub has others, and
    what they say is nobody's to guess.
    """
    from hub.domain.messages import ConsentDecision  # noqa: PLC0415  built on this module

    return frozenset(wire_name(one.name) for one in fields(ConsentDecision)) | {COPIED_FROM}


def _are_items(scope: object) -> bool:
    if not isinstance(scope, list | tuple):
        return False
    for item in scope:  # noqa: SIM110  a generator costs three times as much, on every delivery
        if not isinstance(item, dict):
            return False
    return True


def read(decision: Decision, *, adult: bool | None) -> Reading | None:
    """Read *decision*; ``None`` if it decides nothing (asked, not yet answered).  Never raises.

    *adult*: as for `entitled`.
    """
    record: Mapping[str, Any] = decision.record
    try:
        if _readable(record, decision):
            return _understood(decision, record, adult=adult)
    except TypeError:
        # Something unhashable stands where a code belongs: as unreadable as any other nonsense.
        return _unreadable(decision, record)
    return _unreadable(decision, record)


def readable(decision: Decision) -> bool:
    """Return whether every code of the record is one that is known here.  Never raises."""
    try:
        return _readable(decision.record, decision)
    except TypeError:
        return False


def _understood(decision: Decision, record: Tree, *, adult: bool | None) -> Reading | None:
    state = record["state"]
    if state in SAYS_NOTHING:
        return None
    may = entitled(record, adult=adult)
    signed, expires = moment(record.get("signed_at")), moment(record.get("expires_at"))
    sound = _informed(record) and signed is not None and expires is not None
    ends = _NEVER if signed is None or expires is None else min(expires, a_year_after(signed))
    excludes = record.get("scope_excludes", ())
    refuses = _wholesale(record, excludes)
    gives = state in GIVING_STATES and refuses == _NOTHING
    if gives and not (may and sound):
        # What it cuts still counts; but a "yes" that does not hold is no reason to leave an older
        # one.
        gives = False
        refuses = _NOTHING if state == "NARROWED" else None
    storing = may or record["given_by_basis"] == "CARER_NO_PR"
    scope = record.get("withdrawal_type" if state == "WITHDRAWN" else "refusal_scope")
    return Reading(  # by place: by name is three times as slow, and this is done on every delivery
        decision.decision_id,
        decision.sequence,
        state,
        gives,
        state in {"SHARE", "NARROWED"},  # restates
        state == "NARROWED",  # narrows
        refuses,
        _store(record, sound=sound and storing),
        _index(record, sound=sound and may),
        ends,
        frozenset(record["purpose"]),
        record.get("scope_includes", ()),
        excludes,
        state in {"WITHDRAWN", "REFUSED"} and scope in {"SHARE_SERVICE", "SERVICE"},
        parent_of(record),
    )


def next_decision(record: Tree, earlier: Sequence[Decision]) -> Decision:
    """Return *record* as it would be recorded after *earlier*, to see what it would change."""
    return Decision(
        decision_id=str(record.get("consent_decision_id")),
        episode_id=str(record.get("episode_id")),
        data_subject=str(record.get("subject_id")),
        sequence=max((decision.sequence for decision in earlier), default=0) + 1,
        record=record,
        recorded_by=str(record.get("recorded_by")),
        recorded_at=moment(record.get("recorded_at")) or _ALWAYS,
    )
