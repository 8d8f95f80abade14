"""The tokenizer: any lawful delimiters, escapes, line ends and character sets; nothing dropped."""

import json
from typing import Any

import pytest

from mappings.formats.hl7v2_characters import STANDARD
from mappings.formats.hl7v2_dates import moment_in
from mappings.formats.hl7v2_definitions import SEGMENTS
from mappings.formats.hl7v2_easy import reads
from mappings.formats.hl7v2_fields import Reader
from mappings.formats.hl7v2_read import read
from mappings.formats.hl7v2_wire import Hl7v2Wire
from mappings.formats.hl7v2_write import write

HEADER = "MSH|^~\\&|A|001|||20260901090000+0000||REF^I12^REF_I12|1|P|2.4||||||UNICODE UTF-8"


def one(*segments: str, header: str = HEADER, end: str = "\r", codec: str = "utf-8") -> Any:
    """Read one message of *segments*."""
    (message,) = read(end.join((header, *segments)).encode(codec))
    return message


def note(text: str) -> Any:
    """Read *text* as a comment."""
    return one(f"NTE|1||{text}")["NTE"][0]


def field(name: str, number: int, text: str) -> Any:
    """Return what field *number* of the segment *name* says, with what stands beside it."""
    message = one(name + "|" * number + text)
    segment = message[name]
    return segment[0] if isinstance(segment, list) else segment


@pytest.mark.parametrize("signs", ["^~\\&", "!*%@", ":;'\"", "^~", "^~\\", "^~\\&#", "&^~\\"])
def test_any_lawful_delimiters_are_obeyed(signs: str) -> None:
    """What MSH-1 and MSH-2 declare separates, and nothing else does."""
    component = signs[0]
    for separator in "|#$":
        if separator in signs:
            continue
        line = (
            f"MSH{separator}{signs}"
            + separator * 7
            + component.join(["REF", "I12"])
            + separator.join(["", "1", "P", "2.4"])
        )
        person = separator.join(["PID", "", "", "", "", component.join(["Example", "Ava"])])
        (message,) = read(f"{line}\r{person}".encode())
        assert message["PID"]["5"] == [{"1": {"1": "Example"}, "given": ["Ava"]}]


def test_a_delimiter_that_is_not_declared_is_a_letter() -> None:
    """With two characters in MSH-2, a backslash and an ampersand mean themselves."""
    (message,) = read(b"MSH|^~|||||||REF^I12|1|P|2.4\rNTE|1||A&E \\F\\ 50\\")
    assert message["NTE"] == [{"3": ["A&E \\F\\ 50\\"]}]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("\\F\\\\S\\\\R\\\\T\\\\E\\", "|^~&\\"),
        ("a\\.br\\b", "a\nb"),
        ("a\\.sp2\\b", "a\n\nb"),
        ("a\\.ce\\b", "a\nb"),
        ("a\\.sk3\\b", "a   b"),
        ("a\\X0D\\\\.br\\b", "a\r\nb"),
        ("\\XC3A9\\", "é"),
        ("\\X2222\\", '""'),
        ("\\E\\F\\E\\", "\\F\\"),
    ],
)
def test_an_escape_means_what_the_standard_says(text: str, meant: str) -> None:
    """Each sequence of chapter 2.9 is put in its place, once."""
    assert note(text) == {"3": [meant]}


@pytest.mark.parametrize(
    ("text", "meant", "told"),
    [
        ("a\\H\\b\\N\\c", "abc", ["3\\H\\", "3\\N\\"]),
        ("\\.fi\\a\\.in+3\\b", "ab", ["3\\.fi\\", "3\\.in\\"]),
        ("\\Zlocal\\x", "\\Zlocal\\x", ["3\\Z\\"]),
    ],
)
def test_what_a_text_cannot_show_is_named(text: str, meant: str, told: list[str]) -> None:
    """Highlighting, layout and a sender's own sequences are named beside the text."""
    assert note(text) == {"3": [meant], **dict.fromkeys(told, "")}


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n"])
def test_any_line_end_ends_a_segment(end: str) -> None:
    """CR, LF and CRLF are tolerated, empty lines too."""
    message = one("RF1||||||e1", "NTE|1||x", end=end)
    assert message["RF1"] == {"6": {"1": "e1"}}
    assert message["NTE"] == [{"3": ["x"]}]


