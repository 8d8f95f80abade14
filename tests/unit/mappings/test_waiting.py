"""Mappings that wait: what is shipped is loaded when it is first used, and told as a whole."""

from pathlib import Path

import pytest

from hub.errors import Code, Misconfigured
from hub.positioned import PositionedErrors
from mappings.engine.catalogue import Catalogue, Format
from mappings.formats.wires import WIRES
from mappings.site import site_catalogue

HEAD = "mapping: {name}\nversion: 1\nformat: json\ncontent_type: application/{name}\n"


def loaded(one: Format) -> bool:
    """Whether anything but the head was read."""
    return "_made" in vars(one)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two mappings whose heads can be read, and nothing else of them."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        text = f"{HEAD.format(name=name)}envelope: nonsense\n"
        (tmp_path / name / "mapping.yaml").write_text(text)
    return tmp_path


def test_what_is_shipped_waits_until_it_is_used() -> None:
    """A hub whose partners take one format does not load twenty."""
    catalogue = Catalogue(WIRES, waiting=True)
    assert not any(map(loaded, catalogue.formats.values()))

    assert catalogue.formats["fhir-r4/answer"].compiled.plans

    assert {name for name, one in catalogue.formats.items() if loaded(one)} == {"fhir-r4/answer"}


def test_the_site_catalogue_knows_what_each_format_is_for_without_loading_it() -> None:
    """Name, content type, direction and kinds are read at once, and are those of the mapping."""
    shipped = site_catalogue(let={"hub": "https://waiting.example"}).formats
    assert not any(map(loaded, shipped.values()))
    for one in shipped.values():
        written = one.written
        assert (one.name, one.head.format, one.head.content_type, one.head.direction) == (
            *(written.name, written.format, written.content_type, written.direction),
        )
        assert one.head.accepts == written.accepts


def test_a_fault_is_told_when_a_mapping_is_first_used(folder: Path) -> None:
    """As the hub's own error with the place, and again at the next use."""
    catalogue = Catalogue(WIRES, folder=folder, waiting=True)
    for _ in range(2):
        with pytest.raises(Misconfigured) as wrong:
            catalogue.formats["a"].compiled.ready()
        assert wrong.value.code is Code.MAPPING_INVALID
        assert "a/mapping.yaml:5:" in str(wrong.value.faults[0].path)


def test_loading_all_tells_every_fault_of_every_mapping(folder: Path) -> None:
    """`ecaf config check` finds them all, as without waiting."""
    with pytest.raises(PositionedErrors) as later:
        Catalogue(WIRES, folder=folder, waiting=True).load()
    with pytest.raises(PositionedErrors) as at_once:
        Catalogue(WIRES, folder=folder)

    assert {error.place.file for error in later.value.errors} == {
        "a/mapping.yaml",
        "b/mapping.yaml",
    }
    assert [str(error) for error in later.value.errors] == [
        str(error) for error in at_once.value.errors
    ]


def test_two_that_read_the_same_are_refused_before_anything_waits(folder: Path) -> None:
    """Which mapping reads a message is decided by the heads, so they are checked at once."""
    text = (folder / "a" / "mapping.yaml").read_text().replace("application/a", "application/b")
    (folder / "a" / "mapping.yaml").write_text(text)

    with pytest.raises(PositionedErrors, match="say accepts"):
        Catalogue(WIRES, folder=folder, waiting=True)
