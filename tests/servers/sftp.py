"""A partner's SFTP server: asyncssh's own, over a folder of the test's, and bad on request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from hub.domain.partner import SftpPlace


@dataclass
class SftpServer:
    """A running server: what it holds, and what it does wrong."""

    folder: Path
    place: SftpPlace
    wrong: set[str] = field(default_factory=set)
    """``full``, ``short``, ``no rename``, ``no posix``, ``no fsync``, ``read only``, ``cut``,
    ``idle`` (says that it renamed), ``mute``, ``blind``, ``larger``, ``sizeless``, ``unclosed``.
    """
    refused: set[bytes] = field(default_factory=set)
    """Names of files that can be neither read nor moved."""
    unreadable: set[bytes] = field(default_factory=set)
    replaced: dict[bytes, bytes] = field(default_factory=dict)
    """What is there instead when a file of that name is moved; once."""
    done: list[str] = field(default_factory=list)
    connections: int = 0
    ssh: Any = None

    def files(self, folder: str = "in") -> dict[str, bytes]:
        """Return the files of a folder, hidden ones too."""
        return {
            one.name: one.read_bytes() for one in (self.folder / folder).iterdir() if one.is_file()
        }


def _serving(server: SftpServer) -> type[asyncssh.SFTPServer]:
    class Bad(asyncssh.SFTPServer):
        def __init__(self, chan: Any) -> None:
            super().__init__(chan, chroot=str(server.folder).encode())
            server.connections += 1

        def _did(self, what: str) -> None:
            server.done.append(what)
            if what in server.wrong:
                raise asyncssh.SFTPFailure("no")

        def open(self, path: bytes, pflags: int, attrs: Any) -> object:
            if pflags & asyncssh.FXF_WRITE:
                if "read only" in server.wrong:
                    raise asyncssh.SFTPPermissionDenied("no")
                self._did("open")
            elif path.rpartition(b"/")[2] in server.refused:
                raise asyncssh.SFTPFailure("no")
            elif path.rpartition(b"/")[2] in server.unreadable:
                raise asyncssh.SFTPPermissionDenied("no")
            return super().open(path, pflags, attrs)

        def write(self, file_obj: object, offset: int, data: bytes) -> int:
            if "full" in server.wrong:
                raise asyncssh.SFTPNoSpaceOnFilesystem("full")
            if "cut" in server.wrong:
                server.ssh.close()
                raise asyncssh.SFTPConnectionLost("cut")
            kept = data[:-1] if "short" in server.wrong else data
            super().write(file_obj, offset, kept)
            return len(data)

        def stat(self, path: bytes) -> Any:
            if "mute" in server.wrong:
                return asyncio.sleep(3_600)
            if "blind" in server.wrong:
                raise asyncssh.SFTPFailure("no")
            found: Any = super().stat(path)
            if "larger" in server.wrong:
                return asyncssh.SFTPAttrs(size=found.st_size + 1)
            if "sizeless" in server.wrong:
                return asyncssh.SFTPAttrs()
            return found

        def close(self, file_obj: object) -> None:
            super().close(file_obj)
            if "unclosed" in server.wrong:
                raise asyncssh.SFTPFailure("no")

        def fsync(self, file_obj: object) -> None:
            if "no fsync" in server.wrong:
                raise asyncssh.SFTPOpUnsupported("no")
            self._did("fsync")
            super().fsync(file_obj)

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
            if "no posix" in server.wrong:
                raise asyncssh.SFTPOpUnsupported("no")
            if "no rename" in server.wrong:
                raise asyncssh.SFTPFailure("no")
            self._did("rename")
            if "idle" in server.wrong:
                return
            if (instead := server.replaced.pop(oldpath.rpartition(b"/")[2], None)) is not None:
                Path(self.map_path(oldpath).decode()).write_bytes(instead)
            super().posix_rename(oldpath, newpath)
            if "taken" in server.wrong:
                Path(self.map_path(newpath).decode()).unlink()
            if "spoilt" in server.wrong:
                Path(self.map_path(newpath).decode()).write_bytes(b"{")

        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            if "no rename" in server.wrong:
                raise asyncssh.SFTPFailure("no")
            self._did("rename")
            if Path(self.map_path(newpath).decode()).exists():
                raise asyncssh.SFTPFailure("there is one")  # as SFTP 3 does
            super().rename(oldpath, newpath)

    return Bad


@asynccontextmanager
async def sftp_server(folder: Path) -> AsyncIterator[SftpServer]:
    """Keep a server up whose folders ``in`` and ``out`` are empty; the hub's key may enter."""
    host, mine, other = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(3))
    root = folder / "sftp"
    for name in ("in", "out"):
        (root / name).mkdir(parents=True)
    for name, key in (("hub.key", mine), ("stranger.key", other)):
        key.write_private_key(str(folder / name))
        (folder / name).chmod(0o600)
    mine.write_public_key(str(folder / "hub.pub"))
    place = SftpPlace("127.0.0.1", 0, "ecaf", "/in", folder / "hub.key", folder / "hosts")
    server = SftpServer(root, place)
    ssh = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host],
        authorized_client_keys=str(folder / "hub.pub"),
        sftp_factory=_serving(server),
        allow_scp=False,
        agent_forwarding=False,
    )
    server.ssh = ssh
    port = ssh.get_port()
    public = host.export_public_key().decode().strip()
    (folder / "hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    server.place = SftpPlace("127.0.0.1", port, "ecaf", "/in", place.key_file, place.hosts_file)
    try:
        yield server
    finally:
        ssh.close()
        await ssh.wait_closed()
