"""The access report: who received what of an episode, when, for what and on what ground.

What a privacy officer asks for, and what a family may ask for about themselves (`domain.md` 5.2 A5,
5.3).  Made from the audit rows that stand before every disclosure; each line is the view of that
moment made again from the version and the decisions of then: it names sections, never values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.domain.circumstances import circumstances
from hub.domain.codes import code_list
from hub.domain.consent import Agreements, Ask
from hub.domain.exchange import Audited, Decision, State, Tree
from hub.domain.partner import Registry
from hub.ports import Session
from hub.services.explain import places, section_of
from hub.services.gate import BY_RECEIPT, TOLD, people
from hub.services.kin import Kin
from hub.services.masking import masked
from hub.services.permits import Permits
from hub.services.prune import prune
from hub.services.pull import PULL
from hub.services.rights import Rights, named_alone
from hub.services.share import INDEX_SERVICE
from hub.services.shelter import sheltered
from hub.services.views import view

WHAT: Final = {
    "N1": "that there is an episode, and whom to ring",
    "N2": "that the episode is closed",
    "N3": "who leads now",
    "N4": "new contact details of a practitioner",
    "N5": "changed details of the child",
    "N6": "a new version of the assessment",
    "N7": "what was agreed to be shared",
    "N8": "who is on the team",
    "N9": "the plan, or what changed in it",
    "N10": "that consent has changed, and what to do with copies",
    "N11": "that the family moves, or the answer to that",
    "N14": "a correction: what to disregard",
    "N16": "a request for services, or its answer",
    "VIEW": "a look at the record",
    "COPY": "a copy made for the family",
    "OVERRIDE": "a look at the record in spite of a shield, for child protection",
    "PULL": "parts taken into a social care assessment",
    "NOTICE": "a notice from a school or health system",
}
NOT_THEIRS: Final = frozenset({"N12", "N13", "N15"})
"""Never in a family's report by itself: whether they are told of a statutory disclosure is decided
with it (`domain.md` 4.6), and the others are between professionals.
"""
LOOKED: Final = {
    "view.released": "VIEW",
    "view.copied": "COPY",
    "view.overridden": "OVERRIDE",
    "view.pulled": PULL,
}
"""Looks by what the audit calls them, and what each is called here."""
ASKED: Final = LOOKED.keys() | {"disclosure.intended", "disclosure.fetched"}
ARRIVED: Final = ("carried", "fetched", "unknown")
"""What a delivery's evidence says of a body that left: an unknown outcome counts as received."""


@dataclass(frozen=True, slots=True)
class Line:
    """One disclosure: *what* is a message type or kind of look, *sections* are keys, *decisions*
    the ids that it rests on (none for what is owed without consent).
    """

    at: datetime
    service: str
    organisation: str
    what: str
    purpose: str
    sections: tuple[str, ...]
    decisions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """What was given, as far as it can be looked up again."""

    row: Audited
    what: str
    service: str
    version: int
    focus: tuple[str, ...]


def access_report(
    session: Session, registry: Registry, episode_id: str, kin: Kin | None = None
) -> tuple[Line, ...]:
    """Return every disclosure of an episode, oldest first; with *kin*, those that this member of
    the family may know of, with the sections about whom they may read.
    """
    decisions = session.decisions(episode_id)
    found = (_line(session, registry, given, decisions, kin) for given in gave(session, episode_id))
    return tuple(line for line in found if line is not None)


def gave(session: Session, episode_id: str, until: datetime | None = None) -> Iterator[Given]:
    """Yield what left: each look, and each delivery whose body went out, by its last try.

    *until*: by that moment.
    """
    last = {
        row.delivery_id: row
        for row in session.audit(episode_id)
        if row.kind in ASKED and row.delivery_id and (until is None or row.at <= until)
    }
    for delivery_id, row in sorted(last.items(), key=lambda one: one[1].at):
        if row.kind in LOOKED:
            what, named = LOOKED[row.kind], tuple(row.facts.get("sections", ()))
            yield Given(row, what, row.service or "", int(row.facts["version"]), named)
            continue
        delivery = session.delivery(delivery_id)
        if delivery is None:
            continue
        evidence = delivery.evidence or {}
        if delivery.state is State.DELIVERED or any(evidence.get(word) for word in ARRIVED):
            yield Given(
                row, delivery.message_type, delivery.service, delivery.version, delivery.focus
            )


