"""Texts of nothing but white space: many systems fill an empty field with a blank and mean nothing.

The hub's own wire message refuses them, as it refuses empty ones; in what was read from another
format they count as absent, and are named.
"""

from typing import Any, Final

MARK: Final = "\ufeff"
"""A byte order mark in a text: white space to JSON Schema and to browsers, not to Python."""


def blanks(tree: dict[str, Any]) -> list[str]:
    """Take every blank text out of *tree*, in place; return where they stood.

    What held nothing else goes with it, so that no empty list or object is left.
    """
    found: list[str] = []
    _below(tree, "", found)
    return found


def _below(held: dict[str, Any] | list[Any], here: str, found: list[str]) -> None:
    listed = isinstance(held, list)
    places = list(enumerate(held)) if isinstance(held, list) else list(held.items())
    gone: list[Any] = []
    for key, value in places:
        there = f"{here}[{key}]" if listed else f"{here}.{key}".removeprefix(".")
        if isinstance(value, str):
            if value and not value.replace(MARK, "").strip():
                found.append(there)
                gone.append(key)
        elif isinstance(value, dict | list):
            before = len(found)
            _below(value, there, found)
            if not value and len(found) > before:
                gone.append(key)
    for key in reversed(gone):
        del held[key]
