"""Parents who disagree: what one refused stays refused until a resolution is recorded.

`domain.md` 4.1: the disputed service or section is held as REFUSED until the practitioner records a
resolution.  At least one parent must consent, so one parent's silence disputes nothing; what counts
is an explicit no, a refusal, a withdrawal or an exclusion, that its giver has not taken back by a
later yes and that no later yes supersedes.  The resolution is a decision record like any other: a
parent's yes that names the refusal in ``supersedes`` (D-35).  A young person who decides for
themselves settles the matter.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from hub.domain.cells import Ask, Cell, Layer
from hub.domain.decision import Reading
from hub.domain.weighing import exclude, weigh


def hold_disputed(
    readings: Iterable[Reading],
    ask: Ask,
    closed_at: datetime | None,
    plain: Layer,
    sensitive: Layer,
) -> str | None:
    """Change *plain* and *sensitive* to no wherever a parent's yes meets another parent's no.

    Return the decision that refused, if there is such a place.
    """
    said: dict[str, list[Reading]] = {}
    parents: dict[str, str] = {}
    for reading in readings:
        if reading.parent is not None:
            said.setdefault(reading.parent, []).append(reading)
            parents[reading.decision_id] = reading.parent
    found: str | None = None
    for parent, own in said.items():
        words = _own_word(own, ask, closed_at)
        others = {name for name, giver in parents.items() if giver != parent}
        for layer, word in zip((plain, sensitive), words, strict=True):
            found = _hold(layer, word, others) or found
    return found


def _own_word(own: Iterable[Reading], ask: Ask, closed_at: datetime | None) -> tuple[Layer, Layer]:
    """Return what one parent alone has said, the newest first, with only explicit noes as noes."""
    plain, sensitive = Layer(), Layer()
    for reading in own:
        if reading.refuses_all(ask.purpose):
            if reading.state in {"REFUSED", "WITHDRAWN"}:
                no = Cell(
                    permitted=False,
                    decision_id=reading.decision_id,
                    excluded=not reading.settled,
                )
                plain.say_all(no)
                sensitive.say_all(no)
            continue
        fresh = Layer(), Layer()
        exclude(reading, ask, *fresh)
        if reading.settled:
            fresh = _settled(fresh[0]), _settled(fresh[1])
        for layer, new in zip((plain, sensitive), fresh, strict=True):
            _after(layer, new)
        if not reading.gives:
            continue
        # Naming one section of a service takes back the no to that section and to nothing else.
        given = weigh([replace(reading, excludes=(), restates=False)], ask, closed_at)
        for layer, new in zip((plain, sensitive), given, strict=True):
            _after(layer, new)
    return plain, sensitive


def _settled(layer: Layer) -> Layer:
    """Return the same noes as no dispute any more: they were settled."""
    cells = {name: cell._replace(excluded=False) for name, cell in layer.cells.items()}
    return Layer(cells, layer.rest and layer.rest._replace(excluded=False))


def _after(layer: Layer, new: Layer) -> None:
    """Let *layer* say what *new* adds to it."""
    for name, cell in new.cells.items():
        layer.say(name, cell)
    if new.rest is not None:
        layer.say_all(new.rest)


def _hold(layer: Layer, word: Layer, others: set[str]) -> str | None:
    """Put one parent's explicit noes in the place of what the *others* decided."""
    found: str | None = None

    def heard(cell: Cell, no: Cell | None) -> Cell:
        nonlocal found
        if no is None or not no.excluded or not cell.permitted or cell.decision_id not in others:
            return cell
        found = no.decision_id
        return no

    for name in layer.cells.keys() | word.cells.keys():
        cell = layer.cells.get(name) or layer.rest
        if cell is not None:
            layer.cells[name] = heard(cell, word.cells.get(name) or word.rest)
    if layer.rest is not None:
        layer.rest = heard(layer.rest, word.rest)
    return found
