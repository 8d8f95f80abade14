"""Rules that can never match: found at load, because who wrote them meant something by them.

A rule that must be absent where it must be present, a rule for the direction that the mapping does
not have, a backup for which there is nothing better, an entry that nothing demands.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hub.positioned import Place, PositionedError, Problems
from mappings.engine.model import Entry, Rule, When, Written
from mappings.engine.paths import Path
from mappings.engine.rules import every_rule


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an item stands, for telling one place from another; and what must hold there."""

    at: str
    outer: str
    there: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    choices: tuple[tuple[str, ...], ...] = ()

    def place(self, path: Path) -> str:
        text = ".".join(str(step) for step in path.steps)
        start = {"item": self.at, "outer": self.outer, "root": ""}[path.start]
        return f"{start}.{text}" if start and text else start or text

    def met(self, conditions: Sequence[When]) -> "_Scope":
        """Return the scope in which *conditions* hold as well."""
        there, absent, choices = list(self.there), list(self.absent), list(self.choices)
        for when in conditions:
            places = tuple(self.place(path) for path in when.paths)
            if when.test == "not":
                continue
            if when.test == "absent":
                absent += places
            elif len(places) == 1:
                there += places
            else:
                choices.append(places)
        return _Scope(self.at, self.outer, tuple(there), tuple(absent), tuple(choices))

    def item(self, path: Path) -> "_Scope":
        """Return the scope of the items of the list at *path*."""
        at = self.place(path)
        return _Scope(at, self.at, (*self.there, at), self.absent, self.choices)

    def contradiction(self) -> tuple[str, str] | None:
        """Return a place that must be there, with the one of which it must be absent."""
        for wanted in self.there:
            for gone in self.absent:
                if _within(wanted, gone):
                    return wanted, gone
        for choice in self.choices:
            blocked = [
                next((gone for gone in self.absent if _within(place, gone)), None)
                for place in choice
            ]
            if all(blocked):
                return " or ".join(choice), " and ".join(dict.fromkeys(str(b) for b in blocked))
        return None


def _within(place: str, above: str) -> bool:
    bare = above.removesuffix("[]")
    return place in {above, bare} or place.startswith((f"{bare}.", f"{bare}[", f"{above}."))


def never(written: Written, named: dict[str, list[Rule]]) -> Problems:
    """Return every rule of *written* that can never match; *named* are its rules by leaf."""
    problems = Problems()
    outcomes: dict[Place, str] = {}
    for entry in (written.envelope, *written.entries.values()):
        if entry.of is not None and written.overlay is None:
            with problems.kept():
                _demanded(entry, written)
        for place, message in _tried(entry):
            # The rules of a part are used in several places; one in which they can match will do.
            outcomes[place] = outcomes.get(place, message) and message
        for one in every_rule(entry.rules):
            with problems.kept():
                _direction(one, written.direction)
    for place, message in outcomes.items():
        if message:
            with problems.kept():
                raise PositionedError(place, message)
    _backups(named, problems)
    return problems


def _demanded(entry: Entry, written: Written) -> None:
    entries = (written.envelope, *written.entries.values())
    if not any(rule.to == entry.name for one in entries for rule in every_rule(one.rules)):
        raise PositionedError(
            entry.place, f"no rule refers to {entry.name} (to: {entry.name}): it is never made"
        )


def _tried(entry: Entry) -> Iterator[tuple[Place, str]]:
    """Yield the place of every rule with why it can never match here; empty if it can."""
    scope = _Scope("" if entry.of is None else entry.of, "")
    levels = [] if entry.each is None else [entry.each]
    while levels:
        parts = levels.pop().split()
        if parts is not None:
            scope = scope.item(parts[0])
            levels = [parts[1]] if parts[1].steps else []
    scope = scope.met(entry.when)
    if (clash := scope.contradiction()) is not None:
        yield entry.place, _message(clash)
    else:
        yield from _in_rules(entry.rules, scope)


def _in_rules(rules: Sequence[Rule], scope: _Scope) -> Iterator[tuple[Place, str]]:
    for rule in rules:
        here = scope.met(rule.when)
        if rule.caf is not None and rule.only != "in":
            here = here.met((When("present", (rule.caf,)),))
        clash = here.contradiction()
        yield rule.place, "" if clash is None else _message(clash)
        if clash is None and rule.rules and rule.caf is not None:
            yield from _in_rules(rule.rules, here.item(rule.caf))


def _message(clash: tuple[str, str]) -> str:
    wanted, gone = clash
    return f"this can never match: it needs {wanted} and the absence of {gone}"


def _direction(rule: Rule, direction: str) -> None:
    if direction == "out" and (rule.only == "in" or rule.backup):
        raise PositionedError(rule.place, "this can never match: the mapping is never read")
    if direction == "in" and (rule.only == "out" or rule.required):
        raise PositionedError(rule.place, "this can never match: the mapping is never written")
    if rule.backup and rule.only == "out":
        raise PositionedError(rule.place, "a backup is read, and only: out is never read")
    if rule.required and rule.only == "in":
        raise PositionedError(
            rule.place, "required is about writing, and only: in is never written"
        )


def _backups(named: dict[str, list[Rule]], problems: Problems) -> None:
    """Find backups of which no other rule is the better."""
    alone: dict[Place, Rule] = {}
    useful: set[Place] = set()
    for rules in named.values():
        better = any(not rule.backup and rule.only != "out" for rule in rules)
        for rule in rules:
            if rule.backup and better:
                useful.add(rule.place)
            elif rule.backup:
                alone[rule.place] = rule
    for place, rule in alone.items():
        if place not in useful:
            with problems.kept():
                raise PositionedError(
                    place,
                    f"a backup of nothing: no other rule reads {rule.covers}; leave out backup",
                )
