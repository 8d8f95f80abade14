"""What the decisions of one episode say: read once for all versions that show the same people."""

from collections.abc import Sequence

from hub.domain.circumstances import Circumstances, circumstances
from hub.domain.consent import Agreements
from hub.domain.exchange import Decision, Tree

Shown = tuple[tuple[str, ...], tuple[str, ...], Circumstances]
"""Children, adults, and what else a version tells of them: all that a reading depends on besides
the decisions themselves.
"""


class Agreed:
    """The agreements of one episode, for as long as its decisions stay the same."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        """Read nothing yet."""
        self._decisions = decisions
        self._read: list[tuple[Shown, Agreements]] = []

    def among(self, children: tuple[str, ...], adults: tuple[str, ...], tree: Tree) -> Agreements:
        """Return what was agreed about these people, as *tree* shows them."""
        shown = children, adults, circumstances(tree)
        for before, agreements in self._read:
            if before == shown:
                return agreements
        made = Agreements(self._decisions, children, adults, known=shown[2])
        self._read.append((shown, made))
        return made
