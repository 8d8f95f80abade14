"""Other people's parsers read what we write, and we read what they build.

hl7apy drops segments that it does not expect (`standards.md`, finding 2), so every parse counts
them; python-hl7 knows no structure and reads everything.
"""

from pathlib import Path

import hl7
import pytest
from hl7apy.core import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.commands import translator
from mappings.formats.hl7v2_characters import STANDARD, escaped, unescaped
from mappings.formats.hl7v2_wire import Hl7v2Wire
from tests import builders
from tests.property.families import HOSTILE, families
from tests.property.families import message as about_episode
from tests.property.laws import rendered_or_refused
from tests.unit.hl7v2.messages import GOLDENS, golden, messages, read_by_hl7apy, rendered


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parts[-4]}/{path.parts[-2]}")
def test_hl7apy_finds_nothing_wrong_with_a_golden(path: Path, tmp_path: Path) -> None:
    """Structure, cardinality and data types hold, and no segment was dropped."""
    for number, message in enumerate(messages(golden(path))):
        report = tmp_path / f"{number}.txt"
        read_by_hl7apy(message).validate(report_file=str(report))
        told = [line for line in report.read_text().splitlines() if not line.startswith("Warning")]
        assert told == []


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parts[-4]}/{path.parts[-2]}")
def test_python_hl7_reads_a_golden_as_we_do(path: Path) -> None:
    """Segments, fields and their number agree."""
    for message in messages(golden(path)):
        theirs = hl7.parse(message)
        assert [str(segment[0]) for segment in theirs] == [
            line[:3] for line in message.split("\r") if line
        ]
        assert str(theirs) == message


@pytest.mark.parametrize("name", ["hl7v2/ref-i12", "hl7v2/adt-person"])
@settings(max_examples=6)
@given(data=st.data())
def test_other_parsers_read_generated_families(name: str, data: st.DataObject) -> None:
    """Whatever a family says, both read every message with every segment."""
    raw = rendered_or_refused(name, about_episode(data.draw(families())))
    if raw is None:
        return
    for message in messages(raw):
        read_by_hl7apy(message)
        assert len(hl7.parse(message)) == message.count("\r")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_python_hl7_understands_our_escapes(text: str) -> None:
    """What we escape comes out of another parser as it went in: its own escaper is wrong both ways
    about lines, so that only delimiters are compared with it, and everything with ours.
    """
    told = escaped(text)
    assert unescaped(told, STANDARD, "utf-8", lambda _: None) == text
    bare = f"x{text}y".translate(dict.fromkeys(map(ord, "\n\r\t"), " "))  # it strips the ends
    message = hl7.parse(f"MSH|^~\\&|\rNTE|1||{escaped(bare)}\r")
    assert message.unescape(str(message.segment("NTE")[3])) == bare


def test_we_read_what_hl7apy_builds() -> None:
    """A message that another library made comes in with every field that CAF has a place for."""
    made = Message("REF_I12", version="2.5.1")
    made.msh.msh_3 = "CMS"
    made.msh.msh_7 = "20260901090000+0000"
    made.msh.msh_9 = "REF^I12^REF_I12"
    made.msh.msh_10 = "H1"
    made.msh.msh_11 = "P"
    made.msh.msh_18 = "UNICODE UTF-8"
    made.add_segment("RF1")
    made.rf1.rf1_6 = "e1^CAFHUB"
    contact = made.add_group("REF_I12_PROVIDER_CONTACT")
    contact.prd.prd_1 = "RP"
    made.pid.pid_3 = "s1^^^CAFHUB^PI"
    made.pid.add_field("PID_3").value = "9990000018^^^NHS^NH"
    made.pid.pid_5 = "Example^Zoë"
    made.pid.pid_7 = "201605"
    observation = made.add_group("REF_I12_OBSERVATION")
    observation.obr.obr_4 = "IDENTITY^^ECAF"
    results = observation.add_group("REF_I12_RESULTS_NOTES")
    results.obx.obx_2 = "CE"
    results.obx.obx_3 = "is_unborn^^ECAF"
    results.obx.obx_5 = "N^^HL70136"
    results.obx.obx_11 = "F"
    found = translator().read("application/hl7-v2", made.to_er7().encode(), partner="")
    assert found.message["episode"]["subjects"] == [
        {
            "subject_id": "s1",
            "identifiers": [{"system": "nhs-number", "value": "9990000018"}],
            "family_name": "Example",
            "given_names": ["Zoë"],
            "date_of_birth": "2016-05",
            "is_unborn": False,
        }
    ]


def test_we_read_what_python_hl7_builds() -> None:
    """The same for the library that knows no structure."""
    header = "MSH|^~\\&|CMS|001|||20260901090000+0000||REF^I12|P1|P|2.4||||||UNICODE UTF-8"
    made = hl7.parse(f"{header}\rRF1||||||e1^CAFHUB\rPRD|RP\rPID|1||s1^^^CAFHUB^PI\r")
    made.append(hl7.Segment("|", [hl7.Field("~", ["OBR"]), *["1", "", "", "IDENTITY^^ECAF"]]))
    made.append(
        hl7.Segment(
            "|",
            [
                hl7.Field("~", ["OBX"]),
                "1",
                "CE",
                "is_unborn^^ECAF",
                "",
                "Y^^HL70136",
                *[""] * 5,
                "F",
            ],
        )
    )
    document = Hl7v2Wire().parse(str(made).encode())
    found = translator().catalogue.formats["hl7v2/ref-i12"].compiled.read(document)
    assert found.unmapped == ()
    assert found.message["episode"]["subjects"] == [{"subject_id": "s1", "is_unborn": True}]


def test_a_whole_family_is_in_order_for_hl7apy() -> None:
    """The family of the scenario, with every group, validates."""
    (message,) = messages(rendered("hl7v2/ref-i12", builders.episode()))
    assert read_by_hl7apy(message).validate()
