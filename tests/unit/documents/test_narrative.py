"""Text for people: every field has a name, nothing internal is told, and each line knows its
origin.
"""

import re
from typing import Any

import pytest

from hub.domain.dictionary import leaves as dictionary
from hub.domain.messages import message_tree
from hub.positioned import Place
from mappings.engine.canonical import FREE, all_leaves
from mappings.engine.marks import Mark
from mappings.engine.model import Rule
from mappings.engine.narrative import narrator
from mappings.engine.narrative_blocks import BENEATH, TABLES
from mappings.engine.narrative_labels import kind, label, labels, told
from mappings.engine.narrative_words import (
    date_words,
    display,
    identifier_words,
    service_words,
    settled,
    time_words,
)
from mappings.engine.paths import SELF, parse
from mappings.engine.rendering import Rendering
from mappings.engine.trace import wrapped
from mappings.formats.html_wire import HtmlShape
from tests import builders
from tests.unit.documents.documents import family, leaves

HERE = Place("mapping.yaml", 1, 1, "")


def narrated(tree: Any, *paths: str) -> Any:
    """Return the block that a rule with *paths* makes of *tree*."""
    rule = Rule(place=HERE, wire=SELF, told=tuple(parse(path) for path in paths))
    return narrator(rule, HtmlShape())(tree, Rendering(tree, str))


def said(value: Any) -> list[Any]:
    """Return every text of a block, labels included."""
    return list(leaves(value))


def members() -> set[tuple[str, str]]:
    """Return every member of every class that the dictionary describes."""
    found: set[tuple[str, str]] = set()

    def visit(above: str, nodes: Any) -> None:
        for name, node in nodes.items():
            found.add((above, name))
            if name not in FREE:
                visit(kind(node), node.children)

    visit("Message", {n: x for n, x in message_tree().items() if n not in FREE})
    return found


def test_every_member_of_the_dictionary_has_a_label() -> None:
    """A field added to the dictionary has no name for people until somebody gives it one."""
    assert members() - set(labels()) == set()
    assert set(labels()) - members() == set()


def test_every_leaf_of_the_episode_is_told_or_never_told_on_purpose() -> None:
    """All 382 leaves are decided, and what is shown of them has a label."""
    assert len(dictionary()) == 382
    for path in all_leaves():
        above, name = "Message", ""
        nodes = message_tree()
        for name in path.replace("[]", "").split("."):
            entry = label(above, name)
            above, nodes = kind(nodes[name]), nodes[name].children
        assert not told(path) or entry.text, path


def test_tables_name_members_that_are_there() -> None:
    """A column or a line beneath one is a member of its class."""
    known = members()
    for name, columns in TABLES.items():
        assert {(name, column) for column in columns} <= known
    for name, beneath in BENEATH.items():
        assert {(name, inner) for inners in beneath.values() for inner in inners} <= known


def test_every_told_leaf_of_the_family_stands_somewhere() -> None:
    """What is told of a path stands in the text made of the whole episode, whoever's it is."""
    tree = family()
    tree["episode"]["responsible_practitioner"] = builders.practitioner("p-lead")
    tree["episode"]["closure"] = {
        "closed_on": "2027-01-05",
        "closure_reason": "NEEDS_MET",
        "closure_summary": "The flat is dry.",
        "outcomes_achieved": [{"outcome_id": "o1", "achieved": "ACHIEVED"}],
        "step_to": {"organisation_id": "CC-A", "name": "Example Family Hub"},
        "receiving_authority": "002",
        "child_view": [{"subject_id": "s1", "text": "Good."}],
        "parent_view": [{"parent_carer_id": "c1", "text": "Good, too."}],
        "closed_by": builders.practitioner("p-lead"),
        "retention_until": "2041-05-14",
        "legal_hold": False,
    }
    held = wrapped(tree)
    marks = [one for one in said(narrated(held, "episode")) if isinstance(one, Mark)]
    shown = {origin for mark in marks for origin in (mark.origin, *mark.also)}
    expected = {
        origin.path
        for origin in leaves(held["episode"])
        if told(re.sub(r"\[\d+\]", "[]", origin.path))
    }
    missing = {
        path
        for path in expected - shown
        # one child: whose comment and relationship it is, is said by the name alone
        if not path.endswith((".relationships[0].subject_id", ".is_consent_giver"))
    }
    assert missing == set()


