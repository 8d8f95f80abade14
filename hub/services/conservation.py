"""The conservation law, judged over one dossier: what does not agree in the record, and the remedy.

For every lane and in all (`reliability.md` section 1)::

    made = delivered + suppressed + quarantined + expired + erased + open

What was made is counted by the lane, which gives each delivery its number in the transaction that
makes it; the states are counted by the deliveries themselves.  Beside the law: every end has its
row of audit, and only one; every disclosure was recorded before what it led to (P27); the ledger
and the audit tell of the same view; nothing belongs to nobody; no lane or version is missing a
number; every lane names the head that it must.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from hub.domain.dossier import Dossier
from hub.domain.exchange import UNSETTLED, Audited, Delivery, State
from hub.services.statutory import PREFIX

FAULT: Final = "fault"
WARNING: Final = "warning"

OUTCOMES: Final = {
    f"delivery.{state.value}": state for state in State if state is not State.PENDING
}
"""The rows that say where a delivery has come to."""
ENDS: Final = frozenset(State) - UNSETTLED
AFTERWARDS: Final = frozenset({"delivery.acknowledged", "disclosure.fetched"})
"""Rows about a delivery that change nothing of how it ended."""
ABOUT: Final = ("delivery.", "disclosure.intended", "disclosure.fetched", "quarantine.")
"""Kinds of rows that belong to a delivery of the same episode."""
SHOWN: Final = "VIEW"
"""What the ledger calls a view: no delivery, its row of audit is its proof."""
ABANDONED: Final = timedelta(minutes=5)
"""How long after its lease ran out somebody must have taken a delivery over."""
RECIPIENTS: Final = "to:"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: a stable *code*, where, in ids and codes, and what mends it."""

    code: str
    what: str
    remedy: str
    where: dict[str, str] = field(default_factory=dict)
    severity: str = FAULT


def judge(dossier: Dossier, real: datetime, *, running: bool = True) -> Iterator[Finding]:
    """Yield every finding about one episode; *real* is the time by which leases run.

    *running*: a hub serves this record, so a lapsed lease should have been taken over.
    """
    yield from _keys(dossier)
    yield from _belonging(dossier)
    yield from _numbers(dossier)
    rows: dict[str, list[Audited]] = {}
    for row in dossier.audit:
        if row.delivery_id is not None:
            rows.setdefault(row.delivery_id, []).append(row)
    for one in dossier.deliveries:
        yield from _state(one, real, running=running)
        yield from _evidence(one, rows.get(one.delivery_id, ()))
    yield from _ledger(dossier, rows)


def tally(dossiers: Iterable[Dossier]) -> dict[str, int]:
    """Return the terms of the law over *dossiers*: what the lanes made, and every state's count."""
    counted: Counter[str] = Counter()
    for dossier in dossiers:
        lanes = dossier.lanes or {}
        counted["made"] += sum(n for name, n in lanes.items() if not name.startswith(RECIPIENTS))
        counted.update(one.state.value for one in dossier.deliveries)
    return {"made": counted["made"], **{state.value: counted[state.value] for state in State}}


def _lane(one: Delivery) -> dict[str, str]:
    return {"episode": one.episode_id, "partner": one.partner, "delivery": one.delivery_id}


def _keys(dossier: Dossier) -> Iterator[Finding]:
    for kind, name in dossier.unreadable:
        yield Finding(
            "VAULT_KEY" if kind == "key" else "AUDIT_ALTERED",
            "a data key does not open under the hub's vault key"
            if kind == "key"
            else "a row of audit does not open: it was altered or put in another's place",
            "give ECAF_VAULT_KEY_FILE as the database was begun with; else restore the backup"
            if kind == "key"
            else "compare with a backup; whoever could write the database is to be asked",
            {"episode": dossier.episode_id, kind: name},
        )


def _belonging(dossier: Dossier) -> Iterator[Finding]:
    """Nothing without an owner: rows of an episode that has no head, or of no delivery."""
    where = {"episode": dossier.episode_id}
    by_law = dossier.episode_id.startswith(PREFIX)
    if dossier.version is None and not by_law and (dossier.versions or dossier.deliveries):
        yield Finding(
            "ORPHAN_ROWS",
            "versions or deliveries of an episode that has no head",
            "restore the database: rows were taken out of it",
            where,
        )
    made = {one.delivery_id for one in dossier.deliveries}
    lost = {
        row.delivery_id
        for row in dossier.audit
        if row.delivery_id and row.delivery_id not in made and row.kind.startswith(ABOUT)
    }
    for name in sorted(lost):
        yield Finding(
            "DELIVERY_LOST",
            "the audit tells of a delivery that is not there",
            "restore the database; what was due: ecaf messages search --episode",
            {**where, "delivery": name},
        )


