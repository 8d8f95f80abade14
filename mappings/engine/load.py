"""Reads a mapping folder into `Written`: paths parsed, parts put in, canonical places looked up.

Everything that can be wrong with one file is found in one go, each with its line, column and caret.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath
from typing import Any, Final, Literal, cast

from hub.domain.messages import message_tree
from hub.positioned import (
    Fields,
    PositionedError,
    PositionedErrors,
    Problems,
    Value,
    read_file,
)
from mappings.engine.canonical import NoSuchPlace, Resolved, Scope, types
from mappings.engine.model import Entry, Lost, Rule, When, Written
from mappings.engine.paths import SELF, Kind, Path, PathError, Step, parse
from mappings.engine.tables import Table, read_table

TOP: Final = (
    *("mapping", "version", "format", "content_type", "about"),
    *("let", "slots", "include", "envelope", "entries", "parts", "lost"),
)
INCLUDED: Final = ("entries", "parts", "lost")
ENTRY: Final = ("resource", "each", "of", "key", "when", "rules", "about")
ACTIONS: Final = ("codes", "prefix", "to", "as")
RULE: Final = (
    *("caf", "wire", *ACTIONS, "const", "refer", "refer_all", "only", "backup", "required", "when"),
    *("rules", "use", "leaves", "for", "in", "about"),
)
MAX_RULES: Final = 5000


@dataclass(slots=True)
class _Loader:
    """What is known while one mapping is read."""

    folder: FilePath
    codes: FilePath
    shown: str
    problems: Problems = field(default_factory=Problems)
    let: dict[str, str] = field(default_factory=dict)
    slots: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Value] = field(default_factory=dict)
    written: dict[str, Value] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Here:
    """The place in the mapping: the item in scope, what stands before both paths, what ``<…>``
    means.
    """

    scope: Scope
    caf: Path = SELF
    wire: Path = SELF
    names: Mapping[str, str] = field(default_factory=dict)
    when: tuple[When, ...] = ()
    using: tuple[str, ...] = ()


def load(folder: FilePath, codes: FilePath, let: Mapping[str, str], shown: str) -> Written:
    """Return the mapping in *folder*; raises `PositionedErrors` with every fault.

    *let* replaces the mapping's own values of the same name (the canonical base of a site).
    """
    loader = _Loader(folder, codes, shown)
    try:
        return _load(loader, let)
    except PositionedError as error:
        raise PositionedErrors([*loader.problems.errors, error]) from None


def _load(loader: _Loader, let: Mapping[str, str]) -> Written:
    name = f"{loader.shown}/mapping.yaml"
    value = read_file(loader.folder / "mapping.yaml", name)
    top = value.mapping(*TOP)
    if (given := top.get("let")) is not None:
        for key, text in given.items():
            loader.let[key] = let.get(key) or _filled(loader, text, {})
    if (given := top.get("slots")) is not None:
        loader.slots.update({key: text.text() for key, text in given.items()})
    _collect(loader, top)
    if (given := top.get("include")) is not None:
        for item in given.sequence():
            file = item.text()
            if not re.fullmatch(r"[a-z0-9_-]+\.yaml", file):
                item.error("an included file is a plain name ending in .yaml, beside this one")
            _collect(
                loader, read_file(loader.folder / file, f"{loader.shown}/{file}").mapping(*INCLUDED)
            )
    envelope = _entry(loader, "envelope", top.need("envelope"))
    entries = {}
    for key, one in loader.written.items():
        with loader.problems.kept():
            entries[key] = _entry(loader, key, one)
    loader.problems.settle()
    return Written(
        name=top.need("mapping").text(),
        version=top.need("version").text(),
        format=top.need("format").text(),
        content_type=top.need("content_type").text(),
        file=name,
        place=top.need("mapping").place,
        let=dict(loader.let),
        envelope=envelope,
        entries=entries,
        lost=tuple(loader.lost),
    )


def _collect(loader: _Loader, top: Fields) -> None:
    for name, store in (("entries", loader.written), ("parts", loader.parts)):
        if (given := top.get(name)) is not None:
            for key, value in given.items():
                if key in store:
                    value.error(f"{name} has {key} already")
                store[key] = value
    if (given := top.get("lost")) is not None:
        for item in given.sequence():
            with loader.problems.kept():
                fields = item.mapping("caf", "reason")
                loader.lost.append(
                    Lost(item.place, fields.need("caf").text(), fields.need("reason").text())
                )


def _entry(loader: _Loader, name: str, value: Value) -> Entry:
    fields = value.mapping(*ENTRY)
    root = Scope(message_tree(), "")
    each = _path(loader, fields.get("each"), {})
    of = fields.text("of")
    if each is not None and of is not None:
        value.error("an entry has each or of, not both")
    if of is not None:
        if of not in types():
            fields.need("of").error(f"the data dictionary has no {of}: {', '.join(types())}")
        scope = Scope(types()[of], "")
    elif each is not None:
        scope = _each(fields.need("each"), root, each)
    else:
        scope = root
    here = _Here(scope)
    keys = fields.get("key")
    listed = () if keys is None else (keys.sequence() if keys.kind() == "list" else (keys,))
    resource = _needed(loader, fields.need("resource"), {})
    return Entry(
        name=name,
        place=value.place,
        resource=resource.steps[0],
        rules=tuple(_rules(loader, fields.need("rules"), here)),
        each=each,
        of=of,
        key=tuple(_looked_up(loader, one, here)[0] for one in listed),
        when=_when(loader, fields.get("when"), here),
    )


def _each(value: Value, root: Scope, path: Path) -> Scope:
    scope: Scope | None = None
    rest: Path | None = Path(path.steps)
    here = root
    while rest is not None and rest.steps:
        parts = rest.split()
        if parts is None or parts[0].steps[-1].kind is not Kind.EACH:
            value.error("each must end in a list: name[]")
        try:
            found = here.resolve(parts[0])
        except NoSuchPlace as wrong:
            value.error(str(wrong))
        here, rest = Scope(found.members, found.path, here if scope is not None else None), parts[1]
        scope = here
    if scope is None:
        value.error("each must name a list")
    return scope


def _rules(loader: _Loader, value: Value, here: _Here) -> Iterator[Rule]:
    for item in value.sequence():
        with loader.problems.kept():
            yield from _rule(loader, item, here)


def _rule(loader: _Loader, value: Value, here: _Here) -> Iterator[Rule]:
    loader.count += 1
    if loader.count > MAX_RULES:
        value.error(f"more than {MAX_RULES} rules")
    fields = value.mapping(*RULE)
    if "for" in fields:
        yield from _repeated(loader, fields, value, here)
        return
    here = replace(here, when=(*here.when, *_when(loader, fields.get("when"), here)))
    if "leaves" in fields:
        yield from _leaves(loader, fields, here)
        return
    wire_value = fields.get("wire")
    wire = here.wire.joined(_path(loader, wire_value, here.names) or SELF)
    if "rules" in fields or "use" in fields:
        yield from _group(loader, fields, value, here, wire)
        return
    if not wire.steps and "caf" not in fields:
        value.error("a rule needs wire")
    yield from _single(loader, fields, value, here, wire)


def _single(
    loader: _Loader, fields: Fields, value: Value, here: _Here, wire: Path
) -> Iterator[Rule]:
    structural = [name for name in ("const", "refer", "refer_all") if name in fields]
    if ("caf" in fields) == bool(structural) or len(structural) > 1:
        value.error("a rule has exactly one of caf, const, refer, refer_all")
    only = fields.get("only")
    place = (fields.get("wire") or value).place
    base = Rule(
        place=place,
        wire=wire,
        only=cast('Literal["out", "in"] | None', only.one_of("out", "in") if only else None),
        backup=fields.boolean("backup"),
        required=fields.boolean("required"),
        when=here.when,
    )
    if structural:
        const = fields.get("const")
        yield replace(
            base,
            const=_filled(loader, const, here.names) if const else None,
            refer=_names(fields.get("refer")),
            refer_all=_names(fields.get("refer_all")),
        )
        return
    caf, found = _looked_up(loader, fields.need("caf"), here)
    actions = [name for name in ACTIONS if name in fields]
    if len(actions) > 1:
        value.error(f"{' and '.join(actions)} exclude each other")
    prefix = fields.get("prefix")
    whole = fields.get("as")
    rule = replace(
        base,
        caf=caf,
        codes=_table(loader, fields.get("codes")),
        prefix=_filled(loader, prefix, here.names) if prefix else None,
        to=fields.text("to"),
        whole=whole is not None and whole.one_of("same") == "same",
        covers=found.path,
        form=found.node.leaf.form if found.node is not None and found.node.leaf else None,
    )
    if rule.to is None and not rule.whole and found.node is not None and found.node.leaf is None:
        fields.need("caf").error("this is not a leaf: give rules, use, to, or as: same")
    yield _over_items(fields.need("caf"), rule)


def _names(value: Value | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return value.texts() if value.kind() == "list" else (value.text(),)


def _over_items(value: Value, rule: Rule) -> Rule:
    """Return *rule*, or the list rule that it abbreviates: ``given_names[]`` to ``given[]``."""
    caf, wire = (None, None) if rule.whole else (rule.source.split(), rule.wire.split())
    if caf is None and wire is None:
        return rule
    if caf is None or wire is None:
        value.error("a list stands on one side only: both need [] or neither")
    if caf[1].split() or wire[1].split():
        value.error("two lists in one rule: give the inner one rules of its own")
    inner = replace(rule, caf=caf[1], wire=wire[1], when=(), required=False)
    return Rule(
        place=rule.place,
        caf=caf[0],
        wire=wire[0],
        rules=(inner,),
        only=rule.only,
        when=rule.when,
        required=rule.required,
    )


def _group(
    loader: _Loader, fields: Fields, value: Value, here: _Here, wire: Path
) -> Iterator[Rule]:
    body, using = fields.get("rules"), here.using
    if (use := fields.get("use")) is not None:
        name = use.text()
        if body is not None:
            use.error("use and rules exclude each other")
        if name not in loader.parts:
            use.error(f"there is no part {name}; there are {', '.join(loader.parts)}")
        if name in using:
            use.error(f"the part {name} uses itself")
        body, using = loader.parts[name], (*using, name)
    body = body or fields.need("rules")
    caf_value = fields.get("caf")
    caf, found = (here.caf, None) if caf_value is None else _looked_up(loader, caf_value, here)
    listed, written = caf.split(), wire.split()
    if listed is None and written is None:
        yield from _rules(loader, body, replace(here, caf=caf, wire=wire, using=using))
        return
    if caf_value is None or listed is None or written is None:
        value.error("a list stands on one side only: both need [] or neither")
    if listed[1].steps or found is None:
        caf_value.error("the path of a list rule ends in its list")
    inner = _Here(
        Scope(found.members, found.path, here.scope.outer), SELF, written[1], here.names, (), using
    )
    yield Rule(
        place=(fields.get("wire") or value).place,
        caf=caf,
        wire=written[0],
        rules=tuple(_rules(loader, body, inner)),
        when=here.when,
        required=fields.boolean("required"),
    )


def _leaves(loader: _Loader, fields: Fields, here: _Here) -> Iterator[Rule]:
    """Yield one rule for each leaf named: the same wire pattern, the slot by the leaf's form."""
    before, _found = (
        (here.caf, None) if "caf" not in fields else _looked_up(loader, fields.need("caf"), here)
    )
    wire_value = fields.need("wire")
    for item in fields.need("leaves").sequence():
        with loader.problems.kept():
            caf, found = _looked_up(loader, item, replace(here, caf=before), bare=True)
            node = found.node
            if node is None or node.leaf is None:
                item.error("this is not a leaf")
            slot = loader.slots.get(node.leaf.form)
            if slot is None:
                item.error(f"slots has no word for the form {node.leaf.form}")
            many = node.leaf.many
            names = {
                **here.names,
                "leaf": item.text(),
                "path": found.path.replace("[]", ""),
                "codes": node.leaf.codes or "",
            }
            text = wire_value.text().replace("<slot>", slot).replace("[*]", "[]" if many else "[0]")
            wire = here.wire.joined(_parsed(wire_value, _fill(loader, wire_value, text, names)))
            if many:
                last = caf.steps[-1]
                caf = Path((*caf.steps[:-1], Step(last.name, Kind.EACH)), caf.start)
            rule = Rule(
                place=item.place,
                caf=caf,
                wire=wire,
                when=here.when,
                covers=found.path,
                form=node.leaf.form,
            )
            yield _over_items(item, rule)


