"""Why a field of a message stands nowhere in the output: declared so, a code without a word, or
rules that ask for something else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mappings.engine.model import Rule, Written
from mappings.engine.placement import Placed, choosing, placed, under

NO_RULE: Final = "no rule names it"
MOST: Final = 3
"""How many conditions a reason names."""


@dataclass(frozen=True, slots=True)
class Why:
    """The reason, with the place of the rule and of the row of a code table that it comes from."""

    reason: str
    rule: str | None = None
    code: str | None = None


class Unsaid:
    """The reasons of one mapping."""

    def __init__(self, written: Written) -> None:
        """Look up which rules name which leaf."""
        self._written = written
        self.choosing = choosing(written)
        self._rules: dict[str, list[Placed]] = {}
        for one in placed(written):
            if one.rule.only != "in":
                self._rules.setdefault(one.path, []).append(one)

    def why(self, path: str, value: Any, untabled: Rule | None) -> Why:
        """Return why *value* at the generic *path* is not said.

        *untabled* is the rule that was about to say it and whose code table had no word for it.
        """
        if (declared := why_lost(path, self._written)) != NO_RULE:
            return Why(declared)
        rules = self._rules.get(path, [])
        known = (untabled,) if untabled else (one.rule for one in rules)
        for rule in known:
            if (wordless := _wordless(rule, value)) is not None:
                return wordless
        if untabled is not None:
            row = row_of(untabled, value)
            return Why("the code table has no word for it", str(untabled.place), row)
        if not rules:
            return Why(NO_RULE)
        asked = list(dict.fromkeys(_asked(rules)))
        shown = "; or ".join(asked[:MOST]) + ("; or …" if len(asked) > MOST else "")
        told = f"only when {shown}" if shown else "only with what this message lacks"
        return Why(f"not said here: {told}", str(rules[0].rule.place))


def why_lost(path: str, written: Written) -> str:
    """Return the declared reason for which the leaf at generic *path* is lost, or `NO_RULE`."""
    for lost in written.lost:
        if under(path, lost.path):
            return lost.reason
    return NO_RULE


def code_text(value: Any) -> str:
    """Return a canonical value as code tables write it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def row_of(rule: Rule, code: Any) -> str | None:
    """Return ``file:line`` of the row that *rule* says *code* by; the file if there is none."""
    if rule.codes is None:
        return None
    row = rule.codes.row_out(code_text(code))
    return f"{row.place.file}:{row.place.line}" if row else rule.codes.file


def _wordless(rule: Rule, value: Any) -> Why | None:
    """Return the row by which the table of *rule* has no word for *value*, if it is so."""
    table = rule.codes
    if table is None:
        return None
    row = table.row_out(code_text(value))
    if row is None or row.wire:
        return None
    note = f": {row.note}" if row.note else ""
    return Why(f"the code table has no word for it{note}", str(rule.place), row_of(rule, value))


def _asked(rules: Sequence[Placed]) -> Iterator[str]:
    """Yield what each rule asks for; nothing if one of them asks for nothing."""
    if all(one.asks for one in rules):
        for one in rules:
            yield " and ".join(dict.fromkeys(one.asks))
