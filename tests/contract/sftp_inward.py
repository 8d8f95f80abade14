"""A hub that takes EHM-A's files out of a folder on a real server."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.doors.sftp import SftpDoor
from adapters.sftp.line import SftpLine
from hub.domain.partner import Credentials, SftpSender
from hub.hub import Hub
from hub.settings import Settings
from mappings.formats.json_strict import parse
from tests import builders as b
from tests.servers.sftp import SftpServer
from tests.unit.services.world import CANONICAL, World, appointment


class Inward:
    """A hub that takes EHM-A's files, and the folder that they come from."""

    def __init__(self, far: SftpServer, folder: Path) -> None:
        self.far, self.world = far, World()
        self.sender = SftpSender(
            replace(far.place, folder="/out"),
            {"json": CANONICAL, "xml": "application/vnd.ecaf.message+xml"},
        )
        held = {"EHM-A": Credentials(sftp=self.sender)}
        self.world.registry = replace(self.world.registry, credentials=held)
        self.hub = Hub(
            Settings(config_dir=folder, vault_key_file=folder),
            self.world.registry,
            self.world.clock,
            self.world.store,
            self.world.digester,
            self.world.translator,
            self.world.translator,
            parse,
        )
        self.door = SftpDoor(self.hub, "EHM-A", self.sender, SftpLine(self.sender.place), "w1")

    @property
    def folder(self) -> Path:
        return self.far.folder / "out"

    def drop(self, name: str, body: bytes) -> Path:
        """Put a file there as EHM-A's system does."""
        path = self.folder / name
        path.write_bytes(body)
        return path

    async def looked(self, times: int = 2) -> int:
        """Look as often, and return how many files were dealt with."""
        return sum([await self.door.round() for _ in range(times)])

    def lies(self) -> list[str]:
        """Return what lies where, by path."""
        return sorted(
            str(one.relative_to(self.folder)) for one in self.folder.rglob("*") if not one.is_dir()
        )

    def error(self, name: str) -> Any:
        return json.loads((self.folder / f"rejected/{name}.error.json").read_bytes())


def appointed() -> bytes:
    return b.wire({"event": "lead_professional.appointed", "episode": appointment()})
