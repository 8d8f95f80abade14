"""What a member of the family may read of their own record (`domain.md` 5.3, last rows).

Own copy, redacted for others: a child reads about themself and a parent about themself and the
children for whom they hold parental responsibility, unless a competent young person has spoken for
themself.  Of everybody else, the other parent included, nothing.  Who may not be contacted, or not
without a professional, gets no copy from here (CL-24b).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.domain.decision import SHAREABLE, Voice, read
from hub.domain.exchange import Decision, Tree
from hub.domain.hearing import heard_as
from hub.errors import Code, Fault, InvalidContent, Withheld
from hub.services.masking import Masked
from hub.services.permits import BASIC, SECTION, SENSITIVE, Levels, Permits

EVERYTHING: Final[Levels] = dict.fromkeys(SHAREABLE, BASIC | SECTION | SENSITIVE)
NOTHING: Final[Levels] = {}
READS: Final = frozenset({"none", "no_address"})
"""The contact restrictions under which somebody is still given a copy."""


@dataclass(frozen=True, slots=True)
class Kin:
    """One member of the family and the *children* about whom they may read; *hides_places* where
    they must not learn where anybody is.
    """

    person: str
    children: frozenset[str]
    hides_places: bool = False

    def __call__(self, person: str) -> Levels:
        """Return what this reader is let see about *person*: everything, or nothing."""
        return EVERYTHING if person in self.children or person == self.person else NOTHING

    def permits(self, tree: Tree, masked: Masked) -> Permits:
        """Return the same as the field filter takes it, for the people of *tree*."""
        children = tuple(one["subject_id"] for one in tree.get("subjects", ()))
        adults = tuple(one["parent_carer_id"] for one in tree.get("parents_carers", ()))
        return Permits(children, adults, self, masked)


def kin_of(tree: Tree, decisions: Sequence[Decision], person: str) -> Kin:
    """Return what *person* of the episode *tree* may read.

    Raises `InvalidContent` (``E_REFERENCE``) for somebody who is not in the family, `Withheld`
    (``E_CONSENT_SCOPE``) where there is nothing that may be handed to them.
    """
    children = {one["subject_id"]: one for one in tree.get("subjects", ())}
    if person in children:
        return Kin(person, frozenset({person}))
    for adult in tree.get("parents_carers", ()):
        if adult.get("parent_carer_id") == person:
            return _adult(adult, children, decisions)
    fault = Fault(Code.REFERENCE, "query.person", "name a child, parent or carer of the episode")
    raise InvalidContent(Code.REFERENCE, "nobody of that name is in this family", (fault,))


def _adult(adult: Tree, children: dict[str, Any], decisions: Sequence[Decision]) -> Kin:
    restriction = adult.get("contact_restriction", "none")
    if restriction not in READS:
        raise Withheld(Code.CONSENT_SCOPE, "a copy for this person is for a professional to give")
    theirs = frozenset(
        str(held["subject_id"])
        for held in adult.get("relationships", ())
        if held.get("subject_id") in children
        and _responsible(held, children[held["subject_id"]])
        and not _speaks_for_themself(str(held["subject_id"]), decisions)
    )
    if not theirs:
        # Not even what is about themself: it would tell that there is an episode.
        raise Withheld(Code.CONSENT_SCOPE, "nothing of this record is for this person")
    return Kin(adult["parent_carer_id"], theirs, hides_places=restriction == "no_address")


def _responsible(held: Tree, child: Tree) -> bool:
    """Tell whether the adult answers for the child; for the unborn it is the mother alone."""
    if child.get("is_unborn"):
        return held.get("pr_basis") == "MOTHER"
    return held.get("has_parental_responsibility") == "Y"


def _speaks_for_themself(child: str, decisions: Sequence[Decision]) -> bool:
    """Tell whether a competent young person decided anything about their own record."""
    return any(
        heard_as(decision, adult=False) is Voice.YOUNG_PERSON
        and read(decision, adult=False) is not None
        for decision in decisions
        if decision.data_subject == child
    )


def whereabouts_hidden(tree: Tree) -> Tree:
    """Return *tree* as if every child were shielded: for a reader who must not learn any place."""
    subjects = [{**one, "shielding": "whereabouts"} for one in tree.get("subjects", ())]
    return {**tree, "subjects": subjects}
