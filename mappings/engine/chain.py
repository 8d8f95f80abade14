"""Chains: wire structure around one canonical member, folded into one step.

Most rules write a value and a few constants around it (`extension[url=…].valueCode`,
`item[linkId=…].answer[0].valueString`).  Compiled one closure a level, such a rule costs four
calls, and one even where the member is absent.  Folded, an absent member costs one look into a
dictionary, a present one one call; a code's whole subtree is made once and shared, because there
are only so many codes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from mappings.engine.model import Rule
from mappings.engine.paths import Kind, Path
from mappings.engine.tables import Table
from mappings.engine.tree import Constant, Leaf, Listed, Object, Slot

Finish = Callable[[Any], Any]
"""Canonical value to wire value, or None where the format has no word for it."""

MOST_SHARED: Final = 400
SELF: Final = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """One level around the value: an object with constants and the name, or a list of one."""

    kind: Literal["o", "l"]
    constants: Mapping[str, Any]
    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A member (``""``: the item itself) and what becomes of its value; None copies it."""

    member: str
    finish: Finish | None


def chain(slot: Slot, below: Callable[[Path], Path]) -> Chain | None:
    """Return *slot* as a chain, if it is one; *below* shows a path from where the item stands."""
    if isinstance(slot, Listed) and len(slot.parts) == 1 and slot.parts[0].rule is not None:
        return _over_list(slot, below)
    layers: list[Layer] = []
    leaf = _leaf(slot, layers)
    if leaf is None or leaf.also:
        return None
    member = _member(leaf.rule, below)
    if member is None:
        return None
    return Chain(member, _finish(leaf.rule, tuple(layers)))


def around(slot: Slot) -> tuple[Leaf, Finish] | None:
    """Return the only leaf of *slot* and what wraps its value, where there is a level to wrap."""
    layers: list[Layer] = []
    leaf = _leaf(slot, layers)
    wrap = None if leaf is None else wrapper(tuple(layers))
    return None if leaf is None or wrap is None else (leaf, wrap)


def _over_list(slot: Listed, below: Callable[[Path], Path]) -> Chain | None:
    """Return the chain of a list of plain values."""
    part = slot.parts[0]
    rule = part.rule
    if rule is None or rule.when or rule.required or rule.refer_all or rule.caf is None:
        return None
    path = below(rule.caf)
    if path.start != "item" or len(path.steps) != 1:
        return None
    layers: list[Layer] = []
    leaf = _leaf(part.content, layers)
    if leaf is None or leaf.also or leaf.rule.caf != Path(()) or not _simple(leaf.rule):
        return None
    finish = _finish(leaf.rule, tuple(layers))
    name = path.steps[0].name
    if finish is None:
        return Chain(name, lambda values: list(values) or None)
    return Chain(
        name,
        lambda values: [made for v in values if (made := finish(v)) is not None] or None,
    )


def _leaf(slot: Slot, layers: list[Layer]) -> Leaf | None:
    """Return the only leaf of *slot*, with the levels above it collected from the outside in."""
    if isinstance(slot, Leaf):
        return slot
    if isinstance(slot, Listed):
        if len(slot.parts) != 1 or slot.parts[0].rule is not None:
            return None
        layers.append(Layer("l", {}, ""))
        return _leaf(slot.parts[0].content, layers)
    if not isinstance(slot, Object):
        return None
    constants: dict[str, Any] = {}
    rest = []
    for name, inner in slot.fields.items():
        if isinstance(inner, Constant):
            constants[name] = inner.value
        else:
            rest.append((name, inner))
    if len(rest) != 1:
        return None
    ((name, inner),) = rest
    layers.append(Layer("o", constants, name))
    return _leaf(inner, layers)


def _simple(rule: Rule) -> bool:
    return not (
        rule.caf is None or rule.to or rule.when or rule.required or rule.only == "in" or rule.whole
    )


def _member(rule: Rule, below: Callable[[Path], Path]) -> str | None:
    if not _simple(rule):
        return None
    path = below(rule.source)
    if path.start != "item":
        return None
    if not path.steps:
        return SELF
    if len(path.steps) > 1 or path.steps[0].kind is not Kind.FIELD:
        return None
    return path.steps[0].name


def _finish(rule: Rule, layers: tuple[Layer, ...]) -> Finish | None:
    wrap = wrapper(layers)
    word = said(rule)
    if word is None:
        whole = wrap
    elif wrap is None:
        whole = word
    else:
        put, say = wrap, word

        def whole(value: Any) -> Any:
            told = say(value)
            return None if told is None else put(told)

    if whole is not None and rule.form in {"code", "bool"} and layers:
        return _shared(whole)
    return whole


