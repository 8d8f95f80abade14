"""Paths into a plain tree: ``plan.action[id=a1].action_status``, ``subjects[0].gender``.

``[]`` means every item, ``[n]`` the item at that place (from nought), ``[key=value]`` the item that
says so; with `put`, an item that is not there yet is made.
"""

import re
from collections.abc import Iterator
from typing import Any

SEGMENT = re.compile(r"([A-Za-z_$][\w$]*)((?:\[[^\]]*\])*)")


def segments(path: str) -> list[tuple[str, str | None]]:
    """Return names and selectors; ``ValueError`` if *path* is none."""
    found: list[tuple[str, str | None]] = []
    at = 0
    while at < len(path):
        match = SEGMENT.match(path, at)
        if match is None:
            raise ValueError(f"not a path: {path}")
        selectors = re.findall(r"\[([^\]]*)\]", match[2])
        found.append((match[1], selectors[0] if selectors else None))
        found += [("", more) for more in selectors[1:]]
        at = match.end()
        if at < len(path):
            if path[at] != ".":
                raise ValueError(f"not a path: {path}")
            at += 1
    return found


def values(tree: Any, path: str) -> Iterator[Any]:
    """Yield every value at *path*; none if there is none.  A list without selector is one value."""
    yield from _values(tree, segments(path))


def _values(node: Any, rest: list[tuple[str, str | None]]) -> Iterator[Any]:
    if not rest:
        yield node
        return
    (name, selector), *deeper = rest
    if name:
        if isinstance(node, list):  # a list in the middle of a path means all of it
            for item in node:
                yield from _values(item, rest)
            return
        if not isinstance(node, dict) or name not in node:
            return
        node = node[name]
    if selector is not None and isinstance(node, list):
        for item in _selected(node, selector):
            yield from _values(item, deeper)
    elif selector is None:
        yield from _values(node, deeper)


def _selected(items: list[Any], selector: str) -> list[Any]:
    if selector in ("", "*"):
        return items
    if selector.isdigit():
        return items[int(selector) : int(selector) + 1]
    key, _, wanted = selector.partition("=")
    return [i for i in items if isinstance(i, dict) and str(i.get(key)) == wanted]


def put(tree: dict[str, Any], path: str, value: Any) -> None:
    """Put *value* at *path*, making what is missing on the way."""
    node: Any = tree
    parts = segments(path)
    for number, (name, selector) in enumerate(parts):
        last = number == len(parts) - 1
        if selector is None:
            if last:
                node[name] = value
            else:
                node = node.setdefault(name, {})
            continue
        items = node.setdefault(name, []) if name else node
        chosen = _selected(items, selector)
        if not chosen:
            key, equals, wanted = selector.partition("=")
            chosen = [{key: wanted} if equals else {}]
            items.append(chosen[0])
        if last:
            items[items.index(chosen[0])] = value
        else:
            node = chosen[0]


def drop(tree: dict[str, Any], path: str) -> None:
    """Remove what is at *path*; nothing happens if there is nothing."""
    *way, (name, selector) = segments(path)
    for node in list(_values(tree, way)) if way else [tree]:
        if isinstance(node, dict) and name in node:
            if selector is None:
                del node[name]
            else:
                gone = _selected(node[name], selector)
                node[name] = [item for item in node[name] if item not in gone]