def test_recorded_text_is_the_same_text() -> None:
    """Recording a message changes nothing of what it says."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return value.value if isinstance(value, Mark) else value

    tree = family()
    assert plain(narrated(wrapped(tree), "episode")) == narrated(tree, "episode")


def test_a_line_names_every_leaf_that_it_was_made_of() -> None:
    """A person with role and service in one line comes from all of these leaves."""
    block = narrated(wrapped(family()), "episode.services.lead_professional")
    mark = block["parts"][0]["lines"][0]["items"][0]["text"][0]
    assert mark.value == "Mr L Lead, Family support worker, EHM-A, Family support"
    above = "episode.services.lead_professional"
    assert mark.origin == f"{above}.name"
    assert set(mark.also) == {
        f"{above}.role",
        f"{above}.organisation",
        f"{above}.service_type",
    }


def test_changing_one_leaf_changes_only_lines_that_name_it() -> None:
    """A line that does not name a leaf does not depend on it."""
    before = narrated(wrapped(family()), "episode.plan")
    tree = family()
    tree["episode"]["plan"]["desired_outcome"][0]["text"] = "Ava likes mornings."
    after = narrated(wrapped(tree), "episode.plan")
    path = "episode.plan.desired_outcome[0].text"
    for one, other in zip(said(before), said(after), strict=True):
        if isinstance(one, Mark) and one.value != other.value:
            assert path in (one.origin, *one.also)
    assert str(path) in {o for m in said(after) if isinstance(m, Mark) for o in (m.origin, *m.also)}


def test_no_internal_number_is_ever_told() -> None:
    """People and goals stand by name and words; ids, shielding and sensitivity never stand."""
    tree = family()
    text = "\n".join(str(one) for one in said(narrated(tree, "episode")))
    for inner in ("s1", "c1", "p-teach", "p-lead", "o1", "a1", "r1", "rev1", "plan1", "e1", "f1"):
        assert not re.search(rf"\b{inner}\b", text), inner
    assert "cwdc-caf-2009" not in text
    assert "Shield" not in text
    assert "ensitive" not in text


def test_a_person_whose_name_may_not_be_shown_is_not_named() -> None:
    """A comment whose author's name was cut stands without one, and an owner without one is not."""
    tree = family(parents_carers=[], assessment={}, reviews=[])
    block = narrated(tree, "episode.conclusions.parent_comment", "episode.plan.action")
    assert block["parts"][0]["words"] == {"text": ["I agree with it."]}
    rows = block["parts"][1]["table"]["rows"]
    assert rows[2]["cells"][1] == {"items": []}
    assert "c1" not in str(block)


def test_nothing_makes_no_text() -> None:
    """What is not there leaves no block, no heading and no empty line."""
    assert narrated({"episode": {}}, "episode") is None
    assert narrated({"episode": {"family": {"family_id": "f1"}}}, "episode.family") is None
    assert narrated({"episode": {"reviews": [{"review_id": "r"}]}}, "episode.reviews") is None
    assert narrated({}, "episode.plan", "message.recipients") is None


def test_columns_and_lines_without_a_value_are_not_there() -> None:
    """A table has the columns that some row needs, and no others."""
    tree = family(plan={"action": [{"id": "a1", "text": "Rest."}]})
    (part,) = narrated(tree, "episode.plan.action")["parts"]
    assert part["table"]["columns"] == ["What"]


