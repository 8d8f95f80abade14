"""Pieces of text that remember what they were made of, and who is who in one message."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from hub.domain.dictionary import Node
from hub.domain.messages import message_tree
from mappings.engine.canonical import FREE
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
    said = list(filter(None, parts))
    if len(said) < 2:
        return said[0] if said else None
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


class _Way(NamedTuple):
    """Where names may stand below a place of the dictionary: in it, and in which members, each with
    its own way (None: anywhere) and whether it is a list.
    """

    named: bool
    inner: tuple[tuple[str, "_Way | None", bool], ...]


@cache
def _ways() -> _Way:
    """Return where names may stand in a message."""
    return _way(message_tree())


def _way(nodes: Mapping[str, Node]) -> _Way:
    inner: list[tuple[str, _Way | None, bool]] = []
    for name, node in nodes.items():
        if name in FREE:
            inner.append((name, None, False))
        elif node.leaf is None:
            below = _way(node.children)
            if below.named or below.inner:
                inner.append((name, below, node.kind == "list"))
    return _Way(not nodes.keys().isdisjoint(("name", "subject_id")), tuple(inner))


class WhoIsWho:
    """Names by internal number, looked up in what may be shown and nowhere else.

    *passing* keeps what was said of a practitioner in this message: who wrote one element wrote
    others.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        """Look through *root* once."""
        self.passing: dict[Any, Item | None] = {}
        self._chosen: dict[tuple[int, str], dict[Any, list[Any]]] = {}
        self._people: dict[str, str] = {}
        self._ranks: dict[str, tuple[int, str]] = {}
        self._organisations: dict[str, str] = {}
        self._walk(root, _ways())
        plan = (root.get("episode") or {}).get("plan") or {}
        told = (one for one in plan.get("desired_outcome") or () if "id" in one and "text" in one)
        self._goals = {bare(one["id"]): plain(one["text"]) for one in told}

    def chosen(self, items: Sequence[Mapping[str, Any]], key: str) -> Mapping[Any, list[Any]]:
        """Return *items* by their member *key*: a text asks nineteen times for another element."""
        told = (id(items), key)
        found = self._chosen.get(told)
        if found is None:
            found = self._chosen[told] = {}
            for one in items:  # a recorded leaf is equal to its value, and found by it
                found.setdefault(one.get(key), []).append(one)
        return found

    def _walk(self, value: Mapping[str, Any], way: "_Way") -> None:
        if way.named and ("name" in value or "subject_id" in value):
            self._named(value)
        for name, below, many in way.inner:
            held = value.get(name)
            if not held:
                continue
            if below is None:
                self._look(held)
            elif many:
                for one in held:
                    self._walk(one, below)
            else:
                self._walk(held, below)

    def _look(self, value: Any) -> None:
        """Look through what no dictionary describes."""
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
