"""Who may decide what: the checks that a consent decision passes before it is recorded.

`domain.md` 4.1 and 4.3.  A "no" is never refused for a formality: nobody must justify one, and what
keeps a family from saying it is worse than an untidy record.  A "yes" must be informed, dated,
scoped, and given by somebody entitled.  Age only decides which question to ask; competence is a
practitioner's judgement and is never computed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from hub.domain.circumstances import Circumstances, circumstances
from hub.domain.competence import awaits_own_decision, outcome_of
from hub.domain.consent import LISTED, Agreements, Ask
from hub.domain.decision import (
    ACTIONS,
    ALL,
    DEFAULT_PURPOSES,
    GIVING_STATES,
    NEVER_SHARED,
    PARENT_BASES,
    PURPOSES,
    SHAREABLE,
    YOUNG_PERSON_BASES,
    Voice,
    a_year_after,
    moment,
    voice_of,
)
from hub.domain.exchange import Decision, Tree
from hub.errors import Code, Fault

_ROOT: Final = "/consent_decision"


def check_decision(
    record: Tree, *, earlier: Sequence[Decision], tree: Tree | None, at: datetime
) -> Sequence[Fault]:
    """Return every reason not to record *record*; empty means that it may be recorded.

    *earlier* are the decisions already recorded for the episode, *tree* the newest version of it
    (or ``None`` before the first), *at* now.  Faults carry paths below ``/consent_decision`` and no
    values.
    """
    return [
        *_formalities(record, earlier),
        *_giver(record, tree),
        *_ages(record, tree, at),
        *_scope(record, earlier, at, circumstances(tree)),
        *_young_person(record, earlier, at),
        *_newly_competent(record, earlier),
    ]


def _fault(code: Code, path: str, remedy: str, *allowed: str, codes: str | None = None) -> Fault:
    return Fault(code, f"{_ROOT}/{path}", remedy, code_list=codes, allowed=allowed)


def _says_yes(record: Tree) -> bool:
    """Tell whether the record would give anything: storing, sharing, or a place in the index."""
    state = record.get("state")
    if state in GIVING_STATES:
        return state != "NARROWED" or bool(record.get("scope_includes"))
    return record.get("store_decision") == "yes" and state in {"STORE_ONLY", "REFUSED"}


def _items(record: Tree, name: str) -> Iterator[tuple[str, Tree]]:
    for position, item in enumerate(record.get(name) or ()):
        yield f"{name}/{position}", item


def _formalities(record: Tree, earlier: Sequence[Decision]) -> Iterator[Fault]:
    needed = ["consent_decision_id", "episode_id", "subject_id", "state", "given_by_person"]
    needed += ["given_by_basis", "store_decision", "share_decision", "signed_at"]
    if _says_yes(record):
        needed += ["purpose", "method", "index_consent", "review_by", "expires_at"]
    for name in needed:
        if not record.get(name):
            yield _fault(Code.REQUIRED, name, "a decision cannot be weighed without it")
    own_id = record.get("consent_decision_id")
    known = {decision.decision_id: decision for decision in earlier}
    if own_id in known:
        yield _fault(
            Code.DUPLICATE, "consent_decision_id", "a change is a new record with a new id"
        )
    replaced = record.get("supersedes")
    if replaced is not None:
        older = known.get(replaced)
        if older is None or older.data_subject != record.get("subject_id"):
            yield _fault(
                Code.REFERENCE, "supersedes", "name an earlier decision about the same person"
            )
    informed = record.get("informed")
    explained = isinstance(informed, Mapping) and informed.get("reasons_explained") is True
    if _says_yes(record) and not explained:
        yield _fault(
            Code.RULE, "informed/reasons_explained", "a yes counts only after an explanation"
        )
    signed, expires = moment(record.get("signed_at")), moment(record.get("expires_at"))
    for name, read in (("signed_at", signed), ("expires_at", expires)):
        if record.get(name) and read is None:
            yield _fault(Code.FORMAT, name, "a date, or a moment with its offset")
    if signed and expires and _says_yes(record) and not signed < expires <= a_year_after(signed):
        yield _fault(Code.RULE, "expires_at", "after it was signed, and at most twelve months")
    if record.get("state") == "WITHDRAWN" and not record.get("withdrawal_type"):
        yield _fault(Code.REQUIRED, "withdrawal_type", "say what is withdrawn", codes="CL-21e")


def _person(tree: Tree | None, group: str, key: str, person: Any) -> Tree | None:
    for someone in (tree or {}).get(group, ()):
        if someone.get(key) == person:
            found: Tree = someone
            return found
    return None


def _giver(record: Tree, tree: Tree | None) -> Iterator[Fault]:
    """Check the giver against the record and the tree, as far as that knows them."""
    basis, subject = record.get("given_by_basis"), record.get("subject_id")
    own = record.get("given_by_person") == subject
    child = _person(tree, "subjects", "subject_id", subject)
    adult = _person(tree, "parents_carers", "parent_carer_id", subject)
    if tree and tree.get("subjects") and child is None and adult is None:
        yield _fault(Code.REFERENCE, "subject_id", "a child or adult of this episode")
    if basis == "ADULT_SELF" and (child is not None or not own):
        yield _fault(Code.CONSENT_GIVER, "given_by_basis", "an adult decides only about themselves")
    if adult is not None and basis != "ADULT_SELF":
        yield _fault(Code.CONSENT_GIVER, "given_by_basis", "each adult decides alone", "ADULT_SELF")
    if basis in YOUNG_PERSON_BASES and not own:
        yield _fault(
            Code.CONSENT_GIVER, "given_by_person", "the young person's own decision names them"
        )
    if basis == "CHILD_COMPETENT":
        judged = record.get("competence_judgement")
        if not isinstance(judged, Mapping) or judged.get("outcome") != "COMPETENT":
            yield _fault(
                Code.CONSENT_GIVER,
                "competence_judgement/outcome",
                "a practitioner must have judged this child competent for this decision",
                "COMPETENT",
            )
    if basis == "CARER_NO_PR" and record.get("state") in GIVING_STATES and _says_yes(record):
        yield _fault(
            Code.CONSENT_GIVER,
            "given_by_basis",
            "somebody with parental responsibility must decide about sharing",
            *sorted(PARENT_BASES),
        )
    if basis == "LA_PR" and _says_yes(record) and child is not None and child.get("is_unborn"):
        yield _fault(Code.CONSENT_GIVER, "given_by_basis", "before birth only the mother")
    if basis == "PR_HOLDER" and _says_yes(record):
        yield from _parental_responsibility(record, tree, child)


def _parental_responsibility(
    record: Tree, tree: Tree | None, child: Tree | None
) -> Iterator[Fault]:
    if not record.get("pr_basis"):
        yield _fault(
            Code.CONSENT_GIVER,
            "pr_basis",
            "only parental responsibility with a basis lets a person decide",
            codes="CL-06b",
        )
    if child is not None and child.get("is_unborn") is True and record.get("pr_basis") != "MOTHER":
        yield _fault(Code.CONSENT_GIVER, "pr_basis", "before birth only the mother", "MOTHER")
    parent = _person(tree, "parents_carers", "parent_carer_id", record.get("given_by_person"))
    if parent is None:
        return
    held = [
        relation.get("has_parental_responsibility", "Y")
        for relation in parent.get("relationships", ())
        if relation.get("subject_id") == record.get("subject_id")
    ]
    if held != ["Y"]:
        yield _fault(
            Code.CONSENT_GIVER,
            "given_by_person",
            "the episode does not show this person's parental responsibility for this child",
        )


def _age_range(born: Any, on: date) -> tuple[int, int] | None:
    """Return the least and greatest age that a perhaps partial date of birth allows.

    >>> _age_range("2010-03", date(2026, 3, 15)), _age_range("2010-02-20", date(2026, 3, 15))
    ((15, 16), (16, 16))
    """
    try:
        parts = [int(part) for part in born.split("-")]
    except (AttributeError, ValueError):
        return None
    missing = slice(len(parts) - 1, None)
    first = [*parts, *[1, 1][missing]]
    last = [*parts, *[12, 31][missing]]
    today = [on.month, on.day]
    youngest = on.year - last[0] - (today < last[1:])
    oldest = on.year - first[0] - (today < first[1:])
    return youngest, oldest


def _ages(record: Tree, tree: Tree | None, at: datetime) -> Iterator[Fault]:
    """Check the basis against the date of birth, only where that makes it certainly wrong."""
    child = _person(tree, "subjects", "subject_id", record.get("subject_id"))
    if child is None:
        return
    basis = record.get("given_by_basis")
    if child.get("is_unborn") is True and basis in YOUNG_PERSON_BASES:
        yield _fault(Code.CONSENT_GIVER, "given_by_basis", "before birth only the mother")
        return
    ages = _age_range(child.get("date_of_birth"), at.date())
    if ages is None:
        return
    youngest, oldest = ages
    lawful = {
        "CHILD_COMPETENT": youngest < 16,
        "YP_16_17": youngest < 18 and oldest >= 16,
        "YA_18P": oldest >= 18,
    }
    if not lawful.get(str(basis), True):
        yield _fault(
            Code.CONSENT_GIVER, "given_by_basis", "the date of birth calls for another basis"
        )
    if basis in PARENT_BASES and _says_yes(record) and youngest >= 16:
        judged = record.get("competence_judgement")
        unable = isinstance(judged, Mapping) and judged.get("outcome") == "NOT_COMPETENT"
        # At 16 and 17 capacity is presumed unless there is evidence against; from 18 nobody decides
        # in the young person's stead.
        if youngest >= 18 or not unable:
            yield _fault(
                Code.CONSENT_GIVER,
                "given_by_basis",
                "the young person must be asked",
                "YA_18P" if youngest >= 18 else "YP_16_17",
            )


def _scope(
    record: Tree, earlier: Sequence[Decision], at: datetime, known: Circumstances
) -> Iterator[Fault]:
    state = record.get("state")
    listed = list(_items(record, "scope_includes"))
    shares = record.get("share_decision") == "yes"
    if state in {"SHARE", "WIDENED"} and shares and not listed:
        yield _fault(Code.REQUIRED, "scope_includes", "name each service that may see something")
    if state in {"SHARE", "WIDENED"} and not shares:
        yield _fault(Code.RULE, "share_decision", "this state shares, the answer says no", "yes")
    if listed and state not in GIVING_STATES:
        yield _fault(
            Code.RULE, "scope_includes", "this state gives nothing", *sorted(GIVING_STATES)
        )
    partly = {"SHARE_SERVICE", "SHARE_SECTION"}
    if record.get("withdrawal_type") in partly and not record.get("scope_excludes"):
        yield _fault(Code.REQUIRED, "scope_excludes", "name what is withdrawn")
    purposes = frozenset(record.get("purpose") or ())
    for path, item in listed:
        yield from _inclusion(path, item, purposes)
    for path, item in _items(record, "scope_excludes"):
        if item.get("to") is not None:
            # No clock widens (P26): a "no" that ended by itself would open what nobody said yes to.
            yield _fault(Code.RULE, f"{path}/to", "a no ends by a new decision, not by a date")
    if state == "NARROWED":
        yield from _not_live(record, earlier, at, known)


def _inclusion(path: str, item: Tree, purposes: frozenset[str]) -> Iterator[Fault]:
    if item.get("section") in NEVER_SHARED:
        yield _fault(Code.RULE, f"{path}/section", "no consent opens this section")
    if item.get("action") not in {None, *ACTIONS}:
        yield _fault(
            Code.CODELIST,
            f"{path}/action",
            "sharing onwards is never allowed",
            *ACTIONS,
            codes="scope-actions",
        )
    if item.get("action") == "locate" and (
        item.get("section") != "sec.identity" or item.get("sensitive") is not True
    ):
        # Where a shielded family is leaves by its own name only, never by "all" (CL-24).
        yield _fault(
            Code.RULE, f"{path}/action", "name sec.identity as sensitive for who may know the place"
        )
    named = item.get("purpose")
    if not purposes & (DEFAULT_PURPOSES if named is None else {named}):
        yield _fault(
            Code.PURPOSE,
            f"{path}/purpose",
            "name a purpose that the decision is for; without one it means ASSESS and PLAN",
            codes="CL-21b",
        )
    begins, ends = moment(item.get("from")), moment(item.get("to"))
    for name, read in (("from", begins), ("to", ends)):
        if item.get(name) is not None and read is None:
            yield _fault(Code.FORMAT, f"{path}/{name}", "a date")
    if begins and ends and begins >= ends:
        yield _fault(Code.RULE, f"{path}/to", "later than from")


def _asked_for(item: Tree) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the purposes and sections that a scope item is about."""
    named = item.get("purpose")
    section = item.get("section")
    sections = tuple(sorted(SHAREABLE)) if section == ALL else (str(section or LISTED),)
    return (DEFAULT_PURPOSES if named is None else frozenset({str(named)})), sections