@pytest.mark.parametrize(
    ("name", "codec"),
    [("UNICODE UTF-8", "utf-8"), ("UTF-8", "utf-8"), ("8859/1", "latin-1"), ("", "utf-8")],
)
def test_the_character_set_is_the_one_of_the_header(name: str, codec: str) -> None:
    """MSH-18 says how bytes are letters."""
    header = HEADER.replace("UNICODE UTF-8", name)
    assert one("NTE|1||Zoë", header=header, codec=codec)["NTE"] == [{"3": ["Zoë"]}]


def test_a_repeated_character_set_is_named() -> None:
    """Alternative character sets are named: nothing switches to them."""
    message = one(header=HEADER + "~8859/1")
    assert message["MSH"]["18[1]"] == ["8859/1"]


@pytest.mark.parametrize("version", ["2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8"])
def test_versions_from_2_3_1_to_2_8_are_read(version: str) -> None:
    """The version is obeyed and stands in no field; its country is named."""
    message = one(header=HEADER.replace("|2.4|", f"|{version}^GBR|"))
    assert message["MSH"]["12"] == {"2": {"1": "GBR"}}


@pytest.mark.parametrize(
    ("name", "number", "text", "meant"),
    [
        ("PID", 8, "M", {"8": "M"}),
        ("PID", 8, "M^Male&x~F", {"8": "M", "8.2": "Male&x", "8[1]": "F"}),
        ("PID", 8, "M^Male\\T\\x", {"8": "M", "8.2": "Male&x"}),
        (
            "PID",
            3,
            "1^^^NHS&2.16&ISO^NH",
            {"3": [{"1": "1", "4": {"1": "NHS", "2": "2.16", "3": "ISO"}, "5": "NH"}]},
        ),
        ("PID", 3, "1&9^^^NHS", {"3": [{"1": "1", "1.2": "9", "4": {"1": "NHS"}}]}),
        (
            "PID",
            3,
            "1^^^^^^201605^20160514",
            {"3": [{"1": "1", "7": "2016-05", "8": "2016-05-14"}]},
        ),
        ("PID", 3, "~1~~2~", {"3": [{"1": "1"}, {"1": "2"}]}),
        (
            "PID",
            5,
            "van&van&Example^Ava^Rose Mary^^Ms",
            {
                "5": [
                    {
                        "1": {"1": "van", "2": "van", "3": "Example"},
                        "given": ["Ava", "Rose", "Mary"],
                        "5": "Ms",
                    }
                ]
            },
        ),
        ("PID", 6, "Example^Mia^^^Dr^^L", {"6": [{"text": "Dr Mia Example", "7": "L"}]}),
        ("PID", 7, "2016", {"7": "2016"}),
        ("PID", 7, "201605141130+0100", {"7": "2016-05-14", "7.time": ""}),
        (
            "PID",
            11,
            "1 Road^Flat 2^Town^County^ZZ99 3AA^GBR^H^Wales",
            {
                "11": [
                    {
                        "line": ["1 Road", "Flat 2", "Town", "County", "Wales"],
                        "5": "ZZ99 3AA",
                        "6": "GBR",
                        "7": "H",
                    }
                ]
            },
        ),
        (
            "PID",
            11,
            "1^^^^^^^^^^^2019&2020",
            {"11": [{"line": ["1"], "12": {"1": "2019", "2": "2020"}}]},
        ),
        ("PID", 13, "0113 496 0901", {"13": [{"kind": "tel", "1": "0113 496 0901"}]}),
        (
            "PID",
            13,
            "^PRN^CP^^44^113^4960901^7",
            {"13": [{"kind": "tel", "1": "+44 113 4960901 ext 7", "2": "PRN", "3": "CP"}]},
        ),
        ("PID", 13, "^^^^^^^^^^^0113 496", {"13": [{"kind": "tel", "1": "0113 496"}]}),
        (
            "PID",
            13,
            "^NET^Internet^a@b.example",
            {"13": [{"kind": "email", "4": "a@b.example", "2": "NET", "3": "Internet"}]},
        ),
        ("PID", 13, "a@b.example^NET", {"13": [{"kind": "email", "4": "a@b.example", "2": "NET"}]}),
        ("PID", 19, '""', {'19=""': ""}),
        ("PID", 5, 'Example^""', {"5": [{"1": {"1": "Example"}}], '5=""': ""}),
        ("PID", 25, "2", {"25": 2}),
        ("PID", 40, "new in 2.5^x", {"40": "new in 2.5", "40.2": "x"}),
        ("RF1", 7, "202607010930", {"7": "2026-07-01T09:30:00+01:00"}),
        ("RF1", 7, "20260701", {"7.day": ""}),
        ("ZCF", 2, "a^b~c", {"2": "a", "2.2": "b", "2[1]": "c"}),
    ],
)
def test_a_field_is_read_by_its_data_type(name: str, number: int, text: str, meant: Any) -> None:
    """What a data type holds stands at its number; what is beyond it stands beside it, named."""
    assert field(name, number, text) == meant


