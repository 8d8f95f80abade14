"""The catalogue: every mapping of a folder, loaded, checked and compiled at once.

A site may add to what is shipped: mappings of its own in ``catalogue/``, code tables in ``codes/``
and partners' overlays in ``overlays/<partner>/<format name>/`` of its configuration folder.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hub.positioned import Place, PositionedError, Problems, read_file
from mappings.engine.check import check
from mappings.engine.compiled import Compiled
from mappings.engine.load import TOP, load
from mappings.engine.model import Written
from mappings.engine.overlays import read_overlay
from mappings.engine.tables import Shelf
from mappings.engine.trace import Tracer
from mappings.engine.wire import Wire

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
HOME: Final = Path(str(files("mappings")))
"""Where the shipped ``catalogue/`` and ``codes/`` are."""
OWN: Final = "site/catalogue/"
"""What places in a site's own mappings begin with."""


class Format:
    """One mapping of the catalogue: as written, compiled, and (made when asked for) recording.

    *folder* holds its cases; for a partner's form it is the overlay's folder.
    """

    def __init__(self, written: Written, wire: Wire, folder: Path) -> None:
        """Compile and check; raises `PositionedErrors`."""
        self.name = written.name
        self.written = written
        self.folder = folder
        self.wire = wire
        self.compiled = Compiled(written, wire.shape)
        check(written, self.compiled.plans, wire.shape)

    @property
    def partner(self) -> str:
        """Return the partner whose overlay is in it; empty if none."""
        return "" if self.written.overlay is None else self.written.overlay.partner

    @cached_property
    def recording(self) -> Compiled:
        """The same mapping compiled with leaves that record where their values came from."""
        return Compiled(self.written, self.wire.shape, Tracer())


@dataclass(frozen=True, slots=True)
class Source:
    """Where a mapping was read from, so that an overlay can read it again; *shown* is its name."""

    folder: Path
    shelf: Shelf
    shown: str


