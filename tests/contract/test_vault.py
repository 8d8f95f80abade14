"""What the vault promises: sealed cells open in their place only, and its key file is guarded."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from adapters.database.vault import DataKey, FileVault, bind
from adapters.memory import MemoryDigester
from hub.errors import Code, Misconfigured, Unavailable
from hub.ports import Digester

PLACE = bind("version", "shared", "e1", "1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.key"


@pytest.fixture
def vault(path: Path) -> FileVault:
    return FileVault.create(path)


@pytest.fixture(params=["memory", "file"])
def digester(request: pytest.FixtureRequest, vault: FileVault) -> Digester:
    return MemoryDigester() if request.param == "memory" else vault


def test_a_sealed_cell_opens_in_its_place(vault: FileVault) -> None:
    """What was sealed is what opens; the same text never seals to the same bytes."""
    key, wrapped = vault.new_key("episode/e1")

    sealed = [key.seal(b"Canary", PLACE) for _ in range(2000)]

    assert {vault.unwrap("episode/e1", wrapped).open(one, PLACE) for one in sealed} == {b"Canary"}
    assert len({one[5:17] for one in sealed}) == 2000
    assert not any(b"Canary" in one for one in sealed)


@pytest.mark.parametrize(
    "place", [("version", "shared", "e1", "2"), ("version", "shared", "e2", "1")]
)
def test_a_cell_moved_elsewhere_does_not_open(vault: FileVault, place: tuple[str, ...]) -> None:
    """Another row or version, same key: refused."""
    key, _ = vault.new_key("episode/e1")

    with pytest.raises(Unavailable) as refused:
        key.open(key.seal(b"x", PLACE), bind(*place))

    assert refused.value.code is Code.VAULT


def test_every_flipped_bit_is_noticed(vault: FileVault) -> None:
    """Whichever bit of an envelope differs, it does not open."""
    key, wrapped = vault.new_key("episode/e1")
    for envelope, unseal in (
        (key.seal(b"content", PLACE), lambda e: key.open(e, PLACE)),
        (wrapped, lambda e: vault.unwrap("episode/e1", e)),
    ):
        for bit in range(len(envelope) * 8):
            flipped = bytearray(envelope)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(Unavailable):
                unseal(bytes(flipped))


@pytest.mark.parametrize("length", [0, 1, 4, 5, 16, 17, 32])
def test_a_cut_envelope_is_refused(vault: FileVault, length: int) -> None:
    """Too short to be an envelope, or cut: refused, never another exception."""
    key, wrapped = vault.new_key("episode/e1")

    with pytest.raises(Unavailable):
        key.open(key.seal(b"content", PLACE)[:length], PLACE)
    with pytest.raises(Unavailable):
        vault.unwrap("episode/e1", wrapped[:length])


def test_a_wrapped_key_is_its_owners(vault: FileVault) -> None:
    """A wrapped key unwraps under its own name and number only."""
    _, wrapped = vault.new_key("episode/e1", 3)

    for name, number in (("episode/e2", 3), ("episode/e1", 2)):
        with pytest.raises(Unavailable):
            vault.unwrap(name, wrapped, number)
    vault.unwrap("episode/e1", wrapped, 3)


def test_another_key_file_opens_nothing(vault: FileVault, tmp_path: Path) -> None:
    """Keys wrapped under one file are refused by another."""
    other = FileVault.create(tmp_path / "other.key")
    _, wrapped = vault.new_key("episode/e1")

    with pytest.raises(Unavailable):
        other.unwrap("episode/e1", wrapped)
    with pytest.raises(Unavailable):
        other.derived("audit").open(vault.derived("audit").seal(b"x", PLACE), PLACE)


def test_purposes_do_not_open_each_other(vault: FileVault) -> None:
    """The index's key opens no audit row, though both come from one root."""
    sealed = vault.derived("index").seal(b"x", PLACE)

    assert vault.derived("index").open(sealed, PLACE) == b"x"
    with pytest.raises(Unavailable):
        vault.derived("audit").open(sealed, PLACE)


