"""Document tree to XML text: children in the schema's order, attributes first.

What there is to do for an element depends on its name, its type and which members it has.  That is
worked out once for each such shape and kept, so that writing an element goes through what is there
and nothing else; elements that hold nothing but words of code lists are kept whole.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from mappings.engine.shape import Member
from mappings.formats.xml_draft import Prose
from mappings.formats.xml_grammar import CONTENT, TEXT, Content, Grammar

Node = Any
TYPE: Final = "@xsi:type"
QUOTE: Final = '"'
MOST_KEPT: Final = 10_000
"""Shapes, and whole elements, that are kept: a stranger's mapping must not fill the memory."""

Disagrees = Callable[[str, AbstractSet[str]], bool]
"""(element, its members) to whether they contradict each other."""


Finish = Callable[[Mapping[str, Node], Any], Mapping[str, Node]]
"""(value, the document's context) to the value with what its type adds to it."""

Finisher = Callable[[str, AbstractSet[str]], Finish | None]
"""(type, members) to what finishes a value of that type with these members; None if nothing."""


class Unwritable(ValueError):
    """Something in the document has no place in the schema; where, the slow pass will say."""


class Written(list[str]):
    """The text of one document in pieces; *agrees* until an element contradicts itself.

    *context* is the document's own: what `Finish` takes of it.
    """

    agrees = True
    context: Any = None


@dataclass(slots=True)
class _Child:
    """One member that stands below: the element's open form, its ends, and its type."""

    whole: str
    begin: str
    end: str
    kind: str
    many: bool


@dataclass(slots=True)
class _Shape:
    """One combination of members, prepared; *whole* keeps elements made of code words alone."""

    attributes: list[tuple[str, str]] = field(default_factory=list)
    children: list[tuple[str, _Child]] = field(default_factory=list)
    text: bool = False
    mixed: bool = False
    inside: Mapping[str, _Child] = field(default_factory=dict)
    whole: dict[tuple[Any, ...], str] | None = None
    agrees: bool = True
    finish: Finish | None = None


