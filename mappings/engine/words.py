"""Words: what a canonical value becomes on the wire, rule by rule, with nothing around it."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from mappings.engine.model import Rule
from mappings.engine.tables import Table

Word = Callable[[Any], Any]
"""Canonical value to wire value, or None where the format has no word for it."""

MOST_SHARED: Final = 400


def word(rule: Rule) -> Word | None:
    """Return what turns the value of *rule* into the wire's word; None if it goes as it is."""
    if rule.codes is not None:
        if rule.codes.passes:
            return _passing(rule.codes)
        return dict(_typed(rule, rule.codes.outward)).get
    if rule.prefix is not None:
        prefix = rule.prefix
        # Percent-escapes, so that whatever a system calls itself makes a lawful URI.
        return lambda value: prefix + quote(str(value), safe="/:@")
    return None if rule.words is None else rule.words.say


def _typed(rule: Rule, codes: Mapping[str, str]) -> Mapping[Any, str]:
    """Return *codes* with the keys that the leaf's form has: a truth value is not its name."""
    if rule.form != "bool":
        return codes
    return {code == "true": wire for code, wire in codes.items()}


def _passing(table: Table) -> Word:
    outward, silent = table.outward, table.silent
    return lambda value: None if value in silent else outward.get(value, value)


class Shared(dict[Any, Any]):
    """Subtrees by the code that they say: made once, put into every document, changed by nobody.

    There are only so many codes; should there be more, the rest is made anew each time.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Word) -> None:
        """Begin empty; *make* makes the subtree of a code."""
        super().__init__()
        self._make = make

    def __missing__(self, code: Any) -> Any:
        """Make the subtree of *code*, and keep it if there is one."""
        made = self._make(code)
        if made is not None and len(self) < MOST_SHARED:
            self[code] = made
        return made
