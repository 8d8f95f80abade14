"""Files over SFTP both ways, with a real server: whole or not at all, and each with its answer."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.destinations.sftp import SftpDestination
from adapters.sftp.line import SftpLine
from hub.domain.carriage import Parcel
from hub.doors import sftp_doors
from hub.errors import Code, Rejected, Unavailable
from tests.contract.sftp_inward import Inward, appointed
from tests.servers.sftp import SftpServer, sftp_server
from tests.unit.services.world import suspended

PARCEL = Parcel(
    delivery_id="0d6e9d5e-7f0c-4d7e-9d2e-0a4a3e5b1c11",
    message_type="N7",
    partner="EHM-A",
    attempt=1,
    possible_duplicate=False,
    content_type="application/fhir+json",
    body=b'{"resourceType": "Bundle"}' * 5_000,
    thin=False,
    lane="e1",
    lane_sequence=1,
    urgent=False,
)
NAME = f"{PARCEL.delivery_id}.json"


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[SftpServer]:
    """A partner's server."""
    async with sftp_server(tmp_path) as one:
        yield one


@pytest.fixture
async def line(far: SftpServer) -> AsyncIterator[SftpLine]:
    """A connection to it."""
    one = SftpLine(far.place)
    yield one
    await one.close()


# Out


async def test_a_file_appears_whole_under_a_name_that_tells_nothing(
    far: SftpServer, line: SftpLine
) -> None:
    """Written under a hidden name, synced and renamed; the server's word makes it delivered."""
    outcome = await SftpDestination(line).send(PARCEL)

    assert far.files() == {NAME: PARCEL.body}
    assert far.done == ["open", "fsync", "rename"]
    assert (outcome.delivered, dict(outcome.evidence)) == (True, {"ack": "renamed"})


async def test_an_attempt_after_another_replaces_it(far: SftpServer, line: SftpLine) -> None:
    """The same delivery is the same file, however often it was tried; one connection is kept."""
    for body in (b"{}", PARCEL.body):
        await SftpDestination(line).send(replace(PARCEL, body=body))

    assert far.files() == {NAME: PARCEL.body}
    assert far.connections == 1


@pytest.mark.parametrize("wrong", [{"no posix"}, {"no fsync"}, {"no posix", "no fsync"}])
async def test_a_server_without_extensions_will_do(
    far: SftpServer, line: SftpLine, wrong: set[str]
) -> None:
    """SFTP 3 alone has a rename that refuses a taken name, and no sync."""
    far.wrong |= wrong
    for _ in range(2):
        assert (await SftpDestination(line).send(PARCEL)).delivered

    assert far.files() == {NAME: PARCEL.body}


async def test_a_recall_is_handed_over(line: SftpLine) -> None:
    """That a file arrived is not what its recipient did with its copies."""
    outcome = await SftpDestination(line).send(replace(PARCEL, message_type="N10"))

    assert not outcome.delivered


async def test_what_is_taken_away_at_once_has_arrived(far: SftpServer, line: SftpLine) -> None:
    """A quick receiver may have moved the file before the hub looks at it."""
    far.wrong |= {"taken"}

    assert (await SftpDestination(line).send(PARCEL)).delivered


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("short", Code.OUTCOME_UNKNOWN),
        ("spoilt", Code.OUTCOME_UNKNOWN),
        ("no rename", Code.OUTCOME_UNKNOWN),
        ("cut", Code.OUTCOME_UNKNOWN),
        ("fsync", Code.OUTCOME_UNKNOWN),
        ("full", Code.OUTCOME_UNKNOWN),
        ("idle", Code.OUTCOME_UNKNOWN),
        ("mute", Code.OUTCOME_UNKNOWN),
        ("blind", Code.OUTCOME_UNKNOWN),
        ("larger", Code.OUTCOME_UNKNOWN),
        ("sizeless", Code.OUTCOME_UNKNOWN),
        ("unclosed", Code.OUTCOME_UNKNOWN),
        ("read only", Code.FORBIDDEN),
    ],
)
async def test_delivered_is_never_said_of_what_is_not_there(
    far: SftpServer, line: SftpLine, wrong: str, code: Code
) -> None:
    """Whatever fails on the way, no file lies there under its name but a whole one."""
    far.wrong |= {wrong}
    if wrong == "mute":
        line = SftpLine(far.place, whole_seconds=0.5)

    with pytest.raises((Unavailable, Rejected)) as caught:
        await SftpDestination(line).send(PARCEL)
    await line.close()

    assert caught.value.code is code
    if wrong != "spoilt":
        assert NAME not in far.files()


@pytest.mark.parametrize("change", ["port", "hosts_file", "key_file", "folder"])
async def test_the_hub_goes_where_it_was_told_or_nowhere(
    far: SftpServer, tmp_path: Path, change: str
) -> None:
    """Another host key, key of ours, port or folder ends before a byte of the message leaves."""
    (tmp_path / "other").write_text((tmp_path / "hosts").read_text().replace("AAAAC3", "AAAAC4"))
    changes: dict[str, Any] = {
        "port": {"port": 9},
        "hosts_file": {"hosts_file": tmp_path / "other"},
        "key_file": {"key_file": tmp_path / "stranger.key"},
        "folder": {"folder": "/none"},
    }
    line = SftpLine(replace(far.place, **changes[change]))
    with pytest.raises((Unavailable, Rejected)) as caught:
        await SftpDestination(line).send(PARCEL)
    await line.close()

    expected = Code.FORBIDDEN if change == "folder" else Code.UNAVAILABLE
    assert caught.value.code is expected
    assert "127.0.0.1" not in caught.value.detail
    assert far.files() == {}


