"""Spots: where reading code stands, how the trail leads there, and where values can be put."""

from dataclasses import dataclass, field
from typing import Any

from mappings.engine.paths import Kind, Start, Step
from mappings.engine.reading import FROM, Steps
from mappings.engine.source import Block, Source


@dataclass(slots=True)
class Home:
    """The block that brings a canonical item, with the branches of it that the code has made."""

    block: Block
    above: "Home | None" = None
    made: dict[tuple[Start, tuple[Step, ...]], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where code stands: its block, the wire value and the canonical item (variables), the steps.

    Variables are called after the level, because those of one level never meet.  *steps* lead from
    the function's value to this one; for an item of a list they hold `AT` and *marks* its position,
    or `IN` and *marks* list and item.
    """

    source: Source
    block: Block
    value: str
    item: str
    home: Home
    level: int = 0
    steps: tuple[Any, ...] = ()
    marks: tuple[str, ...] = ()

    @staticmethod
    def function(source: Source) -> "Spot":
        """Return the beginning of a function (value, item, context, trail)."""
        block = Block()
        return Spot(source, block, "x", "t", Home(block))

    def name(self, stem: str) -> str:
        """Return a variable of this level."""
        return f"{stem}{self.level}"

    def line(self, text: str) -> None:
        """Add one line."""
        self.block.line(text)

    def inside(self, head: str) -> "Spot":
        """Open a block below *head*."""
        self.line(head)
        made = Block()
        self.block.body.append(made)
        return Spot(
            self.source, made, self.value, self.item, self.home, self.level, self.steps, self.marks
        )

    def below(self, step: Any, *marks: str, value: str = "") -> "Spot":
        """Return the place of a value one step down."""
        level, value = self.level + 1, value or f"x{self.level + 1}"
        steps, marks = (*self.steps, step), (*self.marks, *marks)
        return Spot(self.source, self.block, value, self.item, self.home, level, steps, marks)

    def along(self, steps: tuple[Any, ...], level: int) -> "Spot":
        """Return the place of a value of *level* that *steps* lead to from here."""
        marks = (*self.marks, self.value) if FROM in steps else self.marks
        return Spot(
            self.source,
            self.block,
            f"x{level}",
            self.item,
            self.home,
            level,
            (*self.steps, *steps),
            marks,
        )

    def holding(self, item: str) -> "Spot":
        """Return the same place, where values go into a new *item* that is made here."""
        home = Home(self.block, self.home)
        return Spot(
            self.source, self.block, self.value, item, home, self.level, self.steps, self.marks
        )

    @property
    def trail(self) -> str:
        """Return the expression of the trail to the value."""
        if not self.steps:
            return "w"
        return f"({', '.join(('w', self.source.constant(Steps(self.steps)), *self.marks))})"

    def unknown(self) -> None:
        """Note that nothing knows the value."""
        self.line(f"c.unknown({self.trail})")

    def branch(self, start: Start, steps: tuple[Step, ...]) -> str:
        """Return the expression of the branch at *steps*, made when something is put there."""
        if not steps:
            return {"item": self.item, "root": "c.root", "outer": "c.outer"}[start]
        home = self.home
        while start != "item" and home.above is not None:
            home = home.above
        if (known := home.made.get((start, steps))) is None:
            known = home.made[start, steps] = self.source.fresh()
            home.block.top.append(f"{known} = None")
        above, step = self.branch(start, steps[:-1]), steps[-1]
        name = self.source.literal(step.name)
        if step.kind is Kind.SLICE:
            ((member, text),) = step.where
            said = f"{self.source.literal(str(member))}, {self.source.literal(text)}"
            made = f"find({above}, {name}, {said}, c)"
        else:
            made = f"{above}.setdefault({name}, {{}})"
        return f"({known} or ({known} := {made}))"