def test_children_stand_apart_under_their_names() -> None:
    """With two children, what is about one stands in a block of that child's name."""
    tree = family()
    tree["episode"]["subjects"].append(
        builders.subject(subject_id="s2", given_names=["Ben"], elements=[])
    )
    block = narrated(tree, "episode.subjects[].gender", "episode.subjects[].elements[element=1.1]")
    titles = [part["block"]["title"] for part in block["parts"]]
    assert titles == ["Ava Rose Example", "Ben Example"]
    assert "1.1" in str(block["parts"][0])
    assert "1.1" not in str(block["parts"][1])


def test_people_may_have_the_same_name_twice() -> None:
    """A name that repeats a word keeps it."""
    tree = family(subjects=[builders.subject(given_names=["Jo", "Jo"])])
    block = narrated(tree, "episode.subjects[].given_names", "episode.subjects[].family_name")
    assert block["parts"][0]["lines"][0]["items"][0]["text"] == ["Jo Jo Example"]


def test_own_words_are_word_for_word() -> None:
    """What somebody said keeps every word and every paragraph."""
    words = 'First "paragraph".\n\nSecond, with  two spaces & a <tag>.'
    tree = family(conclusions={"child_comment": [{"subject_id": "s1", "text": words}]})
    (part,) = narrated(tree, "episode.conclusions.child_comment")["parts"]
    assert part["words"]["who"] == "Ava Rose Example"
    assert part["words"]["text"] == [
        'First "paragraph".',
        "Second, with  two spaces & a <tag>.",
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-03-03", "3 March 2026"),
        ("2026-03", "March 2026"),
        ("2026", "2026"),
        ("2024-02-29", "29 February 2024"),
        ("2026-12-31", "31 December 2026"),
    ],
)
def test_dates_are_as_people_write_them(value: str, words: str) -> None:
    """A whole or partial date keeps exactly what is known of it."""
    assert date_words(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-01-15T09:05:00Z", "15 January 2026 at 9:05am"),
        ("2026-07-15T23:30:00Z", "16 July 2026 at 12:30am"),
        ("2026-03-29T00:59:59Z", "29 March 2026 at 12:59am"),
        ("2026-03-29T01:00:00Z", "29 March 2026 at 2:00am"),
        ("2026-10-25T00:59:00Z", "25 October 2026 at 1:59am"),
        ("2026-10-25T01:00:00Z", "25 October 2026 at 1:00am"),
        ("2026-09-01T12:00:00+02:00", "1 September 2026 at 11:00am"),
    ],
)
def test_moments_are_as_clocks_in_england_showed_them(value: str, words: str) -> None:
    """Summer time begins and ends at 01:00 UTC on the last Sundays of March and October."""
    assert time_words(value) == words


def test_codes_go_by_their_display() -> None:
    """A code stands as what people call it; one that its list does not know stands as it is."""
    assert display("CL-05", "NMTH") == "Natural mother"
    assert display("CL-29", "999") == "999"
    assert display(None, "anything") == "anything"
    assert service_words("EHM-A/FSW") == ("Family support", "EHM-A")
    assert identifier_words("nhs-number", "9990000018") == "999 000 0018"
    assert identifier_words("upn-unknown", "UN1") == display("CL-25-upn-unknown", "UN1")
    assert identifier_words("upn-unknown", "UN1") != "UN1"


@pytest.mark.parametrize(
    ("raw", "harmless"),
    [
        ("a\x00b\x0bc\x1fd", "a\ufffdb\ufffdc\ufffdd"),
        ("\ud800", "\ufffd"),
        ("\x85\x9f", "\ufffd\ufffd"),
        ("\ufffe\uffff\U0001ffff", "\ufffd\ufffd\ufffd"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("\u202eabc", "\u202eabc\u202c"),
        ("\u2066a\u202bb", "\u2066a\u202bb\u202c\u2069"),
        ("\u2067closed\u2069", "\u2067closed\u2069"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("e\u0301 \U0001f600 \u200f", "e\u0301 \U0001f600 \u200f"),
    ],
)
def test_texts_are_made_harmless_and_otherwise_left_alone(raw: str, harmless: str) -> None:
    """What no document may hold is replaced, opened directions are closed; nothing else changes."""
    assert settled(raw) == harmless
