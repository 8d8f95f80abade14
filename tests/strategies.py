"""Random but lawful families over the whole data dictionary, for property tests.

Everything that the dictionary knows can turn up: several children, unborn ones, partial dates,
every code, every group, and texts as hostile as a form lets people type.  Drawn values are then
made to agree with each other (`_settle`): ids are given out, references point at somebody, dates
are put in order.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from hub.domain.codes import code_list
from hub.domain.dates import after
from hub.domain.dictionary import Leaf, Node, episode_tree, leaves
from hub.domain.fields import Form
from hub.domain.messages import message_tree

Tree = dict[str, Any]

HOSTILE: Final = (
    "O'Brien-Núñez",
    '"quoted" \\ back\\slash',
    "<b>bold</b> & <!-- gone -->",
    "a|b^c~d\\e&f",
    "semi;colon, comma: tab\tend",
    "two\nlines\r\nand more",
    "{{template}} ${shell} %s %n",
    "'; DROP TABLE episode; --",
    "=1+1",
    "null",
    "\u202eright to left",
    "zero\u200bwidth",
    "e\u0301 or é",
    "😀👨‍👩‍👧",
    "中文 العربية ਪੰਜਾਬੀ",
    " leading and trailing ",
    "\ufeffmark",
)
"""Lawful texts that have broken somebody's format before."""

NHS_NUMBERS: Final = (
    "9990000018",
    "9990000026",
    "9990000034",
    "9990000042",
    "9990000050",
    "9990000069",
    "9990000123",
)
_VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "nhs-number": NHS_NUMBERS,
    "upn": ("A001900126002", "W001900120001", "G001900122002", "K00190012601A"),
    "upn-unknown": ("UN1", "UN2", "UN3", "UN4", "UN5"),
    "uln": ("9276308686",),
    "urn": ("100001",),
    "laestab": ("0019001",),
    "ods": ("Z99999",),
    "swe": ("SW123456",),
    "uprn": ("100000000001",),
    "usrn": ("10000001",),
    "la-child-id": ("A0001234",),
    "caf-ref": ("CAF/2026/1",),
}

# Weighted towards what people write; the alphabet leaves out what `E_CONTROL_CHAR` refuses.
_letters = st.characters(exclude_categories=["Cs", "Cc"])


def texts(longest: int) -> st.SearchStrategy[str]:
    """Return lawful texts of up to *longest* characters, never blank, hostile ones among them."""
    known = [text[:longest] for text in HOSTILE if _says(text[:longest])]
    drawn = st.text(_letters, min_size=1, max_size=min(longest, 12)).filter(_says)
    return st.sampled_from(known) | drawn


def _says(text: str) -> bool:
    """Whether *text* is more than white space, which the canonical door refuses."""
    return bool(text.replace("\ufeff", "").strip())


def dates() -> st.SearchStrategy[str]:
    """Return days of this century so far and of the one before."""
    return st.dates(
        min_value=date(1930, 1, 1),
        max_value=date(2029, 12, 31),
    ).map(str)


def partial_dates() -> st.SearchStrategy[str]:
    """Return days, months and years."""
    return st.tuples(dates(), st.sampled_from([4, 7, 10])).map(lambda drawn: drawn[0][: drawn[1]])


def moments() -> st.SearchStrategy[str]:
    """Return moments in UTC, as a reader leaves them."""
    times = st.sampled_from(["00:00:00Z", "09:30:15Z", "23:59:59.250Z"])
    return st.tuples(dates(), times).map("T".join)


_FORMS: Final[Mapping[Form, Callable[[], st.SearchStrategy[Any]]]] = {
    "date": dates,
    "partial_date": partial_dates,
    "datetime": moments,
    "bool": st.booleans,
    "int": lambda: st.integers(0, 2_147_483_647),
    "ref": lambda: st.sampled_from(["r1", "r2", "a.b:c_d-1"]),
    "service": lambda: st.sampled_from(["SCH-A/SCH", "HV-A/HV", "CAMHS-A/CAMHS", "HOU-A/HOUS"]),
}


def _leaf(name: str, node: Node) -> st.SearchStrategy[Any]:
    leaf = node.leaf
    assert leaf is not None
    one: st.SearchStrategy[Any]
    if name == "postcode":
        one = st.sampled_from(["ZZ99 3AA", "ZZ99 3VZ", "SW1A 1AA"])
    elif name == "uprn":
        one = st.sampled_from(["1", "100000000001"])
    elif leaf.codes is not None:
        one = st.sampled_from(sorted(code_list(leaf.codes).codes))
    elif leaf.form in _FORMS:
        one = _FORMS[leaf.form]()
    else:
        one = texts(leaf.max_length or 60)
    if name == "address_lines":
        return st.lists(one, min_size=2, max_size=5)
    return st.lists(one, min_size=1, max_size=2) if leaf.many else one


