"""Keys and secrets that are being replaced: the new beside the old, until a day, then alone.

A secret's successor is the file of its name and ``.next``: while it is there webhooks are signed by
both, and what a partner signs by either is believed.  Public keys stand together in the partner's
key file.  The hub can show one certificate at a time: its successor waits, for the partner to trust
it first.  ``rotations/<NAME>.<WHAT>.yaml`` says what is under way, and until when.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from adapters.partners.jwks import read_jwks
from adapters.partners.keys import client_certificate, keep, new_secret
from adapters.partners.values import day
from hub.domain.partner import Partner
from hub.errors import Code, Fault, Misconfigured
from hub.positioned import Problems, read_file

FOLDER: Final = "rotations"
WHAT: Final = ("webhook", "inbound", "certificate", "keys")
"""The secret by which the hub signs, the one by which the partner does, the certificate that the
hub shows, and the partner's public keys."""
NEXT: Final = ".next"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rotation:
    """What is being replaced for a partner, until when both hold, and (of keys) which are old."""

    partner: str
    what: str
    until: date
    old: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """Where the things of a partner are that can be replaced; what it has not is absent."""

    webhook: Path | None
    inbound: Path | None
    certificate: tuple[Path, Path] | None
    keys: Path | None

    def has(self) -> tuple[str, ...]:
        """Return which of `WHAT` this partner has."""
        return tuple(name for name in WHAT if getattr(self, name) is not None)


def successor(path: Path) -> Path:
    """Return where the successor of a secret file is, or will be."""
    return path.with_name(path.name + NEXT)


def files_of(folder: Path, partner: Partner, profile: dict[str, Any]) -> Files:
    """Return where the things of *partner* are, whose *profile* is as written."""
    delivering, credentials = partner.delivering, profile.get("credentials") or {}
    signs = delivering.channel in ("webhook", "index")
    inbound = (credentials.get("webhook") or {}).get("secret_files") or []
    pair = (delivering.cert_file, delivering.key_file)
    return Files(
        webhook=delivering.secret_file if signs else None,
        inbound=folder / inbound[0] if len(inbound) == 1 else None,
        certificate=(pair[0], pair[1]) if pair[0] is not None and pair[1] is not None else None,
        keys=folder / credentials["jwks_file"] if "jwks_file" in credentials else None,
    )


def read_rotations(folder: Path) -> Sequence[Rotation]:
    """Return what is under way; raises `Misconfigured` for a file that cannot be read."""
    problems, found = Problems(), []
    for path in sorted((folder / FOLDER).glob("*.yaml")):
        with problems.kept():
            told = read_file(path, f"{FOLDER}/{path.name}").mapping("until", "old")
            name, _, what = path.stem.rpartition(".")
            old = told.get("old")
            ids = () if old is None else old.texts()
            found.append(Rotation(name, what, day(told.need("until")), ids))
    if problems.errors:
        wrong = problems.errors[0]
        fault = Fault(Code.CONFIGURATION, str(wrong.place), wrong.message)
        raise Misconfigured(Code.CONFIGURATION, "a rotation cannot be read", (fault,))
    return found


def begin(folder: Path, files: Files, name: str, what: str, until: date, key: Path | None) -> bool:
    """Bring the new beside the old until a day; ``False``, and nothing changes, where one is under
    way.  Of keys, *key* is the JWK Set that the partner sent.
    """
    note = folder / FOLDER / f"{name}.{what}.yaml"
    if note.exists():
        return False
    old: Sequence[str] = ()
    if what == "keys":
        old = _beside(files.keys, key)
    elif what == "certificate":
        shown, private = _there(files.certificate)
        client_certificate(successor(shown), successor(private), "eCAF hub")
    else:
        keep(successor(_there(files.webhook if what == "webhook" else files.inbound)), new_secret())
    lines = [f"until: {until.isoformat()}"]
    if old:
        lines.append(f"old: {orjson.dumps(list(old)).decode()}")
    keep(note, ("\n".join(lines) + "\n").encode())
    return True


def retire(folder: Path, files: Files, name: str, what: str) -> bool:
    """Let the new stand alone; ``False``, and nothing changes, where none is under way."""
    note = folder / FOLDER / f"{name}.{what}.yaml"
    if not note.exists():
        return False
    if what == "keys":
        (mine,) = [one for one in read_rotations(folder) if (one.partner, one.what) == (name, what)]
        _drop(_there(files.keys), mine.old)
    elif what == "certificate":
        for path in reversed(_there(files.certificate)):
            _replace(path)
    else:
        _replace(_there(files.webhook if what == "webhook" else files.inbound))
    note.unlink()
    return True


def _there(found: T | None) -> T:
    if found is None:
        raise Misconfigured(Code.CONFIGURATION, "this partner has nothing of the kind")
    return found


def _replace(path: Path) -> None:
    """Put the successor in its place; a repeat after an interruption finds it done."""
    if successor(path).exists():
        successor(path).replace(path)


def _beside(held: Path | None, sent: Path | None) -> Sequence[str]:
    """Put the keys of *sent* beside those that are held, and return the ids of the old ones."""
    held = _there(held)
    if sent is None:
        fault = Fault(Code.CONFIGURATION, "--key", "the JWK Set with its new public key")
        raise Misconfigured(Code.CONFIGURATION, "a partner makes its own keys", (fault,))
    try:
        before, added = read_jwks(held), read_jwks(sent)
    except (ValueError, OSError) as wrong:
        fault = Fault(Code.CONFIGURATION, "--key", str(wrong))
        raise Misconfigured(Code.CONFIGURATION, "the keys cannot be taken", (fault,)) from None
    old = [str(one["kid"]) for one in before]
    fresh = [one for one in added if one["kid"] not in old]
    if not fresh:
        fault = Fault(Code.CONFIGURATION, "--key", "a key with a kid of its own")
        raise Misconfigured(Code.CONFIGURATION, "there is no new key in it", (fault,))
    _write(held, [*before, *fresh])
    try:
        read_jwks(held)
    except ValueError as wrong:
        _write(held, before)
        fault = Fault(Code.CONFIGURATION, "--key", str(wrong))
        raise Misconfigured(Code.CONFIGURATION, "the keys cannot be taken", (fault,)) from None
    return old


def _drop(held: Path, old: Sequence[str]) -> None:
    _write(held, [one for one in read_jwks(held) if one["kid"] not in old])


def _write(path: Path, keys: Sequence[Any]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    keep(part, orjson.dumps({"keys": [dict(one) for one in keys]}, option=orjson.OPT_INDENT_2))
    part.replace(path)
