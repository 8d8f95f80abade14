"""A site's catalogue: what is shipped, and the mappings, tables and overlays of its own."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from hub.errors import Code, Fault, Misconfigured
from hub.positioned import PositionedErrors
from mappings.engine.catalogue import NOTHING, Catalogue
from mappings.formats.wires import WIRES


def site_catalogue(site: Path | None = None, let: Mapping[str, str] = NOTHING) -> Catalogue:
    """Return the catalogue of the configuration folder *site*; without one, what is shipped.

    Raises `Misconfigured` with every fault of every mapping and overlay: each fault's path is
    ``file:line:column``, and the detail shows each line with a caret.
    """
    try:
        shipped = _shipped(tuple(sorted(let.items())))
        return shipped if site is None else Catalogue(WIRES, let=let, site=site, shipped=shipped)
    except PositionedErrors as wrong:
        raise misconfigured(wrong) from wrong


@lru_cache(maxsize=4)
def _shipped(let: tuple[tuple[str, str], ...]) -> Catalogue:
    """Return what is shipped: the same for every site, and never changed."""
    return Catalogue(WIRES, let=dict(let))


def misconfigured(wrong: PositionedErrors) -> Misconfigured:
    """Return *wrong* as the hub's own error."""
    faults = [
        Fault(Code.MAPPING_INVALID, path=str(error.place), remedy=error.message)
        for error in wrong.errors
    ]
    return Misconfigured(Code.MAPPING_INVALID, f"mappings:\n{wrong}", faults)
