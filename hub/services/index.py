"""The child index: that an episode exists and whom to ring; no path leads from here to content.

It keeps tables of its own, fed by N1-N5 through the same lanes as every other recipient
(`domain.md` F2, 1.5, 5.4).  A question is answered from the index alone, and audited with keyed
tokens.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from hub.domain.decision import PURPOSES
from hub.domain.exchange import IndexEntry, Tree
from hub.domain.partner import Partner
from hub.errors import Code, Fault, InvalidContent
from hub.ports import Clock, Digester, Session, Store
from hub.services.audit import row
from hub.services.eligible import check_user

STRONG: Final = ("nhs-number", "upn")
CONTACT: Final = ("name", "role", "organisation", "contact_tel", "email")


def match_values(subject: Tree) -> Iterable[tuple[str, str]]:
    """Yield (kind, normalised value) of everything by which a child is found.

    Identifiers first; then family name, first given name and date of birth (or expected date)
    together.
    """
    for identifier in subject.get("identifiers", ()):
        if identifier.get("system") in STRONG:
            yield identifier["system"], "".join(identifier["value"].split()).upper()
    family = str(subject.get("family_name", "")).casefold().strip()
    given = [str(name).casefold().strip() for name in subject.get("given_names", ())]
    # The index holds no more of an expected date than year and month.
    born = subject.get("date_of_birth") or str(subject.get("expected_date_of_delivery") or "")[:7]
    if family and given and born:
        yield "name-date", f"{family}|{given[0]}|{born}"


def tokens(digester: Digester, subject: Tree) -> tuple[bytes, ...]:
    """Return the blind indexes of a child."""
    return tuple(digester.token(kind, value) for kind, value in match_values(subject))


def apply(
    session: Session, digester: Digester, notification: Tree, sequence: int, now: datetime
) -> bool:
    """Apply one of N1-N5 (or N14: forget) to the index; return whether it changed anything.

    In order and once: what is not newer than the entry's last sequence changes nothing.
    """
    reference = str(notification["episode_ref"])
    code = str(notification["code"])
    entry = session.index_entry(reference)
    if entry is not None and sequence <= entry.last_sequence:
        return False
    if code == "N1":
        session.put_index_entry(_created(digester, notification, sequence, now, entry))
        return True
    if entry is None or entry.caf_state == "VOID":
        return False
    session.put_index_entry(_changed(digester, entry, code, notification, sequence, now))
    return True


def _created(
    digester: Digester, told: Tree, sequence: int, now: datetime, entry: IndexEntry | None
) -> IndexEntry:
    subject = told.get("subject", {})
    return IndexEntry(
        entry_id=entry.entry_id if entry else str(told["episode_ref"]),
        reference=str(told["episode_ref"]),
        tokens=tokens(digester, subject),
        match=dict(subject),
        # An episode that was over before it came to the hub is told of once, as what it is.
        caf_state="PREVIOUS" if told.get("status") in {"CLOSED", "ARCHIVED"} else "OPEN",
        contact=dict(told.get("responsible_practitioner", {})),
        authority=told.get("home_authority"),
        mediated=bool(told.get("mediated")),
        last_sequence=sequence,
        verified_at=now,
    )


def _changed(
    digester: Digester, entry: IndexEntry, code: str, told: Tree, sequence: int, now: datetime
) -> IndexEntry:
    changed = replace(entry, last_sequence=sequence, verified_at=now)
    if code == "N14":
        return replace(changed, tokens=(), match={}, contact={}, caf_state="VOID")
    contact = told.get("responsible_practitioner")
    if contact:
        changed = replace(changed, contact=dict(contact), mediated=bool(told.get("mediated")))
    if code == "N2":
        return replace(changed, caf_state="PREVIOUS")
    if code == "N5":
        match = {**entry.match, **told.get("subject", {})}
        match = {name: value for name, value in match.items() if value is not None}
        return replace(changed, match=match, tokens=tokens(digester, match))
    return changed


def answer(entries: Iterable[IndexEntry], asked: Tree) -> tuple[str, IndexEntry | None]:
    """Return the CL-23b answer and the entry whose contact may be given.

    Certain only where an identifier agrees and so does the date of birth; two different children,
    or anything lower, is ``POSSIBLE`` and needs a person (`domain.md` 5.4).
    """
    live = [entry for entry in entries if entry.caf_state in {"OPEN", "PREVIOUS"}]
    if not live:
        return "NONE", None
    wanted = {(kind, value) for kind, value in match_values(asked) if kind in STRONG}
    certain = [
        entry
        for entry in live
        if wanted & set(match_values(entry.match)) and dates_agree(entry.match, asked)
    ]
    if not certain or not all(_same_child(certain[0].match, e.match) for e in certain):
        return "POSSIBLE", None
    newest = max(certain, key=lambda e: (e.caf_state == "OPEN", e.verified_at))
    if newest.mediated:
        return "MEDIATED", newest
    return newest.caf_state, newest


def dates_agree(held: Mapping[str, Any], asked: Tree) -> bool:
    return bool(asked.get("date_of_birth")) and held.get("date_of_birth") == asked.get(
        "date_of_birth"
    )


def _same_child(one: Tree, other: Tree) -> bool:
    """Return whether two match sets are of one child: no identifier differs, and the names agree.

    A number that was used again, or twins under one number, are two children.
    """
    numbers, others = dict(_numbers(one)), dict(_numbers(other))
    agree = all(numbers[kind] == others[kind] for kind in numbers.keys() & others.keys())
    return agree and _names(one) == _names(other)


def _numbers(match: Tree) -> Iterable[tuple[str, str]]:
    return (pair for pair in match_values(match) if pair[0] in STRONG)


def _names(match: Tree) -> tuple[str, str]:
    given = [str(name).casefold().strip() for name in match.get("given_names", ())]
    return str(match.get("family_name", "")).casefold().strip(), (given or [""])[0]


@dataclass(frozen=True, slots=True)
class ChildIndex:
    """Answers whether a CAF exists or existed, and whom to ring."""

    store: Store
    digester: Digester
    clock: Clock

    async def check(self, partner: Partner, query: Tree) -> Tree:
        """Return ``{"result": …, "contact": …}``; *query* has ``purpose`` and ``subject`` (match
        set).
        """
        subject = query.get("subject")
        faults = []
        purpose = query.get("purpose")
        if not isinstance(purpose, str):
            faults.append(Fault(Code.REQUIRED, "purpose", "say why you ask (CL-21b)", "CL-21b"))
        elif purpose not in PURPOSES:
            faults.append(Fault(Code.PURPOSE, "purpose", "use a code of the list", "CL-21b"))
        if not isinstance(subject, Mapping) or not _sound(subject):
            faults.append(
                Fault(
                    Code.REQUIRED,
                    "subject",
                    "give an identifier, or family name, given names and date of birth",
                )
            )
        faults.extend(
            Fault(Code.UNKNOWN_FIELD, "", "remove it")
            for name in query
            if name not in {"purpose", "subject", "user_ref"}
        )
        if faults or not isinstance(subject, Mapping):
            raise InvalidContent(faults[0].code, "the question is incomplete", tuple(faults))
        asked = tokens(self.digester, subject)

        user = query.get("user_ref") or partner.acting

        def unit(session: Session) -> Tree:
            check_user(session, partner, user, "receive", self.clock.now())
            result, entry = answer(session.index_matches(asked), subject)
            session.add_audit(
                row(
                    "index.checked",
                    at=self.clock.now(),
                    actor=partner.name,
                    code=result,
                    facts={"purpose": query["purpose"], "tokens": [t.hex() for t in asked]},
                )
            )
            said: dict[str, Any] = {"result": result}
            if entry is not None:
                said["contact"] = {k: entry.contact[k] for k in CONTACT if k in entry.contact}
            return said

        return await self.store.run(unit)


def _sound(subject: Tree) -> bool:
    """Return whether an unchecked question is well formed and can find anybody."""
    try:
        return bool(list(match_values(subject)))
    except (AttributeError, KeyError, TypeError):
        return False