@pytest.mark.parametrize(
    ("kind", "text", "meant"),
    [
        ("CE", "A^b^C", [{"1": "A", "2": "b", "3": "C"}]),
        ("CWE", "A", [{"1": "A"}]),
        ("FT", "a\\.br\\b~c", ["a\nb", "c"]),
        ("NM", "3", [3]),
        ("NM", "3.5", ["3.5"]),
        ("NM", "0", [0]),
        ("DT", "201605", ["2016-05"]),
        ("TS", "20260901090000+0000", ["2026-09-01T09:00:00Z"]),
        ("TS", "tomorrow", ["tomorrow"]),
        ("XCN", "p1^Teach^T", [{"1": "p1", "text": "T Teach"}]),
        ("ED", "x^y", [{"1": "x", "2": "y"}]),
        ("", "x^y", [{"1": "x", "2": "y"}]),
    ],
)
def test_an_observation_is_of_the_type_that_it_says(kind: str, text: str, meant: Any) -> None:
    """OBX-2 tells how OBX-5 is read."""
    message = one("OBR|1", f"OBX|1|{kind}|||{text}")
    assert message["OBSERVATION"][0]["RESULTS"][0]["OBX"]["5"] == meant


def test_segments_stand_in_the_groups_of_their_structure() -> None:
    """Notes belong to what they follow, results to their observation, strangers to the message."""
    message = one(
        *("RF1||||||e1", "PRD|RP", "CTD|x", "PRD|PP", "PID|1||s1", "NK1|1", "NK1|2", "ZCF|1"),
        *("OBR|1", "NTE|1||of one", "OBX|1|ST|||a", "NTE|1||of a", "OBX|2|ST|||b", "OBR|2"),
        *("NTE|1||of two", "PV1|1|N", "NTE|1||of all", "PID|2", "DG1|1", "ZCF|2"),
    )
    assert list(message) == [
        *("MSH", "RF1", "PROVIDER_CONTACT", "PID", "NK1", "ZCF", "OBSERVATION", "PV1", "NTE"),
        *("PID[+]", "DG1"),
    ]
    assert [list(group) for group in message["PROVIDER_CONTACT"]] == [["PRD", "CTD"], ["PRD"]]
    first, second = message["OBSERVATION"]
    assert first["NTE"] == [{"3": ["of one"]}]
    assert [list(result) for result in first["RESULTS"]] == [["OBX", "NTE"], ["OBX"]]
    assert second["NTE"] == [{"3": ["of two"]}]
    assert message["NTE"] == [{"3": ["of all"]}]
    assert [len(message[name]) for name in ("NK1", "ZCF", "PID[+]", "DG1")] == [2, 2, 1, 1]


def segments(value: Any) -> int:
    """Count the segments below *value*: what holds fields, or is known by nothing but its name."""
    if isinstance(value, list):
        return sum(map(segments, value))
    if not isinstance(value, dict):
        return 0
    if all(not name[:1].isalpha() for name in value):
        return 1
    return sum(segments(inner) for inner in value.values())


def test_segments_in_are_segments_out() -> None:
    """Whatever comes, in whatever order, every segment stands somewhere."""
    lines = ["NTE|1||x", "OBX|1|ST|||x", "PID|1||x", "PID|2||y", "MRG|1", "ZZZ|1", "OBR|1", "PRD|x"]
    for start in range(len(lines)):
        turned = lines[start:] + lines[:start]
        assert segments(one(*turned, *turned)) == 1 + 2 * len(lines)


def test_several_messages_are_one_delivery() -> None:
    """Messages stand one behind the other, each with its own header and delimiters."""
    other = HEADER.replace("|", "#").replace("#1#P", "#2#P")
    raw = f"{HEADER}\rNTE|1||a\r{other}\rNTE#1##b|c\r".encode()
    document = Hl7v2Wire().parse(raw)
    assert [message["NTE"] for message in document["message"]] == [[{"3": ["a"]}], [{"3": ["b|c"]}]]
    assert Hl7v2Wire().kind(document) == "REF^I12"


def test_an_adt_about_an_episode_is_of_a_kind_of_its_own() -> None:
    """PV1-19 tells an ADT about an episode of the hub from a notification."""
    header = HEADER.replace("REF^I12^REF_I12", "ADT^A31")
    told = {
        visit: Hl7v2Wire().kind({"message": [one("PV1" + "|" * 19 + visit, header=header)]})
        for visit in ("e1^^^CAFHUB", "V1^^^RXX", "")
    }
    assert told == {"e1^^^CAFHUB": "ADT^A31^CAF", "V1^^^RXX": "ADT^A31", "": "ADT^A31"}