class Writer:
    """Writes values of the types of one grammar.

    *words* are the attributes that hold codes and their displays: never what a family has said.
    """

    def __init__(
        self,
        grammar: Grammar,
        *,
        words: frozenset[str] = frozenset(),
        disagrees: Disagrees = lambda _name, _members: False,
        finisher: Finisher = lambda _kind, _members: None,
    ) -> None:
        """Prepare nothing: shapes come as they are met."""
        self._finisher = finisher
        self._done: dict[tuple[str, ...], _Shape] = {}
        self._types = grammar.types
        self._words = words
        self._disagrees = disagrees
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._inside: dict[str, Mapping[str, _Child]] = {}

    def put(self, value: Node, kind: str, begin: str, end: str, out: Written) -> None:
        """Append one element that starts with *begin* (``<Name``, its bracket still open)."""
        if type(value) is not dict and not isinstance(value, Mapping):
            out.append(f"{begin}>{escaped(said(value))}{end}")
            return
        key = (begin, value.get(TYPE, kind), *value)
        shape = self._shapes.get(key)
        if shape is None:
            if None in value.values():
                self._without_nothing(value, kind, begin, end, out)
                return
            shape = self._shapes_of(key, begin, kind)
        if shape.whole is not None:
            known = shape.whole.get(tuple(value.values()))
            if known is None and None in value.values():
                self._without_nothing(value, kind, begin, end, out)
                return
            if (made := known or self._closed(value, shape, begin, kind, out)) is not None:
                out.append(made)
                return
        if shape.finish is not None:
            value, shape = self._finished(value, shape.finish, begin, kind, out)
        if not shape.agrees:
            out.agrees = False
        start, mark = begin, len(out)
        for name, opening in shape.attributes:
            held = value[name]
            if held is None:
                self._without_nothing(value, kind, begin, end, out)
                return
            start += f'{opening}{quoted(held if type(held) is str else said(held))}"'
        if not (shape.children or shape.text or shape.mixed):
            out.append(f"{start}/>")
            return
        out.append(f"{start}>")
        if shape.text and (held := value[TEXT]) is not None:
            out.append(escaped(held if type(held) is str else said(held)))
        if shape.mixed:
            self._mixed(value[CONTENT], shape.inside, out)
        for name, child in shape.children:
            held = value[name]
            if type(held) is str:
                out.append(f"{child.whole}{escaped(held)}{child.end}")
            elif type(held) is list or isinstance(held, tuple):
                if not child.many:
                    raise Unwritable
                for item in held:
                    if type(item) is str:
                        out.append(f"{child.whole}{escaped(item)}{child.end}")
                    else:
                        self.put(item, child.kind, child.begin, child.end, out)
            elif type(held) is Prose:
                out.append(held.text)
            elif held is None:
                del out[mark:]
                self._without_nothing(value, kind, begin, end, out)
                return
            else:
                self.put(held, child.kind, child.begin, child.end, out)
        out.append(end)

    def _without_nothing(
        self, value: Mapping[str, Node], kind: str, begin: str, end: str, out: Written
    ) -> None:
        """Write *value* without members that hold nothing: they are not there."""
        there = {name: held for name, held in value.items() if held is not None}
        self.put(there, kind, begin, end, out)

    def _finished(
        self, value: Mapping[str, Node], finish: Finish, begin: str, kind: str, out: Written
    ) -> tuple[Mapping[str, Node], _Shape]:
        """Return *value* with what its type adds, and the shape that it has then."""
        value = finish(value, out.context)
        key = (begin, value.get(TYPE, kind), *value)
        shape = self._done.get(key)
        if shape is None:
            shape = self._shaped(key, begin)
            shape.whole = None
            if len(self._done) < MOST_KEPT:
                self._done[key] = shape
        return value, shape

    def _closed(
        self, value: Mapping[str, Node], shape: _Shape, begin: str, kind: str, out: Written
    ) -> str | None:
        """Return an element made of code words alone, and keep it; None if finishing adds more."""
        held, kept, first = tuple(value.values()), shape.whole, shape
        if shape.finish is not None:
            value, shape = self._finished(value, shape.finish, begin, kind, out)
            if not self._words.issuperset(value):
                first.whole = None
                return None
        attributes = [
            f'{opening}{quoted(said(value[name]))}"' for name, opening in shape.attributes
        ]
        made = f"{begin}{''.join(attributes)}/>"
        # True and 1 are equal and not written alike: only texts are kept.
        if kept is not None and len(kept) < MOST_KEPT and all(type(one) is str for one in held):
            kept[held] = made
        return made

    def _mixed(self, parts: Any, known: Mapping[str, _Child], out: Written) -> None:
        for part in parts or ():
            if type(part) is str:
                out.append(escaped(part))
            elif type(part) is dict or isinstance(part, Mapping):
                for name, held in part.items():
                    child = known.get(name)
                    if child is None:
                        raise Unwritable
                    self.put(held, child.kind, child.begin, child.end, out)
            else:
                out.append(escaped(said(part)))

    def _shapes_of(self, key: tuple[str, ...], begin: str, kind: str) -> _Shape:
        """Return the shape of a value as it comes, worked out and kept; *kind* is its place's."""
        finish = self._finisher(kind, frozenset(key[2:]))
        shape = self._shaped(key, begin)
        shape.finish = finish
        if len(self._shapes) < MOST_KEPT:
            self._shapes[key] = shape
        return shape

    def _shaped(self, key: tuple[str, ...], begin: str) -> _Shape:
        """Return the shape of a value, worked out; raises `Unwritable` for a strange member."""
        _begin, kind, *names = key
        shape = _shape(names, self._types.get(kind), self._children(kind))
        shape.agrees = not self._disagrees(begin[1:].partition(" ")[0], frozenset(names))
        if shape.agrees and names and self._words.issuperset(names):
            shape.whole = {}
        return shape

    def _children(self, kind: str) -> Mapping[str, _Child]:
        """Return every member that may stand below the type *kind*."""
        known = self._inside.get(kind)
        if known is None:
            content = self._types.get(kind)
            members = {} if content is None else content.members
            known = self._inside[kind] = {
                name: _child(name, member)
                for name, member in members.items()
                if not name.startswith(("@", "#"))
            }
        return known


def _shape(names: list[str], content: Content | None, below: Mapping[str, _Child]) -> _Shape:
    shape = _Shape(inside=below)
    if content is None:  # the grammar says nothing of it: members as they come
        for name in names:
            if name.startswith("@"):
                shape.attributes.append((name, f' {name[1:]}="'))
            elif name == TEXT:
                shape.text = True
            else:
                shape.children.append((name, _child(name, Member("", many=True))))
        return shape
    left = set(names)
    if TYPE in left:
        shape.attributes.append((TYPE, ' xsi:type="'))
        left.discard(TYPE)
    shape.attributes += [
        (name, f' {name[1:]}="')
        for name in content.members
        if name in left and name.startswith("@")
    ]
    shape.text = TEXT in left and TEXT in content.members
    shape.mixed = content.mixed and CONTENT in left
    if not content.mixed:
        shape.children = [(name, child) for name, child in below.items() if name in left]
    found = len(shape.attributes) + len(shape.children) + shape.text + shape.mixed
    if found != len(names):
        raise Unwritable
    return shape


def _child(name: str, member: Member) -> _Child:
    return _Child(f"<{name}>", f"<{name}", f"</{name}>", member.type, member.many)


def said(value: Any) -> str:
    """Return *value* as XML Schema writes it.

    >>> said(True), said(3), said("x")
    ('true', '3', 'x')
    """
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value)
    raise Unwritable


def escaped(text: str) -> str:
    """Return *text* as it stands between tags; a carriage return is kept as one.

    >>> escaped("a < b ]]> c")
    'a &lt; b ]]&gt; c'
    """
    if "&" in text or "<" in text or ">" in text or "\r" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = text.replace("\r", "&#13;")
    return text


def quoted(text: str) -> str:
    """Return *text* as it stands in an attribute; its white space is kept as it is."""
    if text.isalnum():
        return text
    text = escaped(text)
    if '"' in text or "\t" in text or "\n" in text:
        text = text.replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")
    return text
