"""Python source under construction: functions as nested blocks, and the objects that they use.

A mapping becomes straight-line code once, at load.  No text of a mapping is ever part of that code:
names of members, constants and codes go in as literals that Python itself has written (`literal`),
everything else is bound in the namespace under a name made here.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final

INDENT: Final = " "


class Block:
    """Lines of one level, some of them blocks; what must come first is added to *top*."""

    def __init__(self) -> None:
        """Begin empty."""
        self.top: list[str] = []
        self.body: list[str | Block] = []

    def line(self, text: str) -> None:
        """Add one line."""
        self.body.append(text)

    def written(self, indent: str) -> Iterator[str]:
        """Yield the lines; a block without any does nothing."""
        if not self.top and not self.body:
            yield f"{indent}pass"
        for text in self.top:
            yield indent + text
        for one in self.body:
            if isinstance(one, Block):
                yield from one.written(indent + INDENT)
            else:
                yield indent + one


class Source:
    """The functions of one module and its namespace."""

    def __init__(self, **names: Any) -> None:
        """Begin with *names* in the namespace."""
        self._names: dict[str, Any] = dict(names)
        self._bound: dict[int, str] = {}
        self._constants: dict[Hashable, Hashable] = {}
        self._parts: list[Block] = []
        self._count = 0

    def know(self, **names: Any) -> None:
        """Add *names* to the namespace."""
        self._names.update(names)

    def fresh(self) -> str:
        """Return a name that nothing has yet."""
        self._count += 1
        return f"v{self._count}"

    def bind(self, value: Any) -> str:
        """Return the name under which the code finds *value*."""
        name = self._bound.get(id(value))
        if name is None:
            name = self._bound[id(value)] = self.fresh()
            self._names[name] = value  # and keeps it alive, so that its id is its own
        return name

    def constant(self, value: Hashable) -> str:
        """Return the name under which the code finds *value*, or one that is equal to it."""
        return self.bind(self._constants.setdefault(value, value))

    def literal(self, value: Any) -> str:
        """Return *value* as an expression."""
        return ascii(value) if type(value) in {str, int, bool} else self.bind(value)

    def function(self, parameters: str, block: Block) -> str:
        """Add a function and return its name."""
        name = self.fresh()
        part = Block()
        part.body = [f"def {name}({parameters}):", block]
        self._parts.append(part)
        return name

    def made(self, expression: str) -> str:
        """Add a variable that is set once, when the module is loaded; return its name."""
        name = self.fresh()
        part = Block()
        part.line(f"{name} = {expression}")
        self._parts.append(part)
        return name

    def text(self) -> str:
        """Return the whole module."""
        return "\n".join(line for part in self._parts for line in part.written("")) + "\n"

    def loaded(self, shown: str) -> Callable[[str], Any]:
        """Compile, and return what finds a function by its name; *shown* stands in tracebacks."""
        exec(compile(self.text(), f"<{shown}>", "exec"), self._names)  # noqa: S102  our own text
        return self._names.__getitem__
