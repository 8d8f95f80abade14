"""One connection to a partner's SFTP server: kept while it works, dropped whenever anything fails.

Source: `reliability.md` 5.5 (temporary name, fsync where it is offered, rename) and 5.14: the
server is the one that the profile names by address and key; nothing of the machine's own SSH
configuration, agent or known hosts is used.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncssh
from asyncssh import SFTPClient, SFTPError, SSHClientConnection

from adapters.outward import Resolve, Way, resolved
from hub.domain.partner import SftpPlace
from hub.errors import Code, Unavailable

CONNECT_SECONDS: Final = 10.0
WHOLE_SECONDS: Final = 30.0


class SftpLine:
    """Gives one caller at a time an SFTP session on the partner's server."""

    def __init__(
        self,
        place: SftpPlace,
        *,
        connect_seconds: float = CONNECT_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
        resolve: Resolve = resolved,
    ) -> None:
        """Connect to *place* when it is first needed."""
        self.place = place
        self._way = Way(place.host, reach=place.reach, resolve=resolve)
        self._connect_seconds, self._whole_seconds = connect_seconds, whole_seconds
        self._turn = asyncio.Lock()
        self._held: tuple[SSHClientConnection, SFTPClient] | None = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[SFTPClient]:
        """Give a session, for a bounded time.

        Raises `Rejected` where the name leads to what the hub must not reach, else `Unavailable`:
        ``E_UNAVAILABLE`` before there is a session, ``E_OUTCOME_UNKNOWN``
        once there was one (what was being done may have been done).
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._connect_seconds):
                    sftp = await self._connected()
            except (OSError, asyncssh.Error, TimeoutError, ValueError) as error:
                self._drop()
                name = type(error).__name__
                raise Unavailable(
                    Code.UNAVAILABLE, f"no connection to the server ({name})"
                ) from None
            try:
                async with asyncio.timeout(self._whole_seconds):
                    yield sftp
            except (OSError, asyncssh.Error, TimeoutError) as error:
                self._drop()
                name = type(error).__name__
                raise Unavailable(
                    Code.OUTCOME_UNKNOWN, f"the server failed on the way ({name})"
                ) from None
            except BaseException:
                self._drop()
                raise

    async def close(self) -> None:
        """Let the connection go."""
        self._drop()

    async def _connected(self) -> SFTPClient:
        if self._held is not None and not self._held[0].is_closed():
            return self._held[1]
        place = self.place
        connection = await asyncssh.connect(
            place.host,
            place.port,
            sock=await self._dialled(),
            username=place.user,
            client_keys=[str(place.key_file)],
            known_hosts=str(place.hosts_file),
            config=None,
            agent_path=None,
            preferred_auth=("publickey",),
            login_timeout=self._connect_seconds,
            keepalive_interval=60,
        )
        try:
            # A name that is no UTF-8 is one file's fault, and must not hide the others.
            sftp = await connection.start_sftp_client(path_errors="surrogateescape")
        except BaseException:
            connection.abort()
            raise
        self._held = (connection, sftp)
        return sftp

    async def _dialled(self) -> socket.socket:
        """Return a socket to the first address that answers; the server is known by its name."""
        loop, fault = asyncio.get_running_loop(), OSError("no address")
        for address in await self._way.addresses(self.place.port):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            try:
                await loop.sock_connect(sock, (address, self.place.port))
            except OSError as refused:
                fault = refused
                sock.close()
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise fault

    def _drop(self) -> None:
        if self._held is not None:
            self._held[0].abort()
            self._held = None


async def put(sftp: SFTPClient, folder: str, name: str, body: bytes) -> bool:
    """Write a file under a temporary name, and rename it when it is whole; ``False`` where what
    lies there afterwards is not what was written.

    The name appears at once and with everything in it, or not at all.  Whoever takes the file away
    between two steps has it.
    """
    temporary, final = f"{folder}/.{name}.tmp", f"{folder}/{name}"
    async with sftp.open(temporary, "wb") as file:
        await file.write(body)
        # Where the server does not offer it, its word at the close is all there is.
        with suppress(asyncssh.SFTPOpUnsupported):
            await file.fsync()
    if (await sftp.stat(temporary)).size != len(body):
        return False
    try:
        await sftp.posix_rename(temporary, final)
    except asyncssh.SFTPOpUnsupported:
        await _renamed(sftp, temporary, final)
    try:
        return (await sftp.stat(final)).size == len(body)
    except asyncssh.SFTPNoSuchFile:
        # Taken away at once; or a server that says yes and does nothing.
        return not await sftp.exists(temporary)


async def _renamed(sftp: SFTPClient, temporary: str, final: str) -> None:
    """Rename as SFTP 3 does, which refuses a name that is there: that is an earlier attempt's."""
    try:
        await sftp.rename(temporary, final)
    except SFTPError:
        if not await sftp.exists(final):
            raise
        await sftp.remove(final)
        await sftp.rename(temporary, final)
