"""What a disclosure without consent lets its recipient see: the sections that it names, no more.

"Only share relevant and accurate information" (`domain.md` 4.6, rule 7): sections that are not
named stay out, and so do children who are not named.  What no ordinary consent opens (restricted
leaves, the checklist, who works for a sensitive service) an exception does not open either: who has
to say it says it in the concern, in so many words.
"""

from collections.abc import Iterable
from typing import Any, Final

from hub.domain.exchange import Tree
from hub.services.masking import NOBODY, Masked
from hub.services.permits import BASIC, SECTION, SENSITIVE, Levels, Permits, Rights
from hub.services.views import of_sections

UNNAMED: Final = ("",)
"""Stands for the adults whom something is about, where the section that names them stays out."""
EVERYTHING: Final = BASIC | SECTION | SENSITIVE


def people_of(tree: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the children and of the parents and carers of a part of an episode."""
    return (
        _ids(tree.get("subjects", ()), "subject_id"),
        _ids(tree.get("parents_carers", ()), "parent_carer_id"),
    )


def _ids(items: Iterable[Tree], name: str) -> tuple[str, ...]:
    return tuple(str(item[name]) for item in items if name in item)


def lawful(
    record: Tree, tree: Tree, *, agreed: Rights | None = None, masked: Masked = NOBODY
) -> Permits:
    """Return what *record* opens of *tree*: the named sections of the named children.

    *agreed* is what the family agreed to, for the one basis that consent is not bypassed on (s17).
    """
    children = tuple(dict.fromkeys(str(child) for child in record["subject_ids"]))
    named, adults = frozenset(record["disclosed_sections"]), people_of(tree)[1] or UNNAMED
    about = {*children, *adults}

    def rights(person: str) -> Levels:
        if person not in about:
            return {}
        if agreed is None:
            return dict.fromkeys(named, EVERYTHING)
        return {section: agreed(person).get(section, 0) for section in named}

    return Permits(children, adults, rights, masked)


def sections(record: Tree, tree: Tree) -> dict[str, Any]:
    """Return the part of an episode that the disclosure *record* can be cut from: not even who
    works with the family goes with a section that is not named.
    """
    return of_sections(tree, frozenset(record["disclosed_sections"]))