def _repeated(loader: _Loader, fields: Fields, value: Value, here: _Here) -> Iterator[Rule]:
    name = fields.need("for").text()
    rest = value.without("for", "in")
    for item in fields.need("in").sequence():
        yield from _rule(loader, rest, replace(here, names={**here.names, name: item.text()}))


def _looked_up(
    loader: _Loader, value: Value, here: _Here, *, bare: bool = False
) -> tuple[Path, Resolved]:
    path = here.caf.joined(_needed(loader, value, here.names))
    try:
        return path, here.scope.resolve(path)
    except NoSuchPlace as wrong:
        if bare and "is a list" in str(wrong):
            last = path.steps[-1]
            listed = Path((*path.steps[:-1], Step(last.name, Kind.EACH)), path.start)
            return path, here.scope.resolve(listed)
        value.error(str(wrong))


def _when(loader: _Loader, value: Value | None, here: _Here) -> tuple[When, ...]:
    if value is None:
        return ()
    if value.kind() == "list":
        return tuple(when for one in value.sequence() for when in _when(loader, one, here))
    fields = value.mapping("present", "absent", "several", "any")
    if len(fields.names()) != 1:
        value.error("when has exactly one of present, absent, several, any")
    test = fields.names()[0]
    given = fields.need(test)
    listed = given.sequence() if given.kind() == "list" else (given,)
    paths = tuple(_looked_up(loader, one, here, bare=True)[0] for one in listed)
    return (When(cast(Any, test), paths),)


