"""Names of files: what is ours tells nothing, and what is theirs is looked at before it is used."""

import re
from hashlib import sha256
from typing import Final

_ENDINGS: Final = {"json": "json", "xml": "xml", "hl7-v2": "hl7", "csv": "csv", "html": "html"}
_SOUND: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,150}", re.ASCII)
_LONGEST: Final = 200
"""Bytes of a name that leave room for what stands before and behind it."""
_UNFINISHED: Final = (".tmp", ".part", ".filepart", ".partial", ".error.json")


def ending_of(content_type: str) -> str:
    """Return the ending of a file of that type.

    >>> ending_of("application/fhir+json"), ending_of("application/cda+xml; a=b"), ending_of("x")
    ('json', 'xml', 'dat')
    """
    kind = content_type.partition(";")[0].strip().lower()
    return _ENDINGS.get(kind.rpartition("/")[2].rpartition("+")[2], "dat")


def offered(name: str) -> bool:
    """Return whether a file of this name is there to be taken: not hidden, and not unfinished.

    >>> [one for one in (".a.json", "a.json.tmp", "a.error.json", "..", "a.json") if offered(one)]
    ['a.json']
    """
    return not name.startswith(".") and not name.lower().endswith(_UNFINISHED)


def kept_as(name: str) -> str:
    """Return the name under which a file is set aside: its own, or where that leaves no room for
    what is said beside it, one made from it.

    >>> kept_as("EHM 1.json"), kept_as("a" * 250)
    ('EHM 1.json', 'unnamed-3f3e35e0a775d9b1')
    """
    raw = name.encode("utf-8", "surrogateescape")
    return name if len(raw) <= _LONGEST else f"unnamed-{sha256(raw).hexdigest()[:16]}"


def sound(name: str) -> bool:
    """Return whether a name leads nowhere else and says its ending.

    >>> [one for one in ("../a.json", "a/b.json", "a", "EHM 1.json") if sound(one)]
    ['EHM 1.json']
    """
    return bool(_SOUND.fullmatch(name)) and ".." not in name and "." in name
