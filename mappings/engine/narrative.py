"""Text for people, made from the canonical tree: what a document shows beside or instead of codes.

A rule with ``narrate`` builds blocks of labelled lines; each format turns blocks into its own text.
"""

from collections.abc import Callable
from typing import Any

from mappings.engine.model import Rule
from mappings.engine.shape import Shape


def narrator(rule: Rule, shape: Shape) -> Callable[[Any, Any], Any]:
    """Return what makes the text of *rule* for one item, or None where there is nothing to tell."""
    del shape
    paths = rule.narrate

    def narrate(item: Any, _context: Any) -> Any:
        return [str(item.get(path)) for path in paths if path in item] or None

    return narrate
