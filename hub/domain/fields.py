"""How a field of the data dictionary says what it is: section, sensitivity, code list, whose data,
source.

Every leaf of the canonical episode carries this metadata, because the consent gate decides by it
and by nothing else.  A leaf may inherit *section* and *sensitivity* from the group that holds it;
one that ends up without a section fails the build (`design.md` section 4).
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

Sensitivity = Literal["IDX", "BAS", "ADD", "SEN", "THP", "RES", "ADM", "LOC"]
"""The consent categories of `domain.md` section 2.0."""

Form = Literal[
    "string", "text", "date", "partial_date", "datetime", "bool", "int", "code", "ref", "service"
]

About = Literal["child", "children", "adult", "adults", "item", "practitioner", "unknown"]
"""Whose data a leaf is.

*child*: the enclosing subject.  *children*: every subject of the episode (shared leaves).  *adult*:
the enclosing parent or carer.  *adults*: every parent and carer.  *item*: the person whom the
enclosing item names in `subject_id`, `parent_carer_id` or `person_id`.  *practitioner*: a
professional at work. *unknown*: nobody can decide for it, so it is withheld. """

METADATA: Final = "ecaf"


@dataclass(frozen=True, slots=True)
class Meta:
    """What one dataclass field declares; ``None`` means "as the group that holds me"."""

    form: Form | None = None
    section: str | None = None
    sensitivity: frozenset[str] | None = None
    codes: str | None = None
    about: About | None = None
    max_length: int | None = None
    source: str = ""
    key: bool = False
    sensitive_by: str | None = None


def _meta(meta: Meta, *, required: bool, many: bool) -> Any:
    default: dict[str, Any] = {} if required else {"default": () if many else None}
    return field(metadata={METADATA: meta}, **default)


def _tags(sensitivity: str) -> frozenset[str] | None:
    return frozenset(sensitivity.split()) if sensitivity else None


def leaf(
    form: Form = "string",
    sensitivity: str = "",
    *,
    section: str | None = None,
    codes: str | None = None,
    about: About | None = None,
    length: int | None = None,
    source: str = "",
    required: bool = False,
    many: bool = False,
    key: bool = False,
) -> Any:
    """Declare a leaf; *sensitivity* is space-separated tags, *length* in characters.

    *key* marks the identifier by which items of a list are told apart (merging, explaining).
    """
    meta = Meta(
        form=form,
        section=section,
        sensitivity=_tags(sensitivity),
        codes=codes,
        about=about,
        max_length=length,
        source=source,
        key=key,
    )
    return _meta(meta, required=required, many=many)


def group(
    section: str | None = None,
    sensitivity: str = "",
    *,
    about: About | None = None,
    source: str = "",
    required: bool = False,
    many: bool = False,
    sensitive_by: str | None = None,
) -> Any:
    """Declare a nested object, or with *many* a list of them, whose metadata its leaves inherit.

    *sensitive_by* names the leaf (a CL-11 service type) that makes a whole item restricted when it
    names a sensitive service (`domain.md` F6).
    """
    meta = Meta(
        section=section,
        sensitivity=_tags(sensitivity),
        about=about,
        source=source,
        sensitive_by=sensitive_by,
    )
    return _meta(meta, required=required, many=many)
