"""What may come back as an early-help table: other columns, torn rows, quotation marks, bytes."""

from collections.abc import Callable, Mapping

from mappings.formats.csv_wire import SSD_EARLY_HELP
from tests.unit.xml.hostile import SECRET, Hostile

FORMAT = "ssd/early-help"
MIB = 1024 * 1024
HEADER = ",".join(SSD_EARLY_HELP.names)
ROW = "e1,A0001234,2026-09-01,,L2,,EHM-A,p-lead"


def table(*rows: str, header: str = HEADER, end: str = "\r\n") -> Callable[[], bytes]:
    return "".join(f"{row}{end}" for row in (header, *rows)).encode


TABLE: Mapping[str, Hostile] = {
    # the header
    "nothing": Hostile(lambda: b"", "E_SYNTAX", "1"),
    "a mark and nothing": Hostile(lambda: b"\xef\xbb\xbf", "E_SYNTAX", "1"),
    "an empty line": Hostile(lambda: b"\r\n", "E_UNKNOWN_FIELD", "1"),
    "no header": Hostile(table(header=ROW), "E_UNKNOWN_FIELD", "1"),
    "another order": Hostile(
        table(header=",".join(reversed(SSD_EARLY_HELP.names))), "E_UNKNOWN_FIELD", "1"
    ),
    "a column more": Hostile(table(header=f"{HEADER},name"), "E_UNKNOWN_FIELD", "1"),
    "a column less": Hostile(table(header=HEADER.rpartition(",")[0]), "E_UNKNOWN_FIELD", "1"),
    "a column twice": Hostile(
        table(header=HEADER.replace("earl_person_id", "earl_episode_id")), "E_UNKNOWN_FIELD", "1"
    ),
    "columns in capitals": Hostile(table(header=HEADER.upper()), "E_UNKNOWN_FIELD", "1"),
    "columns with spaces": Hostile(table(header=HEADER.replace(",", ", ")), "E_UNKNOWN_FIELD", "1"),
    "semicolons": Hostile(table(header=HEADER.replace(",", ";")), "E_UNKNOWN_FIELD", "1"),
    "tabs": Hostile(table(header=HEADER.replace(",", "\t")), "E_UNKNOWN_FIELD", "1"),
    "a look-alike letter": Hostile(
        table(header=HEADER.replace("earl_person_id", "\u0435arl_person_id")),
        "E_UNKNOWN_FIELD",
        "1",
    ),
    "two marks": Hostile(
        lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + table(ROW)(), "E_UNKNOWN_FIELD", "1"
    ),
    "a line for Excel": Hostile(lambda: b"sep=,\r\n" + table(ROW)(), "E_UNKNOWN_FIELD", "1"),
    "JSON": Hostile(lambda: b'{"name": "Ava Example"}', "E_UNKNOWN_FIELD", "1"),
    "XML": Hostile(lambda: b"<a/>", "E_UNKNOWN_FIELD", "1"),
    # rows
    "a cell more": Hostile(table(f"{ROW},{SECRET}"), "E_SYNTAX", "2"),
    "a cell less": Hostile(table(ROW.rpartition(",")[0]), "E_SYNTAX", "2"),
    "one cell": Hostile(table(ROW, SECRET), "E_SYNTAX", "3"),
    "an empty row": Hostile(table(ROW, "", ROW), "E_SYNTAX", "3"),
    "cut in a row": Hostile(lambda: table(ROW)()[:-20], "E_SYNTAX", "2"),
    "a comma in a name": Hostile(table(f"{ROW}, {SECRET}"), "E_SYNTAX", "2"),
    # quotation marks
    "a mark that is not closed": Hostile(table(f'"{ROW}'), "E_SYNTAX", "2"),
    "a mark that is not closed, and much behind it": Hostile(
        table('"e1', *[ROW] * 20_000), "E_SYNTAX", "3123"
    ),
    "text behind a mark": Hostile(table(f'"e1"x{ROW[2:]}'), "E_SYNTAX", "2"),
    "cut in quotation marks": Hostile(lambda: table(f'{ROW},"x')()[:-2], "E_SYNTAX", "2"),
    "a cell over many lines, torn": Hostile(table('"a\nb\nc",x'), "E_SYNTAX", "4"),
    # bytes
    "Latin-1": Hostile(lambda: table(ROW)() + b"\xe9", "E_ENCODING", "byte 213"),
    "UTF-16": Hostile(lambda: table(ROW)().decode().encode("utf-16"), "E_ENCODING", "byte 0"),
    "UTF-16 without a mark": Hostile(
        lambda: table(ROW)().decode().encode("utf-16-le"), "E_CONTROL_CHAR", "1:2"
    ),
    "UTF-32": Hostile(lambda: table(ROW)().decode().encode("utf-32"), "E_ENCODING", "byte 0"),
    "overlong": Hostile(lambda: table(ROW)() + b"\xc0\xaf", "E_ENCODING", "byte 213"),
    "surrogates": Hostile(lambda: table(ROW)() + b"\xed\xa0\x80", "E_ENCODING", "byte 213"),
    "NUL": Hostile(table(f"e1\x00{ROW[2:]}"), "E_CONTROL_CHAR", "2:3"),
    "a bell": Hostile(table(f"e1\x07{ROW[2:]}"), "E_CONTROL_CHAR", "2:3"),
    "an escape": Hostile(table(f"\x1b[31m{ROW}"), "E_CONTROL_CHAR", "2:1"),
    "a next line": Hostile(table(f"e1\x85{ROW[2:]}"), "E_CONTROL_CHAR", "2:3"),
    "delete": Hostile(table(ROW, f"e1\x7f{ROW[2:]}"), "E_CONTROL_CHAR", "3:3"),
    "a zip file": Hostile(lambda: b"PK\x03\x04", "E_CONTROL_CHAR", "1:3"),
    # too much
    "six mebibytes": Hostile(lambda: b"," * (6 * MIB), "E_TOO_LARGE", "byte 5242880"),
    "sixty thousand rows": Hostile(table(*[ROW] * 60_000), "E_TOO_LARGE", "50002"),
    "a long cell": Hostile(table(f"{'x' * 100_001}{ROW[2:]}"), "E_LENGTH", "2.earl_episode_id"),
    "a very long cell": Hostile(table(f"{'x' * 200_000}{ROW[2:]}"), "E_SYNTAX", "2"),
    "a million cells": Hostile(table("," * MIB), "E_SYNTAX", "2"),
    "a million rows": Hostile(table("", *[""] * MIB, end="\n"), "E_SYNTAX", "2"),
}
