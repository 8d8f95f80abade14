"""Documents that are not plain trees: parts that are written already, and what finishes the rest.

A document that leaves goes straight to its bytes; whoever has to look into one (the slow check, a
record of where values came from) has it `unfolded` first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Node = Any


@dataclass(frozen=True, slots=True)
class Prose:
    """One element that is written already: its *text*, and how to have it as a *tree* instead."""

    text: str
    tree: Callable[[], Node]


@dataclass(frozen=True, slots=True)
class Script:
    """A document that is written already: its *texts* in a row, and how to have it as a *tree*.

    *agrees*: no element contradicts itself.
    """

    texts: list[str]
    agrees: bool
    tree: Callable[[], Node]


class Draft(dict[str, Node]):
    """A document that is finished while it is written: *context* is what that takes.

    *whole* makes the finished document, for whoever has to look into it.
    """

    __slots__ = ("context", "whole")

    def __init__(
        self,
        document: Mapping[str, Node],
        context: Any,
        whole: Callable[[Mapping[str, Node]], Node],
    ) -> None:
        """Take the members of *document*."""
        super().__init__(document)
        self.context, self.whole = context, whole


def unfolded(value: Node) -> Node:
    """Return *value* with every `Draft` finished and every `Prose` a tree, to be looked into."""
    if isinstance(value, Script):
        return unfolded(value.tree())
    if isinstance(value, Prose):
        return value.tree()
    if isinstance(value, Draft):
        return unfolded(value.whole(value))
    if isinstance(value, Mapping):
        return {name: unfolded(held) for name, held in value.items()}
    return [unfolded(one) for one in value] if isinstance(value, list | tuple) else value
