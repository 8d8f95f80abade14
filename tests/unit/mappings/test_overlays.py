"""Overlays: one partner's form of a mapping, checked like the mapping itself, shown everywhere."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.bootstrap import translator as composed
from hub.errors import Misconfigured
from hub.positioned import PositionedErrors
from hub.services.released import rehearse
from mappings.engine.catalogue import Catalogue
from mappings.engine.report import loss, report
from mappings.formats.canonical_json import read_message
from mappings.formats.wires import WIRES
from mappings.site import site_catalogue
from mappings.translator import Translator
from tests import builders
from tests.unit.mappings.sites import EPISODE, HEAD, overlay, write

GENDER = "M,=,male,\nF,=,female,\nU,=,unknown,\nI,>,other,no more is known\n"
REPLACES = """\
let: {id: https://school-a.example/Id}
codes:
  identifier-system:
    - {caf: la-child-id, way: "=", wire: https://school-a.example/pupil}
rules:
  - field: episode.subjects[].gender
    by: [{caf: gender, wire: gender, codes: gender-school-a}]
  - field: episode.subjects[].email[]
    lost: the school's system has no place for e-mail
  - field: episode.subjects[].preferred_name
    add: [{caf: preferred_name, wire: "extension[url=urn:x:called].valueString", only: out}]
  - field: episode.subjects[].characteristics.young_carer
    by: [{caf: young_carer, wire: "item[linkId=carer].answer[0].valueBoolean"}]
  - entry: family
    add: [{const: The family, wire: name}]
"""


def message() -> dict[str, Any]:
    """A message of the hub about Ava's episode."""
    return {"message": builders.header(message_type="N7"), "episode": builders.episode()}


@pytest.fixture
def both(tmp_path: Path) -> Translator:
    """A translator whose partner SCH-A has the overlay above."""
    overlay(tmp_path, REPLACES, gender_school_a=GENDER)
    return Translator(site_catalogue(tmp_path), read_message)


def child(both: Translator, partner: str) -> dict[str, Any]:
    """The Patient that *partner* gets."""
    body = both.render(EPISODE, rehearse(message()), partner=partner).body
    entries = orjson.loads(body)["entry"]
    found: dict[str, Any] = next(
        entry["resource"] for entry in entries if entry["resource"]["resourceType"] == "Patient"
    )
    return found


def test_only_the_partner_gets_its_form(both: Translator) -> None:
    """Names, rows, rules and losses are the partner's own; everybody else's are as they were."""
    mine, theirs = child(both, "SCH-A"), child(both, "SCH-B")
    systems = {identifier["system"] for identifier in mine["identifier"]}
    assert "https://school-a.example/pupil" in systems
    assert "https://school-a.example/Id/caf-subject" in systems
    assert [t["system"] for t in mine["telecom"]] == ["phone"]
    assert [t["system"] for t in theirs["telecom"]] == ["phone", "email"]
    assert {"url": "urn:x:called", "valueString": "Ava"} in mine["extension"]
    assert "school-a" not in str(theirs)


def test_the_mapping_that_rendered_is_named_with_the_overlay(both: Translator) -> None:
    """What is kept about a delivery names both versions."""
    released = rehearse(message())
    assert both.render(EPISODE, released, partner="SCH-A").mapping == "fhir-r4/episode/1+SCH-A/3"
    assert both.render(EPISODE, released, partner="SCH-B").mapping == "fhir-r4/episode/1"


def test_what_the_partner_sends_is_read_with_its_form(both: Translator) -> None:
    """What an overlay wrote it reads back: nothing unknown, and the same child."""
    body = both.render(EPISODE, rehearse(message()), partner="SCH-A").body
    found = both.read("application/fhir+json", body, partner="SCH-A")
    assert found.unmapped == ()
    tree: Any = found.message
    subject, sent = tree["episode"]["subjects"][0], builders.subject()
    assert subject["identifiers"] == sent["identifiers"]
    assert subject["characteristics"]["young_carer"] == sent["characteristics"]["young_carer"]
    assert "email" not in subject


def test_report_loss_and_explanation_show_the_overlay(both: Translator) -> None:
    """File and line of the overlay, the row of its table, its reason for what is lost."""
    one = both.mapping(EPISODE, "SCH-A")
    told = report(one, message())
    (row,) = told.explain("episode.subjects[0].gender")
    assert row.rule == f"overlays/SCH-A/{EPISODE}/overlay.yaml:11:30"
    assert row.code == f"overlays/SCH-A/{EPISODE}/codes/gender-school-a.csv:3"
    (gone,) = told.of_input("episode.subjects[0].email[0]")
    assert gone.reason == "the school's system has no place for e-mail"
    by_field = {held.caf: held for held in loss(one)}
    assert by_field["episode.subjects[].gender"].outcome == "normalised"
    assert by_field["episode.subjects[].email[]"].outcome == "lost"


def test_the_composed_hub_uses_the_site(tmp_path: Path) -> None:
    """The folder of the settings is where the hub's translator finds overlays and mappings."""
    overlay(tmp_path, REPLACES, gender_school_a=GENDER)
    both = composed("https://hub.example/fhir", tmp_path)
    assert both.render(EPISODE, rehearse(message()), partner="SCH-A").mapping.endswith("+SCH-A/3")


def test_an_overlay_of_the_canonical_format_is_read_by_its_rules(tmp_path: Path) -> None:
    """The identity, too, may be a partner's: then its own names are read."""
    head = HEAD.replace(EPISODE, "caf-json")
    write(
        tmp_path,
        "overlays/SCH-A/caf-json/overlay.yaml",
        f"{head}rules:\n  - field: episode\n"
        "    by: [{caf: episode, wire: assessment, as: same}]\n",
    )
    both = Translator(site_catalogue(tmp_path), read_message)
    body = both.render("caf-json", rehearse(builders.message()), partner="SCH-A").body
    assert "assessment" in orjson.loads(body)
    found = both.read("application/vnd.ecaf.message+json", body, partner="SCH-A")
    assert found.message["episode"] == builders.episode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "let: {idd: x}\n", "5:12: let has no idd (did you mean id?)", id="no such let"
        ),
        pytest.param(
            "codes:\n  gendre:\n    - {caf: M, way: '=', wire: male}\n",
            "7:7: no rule uses the code table gendre (did you mean gender?)",
            id="no such table",
        ),
        pytest.param(
            "codes:\n  gender:\n    - {caf: M, way: '?', wire: male}\n",
            "7:22: codes.gender[0].way must be one of =, >, <",
            id="no such way",
        ),
        pytest.param(
            "rules:\n  - field: episode.subjects[].gendre\n    lost: x\n",
            "6:12: no rule carries episode.subjects[].gendre",
            id="no such field",
        ),
        pytest.param(
            "rules:\n  - field: episode.subjects[].gender\n    wire: sex\n    lost: x\n",
            "6:12: no rule carries episode.subjects[].gender to sex",
            id="no such place",
        ),
        pytest.param(
            "rules:\n  - entry: kid\n    add: [{const: x, wire: id}]\n",
            "6:12: there is no entry kid",
            id="no such entry",
        ),
        pytest.param(
            "rules:\n  - field: episode.subjects[].gender\n    by: []\n",
            "7:9: no rules: to send nothing, write lost with the reason",
            id="replaced by nothing",
        ),
        pytest.param(
            "rules:\n  - field: episode.subjects[].gender\n    by: [{caf: gender, wire: sex}]\n",
            "7:30: FHIR Patient has no sex",
            id="wrong rule",
        ),
        pytest.param(
            "rules:\n  - field: episode.subjects[].gender\n    by: [{caf: gendre, wire: gender}]\n",
            "7:16: episode.subjects[] has no gendre",
            id="wrong field in a rule",
        ),
        pytest.param(
            "rules:\n  - field: episode.subjects[].gender\n    lost: x\n    add: []\n",
            "6:5: a change has exactly one of by, add, lost",
            id="two changes in one",
        ),
        pytest.param("rulez: []\n", "5:1: unknown key rulez (did you mean rules?)", id="no key"),
    ],
)
def test_a_fault_is_found_with_its_place(tmp_path: Path, body: str, expected: str) -> None:
    """Line, column and a caret, in the overlay's own file."""
    overlay(tmp_path, body)
    with pytest.raises(Misconfigured) as refused:
        site_catalogue(tmp_path)
    assert f"overlays/SCH-A/{EPISODE}/overlay.yaml:{expected}" in refused.value.detail
    assert "^" in refused.value.detail


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(
            HEAD.replace("mapping_version: 1", "mapping_version: 7"),
            "written for version 7 of fhir-r4/episode, which is version 1 now",
            id="another version",
        ),
        pytest.param(
            HEAD.replace("SCH-A", "SCH-B"),
            "by what it says, this file must be overlays/SCH-B/fhir-r4/episode/overlay.yaml",
            id="another partner",
        ),
        pytest.param(
            HEAD.replace(EPISODE, "caf-json"),
            "by what it says, this file must be overlays/SCH-A/caf-json/overlay.yaml",
            id="another mapping",
        ),
        pytest.param("overlay: SCH-A\n", "needs the key version", id="a head that says little"),
    ],
)
def test_an_overlay_says_what_it_is_for(tmp_path: Path, head: str, expected: str) -> None:
    """Partner, mapping and the mapping's version must be those of the folder and the catalogue."""
    overlay(tmp_path, "let: {id: x}\n", head)
    with pytest.raises(Misconfigured) as refused:
        site_catalogue(tmp_path)
    assert expected in refused.value.detail


