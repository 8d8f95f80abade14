"""The vault: who reads the database or its backup reads no child's data, and cannot swap or alter
a cell.

AES-256-GCM under three layers of keys (`reliability.md` 5.9).  The *key-encryption key* lives in
a file of mode 0600 and wraps *data keys*: one per (episode, child), one for the shared part of an
episode, one per raw message.  Deleting a wrapped data key destroys what it sealed, wherever
copies lie (crypto-shredding). Keys for digests, blind indexes and the cells of no episode are
derived from the file's root by HKDF, each for its own purpose, so that none of them opens
anything else and rotation of the first leaves them alone.

An envelope is ``version (1) | key number (4) | nonce (12) | ciphertext + tag``: the number of the
key-encryption key, or which of an owner's successive data keys it was.  Its additional data name
table, column, row and version, so that a cell copied elsewhere does not open.
"""

import base64
import binascii
import hmac
import os
import secrets
import stat
import threading
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.domain.exchange import Tree
from hub.errors import Code, Fault, Misconfigured, Unavailable

_FORMAT = b"\x01"
_HEADER = 5
_NONCE = 12
_TAG = 16
# The one-call form gives up the interpreter lock for more than this, and a busy event loop takes up
# to
# five milliseconds to give it back: a hundred times what the encryption takes.  The other form
# keeps it.
_SMALL = 2000


def bind(*parts: str) -> bytes:
    r"""Return the additional data that ties a cell to its place: table, column, row, version.

    >>> bind("version", "shared", "e1", "3")
    b'version\x00shared\x00e1\x003'
    """
    return "\0".join(parts).encode()


class _Random:
    """The kernel's random bytes, fetched for many at once.

    Every call of the kernel gives up the interpreter lock, and a busy event loop takes
    milliseconds to give it back; a group of messages needs a thousand nonces.  No byte is given
    twice: a forked process begins with an empty stock.
    """

    def __init__(self) -> None:
        self._empty()
        os.register_at_fork(after_in_child=self._empty)

    def _empty(self) -> None:
        self._lock = threading.Lock()  # a fork may have copied it while it was held
        self._stock, self._used = b"", 0

    def take(self, count: int) -> bytes:
        """Return *count* fresh bytes."""
        with self._lock:
            if self._used + count > len(self._stock):
                self._stock, self._used = os.urandom(16_384), 0
            self._used += count
            return self._stock[self._used - count : self._used]


_random = _Random()


class DataKey:
    """One AES-256-GCM key; what it sealed opens only with the same *bound* data."""

    __slots__ = ("_aead", "_aes", "_header")

    def __init__(self, key: bytes, number: int = 0) -> None:
        """Take 32 bytes of key; *number* is what the envelope says."""
        self._aead, self._aes = AESGCM(key), AES(key)
        self._header = _FORMAT + number.to_bytes(4, "big")

    def succeeded(self, envelope: bytes) -> bool:
        """Say whether *envelope* was sealed by a forerunner of this key, which was destroyed."""
        return envelope[:1] == _FORMAT and envelope[:_HEADER] < self._header

    def seal(self, plain: bytes, bound: bytes) -> bytes:
        """Return the envelope of *plain*, different each time."""
        nonce = _random.take(_NONCE)
        if len(plain) <= _SMALL:
            return self._header + nonce + self._aead.encrypt(nonce, plain, bound)
        cipher = Cipher(self._aes, GCM(nonce)).encryptor()
        cipher.authenticate_additional_data(bound)
        sealed = cipher.update(plain) + cipher.finalize()
        return b"".join((self._header, nonce, sealed, cipher.tag))

    def open(self, envelope: bytes, bound: bytes) -> bytes:
        """Return what was sealed, or raise `Unavailable` (``E_VAULT``) if it was altered."""
        if envelope[:_HEADER] != self._header:
            raise Unavailable(Code.VAULT, "a sealed cell has an unknown format or key id")
        nonce, sealed = envelope[_HEADER : _HEADER + _NONCE], envelope[_HEADER + _NONCE :]
        try:
            if len(sealed) <= _SMALL:
                return self._aead.decrypt(nonce, sealed, bound)
            cipher = Cipher(self._aes, GCM(nonce)).decryptor()
            cipher.authenticate_additional_data(bound)
            plain = cipher.update(sealed[:-_TAG])
            return plain + cipher.finalize_with_tag(sealed[-_TAG:])
        except (InvalidTag, ValueError) as fault:
            raise Unavailable(
                Code.VAULT, "a sealed cell does not open: altered, moved, or under another key"
            ) from fault


