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
_PARTIAL: Final = re.compile(r"\d{4}(?:-\d\d)?")


def told_apart(period: dict[str, Any]) -> None:
    """Write the less exact end of *period* beside its place, if it is one of these."""
    start, end = period.get("start"), period.get("end")
    if type(start) is not str or type(end) is not str or len(start) == len(end):
        return
    coarse, exact = ("start", end) if len(start) < len(end) else ("end", start)
    value = period[coarse]
    if _PARTIAL.fullmatch(value) and exact.startswith(f"{value}-"):
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
