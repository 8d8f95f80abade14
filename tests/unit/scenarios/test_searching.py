"""Searching received bytes: a text that travelled is found however it was written."""

import base64
import json
from typing import Any

import pytest

from hub.scenarios.searching import trace

TEXT = "Grandfather’s café, “damp”"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        json.dumps({"a": TEXT}).encode(),
        json.dumps({"a": TEXT}, ensure_ascii=False).encode(),
        base64.b64encode(TEXT.encode()),
        base64.b64encode(b"x" + TEXT.encode() + b"yz"),
        base64.b64encode(b"xy" + TEXT.encode() + b"z"),
        base64.urlsafe_b64encode(b"{}" + TEXT.encode()),
        TEXT.encode().hex().encode(),
        TEXT.encode("utf-16-le"),
    ],
)
def test_a_text_is_found_in_every_form(data: Any) -> None:
    """Plain, escaped, encoded in any alignment: all of them count."""
    assert trace([TEXT], b"before " + data + b" after") == TEXT


def test_what_is_not_there_is_not_found() -> None:
    """The search does not cry out over other texts."""
    assert trace([TEXT], json.dumps({"a": "Grandfather’s tea"}).encode()) is None


@pytest.mark.parametrize("written", ["9990000018", "999 000 0018", "999-000-0018"])
def test_a_number_is_found_with_the_usual_blanks(written: Any) -> None:
    """An NHS number is one however people space it."""
    assert trace(["9990000018"], f"NHS {written}.".encode())
