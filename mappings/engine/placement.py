"""Which canonical leaves a mapping names, by which rules, and where these stand in the format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mappings.engine.canonical import all_leaves
from mappings.engine.model import Entry, Rule, When, Written
from mappings.engine.narrative_labels import told
from mappings.engine.paths import SELF, Path
from mappings.engine.places import conditions
from mappings.engine.rules import every_rule


@dataclass(frozen=True, slots=True)
class Placed:
    """One rule that names one leaf: generic canonical path, entry, and whole place on the wire.

    *asks* are the conditions under which it applies, as the mapping writes them: those of its
    entry, of what encloses it, and the items that it chooses.
    """

    path: str
    rule: Rule
    entry: Entry
    wire: str
    asks: tuple[str, ...] = ()


def placed(written: Written) -> Iterator[Placed]:
    """Yield every leaf that some rule names, with the rule and its place."""
    for entry in (written.envelope, *written.entries.values()):
        if entry.of is None:
            yield from _placed(entry.rules, written, entry, "", SELF, _asked(entry.when))


def named(written: Written) -> dict[str, list[Rule]]:
    """Return every canonical leaf that some rule names, with the rules, by generic path."""
    found: dict[str, list[Rule]] = {}
    for one in placed(written):
        found.setdefault(one.path, []).append(one.rule)
    return found


def _asked(conditions: Sequence[When]) -> tuple[str, ...]:
    return tuple(str(when) for when in conditions)


def _chosen(rule: Rule) -> tuple[str, ...]:
    """Return the items that *rule* chooses: ``identifiers[system=la-child-id]``."""
    return tuple(str(step).removesuffix("[]") for step in rule.source.steps if step.where)


def _placed(
    rules: Sequence[Rule],
    written: Written,
    entry: Entry,
    prefix: str,
    within: Path,
    asks: tuple[str, ...],
) -> Iterator[Placed]:
    """Yield what *rules* name; the leaves of a demanded entry are seen from *prefix*."""
    for rule in rules:
        mine = (*asks, *_asked(rule.when), *_chosen(rule))
        whole = within.joined(rule.wire)
        wire = ".".join([entry.resource.name, *(str(step) for step in whole.steps)])
        for path in slice_keys(rule):
            yield Placed(joined(prefix, path), rule, entry, wire, mine)
        for above in rule.narrate:
            for path in all_leaves():
                if under(path, joined(prefix, above)) and told(path):
                    yield Placed(path, rule, entry, wire, mine)
        if rule.rules:
            yield from _placed(rule.rules, written, entry, prefix, whole, mine)
        if rule.rules or rule.covers is None:
            continue
        demanded = written.entries.get(rule.to or "")
        below = joined(prefix, rule.covers)
        if demanded is not None and demanded.of is not None:
            yield from _placed(
                demanded.rules, written, demanded, below, SELF, (*mine, *_asked(demanded.when))
            )
        elif rule.whole:
            for path in all_leaves():
                if under(path, below):
                    yield Placed(path, rule, entry, wire, mine)
        else:
            yield Placed(below, rule, entry, wire, mine)


def joined(prefix: str, path: str) -> str:
    """Return the generic *path* seen from *prefix*."""
    return f"{prefix}.{path}" if prefix and path else prefix or path


def under(path: str, above: str) -> bool:
    """Return whether the generic *path* is *above* or lies below it."""
    return path == above or path.startswith((f"{above}.", f"{above}[]"))


@lru_cache(maxsize=4096)
def ancestry(path: str) -> frozenset[str]:
    """Return the generic *path* and every place above it, lists with and without their ``[]``.

    >>> sorted(ancestry("a.b[].c"))
    ['a', 'a.b', 'a.b[]', 'a.b[].c']
    """
    cuts = [at for at in range(len(path)) if path[at] == "." or path.startswith("[]", at)]
    return frozenset((path, *(path[:at] for at in cuts)))


def slice_keys(rule: Rule) -> Iterator[str]:
    """Yield the leaves that the conditions of a canonical slice name."""
    if rule.caf is not None and rule.covers is not None:
        yield from conditions(rule.caf, rule.covers)


def choosing(written: Written) -> frozenset[str]:
    """Return the leaves that say which rule an item falls under (``elements[element=1.1]``)."""
    entries = (written.envelope, *written.entries.values())
    return frozenset(
        key for entry in entries for rule in every_rule(entry.rules) for key in slice_keys(rule)
    )
