"""Document tree to XML: children in the schema's order, written fast, then read back by lxml.

Text is put together member by member from parts prepared once a type, and parsed by lxml, so that
what leaves is an element tree that the library accepts and serialises; whatever it does not accept
is looked for again, slowly, to say where it stands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from lxml import etree

from hub.errors import Code, Fault, Rejected
from mappings.engine.shape import Member
from mappings.formats.xml_grammar import CONTENT, TEXT, Content, Grammar
from mappings.formats.xml_guard import SCHEMA_INSTANCE
from mappings.formats.xml_text import unlawful

Node = Any
TYPE: Final = "@xsi:type"
INSTANCE: Final = {"xsi": SCHEMA_INSTANCE}
"""The prefix that a typed grammar needs."""

_PARSER: Final = {
    "encoding": "utf-8",
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
}


@dataclass(slots=True)
class _Plan:
    """One type prepared: (member, what begins it), and (member, open, begin, end, its type)."""

    attributes: tuple[tuple[str, str], ...]
    children: tuple[tuple[str, str, str, str, str], ...]
    text: bool
    mixed: bool


class _Unwritable(ValueError):
    """Something in the document has no place in the schema; where, the slow pass will say."""


def element(document: Mapping[str, Node], root: str, grammar: Grammar) -> Any:
    """Return the element *root* made of *document*.

    Raises `Rejected` (``E_MAPPING``) with the path of what the schema has no place for and of text
    that XML cannot hold.
    """
    spaces = "".join(f' xmlns:{name}="{uri}"' for name, uri in grammar.prefixes.items())
    begin = f'<{root} xmlns="{grammar.namespace}"{spaces}'
    out: list[str] = []
    try:
        _builder(grammar).put(document, grammar.roots[root], begin, f"</{root}>", out)
        made = etree.fromstring("".join(out).encode(), etree.XMLParser(**_PARSER))
    except (_Unwritable, UnicodeEncodeError, etree.XMLSyntaxError):
        raise _refusal(document, grammar.roots[root], grammar) from None
    if spaces:
        etree.cleanup_namespaces(made)
    return made


@cache
def _builder(grammar: Grammar) -> "_Builder":
    return _Builder(grammar)


class _Builder:
    """Writes values of the types of one grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self._types = grammar.types
        self._plans: dict[str, _Plan] = {}

    def plan(self, kind: str) -> _Plan | None:
        """Return the type *kind* prepared; None if it holds text only."""
        known = self._plans.get(kind)
        if known is None:
            content = self._types.get(kind)
            if content is None:
                return None
            known = self._plans[kind] = _planned(content)
        return known

    def put(self, value: Node, kind: str, begin: str, end: str, out: list[str]) -> None:
        """Append one element that starts with *begin* (``<Name``, its bracket still open)."""
        if type(value) is str:
            out += (begin, ">", escaped(value), end)
        elif isinstance(value, Mapping):
            plan = self.plan(value.get(TYPE, kind))
            if plan is None:
                self._untyped(value, begin, end, out)
            else:
                self._typed(value, plan, begin, end, out)
        else:
            out += (begin, ">", escaped(said(value)), end)

    def _typed(
        self, value: Mapping[str, Node], plan: _Plan, begin: str, end: str, out: list[str]
    ) -> None:
        left = len(value)
        out.append(begin)
        if TYPE in value:
            out += (' xsi:type="', quoted(said(value[TYPE])), '"')
            left -= 1
        for name, start in plan.attributes:
            held = value.get(name)
            if held is not None:
                out += (start, quoted(said(held)), '"')
                left -= 1
        out.append(">")
        if plan.text and (held := value.get(TEXT)) is not None:
            out.append(escaped(said(held)))
            left -= 1
        if plan.mixed:
            if (held := value.get(CONTENT)) is not None:
                self._mixed(held, plan, out)
                left -= 1
        else:
            left -= self._children(value, plan, out)
        if left:
            left -= sum(1 for held in value.values() if held is None)
            if left:
                raise _Unwritable
        out.append(end)

    def _children(self, value: Mapping[str, Node], plan: _Plan, out: list[str]) -> int:
        """Append the members that stand below; return how many there were."""
        found = 0
        for name, whole, begin, end, kind in plan.children:
            held = value.get(name)
            if held is None:
                continue
            found += 1
            if type(held) is str:
                out += (whole, escaped(held), end)
            elif type(held) is list or isinstance(held, tuple):
                if not kind.endswith("*"):
                    raise _Unwritable
                for item in held:
                    if type(item) is str:
                        out += (whole, escaped(item), end)
                    else:
                        self.put(item, kind[:-1], begin, end, out)
            else:
                self.put(held, kind.rstrip("*"), begin, end, out)
        return found

    def _mixed(self, parts: Any, plan: _Plan, out: list[str]) -> None:
        known = {child[0]: child for child in plan.children}
        for part in parts:
            if not isinstance(part, Mapping):
                out.append(escaped(said(part)))
                continue
            for name, held in part.items():
                if name not in known:
                    raise _Unwritable
                _name, _whole, begin, end, kind = known[name]
                self.put(held, kind.rstrip("*"), begin, end, out)

    def _untyped(self, value: Mapping[str, Node], begin: str, end: str, out: list[str]) -> None:
        """Append an element of which the grammar says nothing, its members as they come."""
        out.append(begin)
        for name, held in value.items():
            if name.startswith("@") and held is not None:
                out += (f" {name[1:]}", '="', quoted(said(held)), '"')
        out.append(">")
        for name, held in value.items():
            if held is None or name.startswith("@"):
                continue
            if name == TEXT:
                out.append(escaped(said(held)))
                continue
            for item in held if isinstance(held, list | tuple) else (held,):
                self.put(item, "", f"<{name}", f"</{name}>", out)
        out.append(end)


