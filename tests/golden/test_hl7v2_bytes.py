"""Goldens of HL7 v2 byte for byte, and what becomes of them when they come back."""

from pathlib import Path

import orjson
import pytest

from hub.services.released import rehearse
from mappings.commands import read_case, translator
from tests.unit.hl7v2.messages import GOLDENS, golden

IDS = [f"{path.parts[-4]}/{path.parts[-2]}" for path in GOLDENS]


@pytest.mark.parametrize("path", GOLDENS, ids=IDS)
def test_the_golden_is_written_byte_for_byte(path: Path) -> None:
    """Not only the same document: the same segments, set ids, escapes and line ends."""
    tree = orjson.loads((path.parent / "input.json").read_bytes())
    name = f"hl7v2/{path.parts[-4]}"
    assert translator().render(name, rehearse(tree), partner="").body == golden(path)


@pytest.mark.parametrize("path", GOLDENS, ids=IDS)
def test_every_segment_of_a_golden_is_read(path: Path) -> None:
    """Segments in are segments out: written again, the document has all of them."""
    wire = translator().catalogue.formats["hl7v2/ref-i12"].wire
    raw = golden(path)
    assert wire.write(dict(wire.parse(raw)), check=True) == raw


@pytest.mark.parametrize(
    "path", [path for path in GOLDENS if path.parts[-4] in ("ref-i12", "adt-person")], ids=str
)
def test_a_golden_is_lawful_to_send_back(path: Path) -> None:
    """A recipient may post it back: it is lawful, and only the hub's own facts say nothing."""
    found = read_case(f"hl7v2/{path.parts[-4]}", golden(path))
    assert [place for place in found["unmapped"] if not place.startswith("notification")] == []


def test_no_message_id_is_longer_than_2_4_allows() -> None:
    """MSH-10 holds twenty characters, different for each message of a delivery."""
    wire = translator().catalogue.formats["hl7v2/ref-i12"].wire
    for path in GOLDENS:
        ids = [message["MSH"]["10"] for message in wire.parse(golden(path))["message"]]
        assert all(len(one) <= 20 for one in ids)
        assert len(set(ids)) == len(ids)
