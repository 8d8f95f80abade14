"""The envelope carries what the wire can carry, and refuses the rest."""

from typing import Any

import pytest

from messaging.envelope import MAX_BODY_BYTES, Envelope


def test_headers_cannot_change_behind_its_back() -> None:
    """An envelope keeps its own copy of the headers, and nobody can write to it."""
    given = {"class": "N6"}
    envelope = Envelope("d-1", "caf.work", b"{}", headers=given)
    given["class"] = "N13"

    assert envelope.headers == {"class": "N6"}
    with pytest.raises(TypeError):
        envelope.headers["class"] = "N13"  # type: ignore[index]


@pytest.mark.parametrize(
    "wrong",
    [
        {"message_id": ""},
        {"message_id": "ü" * 128},
        {"channel": "c" * 256},
        {"content_type": ""},
        {"headers": {"": "x"}},
        {"headers": {"X-death": "x"}},
        {"body": b"x" * (MAX_BODY_BYTES + 1)},
    ],
)
def test_what_the_wire_cannot_carry_is_refused(wrong: dict[str, Any]) -> None:
    """Names of no or too many bytes, the broker's own headers and huge bodies raise ValueError."""
    right: dict[str, Any] = {"message_id": "d-1", "channel": "caf.work", "body": b"{}"}

    Envelope(**right)
    with pytest.raises(ValueError):
        Envelope(**(right | wrong))


def test_header_values_are_text() -> None:
    """A header value that is not text raises TypeError."""
    with pytest.raises(TypeError):
        Envelope("d-1", "caf.work", b"{}", headers={"count": 3})  # type: ignore[dict-item]
