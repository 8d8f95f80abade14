"""What the laws of mappings ask, for one mapping and one message; the tests draw the messages."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hypothesis import Phase, settings

from hub.domain.dictionary import Node
from hub.domain.messages import message_tree
from hub.errors import HubError
from hub.services.released import freeze, rehearse
from hub.services.views import index_view, view
from mappings.commands import translator
from mappings.engine import placement
from mappings.engine.cases import difference
from mappings.engine.catalogue import Format
from mappings.engine.model import Entry, Rule
from mappings.engine.report import Report, report
from mappings.engine.rules import every_rule
from mappings.formats.xml_draft import unfolded
from tests import builders
from tests.property.families import TOLD, message, reworded

Tree = dict[str, Any]

TIMES: Final = float(os.environ.get("ECAF_TEST_LAWS_TIMES", "1"))
"""How many times as many examples as usual: the slow tier asks for twenty."""

FORMATS: Final = translator().catalogue.formats
WRITTEN: Final = sorted(name for name, one in FORMATS.items() if one.head.direction != "in")
READ: Final = sorted(name for name, one in FORMATS.items() if one.head.direction != "out")
BOTH: Final = sorted(set(WRITTEN) & set(READ))


def about(number: int) -> settings:
    """Return settings for some *number* of examples; in the slow tier more of them, and failures
    made as small as can be, which takes minutes with families.
    """
    phases = [Phase.explicit, Phase.reuse, Phase.generate]
    if TIMES > 1:
        phases.append(Phase.shrink)
    return settings(max_examples=max(1, int(number * TIMES)), phases=phases)


def rules_of(one: Format) -> Iterator[Rule]:
    """Yield every rule of a mapping, those inside others too."""
    for entry in entries_of(one):
        yield from every_rule(entry.rules)


def entries_of(one: Format) -> Iterator[Entry]:
    """Yield the envelope and the entries of a mapping."""
    yield one.written.envelope
    yield from one.written.entries.values()


def _names(one: Format, payload: str) -> bool:
    """Whether the mapping names anything of the *payload*, be it as text for people."""
    return any(
        re.match(rf"{payload}\b", place)
        for rule in rules_of(one)
        for place in (*rule.narrate, str(rule.caf or "").removeprefix("/"))
    ) or any(str(entry.each or "").startswith(payload) for entry in entries_of(one))


EPISODES: Final = [name for name in WRITTEN if _names(FORMATS[name], "episode")]
NOTICES: Final = [name for name in WRITTEN if _names(FORMATS[name], "notification")]
EPISODES_BOTH: Final = [name for name in EPISODES if name in BOTH]
WORDS: Final = [
    name
    for name in EPISODES
    if "episode.subjects[].family_name" in placement.named(FORMATS[name].written)
]
"""Those that say what people wrote: not tables of codes and dates, not thin notices."""
NOTICES_BOTH: Final = [name for name in NOTICES if name in BOTH]


# Bytes


def rendered(name: str, tree: Mapping[str, Any]) -> bytes:
    """Return the bytes of *tree*, checked as the hub checks them."""
    return translator().render(name, rehearse(tree), partner="").body


def rendered_or_refused(name: str, tree: Mapping[str, Any]) -> bytes | None:
    """Return the bytes of *tree*, or None for what the format says it cannot say (`E_MAPPING`)."""
    try:
        return rendered(name, tree)
    except HubError as error:
        refused = error
    assert refused.code == "E_MAPPING", refused
    assert refused.detail
    return None


# Leaves


def flat(
    value: Any, nodes: Mapping[str, Node] | None, path: str = "", named: str = ""
) -> Iterator[tuple[str, str, Any]]:
    """Yield every leaf with its path by position, and its path by the keys of the items above."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            node = (nodes or {}).get(name)
            dot = "." if path else ""
            yield from _member(inner, node, f"{path}{dot}{name}", f"{named}{dot}{name}")
    else:
        yield path, named, value


def _member(inner: Any, node: Node | None, path: str, named: str) -> Iterator[tuple[str, str, Any]]:
    below = node.children if node else None
    if not isinstance(inner, list | tuple):
        yield from flat(inner, below, path, named)
        return
    key = next((n for n, one in (below or {}).items() if one.leaf and one.leaf.key), None)
    told = 0  # an item that says nothing takes no place
    for position, item in enumerate(inner):
        by = told if key is None or not isinstance(item, Mapping) else item.get(key, told)
        leaves = list(flat(item, below, f"{path}[{position}]", f"{named}[{by}]"))
        told += bool(leaves)
        yield from leaves