def _line(
    session: Session,
    registry: Registry,
    given: Given,
    decisions: Sequence[Decision],
    kin: Kin | None,
) -> Line | None:
    row = given.row
    content = session.version(row.episode_id or "", given.version)
    tree: Tree = content.tree if content else {}
    shown = shown_then(given, tree, decisions)
    if kin is not None:
        if given.what in NOT_THEIRS:
            return None
        mine = prune(shown, kin.permits(tree, masked(tree)))
        every = frozenset(people(tree)[0]) <= kin.children
        if not every and not _about_somebody(mine):
            return None
        shown = mine
    index = registry.index_partner if given.service == INDEX_SERVICE else None
    partner = registry.by_service(given.service) or index
    found = {section for place, _value in places(shown, shown) if (section := _named(shown, place))}
    return Line(
        at=row.at,
        service=given.service,
        organisation=partner.organisation_name if partner else given.service.partition("/")[0],
        what=given.what,
        purpose=str(row.facts.get("purpose", "")),
        sections=tuple(sorted(found)),
        decisions=tuple(row.facts.get("decisions", ())),
    )


def shown_then(given: Given, tree: Tree, decisions: Sequence[Decision]) -> Tree:
    """Return the view of then, made again; of what is owed without consent, the reference alone."""
    facts = given.row.facts
    if given.what in BY_RECEIPT or given.focus in TOLD or given.service == INDEX_SERVICE:
        return {"episode_id": given.row.episode_id}
    then = decisions[: int(facts["consent_version"])]
    children, adults = people(tree)
    ask = Ask(given.service, str(facts["purpose"]), given.row.at)
    rights = Rights(Agreements(then, children, adults, known=circumstances(tree)), ask)
    pulled = given.what == PULL
    kind = "VIEW" if given.row.kind in LOOKED and not pulled else given.what
    open_to = named_alone(rights, given.focus) if pulled else rights
    permits = Permits(children, adults, open_to, masked(tree))
    seen = sheltered(tree, located=given.what == "OVERRIDE")
    return prune(view(kind, seen, given.focus), permits)


def _about_somebody(shown: Tree) -> bool:
    return any(shown.get(name) for name in ("subjects", "parents_carers"))


def _named(shown: Tree, place: str) -> str | None:
    """Return the section of a leaf, if it is one that a family would know by name."""
    section = section_of(shown, place)
    return None if section in {None, "sec.admin"} else section


def in_words(lines: Sequence[Line], decisions: Sequence[Decision]) -> list[dict[str, Any]]:
    """Return *lines* as a family reads them: displays instead of codes, grounds by who agreed when.

    No ids but the service's, and nobody's name.
    """
    grounds = {decision.decision_id: _ground(decision) for decision in decisions}
    sections = code_list("sections").codes
    return [
        {
            "at": line.at.isoformat().replace("+00:00", "Z"),
            "organisation": line.organisation,
            "service": line.service,
            "what": WHAT.get(line.what, line.what),
            "sections": [sections[key].display for key in line.sections if key in sections],
            **_purpose(line),
            "ground": [grounds[one] for one in line.decisions if one in grounds],
        }
        for line in lines
    ]


def _purpose(line: Line) -> dict[str, str]:
    known = code_list("CL-21b").codes.get(line.purpose)
    return {"purpose": known.display} if known else {}


def _ground(decision: Decision) -> dict[str, str]:
    bases = code_list("CL-21c").codes
    basis = str(decision.record.get("given_by_basis"))
    return {
        "agreed_by": bases[basis].display if basis in bases else basis,
        "on": str(decision.record.get("signed_at", ""))[:10],
    }
