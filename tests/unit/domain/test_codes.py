"""The code lists: all of section 3 of the dictionary, as data, closed unless said otherwise."""

import re
from importlib.resources import files
from typing import Final

import pytest

from hub.domain.codes import Standing, check, code_list, list_ids
from hub.domain.dictionary import leaves, walk
from hub.domain.messages import message_tree

# How many codes `domain.md` section 3 gives each list (CL-23b: UNAVAILABLE is of 7.1).
COUNTS = {
    "CL-00": 5, "CL-01": 4, "CL-02": 20, "CL-03": 9, "CL-04": 184 + 7 + 12, "CL-05": 47, "CL-06": 3,
    "CL-06b": 12, "CL-07": 13, "CL-08": 12, "CL-09": 17, "CL-10": 33, "CL-11": 41, "CL-11-tier": 4,
    "CL-12": 32, "CL-13": 35, "CL-14": 19, "CL-15": 5, "CL-16": 5, "CL-17": 22, "CL-17b": 4,
    "CL-17c": 6, "CL-18": 16, "CL-18b": 3, "CL-19": 14, "CL-20": 13, "CL-21a": 9, "CL-21b": 8,
    "CL-21c": 7, "CL-21d": 5, "CL-21e": 4, "CL-21f": 8, "CL-21g": 3, "CL-21h": 5, "CL-22": 6,
    "CL-22b": 5, "CL-22c": 4, "CL-22d": 5, "CL-23": 17, "CL-23b": 5 + 1, "CL-24": 3, "CL-24b": 5,
    "CL-25": 12, "CL-26": 7, "CL-26b": 3, "CL-27": 5, "CL-28": 7, "CL-28b": 7, "CL-30": 42,
    "CL-31": 10, "CL-32": 16, "lp-state": 5, "sections": 25,
}  # fmt: skip


@pytest.mark.parametrize("list_id", COUNTS)
def test_a_list_holds_as_many_codes_as_the_dictionary_gives(list_id: str) -> None:
    """No code of the data dictionary was left out, and none was made up."""
    assert len(code_list(list_id).codes) == COUNTS[list_id]


def test_every_list_says_what_it_is() -> None:
    """Every list has an id, a version, a day from which it counts, a title, and displays."""
    for list_id in list_ids():
        known = code_list(list_id)
        assert known.list_id == list_id
        assert known.version
        assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", known.effective_from)
        assert known.title
        assert known.codes
        assert all(code.display for code in known.codes.values())


def test_no_data_file_is_without_a_row_in_the_manifest() -> None:
    """A list that the manifest does not name cannot be used, so it must not lie about."""
    folder = files("hub.domain").joinpath("code_lists")
    found = {path.name.removesuffix(".csv") for path in folder.iterdir()} - {"lists"}
    assert found == set(list_ids())


def test_every_list_that_a_field_names_exists() -> None:
    """A coded leaf whose list is missing would accept anything, or nothing."""
    named = {leaf.codes for leaf in walk(message_tree()) if leaf.codes is not None}
    assert named <= set(list_ids())


OF_NO_FIELD: Final = {
    "CL-01-ssd-gender": "the dataset's words, for a site's own tables",
    "CL-01-ssd-sex": "the same",
    "CL-10-minimal": "a shorter set than CL-10, for a site's own tables",
    "CL-25-upn-unknown": "the value of an identifier whose system is upn-unknown (CL-25)",
    "CL-26": "name use: each of its codes is a field of its own here (preferred_name, aka …)",
    "CL-30": "assessment factors: no field of `domain.md` section 2 asks for them, nor a form",
    "CL-31": "headline outcomes: no field of `domain.md` section 2 asks for them, nor a form",
    "CL-32": "codes of refusals",
}
"""Lists that no field of the dictionary names, and why they are here (D-50)."""


def test_a_list_of_no_field_has_a_reason() -> None:
    """A list that nothing can say is known, so that a field cannot lose its list unseen."""
    named = {leaf.codes for leaf in walk(message_tree()) if leaf.codes is not None}
    assert set(list_ids()) - named == OF_NO_FIELD.keys()


def test_only_the_authorities_are_open() -> None:
    """CL-29 alone flags what it does not know; every other list refuses it."""
    assert [list_id for list_id in list_ids() if code_list(list_id).open] == ["CL-29"]
    assert check("CL-29", "213") is Standing.KNOWN
    assert check("CL-29", "999") is Standing.FLAGGED
    assert check("CL-29", "99") is Standing.REFUSED
    assert check("CL-29", "٩٩٩") is Standing.REFUSED
    assert check("CL-02", "CHNE") is Standing.KNOWN
    assert check("CL-02", "CNHE") is Standing.REFUSED


def test_the_authorities_are_those_of_the_upn_list() -> None:
    """Ranges are spelt out, with the pseudo authorities of test data beside the real ones."""
    codes = code_list("CL-29").codes
    assert {"001", "005", "213", "330", "384", "941"} <= set(codes)
    assert not {"000", "006", "200", "214", "345", "942", "950", "243"} & set(codes)
    assert {code.code for code in codes.values() if code.attributes["kind"] == "pseudo"} == {
        f"00{number}" for number in range(1, 6)
    }


def test_elements_name_their_section_and_sensitivity() -> None:
    """CL-14 fixes both; every section that it names is a section, every tag a tag."""
    sections = set(code_list("sections").codes)
    for code in code_list("CL-14").codes.values():
        assert code.attributes["section"] in sections
        assert set(code.attributes["sensitivity"].split()) <= {"ADD", "SEN", "THP"}
    assert code_list("CL-14").codes["3.1"].attributes["sensitivity"] == "THP SEN"


def test_every_leaf_stands_in_a_section() -> None:
    """Whatever the dictionary calls a section is in the list, or is fixed by the element's code."""
    sections = set(code_list("sections").codes)
    assert {leaf.section for leaf in leaves().values()} - {"by element"} <= sections


def test_services_name_tier_and_sensitivity() -> None:
    """CL-11 says of each service its tier, and whether its very name tells something."""
    services = code_list("CL-11").codes
    assert services["CAMHS"].attributes["sensitive"] == "yes"
    assert services["SCH"].attributes["sensitive"] == "no"
    assert services["OTH"].attributes["sensitive"] == "ask"
    tiers = set(code_list("CL-11-tier").codes)
    assert {code.attributes["tier"] for code in services.values()} <= tiers | {""}


def test_the_ethnicity_crosswalk_marks_what_cannot_be_derived() -> None:
    """A code without an equal on the other side has an empty cell, never a guess."""
    codes = code_list("CL-02").codes
    assert codes["WROM"].attributes["ons2021"] == ""
    assert codes["OOTH"].attributes["ons2021"] == ""
    assert codes["WIRT"].attributes["ons2021_exact"] == "no"
    assert codes["WBRI"].attributes["ons2001"] == "A"
    others = {code for code, held in codes.items() if held.attributes["other_text"] == "yes"}
    assert others == {"WOTH", "BOTH", "AOTH", "MOTH", "OOTH"}


def test_an_unknown_list_is_our_mistake() -> None:
    """Asking for a list that does not exist is an error of the program, not of a sender."""
    with pytest.raises(KeyError):
        code_list("CL-99")
