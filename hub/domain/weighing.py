"""How one family's decisions are weighed for one service and purpose: cell by cell.

Rules 1-4 of `hub.domain.consent`, for one person: the first decision that is heard about a cell
decides it, and within one decision an exclusion beats an inclusion.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from hub.domain.cells import LISTED, NOT_NAMED, Ask, Cell, Layer
from hub.domain.decision import ALL, PURPOSES, SHAREABLE, Reading, moment
from hub.domain.scope_items import item_doubt, meant
from hub.errors import Code

# `domain.md` S4: sharing withdrawn while storing stands is "not in scope", not "nobody asked".
_REFUSED_REASON: Final = {"REFUSED": Code.CONSENT_NONE, "EXPIRED": Code.CONSENT_EXPIRED}


def weigh(readings: Iterable[Reading], ask: Ask, closed_at: datetime | None) -> tuple[Layer, Layer]:
    """Weigh what is said about one service and purpose: its ordinary and its sensitive cells."""
    plain, sensitive = Layer(), Layer()
    for reading in readings:
        if reading.refuses_all(ask.purpose):
            plain.say_all(_refusal(reading))  # and nothing sensitive without the section
            break
        if reading.excludes:
            exclude(reading, ask, plain, sensitive)
        if reading.includes:
            _include(reading, ask, closed_at, plain, sensitive)
        if plain.rest is not None and sensitive.rest is not None:
            break
    return plain, sensitive


def _refusal(reading: Reading) -> Cell:
    reason = _REFUSED_REASON.get(reading.state, Code.CONSENT_SCOPE)
    # Who agreed to storing alone excluded nothing: a later widening lists as a first sharing would.
    excluded = reading.state != "STORE_ONLY"
    return Cell(False, reading.decision_id, reason, excluded=excluded)


def exclude(reading: Reading, ask: Ask, plain: Layer, sensitive: Layer) -> None:
    refused = _refusal(reading)
    for item in reading.excludes:
        service = item.get("service")
        if service != ask.service and isinstance(service, str):
            continue
        purpose = item.get("purpose")
        if isinstance(purpose, str) and purpose != ask.purpose and purpose in PURPOSES:
            continue
        begins = moment(item.get("from"))
        if begins is not None and ask.at < begins:
            continue
        section = item.get("section")
        fine_only = item.get("sensitive") is True
        # A section that we cannot read is read as all of them: this is a "no".
        if reading.whole_services or not isinstance(section, str) or section not in SHAREABLE:
            if not fine_only or reading.whole_services:
                plain.say_all(refused)
            sensitive.say_all(refused)
        else:
            if not fine_only:
                plain.say(section, refused)
            sensitive.say(section, refused)


def _include(
    reading: Reading, ask: Ask, closed_at: datetime | None, plain: Layer, sensitive: Layer
) -> None:
    named: dict[str, Cell] = {}
    fine: dict[str, Cell] = {}
    doubt = _doubt(reading, ask, closed_at)
    answers: dict[tuple[Code | None, bool], Cell] = {}
    listed = False
    for item in reading.includes:
        if item.get("service") != ask.service:
            continue
        # A narrowing that lists a service says all that it may still see, for whatever purpose.
        listed = listed or reading.narrows
        if not meant(item, ask):
            continue
        listed = True
        reason = doubt or item_doubt(item, ask)
        key = reason, item.get("action") == "contribute" and reason is None
        cell = answers.get(key)
        if cell is None:
            cell = answers[key] = Cell(reason is None, reading.decision_id, reason, key[1])
            _name(named, LISTED, cell)
        section = item.get("section")
        if isinstance(section, str):
            _name(named, section, cell)
            if item.get("sensitive") is True:
                _name(fine, section, cell)
    _tell(plain, named)
    _tell(sensitive, fine)
    if listed and reading.restates:
        if plain.rest is None:
            plain.rest = Cell(False, reading.decision_id, Code.CONSENT_SCOPE)
        sensitive.say_all(NOT_NAMED)


def _name(named: dict[str, Cell], section: str, cell: Cell) -> None:
    """Keep the best that one decision's items say of a section."""
    known = named.get(section)
    if known is None or cell.permitted > known.permitted or cell.contribute:
        named[section] = cell


def _tell(layer: Layer, named: dict[str, Cell]) -> None:
    """Say what one decision's items say; a permitted "all" goes before all that is named."""
    every = named.pop(ALL, None)
    if every is None or not every.permitted:
        for section, cell in named.items():
            layer.say(section, cell)
    if every is not None:
        layer.say_all(every)


def _doubt(reading: Reading, ask: Ask, closed_at: datetime | None) -> Code | None:
    """Return why nothing that this decision includes is permitted, or ``None``."""
    if not reading.gives or reading.superseded or reading.held:
        return Code.CONSENT_SCOPE
    if ask.purpose not in reading.purposes:
        return Code.CONSENT_SCOPE
    if ask.at >= reading.ends or (closed_at is not None and ask.at > closed_at):
        return Code.CONSENT_EXPIRED
    return None
