"""The catalogue: every mapping of a folder, loaded, checked and compiled.

A site may add to what is shipped: mappings of its own in ``catalogue/``, code tables in ``codes/``
and partners' overlays in ``overlays/<partner>/<format name>/`` of its configuration folder.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from hub.errors import Code, Fault, Misconfigured
from hub.positioned import Place, PositionedError, PositionedErrors, Problems, read_file
from mappings.engine.check import check
from mappings.engine.compiled import Compiled
from mappings.engine.load import TOP, load, read_head
from mappings.engine.model import Head, Written
from mappings.engine.overlays import read_overlay
from mappings.engine.tables import Shelf
from mappings.engine.trace import Tracer
from mappings.engine.unsaid import Unsaid
from mappings.engine.wire import Wire

NOTICES: Final = "notification"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
HOME: Final = Path(str(files("mappings")))
"""Where the shipped ``catalogue/`` and ``codes/`` are."""
OWN: Final = "site/catalogue/"
"""What places in a site's own mappings begin with."""


class Format:
    """One mapping of the catalogue: as written, compiled, and (made when asked for) recording.

    It is loaded and checked when it is first used, or by `load`.  *folder* holds its cases; for a
    partner's form it is the overlay's folder.
    """

    def __init__(
        self, head: Head, wire: Wire, folder: Path, load: Callable[[], Written], partner: str = ""
    ) -> None:
        """Keep how to load it; *partner* is whose overlay is in it, empty if none."""
        self.name = head.name
        self.head = head
        self.folder = folder
        self.wire = wire
        self.partner = partner
        self._load = load

    def load(self) -> Self:
        """Load, compile and check it now; raises `PositionedErrors`."""
        self._made  # noqa: B018  asked for, it is there
        return self

    @cached_property
    def _read(self) -> Written:
        return self._load()

    @cached_property
    def _made(self) -> Compiled:
        compiled = Compiled(self._read, self.wire.shape)
        check(self._read, compiled.plans, self.wire.shape)
        return compiled

    @cached_property
    def written(self) -> Written:
        """The mapping as written; raises `Misconfigured` if it cannot be loaded."""
        with _first_used():
            return self._read

    @cached_property
    def compiled(self) -> Compiled:
        """The mapping ready to run, checked; raises `Misconfigured` if it cannot be."""
        with _first_used():
            return self._made

    @cached_property
    def reasons(self) -> Unsaid:
        """Why it leaves unsaid what it does."""
        return Unsaid(self.written)

    @cached_property
    def recording(self) -> Compiled:
        """The same mapping compiled with leaves that record where their values came from."""
        return Compiled(self.written, self.wire.shape, Tracer())


@contextmanager
def _first_used() -> Iterator[None]:
    try:
        yield
    except PositionedErrors as wrong:
        raise misconfigured(wrong) from wrong


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
        waiting: bool = False,
    ) -> None:
        """Load everything; raises `PositionedErrors` with every fault of every mapping.

        With *waiting*, each mapping is loaded when it is first used: of those in *folder* only what
        they are for is read now.  That is for what is shipped, which the tests load as a whole.
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
                one = self._format(source, waiting=waiting)
                if one.name in found:
                    raise PositionedError(
                        one.head.place, f"{one.name} is shipped: change it with an overlay"
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

    def family(self, name: str) -> tuple[str, ...]:
        """Return the mappings called *name*, or *name* and a slash and more: ``fhir-r4``."""
        return tuple(one for one in self.formats if f"{one}/".startswith(f"{name}/"))

    def families(self) -> tuple[str, ...]:
        """Return what the names of mappings begin with, each once."""
        return tuple(dict.fromkeys(name.partition("/")[0] for name in self.formats))

    def narrower(self, name: str) -> str | None:
        """Return the format in which *name*'s family tells what is told beside content; None if
        *name* is it, or its family has none.

        What such a format leaves out of a notice (why an episode was closed) is left out on
        purpose; one for content would write whatever it is given.
        """
        notices = f"{name.partition('/')[0]}/{NOTICES}"
        return notices if name != notices and notices in self.formats else None

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
            wire, partner = self._wires[written.format], overlay.identity.partner
            found = Format(written, wire, file.parent, lambda: written, partner).load()
        problems.settle()
        return found

    def load(self) -> None:
        """Load whatever still waits to be used; raises `PositionedErrors` with every fault."""
        problems = Problems()
        for one in self.formats.values():
            with problems.kept():
                one.load()
        problems.settle()

    def _format(self, source: Source, *, waiting: bool) -> Format:
        def loaded() -> Written:
            return load(source.folder, source.shelf, self._let, source.shown)

        if waiting:
            head = read_head(source.folder, source.shown)
            return Format(head, self._wire(head, source), source.folder, loaded)
        written = loaded()
        wire = self._wire(written, source)
        return Format(written, wire, source.folder, lambda: written).load()

    def _wire(self, head: Head, source: Source) -> Wire:
        if head.name != source.shown.removeprefix(OWN):
            raise PositionedError(head.place, f"the folder is called {source.shown}")
        wire = self._wires.get(head.format)
        if wire is None:
            raise PositionedError(head.place, f"format must be one of {', '.join(self._wires)}")
        return wire


def _distinct(one: Format, others: Mapping[str, Format]) -> None:
    """Check that what *one* reads is not read by another mapping of the same content type."""
    mine = one.head
    for other in (held.head for held in others.values()):
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
    return Format(written, wire, folder, lambda: written).load()


def misconfigured(wrong: PositionedErrors) -> Misconfigured:
    """Return *wrong* as the hub's own error."""
    faults = [
        Fault(Code.MAPPING_INVALID, path=str(error.place), remedy=error.message)
        for error in wrong.errors
    ]
    return Misconfigured(Code.MAPPING_INVALID, f"mappings:\n{wrong}", faults)