# In


@pytest.fixture
async def inward(far: SftpServer, tmp_path: Path) -> AsyncIterator[Inward]:
    """A hub with an SFTP door."""
    one = Inward(far, tmp_path)
    yield one
    await one.door.line.close()


async def test_a_file_is_recorded_and_moved_to_accepted(inward: Inward) -> None:
    """The move is the answer, and comes after the commit."""
    await inward.world.shared()
    inward.drop("EHM 1.json", appointed())

    assert await inward.looked() == 1

    assert inward.lies() == ["accepted/EHM 1.json"]
    assert inward.world.head.lead == "APPOINTED"


async def test_the_same_file_again_changes_nothing(inward: Inward) -> None:
    """Under any name, it is the same message: it is accepted, and there is one version."""
    await inward.world.shared()
    for name in ("a.json", "b.json", "a.json"):
        inward.drop(name, appointed())
        await inward.looked()
    version = inward.world.head.version

    assert inward.lies() == ["accepted/a.json", "accepted/b.json"]
    inward.drop("c.json", appointed())
    await inward.looked()
    assert inward.world.head.version == version


async def test_a_file_is_left_alone_until_it_stops_growing(inward: Inward) -> None:
    """Two looks must see it alike; half a file is not yet a message."""
    await inward.world.shared()
    path = inward.drop("a.json", appointed()[:500])
    assert await inward.looked(1) == 0
    path.write_bytes(appointed())
    assert await inward.looked(1) == 0

    assert await inward.looked(1) == 1
    assert inward.lies() == ["accepted/a.json"]


async def test_a_suspended_partners_files_are_left_where_they_are(inward: Inward) -> None:
    """They are taken when the suspension ends."""
    await inward.world.shared()
    inward.drop("a.json", appointed())
    inward.hub.registry = suspended(inward.hub.registry, "EHM-A")
    assert (await inward.looked(), inward.lies()) == (0, ["a.json"])

    inward.hub.registry = suspended(inward.hub.registry)
    assert (await inward.looked(), inward.lies()) == (1, ["accepted/a.json"])


async def test_nothing_is_moved_before_it_is_recorded(
    inward: Inward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store cannot record, files stay where they are; then they are taken."""
    await inward.world.shared()
    inward.drop("a.json", appointed())
    healthy = inward.hub.receive

    async def away(*_: Any) -> Any:
        raise Unavailable(Code.STORE, "no disk")

    monkeypatch.setattr(inward.hub, "receive", away)
    with pytest.raises(Unavailable):
        await inward.looked()
    assert inward.lies() == ["a.json"]

    monkeypatch.setattr(inward.hub, "receive", healthy)
    await inward.looked()
    assert inward.lies() == ["accepted/a.json"]


async def test_a_move_that_fails_is_made_up_for(inward: Inward) -> None:
    """Recorded and not moved, the file is read again, known, and moved."""
    await inward.world.shared()
    inward.drop("a.json", appointed())
    inward.far.wrong |= {"no rename"}
    with pytest.raises(Unavailable):
        await inward.looked()
    version = inward.world.head.version
    inward.far.wrong.clear()

    await inward.looked()

    assert inward.lies() == ["accepted/a.json"]
    assert inward.world.head.version == version


async def test_what_is_no_file_to_be_taken_is_left(inward: Inward) -> None:
    """Hidden and unfinished files, links, folders and pipes stay; a link leads nowhere."""
    (inward.far.folder / "secret.json").write_bytes(appointed())
    for name in (".a.json", "a.json.tmp", "a.part", "a.FILEPART", "b.error.json"):
        inward.drop(name, b"{}")
    (inward.folder / "link.json").symlink_to(inward.far.folder / "secret.json")
    (inward.folder / "folder.json").mkdir()
    os.mkfifo(inward.folder / "pipe.json")

    assert await inward.looked(3) == 0
    assert not (inward.folder / "rejected").exists()


async def test_who_is_not_accredited_is_told_so(inward: Inward) -> None:
    """As at every other door."""
    past = replace(inward.world.partners["EHM-A"], stage=type(
        inward.world.partners["EHM-A"].stage
    )("suspended"))  # fmt: skip
    inward.world.partners["EHM-A"] = past
    inward.drop("a.json", appointed())

    await inward.looked()

    assert inward.error("a.json")["code"] == "E_ORG_NOT_ACCREDITED"


async def test_one_process_looks_at_a_time(inward: Inward) -> None:
    """Two that look at once would move each other's files."""
    inward.drop("a.json", b"{}")
    assert await inward.world.store.take_turn("sftp:EHM-A", "another", 60.0)

    assert await inward.looked() == 0


async def test_a_server_that_is_away_is_waited_for(
    inward: Inward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's fault: the look ends, and the next is later."""
    inward.door.line = SftpLine(replace(inward.sender.place, port=9))
    waits: list[float] = []

    async def asleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 5:
            raise KeyboardInterrupt

    with pytest.raises(Unavailable):
        await inward.door.round()
    monkeypatch.setattr("adapters.doors.sftp.asyncio.sleep", asleep)
    with pytest.raises(KeyboardInterrupt):
        await inward.door.forever()

    assert waits[-1] > waits[0] > inward.sender.poll_seconds


async def test_the_doors_of_a_site_are_opened_and_closed(inward: Inward) -> None:
    """Every partner that sends files has its folder looked into while the hub serves."""
    async with sftp_doors(inward.hub) as doors:
        assert [(one.name, one.line.place.folder) for one in doors.doors] == [("EHM-A", "/out")]
