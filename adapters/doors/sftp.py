"""The SFTP door: takes files out of partners' folders, one after the other, and says what became
of each where it lay.

Source: `design.md` section 2 (the door answers after the commit), `reliability.md` P4, P5, P18 and
5.2 (the dedupe key of a file is its SHA-256).  A file that was recorded goes to ``accepted/``; one
that was refused to ``rejected/``, with what is wrong beside it in ``NAME.error.json``, which says
codes, places and remedies and never a value.  What can be neither recorded nor refused now stays.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random
from stat import S_ISREG
from typing import Any, Final, Protocol

import asyncssh
from asyncssh import SFTPClient

from adapters.sftp.line import SftpLine, put
from adapters.sftp.names import kept_as, offered, sound
from hub.domain.partner import Partner, Registry, SftpSender
from hub.errors import Code, Fault, Forbidden, HubError, Malformed, Unavailable
from hub.ports import Clock, Store
from hub.services.receipt import Receipt

log = logging.getLogger("hub.sftp")

LARGEST: Final = 5 * 1024 * 1024
BATCH: Final = 100
LISTED: Final = 5_000
TURN_SECONDS: Final = 120.0
LONGEST_SECONDS: Final = 900.0
ACCEPTED, REJECTED = "accepted", "rejected"
_ACCREDITED: Final = "have accreditation, stage and protocol looked at by the sponsoring authority"


class Intake(Protocol):
    """What the door asks of the hub (`hub.hub.Hub`)."""

    store: Store

    @property
    def registry(self) -> Registry:
        """The active partners."""
        ...

    @property
    def clock(self) -> Clock:
        """The business clock."""
        ...

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Accept one message durably, or say why not."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as it lay there in one look."""

    size: int
    changed: int


