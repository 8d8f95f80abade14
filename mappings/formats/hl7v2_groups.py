"""Puts segments into the groups of their message structure, and takes them out in order.

Reading is lenient about order: a segment belongs to the innermost open group that has room for it,
else to the next one outward; one that the structure has no room for stands at the message itself,
under a name that no rule has.  Segments in are segments out.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mappings.formats.hl7v2_definitions import Group

Tree = dict[str, Any]


class Placing:
    """Fills one message, segment by segment."""

    def __init__(self, structure: Group) -> None:
        """Begin an empty message."""
        self.root: Tree = {}
        self._open: list[tuple[Group, Tree]] = [(structure, self.root)]

    def put(self, name: str, segment: Tree) -> None:
        """File one segment."""
        depth = len(self._open)
        for group, held in reversed(self._open):
            depth -= 1
            if name in group.members:
                if name in group.many:
                    held.setdefault(name, []).append(segment)
                elif name not in held:
                    held[name] = segment
                else:
                    continue
                del self._open[depth + 1 :]
                return
            way = group.ways.get(name)
            if way is not None and (way[0] in group.many or way[0] not in held):
                del self._open[depth + 1 :]
                self._enter(way, name, segment)
                return
        structure = self._open[0][0]
        place = f"{name}[+]" if name in structure.members else name
        self.root.setdefault(place, []).append(segment)

    def _enter(self, way: tuple[str, ...], name: str, segment: Tree) -> None:
        """Open the groups of *way* in the innermost open group, with the segment in the last."""
        group, held = self._open[-1]
        for step in way:
            made: Tree = {}
            if step in group.many:
                held.setdefault(step, []).append(made)
            else:
                held[step] = made
            group, held = group.groups[step], made
            self._open.append((group, held))
        held[name] = [segment] if name in group.many else segment


def segments(message: Mapping[str, Any], group: Group) -> Iterator[tuple[str, str, Tree]]:
    """Yield path, name and content of every segment of *message*, in the order of its structure.

    What the structure does not have is left out: see `strangers`.
    """
    for name, inner in group.members.items():
        held = message.get(name)
        if held is None:
            continue
        many = name in group.many
        for position, one in enumerate(held if many else (held,)):
            path = f"{name}[{position}]" if many else name
            if inner is None:
                yield path, name, one
            else:
                for below, segment, content in segments(one, inner):
                    yield f"{path}.{below}", segment, content


def strangers(message: Mapping[str, Any], group: Group) -> Iterator[str]:
    """Yield the paths of members that the structure does not have."""
    for name, held in message.items():
        if name not in group.members:
            yield name
            continue
        inner = group.members[name]
        if inner is not None:
            listed = held if name in group.many else (held,)
            for position, one in enumerate(listed):
                place = f"{name}[{position}]" if name in group.many else name
                yield from (f"{place}.{below}" for below in strangers(one, inner))


def missing(message: Mapping[str, Any], group: Group) -> Iterator[str]:
    """Yield the paths of members that the structure demands and *message* lacks."""
    for name, inner in group.members.items():
        held = message.get(name)
        if not held:
            if name in group.needed:
                yield name
        elif inner is not None:
            listed = held if name in group.many else (held,)
            for position, one in enumerate(listed):
                place = f"{name}[{position}]" if name in group.many else name
                yield from (f"{place}.{below}" for below in missing(one, inner))
