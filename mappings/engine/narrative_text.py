"""Pieces of text that remember what they were made of, and who is who in one message."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mappings.engine.marks import Mark, Origin, bare
from mappings.engine.model import Rule
from mappings.engine.narrative_words import settled


class Text(str):
    """A text that remembers what it was made of, where the message was recorded; in all others,
    texts are plain ``str`` and remember nothing.
    """

    __slots__ = ("sources",)

    sources: tuple[Origin, ...]

    def out(self, rule: Rule) -> Mark:
        """Return the text with where it came from, by *rule*."""
        first, *rest = self.sources
        also = tuple(dict.fromkeys(one.path for one in rest))
        return Mark(str(self), rule, first.path, first.value, also)


def text(said: str, *made_of: Any) -> str:
    """Return *said*, remembering those of *made_of* (leaves and texts) that remember anything."""
    for one in made_of:
        if type(one) is Origin or type(one) is Text:
            break
    else:
        return said
    sources: list[Origin] = []
    for one in made_of:
        if type(one) is Origin:
            sources.append(one)
        elif type(one) is Text:
            sources += one.sources
    made = Text(said)
    made.sources = tuple(sources)
    return made


def out(said: str, rule: Rule) -> Any:
    """Return the plain text, or a mark where the message was recorded."""
    return said.out(rule) if type(said) is Text else said


def plain(value: Any) -> str:
    """Return free text *value* as it was written."""
    return settled(value) if type(value) is str else text(settled(str(bare(value))), value)


def joined(parts: Sequence[str], between: str = ", ", *, once: bool = False) -> str | None:
    """Return *parts* in one text; None if there are none.

    With *once*, what is the same is said once, and comes from all of them.
    """
    said = [part for part in parts if part]
    if not said:
        return None
    whole = between.join(dict.fromkeys(said) if once else said)
    return text(whole, *said)


def paragraphs(said: str) -> tuple[str, ...]:
    """Return *said* line by line, as it was written, without empty lines.

    Whether a line of a document stands there never depends on what words it holds: a text of
    nothing but white space is one paragraph of it.
    """
    if "\n" not in said:
        return (said,)
    lines = tuple(text(line, said) for line in said.split("\n") if line.strip())
    return lines or (said,)


Item = tuple[tuple[str, ...], tuple[str, ...]]
"""One thing to say: its text, and what is said of it in smaller letters."""


_PERSON_KEYS: Final = (("parent_carer_id", 1), ("practitioner_id", 2), ("person_id", 3))


class WhoIsWho:
    """Names by internal number, looked up in what may be shown and nowhere else."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        """Look through *root* once."""
        self._people: dict[str, str] = {}
        self._ranks: dict[str, tuple[int, str]] = {}
        self._organisations: dict[str, str] = {}
        self._look(root)
        plan = (root.get("episode") or {}).get("plan") or {}
        told = (one for one in plan.get("desired_outcome") or () if "id" in one and "text" in one)
        self._goals = {bare(one["id"]): plain(one["text"]) for one in told}

    def _look(self, value: Any) -> None:
        if isinstance(value, dict):
            if "name" in value or "subject_id" in value:
                self._named(value)
            value = value.values()
        for inner in value:
            if type(inner) is not str and isinstance(inner, (dict, list, tuple)):
                self._look(inner)

    def _named(self, value: Mapping[str, Any]) -> None:
        if "subject_id" in value:
            name = child_name(value)
            if name is not None:
                self._person(value["subject_id"], name, 0)
        if "name" in value:
            name = plain(value["name"])
            for key, rank in _PERSON_KEYS:
                if key in value:
                    self._person(value[key], name, rank)
            if "organisation_id" in value:
                held = self._organisations.get(bare(value["organisation_id"]))
                if held is None or name < held:
                    self._organisations[bare(value["organisation_id"])] = name

    def _person(self, ref: Any, name: str, rank: int) -> None:
        """Keep the best name: of the family's own entry first, whatever order they stand in."""
        key, order = bare(ref), (rank, name)
        if key not in self._ranks or order < self._ranks[key]:
            self._people[key], self._ranks[key] = name, order

    def person(self, ref: Any) -> str | None:
        """Return the name of the person whom *ref* names; None where no name may be shown."""
        found = self._people.get(bare(ref))
        return None if found is None else text(found, found, ref)

    def organisation(self, code: Any) -> str:
        """Return the name of an organisation; as it was written where nobody names it."""
        found = self._organisations.get(bare(code))
        return plain(code) if found is None else text(found, found, code)

    def goal(self, ref: Any) -> str | None:
        """Return the words of the goal that *ref* names; None where they may not be shown."""
        found = self._goals.get(bare(ref))
        return None if found is None else text(found, found, ref)


def child_name(subject: Mapping[str, Any]) -> str | None:
    """Return the name of a child; None where none may be shown."""
    given = [plain(name) for name in subject.get("given_names") or ()]
    family = [plain(subject["family_name"])] if "family_name" in subject else []
    return joined([*given, *family], " ")
