"""Reads rules: groups, parts, leaves and repetitions become plain rules with places."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, cast

from hub.positioned import Fields, Value
from mappings.engine.canonical import Scope
from mappings.engine.model import Rule
from mappings.engine.paths import SELF, Kind, Path, Step
from mappings.engine.places import (
    Here,
    Loader,
    fill,
    filled,
    looked_up,
    parsed,
    path,
    table,
    when,
)

ACTIONS: Final = ("codes", "prefix", "to", "as")
RULE: Final = (
    *("caf", "wire", *ACTIONS, "const", "refer", "refer_all", "narrate"),
    *("only", "backup", "required", "when"),
    *("rules", "use", "leaves", "for", "in", "about"),
)
MAX_RULES: Final = 5000


def rules(loader: Loader, value: Value, here: Here) -> Iterator[Rule]:
    for item in value.sequence():
        with loader.problems.kept():
            yield from _rule(loader, item, here)


def _rule(loader: Loader, value: Value, here: Here) -> Iterator[Rule]:
    loader.count += 1
    if loader.count > MAX_RULES:
        value.error(f"more than {MAX_RULES} rules")
    fields = value.mapping(*RULE)
    if "for" in fields:
        yield from _repeated(loader, fields, value, here)
        return
    here = replace(here, when=(*here.when, *when(loader, fields.get("when"), here)))
    if "leaves" in fields:
        yield from _leaves(loader, fields, here)
        return
    wire_value = fields.get("wire")
    wire = here.wire.joined(path(loader, wire_value, here.names) or SELF)
    if "rules" in fields or "use" in fields:
        yield from _group(loader, fields, value, here, wire)
        return
    if not wire.steps and "caf" not in fields:
        value.error("a rule needs wire")
    yield from _single(loader, fields, value, here, wire)


def _single(loader: Loader, fields: Fields, value: Value, here: Here, wire: Path) -> Iterator[Rule]:
    structural = [name for name in ("const", "refer", "refer_all", "narrate") if name in fields]
    if ("caf" in fields) == bool(structural) or len(structural) > 1:
        value.error("a rule has exactly one of caf, const, refer, refer_all, narrate")
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
    if (told := fields.get("narrate")) is not None:
        listed = told.sequence() if told.kind() == "list" else (told,)
        paths = tuple(looked_up(loader, one, here, bare=True)[1].path for one in listed)
        yield replace(base, only="out", narrate=paths)
        return
    if structural:
        const = fields.get("const")
        yield replace(
            base,
            const=filled(loader, const, here.names) if const else None,
            refer=_names(fields.get("refer")),
            refer_all=_names(fields.get("refer_all")),
        )
        return
    caf, found = looked_up(loader, fields.need("caf"), here)
    actions = [name for name in ACTIONS if name in fields]
    if len(actions) > 1:
        value.error(f"{' and '.join(actions)} exclude each other")
    prefix = fields.get("prefix")
    whole = fields.get("as")
    rule = replace(
        base,
        caf=caf,
        codes=table(loader, fields.get("codes")),
        prefix=filled(loader, prefix, here.names) if prefix else None,
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


def _group(loader: Loader, fields: Fields, value: Value, here: Here, wire: Path) -> Iterator[Rule]:
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
    caf, found = (here.caf, None) if caf_value is None else looked_up(loader, caf_value, here)
    listed, written = caf.split(), wire.split()
    if listed is None and written is None:
        yield from rules(loader, body, replace(here, caf=caf, wire=wire, using=using))
        return
    if caf_value is None or listed is None or written is None:
        value.error("a list stands on one side only: both need [] or neither")
    if listed[1].steps or found is None:
        caf_value.error("the path of a list rule ends in its list")
    inner = Here(
        Scope(found.members, found.path, here.scope.outer), SELF, written[1], here.names, (), using
    )
    yield Rule(
        place=(fields.get("wire") or value).place,
        caf=caf,
        wire=written[0],
        rules=tuple(rules(loader, body, inner)),
        when=here.when,
        required=fields.boolean("required"),
    )


def _leaves(loader: Loader, fields: Fields, here: Here) -> Iterator[Rule]:
    """Yield one rule for each leaf named: the same wire pattern, the slot by the leaf's form."""
    before, _found = (
        (here.caf, None) if "caf" not in fields else looked_up(loader, fields.need("caf"), here)
    )
    wire_value = fields.need("wire")
    for item in fields.need("leaves").sequence():
        with loader.problems.kept():
            caf, found = looked_up(loader, item, replace(here, caf=before), bare=True)
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
            wire = here.wire.joined(parsed(wire_value, fill(loader, wire_value, text, names)))
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


def _repeated(loader: Loader, fields: Fields, value: Value, here: Here) -> Iterator[Rule]:
    name = fields.need("for").text()
    rest = value.without("for", "in")
    for item in fields.need("in").sequence():
        yield from _rule(loader, rest, replace(here, names={**here.names, name: item.text()}))


def every_rule(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Yield the rules and those inside them."""
    for rule in rules:
        yield rule
        yield from every_rule(rule.rules)
