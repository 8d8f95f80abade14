"""Files out: into a folder on a partner's SFTP server, each whole or not at all.

A file's name is the delivery's id, the same on every attempt, and tells nothing of a child.  It is
delivered when the server has confirmed the rename and the size (`reliability.md` P9); what becomes
of it in the folder is its owner's.
"""

import asyncssh

from adapters.destinations.breaker import Breaker
from adapters.destinations.webhook import HANDED_OVER
from adapters.sftp.line import SftpLine, put
from adapters.sftp.names import ending_of
from hub.domain.carriage import Outcome, Parcel
from hub.errors import Code, Rejected, Unavailable


class SftpDestination:
    """Carries parcels into one folder."""

    def __init__(self, line: SftpLine, *, breaker: Breaker | None = None) -> None:
        """Write by *line*, into the folder of its place."""
        self._line = line
        self.breaker = breaker or Breaker()

    async def send(self, parcel: Parcel) -> Outcome:
        """Write one file; raises `Unavailable` or, where the server forbids it, `Rejected`."""
        if parcel.thin:
            raise Rejected(Code.CONTENT_TYPE, "SFTP carries whole messages and nothing else")
        name = f"{parcel.delivery_id}.{ending_of(parcel.content_type)}"
        async with self.breaker.guard(), self._line.session() as sftp:
            try:
                whole = await put(sftp, self._line.place.folder, name, parcel.body)
            except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPNoSuchPath) as no:
                raise Rejected(
                    Code.FORBIDDEN, f"the server does not let us write ({type(no).__name__})"
                ) from None
            except asyncssh.SFTPNoSuchFile:
                raise Rejected(Code.FORBIDDEN, "the server has no such folder") from None
            except (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded):
                raise Unavailable(Code.UNAVAILABLE, "the server has no room") from None
        if not whole:
            raise Unavailable(Code.OUTCOME_UNKNOWN, "what lies there is not what was written")
        return Outcome(parcel.message_type not in HANDED_OVER, {"ack": "renamed"})

    async def close(self) -> None:
        """Let the connection go."""
        await self._line.close()
