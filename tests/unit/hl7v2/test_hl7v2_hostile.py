"""HL7 v2 as hostile or broken senders write it: a stable code, a place, no value, soon."""

import time

import pytest

from hub.errors import HubError
from mappings.formats.hl7v2_wire import Hl7v2Wire

SECRET = "Zacharias-Secret"
MSH = "MSH|^~\\&|A|001|||20260901090000+0000||REF^I12^REF_I12|1|P|2.4||||||UNICODE UTF-8"
RF1 = "RF1||||||e1^CAFHUB"
PID = f"PID|1||s1^^^CAFHUB^PI||{SECRET}^Ava^^^^^L"


def message(*segments: str, header: str = MSH) -> bytes:
    """Return a message of *segments* behind its header."""
    return "".join(f"{line}\r" for line in (header, *segments)).encode()


def padded(name: str, number: int, text: str) -> str:
    """Return a segment with *text* in field *number*."""
    return name + "|" * number + text


HOSTILE = {
    "nothing": (b"", "E_SYNTAX", "begins with MSH"),
    "a word": (b"hello", "E_SYNTAX", "begins with MSH"),
    "three letters": (b"MSH", "E_SYNTAX", "message[0].MSH.2"),
    "a separator and no more": (b"MSH|", "E_SYNTAX", "message[0].MSH.2"),
    "no repetition character": (b"MSH|^|A\r", "E_SYNTAX", "message[0].MSH.2"),
    "letters for delimiters": (b"MSH|abcd|A\r", "E_SYNTAX", "message[0].MSH.2"),
    "a space for a delimiter": (b"MSH|^ \\&|A\r", "E_SYNTAX", "message[0].MSH.2"),
    "the same delimiter twice": (b"MSH|^^\\&|A\r", "E_SYNTAX", "message[0].MSH.2"),
    "a field separator among them": (b"MSH^^~\\&^A\r", "E_SYNTAX", "message[0].MSH.2"),
    "too many delimiters": (b"MSH|^~\\&#$%|A\r", "E_SYNTAX", "message[0].MSH.2"),
    "a letter as separator": (b"MSHx^~\\&xA\r", "E_SYNTAX", "message[0].MSH.2"),
    "a batch": (b"BHS|^~\\&|A\r" + message(RF1), "E_SYNTAX", "begins with MSH"),
    "a file of batches": (b"FHS|^~\\&|A\r", "E_SYNTAX", "begins with MSH"),
    "a blank before": (b" " + message(RF1), "E_SYNTAX", "begins with MSH"),
    "an MLLP frame": (b"\x0b" + message(RF1) + b"\x1c\r", "E_CONTROL_CHAR", "MLLP"),
    "an end of frame inside": (message(PID + "\x1c"), "E_CONTROL_CHAR", "message[0].PID.5"),
    "a start of frame inside": (message(RF1 + "\x0b", PID), "E_CONTROL_CHAR", "RF1.6"),
    "NUL in a name": (message(PID + "\x00"), "E_CONTROL_CHAR", "segment 2, character 50"),
    "a bell in the header": (message(header=MSH + "|\x07"), "E_CONTROL_CHAR", "message[0].MSH.19"),
    "DEL": (message(PID + "\x7f"), "E_CONTROL_CHAR", "message[0].PID.5"),
    "a C1 control": (message(PID + "\x85"), "E_CONTROL_CHAR", "message[0].PID.5"),
    "a control in the second message": (
        message(PID) + message("NTE|1||\x01"),
        "E_CONTROL_CHAR",
        "message[1].NTE.3",
    ),
    "a C1 control in Latin 1": (
        message(PID, header=MSH.replace("UNICODE UTF-8", "8859/1")) + b"NTE|1||\x96\r",
        "E_CONTROL_CHAR",
        "message[0].NTE.3",
    ),
    "NUL by escape": (message("NTE|1||a\\X00\\b"), "E_CONTROL_CHAR", "message[0].NTE.3"),
    "a frame end by escape": (message(PID + "^\\X1C\\"), "E_CONTROL_CHAR", "PID.5[0].8"),
    "a byte order mark": (b"\xef\xbb\xbf" + message(PID), "E_ENCODING", "byte order mark"),
    "UTF-16": (message(PID).decode().encode("utf-16"), "E_ENCODING", "byte order mark"),
    "Latin 1 called UTF-8": (
        message(PID) + b"NTE|1||caf\xe9\r",
        "E_ENCODING",
        "segment 3, byte 11",
    ),
    "Latin 1 called nothing": (
        message(PID, header=MSH.replace("UNICODE UTF-8", "")) + b"NTE|1||caf\xe9\r",
        "E_ENCODING",
        "segment 3, byte 11",
    ),
    "UTF-8 called ASCII": (
        message(PID + "^é", header=MSH.replace("UNICODE UTF-8", "ASCII")),
        "E_ENCODING",
        "segment 2",
    ),
    "a character set that nobody knows": (
        message(PID, header=MSH.replace("UNICODE UTF-8", "GB 18030-2000")),
        "E_ENCODING",
        "message[0].MSH.18",
    ),
    "two character sets": (
        message(PID) + message(PID, header=MSH.replace("UNICODE UTF-8", "8859/1")),
        "E_ENCODING",
        "message[1].MSH.18",
    ),
    "a switch of character sets": (message("NTE|1||\\C2842\\x"), "E_ENCODING", "message[0].NTE.3"),
    "hex that is no UTF-8": (message("NTE|1||\\XC3\\"), "E_ENCODING", "message[0].NTE.3"),
    "version 2.1": (message(PID, header=MSH.replace("|2.4", "|2.1")), "E_CONTENT_TYPE", "MSH.12"),
    "version 3": (message(PID, header=MSH.replace("|2.4", "|3.0")), "E_CONTENT_TYPE", "MSH.12"),
    "no version": (message(PID, header=MSH.replace("|2.4", "|")), "E_CONTENT_TYPE", "MSH.12"),
    "an order": (message(PID, header=MSH.replace("REF^I12", "ORM^O01")), "E_CONTENT_TYPE", "MSH.9"),
    "an acknowledgement": (
        message(header=MSH.replace("REF^I12", "ACK")),
        "E_CONTENT_TYPE",
        "MSH.9",
    ),
    "no message type": (
        message(PID, header=MSH.replace("REF^I12^REF_I12", "")),
        "E_CONTENT_TYPE",
        "MSH.9",
    ),
    "no message id": (message(PID, header=MSH.replace("|1|P", "||P")), "E_REQUIRED", "MSH.10"),
    "a segment without a name": (message(PID, "|1|x"), "E_SYNTAX", "message[0].segment"),
    "a segment with a short name": (message("NK|1|x"), "E_SYNTAX", "(segment 2)"),
    "a segment in small letters": (message("pid|1|x"), "E_SYNTAX", "(segment 2)"),
    "text between segments": (message(PID, f"{SECRET} and more"), "E_SYNTAX", "(segment 3)"),
    "an escape that is not closed": (message("NTE|1||50\\ off"), "E_SYNTAX", "message[0].NTE.3"),
    "a path of files": (message("NTE|1||C:\\temp\\x"), "E_SYNTAX", "message[0].NTE.3"),
    "an empty escape": (message("NTE|1||a\\\\b"), "E_SYNTAX", "message[0].NTE.3"),
    "half a byte": (message("NTE|1||\\X4\\"), "E_SYNTAX", "message[0].NTE.3"),
    "a birthday in words": (message(padded("PID", 7, "May")), "E_FORMAT", "message[0].PID.7"),
    "a birthday with dashes": (message(padded("PID", 7, "2016-05-14")), "E_FORMAT", "PID.7"),
    "Arabic digits": (message(padded("PID", 7, "٢٠١٦٠٥١٤")), "E_FORMAT", "message[0].PID.7"),
    "a moment in words": (
        message(header=MSH.replace("20260901090000", "now")),
        "E_FORMAT",
        "MSH.7",
    ),
    "a moment with half an offset": (
        message(padded("RF1", 7, "20260901090000+01")),
        "E_FORMAT",
        "message[0].RF1.7",
    ),
    "a bad date in a component": (
        message(padded("PID", 11, "1 Road^^^^^^H^^^^^x&y")),
        "E_FORMAT",
        "PID.11[0].12",
    ),
    "a bad date in a repetition": (
        message(padded("PID", 3, "1^^^A^PI~2^^^A^PI^^x")),
        "E_FORMAT",
        "message[0].PID.3[1].7",
    ),
    "six megabytes": (message("NTE|1||" + "x" * 6_000_000), "E_TOO_LARGE", "5242880 bytes"),
    "six thousand segments": (message(*["NTE|1"] * 6000), "E_TOO_LARGE", "5000 segments"),
    "sixty messages": (message(PID) * 60, "E_TOO_LARGE", "50 messages"),
    "five hundred fields": (message("NTE" + "|x" * 500), "E_TOO_LARGE", "message[0].NTE"),
    "a million components": (
        message("NTE|1||" + "^" * 1_000_000),
        "E_TOO_LARGE",
        "100000 separators",
    ),
    "a million repetitions": (
        message(PID, "NTE|1||" + "~" * 1_000_000),
        "E_TOO_LARGE",
        "message[0]",
    ),
    "a field of two megabytes": (message("NTE|1||" + "x" * 2_000_000), "E_TOO_LARGE", "NTE"),
    "a hundred thousand escapes": (
        message("NTE|1||" + "\\" * 99_901),
        "E_SYNTAX",
        "message[0].NTE.3",
    ),
}


