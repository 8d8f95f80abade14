"""The engine alone, on mappings of a few lines: circles, keys, bounds, constants, conditions."""

import gc
import textwrap
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Rejected
from mappings.engine.compiled import MAX_ENTRIES, Compiled
from mappings.engine.load import load
from mappings.formats.fhir_json import FhirJson

HEAD = """\
mapping: try
version: 1
format: fhir-r4
content_type: application/fhir+json
envelope:
  resource: Bundle{type=message}
  rules: []
entries:
"""


def compiled(folder: Path, entries: str) -> Compiled:
    """A mapping of these entries, compiled without the check that every leaf is named."""
    (folder / "mapping.yaml").write_text(HEAD + textwrap.indent(textwrap.dedent(entries), "  "))
    return Compiled(load(folder, folder, {}, "try"), FhirJson())


def children(*subjects: dict[str, Any]) -> dict[str, Any]:
    """A message about these children."""
    return {"message": {"message_id": "m1"}, "episode": {"subjects": list(subjects)}}


LINKED = """\
child:
  resource: Patient
  each: episode.subjects[]
  key: subject_id
  rules:
    - caf: subject_id
      wire: identifier[system=urn:x].value
    - caf: preferred_name
      wire: link[type=seealso].other.reference
      to: child
    - const: "true"
      wire: active
"""


def test_a_reference_to_another_entry_goes_and_comes(tmp_path: Path) -> None:
    """A key on the canonical side is a reference on the wire, and a key again."""
    one = compiled(tmp_path, LINKED)
    tree = children({"subject_id": "a", "preferred_name": "b"}, {"subject_id": "b"})
    document = one.render(tree)
    first, second = document["entry"]
    assert first["resource"]["link"][0]["other"]["reference"] == second["fullUrl"]
    assert one.read(document).message["episode"] == tree["episode"]


def test_an_entry_that_refers_to_itself_does_not_hang(tmp_path: Path) -> None:
    """A circle of references in received bytes is named as unmapped, and reading goes on."""
    one = compiled(tmp_path, LINKED)
    document = one.render(children({"subject_id": "a", "preferred_name": "b"}, {"subject_id": "b"}))
    first = document["entry"][0]
    first["resource"]["link"][0]["other"]["reference"] = first["fullUrl"]
    found = one.read(document)
    assert "entry[0].resource.link[0].other.reference" in found.unmapped
    assert [child["subject_id"] for child in found.message["episode"]["subjects"]] == ["a", "b"]


def test_a_constant_that_says_otherwise_is_unmapped(tmp_path: Path) -> None:
    """A place that the mapping fixes and a stranger fills differently is named."""
    one = compiled(tmp_path, LINKED)
    document = one.render(children({"subject_id": "a"}))
    document["entry"][0]["resource"]["active"] = False
    assert one.read(document).unmapped == ("entry[0].resource.active",)


def test_two_items_of_one_key_are_refused(tmp_path: Path) -> None:
    """Two children with one id would be one address; the mapping fails instead."""
    with pytest.raises(Rejected, match="same key"):
        compiled(tmp_path, LINKED).render(children({"subject_id": "a"}, {"subject_id": "a"}))


def test_a_document_has_a_bounded_number_of_entries(tmp_path: Path) -> None:
    """Output is bounded whatever the input."""
    many = [{"subject_id": f"s{number}"} for number in range(MAX_ENTRIES + 1)]
    with pytest.raises(Rejected, match="entries"):
        compiled(tmp_path, LINKED).render(children(*many))


CONDITIONS = """\
child:
  resource: Patient
  each: episode.subjects[]
  key: subject_id
  rules:
    - caf: subject_id
      wire: id
    - const: male
      wire: gender
      when: {present: given_names}
    - const: female
      wire: gender
      when: {absent: given_names}
    - const: usual
      wire: name[use=old].family
      when: {any: [family_name, email]}
family:
  resource: Group{type=person,actual=true}
  when: {several: episode.subjects}
  rules:
    - refer_all: child
      wire: member[].entity.reference
"""


def test_conditions_choose(tmp_path: Path) -> None:
    """Present, absent (an empty list is absent), any, several."""
    one = compiled(tmp_path, CONDITIONS)
    document = one.render(
        children({"subject_id": "a", "given_names": ["x"]}, {"subject_id": "b", "given_names": []})
    )
    genders = [e["resource"].get("gender") for e in document["entry"]]
    assert genders == ["male", "female", None]
    group = document["entry"][2]["resource"]
    assert group["actual"] is True
    assert len(group["member"]) == 2
    assert len(one.render(children({"subject_id": "a"}))["entry"]) == 1


def test_what_only_conditions_hold_is_not_made_when_none_holds(tmp_path: Path) -> None:
    """No empty shell: a slice whose only content is conditional stays away with its constants."""
    one = compiled(tmp_path, CONDITIONS)
    (entry,) = one.render(children({"subject_id": "a"}))["entry"]
    assert "name" not in entry["resource"]
    (entry,) = one.render(children({"subject_id": "a", "family_name": "x"}))["entry"]
    assert entry["resource"]["name"] == [{"use": "old", "family": "usual"}]


BLOCKS = """\
child:
  resource: Patient
  each: episode.subjects[]
  key: subject_id
  rules:
    - caf: subject_id
      wire: id
    - caf: gp_practice
      wire: generalPractitioner[0].reference
      to: practice
practice:
  resource: Organization
  of: Organisation
  key: name
  rules:
    - caf: name
      wire: name
    - caf: contact_tel
      wire: telecom[system=phone].value
"""


def test_equal_blocks_share_an_entry_and_others_do_not(tmp_path: Path) -> None:
    """One practice twice is one Organization; the same name with another telephone is another."""
    one = compiled(tmp_path, BLOCKS)
    tree = children(
        {"subject_id": "a", "gp_practice": {"name": "P", "contact_tel": "1"}},
        {"subject_id": "b", "gp_practice": {"name": "P", "contact_tel": "1"}},
        {"subject_id": "c", "gp_practice": {"name": "P", "contact_tel": "2"}},
    )
    document = one.render(tree)
    kinds = [entry["resource"]["resourceType"] for entry in document["entry"]]
    assert kinds == ["Patient"] * 3 + ["Organization"] * 2
    assert one.read(document).message["episode"] == tree["episode"]


def test_nothing_of_a_message_waits_for_the_garbage_collector(tmp_path: Path) -> None:
    """What is read, and what it was read from, is free when the caller lets go of it."""
    one = compiled(tmp_path, LINKED)
    document = one.render(children({"subject_id": "s1"}, {"subject_id": "s2"}))
    one.read(document)
    gc.collect()
    gc.disable()
    try:
        assert one.read(document).unmapped == ()
        assert gc.collect() == 0
    finally:
        gc.enable()
