"""What the family's decisions say of every service, section and person: for who must be able to
look it up.

Codes, dates and ids only, never a value of the episode, so that an operator may see it
(`domain.md` 5.3: the consent record's metadata).  What is shown is asked of the same `Agreements`
that the gate asks; nothing is weighed here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.consent import LISTED, Agreements, Ask, Cell
from hub.domain.decision import DEFAULT_PURPOSES, SAYS_NOTHING, SHAREABLE, read
from hub.domain.exchange import Decision, Tree
from hub.errors import Code, Missing
from hub.ports import Session
from hub.services.gate import Case, agreements_of, people
from hub.services.registers import OWN_ALONE, Registers, heard

SECTIONS: Final = (LISTED, *sorted(SHAREABLE))
"""The basic leaves of a listed service, and every section that a decision can name."""


def load(session: Session, episode_id: str, registers: Registers = OWN_ALONE) -> Case:
    """Return the episode as it stands now, as its register of consent vouches for it; before any
    content the tree holds nothing but the reference.  Raises `Missing`.
    """
    head = session.episode(episode_id)
    if head is None:
        raise Missing(Code.NOT_FOUND, "the hub holds no episode of this reference")
    content = session.version(episode_id, head.version) if head.version else None
    said = heard(registers, session, head)
    return Case(
        head,
        content.tree if content else {"episode_id": episode_id},
        said.decisions,
        session.involvements(episode_id),
        unsure=said.unsure,
        vouched=session.practitioner,
        earlier=lambda partner: session.episodes_before(partner, episode_id),
    )


CODED: Final = (
    *("state", "given_by_basis", "pr_basis", "store_decision", "share_decision"),
    *("index_consent", "refusal_scope", "withdrawal_type", "supersedes"),
    *("signed_at", "review_by", "expires_at"),
)
"""What of a record is codes and dates, and may be shown to who may not read content."""


@dataclass(frozen=True, slots=True)
class Row:
    """One cell: *answer* is ``yes``, ``sensitive`` (and the sensitive leaves) or ``no``.

    *section* ``listed`` stands for the basic leaves.  *decision* is the one that decides, if any
    speaks about the cell.
    """

    person: str
    service: str
    purpose: str
    section: str
    answer: str
    contribute: bool
    decision: str | None
    reason: str | None


def matrix(
    case: Case, at: datetime, purposes: Sequence[str] = tuple(sorted(DEFAULT_PURPOSES))
) -> tuple[Row, ...]:
    """Return every cell of every person and every service that a decision or a relationship names.

    *at* may be any moment: what is agreed to on that day, by the decisions that are known now.
    """
    agreements = agreements_of(case)
    return tuple(
        _row(person, Ask(service, purpose, at), section, agreements)
        for service in services(case)
        for purpose in purposes
        for person in persons(case)
        for section in SECTIONS
    )


def services(case: Case) -> tuple[str, ...]:
    """Return the services that some decision names, or that have or had a relationship, sorted."""
    named = {
        item["service"]
        for decision in case.decisions
        for part in ("scope_includes", "scope_excludes")
        for item in _items(decision.record, part)
        if isinstance(item.get("service"), str)
    }
    return tuple(sorted(named | {held.service for held in case.involvements}))


def persons(case: Case) -> tuple[str, ...]:
    """Return the ids of the children, the adults, and whoever else was decided about, in order."""
    children, adults = people(case.tree)
    decided = (decision.data_subject for decision in case.decisions)
    return tuple(dict.fromkeys((*children, *adults, *decided)))


def cell_of(agreements: Agreements, person: str, section: str, ask: Ask) -> Cell:
    """Return the answer about one section, or about the basic leaves."""
    if section == LISTED:
        return agreements.listed(person, ask)
    return agreements.section(person, section, ask)


def _row(person: str, ask: Ask, section: str, agreements: Agreements) -> Row:
    cell = cell_of(agreements, person, section, ask)
    fine = "sensitive" if cell.sensitive else "yes"
    return Row(
        person=person,
        service=ask.service,
        purpose=ask.purpose,
        section=section,
        answer=fine if cell.permitted else "no",
        contribute=cell.contribute,
        decision=cell.decision_id,
        reason=cell.reason.value if cell.reason else None,
    )


def decisions_shown(case: Case, at: datetime) -> tuple[Mapping[str, Any], ...]:
    """Return what every decision says and whether it still decides anything, oldest first.

    ``decides`` counts the cells that rest on it now, be it with a yes or a no.
    """
    decides = Counter(row.decision for row in matrix(case, at) if row.decision)
    children, adults = people(case.tree)
    shown = []
    for decision in case.decisions:
        known = decision.data_subject in {*children, *adults}
        adult = decision.data_subject in adults if known else None
        shown.append(
            {
                "sequence": decision.sequence,
                "decision": decision.decision_id,
                "about": decision.data_subject,
                **_said(decision.record),
                "recorded_by": decision.recorded_by,
                "recorded_at": decision.recorded_at.isoformat(),
                "decides": decides[decision.decision_id],
                "standing": _standing(decision, at, decides[decision.decision_id], adult=adult),
            }
        )
    return tuple(shown)


def _said(record: Tree) -> dict[str, Any]:
    """Return the coded part of a record; its texts and people stay where they are."""
    said: dict[str, Any] = {name: record[name] for name in CODED if name in record}
    said["purposes"] = list(record.get("purpose", ()))
    for part in ("scope_includes", "scope_excludes"):
        said[part] = [_item(item) for item in _items(record, part)]
    return said


def _item(item: Tree) -> dict[str, Any]:
    names = ("service", "section", "sensitive", "purpose", "action", "from", "to")
    return {name: item[name] for name in names if name in item}


def _items(record: Tree, part: str) -> Sequence[Tree]:
    held = record.get(part, ())
    return held if isinstance(held, list | tuple) else ()


def _standing(decision: Decision, at: datetime, decides: int, *, adult: bool | None) -> str:
    """Return in one word why a decision counts, or does not any more."""
    if decision.record.get("state") in SAYS_NOTHING:
        return "open question"
    reading = read(decision, adult=adult)
    if reading is not None and at >= reading.ends:
        return "expired"
    if decides:
        return "in force"
    return "overtaken"
