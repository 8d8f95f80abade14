"""The state of one rendering."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.engine.model import Rule


@dataclass(slots=True)
class Notes:
    """What a recorded rendering notes beside its output.

    *untabled*: values for which a code table has no word.  *shared*: blocks that use an equal
    block's entry.
    """

    untabled: list[tuple[str, Rule]] = field(default_factory=list)
    shared: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Rendering:
    """The state of one rendering; *agrees* until something that is written contradicts itself."""

    root: Mapping[str, Any]
    address: Callable[[str], str]
    outer: Mapping[str, Any] = field(default_factory=dict)
    slices: dict[tuple[int, str], dict[Any, Any]] = field(default_factory=dict)
    urls: dict[str, dict[Any, str]] = field(default_factory=dict)
    firsts: dict[tuple[str, ...], str] = field(default_factory=dict)
    made: dict[tuple[str, Any], list[tuple[Any, str]]] = field(default_factory=dict)
    waiting: list[tuple[str, Any, str]] = field(default_factory=list)
    notes: Notes | None = None
    agrees: bool = True
