"""The table of wrong inputs, through the reader and the rules of the whole."""

import traceback

import pytest

from hub.domain.checks import check_episode
from hub.domain.merge import merge
from hub.errors import Fault, InvalidContent, Rejected
from mappings.formats.canonical_json import read_message
from tests import builders
from tests.acceptance.wrong_inputs import CANARY, WRONG_INPUTS, Wrong


def _told(wrong: Wrong) -> Rejected:
    """Return what the sender is told."""
    if wrong.stage == "read":
        with pytest.raises(Rejected) as refused:
            read_message(wrong.raw)
        return refused.value
    tree, _ = read_message(wrong.raw)
    merged = merge(None, tree["episode"], writable=lambda _: True)
    faults = check_episode(merged, whole=True, at="/episode")
    return InvalidContent(faults[0].code, "not a whole episode", faults)


@pytest.mark.parametrize("wrong", WRONG_INPUTS, ids=lambda wrong: wrong.name)
def test_a_wrong_input_is_told_its_code_and_place(wrong: Wrong) -> None:
    """Each wrong input is refused with its code at its place, and its list if it has one."""
    faults = {(fault.code.value, fault.path): fault for fault in _told(wrong).faults}
    assert (wrong.code, wrong.path) in faults
    assert faults[wrong.code, wrong.path].code_list == wrong.code_list


@pytest.mark.parametrize("wrong", WRONG_INPUTS, ids=lambda wrong: wrong.name)
def test_a_refusal_repeats_nothing_of_the_input(wrong: Wrong) -> None:
    """No text that a refusal can reach, its traceback included, holds a value of the input."""
    refused = _told(wrong)
    text = repr(refused) + "".join(traceback.format_exception(refused))
    assert CANARY not in text
    assert "Ava" not in text
    assert "9990000018" not in text


def test_the_table_is_long_and_says_everything_once() -> None:
    """At least a hundred wrong inputs, no two of one name."""
    names = [wrong.name for wrong in WRONG_INPUTS]
    assert len(names) >= 100
    assert len(set(names)) == len(names)


def test_everything_wrong_is_told_at_once() -> None:
    """A message with faults of every kind is told all of them in one answer."""
    tree = builders.message()
    for pointer, value in (
        ("/episode/subjects/0/gender", "Female"),
        ("/episode/subjects/0/shoe_size", CANARY),
        ("/episode/subjects/0/identifiers/0/value", "9990000019"),
        ("/episode/subjects/0/elements/4/element", "1.4"),
        ("/episode/opened_at", "yesterday"),
        ("/message/deletes", ["nothing"]),
    ):
        tree = builders.changed(tree, pointer, value)
    with pytest.raises(InvalidContent) as refused:
        read_message(builders.wire(tree))
    assert {(fault.code.value, fault.path) for fault in refused.value.faults} == {
        ("E_CODELIST", "/episode/subjects/0/gender"),
        ("E_UNKNOWN_FIELD", "/episode/subjects/0/shoe_size"),
        ("E_IDENTIFIER_CHECK", "/episode/subjects/0/identifiers/0/value"),
        ("E_RULE", "/episode/subjects/0/elements/4/element"),
        ("E_FORMAT", "/episode/opened_at"),
        ("E_UNKNOWN_FIELD", "/message/deletes/0"),
    }


def test_a_hundred_faults_are_enough() -> None:
    """However much is wrong, the answer stays readable."""
    tree = builders.changed(builders.message(), "/episode/subjects/0/contact_tel", [""] * 500)
    with pytest.raises(InvalidContent) as refused:
        read_message(builders.wire(tree))
    assert len(refused.value.faults) == 100
    assert all(isinstance(fault, Fault) for fault in refused.value.faults)
