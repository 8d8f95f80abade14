"""Documents that are written while they are rendered, without a tree between."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from mappings.engine.render import Renderer
from mappings.engine.rendering import Rendering
from mappings.engine.tree import Object

Write = Callable[[Any, Rendering], Any]
"""(item, context) to the document's text."""


@runtime_checkable
class Scripting(Protocol):
    """A shape whose documents can be written straight from the plan of their envelope."""

    def script(self, renderer: Renderer, plan: Object) -> str | None:
        """Add the code that writes documents of *plan*, and return the name of its function.

        None if *plan* holds something that only the way over a tree can say.
        """
        ...

    def scripted(self, write: Write, context: Rendering, whole: Callable[[], Any]) -> Any:
        """Return the document that *write* makes; *whole* makes the same over a tree."""
        ...
