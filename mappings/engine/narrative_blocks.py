"""Blocks: a title, and in the order of the form labelled lines, people's own words, tables, and
blocks inside.

A block is a plain dictionary, so that the engine can record every text in it::

    {"title": text, "parts": [part], "foot": [text]}

with *part* one of ``{"lines": [{"label": str, "items": [item]}]}``, ``{"words": {"who": text,
"text": [paragraph]}}``, ``{"table": {"label": str, "columns": [str], "rows": [{"cells": [{"items":
[item]}]}]}}`` and ``{"block": block}``; *item* is ``{"text": [paragraph], "detail": [text]}``.
What is not there leaves no member, no heading and nothing that says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hub.domain.dictionary import Leaf, Node
from mappings.engine.marks import bare
from mappings.engine.model import Rule
from mappings.engine.narrative_labels import label
from mappings.engine.narrative_phrases import PHRASES, Group, in_passing, service_text
from mappings.engine.narrative_text import (
    Item,
    Text,
    WhoIsWho,
    child_name,
    joined,
    paragraphs,
    plain,
)
from mappings.engine.narrative_words import words

TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "HouseholdMember": ("name", "relationship", "present_in_home", "dob", "gender", "school"),
    "SignificantPerson": ("name", "relationship", "address"),
    "OtherService": ("service_type", "practitioner", "from", "to", "contributed"),
    "Action": ("text", "action_owner", "action_due", "action_status", "outcome_id"),
    "OutcomeProgress": ("outcome_id", "progress", "comment"),
    "OutcomeAchieved": ("outcome_id", "achieved"),
    "ScopeItem": ("service", "section", "purpose", "from", "to"),
}
"""Classes whose items stand in a table, and its columns."""

BENEATH: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "HouseholdMember": {"name": ("aka", "previous_caf")},
    "OtherService": {"service_type": ("name", "tier", "organisation", "contact_tel")},
    "Action": {"action_status": ("action_closed_on", "progress_comment")},
    "ScopeItem": {"section": ("action", "sensitive")},
}
"""Members that are said beneath another one in its cell."""

WORDS: Final[Mapping[str, str]] = {
    "ChildComment": "subject_id",
    "ParentComment": "parent_carer_id",
    "DifferenceOfView": "holder",
}
"""Classes that hold somebody's own words, and the member that says whose."""

FOOT: Final = ("author", "authored_at")
"""Who wrote a block, and when: said at its end."""


@dataclass(frozen=True, slots=True)
class Words:
    """What somebody said, in their own words."""

    who: Text | None
    said: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one kind of thing; a column stands only where some row has something for it."""

    label: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[Item, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Labels with what there is to say."""

    lines: list[tuple[str | Text, list[Item]]]


