"""What stands in a block of text for people: a title, and in the order of the form labelled lines,
people's own words, tables, and blocks inside.

What there is to do for a member of a class is worked out once (`tells`): a text goes through what
is there and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from hub.domain.dictionary import Leaf
from mappings.engine.narrative_labels import Label
from mappings.engine.narrative_phrases import (
    PHRASES,
    Group,
    Sort,
    in_passing,
    sayer,
    service_text,
)
from mappings.engine.narrative_sheet import Sheet
from mappings.engine.narrative_text import (
    Item,
    WhoIsWho,
    child_name,
    joined,
    paragraphs,
    plain,
    text,
)
from mappings.engine.narrative_words import speech
from mappings.engine.source import Block as Code
from mappings.engine.source import Source

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

NAME: Final = ("given_names", "family_name")
"""A child's whole name is said in one line."""

FOOT: Final = ("author", "authored_at")
"""Who wrote a block, and when: said at its end."""

Tell = Callable[[Any, Group, Sheet], None]
"""(value, the object that it is a member of, what to write on)."""


def block(group: Group, made: Sheet) -> Sheet:
    """Return *made* with what *group* says: its members in the order of the form."""
    (group.sort.tell or _made(group.sort))(group, made)
    return made


def _made(sort: Sort) -> Callable[[Group, Sheet], None]:
    """Return what tells of an object of a class: code that asks for each member, made once.

    A text that makes a line is nearly always a single one, and said here.
    """
    source, code = Source(), Code()
    code.line("get = g.held.get")
    if sort.kind == "Subject":
        code.line(f"{source.bind(_named)}(g, s)")
    for name, entry in sort.labels.items():
        if entry.shown == "never" or (sort.kind == "Subject" and name in NAME):
            continue
        tell = f"{source.bind(member(sort, name))}(v, g, s)"
        code.line(f"if (v := get({source.literal(name)})) is not None:")
        say = _line(sort, name)
        if say is None:
            code.line(f" {tell}")
        else:
            said = f"s.says({source.literal(entry.text)}, {source.bind(say)}(v))"
            code.line(f" {said} if type(v) is str else {tell}")
    function = source.function("g, s", code)
    told: Callable[[Group, Sheet], None] = source.loaded(f"text of {sort.kind}")(function)
    sort.tell = told
    return told


def _line(sort: Sort, name: str) -> Callable[[Any], str] | None:
    """Return what words the text of the member *name* if it makes a line by itself."""
    entry, leaf = sort.labels[name], sort.children[name].leaf
    if leaf is None or entry.shown == "title" or _at_foot(sort, name):
        return None
    looked_up = leaf.form == "service" or (leaf.form == "ref" and entry.shown != "number")
    return None if looked_up else speech(leaf)


def _at_foot(sort: Sort, name: str) -> bool:
    return name in FOOT and "commentary" in sort.children


def member(sort: Sort, name: str, *, titled: bool = True) -> Tell:
    """Return what tells of the member *name* of a class; *titled*: if it can be a title, as one."""
    entry, leaf = sort.labels[name], sort.children[name].leaf
    if titled and entry.shown == "title":
        return _titled(sort, name)
    if _at_foot(sort, name):
        return _foot(sort, name)
    if leaf is not None:
        return _leaf(leaf, entry, _line(sort, name))
    return _object(sort, name) if sort.children[name].kind == "object" else _list(sort, name)


def _named(group: Group, made: Sheet) -> None:
    name = child_name(group.held)
    if name is not None:
        made.line("Name", [((name,), ())])


def _titled(sort: Sort, name: str) -> Tell:
    review, say = sort.kind == "Review", sort.says.get(name)

    def tell(value: Any, _group: Group, made: Sheet) -> None:
        said = None if say is None else say(value)
        made.title = text(f"Review on {said}", said) if review and said is not None else said

    return tell


def _leaf(leaf: Leaf, entry: Label, say: Callable[[Any], str] | None) -> Tell:
    name, items = entry.text, leaf_items(leaf, entry.shown)

    def tell(value: Any, group: Group, made: Sheet) -> None:
        if say is not None and type(value) is str:
            made.says(name, say(value))
        elif found := items(value, group.who):
            made.line(name, found)

    return tell


def leaf_items(leaf: Leaf, shown: str) -> Callable[[Any, WhoIsWho], list[Item]]:
    """Return what makes the value (or each value of a list) of *leaf*; nothing where it has no
    words.
    """
    say: Callable[[Any, WhoIsWho], str | None]
    if leaf.form == "ref" and shown != "number":
        say = _goal if leaf.path.endswith("outcome_id") else _person
    elif leaf.form == "service":
        say = service_text
    else:
        words = sayer(leaf)
        say = lambda one, _who: words(one)  # noqa: E731

    def items(value: Any, who: WhoIsWho) -> list[Item]:
        values = value if isinstance(value, list | tuple) else (value,)
        return [(paragraphs(said), ()) for one in values if (said := say(one, who)) is not None]

    return items


def _goal(one: Any, who: WhoIsWho) -> str | None:
    return who.goal(one)


def _person(one: Any, who: WhoIsWho) -> str | None:
    return who.person(one)


