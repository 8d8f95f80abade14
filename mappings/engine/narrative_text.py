"""Pieces of text that remember what they were made of, and who is who in one message."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mappings.engine.marks import Mark, Origin, bare
from mappings.engine.model import Rule
from mappings.engine.narrative_words import settled

Sources = tuple[Any, ...]
"""The canonical leaves, wrapped or not, that a text was made of."""


@dataclass(slots=True)  # frozen would double what it takes to make one
class Text:
    """A text and its sources; never changed."""

    said: str
    sources: Sources = ()

    def __add__(self, other: "Text") -> "Text":
        """Return both in one."""
        return Text(self.said + other.said, (*self.sources, *other.sources))

    def out(self, rule: Rule) -> Any:
        """Return the plain text, or a mark where the message was recorded."""
        for one in self.sources:
            if type(one) is Origin:
                break
        else:
            return self.said
        paths = [one.path for one in self.sources if isinstance(one, Origin)]
        first = next(one for one in self.sources if isinstance(one, Origin))
        return Mark(self.said, rule, paths[0], first.value, tuple(dict.fromkeys(paths[1:])))


def plain(value: Any) -> Text:
    """Return free text *value* as it was written."""
    return Text(settled(str(bare(value))), (value,))


def joined(parts: Iterable[Text], between: str = ", ", *, once: bool = False) -> Text | None:
    """Return *parts* in one text; None if there are none.

    With *once*, what is the same is said once, and comes from all of them.
    """
    said: list[str] = []
    sources: list[Any] = []
    for part in parts:
        if part.said:
            said.append(part.said)
            sources += part.sources
    return (
        Text(between.join(dict.fromkeys(said) if once else said), tuple(sources)) if said else None
    )


def paragraphs(text: Text) -> list[Text]:
    """Return *text* line by line, as it was written, without empty lines.

    Whether a line of a document stands there never depends on what words it holds: a text of
    nothing but white space is one paragraph of it.
    """
    if "\n" not in text.said:
        return [text]
    lines = [Text(line, text.sources) for line in text.said.split("\n") if line.strip()]
    return lines or [text]


@dataclass(slots=True)
class Item:
    """One thing to say: its text, and what is said of it in smaller letters; never changed."""

    text: tuple[Text, ...]
    detail: tuple[Text, ...] = ()


_PERSON_KEYS: Final = ("parent_carer_id", "practitioner_id", "person_id")


class WhoIsWho:
    """Names by internal number, looked up in what may be shown and nowhere else."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        """Look through *root* once."""
        self._people: dict[str, Text] = {}
        self._ranks: dict[str, tuple[int, str]] = {}
        self._organisations: dict[str, Text] = {}
        self._look(root)
        plan = (root.get("episode") or {}).get("plan") or {}
        told = (one for one in plan.get("desired_outcome") or () if "id" in one and "text" in one)
        self._goals = {bare(one["id"]): plain(one["text"]) for one in told}

    def _look(self, value: Any) -> None:
        if isinstance(value, dict):
            self._named(value)
            for inner in value.values():
                if isinstance(inner, (dict, list, tuple)):
                    self._look(inner)
        else:
            for inner in value:
                if isinstance(inner, (dict, list, tuple)):
                    self._look(inner)

    def _named(self, value: Mapping[str, Any]) -> None:
        if "subject_id" in value:
            name = child_name(value)
            if name is not None:
                self._person(value["subject_id"], name, 0)
        if "name" in value:
            name = plain(value["name"])
            for rank, key in enumerate(_PERSON_KEYS, start=1):
                if key in value:
                    self._person(value[key], name, rank)
            if "organisation_id" in value:
                held = self._organisations.get(bare(value["organisation_id"]))
                if held is None or name.said < held.said:
                    self._organisations[bare(value["organisation_id"])] = name

    def _person(self, ref: Any, name: Text, rank: int) -> None:
        """Keep the best name: of the family's own entry first, whatever order they stand in."""
        key, order = bare(ref), (rank, name.said)
        if key not in self._ranks or order < self._ranks[key]:
            self._people[key], self._ranks[key] = name, order

    def person(self, ref: Any) -> Text | None:
        """Return the name of the person whom *ref* names; None where no name may be shown."""
        found = self._people.get(bare(ref))
        return None if found is None else Text(found.said, (*found.sources, ref))

    def organisation(self, code: Any) -> Text:
        """Return the name of an organisation; as it was written where nobody names it."""
        found = self._organisations.get(bare(code))
        return plain(code) if found is None else Text(found.said, (*found.sources, code))

    def goal(self, ref: Any) -> Text | None:
        """Return the words of the goal that *ref* names; None where they may not be shown."""
        found = self._goals.get(bare(ref))
        return None if found is None else Text(found.said, (*found.sources, ref))


def child_name(subject: Mapping[str, Any]) -> Text | None:
    """Return the name of a child; None where none may be shown."""
    given = [plain(name) for name in subject.get("given_names") or ()]
    family = [plain(subject["family_name"])] if "family_name" in subject else []
    return joined([*given, *family], " ")
