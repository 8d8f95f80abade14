"""Reads rules: groups, parts, leaves and repetitions become plain rules with places."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, cast

from hub.positioned import Fields, Value
from mappings.engine.canonical import Scope
from mappings.engine.model import Lost, Rule, Seek
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
    *("seek", "same"),
    *("only", "backup", "required", "when"),
    *("rules", "use", "leaves", "for", "in", "about"),
)
CARRIED: Final = ("const", "refer", "refer_all", "narrate", "seek")
"""What a rule carries to the wire if it is not a value at a place of its own."""
IDLE: Final = (*ACTIONS, *CARRIED, "same", "only", "backup")
"""Keys of a single rule: a rule that holds others has no use for them."""
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
    around = here
    here = replace(here, when=(*here.when, *when(loader, fields.get("when"), here)))
    if "leaves" in fields:
        _nothing_idle(fields, "leaves", IDLE)
        yield from _leaves(loader, fields, here)
        return
    wire_value = fields.get("wire")
    wire = here.wire.joined(path(loader, wire_value, here.names) or SELF)
    if "rules" in fields or "use" in fields:
        _nothing_idle(fields, "use" if "use" in fields else "rules", IDLE)
        yield from _group(loader, fields, value, here, wire)
        return
    if not wire.steps and "caf" not in fields:
        value.error("a rule needs wire")
    for rule, found in _single(loader, fields, value, here, wire):
        yield from _overlaid(loader, rule, found, around)


def _nothing_idle(fields: Fields, beside: str, names: Sequence[str]) -> None:
    """Refuse what would be passed over: it says something of one rule, and here are several."""
    for name in names:
        if name in fields:
            fields.need(name).error(f"{name} does nothing beside {beside}: give it to single rules")


def _overlaid(loader: Loader, rule: Rule, covers: str | None, here: Here) -> Iterator[Rule]:
    """Yield *rule*, or what the overlay puts in its place, and what it adds beside it."""
    overlay = loader.overlay
    if overlay is None or covers is None or not here.own:
        yield rule
        return
    wire = here.within.joined(rule.wire)
    if rule.rules and rule.rules[0].place == rule.place:
        wire = wire.joined(rule.rules[0].wire)  # an abbreviated list rule is one rule as written
    inside = replace(here, own=False)
    said = (str(wire), f"{here.resource}.{wire}")
    change = overlay.change_of(here.entry, covers, said)
    if change is None:
        yield rule
    elif change.by is not None:
        group = (here.entry, str(here.caf), str(here.within.joined(here.wire)))
        if (group, covers) not in change.done:
            change.done.add((group, covers))
            yield from rules(loader, change.by, inside)
    elif change.lost is not None:
        gone = Lost(change.place, covers, change.lost)
        if gone not in loader.lost:  # a field may have several rules
            loader.lost.append(gone)
    beside = overlay.beside(here.entry, covers, said)
    if beside is not None and beside.add is not None:
        yield from rules(loader, beside.add, inside)


def _single(
    loader: Loader, fields: Fields, value: Value, here: Here, wire: Path
) -> Iterator[tuple[Rule, str | None]]:
    """Yield the rule and the canonical place that it covers, if it covers one."""
    structural = [name for name in CARRIED if name in fields]
    if ("caf" in fields) == bool(structural) or len(structural) > 1:
        value.error(f"a rule has exactly one of caf, {', '.join(CARRIED)}")
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
        places = [looked_up(loader, one, here, bare=True) for one in listed]
        generic = tuple(found.path for _path, found in places)
        yield (
            replace(base, only="out", narrate=generic, told=tuple(path for path, _found in places)),
            None,
        )
        return
    if "seek" in fields:
        yield _sought(loader, fields, here, base), None
        return
    if structural:
        const = fields.get("const")
        rule = replace(
            base,
            const=filled(loader, const, here.names) if const else None,
            refer=_names(fields.get("refer")),
            refer_all=_names(fields.get("refer_all")),
        )
        yield rule, None
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
        form=found.form,
    )
    if rule.to is None and not rule.whole and found.node is not None and found.node.leaf is None:
        fields.need("caf").error("this is not a leaf: give rules, use, to, or as: same")
    yield _over_items(fields.need("caf"), rule), found.path


def _sought(loader: Loader, fields: Fields, here: Here, base: Rule) -> Rule:
    """Return the rule that looks for its value elsewhere; derived, so nothing reads it back."""
    given = fields.need("seek")
    listed = given.sequence() if given.kind() == "list" else (given,)
    same = fields.get("same")
    equal = None
    if same is not None:
        there, equals, mine = same.text().partition("=")
        if not equals:
            same.error("same is a member there, = and a member here")
        equal = (parsed(same, there), parsed(same, mine))
    return replace(
        base,
        only="out",
        codes=table(loader, fields.get("codes")),
        to=fields.text("to"),
        seek=tuple(Seek(looked_up(loader, one, here)[0], equal) for one in listed),
    )


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
    above = (rule.covers or "").split(".")
    return Rule(
        place=rule.place,
        caf=caf[0],
        wire=wire[0],
        covers=".".join(above[: len(above) - len(caf[1].steps)]),
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
        loader.used.add(name)
    body = body or fields.need("rules")
    if not body.sequence():
        body.error("no rules: this can never match")
    caf_value = fields.get("caf")
    caf, found = (here.caf, None) if caf_value is None else looked_up(loader, caf_value, here)
    listed, written = caf.split(), wire.split()
    if listed is None and written is None:
        _nothing_idle(fields, "rules" if use is None else "use", ("required",))
        yield from rules(loader, body, replace(here, caf=caf, wire=wire, using=using))
        return
    if caf_value is None or listed is None or written is None:
        value.error("a list stands on one side only: both need [] or neither")
    if listed[1].steps or found is None:
        caf_value.error("the path of a list rule ends in its list")
    inner = Here(
        Scope(found.members, found.path, here.scope.outer),
        here.entry,
        here.resource,
        wire=written[1],
        names=here.names,
        using=using,
        within=here.within.joined(written[0]),
        own=here.own,
    )
    inside = tuple(rules(loader, body, inner))
    if inside or loader.overlay is None:  # an overlay may lose all that a list held
        yield Rule(
            place=(fields.get("wire") or value).place,
            caf=caf,
            wire=written[0],
            covers=found.path,
            rules=inside,
            when=here.when,
            required=fields.boolean("required"),
        )


def _leaves(loader: Loader, fields: Fields, here: Here) -> Iterator[Rule]:
    """Yield one rule for each leaf named: the same wire pattern, the slot by the leaf's form."""
    before, _found = (
        (here.caf, None) if "caf" not in fields else looked_up(loader, fields.need("caf"), here)
    )
    wire_value = fields.need("wire")
    listed = fields.need("leaves")
    if not listed.sequence():
        listed.error("no leaves: this can never match")
    for item in listed.sequence():
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
            text = wire_value.text().replace("<slot>", slot)
            each = ("][]", "[]") if many else ("]", "[0]")
            text = text.replace("][*]", each[0]).replace("[*]", each[1])
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
            yield from _overlaid(loader, _over_items(item, rule), found.path, here)


def _repeated(loader: Loader, fields: Fields, value: Value, here: Here) -> Iterator[Rule]:
    name = fields.need("for").text()
    rest = value.without("for", "in")
    words = fields.need("in")
    if not words.sequence():
        words.error("no words: this can never match")
    for item in words.sequence():
        yield from _rule(loader, rest, replace(here, names={**here.names, name: item.text()}))


def every_rule(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Yield the rules and those inside them."""
    for rule in rules:
        yield rule
        yield from every_rule(rule.rules)