def _table(loader: _Loader, value: Value | None) -> Table | None:
    if value is None:
        return None
    name = value.text()
    if name not in loader.tables:
        file = loader.codes / f"{name}.csv"
        if not re.fullmatch(r"[a-z0-9-]+", name) or not file.exists():
            value.error(f"there is no code table {name}")
        loader.tables[name] = read_table(file, f"codes/{name}.csv", loader.let)
    return loader.tables[name]


def _path(loader: _Loader, value: Value | None, names: Mapping[str, str]) -> Path | None:
    return None if value is None else _needed(loader, value, names)


def _needed(loader: _Loader, value: Value, names: Mapping[str, str]) -> Path:
    return _parsed(value, _filled(loader, value, names))


def _parsed(value: Value, text: str) -> Path:
    try:
        return parse(text)
    except PathError as wrong:
        same = text == value.text()
        shown = "" if same else f" in {text}"
        value.error(f"{wrong}{shown}", at=wrong.at if same else 0)


def _filled(loader: _Loader, value: Value, names: Mapping[str, str]) -> str:
    return _fill(loader, value, value.text(), names)


def _fill(loader: _Loader, value: Value, text: str, names: Mapping[str, str]) -> str:
    """Return *text* with ``${name}`` and ``<name>`` put in."""

    def put(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        known: Mapping[str, str] = loader.let if found[1] else names
        if name not in known:
            value.error(f"nothing is called {name} here", at=found.start())
        return known[name]

    return re.sub(r"\$\{([^}]*)\}|<([^>]*)>", put, text)


def every_rule(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Yield the rules and those inside them."""
    for rule in rules:
        yield rule
        yield from every_rule(rule.rules)