def _foot(sort: Sort, name: str) -> Tell:
    prefix, say = f"{sort.labels[name].text} ", sort.says.get(name)

    def tell(value: Any, group: Group, made: Sheet) -> None:
        if say is not None:
            said = say(value)
        else:
            item = in_passing(Group(sort.inner[name], value, group.who)) if value else None
            said = None if item is None else joined(item[0])
        if said is not None:
            made.foot.append(text(prefix + said, said))

    return tell


def _object(sort: Sort, name: str) -> Tell:
    entry, below = sort.labels[name], sort.inner[name]
    phrase = in_passing if entry.shown == "brief" else PHRASES.get(below.kind)

    def tell(value: Any, group: Group, made: Sheet) -> None:
        if not value:
            return
        inner = Group(below, value, group.who)
        if phrase is not None:
            item = phrase(inner)
            if item is not None:
                made.line(entry.text, [item])
            return
        within(block(inner, made.fresh()), entry.text, made)

    return tell


def within(inner: Sheet, name: str, made: Sheet) -> None:
    """Put the block *inner*, called *name*, into *made*: under its title, or for itself."""
    if inner.empty:
        return
    if name:
        inner.title = name if inner.title is None else inner.title
        made.inside(inner)
    else:
        made.take(inner)


def _list(sort: Sort, name: str) -> Tell:
    below, several = sort.inner[name], listed(sort.inner[name], sort.labels[name].text)

    def tell(value: Any, group: Group, made: Sheet) -> None:
        who = group.who
        if value:
            several([Group(below, held, who) for held in value], made)

    return tell


def listed(sort: Sort, name: str) -> Callable[[list[Group], Sheet], None]:
    """Return what adds the items of a list, called *name*, to a block."""
    kind = sort.kind
    if kind == "Identifier":
        return _identifiers
    if kind in PHRASES:
        return _phrases(PHRASES[kind], name)
    if kind in WORDS:
        return _spoken
    return _tabled(sort, name) if kind in TABLES else _blocks(sort, name)


def _identifiers(groups: list[Group], made: Sheet) -> None:
    for one in groups:
        item, called = PHRASES["Identifier"](one), one.text("system")
        if item is not None:
            made.line("Number" if called is None else called, [item])


def _phrases(
    phrase: Callable[[Group], Item | None], name: str
) -> Callable[[list[Group], Sheet], None]:
    def several(groups: list[Group], made: Sheet) -> None:
        items = [item for one in groups if (item := phrase(one)) is not None]
        if items:
            made.line(name, items)

    return several


def _spoken(groups: list[Group], made: Sheet) -> None:
    for one in groups:
        said = one.text("text")
        if said is None:
            continue
        key = WORDS[one.sort.kind]
        ref = one.held.get(key)
        who = None if ref is None else plain(ref) if key == "holder" else one.who.person(ref)
        made.words(who, paragraphs(said))


def _tabled(sort: Sort, name: str) -> Callable[[list[Group], Sheet], None]:
    cells = [_cell(sort, column) for column in TABLES[sort.kind]]
    columns = [sort.labels[column].text for column in TABLES[sort.kind]]

    def several(groups: list[Group], made: Sheet) -> None:
        rows = [[cell(one) for cell in cells] for one in groups]
        used = [at for at in range(len(cells)) if any(row[at] for row in rows)]
        filled = [[row[at] for at in used] for row in rows if any(row)]
        if filled:
            made.table(name, [columns[at] for at in used], filled)

    return several


def _cell(sort: Sort, column: str) -> Callable[[Group], Sequence[Item]]:
    """Return what stands in one cell: the member, and beneath it what belongs to it."""
    said = _said(sort, column)
    beneath = [(name, _said(sort, name)) for name in BENEATH.get(sort.kind, {}).get(column, ())]

    def cell(one: Group) -> Sequence[Item]:
        held = one.held
        items = said(one) if column in held else []
        detail: list[str] = []
        for name, inner in beneath:
            if name in held:
                for item in inner(one):
                    detail += (*item[0], *item[1])
        if not detail:
            return items
        if not items:
            return [((detail[0],), tuple(detail[1:]))]
        last = items[-1]
        return [*items[:-1], (last[0], (*last[1], *detail))]

    return cell


def _said(sort: Sort, name: str) -> Callable[[Group], list[Item]]:
    leaf = sort.children[name].leaf
    if leaf is None:
        phrase = PHRASES[sort.inner[name].kind]

        def phrased(one: Group) -> list[Item]:
            inner = one.group(name)
            item = None if inner is None else phrase(inner)
            return [] if item is None else [item]

        return phrased
    if name in {"previous_caf", "aka", "action_closed_on", "contact_tel", "sensitive"}:
        return lambda one: [(tuple(one.labelled(name)), ())]
    if name == "organisation":
        return lambda one: [((one.who.organisation(one.held[name]),), ())]
    items = leaf_items(leaf, sort.labels[name].shown)
    return lambda one: items(one.held[name], one.who)


def _blocks(sort: Sort, name: str) -> Callable[[list[Group], Sheet], None]:
    related = sort.kind == "Relationship"

    def several(groups: list[Group], made: Sheet) -> None:
        for one in groups:
            inner = block(one, made.fresh())
            if related and len(groups) == 1:
                made.take(inner)
            elif not inner.empty:
                if related:
                    inner.title = one.who.person(one.held.get("subject_id"))
                if inner.title is None and name:
                    inner.title = name
                made.inside(inner)

    return several
