"""What may lie in a partner's folder: each file gets its code beside it, and holds up no other."""

import gzip
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.doors.sftp import LARGEST
from hub.errors import Unavailable
from tests import builders as b
from tests.contract.sftp_inward import Inward, appointed
from tests.frugal import frugal
from tests.servers.sftp import sftp_server

GOOD = appointed()
DECISION = b'{"consent_decision": {}}'


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("../../a.json", GOOD)
    return out.getvalue()


BAD: list[tuple[str, bytes, str]] = [
    # What is in it
    ("empty.json", b"", "E_SYNTAX"),
    ("blank.json", b" \n" * 1_000, "E_SYNTAX"),
    ("half.json", GOOD[:500], "E_SYNTAX"),
    ("twice.json", GOOD + GOOD, "E_SYNTAX"),
    ("word.json", b"taken", "E_SYNTAX"),
    ("xml.json", b"<a/>", "E_SYNTAX"),
    ("zeros.json", bytes(5_000), "E_ENCODING"),
    ("latin.json", b'{"event": "\xff"}', "E_ENCODING"),
    ("utf16.json", '{"event": "x"}'.encode("utf-16"), "E_ENCODING"),
    ("packed.json", gzip.compress(GOOD), "E_ENCODING"),
    ("bomb.json", gzip.compress(bytes(10**7)), "E_ENCODING"),
    ("zip.json", zipped(), "E_ENCODING"),
    ("list.json", b"[]", "E_TYPE"),
    ("nothing.json", b"{}", "E_RULE"),
    ("double.json", b'{"event": "a", "event": "b"}', "E_DUPLICATE_KEY"),
    ("deep.json", b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "E_DEPTH"),
    ("lists.json", b"[" * 100_000, "E_DEPTH"),
    ("number.json", b'{"episode": {"n": 1e400}}', "E_NUMBER"),
    ("digits.json", b'{"episode": {"n": ' + b"9" * 5_000 + b"}}", "E_NUMBER"),
    ("nan.json", b'{"episode": {"n": NaN}}', "E_NUMBER"),
    ("nul.json", GOOD.replace(b"EHM-A", b"EHM\\u0000A", 1), "E_CONTROL_CHAR"),
    ("unknown.json", b'{"episodes": {}}', "E_UNKNOWN_FIELD"),
    ("event.json", b.wire({"event": "episode.stolen", "episode": b.episode()}), "E_CODELIST"),
    ("large.json", b" " * (LARGEST + 1), "E_TOO_LARGE"),
    ("larger.json", b"\0" * (LARGEST * 2), "E_TOO_LARGE"),
    ("doctype.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "E_SYNTAX"),
    ("outside.xml", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "E_SYNTAX"),
    ("cut.xml", b"<a>", "E_SYNTAX"),
    ("json.xml", GOOD, "E_SYNTAX"),
    ("none.xml", b"", "E_SYNTAX"),
    ("decision.json", DECISION, "E_REQUIRED"),
    ("new.json", b.wire({"event": "episode.opened", "episode": b.episode(episode_id="ep-9")}),
     "E_CONSENT_NONE"),
    # What it is called
    ("report.pdf", GOOD, "E_CONTENT_TYPE"),
    ("a.json.gz", gzip.compress(GOOD), "E_CONTENT_TYPE"),
    ("a.exe", GOOD, "E_CONTENT_TYPE"),
    ("Ava Example", GOOD, "E_FORMAT"),
    ("a\u202ejson.json", GOOD, "E_FORMAT"),
    ("a\nb.json", GOOD, "E_FORMAT"),
    ("a\tb.json", GOOD, "E_FORMAT"),
    ("a\x1b[2Jb.json", GOOD, "E_FORMAT"),
    ("a..json", GOOD, "E_FORMAT"),
    ("c:\\..\\a.json", GOOD, "E_FORMAT"),
    ("-rf.json", GOOD, "E_FORMAT"),
    ("$(id).json", GOOD, "E_FORMAT"),
    ("a;b.json", GOOD, "E_FORMAT"),
    ("a|b.json", GOOD, "E_FORMAT"),
    (" a.json", GOOD, "E_FORMAT"),
    ("a.json.", GOOD, "E_CONTENT_TYPE"),
    ("a.json ", GOOD, "E_CONTENT_TYPE"),
    ("\N{CJK UNIFIED IDEOGRAPH-5B69}.json", GOOD, "E_FORMAT"),
    ("e\u0301.json", GOOD, "E_FORMAT"),
    ("\u0661.json", GOOD, "E_FORMAT"),
    ("a" * 160 + ".json", GOOD, "E_FORMAT"),
]  # fmt: skip


@pytest.fixture
async def inward(tmp_path: Path) -> AsyncIterator[Inward]:
    """A hub with an SFTP door, on a real server."""
    async with sftp_server(tmp_path) as far:
        one = Inward(far, tmp_path)
        yield one
        await one.door.line.close()


async def test_whatever_lies_there_gets_its_code_beside_it(inward: Inward) -> None:
    """All of it at once: each rejected with code, place and remedy and no value, the sound ones
    between them accepted, and nothing left.
    """
    await inward.world.shared()
    for name, body, _code in BAD:
        inward.drop(name, body)
    inward.drop("zz good.json", GOOD)
    inward.drop("LOUD.JSON", GOOD)

    with frugal(len(BAD)):
        assert await inward.looked() == len(BAD) + 2

    told = {name: inward.error(name) for name, _body, _code in BAD}
    assert {name: one["code"] for name, one in told.items()} == {
        name: code for name, _body, code in BAD
    }
    for one in told.values():
        assert one["errors"]
        assert all(set(each) == {"code", "path", "remedy"} for each in one["errors"])
        assert "Ava" not in json.dumps(one)
    assert inward.lies() == sorted(
        ["accepted/LOUD.JSON", "accepted/zz good.json"]
        + [f"rejected/{name}{end}" for name, _body, _code in BAD for end in ("", ".error.json")]
    )
    assert inward.world.head.lead == "APPOINTED"
    assert len(BAD) >= 40


async def test_a_name_that_leaves_no_room_is_set_aside_under_another(inward: Inward) -> None:
    """No file may hold up the folder for ever because nothing fits beside it."""
    name = "a" * 250 + ".jso"
    inward.drop(name, GOOD)
    inward.drop("b.json", b"{}")

    assert await inward.looked() == 2

    (kept,) = {one.partition(".")[0] for one in inward.lies() if "unnamed" in one}
    assert inward.lies() == sorted(
        [f"{kept}", f"{kept}.error.json", "rejected/b.json", "rejected/b.json.error.json"]
    )
    assert inward.error(kept.removeprefix("rejected/"))["code"] == "E_FORMAT"


async def test_a_name_that_is_no_text_hides_no_other(inward: Inward) -> None:
    """Names are bytes; what is no UTF-8 is one file's fault."""
    (inward.folder / os.fsdecode(b"\xff\xfe.json")).write_bytes(GOOD)
    inward.drop("b.json", b"{}")

    assert await inward.looked() == 2

    assert (inward.folder / os.fsdecode(b"rejected/\xff\xfe.json.error.json")).exists()
    assert inward.error("b.json")["code"] == "E_RULE"


async def test_what_cannot_be_dealt_with_goes_behind_all_others(inward: Inward) -> None:
    """The server lets two files be neither read nor moved; the others are taken all the same."""
    await inward.world.shared()
    stuck = ("a stuck.json", "a stuck too.json")
    for name in stuck:
        inward.far.refused.add(name.encode())
        inward.drop(name, GOOD)
    for name in ("b.json", "c.json"):
        inward.drop(name, b"{}")

    with pytest.raises(Unavailable):
        await inward.looked()
    assert await inward.looked(1) == 2
    assert [one for one in inward.lies() if "/" not in one] == sorted(stuck)
    with pytest.raises(Unavailable):
        await inward.looked(1)

    inward.far.refused.clear()
    await inward.looked(2)
    assert [one for one in inward.lies() if "stuck" in one] == sorted(
        f"accepted/{name}" for name in stuck
    )


async def test_a_file_that_nobody_lets_us_read_is_told_so(inward: Inward) -> None:
    """That is not the message's fault, and can be mended by who gave the rights."""
    inward.far.unreadable.add(b"a.json")
    inward.drop("a.json", GOOD)

    assert await inward.looked() == 1

    assert inward.error("a.json")["code"] == "E_FORBIDDEN"


async def test_a_folder_where_a_file_was_and_a_file_that_went_hold_up_nothing(
    inward: Inward,
) -> None:
    """Between two looks everything may have changed."""
    for name in ("a.json", "b.json", "c.json", "d.json"):
        inward.drop(name, b"{}")
    assert await inward.looked(1) == 0
    (inward.folder / "a.json").unlink()
    (inward.folder / "a.json").mkdir()
    (inward.folder / "b.json").unlink()
    (inward.folder / "c.json").unlink()
    (inward.folder / "c.json").symlink_to(inward.far.folder / "secret")

    assert await inward.looked(1) == 1

    assert sorted(one for one in inward.lies() if "d.json" in one) == [
        "rejected/d.json", "rejected/d.json.error.json",
    ]  # fmt: skip


async def test_a_file_that_is_replaced_while_it_is_read_is_read_anew(inward: Inward) -> None:
    """What was recorded and what was moved are the same file, or the move is undone."""
    await inward.world.shared()
    inward.drop("a.json", GOOD)
    inward.far.replaced[b"a.json"] = b"{ }"

    await inward.looked()
    assert inward.lies() == ["a.json"]
    assert inward.world.head.lead == "APPOINTED"

    await inward.looked()
    assert inward.error("a.json")["code"] == "E_RULE"
    assert inward.lies() == ["rejected/a.json", "rejected/a.json.error.json"]