@dataclass(slots=True)
class Block:
    """One block under construction."""

    title: Text | None = None
    parts: "list[Lines | Words | Table | Block]" = field(default_factory=list)
    foot: list[Text] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Return whether it says nothing; a title alone says nothing."""
        return not (self.parts or self.foot)

    def line(self, name: str | Text, items: list[Item]) -> None:
        """Add a line; neighbouring lines stand together."""
        if self.parts and isinstance(last := self.parts[-1], Lines):
            last.lines.append((name, items))
        else:
            self.parts.append(Lines([(name, items)]))

    def take(self, other: "Block") -> None:
        """Add what *other*, which needs no title of its own, says."""
        for part in other.parts:
            if isinstance(part, Lines):
                for name, items in part.lines:
                    self.line(name, items)
            else:
                self.parts.append(part)
        self.foot += other.foot

    def out(self, rule: Rule) -> dict[str, Any]:
        """Return the block as a plain dictionary, its texts marked if the message was recorded."""
        made: dict[str, Any] = {}
        if self.title is not None:
            made["title"] = self.title.out(rule)
        if self.parts:
            made["parts"] = [_part(one, rule) for one in self.parts]
        if self.foot:
            made["foot"] = [one.out(rule) for one in self.foot]
        return made


def _part(one: Lines | Words | Table | Block, rule: Rule) -> dict[str, Any]:
    if isinstance(one, Block):
        return {"block": one.out(rule)}
    if isinstance(one, Words):
        spoken = {"text": [text.out(rule) for text in one.said]}
        return {"words": spoken if one.who is None else {"who": one.who.out(rule), **spoken}}
    if isinstance(one, Lines):
        return {
            "lines": [
                {
                    "label": name if isinstance(name, str) else name.out(rule),
                    "items": [_item(item, rule) for item in items],
                }
                for name, items in one.lines
            ]
        }
    rows = [
        {"cells": [{"items": [_item(item, rule) for item in cell]} for cell in row]}
        for row in one.rows
    ]
    return {"table": {"label": one.label, "columns": list(one.columns), "rows": rows}}


def _item(one: Item, rule: Rule) -> dict[str, Any]:
    made = {"text": [text.out(rule) for text in one.text]}
    return {**made, "detail": [text.out(rule) for text in one.detail]} if one.detail else made


def leaf_items(leaf: Leaf, value: Any, who: WhoIsWho, shown: str) -> list[Item]:
    """Return the value (or each value of a list) of *leaf*; nothing where it has no words."""
    values = value if isinstance(value, (list, tuple)) else (value,)
    found: list[Item] = []
    for one in values:
        if leaf.form == "ref" and shown != "number":
            name = who.goal(one) if leaf.path.endswith("outcome_id") else who.person(one)
            text = name
        elif leaf.form == "service":
            text = service_text(one, who)
        else:
            text = Text(words(leaf, bare(one)), (one,))
        if text is not None:
            found.append(Item(tuple(paragraphs(text))))
    return found


def block(group: Group) -> Block:
    """Return the block of *group*: its members in the order of the form."""
    made = Block()
    if group.kind == "Subject":
        _named(group, made)
    for name, node in group.node.children.items():
        value = group.held.get(name)
        if value is None or (group.kind == "Subject" and name in {"given_names", "family_name"}):
            continue
        entry = label(group.kind, name)
        if entry.shown == "title":
            made.title = _title(group, name)
        elif entry.shown != "never":
            member(group, name, node, made)
    return made


def _named(group: Group, made: Block) -> None:
    name = child_name(group.held)
    if name is not None:
        made.line("Name", [Item((name,))])


def _title(group: Group, name: str) -> Text | None:
    text = group.text(name)
    if text is not None and group.kind == "Review":
        return Text("Review on ") + text
    return text


def member(group: Group, name: str, node: Node, made: Block) -> None:
    """Add to *made* what the member *name* of *group* says."""
    entry, value = label(group.kind, name), group.held[name]
    if name in FOOT and "commentary" in group.node.children:
        _foot(group, name, made)
    elif node.leaf is not None:
        if items := leaf_items(node.leaf, value, group.who, entry.shown):
            made.line(entry.text, items)
    elif node.kind == "object":
        _object(group, name, made)
    else:
        several(group.groups(name), entry.text, made)


def _foot(group: Group, name: str, made: Block) -> None:
    inner = group.group(name) if name == "author" else None
    item = None if inner is None else in_passing(inner)
    text = joined(item.text) if item is not None else group.text(name)
    if text is not None:
        made.foot.append(Text(f"{label(group.kind, name).text} ") + text)


def _object(group: Group, name: str, made: Block) -> None:
    entry, inner = label(group.kind, name), group.group(name)
    if inner is None:
        return
    phrase = in_passing if entry.shown == "brief" else PHRASES.get(inner.kind)
    if phrase is not None:
        item = phrase(inner)
        if item is not None:
            made.line(entry.text, [item])
        return
    within = block(inner)
    if within.empty:
        return
    if entry.text:
        within.title = within.title or Text(entry.text)
        made.parts.append(within)
    else:
        made.take(within)


def several(groups: list[Group], name: str, made: Block) -> None:
    """Add the items of a list, called *name*, to *made*."""
    if not groups:
        return
    kind = groups[0].kind
    if kind == "Identifier":
        for one in groups:
            _identifier(one, made)
    elif kind in PHRASES:
        items = [item for one in groups if (item := PHRASES[kind](one)) is not None]
        if items:
            made.line(name, items)
    elif kind in WORDS:
        made.parts += [said for one in groups if (said := _spoken(one)) is not None]
    elif kind in TABLES:
        _tabled(groups, name, made)
    else:
        _blocks(groups, name, made)


def _identifier(one: Group, made: Block) -> None:
    item, kind = PHRASES["Identifier"](one), one.text("system")
    if item is not None:
        made.line(kind or "Number", [item])


def _spoken(one: Group) -> Words | None:
    text = one.text("text")
    if text is None:
        return None
    key = WORDS[one.kind]
    ref = one.held.get(key)
    who = None if ref is None else plain(ref) if key == "holder" else one.who.person(ref)
    return Words(who, tuple(paragraphs(text)))


def _tabled(groups: list[Group], name: str, made: Block) -> None:
    kind = groups[0].kind
    rows = [[_cell(one, column) for column in TABLES[kind]] for one in groups]
    used = [at for at in range(len(TABLES[kind])) if any(row[at] for row in rows)]
    filled = tuple(tuple(tuple(row[at]) for at in used) for row in rows if any(row))
    if filled:
        columns = tuple(label(kind, TABLES[kind][at]).text for at in used)
        made.parts.append(Table(name, columns, filled))


def _cell(one: Group, column: str) -> list[Item]:
    """Return what stands in one cell: the member, and beneath it what belongs to it."""
    beneath = [
        inner
        for name in BENEATH.get(one.kind, {}).get(column, ())
        if name in one.held
        for inner in _said(one, name)
    ]
    items = [] if column not in one.held else _said(one, column)
    detail = tuple(text for item in beneath for text in (*item.text, *item.detail))
    if not items:
        return [Item(detail[:1], detail[1:])] if detail else []
    last = items[-1]
    return [*items[:-1], Item(last.text, (*last.detail, *detail))]


def _said(one: Group, name: str) -> list[Item]:
    node, shown = one.node.children[name], label(one.kind, name).shown
    if node.leaf is not None:
        items = leaf_items(node.leaf, one.held[name], one.who, shown)
        if name in {"previous_caf", "aka", "action_closed_on", "contact_tel", "sensitive"}:
            return [Item(tuple(one.labelled(name)))]
        if name == "organisation":
            return [Item((one.who.organisation(one.held[name]),))]
        return items
    inner = one.group(name)
    item = None if inner is None else PHRASES[inner.kind](inner)
    return [] if item is None else [item]


def _blocks(groups: list[Group], name: str, made: Block) -> None:
    for one in groups:
        inner = block(one)
        if one.kind == "Relationship" and len(groups) == 1:
            made.take(inner)
        elif not inner.empty:
            if one.kind == "Relationship":
                inner.title = one.who.person(one.held.get("subject_id"))
            inner.title = inner.title or (Text(name) if name else None)
            made.parts.append(inner)
