"""What decides about a leaf of the dictionary: who must have agreed, to which section, how far.

Section, sensitivity and owner come from the data dictionary (`domain.md` 4.2).  Leaves that are
alike share one `Rule`, so that a place in the tree is asked once for all of them.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, Literal, NamedTuple

from hub.domain.dictionary import BY_ELEMENT, Leaf, leaves
from hub.domain.fields import About
from hub.services.masking import element_rules
from hub.services.permits import BASIC, SECTION, SENSITIVE

FREE: Final = 0
"""Needs nobody's permission of its own, as it goes only with what has one."""
NEVER: Final = -1
NO_RULE: Final = -1
"""The number of what no rule lets go."""


Asked = Literal["child", "child+adults", "children", "children+adults", "adult", "item"]
"""Who must have agreed.

*child*: the enclosing one.  *children*: the enclosing one, or where there is none, all.  *adult*:
the children, and the enclosing parent or carer.  *item*: the person whom the item names, and for an
adult every child, too.  *+adults*: and every parent and carer.
"""


class Rule(NamedTuple):
    """What decides about a leaf: *needed* is the bit of *section* that everybody asked permits."""

    asked: Asked
    section: str
    needed: int


WHO: Final[Mapping[About, tuple[Asked, Asked]]] = {
    "child": ("child", "child+adults"),
    "children": ("children", "children+adults"),
    "practitioner": ("children", "children+adults"),
    "adults": ("children+adults", "children+adults"),
    "adult": ("adult", "adult"),
    "item": ("item", "item"),
}
"""Who is asked about whose data; second, if it may say something of a third party as well."""


def needed(sensitivity: frozenset[str]) -> int:
    """Return the bit that a leaf of this sensitivity needs, or `FREE`, or `NEVER`."""
    if sensitivity & {"RES", "LOC"}:
        return NEVER
    if "SEN" in sensitivity:
        return SENSITIVE
    if "ADM" in sensitivity or "IDX" in sensitivity:
        return FREE
    return BASIC if "BAS" in sensitivity else SECTION


def by_element(leaf: Leaf) -> bool:
    """Return whether the rule of the element decides that the leaf is about."""
    return leaf.section == BY_ELEMENT and not leaf.sensitivity


def rule_of(leaf: Leaf) -> Rule | None:
    """Return what decides about a leaf; None if nothing does (`FREE`), or nobody can (`NEVER`)."""
    bit = needed(leaf.sensitivity)
    if bit <= FREE or leaf.about == "unknown" or by_element(leaf):
        return None
    return Rule(WHO[leaf.about]["THP" in leaf.sensitivity], leaf.section, bit)


@cache
def element_leaves() -> Mapping[str, Rule]:
    """Return what decides about an element's own leaves; what never leaves has nothing."""
    return {
        code: Rule(WHO["child"]["THP" in sensitivity], section, bit)
        for code, (section, sensitivity) in element_rules().items()
        if (bit := needed(sensitivity)) > FREE
    }


@cache
def numbers() -> Mapping[Rule, int]:
    """Return the number of every rule that there is, from 0."""
    found = [rule for leaf in leaves().values() if (rule := rule_of(leaf)) is not None]
    found += element_leaves().values()
    return {rule: number for number, rule in enumerate(dict.fromkeys(found))}


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, by its number."""
    return tuple(numbers())


@cache
def element_numbers() -> Mapping[Any, int]:
    """Return the number of the rule of each element that may leave."""
    return {code: numbers()[rule] for code, rule in element_leaves().items()}
