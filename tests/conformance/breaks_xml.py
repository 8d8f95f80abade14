"""XML and HTML documents broken on purpose, and what each oracle must say to it."""

import re
from collections.abc import Callable
from typing import Final

from tests.conformance.breaking import Break, CannotBreak

# XML: by the text, because a tree that is built again would be whole again


def _replaced(pattern: str, by: str) -> Callable[[bytes], bytes]:
    """Replace the first match; raises `CannotBreak` if there is none."""

    def make(raw: bytes) -> bytes:
        after, count = re.subn(pattern, by, raw.decode(), count=1, flags=re.DOTALL)
        if not count:
            raise CannotBreak(pattern)
        return after.encode()

    return make


def _cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def _xml(
    name: str, kind: str, make: Callable[[bytes], bytes], said: str = "Schemas validity error"
) -> Break:
    return Break(name, kind, make, {"xmllint": (said, "error")})


XML: Final = (
    _xml("cut off", "caf-xml", _cut, "parser error"),
    _xml("wrong code", "caf-xml", _replaced("<Gender>.*?<", "<Gender>girl<"), "girl"),
    _xml("wrong order", "caf-xml", _replaced("(<Header>.*</Header>)(<.*)(</C)", r"\2\1\3")),
    _xml("missing required element", "caf-xml", _replaced("<SubjectId>.*?</SubjectId>", "")),
    _xml("unknown element", "caf-xml", _replaced("<SubjectId>", r"<Colour>red</Colour>\g<0>")),
    _xml("British date", "caf-xml", _replaced("<DateOfBirth>[^<]*", "<DateOfBirth>01/03/2015")),
    _xml("cut off", "cda-r2", _cut, "parser error"),
    _xml("wrong code", "cda-r2", _replaced('<name use="L"', '<name use="girl"'), "girl"),
    _xml("wrong order", "cda-r2", _replaced("(<title>.*?</title>)(<e.*?/>)", r"\2\1")),
    _xml("missing required element", "cda-r2", _replaced("<custodian>.*?</custodian>", "")),
    _xml("unknown element", "cda-r2", _replaced("<title>", r"<colour/>\g<0>")),
    _xml(
        "British date", "cda-r2", _replaced('<birthTime value="[^"]*', '<birthTime value="1/3/15')
    ),
)

HTML: Final = (
    Break(
        "element left open",
        "html",
        _replaced("</section>", ""),
        {"xmllint": ("parser error", "error"), "vnu": ("section", "error")},
    ),
    Break(
        "text that looks like markup",
        "html",
        _replaced("</h1>", r"<b>\g<0>"),
        {"xmllint": ("parser error", "error"), "vnu": ("h1|unclosed", "error")},
    ),
    Break("no title", "html", _replaced("<title>.*</title>", ""), {"vnu": ("title", "error")}),
    Break(
        "one id twice",
        "html",
        _replaced(r'(<section [^>]*id=")([^"]*)(.*?<section [^>]*id=")[^"]*', r"\1\2\3\2"),
        {"vnu": ("Duplicate ID", "error")},
    ),
)