EASY = (
    "PID|1||1^^^NHS^NH^^2016~2^^^A||Example^Ava^Rose Mary~X||20160514|F|||1 Road|||^PRN^PH^^44^1",
    "PRD|RP^^HL70286|Teach^T^^^Ms|1 Road^Town|^^^SCH-A|1^WPN^PH~^NET^Internet^a@b||p1|20260101",
    "RF1|A||||O|e1^CAFHUB|20260901090000+0000|202609010900||2A^^CL-17~2B|7^x",
    "NK1|1|Example^Mia|MTH|||||201611|||||||F",
    "OBX|1|CE|1.1^x^Y|COMMENT|A^^B~C||||||F|||20260901090000+0000||p1^Teach^^^^^^^^^^^^SCH-A",
    "PV1|1|E|A^^^B||||||||||||||||e1^^^CAFHUB^VN",
    "EVN|A01|20260901090000|||u1^Example|20260901",
    "RF1|A^^X||||O|e1|20260901|202609010900|2026|2A^^CL-17~~2B|7^x~8",
    "NK1|1|Example^Mia|MTH|^^|~|||201611^x||Carer^Carer^L||||M^|F~M",
    "OBX|1|NM|1.1^x^^^^^~x|COMMENT^x|3||||||F|||20260901",
    "PID|1||1||Example^Ava^ ||20160514120000||||||1 Road^Town^^^9^^7^^^10^11^12|^^^^9^^7^^^10^11",
    "PID|1||1^^^A^^^20260901^2026^9||Example^Ava^Rose ^^^^^^^^^12|^|201605^x||^^^^||^^^^^^^2^|",
    "OBR|1|||X^^^|||20260901090000+0100|2026090109~2026||u1^^^^^^^^^^^^^SCH-A|||||||^NET^^a@b^5|0",
    "PID|1||1||Example^^ ^||20160514",
    "PV1|1|E|A^^^B^^^^^9^10|^|1~2||^^~x|^^Ann^^^Dr~p2||||||||||||e1||||||||0~1|x^1|",
)


@pytest.mark.parametrize("line", EASY)
def test_the_short_way_and_the_long_way_agree(line: str) -> None:
    """A segment with an escape at its end is read as it is without."""
    name, *parts = line.split("|")
    reader = Reader(STANDARD, "utf-8")
    long: dict[str, Any] = {}
    for number, text in enumerate(parts, 1):
        if text and (number > 1 or SEGMENTS[name][0].type != "SI"):
            if SEGMENTS[name][number - 1].type == "varies":
                reader.varying(long, str(number), text, parts[1])
            else:
                reader.field(long, str(number), SEGMENTS[name][number - 1], text)
    read = reads(name, [name, *parts], several="~" in line)
    assert read is not None
    other = Reader(STANDARD, "utf-8")
    found = read([name, *parts], "^", "~", other.notes, other.field)
    assert json.dumps(found) == json.dumps(long)  # in the same order, too


@pytest.mark.parametrize(
    "text",
    ["2026090109300x+0100", "+0260901093000+0100", "20260901093000+01+0", "٢0260901093000+0100"],
)
def test_nineteen_characters_alone_are_no_moment(text: str) -> None:
    """The short way through a moment asks for digits as the long one does."""
    with pytest.raises(ValueError, match="no moment"):
        moment_in(text)


def test_what_is_read_is_written_again() -> None:
    """Names, addresses, numbers, dates and texts come back as they were."""
    lines = [
        "RF1|A||||O|e1^CAFHUB|20260901090000+0000|||2A^^CL-17~2B|7^x~8",
        "PRD|RP^^HL70286|Ms T Teach||^^^SCH-A|1^WPN^PH~^NET^Internet^a@b.example||p1|20260101|2027",
        "PID|1||1^^^NHS^NH^^201605~2||Example^Ava^Rose Mary\\X20\\Ann~\\X2222\\||20160514|F",
        "NK1|1|Mia Example|MTH||||||||||||F|201611",
        "OBR|1|||X",
        "NTE|1||a\\.br\\b\\X0D\\c\\X09\\d",
        "OBX|1|NM|x||3",
    ]
    raw = "".join(f"{line}\r" for line in (HEADER, *lines)).encode()
    assert write(read(raw), check=False) == raw