def _planned(content: Content) -> _Plan:
    def starred(member: Member) -> str:
        return member.type + ("*" if member.many else "")

    names = [name for name in content.members if not name.startswith(("@", "#"))]
    return _Plan(
        attributes=tuple(
            (name, f' {name[1:]}="') for name in content.members if name.startswith("@")
        ),
        children=tuple(
            (name, f"<{name}>", f"<{name}", f"</{name}>", starred(content.members[name]))
            for name in names
        ),
        text=TEXT in content.members,
        mixed=content.mixed,
    )


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
    raise _Unwritable


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
    text = escaped(text).replace('"', "&quot;")
    return text.replace("\t", "&#9;").replace("\n", "&#10;")


def _refusal(document: Mapping[str, Node], kind: str, grammar: Grammar) -> Rejected:
    path, why = next(_wrong(document, kind, grammar, ""), ("", "XML cannot hold it"))
    return Rejected(Code.MAPPING, f"{path}: {why}", (Fault(Code.MAPPING, path, why),))


def _wrong(value: Node, kind: str, grammar: Grammar, path: str) -> Iterator[tuple[str, str]]:
    """Yield where *value* holds what cannot be written, and why."""
    if isinstance(value, Mapping):
        content = grammar.types.get(value.get(TYPE, kind))
        for name, held in value.items():
            member = None if content is None else content.members.get(name)
            here = f"{path}.{name}" if path else name
            if name == CONTENT and content is not None and content.mixed:
                for position, part in enumerate(held):
                    yield from _wrong(part, kind, grammar, f"{here}[{position}]")
            elif content is not None and member is None and name != TYPE:
                yield here, "the schema has no such place"
            elif member is not None and isinstance(held, list | tuple) and not member.many:
                yield here, "the schema has it once only"
            else:
                yield from _wrong(held, "" if member is None else member.type, grammar, here)
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield from _wrong(item, kind, grammar, f"{path}[{position}]")
    elif isinstance(value, str):
        if unlawful(value) is not None:
            yield path, "it holds a character that XML 1.0 cannot hold"
    elif value is not None and not isinstance(value, bool | int):
        yield path, "it is neither text nor a number"
