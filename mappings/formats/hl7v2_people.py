"""Names, addresses and telephones: what HL7 v2 cuts into components and CAF says in one breath.

Each data type has a pair: from the components of one repetition to the members of the document, and
back.

* XPN: further given names stand in XPN-3 with spaces between them; a space inside one of them is
  sent as an escape, so that the list comes back as it was.
* A whole name (NAME, WHO) is sent as the family name; parts that come are put together.
* XAD: lines are XAD-1 to 4 and XAD-8.
* XTN: a number is one text in XTN-1, because parts lose their leading zero on the way
  (`standards.md` section 5); parts that come are put together.  ``kind`` is ``tel`` or ``email``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

LINES: Final = (1, 2, 3, 4, 8)
SPACE: Final = "\\X20\\"
NET: Final = frozenset({"NET", "Internet", "X.400"})
"""Uses and equipment that tell an e-mail address."""


class Parts(Protocol):
    """What reads single components; the rest goes by their data type."""

    def text(self, part: str) -> str:
        """Return the meaning of a plain component; empty if there is nothing."""
        ...

    def first(self, out: dict[str, Any], place: str, part: str) -> str:
        """Return the meaning of the first subcomponent; the others go into *out* behind *place*."""
        ...

    def rest(
        self, out: dict[str, Any], kind: str, parts: Sequence[str], used: tuple[int, ...]
    ) -> None:
        """Read the components that are not *used* by the data type *kind*."""
        ...


Read = Callable[[Parts, Sequence[str]], dict[str, Any]]
"""(reader, components, at least `WIDTH` of them) to the members of one repetition."""
Write = Callable[[Mapping[str, Any], dict[int, str], Callable[[str], str]], None]


WIDTH: Final = 12
"""How many components the readers count on; missing ones are empty."""


def read_person(reader: Parts, parts: Sequence[str]) -> dict[str, Any]:
    """Read an XPN with its given names as a list."""
    out: dict[str, Any] = {}
    given = [parts[1], *parts[2].split(" ")] if parts[2] else [parts[1]]
    if told := [text for part in given if part and (text := reader.text(part))]:
        out["given"] = told
    reader.rest(out, "XPN", parts, (2, 3))
    return out


def write_person(
    value: Mapping[str, Any], parts: dict[int, str], say: Callable[[str], str]
) -> None:
    """Write the given names of an XPN."""
    first, *others = [say(name) for name in value.get("given", ())] or [""]
    parts[2] = first
    parts[3] = " ".join(other.replace(" ", SPACE) for other in others)


def _read_whole(reader: Parts, parts: Sequence[str], before: int, kind: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    surname, given, further, suffix, prefix = parts[before : before + 5]
    family = reader.first(out, str(1 + before), surname) if surname else ""
    if given or further or suffix or prefix:
        told = [reader.text(part) if part else "" for part in (prefix, given, further)]
        told += [family, reader.text(suffix) if suffix else ""]
        family = " ".join(part for part in told if part)
    if family:
        out["text"] = family
    reader.rest(out, kind, parts, _WHOLE[before])
    return out


_WHOLE: Final = ((1, 2, 3, 4, 5), (2, 3, 4, 5, 6))


def read_name(reader: Parts, parts: Sequence[str]) -> dict[str, Any]:
    """Read an XPN as one whole name."""
    return _read_whole(reader, parts, 0, "NAME")


def read_who(reader: Parts, parts: Sequence[str]) -> dict[str, Any]:
    """Read an XCN: an id, and one whole name."""
    return _read_whole(reader, parts, 1, "WHO")


def write_name(value: Mapping[str, Any], parts: dict[int, str], say: Callable[[str], str]) -> None:
    """Write a whole name as the family name of an XPN."""
    parts[1] = say(value.get("text", ""))


def write_who(value: Mapping[str, Any], parts: dict[int, str], say: Callable[[str], str]) -> None:
    """Write a whole name as the family name of an XCN."""
    parts[2] = say(value.get("text", ""))


def read_address(reader: Parts, parts: Sequence[str]) -> dict[str, Any]:
    """Read an XAD with its lines as a list."""
    out: dict[str, Any] = {}
    if lines := [
        text
        for number in LINES
        if (part := parts[number - 1]) and (text := reader.first(out, str(number), part))
    ]:
        out["line"] = lines
    reader.rest(out, "XAD", parts, LINES)
    return out


def write_address(
    value: Mapping[str, Any], parts: dict[int, str], say: Callable[[str], str]
) -> None:
    """Write the lines of an XAD; the last place takes whatever is left."""
    lines = [say(line) for line in value.get("line", ())]
    parts.update(zip(LINES, lines, strict=False))
    if len(lines) > len(LINES):
        parts[LINES[-1]] = ", ".join(lines[len(LINES) - 1 :])


def read_contact(reader: Parts, parts: Sequence[str]) -> dict[str, Any]:
    """Read an XTN as a telephone number or an e-mail address."""
    whole, use, equipment, email = [reader.text(part) if part else "" for part in parts[:4]]
    if email or use in NET or equipment in NET:
        out: dict[str, Any] = {"kind": "email", "4": email or whole}
        if email and whole:
            out["1"] = whole
    else:
        out = {
            "kind": "tel",
            "1": whole or put_together(*map(reader.text, (*parts[4:8], parts[11]))),
        }
    if use:
        out["2"] = use
    if equipment:
        out["3"] = equipment
    if any(parts[4:]):
        reader.rest(out, "XTN", parts, (1, 2, 3, 4) if whole else TELEPHONE)
    return out


TELEPHONE: Final = (1, 2, 3, 4, 5, 6, 7, 8, 12)
"""The components that a number which stands in parts is put together from, or stands beside."""


def put_together(country: str, area: str, local: str, extension: str, whole: str) -> str:
    """Return a number whose parts stand apart; or XTN-12, where it is told whole."""
    if whole:
        return whole
    country = f"+{country.removeprefix('+')}" if country else ""
    extension = f"ext {extension}" if extension else ""
    return " ".join(filter(None, (country, area, local, extension)))


READ: Final[Mapping[str, Read]] = {
    "XPN": read_person,
    "NAME": read_name,
    "WHO": read_who,
    "XAD": read_address,
    "XTN": read_contact,
}
WRITE: Final[Mapping[str, Write]] = {
    "XPN": write_person,
    "NAME": write_name,
    "WHO": write_who,
    "XAD": write_address,
}