@pytest.mark.parametrize(("raw", "code", "place"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_message_gets_its_code_and_a_place(raw: bytes, code: str, place: str) -> None:
    """Refused with the code, at a place, without a word of what was sent, within two seconds."""
    before = time.process_time()
    with pytest.raises(HubError) as refused:
        Hl7v2Wire().parse(raw)
    took = time.process_time() - before
    error = refused.value
    told = [f"{fault.path} {fault.remedy}" for fault in error.faults]
    assert error.code == code
    assert error.faults[0].code == code
    assert place in told[0]
    assert SECRET not in f"{error} {told}"
    assert took < 2


BURDEN = {
    "nested delimiters": message("NTE|1||" + "~^&" * 30_000),
    "a segment again and again": message(*["PID|1||x"] * 4900),
    "groups in groups": message(*["OBR|1", "OBX|1"] * 2400),
    "notes under notes": message("OBR|1", *["NTE|1||x"] * 4900),
    "names of many parts": message(padded("PID", 5, "~".join(["a^b^c d e"] * 9000))),
    "unknown segments": message(*["ZZZ|a|b"] * 4900),
    "demands to delete": message(padded("PID", 5, "~".join(['""'] * 50_000))),
    "layout without end": message("NTE|1||" + "\\.sp999\\" * 20_000),
}


@pytest.mark.parametrize("raw", BURDEN.values(), ids=BURDEN)
def test_a_lawful_burden_is_read_soon(raw: bytes) -> None:
    """What keeps every limit is read within two seconds, however it is piled up."""
    before = time.process_time()
    document = Hl7v2Wire().parse(raw)
    assert time.process_time() - before < 2
    assert document["message"]


def test_every_fault_is_told_at_once() -> None:
    """Faults of single fields come together, each with its segment."""
    raw = message(padded("PID", 7, "May"), padded("RF1", 7, "x"), "NTE|1||a\\b")
    with pytest.raises(HubError) as refused:
        Hl7v2Wire().parse(raw)
    told = [(fault.code, fault.path) for fault in refused.value.faults]
    assert told == [
        ("E_FORMAT", "message[0].PID.7"),
        ("E_FORMAT", "message[0].RF1.7"),
        ("E_SYNTAX", "message[0].NTE.3[0]"),
    ]


def test_no_more_than_a_hundred_faults_are_told() -> None:
    """A message that is wrong everywhere is given up, not answered at length."""
    with pytest.raises(HubError) as refused:
        Hl7v2Wire().parse(message(*["NTE|1||a\\b"] * 300))
    assert len(refused.value.faults) == 100


def test_there_are_enough_of_them() -> None:
    """At least forty hostile inputs stand in the table."""
    assert len(HOSTILE) >= 40
