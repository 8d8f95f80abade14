"""Rules that look for their value elsewhere in the message: what was last said of an outcome.

A sought value is derived: another rule says it in its own place, so nothing reads it back.
"""

from collections.abc import Mapping
from typing import Final

from mappings.engine.model import Seek
from mappings.engine.paths import Path, Start
from mappings.engine.source import Block, Source

_START: Final[Mapping[Start, str]] = {"item": "i", "outer": "c.outer", "root": "c.root"}


def seeker(source: Source, seeks: tuple[Seek, ...]) -> str:
    """Return the name of the function (item, context) that finds the value: in the first place that
    has one, or None.

    There it is the last that is about the same thing; where that is not asked, the first of all.
    """
    whole = Block()
    for seek in seeks:
        if seek.same is None:
            _walk(source, seek.path, whole, "", "return v")
            continue
        whole.line(f"m, f = {_at(source, 'i', seek.same[1])}, None")
        about = _inside(whole, "if m is not None:")
        asked = f"if {_at(source, 'h', seek.same[0])} == m:"
        _walk(source, seek.path, about, asked, "f = v")
        whole.line("if f is not None: return f")
    whole.line("return None")
    return source.function("i, c", whole)


def _walk(source: Source, path: Path, block: Block, asked: str, found: str) -> None:
    """Write what does *found* with each value ``v`` at *path*; whoever holds it is ``h``."""
    block.line(f"h = {_START[path.start]}")
    *above, last = path.steps
    for number, step in enumerate(above):
        held = f"h.get({source.literal(step.name)})"
        if step.kind.many:
            block = _inside(block, f"for h in {held} or ():")
        else:
            block = _inside(block, f"if (h{number} := {held}) is not None:")
            block.line(f"h = h{number}")
    if asked:
        block = _inside(block, asked)
    block = _inside(block, f"if (v := h.get({source.literal(last.name)})) is not None:")
    if last.kind.many:
        block = _inside(block, "for v in v:")
    block.line(found)


def _inside(block: Block, head: str) -> Block:
    """Open a block below *head*."""
    block.line(head)
    made = Block()
    block.body.append(made)
    return made


def _at(source: Source, here: str, path: Path) -> str:
    """Return the expression of what stands at *path* of the object *here*; None if nothing does."""
    for number, step in enumerate(path.steps):
        held = f"({here} or {{}})" if number else here
        here = f"{held}.get({source.literal(step.name)})"
    return here
