"""What the tests of HL7 v2 share: goldens, rendered families, another parser's view of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from hub.services.released import rehearse
from mappings.commands import translator
from tests import builders

HOME = Path(__file__).resolve().parents[3] / "mappings" / "catalogue" / "hl7v2"
GOLDENS = sorted(HOME.glob("*/cases/*/expected.hl7"))


def golden(path: Path) -> bytes:
    """Return the bytes of a golden file, whose line ends are those of a text file."""
    return path.read_bytes().replace(b"\n", b"\r")


def rendered(name: str, episode: Mapping[str, Any], **header: Any) -> bytes:
    """Return *episode* in the format *name*, checked as the hub checks it."""
    tree = {
        "message": builders.header(**{"message_type": "N7", **header}),
        "episode": dict(episode),
    }
    return translator().render(name, rehearse(tree), partner="").body


def messages(raw: bytes) -> list[str]:
    """Return the single messages of a delivery."""
    parts = raw.decode().split("MSH|^~\\&|")[1:]
    return [f"MSH|^~\\&|{part}" for part in parts]


def read_by_hl7apy(message: str) -> Any:
    """Return hl7apy's message with groups; it must not have dropped a segment."""
    found = parse_message(message, find_groups=True, validation_level=VALIDATION_LEVEL.TOLERANT)
    assert [child.name for child in _segments(found)] == [
        line[:3] for line in message.split("\r") if line
    ]
    return found


def _segments(element: Any) -> Iterator[Any]:
    for child in element.children:
        if child.classname == "Segment":
            yield child
        else:
            yield from _segments(child)