def _numbers(dossier: Dossier) -> Iterator[Finding]:
    """No hole in a lane, in the versions or in the decisions; each lane names its head."""
    lanes = dossier.lanes or {}
    numbers: dict[str, list[int]] = {}
    seen: dict[str, list[int]] = {}
    for one in dossier.deliveries:
        numbers.setdefault(one.partner, []).append(one.lane_sequence)
        if one.sequence is not None and one.state in UNSETTLED | {State.DELIVERED}:
            seen.setdefault(one.partner, []).append(one.sequence)
    for partner in sorted(numbers.keys() | {n for n in lanes if not n.startswith(RECIPIENTS)}):
        where = {"episode": dossier.episode_id, "partner": partner}
        last, found = lanes.get(partner), sorted(numbers.get(partner, ()))
        if last is None:
            yield Finding(
                "LANE_MISSING",
                "deliveries stand on a lane that is not there",
                "restore the database: nothing on this lane is found by the workers",
                where,
            )
        elif found != list(range(1, last + 1)):
            yield Finding(
                "LANE_HOLE",
                f"the lane made {last} deliveries, and {len(found)} are there",
                "restore the database: a delivery was taken out or put in beside the hub",
                where,
            )
        given = sorted(seen.get(partner, ()))
        if len(given) != len(set(given)) or (
            given and given[-1] > lanes.get(RECIPIENTS + partner, 0)
        ):
            yield Finding(
                "SEQUENCE_TWICE",
                "two deliveries bear one number, or a number that was never given",
                "the recipient cannot tell them apart: ask it to fetch the episode anew",
                where,
            )
    for partner in dossier.misled:
        yield Finding(
            "LANE_HEAD",
            "the lane names another delivery as next than the rule of lanes",
            f"ecaf replay --episode {dossier.episode_id} --partner {partner}: it is named anew",
            {"episode": dossier.episode_id, "partner": partner},
        )
    for code, kind, there, count in (
        ("VERSION_HOLE", "version", dossier.versions, dossier.version),
        ("DECISION_HOLE", "decision", dossier.decisions, dossier.consent_version),
    ):
        if count is not None and sorted(there) != list(range(1, count + 1)):
            yield Finding(
                code,
                f"the head counts {count}, and {len(there)} are there",
                f"restore the database: a {kind} was taken out, or the head was changed",
                {"episode": dossier.episode_id},
            )


def _state(one: Delivery, real: datetime, *, running: bool) -> Iterator[Finding]:
    ended = one.state in ENDS
    if ended != (one.settled_at is not None) or (one.state is State.SENDING and not one.attempts):
        yield Finding(
            "STATE_BROKEN",
            f"it is {one.state.value}, and its times or attempts say otherwise",
            f"ecaf trace {one.delivery_id}; the record was changed beside the hub",
            _lane(one),
        )
    lapsed = one.state is State.SENDING and one.lease_until is not None
    if running and lapsed and one.lease_until and real - one.lease_until > ABANDONED:
        yield Finding(
            "LEASE_ABANDONED",
            "its worker's lease ran out, and nobody has taken it over",
            "ecaf top: is a worker running, and is dispatch paused?",
            _lane(one),
        )


def _evidence(one: Delivery, rows: Sequence[Audited]) -> Iterator[Finding]:
    """Every end has its row, one; no outcome without the disclosure recorded before it."""
    intended = 0
    last: State | None = None
    ended = twice = unrecorded = False
    for row in rows:
        if row.kind == "disclosure.intended":
            intended += 1
        state = OUTCOMES.get(row.kind)
        if state is None:
            ended = ended and row.kind in AFTERWARDS
            continue
        twice = twice or (ended and state in ENDS)
        ended, last = state in ENDS, state
        arrived = state in {State.DELIVERED, State.HANDED_OVER}
        unrecorded = unrecorded or (arrived and not intended)
    if one.state in ENDS and last is not one.state:
        yield Finding(
            "END_WITHOUT_EVIDENCE",
            f"it is {one.state.value}, and no row of audit says so",
            f"ecaf trace {one.delivery_id}; the record was changed beside the hub",
            _lane(one),
        )
    if one.state not in ENDS and ended:
        yield Finding(
            "END_UNDONE",
            f"the audit says {last.value if last else '-'}, and it is {one.state.value} again",
            f"ecaf trace {one.delivery_id}; the record was changed beside the hub",
            _lane(one),
        )
    if twice:
        yield Finding(
            "ENDED_TWICE",
            "it ended twice, and nobody released it between",
            f"ecaf trace {one.delivery_id}; report it: two workers held one lease",
            _lane(one),
        )
    if unrecorded or intended < one.attempts:
        yield Finding(
            "UNRECORDED_DISCLOSURE",
            f"{one.attempts} attempts, and {intended} disclosures recorded before them",
            "tell the data protection lead: something left without a record, or a record was taken "
            "out",
            _lane(one),
        )


def _ledger(dossier: Dossier, rows: dict[str, list[Audited]]) -> Iterator[Finding]:
    """What the ledger says was given is what the audit says was to be disclosed."""
    made = {one.delivery_id: one for one in dossier.deliveries}
    given = {record.delivery_id for record in dossier.given}
    for one in dossier.deliveries:
        if one.state is State.DELIVERED and one.digest and one.delivery_id not in given:
            yield Finding(
                "LEDGER_MISSING",
                "it was delivered, and the ledger does not say what was given",
                f"ecaf trace {one.delivery_id}; the record was changed beside the hub",
                _lane(one),
            )
    for record in dossier.given:
        where = {"episode": dossier.episode_id, "delivery": record.delivery_id}
        told = rows.get(record.delivery_id, ())
        if record.delivery_id not in made and not (record.message_type == SHOWN and told):
            yield Finding(
                "LEDGER_ORPHAN",
                "the ledger tells of something given that nothing led to",
                "restore the database: a delivery or its audit was taken out",
                where,
            )
            continue
        views = {str(row.facts["view"]) for row in told if "view" in row.facts}
        if views and record.digest.hex() not in views:
            yield Finding(
                "LEDGER_DIFFERS",
                "the ledger and the audit tell of different views",
                "compare with a backup; whoever could write the database is to be asked",
                where,
            )