def _not_live(
    record: Tree, earlier: Sequence[Decision], at: datetime, known: Circumstances
) -> Iterator[Fault]:
    """Check that a narrowing is a subset of what is live now, item by item."""
    before = Agreements(earlier, (), (), known=known)
    person = str(record.get("subject_id"))
    purposes = frozenset(record.get("purpose") or ())
    for path, item in _items(record, "scope_includes"):
        wanted, sections = _asked_for(item)
        for purpose in sorted(wanted & purposes):
            ask = Ask(str(item.get("service")), purpose, at)
            cells = [
                before.listed(person, ask) if name == LISTED else before.section(person, name, ask)
                for name in sections
            ]
            fine = item.get("sensitive") is True
            if not all(cell.permitted and (cell.sensitive or not fine) for cell in cells):
                yield _fault(
                    Code.RULE, path, "a narrowing keeps only what is shared now; widen by WIDENED"
                )
                break


def _young_person(record: Tree, earlier: Sequence[Decision], at: datetime) -> Iterator[Fault]:
    """Check that nobody overrules what a competent young person decided (`domain.md` 4.1, S2)."""
    person = record.get("subject_id")
    if voice_of(record, adult=None) is Voice.YOUNG_PERSON or record.get("state") is None:
        return
    theirs = [
        decision
        for decision in earlier
        if decision.data_subject == person
        and voice_of(decision.record, adult=None) is Voice.YOUNG_PERSON
    ]
    if not theirs:
        return
    if any(decision.decision_id == record.get("supersedes") for decision in theirs):
        yield _fault(Code.CONSENT_GIVER, "supersedes", "only the young person replaces their own")
    stores = [decision.record.get("store_decision") for decision in theirs]
    if record.get("store_decision") != stores[-1]:
        yield _fault(Code.CONSENT_GIVER, "store_decision", "the young person has decided this")
    agreements = Agreements(theirs, (), ())
    for name in ("scope_includes", "scope_excludes"):
        for path, item in _items(record, name):
            if _decided(agreements, str(person), item, at):
                yield _fault(Code.CONSENT_GIVER, path, "the young person has decided this")


def _decided(agreements: Agreements, person: str, item: Tree, at: datetime) -> bool:
    purposes, sections = _asked_for(item)
    return any(
        agreements.decided(person, section, Ask(str(item.get("service")), purpose, at))
        for purpose in purposes & PURPOSES
        for section in sections
    )


def _newly_competent(record: Tree, earlier: Sequence[Decision]) -> Iterator[Fault]:
    """Check that no parent gives more while a child judged competent has yet to be heard (4.4)."""
    if record.get("given_by_basis") not in PARENT_BASES or not _says_yes(record):
        return
    judged = outcome_of(record)
    waits = judged is None and awaits_own_decision(earlier, str(record.get("subject_id")))
    if waits or judged == "COMPETENT":
        yield _fault(
            Code.CONSENT_GIVER,
            "given_by_basis",
            "the child was judged competent and must be asked",
            "CHILD_COMPETENT",
        )
