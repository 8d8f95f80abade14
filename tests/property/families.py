"""Families for the laws of mappings: the lawful ones of `tests.strategies`, made hostile on top.

What is added to them here is what breaks formats: each format's own delimiters and escapes, the
same letter composed and decomposed, text that runs the other way, text as long as a field allows,
text that is nearly nothing, and (`coded`) every code of every list.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from hub.domain.codes import code_list, list_ids
from hub.domain.dictionary import Leaf, Node, episode_tree
from hub.services.views import index_view, view
from tests import builders
from tests.strategies import _VALUES, episodes

Tree = dict[str, Any]

DELIMITERS: Final = (
    "|^~\\&",
    "a|b^c~d\\e&f",
    "\\F\\ \\S\\ \\T\\ \\R\\ \\E\\ \\.br\\ \\X0D\\",
    '""',
    "~",
    "\\",
    "MSH|^~\\&|x",
    "]]>",
    "<![CDATA[x]]>",
    "<!-- x -->",
    "&",
    "&amp;lt;",
    "&#0;",
    "<",
    "<?x?>",
    "<script>alert(1)</script>",
    "javascript:x",
    '"',
    "'",
    ",;\t",
    "=1+1",
    "+44 113 496 0000",
    "-x",
    "@x",
    "%00",
    "${x} {{x}} $x",
    "a\rb",
    "a\nb",
    "a\r\nb",
    "\rx\r",
    "\n\nx",
    "null",
    "true",
    "0",
    "007",
    "1e5",
)
"""Characters and words by which some format tells its parts apart."""

LETTERS: Final = (
    "Zoë",  # composed
    "Zoe\u0308",  # decomposed
    "\u00c5ngstro\u0308m \u212b",  # three spellings of one letter
    "\u1112\u1161\u11ab",  # a Korean syllable in its parts
    "\ufb01ancée",  # a ligature, which compatibility forms would take apart
    "½ ² ﬀ Ⅷ",
    "\u202eright to left",
    "שָׁלוֹם עולם",
    "مرحبا\u200f!",
    "zero\u200bwidth\u200djoined",
    "\ufeffmark",
    "no\u00a0break",
    "line\u2028and\u2029paragraph",
    "😀👨‍👩‍👧",
    "𝕬𐍈",
    "i̇ıİI ß ẞ ς",
    "\u0301alone",
)
"""Lawful spellings that look alike, or that something likes to tidy up."""

BLANK: Final = (" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\ufeff")
"""What says nothing: the canonical door refuses it, and no lawful family holds it."""
ALMOST_NOTHING: Final = (" .", "\t-\t", "\u200b", ".", "-", "\u00a0x\u00a0", "\u2003.")
HOSTILE: Final = DELIMITERS + LETTERS + ALMOST_NOTHING
FREE: Final = frozenset({"string", "text"})
CODED_FAMILIES: Final = 24
"""How many families `coded` gives: lists are longer, but stand at many places of a family."""


def _free(leaf: Leaf, name: str, holder: Mapping[str, Any]) -> bool:
    """Whether any text may stand in *leaf*."""
    if leaf.form not in FREE or leaf.codes is not None or name in ("postcode", "uprn"):
        return False
    if leaf.key or name.startswith("address_line"):
        return False
    return not (name == "value" and "system" in holder)  # identifiers have shapes of their own


def places(
    item: Any, nodes: Mapping[str, Node] | None = None
) -> Iterator[tuple[Any, str | int, Leaf]]:
    """Yield (container, key, leaf) of every text in the episode *item* that may be anything."""
    for name, held in item.items():
        node = (episode_tree() if nodes is None else nodes)[name]
        if node.leaf is not None:
            if not _free(node.leaf, name, item):
                continue
            if node.leaf.many:
                for position in range(len(held)):
                    yield held, position, node.leaf
            else:
                yield item, name, node.leaf
        elif node.kind == "object":
            yield from places(held, node.children)
        else:
            for child in held:
                yield from places(child, node.children)


def hostile(text: str, leaf: Leaf, longest: bool) -> str:
    """Return *text* as *leaf* may hold it; with *longest* repeated as often as fits."""
    most = leaf.max_length or 3000
    if longest:
        text = (text * (most // len(text) + 1))[:most]
    return text[:most] if text[:most].strip("\ufeff\t\r\n \u00a0\u2003") else "."


def spoilt(tree: Tree, random: Random, share: float) -> Tree:
    """Return the episode *tree* with a *share* of its texts replaced by hostile ones."""
    made = copy.deepcopy(tree)
    for container, key, leaf in places(made):
        if random.random() < share:
            text = random.choice(HOSTILE)
            container[key] = hostile(text, leaf, random.random() < 0.05)
    return made


def reworded(tree: Tree) -> Tree:
    """Return *tree*, a view of an episode, with other words of the same shape in its texts: what
    is no letter stays, so that lines stay lines.
    """
    made = copy.deepcopy(tree)
    for container, key, _leaf in places(made):
        container[key] = "".join(
            ("z" if letter == "q" else "q") if letter.isalpha() else letter
            for letter in container[key]
        )
    return made


@st.composite
def families(draw: st.DrawFn, *, full: bool = False) -> Tree:
    """Return lawful episodes over the whole dictionary, many of their texts hostile."""
    tree = draw(episodes(full=full))
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    if not share:
        return tree
    return spoilt(tree, Random(draw(st.integers(0, 2**32 - 1))), share)


def message(episode: Mapping[str, Any], **header: Any) -> Tree:
    """Return a message of the hub about *episode*."""
    return {
        "message": builders.header(**{"message_type": "N7", **header}),
        "episode": dict(episode),
    }


@st.composite
def messages(draw: st.DrawFn, *, full: bool = False) -> Tree:
    """Return whole messages of the hub with content."""
    return message(draw(families(full=full)))


# What the hub tells beside content (`domain.md` 1.5)

TOLD: Final[Mapping[str, Tree]] = {
    "N2": {},
    "N3": {"effective_on": "2026-09-02", "was_acting": True},
    "N4": {"effective_on": "2026-09-02"},
    "N5": {"effective_on": "2026-09-02"},
    "N8": {"event": "team.called", "joined": ["HV-A/HV"], "left": ["HOU-A/HOUS"]},
    "N9": {"event": "plan.agreed"},
    "N10": {"stop": False, "scope": ["sec.identity", "sec.plan"], "copies": "LOCK"},
    "N11": {"kind": "offer"},
    "N14": {"copies": "DELETE"},
    "N16": {"event": "service.requested"},
}
_INDEXED: Final = ("N1", "N2", "N3", "N5", "N14")


@st.composite
def notices(draw: st.DrawFn) -> Tree:
    """Return messages in which the hub tells something: to a service, or to the child index."""
    episode = draw(families())
    child = episode["subjects"][0]
    focus = tuple(
        f"subjects[subject_id={child['subject_id']}].{name}"
        for name in ("given_names", "family_name", "address", "date_of_birth", "gender")
    )
    if draw(st.booleans()):
        code = draw(st.sampled_from(_INDEXED))
        facts = {"code": code, "episode_ref": "7f3c0a1e-0000-4000-8000-000000000001"}
        if code != "N14":
            facts |= index_view(code, episode, child["subject_id"], focus)
        return {
            "message": builders.header(message_type=code, purpose="INDEX"),
            "notification": plain(facts),
        }
    code = draw(st.sampled_from(sorted(TOLD)))
    if code == "N4":
        lead = episode.get("responsible_practitioner", {})
        focus = (lead.get("practitioner_id", "p1"),)
    if code == "N16":
        requests = episode.get("plan", {}).get("service_request", ())
        focus = ("service_request", *(one["id"] for one in requests[:1]))
    return {
        "message": builders.header(message_type=code),
        "notification": {"code": code, **TOLD[code]},
        "episode": plain(view(code, episode, focus)),
    }


def plain(value: Any) -> Any:
    """Return *value* as JSON gives it back."""
    return json.loads(json.dumps(value))


# Every code


@cache
def _codes(list_id: str) -> tuple[str, ...]:
    return tuple(sorted(code_list(list_id).codes))


def coded(number: int) -> Tree:
    """Return the family *number* of `CODED_FAMILIES`, in which every coded leaf says another code
    than in the one before; long lists are said by many people at once.
    """
    tree = builders.episode()
    children = [f"s{place}" for place in range(1, 10)]
    first = tree["subjects"][0]
    brief = {name: held for name, held in first.items() if name not in BULKY}
    tree["subjects"] = [
        {**copy.deepcopy(first if child == "s1" else brief), "subject_id": child}
        for child in children
    ]
    for adult in tree["parents_carers"]:
        adult["relationships"] = [
            {**adult["relationships"][0], "subject_id": child} for child in children
        ]
    tree["closure"] = {
        "closed_on": "2026-11-02",
        "closure_reason": "NEEDS_MET",
        "receiving_authority": "002",
        "closed_by": builders.practitioner("p-lead"),
        "step_to": {"organisation_id": "CSC-A", "name": "Example", "organisation_type": "LA_CSC"},
    }
    tree["safeguarding"] = [
        {
            "exception_id": f"x{place}",
            "basis": "S47",
            "family_informed": "TOLD_BEFORE",
            "disclosed_sections": ["sec.identity"],
            "consent_state_at_time": "SHARE",
        }
        for place in (1, 2)
    ]
    counters: dict[str, int] = {}
    _turn(tree, episode_tree(), number, counters)
    for place, child in enumerate(tree["subjects"]):
        child["date_accuracy"], child["date_of_birth"] = _BORN[place % len(_BORN)]
        _agree(child)
    systems = sorted(_VALUES)
    tree["subjects"][0]["identifiers"] = [
        {"system": system, "value": _VALUES[system][0]} for system in systems
    ]
    for adult in tree["parents_carers"]:
        first, *others = adult["relationships"]
        for relation in others:
            relation["has_parental_responsibility"] = "Y"
        if first["has_parental_responsibility"] == "N":
            del first["pr_basis"]
    return tree


BULKY: Final = frozenset({"elements", "address"})
_BORN: Final = (
    ("AAA", "2016-05-14"),
    ("UAA", "2016-05"),
    ("UUE", "2016"),
    ("EEA", "2016-05-14"),
    ("UUU", "2016"),
)
KEEP: Final = frozenset({"system", "element", "home_authority", "is_unborn", "date_accuracy"})
"""Coded leaves on which the shape of something else depends."""


def _turn(item: Tree, nodes: Mapping[str, Node], number: int, counters: dict[str, int]) -> None:
    for name, node in nodes.items():
        held = item.get(name)
        if held is None:
            continue
        if node.leaf is None:
            for child in held if node.kind == "list" else [held]:
                _turn(child, node.children, number, counters)
        elif node.leaf.codes in list_ids() and name not in KEEP:
            codes = _codes(str(node.leaf.codes))
            place = counters[node.path] = counters.get(node.path, -1) + 1
            code = codes[(number + place * CODED_FAMILIES) % len(codes)]
            item[name] = [code] if node.leaf.many else code


def _agree(child: Tree) -> None:
    characteristics = child["characteristics"]
    for name, list_id in (
        ("ethnicity", "CL-02"),
        ("religion", "CL-03"),
        ("immigration_status", "CL-09"),
    ):
        code = code_list(list_id).codes[characteristics[name]]
        if code.attributes["other_text"] == "yes":
            characteristics.setdefault(f"{name}_other", "as they say it")