def test_an_unknown_mapping_is_named_with_what_there_is(tmp_path: Path) -> None:
    """An overlay of nothing does not load."""
    text = HEAD.replace(EPISODE, "fhir-r4/episodes")
    write(tmp_path, "overlays/SCH-A/fhir-r4/episodes/overlay.yaml", text)
    with pytest.raises(
        Misconfigured, match="no mapping fhir-r4/episodes that loads: fhir-r4/episode"
    ):
        site_catalogue(tmp_path)


def test_a_table_that_nobody_uses_is_a_fault(tmp_path: Path) -> None:
    """A file in the overlay's codes that replaces nothing was meant to."""
    overlay(tmp_path, "", gendr=GENDER)
    with pytest.raises(Misconfigured, match="no rule uses the code table gendr"):
        site_catalogue(tmp_path)


def test_a_code_without_a_row_is_a_fault_of_the_overlay_too(tmp_path: Path) -> None:
    """Whole tables are checked against the code list, with the overlay's file."""
    overlay(tmp_path, "", gender="M,=,male,\n")
    with pytest.raises(Misconfigured) as refused:
        site_catalogue(tmp_path)
    said = f"overlays/SCH-A/{EPISODE}/codes/gender.csv has no row for F, U, I of CL-01"
    assert said in refused.value.detail


