"""Secret values: whatever prints them prints asterisks.

Source: `reliability.md` 5.9 and promise P30.  A secret is never an argument on a command line and
never a part of an error; it comes from a file that only its owner may read, or from the
environment.
"""

import stat
from pathlib import Path
from typing import Self

from hub.errors import Code, Fault, Misconfigured

MASK = "***"
_LARGEST = 65_536


class Secret:
    """A value that only `reveal` gives away.

    ``repr``, ``str``, ``format``, pickle, copies made through pickle, and JSON encoders that fall
    back on ``str`` all see asterisks, so that no log, traceback or dump of settings can hold the
    value.

    >>> f"{Secret('hunter2')}", repr(Secret("hunter2"))
    ('***', "Secret('***')")
    >>> Secret("hunter2").reveal()
    'hunter2'
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, _spec: str) -> str:
        return MASK

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        return (Secret, (MASK,))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        # dataclasses.asdict() copies deeply; a copy inside the process is still a working secret.
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def permission_fault(path: Path) -> str | None:
    """Return what is wrong with *path* as the home of a secret, or ``None``.

    It must be a regular file that neither group nor others may touch (mode 0600 or 0400).
    """
    try:
        found = path.stat()
    except OSError:
        return "cannot be read: give the path of an existing file"
    if not stat.S_ISREG(found.st_mode):
        return "is not a regular file"
    if found.st_mode & 0o077:
        return "may be read by others: chmod 600"
    return None


def read_secret(path: Path) -> Secret:
    """Return the text of a secret file without the line end; `Misconfigured` where it is not
    private.
    """
    wrong = permission_fault(path)
    if wrong is None and path.stat().st_size > _LARGEST:
        wrong = "is too large for a secret"
    if wrong is None:
        try:
            return Secret(path.read_text(encoding="utf-8").rstrip("\r\n"))
        except (OSError, UnicodeDecodeError):
            wrong = "cannot be read as UTF-8 text"
    raise Misconfigured(
        Code.CONFIGURATION,
        f"secret file {path}: {wrong}",
        [Fault(Code.CONFIGURATION, path=str(path), remedy=wrong)],
    )