def test_a_destroyed_forerunner_is_told_from_tampering() -> None:
    """A key knows what an earlier key of the same owner sealed; a later one's it refuses."""
    first, second = DataKey(os.urandom(32), 1), DataKey(os.urandom(32), 2)
    sealed = first.seal(b"x", PLACE)

    assert second.succeeded(sealed)
    assert not first.succeeded(sealed)
    assert not first.succeeded(second.seal(b"x", PLACE))


def test_digests_and_tokens_need_the_key(digester: Digester) -> None:
    """The same input gives the same digest, and each kind of token is a world of its own."""
    assert digester.digest(b"a") == digester.digest(b"a") != digester.digest(b"b")
    assert len(digester.digest(b"a")) == 32
    tokens = {
        digester.token("nhs-number", "9990000018"),
        digester.token("upn", "9990000018"),
        digester.token("nhs-number", "9990000026"),
        digester.digest(b"9990000018"),
    }
    assert len(tokens) == 4
    assert digester.token("upn", "x") == digester.token("upn", "x")


def test_reopened_the_vault_gives_the_same_tokens(path: Path, vault: FileVault) -> None:
    """Digests, tokens and derived keys come from the file, not from the process."""
    again = FileVault(path)

    assert again.token("upn", "x") == vault.token("upn", "x")
    assert again.digest(b"x") == vault.digest(b"x")
    assert again.derived("audit").open(vault.derived("audit").seal(b"x", PLACE), PLACE) == b"x"


def test_a_key_file_is_made_for_its_owner_only(path: Path, vault: FileVault) -> None:
    """Mode 0600 from the start, and never written over."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()

    with pytest.raises(Misconfigured, match="never overwritten"):
        FileVault.create(path)

    assert path.read_bytes() == before
    assert "***" in repr(vault)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601])
def test_a_key_file_that_others_can_open_is_refused(
    path: Path, vault: FileVault, mode: int
) -> None:
    """Any right of group or others refuses the start."""
    path.chmod(mode)

    with pytest.raises(Misconfigured, match=f"mode {mode:o}") as refused:
        FileVault(path)

    assert refused.value.code is Code.VAULT


def test_an_absent_key_file_is_refused(path: Path) -> None:
    """Without the file the hub does not start; it never makes one up."""
    with pytest.raises(Misconfigured):
        FileVault(path)
    assert not path.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: b"",
        lambda c: b"not json",
        lambda c: b"[]",
        lambda c: orjson.dumps({**c, "root": "AAAA"}),
        lambda c: orjson.dumps({**c, "root": "%%%"}),
        lambda c: orjson.dumps({**c, "root": 1}),
        lambda c: orjson.dumps({**c, "active": 2}),
        lambda c: orjson.dumps({**c, "keks": {"0": c["root"]}, "active": 0}),
        lambda c: orjson.dumps({**c, "keks": {"x": c["root"]}}),
        lambda c: orjson.dumps({**c, "keks": []}),
        lambda c: orjson.dumps({**c, "vault": 2}),
    ],
)
def test_a_damaged_key_file_is_refused_without_quoting_it(
    path: Path, vault: FileVault, damage: Callable[[dict[str, str]], bytes]
) -> None:
    """Whatever is wrong with it, the error names the file and nothing of what is in it."""
    content = orjson.loads(path.read_bytes())
    path.write_bytes(damage(content))

    with pytest.raises(Misconfigured) as refused:
        FileVault(path)

    assert content["root"] not in str(refused.value)
    assert refused.value.__cause__ is None


def test_keys_wrapped_before_a_rotation_still_open(path: Path, vault: FileVault) -> None:
    """With a second wrapping key active, old data keys unwrap and new ones name the new one."""
    old, wrapped = vault.new_key("episode/e1")
    sealed = old.seal(b"x", PLACE)
    content = orjson.loads(path.read_bytes())
    content["keks"]["2"] = content["root"]
    path.write_bytes(orjson.dumps({**content, "active": 2}))

    rotated = FileVault(path)

    assert rotated.unwrap("episode/e1", wrapped).open(sealed, PLACE) == b"x"
    _, renewed = rotated.new_key("episode/e1")
    assert (wrapped[1:5], renewed[1:5]) == (b"\0\0\0\x01", b"\0\0\0\x02")
    with pytest.raises(Unavailable):
        vault.unwrap("episode/e1", renewed)