class Catalogue:
    """The mappings below one folder and a site's own, by name, and partners' forms of them."""

    def __init__(
        self,
        wires: Mapping[str, Wire],
        *,
        folder: Path | None = None,
        codes: Path | None = None,
        let: Mapping[str, str] = NOTHING,
        site: Path | None = None,
        shipped: "Catalogue | None" = None,
    ) -> None:
        """Load everything; raises `PositionedErrors` with every fault of every mapping.

        *let* replaces values of the mappings' own ``let`` (``{"hub": canonical base}``).  *site* is
        a configuration folder with mappings, code tables and overlays of its own, which come to
        those of *shipped* (loaded with the same *let*), if that is given.
        """
        self._wires = wires
        self._let = let
        self.shelf = near = Shelf(((codes or HOME / "codes", "codes"),))
        listed = [] if shipped else [*_sources(folder or HOME / "catalogue", near, "")]
        if site is not None:
            self.shelf = Shelf(((site / "codes", "site/codes"), *near.folders))
            listed += _sources(site / "catalogue", self.shelf, OWN)
        problems = Problems()
        found: dict[str, Format] = dict(shipped.formats) if shipped else {}
        self.sources: dict[str, Source] = dict(shipped.sources) if shipped else {}
        for source in listed:
            with problems.kept():
                one = self._format(source)
                if one.name in found:
                    raise PositionedError(
                        one.written.place, f"{one.name} is shipped: change it with an overlay"
                    )
                _distinct(one, found)
                found[one.name] = one
                self.sources[one.name] = source
        self.formats: Mapping[str, Format] = MappingProxyType(found)
        self._overlaid: dict[tuple[str, str], Format] = {}
        if site is not None:
            for file in sorted((site / "overlays").rglob("overlay.yaml")):
                with problems.kept():
                    one = self.overlaid(file, file.relative_to(site).as_posix(), placed=True)
                    self._overlaid[one.partner, one.name] = one
        problems.settle()

    @property
    def overlays(self) -> Mapping[tuple[str, str], Format]:
        """Return partners' forms of mappings by partner and format name."""
        return MappingProxyType(self._overlaid)

    def format(self, name: str, partner: str = "") -> Format | None:
        """Return the mapping *name* as *partner* has it; None if there is none of that name."""
        return self._overlaid.get((partner, name)) or self.formats.get(name)

    def overlaid(self, file: Path, shown: str, *, placed: bool = False) -> Format:
        """Return the mapping with the overlay in *file*; raises `PositionedErrors`.

        *placed*: its folder, as *shown* says, must be that of its partner and mapping.
        """
        overlay = read_overlay(file, shown)
        wanted = f"overlays/{overlay.identity.partner}/{overlay.mapping}/{file.name}"
        if placed and shown != wanted:
            raise PositionedError(overlay.place, f"by what it says, this file must be {wanted}")
        source = self.sources.get(overlay.mapping)
        if source is None:
            near = get_close_matches(overlay.mapping, self.formats, 1) or self.formats
            raise PositionedError(
                overlay.place,
                f"there is no mapping {overlay.mapping} that loads: {', '.join(near)}?",
            )
        own = Shelf(((file.parent / "codes", f"{shown.rpartition('/')[0]}/codes"),))
        shelf = Shelf((*own.folders, *source.shelf.folders))
        written = load(source.folder, shelf, self._let, source.shown, overlay)
        problems = Problems()
        for table in own.names():
            if table not in overlay.used:
                with problems.kept():
                    place = Place(f"{own.folders[0][1]}/{table}.csv", 1, 1, "")
                    raise PositionedError(place, f"no rule uses the code table {table}")
        with problems.kept():
            found = Format(written, self._wires[written.format], file.parent)
        problems.settle()
        return found

    def _format(self, source: Source) -> Format:
        written = load(source.folder, source.shelf, self._let, source.shown)
        if written.name != source.shown.removeprefix(OWN):
            raise PositionedError(written.place, f"the folder is called {source.shown}")
        wire = self._wires.get(written.format)
        if wire is None:
            raise PositionedError(written.place, f"format must be one of {', '.join(self._wires)}")
        return Format(written, wire, source.folder)


def _distinct(one: Format, others: Mapping[str, Format]) -> None:
    """Check that what *one* reads is not read by another mapping of the same content type."""
    mine = one.written
    for other in (held.written for held in others.values()):
        same = _bare(mine.content_type) == _bare(other.content_type)
        if not same or "out" in {mine.direction, other.direction}:
            continue
        both = set(mine.accepts) & set(other.accepts)
        if both or not (mine.accepts or other.accepts):
            said = ", ".join(sorted(both)) or "every kind of message"
            raise PositionedError(
                mine.place, f"{other.name} reads {said} of this content type too: say accepts"
            )


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _sources(folder: Path, shelf: Shelf, before: str) -> Iterator[Source]:
    for file in sorted(folder.rglob("mapping.yaml")):
        shown = file.parent.relative_to(folder).as_posix()
        yield Source(file.parent, shelf, f"{before}{shown}")


def in_folder(wires: Mapping[str, Wire], folder: Path, codes: Path) -> Format:
    """Return the one mapping in *folder*, wherever that is; raises `PositionedErrors`.

    Code tables are taken from ``codes`` beside the catalogue that it stands in, then *codes*.
    """
    shown = str(folder)
    top = read_file(folder / "mapping.yaml", f"{shown}/mapping.yaml").mapping(*TOP)
    above = folder.resolve()
    for _part in top.need("mapping").text().split("/"):
        above = above.parent
    near = above.parent / "codes"
    shelf = Shelf(((near, str(near)), (codes, "codes")))
    written = load(folder, shelf, NOTHING, shown)
    wire = wires.get(written.format)
    if wire is None:
        raise PositionedError(written.place, f"format must be one of {', '.join(wires)}")
    return Format(written, wire, folder)