@dataclass
class SftpDoor:
    """Looks into one partner's folder until it is stopped; `round` is one look."""

    hub: Intake
    name: str
    sender: SftpSender
    line: SftpLine
    owner: str
    largest: int = LARGEST
    _seen: dict[str, Seen] = field(default_factory=dict)
    _failed: dict[str, int] = field(default_factory=dict)

    async def forever(self) -> None:
        """Look again and again; wait longer, never in step, while the server is away."""
        random, failures = Random(), 0
        poll = float(self.sender.poll_seconds)
        while True:
            pause = poll
            try:
                await self.round()
                failures = 0
            except Unavailable as error:
                failures += 1
                pause = min(poll * 2 ** min(failures, 10), LONGEST_SECONDS)
                log.warning("sftp away", extra={"code": error.code.value, "partner": self.name})
            except Exception as error:
                failures += 1
                pause = LONGEST_SECONDS
                log.exception("sftp failed", extra={"error_class": type(error).__name__})
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))

    async def round(self) -> int:
        """Look once and return how many files were dealt with; raises `Unavailable`.

        A file is taken when two looks in a row saw it alike: not everybody renames.  One that the
        server does not let us deal with goes behind all others, and holds up none.
        """
        partner = self.hub.registry.partners.get(self.name)
        if partner is None or partner.suspended is not None:
            return 0  # what lies there is taken when the suspension ends
        if not await self._turn():
            return 0
        async with self.line.session() as sftp:
            now = await self._listed(sftp)
        ready = [name for name, file in now.items() if self._seen.get(name) == file]
        ready.sort(key=lambda name: self._failed.get(name, 0))
        self._seen = now
        self._failed = {name: count for name, count in self._failed.items() if name in now}
        done = 0
        fault: Unavailable | None = None
        for name in ready[:BATCH]:
            if not await self._turn():
                break
            try:
                async with self.line.session() as sftp:
                    done += await self._take(sftp, name, now[name])
            except Unavailable as error:
                if error.code is not Code.OUTCOME_UNKNOWN:
                    raise
                self._failed[name] = self._failed.get(name, 0) + 1
                log.warning("left", extra={"code": error.code.value, "partner": self.name})
                if fault is not None:
                    break
                fault = error
                continue
            fault = None
            self._failed.pop(name, None)
            self._seen.pop(name, None)
        if fault is not None and not done:
            raise fault
        return done

    async def _turn(self) -> bool:
        return await self.hub.store.take_turn(f"sftp:{self.name}", self.owner, TURN_SECONDS)

    async def _listed(self, sftp: SFTPClient) -> dict[str, Seen]:
        """Return the files that are there to be taken, oldest first; links and folders are none."""
        found: dict[str, Seen] = {}
        async for one in sftp.scandir(self.line.place.folder):
            name, attrs = str(one.filename), one.attrs
            regular = S_ISREG(attrs.permissions or 0)
            if regular and offered(name) and "/" not in name and len(found) < LISTED:
                found[name] = Seen(attrs.size or 0, int(attrs.mtime or 0))
        return dict(sorted(found.items(), key=lambda item: (item[1].changed, item[0])))

    async def _take(self, sftp: SFTPClient, name: str, file: Seen) -> bool:
        """Deal with one file; ``False`` where it has gone or changed meanwhile."""
        folder = self.line.place.folder
        refusal: HubError | None = None
        raw = b""
        try:
            raw = await _read(sftp, f"{folder}/{name}", self.largest)
            if await _as_seen(sftp, f"{folder}/{name}") != file:
                return False
        except asyncssh.SFTPNoSuchFile:
            return False
        except asyncssh.SFTPPermissionDenied:
            fault = Fault(Code.FORBIDDEN, "name", "let the hub's user read the file")
            refusal = Forbidden(Code.FORBIDDEN, "the server does not let us read it", (fault,))
        try:
            if refusal is None:
                await self._received(name, raw)
        except Unavailable:
            raise
        except HubError as error:
            refusal = error
        except Exception as error:
            log.exception("door failed", extra={"error_class": type(error).__name__})
            refusal = HubError(Code.INTERNAL, "the hub failed; the file is kept, tell its support")
        if refusal is not None:
            log.info("refused", extra={"code": refusal.code.value})
            await _folder(sftp, f"{folder}/{REJECTED}")
            told = json.dumps(_problem(refusal), ensure_ascii=False, indent=1).encode()
            await put(sftp, f"{folder}/{REJECTED}", f"{kept_as(name)}.error.json", told)
        to = ACCEPTED if refusal is None else REJECTED
        await _moved(sftp, folder, name, to)
        # What was moved may be another file of that name, which nobody has read: it goes back.
        moved = f"{folder}/{to}/{kept_as(name)}"
        try:
            if await _as_seen(sftp, moved) != file:
                await sftp.rename(moved, f"{folder}/{name}")
        except asyncssh.SFTPNoSuchFile:
            return True
        return True

    async def _received(self, name: str, raw: bytes) -> None:
        partner = self.hub.registry.partners.get(self.name)
        if partner is None or not partner.accredited(self.hub.clock.now().date()):
            fault = Fault(Code.ORG_NOT_ACCREDITED, remedy=_ACCREDITED)
            raise Forbidden(Code.ORG_NOT_ACCREDITED, "the sender is not accredited today", (fault,))
        ending = name.rpartition(".")[2].lower()
        kind = self.sender.content_types.get(ending)
        if not sound(name):
            fault = Fault(Code.FORMAT, "name", "letters, digits, . _ - and an ending")
            raise Malformed(Code.FORMAT, "the file's name cannot be used", (fault,))
        if kind is None:
            known = tuple(sorted(self.sender.content_types))
            fault = Fault(Code.CONTENT_TYPE, "name", "use an agreed ending", None, known)
            raise Malformed(Code.CONTENT_TYPE, "nothing is agreed for this ending", (fault,))
        if len(raw) > self.largest:
            fault = Fault(Code.TOO_LARGE, "", f"send at most {self.largest} bytes")
            raise Malformed(Code.TOO_LARGE, "the file is too large", (fault,))
        acting = replace(partner, acting=self.sender.acting)
        await self.hub.receive(acting, kind, raw, f"sftp/{sha256(raw).hexdigest()}")


async def _read(sftp: SFTPClient, path: str, largest: int) -> bytes:
    """Return a file, and of a too large one just enough to see that it is."""
    async with sftp.open(path, "rb") as file:
        found: Any = await file.read(largest + 1)
    return bytes(found)


async def _as_seen(sftp: SFTPClient, path: str) -> Seen:
    attrs = await sftp.lstat(path)
    return Seen(attrs.size or 0, int(attrs.mtime or 0))


async def _folder(sftp: SFTPClient, path: str) -> None:
    if not await sftp.exists(path):
        await sftp.makedirs(path, exist_ok=True)


async def _moved(sftp: SFTPClient, folder: str, name: str, to: str) -> None:
    """Move a file into a folder; what lies there under its name is an earlier one of that name."""
    await _folder(sftp, f"{folder}/{to}")
    kept = f"{folder}/{to}/{kept_as(name)}"
    try:
        await sftp.posix_rename(f"{folder}/{name}", kept)
    except asyncssh.SFTPOpUnsupported:
        if await sftp.exists(kept):
            await sftp.remove(kept)
        await sftp.rename(f"{folder}/{name}", kept)


def _problem(error: HubError) -> Mapping[str, Any]:
    """Return what is wrong, as the HTTP door says it: nothing of the file is repeated."""
    faults: Sequence[Fault] = error.faults or (Fault(error.code),)
    return {
        "code": error.code.value,
        "detail": error.detail,
        "errors": [
            {"code": one.code.value, "path": one.path, "remedy": one.remedy} for one in faults
        ],
    }