class Vault(Protocol):
    """Makes, wraps and unwraps data keys; nothing outside it sees the key-encryption key."""

    def new_key(self, name: str, number: int = 0) -> tuple[DataKey, bytes]:
        """Return a fresh data key and its wrapped form, which opens only as *name*, *number*."""
        ...

    def unwrap(self, name: str, wrapped: bytes, number: int = 0) -> DataKey:
        """Return the data key; raises `Unavailable` with ``E_VAULT`` if altered or another's."""
        ...

    def derived(self, purpose: str) -> DataKey:
        """Return the key of one purpose that belongs to no episode; always the same."""
        ...

    def digest(self, data: bytes) -> bytes:
        """Return the keyed digest of a message or view."""
        ...

    def digest_tree(self, tree: Tree) -> bytes:
        """Return the keyed digest of a tree, the same whatever the order of its members."""
        ...

    def token(self, kind: str, value: str) -> bytes:
        """Return the blind index of a normalised value; another *kind* gives another token."""
        ...


class FileVault:
    """A `Vault` on a key file, readable by its owner only; also the hub's `Digester`."""

    def __init__(self, path: Path) -> None:
        """Read *path*; raises `Misconfigured` if absent, damaged, or readable by others."""
        root, keks, self._active = _read(path)
        self._root = root
        self._keks = {kek: DataKey(key, kek) for kek, key in keks.items()}
        self._digest_key = self._derive("digest")
        self._token_keys: dict[str, bytes] = {}

    @classmethod
    def create(cls, path: Path) -> "FileVault":
        """Write a new key file with mode 0600 and open it; never overwrites one."""
        text = orjson.dumps(
            {
                "vault": 1,
                "root": base64.b64encode(secrets.token_bytes(32)).decode(),
                "keks": {"1": base64.b64encode(secrets.token_bytes(32)).decode()},
                "active": 1,
            },
            option=orjson.OPT_INDENT_2,
        )
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError as fault:
            raise _misconfigured(
                path, "exists already; a vault key is never overwritten"
            ) from fault
        with os.fdopen(handle, "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(path)

    def new_key(self, name: str, number: int = 0) -> tuple[DataKey, bytes]:
        """Return a fresh data key, and its wrapped form."""
        key = _random.take(32)
        place = bind("data_key", name, str(number))
        return DataKey(key, number), self._keks[self._active].seal(key, place)

    def unwrap(self, name: str, wrapped: bytes, number: int = 0) -> DataKey:
        """Return the data key that was wrapped as *name* and *number*."""
        kek = self._keks.get(int.from_bytes(wrapped[1:_HEADER], "big"))
        if kek is None:
            raise Unavailable(Code.VAULT, "a data key is wrapped by a key that the key file lacks")
        return DataKey(kek.open(wrapped, bind("data_key", name, str(number))), number)

    def derived(self, purpose: str) -> DataKey:
        """Return the key of one purpose."""
        return DataKey(self._derive("cell/" + purpose))

    def digest(self, data: bytes) -> bytes:
        """Return HMAC-SHA-256 under the digest key."""
        return hmac.digest(self._digest_key, data, sha256)

    def digest_tree(self, tree: Tree) -> bytes:
        """Return the keyed digest of a tree, the same whatever the order of its members."""
        return self.digest(orjson.dumps(tree, option=orjson.OPT_SORT_KEYS))

    def token(self, kind: str, value: str) -> bytes:
        """Return HMAC-SHA-256 under the key of this *kind*."""
        key = self._token_keys.get(kind)
        if key is None:
            key = self._token_keys[kind] = self._derive("token/" + kind)
        return hmac.digest(key, value.encode(), sha256)

    def __repr__(self) -> str:
        """Show nothing."""
        return "FileVault(***)"

    def _derive(self, purpose: str) -> bytes:
        return HKDF(SHA256(), 32, None, b"ecaf/1/" + purpose.encode()).derive(self._root)


def _misconfigured(path: Path, what: str) -> Misconfigured:
    remedy = "Give ECAF_VAULT_KEY_FILE a key file that only the hub's user can read (chmod 600)."
    return Misconfigured(
        Code.VAULT, f"vault key file {path}: {what}", [Fault(Code.VAULT, remedy=remedy)]
    )


def _read(path: Path) -> tuple[bytes, dict[int, bytes], int]:
    """Return root, key-encryption keys by id, and the id that wraps new data keys."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read(65_536)
    except OSError as fault:
        raise _misconfigured(path, fault.strerror or "cannot be read") from fault
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise _misconfigured(path, f"mode {stat.S_IMODE(status.st_mode):o} lets others read it")
    if status.st_uid not in {0, os.geteuid()}:
        raise _misconfigured(path, "belongs to another user")
    try:
        content = orjson.loads(text)
        root = base64.b64decode(content["root"], validate=True)
        keks = {int(i): base64.b64decode(k, validate=True) for i, k in content["keks"].items()}
        active = content["active"]
        sound = content["vault"] == 1 and active in keks and all(0 < i < 2**32 for i in keks)
    except (
        orjson.JSONDecodeError,
        binascii.Error,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ):
        # Without "from": the parser's message would quote the file, which is all secrets.
        raise _misconfigured(path, "is not a vault key file") from None
    if not sound or any(len(key) != 32 for key in (root, *keks.values())):
        raise _misconfigured(path, "is not a vault key file")
    return root, keks, active
