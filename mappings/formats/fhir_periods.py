"""Periods of which one end is known more exactly than the other, inside the same year or month.

R4's per-1 (``start <= end``) has no answer for 2016-05 to 2016, and HL7's validator, which most
servers use, takes no answer for no and refuses the whole Bundle; R5 mended the invariant.  So the
less exact end is written without a value, with HL7's own ``rendered-value`` beside it, and put back
when it is read.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

RENDERED: Final = "http://hl7.org/fhir/StructureDefinition/rendered-value"
_MARK: Final = RENDERED.encode()
_START: Final = b'"start":"'
_UNSURE: Final = re.compile(
    rb'"start":"(?:(\d{4}(?:-\d\d)?)","end":"\1-\d\d(?:-\d\d)?"'
    rb'|(\d{4}(?:-\d\d)?)-\d\d(?:-\d\d)?","end":"\2")'
)
"""A period as it stands in written JSON: start before end, for so mappings write them."""
_PARTIAL: Final = re.compile(r"\d{4}(?:-\d\d)?")


def unsure(body: bytes) -> bool:
    """Return whether the Bundle *body* holds such a period."""
    at = body.find(_START)  # several times as fast as the pattern is at searching for it
    while at >= 0:
        if _UNSURE.match(body, at) is not None:
            return True
        at = body.find(_START, at + len(_START))
    return False


def told_apart(document: Any) -> None:
    """Write the less exact end of every such period of *document* beside its place."""
    for period in _periods(document):
        start, end = period.get("start"), period.get("end")
        if not isinstance(start, str) or not isinstance(end, str) or len(start) == len(end):
            continue
        coarse = "start" if len(start) < len(end) else "end"
        value = period[coarse]
        if period["end" if coarse == "start" else "start"].startswith(value):
            del period[coarse]
            period[f"_{coarse}"] = {"extension": [{"url": RENDERED, "valueString": value}]}


def marked(raw: bytes) -> bool:
    """Return whether *raw* may hold an end that was written beside its place."""
    return _MARK in raw or _MARK.replace(b"/", b"\\/") in raw


def put_back(document: Any) -> None:
    """Put every such end of *document* back where it belongs."""
    for period in _periods(document):
        for name in ("start", "end"):
            beside = period.get(f"_{name}")
            if name in period or not isinstance(beside, Mapping):
                continue
            match beside:
                case {"extension": [{"url": url, "valueString": str(text)}]} if url == RENDERED:
                    if len(beside) == 1 and _PARTIAL.fullmatch(text):
                        del period[f"_{name}"]
                        period[name] = text


def _periods(document: Any) -> list[dict[str, Any]]:
    """Return every object with a bound of a period, wherever it stands."""
    found, todo = [], [document]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            if not here.keys().isdisjoint({"start", "end", "_start", "_end"}):
                found.append(here)
            todo += here.values()
        elif isinstance(here, list):
            todo += here
    return found