def test_every_fault_of_every_overlay_is_found_at_once(tmp_path: Path) -> None:
    """Two overlays with two faults each are four errors."""
    body = "let: {idd: x}\nrules:\n  - field: episode.nothing\n    lost: x\n"
    overlay(tmp_path, body)
    write(tmp_path, f"overlays/SCH-B/{EPISODE}/overlay.yaml", HEAD.replace("SCH-A", "SCH-B") + body)
    with pytest.raises(Misconfigured) as refused:
        site_catalogue(tmp_path)
    assert len(refused.value.faults) == 4


def test_an_overlay_may_send_what_the_mapping_loses(tmp_path: Path) -> None:
    """Who maps a field that the mapping declares lost is not contradicted by it."""
    overlay(
        tmp_path,
        "rules:\n  - entry: child_episode\n    add:\n"
        "      - {caf: /episode.index_checked_at, wire: 'extension[url=urn:x:c].valueDateTime'}\n",
    )
    one = site_catalogue(tmp_path).format(EPISODE, "SCH-A")
    assert one is not None
    by_field = {row.caf: row for row in loss(one)}
    assert by_field["episode.index_checked_at"].outcome == "kept"
    assert by_field["episode.index_check_result"].outcome == "lost"


def test_a_branch_can_be_lost_for_a_partner(tmp_path: Path) -> None:
    """A field that is a place takes every rule below it, lists and all."""
    overlay(tmp_path, "rules:\n  - field: episode.subjects[].address[]\n    lost: kept elsewhere\n")
    one = site_catalogue(tmp_path).format(EPISODE, "SCH-A")
    assert one is not None
    rows = [row for row in loss(one) if row.caf.startswith("episode.subjects[].address[]")]
    assert {(row.outcome, row.reason) for row in rows} == {("lost", "kept elsewhere")}
    entries = one.compiled.render(message())["entry"]
    patients = [
        held["resource"] for held in entries if held["resource"]["resourceType"] == "Patient"
    ]
    assert "Example Terrace" not in str(patients)


def test_a_site_has_mappings_of_its_own(tmp_path: Path) -> None:
    """They come to what is shipped, and may not take its name."""
    text = (
        "mapping: county/1\nversion: 1\nformat: json\ncontent_type: application/vnd.county+json\n"
        "envelope:\n  resource: D\n  rules:\n    - {caf: episode, wire: e, as: same}\n"
        "lost:\n"
        + "".join(
            f"  - {{caf: {name}, reason: not theirs}}\n"
            for name in (
                *("message", "event", "event_detail", "notification", "consent_decision"),
                *("contribution", "acknowledgement", "disclosure"),
            )
            if name != "notification"
        )
    )
    write(tmp_path, "catalogue/county/1/mapping.yaml", text)
    assert "county/1" in site_catalogue(tmp_path).formats
    write(tmp_path, "catalogue/caf-json/mapping.yaml", text.replace("county/1", "caf-json"))
    with pytest.raises(Misconfigured, match="caf-json is shipped: change it with an overlay"):
        site_catalogue(tmp_path)


def test_two_mappings_that_read_the_same_are_a_fault(tmp_path: Path) -> None:
    """A message that two mappings would read is read by neither: say accepts."""
    text = (
        "mapping: {name}\nversion: 1\nformat: json\ncontent_type: application/vnd.x+json\n"
        "envelope:\n  resource: D\n  rules:\n"
        + "".join(
            f"    - {{{{caf: {name}, wire: {name}, as: same}}}}\n"
            for name in (
                *("message", "event_detail", "consent_decision", "episode"),
                *("contribution", "acknowledgement", "disclosure"),
            )
        )
        + "    - {{caf: event, wire: event}}\n"
    )
    for name in ("one", "two"):
        write(tmp_path, f"{name}/mapping.yaml", text.format(name=name))
    with pytest.raises(PositionedErrors) as refused:
        Catalogue(WIRES, folder=tmp_path)
    assert "one reads every kind of message of this content type too" in str(refused.value)
