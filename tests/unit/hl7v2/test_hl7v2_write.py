"""What is written: in the order of the structure, with counted set ids, and nothing unlawful."""

import copy
from typing import Any

import pytest

from hub.errors import Rejected
from mappings.formats.hl7v2_read import read
from mappings.formats.hl7v2_write import write

MESSAGE: dict[str, Any] = {
    "MSH": {"7": "2026-09-01T09:00:00Z", "9": {"1": "REF", "2": "I12", "3": "REF_I12"}, "10": "X1",
            "11": {"1": "P"}},
    "OBSERVATION": [
        {
            "RESULTS": [
                {"NTE": [{"3": ["n"]}], "OBX": {"5": ["a"], "2": "ST", "3": {"1": "q"}, "11": "F"}},
                {"OBX": {"2": "ST", "3": {"1": "r"}, "11": "F"}},
            ],
            "OBR": {"4": {"1": "O"}},
            "NTE": [{"3": ["one"]}, {"3": ["two"]}],
        },
        {"OBR": {"4": {"1": "O"}}, "RESULTS": [{"OBX": {"2": "ST", "3": {"1": "q"}, "11": "F"}}]},
    ],
    "PID": {"5": [{"7": "U"}], "3": [{"1": "s1"}]},
    "PROVIDER_CONTACT": [{"PRD": {"1": [{"1": "RT"}]}}],
    "NK1": [{"2": [{"text": "Mia"}]}, {"2": [{"text": "Gus"}]}],
}  # fmt: skip


def lines(*messages: dict[str, Any]) -> list[str]:
    """Return the segments that are written."""
    raw = write(messages, check=True)
    assert raw.endswith(b"\r")
    assert b"\n" not in raw
    return raw.decode().split("\r")[:-1]


def test_segments_stand_in_order_and_are_counted() -> None:
    """Set ids count in their group: results in their observation, notes below what they follow."""
    assert [line[:8] for line in lines(MESSAGE)] == [
        *("MSH|^~\\&", "PRD|RT", "PID|1||s", "NK1|1|Mi", "NK1|2|Gu"),
        *("OBR|1|||", "NTE|1||o", "NTE|2||t", "OBX|1|ST", "NTE|1||n", "OBX|2|ST"),
        *("OBR|2|||", "OBX|1|ST"),
    ]


def test_the_header_says_version_and_character_set() -> None:
    """MSH-12 is 2.4 and MSH-18 UTF-8, whatever the message was made of."""
    fields = lines(MESSAGE)[0].split("|")
    assert fields[11] == "2.4"
    assert fields[17] == "UNICODE UTF-8"
    assert fields[6] == "20260901090000+0000"


def test_messages_stand_one_behind_the_other() -> None:
    """Each begins with its own header."""
    assert [line[:3] for line in lines(MESSAGE, MESSAGE)].count("MSH") == 2


def without(path: str) -> dict[str, Any]:
    """Return the message without what stands at *path*."""
    made = copy.deepcopy(MESSAGE)
    *above, last = path.split("/")
    here: Any = made
    for step in above:
        here = here[int(step)] if isinstance(here, list) else here[step]
    del here[last]
    return made


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("PID", "message[0].PID"),
        ("PROVIDER_CONTACT", "message[0].PROVIDER_CONTACT"),
        ("PID/3", "message[0].PID.3"),
        ("PID/5", "message[0].PID.5"),
        ("OBSERVATION/0/OBR", "message[0].OBSERVATION[0].OBR"),
        ("OBSERVATION/0/RESULTS/0/OBX/3", "message[0].OBSERVATION[0].RESULTS[0].OBX.3"),
        ("OBSERVATION/0/RESULTS/0/OBX/11", "message[0].OBSERVATION[0].RESULTS[0].OBX.11"),
        ("MSH/10", "message[0].MSH.10"),
        ("MSH/9", "message[0].MSH.9"),
    ],
)
def test_what_the_standard_demands_is_never_left_out(path: str, place: str) -> None:
    """A message that lacks it is refused with the place, not sent."""
    with pytest.raises(Rejected) as refused:
        write([without(path)], check=True)
    assert refused.value.code == "E_MAPPING"
    assert place in [fault.path for fault in refused.value.faults]


@pytest.mark.parametrize("name", ["DG1", "PATIENT"])
def test_a_segment_out_of_place_is_refused(name: str) -> None:
    """What the structure has no place for is not sent."""
    with pytest.raises(Rejected) as refused:
        write([{**MESSAGE, name: [{}]}], check=True)
    assert f"message[0].{name}" in [fault.path for fault in refused.value.faults]


def test_nothing_to_say_is_refused() -> None:
    """A document without messages is never an empty delivery."""
    with pytest.raises(Rejected):
        write([], check=True)


@pytest.mark.parametrize("control", ["\x00", "\x0b", "\x1c", "\x7f", "\x85"])
def test_a_control_character_is_never_sent(control: str) -> None:
    """A frame cannot be broken from inside, whatever came past the doors."""
    message = {**MESSAGE, "NK1": [{"2": [{"text": f"Mia{control}"}]}]}
    with pytest.raises(Rejected) as refused:
        write([message], check=False)
    fault = refused.value.faults[0]
    assert (fault.code, fault.path) == ("E_CONTROL_CHAR", "message[0].NK1[0].2")


@pytest.mark.parametrize(
    "text",
    ["|^~&\\", '""', "\\F\\", "\\.br\\", "a\nb\r\nc\td", "MSH|^~\\&|", " x ", "é😀", "\u2028", "#"],
)
def test_whatever_people_type_stays_text(text: str) -> None:
    """In a name of parts, a whole name, a line, a number, a code and a comment."""
    message = copy.deepcopy(MESSAGE)
    message["PID"]["5"] = [{"1": {"1": text}, "given": [text, text, text]}]
    message["PID"]["11"] = [{"line": [text, text], "5": text}]
    message["PID"]["13"] = [{"kind": "tel", "1": text, "2": "PRN", "3": "PH"}]
    message["PID"]["3"] = [{"1": text, "4": {"1": text}}]
    message["NK1"][0]["2"] = [{"text": text}]
    message["OBSERVATION"][0]["NTE"] = [{"3": [text]}]
    message["OBSERVATION"][0]["RESULTS"][1]["OBX"]["16"] = {"1": text, "text": text}
    (back,) = read(write([message], check=True))
    assert back == message