def _group(children: Mapping[str, Node], *, full: bool) -> st.SearchStrategy[Tree]:
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for name, node in children.items():
        one = _leaf(name, node) if node.leaf is not None else _held(node, full=full)
        always = full or node.required or name == "subjects"
        (required if always else optional)[name] = one
    return _whole(_Parts(st.fixed_dictionaries(required, optional=optional)))


class _Parts:
    """Holds a strategy without showing it: the whole model is too long to be printed."""

    def __init__(self, strategy: st.SearchStrategy[Tree]) -> None:
        self.strategy = strategy


@st.composite
def _whole(draw: st.DrawFn, parts: _Parts) -> Tree:
    return draw(parts.strategy)


def _held(node: Node, *, full: bool) -> st.SearchStrategy[Any]:
    group = _group(node.children, full=full)
    if node.kind == "object":
        return group
    least = 1 if full or node.name == "subjects" else 0
    most = 1 if full else 3 if node.name == "subjects" else 2
    return st.lists(group, min_size=least, max_size=most)


# Making it agree


def _objects(tree: Any) -> Iterator[Tree]:
    if isinstance(tree, dict):
        yield tree
        for held in tree.values():
            yield from _objects(held)
    elif isinstance(tree, list):
        for held in tree:
            yield from _objects(held)


_ORDERED: Final = (
    ("assessment_started_on", "assessment_completed_on"),
    ("opened_at", "closed_at"),
    ("date_of_birth", "date_of_death"),
    ("address_valid_from", "address_valid_to"),
    ("valid_from", "valid_to"),
    ("lp_from", "lp_to"),
    ("from", "to"),
    ("joined", "left"),
    ("requested_at", "responded_at"),
    ("review_date", "next_review_date"),
)
_OTHER: Final = (
    ("ethnicity", "CL-02", "ethnicity_other"),
    ("religion", "CL-03", "religion_other"),
    ("immigration_status", "CL-09", "immigration_status_other"),
)


def _number(items: list[Tree], key: str, prefix: str) -> list[str]:
    for number, item in enumerate(items, start=1):
        item[key] = f"{prefix}{number}"
    return [item[key] for item in items]


def _child(child: Tree) -> None:
    born, due = child.pop("date_of_birth", None), child.pop("expected_date_of_delivery", None)
    characteristics = child.get("characteristics", {})
    if child["is_unborn"]:
        if due is not None:
            child["expected_date_of_delivery"] = due
        for name in ("date_accuracy", "date_of_death", "identifiers"):
            child.pop(name, None)
        characteristics.pop("disability_types", None)
    elif born is not None:
        child["date_of_birth"] = born
        if "date_accuracy" in child:
            child["date_accuracy"] = {10: "AAA", 7: "UAA", 4: "UUE"}[len(born)]
    for code_name, list_id, text_name in _OTHER:
        code = code_list(list_id).codes.get(characteristics.get(code_name, ""))
        if code is not None and code.attributes["other_text"] == "yes":
            characteristics.setdefault(text_name, "as they say it")
    elements = {element["element"]: element for element in child.get("elements", ())}
    if "elements" in child:
        child["elements"] = list(elements.values())


