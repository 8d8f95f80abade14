"""`ecaf config check`, the part about mappings: everything wrong with a site's, found in one go."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from hub.errors import Misconfigured
from hub.positioned import Place, PositionedError, PositionedErrors, Problems, Value, read_file
from mappings.engine.catalogue import NOTHING, NOTICES, Catalogue, Format
from mappings.engine.placement import placed
from mappings.site import site_catalogue

DELIVERED = ("content", NOTICES)
"""The members of a profile's ``deliver`` that name formats."""


def faults(site: Path, let: Mapping[str, str] = NOTHING) -> tuple[list[PositionedError], str]:
    """Return every fault of the mappings, overlays and tables of *site*, and a line that counts.

    Partner profiles are read here only for the formats that they name; what else is wrong with them
    is found by who owns them.
    """
    problems = Problems()
    counted = "mappings have faults"
    try:
        catalogue = site_catalogue(site, let)
        catalogue.load()
    except PositionedErrors as wrong:
        return list(wrong.errors), counted
    except Misconfigured as wrong:
        if isinstance(wrong.__cause__, PositionedErrors):
            return list(wrong.__cause__.errors), counted
        raise
    for name, profile in _profiles(site):
        for key, said in _formats(profile):
            with problems.kept():
                _offered(catalogue, name, said)
                if key == NOTICES and (notices := catalogue.narrower(said.text())):
                    said.error(f"this format is for content; what is told beside it: {notices}")
    known = {name for name, _profile in _profiles(site)}
    for (partner, _format), one in catalogue.overlays.items():
        if known and partner not in known and one.written.overlay is not None:
            with problems.kept():
                place = Place(one.written.overlay.file, 1, 1, "")
                raise PositionedError(place, f"there is no partner {partner}")
    with problems.kept():
        _unused(catalogue, site)
    counted = (
        f"{len(catalogue.formats)} mappings, {len(catalogue.overlays)} overlays, "
        f"{len(catalogue.shelf.names())} code tables, no faults"
    )
    return problems.errors, counted


def takers(site: Path | None) -> dict[str, list[str]]:
    """Return, for each format, who takes messages in it: ``SCH-A (SCH-A/SCH)``."""
    found: dict[str, list[str]] = {}
    if site is None:
        return found
    for name, profile in _profiles(site):
        for said in dict.fromkeys(value.text() for _key, value in _formats(profile)):
            found.setdefault(said, []).append(f"{name}{_services(profile)}")
    return found


def _profiles(site: Path) -> Iterator[tuple[str, Value]]:
    """Yield name and profile of every partner whose file can be read."""
    for file in sorted((site / "partners").glob("*.yaml")):
        try:
            profile = read_file(file, f"partners/{file.name}")
        except PositionedError:
            continue  # the registry says what is wrong with it
        yield file.stem, profile


def _member(value: Value, name: str) -> Value | None:
    found = value.content.get(name) if isinstance(value.content, dict) else None
    return None if found is None else found[1]


def _formats(profile: Value) -> Iterator[tuple[str, Value]]:
    deliver = _member(profile, "deliver")
    for name in DELIVERED:
        said = None if deliver is None else _member(deliver, name)
        if said is not None and isinstance(said.content, str):
            yield name, said


def _services(profile: Value) -> str:
    services = _member(profile, "services")
    if services is None or not isinstance(services.content, dict):
        return ""
    return f" ({', '.join(services.content)})"


def _offered(catalogue: Catalogue, partner: str, said: Value) -> None:
    one: Format | None = catalogue.format(said.text(), partner)
    if one is None:
        said.error(f"there is no format of that name; there are {', '.join(catalogue.formats)}")
    if one.head.direction == "in":
        said.error(f"{one.name} is only read, never written")


def _unused(catalogue: Catalogue, site: Path) -> None:
    """Check that some mapping uses every code table of the site."""
    used = {
        held.rule.codes.file
        for one in catalogue.formats.values()
        for held in placed(one.written)
        if held.rule.codes is not None
    }
    for file in sorted((site / "codes").glob("*.csv")):
        shown = f"site/codes/{file.name}"
        if shown not in used:
            raise PositionedError(Place(shown, 1, 1, ""), "no mapping of the site uses this table")
