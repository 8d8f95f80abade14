"""One version of a form: its sections and fields in order, and the choices that it offers.

A form is data (``mappings/forms/<form>/<version>.yaml``; a site's own in the folder ``forms`` of
its configuration), read with positions::

    form: la-eha
    version: 2
    title: Early Help Assessment
    from: 2023-04-01                # the first day on which it is taken
    until: 2028-03-31               # the last one; left out while it is the current version
    like: 1                         # begins as that version; sections replace those of their title
    lists:                          # what the form offers of a code list, in its own words
      CL-06: {Y: "Yes", N: "No"}
    sections:
      - title: Child or young person
        after: The assessment       # only beside `like`: where a new section goes
        fields:
          - caf: subjects[].given_names[]
            label: First names
            asked: true             # the paper form wants an answer
            choices: {A: one, B: another}

A field names a leaf of the data dictionary or everything below a place of it.  What a form does not
have it cannot forbid: such fields are kept and given back (`domain.md` 7.1).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hub.domain.codes import Standing, check, list_ids
from hub.domain.dictionary import leaves
from hub.positioned import Fields, Place, PositionedError, Value, read_file

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
CARRIED: Final = frozenset(
    path
    for path, leaf in leaves().items()
    if leaf.key
    or leaf.sensitivity & {"ADM", "LOC"}
    or path.rpartition(".")[2] in {"subject_id", "parent_carer_id", "person_id", "outcome_id"}
) | {
    "episode_type",
    "status",
    "home_authority",
    "other_authorities[]",
    "opened_at",
    "closed_at",
    "subjects[].is_unborn",
    "subjects[].shielding",
}
"""What every episode carries whatever its form: keys, references, states, and what protects."""
DERIVED: Final = "responsible_practitioner."


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form: the places of the dictionary that answer it, in the form's words.

    *choices* are the codes that it offers with its own words for them; empty offers the whole list.
    """

    caf: str
    label: str
    asked: bool
    choices: Mapping[str, str]
    leaves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a form under one heading."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One version of one form; *until* is the last day on which it is taken, ``None`` for ever.

    *leaves* are all that it has, *narrowed* what it offers for each coded leaf that it narrows.
    """

    name: str
    version: int
    title: str
    begins: date
    until: date | None
    sections: tuple[Section, ...]
    lists: Mapping[str, Mapping[str, str]]
    leaves: frozenset[str]
    narrowed: Mapping[str, Mapping[str, str]]
    place: Place

    @property
    def ref(self) -> str:
        """Return how a message names it: ``la-eha/2``."""
        return f"{self.name}/{self.version}"

    def fields(self) -> Iterator[Field]:
        """Yield every field, in the order of the form."""
        for section in self.sections:
            yield from section.fields

    def knows(self, path: str) -> bool:
        """Return whether the form has the leaf at the generic *path*, or every episode does."""
        return path in CARRIED or path.startswith(DERIVED) or path in self.leaves

    def taken_on(self, day: date) -> bool:
        """Return whether it is taken on *day*."""
        return self.begins <= day and (self.until is None or day <= self.until)


def read_form(file: Path, shown: str, earlier: Mapping[int, Form]) -> Form:
    """Return the form version of *file*; *earlier* are the versions that it may be ``like``.

    Raises `PositionedError`.
    """
    top = read_file(file, shown).mapping(
        "form", "version", "title", "from", "until", "like", "lists", "sections"
    )
    name, version = top.need("form").text(), top.need("version").integer(1, 9999)
    if name != file.parent.name:
        top.need("form").error(f"must be the name of its folder: {file.parent.name}")
    if str(version) != file.stem:
        top.need("version").error(f"must be the name of its file: {file.stem}")
    begins = _day(top.need("from"))
    ends = top.get("until")
    until = _day(ends) if ends else None
    if ends and until and until < begins:
        ends.error("must not be before from")
    like = top.get("like")
    base = None
    if like is not None:
        base = earlier.get(like.integer(1, version - 1))
        if base is None:
            like.error("there is no such version of this form")
    lists = dict(base.lists) if base else {}
    for list_id, value in _members(top, "lists"):
        lists[list_id] = _choices(value, list_id)
    sections = list(base.sections) if base else []
    for value in top.need("sections").sequence():
        _place(value, sections, replacing=base is not None)
    fields = [field for section in sections for field in section.fields]
    _once(top, sections)
    return Form(
        name=name,
        version=version,
        title=top.need("title").text(),
        begins=begins,
        until=until,
        sections=tuple(sections),
        lists=MappingProxyType(lists),
        leaves=frozenset(path for field in fields for path in field.leaves),
        narrowed=MappingProxyType(_narrowed(fields, lists)),
        place=top.place,
    )


def _narrowed(
    fields: Sequence[Field], lists: Mapping[str, Mapping[str, str]]
) -> dict[str, Mapping[str, str]]:
    found = {}
    for field in fields:
        for path in field.leaves:
            offered = field.choices or lists.get(leaves()[path].codes or "", NOTHING)
            if offered:
                found[path] = offered
    return found


def _members(top: Fields, name: str) -> Sequence[tuple[str, Value]]:
    held = top.get(name)
    return held.items() if held else ()


def _day(value: Value) -> date:
    text = value.text()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        value.error("must be a day like 2026-01-31")
    if text != day.isoformat():
        value.error("must be a day like 2026-01-31")
    return day


def _choices(value: Value, list_id: str) -> Mapping[str, str]:
    if list_id not in list_ids():
        value.error(f"there is no code list {list_id}")
    found = {}
    for code, said in value.items():
        if check(list_id, code) is not Standing.KNOWN:
            said.error(f"{code} is not a code of {list_id}")
        found[code] = said.text()
    return MappingProxyType(found)


def _place(value: Value, sections: list[Section], *, replacing: bool) -> None:
    told = value.mapping("title", "after", "fields")
    title, after = told.need("title"), told.get("after")
    titles = [section.title for section in sections]
    made = Section(title.text(), tuple(_field(field) for field in told.need("fields").sequence()))
    if title.text() in titles:
        if not replacing:
            title.error("stands twice")
        sections[titles.index(title.text())] = made
    elif after is None:
        sections.append(made)
    elif after.text() in titles:
        sections.insert(titles.index(after.text()) + 1, made)
    else:
        after.error("there is no section of that title")


def _field(value: Value) -> Field:
    told = value.mapping("caf", "label", "asked", "choices")
    caf = told.need("caf")
    below = tuple(path for path in leaves() if _at_or_below(path, caf.text()))
    if not below:
        caf.error("is not a place of the data dictionary")
    choices: Mapping[str, str] = NOTHING
    offered = told.get("choices")
    if offered is not None:
        codes = leaves()[below[0]].codes
        if len(below) > 1 or codes is None:
            offered.error("choices are for one field with a code list")
        choices = _choices(offered, codes)
    return Field(caf.text(), told.need("label").text(), told.boolean("asked"), choices, below)


def _at_or_below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}.")


def _once(top: Fields, sections: Sequence[Section]) -> None:
    seen: dict[str, str] = {}
    for section in sections:
        for field in section.fields:
            for path in field.leaves:
                if path in seen:
                    raise PositionedError(
                        top.place, f"{path} stands twice: in {seen[path]} and in {section.title}"
                    )
                seen[path] = section.title
