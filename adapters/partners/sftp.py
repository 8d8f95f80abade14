"""A folder on a partner's SFTP server: where it is, and whose files are taken out of it."""

import re
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.partners.values import matching, reach_of
from hub.domain.partner import SftpPlace, SftpSender
from hub.positioned import Fields, Value

_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_FOLDER: Final = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){1,8}", re.ASCII)
_ENDING: Final = re.compile(r"[a-z0-9]{1,8}", re.ASCII)
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}", re.ASCII)
_ACTING: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_DAY: Final = 24 * 3600

Files = tuple[Callable[[Value], Path], Callable[[Value], Path]]
"""How a file of the site is found, and how one that only its owner may read."""


def read_place(told: Fields, files: Files) -> SftpPlace:
    """Return where a folder is and by what the two prove who they are; every fault has its place.

    The server is known by its key in ``hosts_file`` (as `ssh-keyscan` prints it): there is no
    trust on first use.
    """
    inside, secret = files
    host, port, user, folder = _address(told.need("url"))
    return SftpPlace(
        host=host,
        port=port,
        user=user,
        folder=folder,
        key_file=secret(told.need("key_file")),
        hosts_file=inside(told.need("hosts_file")),
        reach=reach_of(told.get("reach")),
    )


def read_sftp(value: Value, files: Files) -> SftpSender:
    """Return whose files are taken, and what they are by their endings."""
    told = value.mapping(
        "url", "key_file", "hosts_file", "reach", "content_types", "acting", "poll_seconds"
    )
    kinds: dict[str, str] = {}
    given = told.need("content_types")
    for ending, kind in given.items():
        if _ENDING.fullmatch(ending) is None:
            kind.error("stands under what is no file ending (small letters and digits)")
        kinds[ending] = matching(kind, _CONTENT_TYPE, "a content type in small letters")
    if not kinds:
        given.error("say at least one ending and its content type")
    acting, seconds = told.get("acting"), told.get("poll_seconds")
    return SftpSender(
        place=read_place(told, files),
        content_types=kinds,
        acting=None if acting is None else matching(acting, _ACTING, "a reference, never a name"),
        poll_seconds=30 if seconds is None else seconds.integer(1, _DAY),
    )


def alone_in_folder(
    partner: str, one: SftpSender, used: MutableMapping[str, str], place: Value
) -> None:
    """Check that no other partner's files are taken out of the same folder; *used* says whose."""
    at = one.place
    where = f"sftp {at.host}:{at.port}{at.folder}"
    if used.setdefault(where, partner) != partner:
        place.error("another partner's files are taken out of the same folder (SFTP)")


def _address(value: Value) -> tuple[str, int, str, str]:
    """Return host, port, user and folder of ``sftp://user@host:port/folder``."""
    try:
        parts = urlsplit(value.text())
        host, port = parts.hostname, parts.port or 22
    except ValueError:
        value.error("must be sftp://user@host:port/folder")
    user, folder = parts.username or "", parts.path.rstrip("/")
    if (
        parts.scheme != "sftp"
        or not host
        or parts.password is not None
        or parts.query
        or parts.fragment
        or not _USER.fullmatch(user)
        or not _FOLDER.fullmatch(folder)
    ):
        value.error("must be sftp://user@host:port/folder, and nothing else")
    return host, port, user, folder