def said(rule: Rule) -> Finish | None:
    """Return what turns the value of *rule* into the wire's word; None if it goes as it is."""
    if rule.codes is not None:
        if rule.codes.passes:
            return _passing(rule.codes)
        return dict(typed(rule, rule.codes.outward)).get
    if rule.prefix is not None:
        prefix = rule.prefix
        # Percent-escapes, so that whatever a system calls itself makes a lawful URI.
        return lambda value: prefix + quote(str(value), safe="/:@")
    return None if rule.words is None else rule.words.say


def typed(rule: Rule, codes: Mapping[str, str]) -> Mapping[Any, str]:
    """Return *codes* with the keys that the leaf's form has: a truth value is not its name."""
    if rule.form != "bool":
        return codes
    return {code == "true": wire for code, wire in codes.items()}


def _passing(table: Table) -> Finish:
    outward, silent = table.outward, table.silent
    return lambda value: None if value in silent else outward.get(value, value)


def _shared(make: Finish) -> Finish:
    """Return *make* with its answers kept: equal codes share one subtree, which nobody changes."""
    known: dict[Any, Any] = {}

    def shared(value: Any) -> Any:
        made = known.get(value)
        if made is None:
            made = make(value)
            if made is not None and len(known) < MOST_SHARED:
                known[value] = made
        return made

    return shared


def wrapper(layers: tuple[Layer, ...]) -> Finish | None:
    """Return what puts the levels of *layers* around a value: one call for the usual shapes."""
    if not layers:
        return None
    kinds = "".join(layer.kind for layer in layers)
    objects = [layer for layer in layers if layer.kind == "o"]
    usual = _USUAL.get((kinds, tuple(min(len(layer.constants), 2) for layer in objects)))
    return _around(layers) if usual is None else usual(*objects)


def one_constant(layer: Layer) -> tuple[str, Any]:
    """Return name and value of the only constant of *layer*."""
    ((name, value),) = layer.constants.items()
    return name, value


# A literal with one constant is twice as fast as one that unpacks a dictionary of constants, and
# nearly every level has exactly one: a url, a linkId, a system.


def _o0(a: Layer) -> Finish:
    an = a.name
    return lambda v: {an: v}


def _o1(a: Layer) -> Finish:
    (ak, av), an = one_constant(a), a.name
    return lambda v: {ak: av, an: v}


def _lo0(a: Layer) -> Finish:
    an = a.name
    return lambda v: [{an: v}]


def _lo1(a: Layer) -> Finish:
    (ak, av), an = one_constant(a), a.name
    return lambda v: [{ak: av, an: v}]


def _oo00(a: Layer, b: Layer) -> Finish:
    an, bn = a.name, b.name
    return lambda v: {an: {bn: v}}


def _oo01(a: Layer, b: Layer) -> Finish:
    an, (bk, bv), bn = a.name, one_constant(b), b.name
    return lambda v: {an: {bk: bv, bn: v}}


def _oo10(a: Layer, b: Layer) -> Finish:
    (ak, av), an, bn = one_constant(a), a.name, b.name
    return lambda v: {ak: av, an: {bn: v}}


def _oo11(a: Layer, b: Layer) -> Finish:
    (ak, av), an, (bk, bv), bn = one_constant(a), a.name, one_constant(b), b.name
    return lambda v: {ak: av, an: {bk: bv, bn: v}}


def _olo10(a: Layer, b: Layer) -> Finish:
    (ak, av), an, bn = one_constant(a), a.name, b.name
    return lambda v: {ak: av, an: [{bn: v}]}


def _olo01(a: Layer, b: Layer) -> Finish:
    an, (bk, bv), bn = a.name, one_constant(b), b.name
    return lambda v: {an: [{bk: bv, bn: v}]}


_USUAL: Final[Mapping[tuple[str, tuple[int, ...]], Callable[..., Finish]]] = {
    ("o", (0,)): _o0,
    ("o", (1,)): _o1,
    ("lo", (0,)): _lo0,
    ("lo", (1,)): _lo1,
    ("oo", (0, 0)): _oo00,
    ("oo", (0, 1)): _oo01,
    ("oo", (1, 0)): _oo10,
    ("oo", (1, 1)): _oo11,
    ("olo", (1, 0)): _olo10,
    ("olo", (0, 1)): _olo01,
}


def _around(layers: tuple[Layer, ...]) -> Finish:
    inside_out = tuple(reversed(layers))

    def around(value: Any) -> Any:
        for layer in inside_out:
            value = [value] if layer.kind == "l" else {**layer.constants, layer.name: value}
        return value

    return around
