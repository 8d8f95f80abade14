"""The family's decisions, kept as the family would remember them, and written as full records.

Every sentence about consent becomes one complete decision record (`domain.md` 4.3) for each person
whose data it is about: what was agreed before, changed by what the sentence says.  The hub is told
nothing but these records.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.domain import codes
from hub.scenarios.casts import Cast, Person
from hub.scenarios.reading import complain, unknown, within

BASIC = "sec.identity"
USUAL = ("ASSESS", "PLAN")


def section_keys() -> tuple[str, ...]:
    """Return the keys that consent can name."""
    never = {"sec.admin", "sec.consent", "sec.checklist", "sec.safeguarding"}
    return tuple(key for key in codes.code_list("sections").codes if key not in never)


@dataclass(frozen=True, slots=True)
class Cells:
    """A part of a sentence: sections x services x purposes, and whether sensitive ones count."""

    sections: tuple[str, ...]
    services: tuple[str, ...]
    purposes: tuple[str, ...] = ()
    sensitive: bool = False
    from_: str | None = None
    to: str | None = None

    def items(self) -> list[dict[str, Any]]:
        """Return the scope items of a record."""
        found = []
        for service in self.services:
            for section in self.sections:
                for purpose in self.purposes or (None,):
                    item: dict[str, Any] = {"service": service, "section": section}
                    if purpose:
                        item["purpose"] = purpose
                    if self.from_:
                        item["from"] = self.from_
                    if self.to:
                        item["to"] = self.to
                    found.append(item)
                    if self.sensitive:
                        found.append({**item, "sensitive": True})
        return found


CELLS = re.compile(
    r"(?P<sections>.+?)(?P<including> including (?:the )?sensitive(?: ones| parts)?)?"
    r" (?:with|for) (?P<services>[A-Z].*?)"
    r"(?P<sensitive>,? (?:the )?sensitive (?:ones |parts )?(?:named|too|included))?"
    r"(?: for (?P<purposes>[A-Z_]+(?:, [A-Z_]+)*(?:,? and [A-Z_]+)?))?"
    r"(?: from (?P<from>\d{4}-\d\d-\d\d))?(?: until (?P<to>\d{4}-\d\d-\d\d))?"
)


def listed(text: str) -> list[str]:
    """Return the words of "a, b and c"."""
    return [word for word in re.split(r",\s*and\s+|,\s*|\s+and\s+", text.strip()) if word]


def read_cells(text: Any, cast: Cast) -> Cells:
    """Read "sec.identity and sec.plan with HOU-A, sensitive named, for ASSESS and PLAN"."""
    match = CELLS.fullmatch(str(text).strip())
    if match is None:
        raise complain(
            text, "say it like: sec.identity and sec.plan with HOU-A, the sensitive ones named"
        )
    purposes = tuple(listed(match["purposes"] or ""))
    for purpose in purposes:
        if purpose not in codes.code_list("CL-21b").codes:
            raise unknown(text, "purpose in", codes.code_list("CL-21b").codes)
    return Cells(
        sections=read_sections(match["sections"], text),
        services=tuple(
            cast.participant(within(text, n)).service for n in listed(match["services"])
        ),
        purposes=purposes,
        sensitive=bool(match["sensitive"] or match["including"]),
        from_=match["from"],
        to=match["to"],
    )


def read_sections(words: str, where: Any) -> tuple[str, ...]:
    """Return the section keys that *words* name; "all" is one choice and stays one."""
    if words.strip() in ("all", "everything", "all that may be shared", "all sections"):
        return ("all",)
    if words.strip() in ("basic", "basic information", "the basic information"):
        return (BASIC,)
    keys = section_keys()
    found: list[str] = []
    for word in listed(words):
        if word.endswith(".*"):
            chosen = [key for key in keys if key.startswith(word[:-1])]
            if not chosen:
                raise unknown(within(where, word), "section", keys)
            found += chosen
        elif word in keys:
            found.append(word)
        else:
            raise unknown(within(where, word), "section", keys)
    return tuple(dict.fromkeys(found))


@dataclass(slots=True)
class Agreement:
    """What one giver has agreed for one person, so far."""

    state: str = "NOT_ASKED"
    store: bool = False
    share: bool = False
    index: str = "no"
    includes: list[dict[str, Any]] = field(default_factory=list)
    excludes: list[dict[str, Any]] = field(default_factory=list)
    last: str | None = None

    def include(self, items: Iterable[dict[str, Any]]) -> None:
        """Add cells, and lift what excluded them."""
        for item in items:
            self.excludes = [e for e in self.excludes if not _covers(item, e)]
            if item not in self.includes:
                self.includes.append(item)

    def exclude(self, cells: Cells) -> None:
        """Take cells away: the named ones out of the list, and said aloud as excluded."""
        for item in cells.items():
            self.includes = [i for i in self.includes if not _covers(item, i)]
            if item not in self.excludes:
                self.excludes.append(item)

    def drop(self, services: Sequence[str]) -> None:
        """Take whole services away."""
        self.includes = [i for i in self.includes if i["service"] not in services]
        self.excludes += [{"service": service, "section": "all"} for service in services]


def _covers(wide: dict[str, Any], narrow: dict[str, Any]) -> bool:
    return (
        wide["service"] == narrow["service"]
        and wide["section"] in ("all", narrow["section"])
        and wide.get("purpose") in (None, narrow.get("purpose"))
    )


@dataclass(slots=True)
class Register:
    """Everything that the family decided in this scenario, by (episode, person, giver)."""

    cast: Cast
    run: str
    agreements: dict[tuple[str, str, str], Agreement] = field(default_factory=dict)
    competence: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: int = 0

    def of(self, episode: str, person: Person, giver: Person) -> Agreement:
        """Return the agreement to change."""
        return self.agreements.setdefault((episode, person.ref, giver.ref), Agreement())

    def judge(self, child: Person, by: str, at: datetime, *, competent: bool) -> None:
        """Note a practitioner's judgement about this child and the decisions that follow."""
        self.competence[child.ref] = {
            "judged_by": by,
            "judged_at": _moment(at),
            "outcome": "COMPETENT" if competent else "NOT_COMPETENT",
        }

    def record(
        self,
        episode: str,
        person: Person,
        giver: Person,
        *,
        recorded_by: str,
        at: datetime,
        extra: dict[str, Any],
    ) -> dict[str, Any]:
        """Return the full record of what the agreement now is."""
        agreement = self.of(episode, person, giver)
        self.made += 1
        decision_id = f"decision-{self.run}-{self.made}"
        purposes = {item.get("purpose") for item in agreement.includes} - {None}
        record: dict[str, Any] = {
            "consent_decision_id": decision_id,
            "episode_id": episode,
            "subject_id": person.ref,
            "state": agreement.state,
            "purpose": sorted({*USUAL, *(str(p) for p in purposes)})
            if agreement.share
            else ["STORE"],
            "given_by_person": giver.ref,
            **self._basis(person, giver, recorded_by, at),
            "informed": {"reasons_explained": True, "language": "en", "interpreter": False},
            "store_decision": "yes" if agreement.store else "no",
            "share_decision": "yes" if agreement.share else "no",
            "scope_includes": agreement.includes if agreement.share else [],
            "scope_excludes": agreement.excludes,
            "index_consent": agreement.index,
            "method": "WRITTEN",
            "signed_at": _moment(at),
            "evidence_ref": f"signature-{self.run}-{self.made}",
            "recorded_by": recorded_by,
            "recorded_at": _moment(at),
            "review_by": (at + timedelta(days=90)).date().isoformat(),
            "expires_at": (at + timedelta(days=360)).date().isoformat(),
        }
        if agreement.last is not None:
            record["supersedes"] = agreement.last
        agreement.last = decision_id
        return record | extra

    def _basis(
        self, person: Person, giver: Person, recorded_by: str, at: datetime
    ) -> dict[str, Any]:
        if not person.child:
            return {"given_by_basis": "ADULT_SELF"}
        judged = self.competence.get(person.ref)
        told: dict[str, Any]
        if giver is person:
            years = age(person, at)
            word = "YA_18P" if years >= 18 else "YP_16_17" if years >= 16 else "CHILD_COMPETENT"
            told = {"given_by_basis": word}
        else:
            entitled = person.ref in giver.responsible_for and giver.basis
            told = {"given_by_basis": "CARER_NO_PR"}
            if entitled:
                told = {"given_by_basis": "PR_HOLDER", "pr_basis": giver.basis}
            if judged is None and age(person, at) < 16:
                judged = {
                    "judged_by": recorded_by,
                    "judged_at": _moment(at),
                    "outcome": "NOT_COMPETENT",
                }
        return told | ({"competence_judgement": judged} if judged else {})


def age(person: Person, at: datetime) -> int:
    """Return completed years; an unborn child has none."""
    if not person.born:
        return 0
    year, month, day = (int(part) for part in (person.born + "-01-01").split("-")[:3])
    return at.year - year - ((at.month, at.day) < (month, day))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
