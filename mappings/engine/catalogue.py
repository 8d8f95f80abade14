"""The catalogue: every mapping of a folder, loaded, checked and compiled at once."""

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final

from hub.positioned import Place, PositionedError, Problems
from mappings.engine.check import check
from mappings.engine.compiled import Compiled
from mappings.engine.load import load
from mappings.engine.model import Written
from mappings.engine.trace import Tracer
from mappings.engine.wire import Wire

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Format:
    """One mapping of the catalogue: as written, compiled, and (made when asked for) recording."""

    def __init__(self, written: Written, wire: Wire, folder: Path) -> None:
        """Compile and check; raises `PositionedErrors`."""
        self.name = written.name
        self.written = written
        self.folder = folder
        self.wire = wire
        self.compiled = Compiled(written, wire.shape)
        check(written, self.compiled.plans, wire.shape)

    @cached_property
    def recording(self) -> Compiled:
        """The same mapping compiled with leaves that record where their values came from."""
        return Compiled(self.written, self.wire.shape, Tracer())


class Catalogue:
    """The mappings below one folder, by name."""

    def __init__(
        self,
        wires: Mapping[str, Wire],
        *,
        folder: Path | None = None,
        codes: Path | None = None,
        let: Mapping[str, str] = NOTHING,
    ) -> None:
        """Load everything; raises `PositionedErrors` with every fault of every mapping.

        *let* replaces values of the mappings' own ``let`` (``{"hub": canonical base}``).
        """
        home = Path(str(files("mappings")))
        folder = folder or home / "catalogue"
        codes = codes or home / "codes"
        problems = Problems()
        found: dict[str, Format] = {}
        for file in sorted(folder.rglob("mapping.yaml")):
            shown = file.parent.relative_to(folder).as_posix()
            with problems.kept():
                one = _format(file.parent, codes, let, shown, wires)
                found[one.name] = one
        problems.settle()
        self.formats: Mapping[str, Format] = MappingProxyType(found)


def _format(
    folder: Path, codes: Path, let: Mapping[str, str], shown: str, wires: Mapping[str, Wire]
) -> Format:
    written = load(folder, codes, let, shown)
    if written.name != shown:
        raise PositionedError(written.place, f"the folder is called {shown}")
    wire = wires.get(written.format)
    if wire is None:
        place: Place = written.place
        raise PositionedError(place, f"format must be one of {', '.join(wires)}")
    return Format(written, wire, folder)