def _settle(tree: Tree) -> Tree:
    """Make a drawn tree agree with itself, in place."""
    subjects = _number(tree["subjects"], "subject_id", "s")
    adults = _number(tree.get("parents_carers", []), "parent_carer_id", "c")
    for child in tree["subjects"]:
        _child(child)
    for adult in tree.get("parents_carers", ()):
        adult["relationships"] = adult.get("relationships", [])[: len(subjects)]
        for subject_id, relation in zip(subjects, adult["relationships"], strict=False):
            relation["subject_id"] = subject_id
            if relation.get("has_parental_responsibility") == "N":
                relation.pop("pr_basis", None)
    _number(tree.get("checklists", []), "checklist_id", "k")
    _number(tree.get("reviews", []), "review_id", "v")
    _number(tree.get("safeguarding", []), "exception_id", "x")
    _number(tree.get("local_episode_ids", []), "system", "system ")
    _number(tree.get("services", {}).get("assessor", []), "practitioner_id", "p")
    plan = tree.get("plan", {})
    outcomes = _number(plan.get("desired_outcome", []), "id", "o")
    _number(plan.get("action", []), "id", "a")
    _number(plan.get("service_request", []), "id", "q")
    for action in plan.get("action", ()):
        if not action["action_owner"]:
            action["action_owner"] = {"service": "SCH-A/SCH"}
    for progress in [
        *(review.get("outcome_progress") for review in tree.get("reviews", ())),
        tree.get("closure", {}).get("outcomes_achieved"),
    ]:
        if progress is not None:
            progress[:] = progress[: len(outcomes)]
            for outcome_id, item in zip(outcomes, progress, strict=False):
                item["outcome_id"] = outcome_id
    _refer(tree, subjects, adults, outcomes)
    for item in _objects(tree):
        for first, second in _ORDERED:
            if first in item and second in item and after(item[first], item[second]):
                item[second] = item[first]
        if "system" in item and item["system"] in _VALUES and "value" in item:
            allowed = _VALUES[item["system"]]
            if item["value"] not in allowed:
                item["value"] = allowed[len(item["value"]) % len(allowed)]
    return tree


def _refer(tree: Tree, subjects: list[str], adults: list[str], outcomes: list[str]) -> None:
    """Point every reference at somebody, or take it out."""
    for name, held in tree.items():
        if name in ("subjects", "parents_carers"):
            continue
        for item in _objects(held):
            for key, targets in (
                ("subject_id", subjects),
                ("person_id", subjects + adults),
                ("outcome_id", outcomes),
            ):
                if key in item and item[key] not in targets:
                    if targets:
                        item[key] = targets[len(item) % len(targets)]
                    else:
                        del item[key]
            if item.get("action_owner") == {}:
                item["action_owner"] = {"service": "SCH-A/SCH"}
            for comments in ("parent_comment", "parent_view"):
                if comments in item:
                    item[comments] = (
                        [{**comment, "parent_carer_id": adults[0]} for comment in item[comments]]
                        if adults
                        else []
                    )


@cache
def episodes(*, full: bool = False) -> st.SearchStrategy[Tree]:
    """Return whole, lawful episodes; *full* ones say everything that can be said of one family."""
    return _group(episode_tree(), full=full).map(_settle)


@cache
def decisions(*, full: bool = False) -> st.SearchStrategy[Tree]:
    """Return consent decisions of any state by anybody; *full* ones say all that one can say."""
    return _group(message_tree()["consent_decision"].children, full=full)


@st.composite
def cuts(draw: st.DrawFn, tree: Tree) -> Tree:
    """Return *tree* with any leaves, items and groups cut; items keep their keys."""
    chosen = draw(st.randoms(use_true_random=False))
    return _cut(tree, episode_tree(), lambda _: chosen.random() < 0.3)


@st.composite
def redactions(draw: st.DrawFn, tree: Tree) -> Tree:
    """Return *tree* as a gate may leave it: alike leaves share one fate, nothing is empty."""
    fates = sorted({_fate(leaf) for leaf in leaves().values()})
    withheld = draw(st.sets(st.sampled_from(fates)))
    return _without_empty(_cut(tree, episode_tree(), lambda leaf: leaf and _fate(leaf) in withheld))


def _fate(leaf: Leaf) -> tuple[str, str, str]:
    return leaf.section, " ".join(sorted(leaf.sensitivity)), leaf.about


def _cut(item: Tree, nodes: Mapping[str, Node], out: Callable[[Leaf | None], Any]) -> Tree:
    """Return *item* without the leaves, groups and items that *out* says; keys stay."""
    kept = {}
    for name, held in item.items():
        node = nodes[name]
        if name == "episode_id" or (node.leaf is not None and node.leaf.key):
            kept[name] = held
        elif out(node.leaf):
            continue
        elif node.kind == "leaf":
            kept[name] = held
        elif node.kind == "object":
            kept[name] = _cut(held, node.children, out)
        else:
            kept[name] = [_cut(child, node.children, out) for child in held if not out(None)]
    return kept


def _without_empty(item: Tree) -> Tree:
    kept = {}
    for name, held in item.items():
        left = held
        if isinstance(held, dict):
            left = _without_empty(held)
        elif isinstance(held, list) and held and isinstance(held[0], dict):
            left = [child for child in map(_without_empty, held) if child]
        if left not in ({}, []):
            kept[name] = left
    return kept