def by_place(tree: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Return the leaves by position: the place by keys, and the value."""
    nodes = {name: node for name, node in message_tree().items() if name != "notification"}
    return {path: (named, value) for path, named, value in flat(tree, nodes)}


# Put-get


def kept_comes_back(name: str, tree: Tree) -> Report | None:
    """Put-get through bytes: what is called kept is equal, what is called lost is gone, nothing is
    made up, nothing is without a row.  None if the format refuses to say the message.
    """
    raw = rendered_or_refused(name, tree)
    if raw is None:
        return None
    one = FORMATS[name]
    told = report(one, tree)
    document = one.wire.parse(raw)
    assert document == one.wire.parse(one.wire.write(dict(told.document), check=True)), (
        "the report is about another document"
    )
    back = one.compiled.read(document)
    assert back.faults == (), back.faults
    assert back.unmapped == (), back.unmapped
    before = by_place(tree)
    after = dict(by_place(back.message).values())
    kept = {row.caf for row in told.rows if row.caf and row.outcome == "kept"} & before.keys()
    for path in sorted(kept):
        named, value = before[path]
        assert named in after, f"called kept, and gone: {path} = {value!r}"
        assert after[named] == value, f"called kept, and changed: {path}"
    said = {row.caf for row in told.rows}
    assert before.keys() <= said, f"no row for {sorted(before.keys() - said)}"
    places = {named for named, _ in before.values()}
    assert after.keys() <= places, f"made up: {sorted(after.keys() - places)}"
    lost = {before[path][0] for path in before.keys() - kept} - {before[path][0] for path in kept}
    normalised = {
        before[row.caf][0] for row in told.rows if row.outcome == "normalised" and row.caf in before
    }
    came = (lost - normalised) & after.keys()
    assert not came, f"called lost, and came back: {sorted(came)}"
    return told


def unchanged_renders_unchanged(name: str, tree: Tree) -> bool:
    """Get-put through bytes; False if the format refuses to say the message."""
    raw = rendered_or_refused(name, tree)
    if raw is None:
        return False
    one = FORMATS[name]
    back = one.compiled.read(one.wire.parse(raw)).message
    again = one.wire.write(one.compiled.render(freeze(back)), check=True)
    before, after = (unordered(one.wire.parse(said)) for said in (raw, again))
    assert before == after, difference(before, after)
    return True


def unordered(document: Any) -> Any:
    """Return the document with its entries by address: which adult stands first says nothing."""
    if isinstance(document, Mapping) and "entry" in document:
        return {**document, "entry": {e["fullUrl"]: e["resource"] for e in document["entry"]}}
    return document


# Nothing invented

STRUCTURE: Final = re.compile(r"(^|\.)(fullUrl|resourceType|MSH\.10)$|^id$")
"""Output that names and addresses things and says nothing: ids made of the message's own."""


def nothing_is_invented(name: str, tree: Tree) -> bool:
    """Every value of the output has a row, and what a row calls invented is the mapping's own: it
    stays when every word of the family is another.  False if the format refuses the message.
    """
    if rendered_or_refused(name, tree) is None:
        return False
    said, rows = _said(name, tree)
    addresses = {value for path, value in said.items() if STRUCTURE.search(path)}
    for path, value in said.items():
        if STRUCTURE.search(path) or (path not in rows and value in addresses):
            continue  # a reference between entries of the document says nothing either
        assert path in rows, f"no row says where this came from: {path}"
    other = {**tree, "episode": reworded(tree["episode"])} if "episode" in tree else tree
    if rendered_or_refused(name, other) is not None:
        again, _ = _said(name, other)
        for path, outcomes in rows.items():
            if outcomes == {"invented"} and path in said and path in again:
                assert said[path] == again[path], f"made up: {path} = {said[path]!r}"
    return True


def _said(name: str, tree: Tree) -> tuple[dict[str, Any], dict[str, set[str]]]:
    """Return the output by path, and what the report calls each place of it."""
    one = FORMATS[name]
    rows: dict[str, set[str]] = {}
    for row in report(one, tree).rows:
        if row.wire is not None:
            rows.setdefault(row.wire, set()).add(row.outcome)
    return dict(leaves(unfolded(one.compiled.render(freeze(tree))))), rows


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of a document with its path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{position}]")
    else:
        yield path, value


# Plain examples


SHARED: Final = ("episode_id", "home_authority", "episode_type", "opened_at", "status", "services")


def sayable(name: str, episode: Tree) -> list[Tree]:
    """Return the *episode*, or each child's part of it where the format says one child at a time
    (HL7 v2: one message for each); what all children share then goes with the first only.
    """
    if "subjects" not in episode or rendered_or_refused(name, message(episode)) is not None:
        return [episode]
    shared = {name: held for name, held in episode.items() if name in SHARED}
    return [
        {
            **(shared if place else episode),
            "subjects": [child],
            **_about(episode, child["subject_id"]),
        }
        for place, child in enumerate(episode["subjects"])
    ]


def examples(name: str) -> list[Tree]:
    """Return messages that the mapping was written for: the inputs of its cases that have an
    output, and what of the plain family it can say.
    """
    found = [
        json.loads(file.read_text("utf-8"))
        for file in sorted(FORMATS[name].folder.glob("cases/*/input.json"))
        if not (file.parent / "error.txt").exists()
    ]
    if name in EPISODES:
        found += [message(tree) for tree in sayable(name, builders.episode())]
    if name in NOTICES:
        found += plain_notices()
    return [tree for tree in found if rendered_or_refused(name, tree) is not None]


def _about(episode: Tree, subject_id: str) -> Tree:
    """Return the adults, if there are any, with what they are to the one child."""
    if "parents_carers" not in episode:
        return {}
    adults = []
    for adult in episode["parents_carers"]:
        told = [one for one in adult.get("relationships", ()) if one["subject_id"] == subject_id]
        rest = {name: held for name, held in adult.items() if name != "relationships"}
        adults.append({**rest, "relationships": told} if told else rest)
    return {"parents_carers": adults}


def plain_notices() -> list[Tree]:
    """Return one message of every kind that the hub tells."""
    episode = builders.episode()
    reference = "7f3c0a1e-0000-4000-8000-000000000001"
    indexed = [
        {
            "message": builders.header(message_type=code, purpose="INDEX"),
            "notification": {
                "code": code,
                "episode_ref": reference,
                **index_view(code, episode, "s1", ("subjects[subject_id=s1].family_name",)),
            },
        }
        for code in ("N1", "N2", "N3", "N5", "N14")
    ]
    told = [
        {
            "message": builders.header(message_type=code),
            "notification": {"code": code, **facts},
            "episode": view(code, episode, ()),
        }
        for code, facts in TOLD.items()
    ]
    return [*indexed, *told]
