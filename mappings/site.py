"""A site's catalogue: what is shipped, and the mappings, tables and overlays of its own."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from hub.positioned import PositionedErrors
from mappings.engine.catalogue import NOTHING, Catalogue, misconfigured
from mappings.formats.wires import WIRES


def site_catalogue(site: Path | None = None, let: Mapping[str, str] = NOTHING) -> Catalogue:
    """Return the catalogue of the configuration folder *site*; without one, what is shipped.

    Raises `Misconfigured` with every fault of every mapping and overlay of the site: each fault's
    path is ``file:line:column``, and the detail shows each line with a caret.  What is shipped is
    loaded when it is first used: a hub whose partners take one format does not wait for twenty.
    """
    try:
        shipped = _shipped(tuple(sorted(let.items())))
        return shipped if site is None else Catalogue(WIRES, let=let, site=site, shipped=shipped)
    except PositionedErrors as wrong:
        raise misconfigured(wrong) from wrong


@lru_cache(maxsize=4)
def _shipped(let: tuple[tuple[str, str], ...]) -> Catalogue:
    """Return what is shipped: the same for every site, and never changed."""
    return Catalogue(WIRES, let=dict(let), waiting=True)
