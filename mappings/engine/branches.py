"""Branches: what of the canonical tree several rules read together is fetched once."""

from collections.abc import Sequence

from mappings.engine.paths import Path, Step
from mappings.engine.tree import Constant, Leaf, Listed, Object, Part, Slot


def below(path: Path, branch: Path | None) -> Path:
    """Return *path* as it is seen from *branch*, which it begins with."""
    if branch is None or path.start != branch.start:
        return path
    length = len(branch.steps)
    if path.steps[:length] != branch.steps:
        return path
    return Path(path.steps[length:])


def runs(parts: Sequence[Part], branch: Path | None) -> list[list[Part]]:
    """Return *parts* cut into runs: neighbours that read a common branch beyond this one."""
    found: list[list[Part]] = []
    for part in parts:
        if found:
            common = shared(Listed([*found[-1], part]))
            if common is not None and common != branch and below(common, branch).steps:
                found[-1].append(part)
                continue
        found.append([part])
    return found


def shared(plan: Object | Listed) -> Path | None:
    """Return the longest branch of the canonical tree that everything in *plan* reads, if any."""
    paths: list[Path] = []
    if not _reads(plan, paths) or not paths:
        return None
    first = paths[0]
    if any(path.start != first.start for path in paths):
        return None
    length = min(len(path.steps) for path in paths) - 1
    common: list[Step] = []
    for position in range(length):
        step = first.steps[position]
        if any(path.steps[position] != step for path in paths):
            break
        common.append(step)
    return Path(tuple(common), first.start) if common else None


def _reads(slot: Slot, paths: list[Path]) -> bool:
    """Collect the canonical paths that *slot* reads; False if it cannot be moved into a branch."""
    if isinstance(slot, Constant):
        return True
    if isinstance(slot, Leaf):
        for rule in (slot.rule, *slot.also):
            if rule.when or rule.refer or rule.refer_all or rule.narrate or rule.seek:
                return False
            if rule.caf is not None:
                paths.append(rule.caf)
        return True
    if isinstance(slot, Object):
        return all(_reads(inner, paths) for inner in slot.fields.values())
    for part in slot.parts:
        if part.rule is not None:
            if part.rule.when or part.rule.caf is None:
                return False
            paths.append(part.rule.caf)
        elif not _reads(part.content, paths):
            return False
    return True
