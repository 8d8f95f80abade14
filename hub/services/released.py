"""Released: the only thing that a renderer accepts, and only the gate can make one.

Python cannot hide a constructor, so this does not try: it remembers what the gate made.  An object
that was built by ``object.__new__``, copied, unpickled, subclassed or put together by hand is not
in that memory, and `genuine` says so; every renderer asks (`design.md` section 2, step 6).
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn
from weakref import WeakKeyDictionary


class Frozen(dict[str, Any]):
    """A dictionary that no one changes after the gate has filled it."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        msg = "what the gate released cannot be changed"
        raise TypeError(msg)

    __setitem__ = __delitem__ = _refuse
    __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        self._refuse()


PARTS: Final = ("tree", "recipient", "purpose", "decisions", "rehearsal")


class Released:
    """A view that the gate let through: an immutable tree, for one recipient, under named
    decisions.

    *tree* holds what may be shown and no trace of what may not.  *rehearsal* marks a view made
    offline for trying out a mapping: destinations refuse it.
    """

    __slots__ = ("__weakref__", "decisions", "purpose", "recipient", "rehearsal", "tree")

    tree: Frozen
    recipient: str
    purpose: str
    decisions: tuple[str, ...]
    rehearsal: bool

    def __init__(self) -> None:
        """Refuse: only the gate makes one."""
        msg = "only the gate can release"
        raise TypeError(msg)

    def __init_subclass__(cls) -> None:
        """Refuse to be subclassed."""
        msg = "Released has no subclasses"
        raise TypeError(msg)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse any change."""
        msg = "what the gate released cannot be changed"
        raise TypeError(msg)

    def __delattr__(self, name: str) -> None:
        """Refuse any change."""
        msg = "what the gate released cannot be changed"
        raise TypeError(msg)

    def __reduce__(self) -> NoReturn:
        """Refuse to be copied or pickled."""
        msg = "what the gate released cannot be copied"
        raise TypeError(msg)

    def __repr__(self) -> str:
        """Say for whom, never what."""
        return f"<Released to {self.recipient}>"


_made: Final[WeakKeyDictionary[Released, tuple[object, ...]]] = WeakKeyDictionary()
"""Everything that the gate made and that still lives, with what it was made of."""


def genuine(candidate: object) -> bool:
    """Return whether the gate made exactly this object and nobody has changed what is in it."""
    if type(candidate) is not Released:
        return False
    made = _made.get(candidate)
    return made is not None and all(
        getattr(candidate, name) is value for name, value in zip(PARTS, made, strict=True)
    )


def _mint(
    tree: Frozen, *, recipient: str, purpose: str, decisions: tuple[str, ...], rehearsal: bool
) -> Released:
    """Make one; called by the gate and the rehearsal, and an architecture test sees that nobody
    else does.
    """
    released = object.__new__(Released)
    parts = (tree, recipient, purpose, decisions, rehearsal)
    for name, value in zip(PARTS, parts, strict=True):
        object.__setattr__(released, name, value)
    _made[released] = parts
    return released


def freeze(value: Any) -> Any:
    """Return *value* with every object frozen and every list a tuple."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | Mapping):  # a dict is known at once, other mappings are rare
        return Frozen({key: freeze(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple([freeze(item) for item in value])
    return value


def rehearse(tree: Mapping[str, Any], recipient: str = "rehearsal") -> Released:
    """Return a view for trying out a mapping offline; every destination refuses it."""
    return _mint(freeze(tree), recipient=recipient, purpose="", decisions=(), rehearsal=True)
