"""Text of XML under construction as code: what is certain when a mapping is loaded, and variables.

Certain text is written as literals by Python itself; a message adds what is in the variables.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mappings.engine.access import Scope
from mappings.formats.xml_write import escaped, quoted, said


class Unscripted(ValueError):
    """The plan holds something that only the way over a tree can say."""


class Held(str):
    """An expression of the generated code that gives text: a name, or a call on one."""

    __slots__ = ()


class Many(Held):
    """The name of a list of texts, too long to be copied into one more than once."""

    __slots__ = ()


Pieces = Sequence[str]
"""Text in order: certain as it stands, and `Held`."""

Lay = Callable[[Scope, Pieces], None]
"""Adds to the block given what is done with the text given."""


def content(value: Any) -> str:
    """Return *value* as it stands between tags."""
    if type(value) is not str:
        return escaped(said(value))
    if "&" in value or "<" in value or ">" in value or "\r" in value:
        return escaped(value)
    return value


def attribute(value: Any) -> str:
    """Return *value* as it stands in an attribute."""
    if type(value) is not str:
        return quoted(said(value))
    return value if value.isalnum() else quoted(value)


NAMES: Final[Mapping[str, Any]] = {"content": content, "attribute": attribute}
"""What the generated code expects in the namespace."""


@dataclass(frozen=True, slots=True)
class Spot:
    """How a member stands in its element: the text around its own, and the *call* that makes its
    value that text.

    *absent* stands there where nobody says anything.  *name* and *kind* are the element's and its
    type's, both empty for attributes and for an element's own text.
    """

    before: str = ""
    after: str = ""
    call: str = "content({})"
    absent: str = ""
    name: str = ""
    kind: str = ""

    @property
    def hollow(self) -> bool:
        """Return whether its text may be empty though it is there, or stand though it is not."""
        return bool(self.absent) or not (self.before or self.name)

    def fixed(self, value: Any) -> list[str]:
        """Return the constant *value* as it stands here."""
        text = attribute(value) if self.before and not self.name else content(value)
        return [self.before, text, self.after]


def expression(pieces: Pieces, *, listed: bool = False) -> str:
    """Return the expression that joins *pieces*; of their list if *listed*, or one is a list.

    >>> print(expression(["<a", ">", Held("v1"), "</a>"]))
    '<a>' f"{v1}" '</a>'
    """
    joined: list[str] = []
    for one in pieces:
        if isinstance(one, Held) or not joined or isinstance(joined[-1], Held):
            joined.append(one)
        else:
            joined[-1] += one
    joined = [one for one in joined if one]
    if listed or several(joined):
        return f"[{', '.join(map(_item, joined))}]"
    if len(joined) == 1 and isinstance(joined[0], Held):
        return str(joined[0])
    return " ".join(f'f"{{{one}}}"' if isinstance(one, Held) else ascii(one) for one in joined)


def _item(one: str) -> str:
    if isinstance(one, Many):
        return f"*{one}"
    return str(one) if isinstance(one, Held) else ascii(one)


def several(pieces: Pieces) -> bool:
    """Return whether there is a list among *pieces*."""
    return any(isinstance(one, Many) for one in pieces)


def whole(pieces: Pieces) -> None:
    """Pass if *pieces* make one text; raises `Unscripted`."""
    if several(pieces):
        raise Unscripted


def listed(scope: Scope, pieces: Pieces) -> None:
    """Let the function return the list of *pieces*."""
    scope.line(f"return {expression(pieces, listed=True)}")


def returned(scope: Scope, pieces: Pieces) -> None:
    """Let the function return *pieces* as one text."""
    whole(pieces)
    scope.line(f"return {expression(pieces) or repr('')}")


def put(name: str) -> Lay:
    """Return what keeps text in the variable *name*."""
    return lambda scope, pieces: scope.line(f"{name} = {expression(pieces) or repr('')}")


def added(name: str) -> Lay:
    """Return what adds text to the variable *name*."""

    def add(scope: Scope, pieces: Pieces) -> None:
        whole(pieces)
        scope.line(f"{name} += {expression(pieces) or repr('')}")

    return add


def appended(name: str) -> Lay:
    """Return what adds text to the list in the variable *name*."""

    def append(scope: Scope, pieces: Pieces) -> None:
        whole(pieces)
        scope.line(f"{name}.append({expression(pieces) or repr('')})")

    return append
