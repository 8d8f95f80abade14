"""Practitioners: what their organisation vouches for, and whether that holds today.

Source: `domain.md` 5.1.  Four dated facts a person: role, training, identity check, enhanced DBS.
The organisation holds the certificates and answers for the facts; the hub compares dates and never
learns why somebody was stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from hub.domain.codes import Standing, check
from hub.errors import Code, Fault

FACTS: Final = ("role", "training", "identity_check", "enhanced_dbs")
WARNINGS: Final = (28, 14, 3)
"""How many days before the end of a fact its organisation is warned."""

Doing = Literal["author", "receive"]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What *organisation* says of the practitioner that it calls *ref*; *record* is what it put.

    The record has the four facts, each ``{"from": day, "expires": day}`` (the role with a ``code``
    of CL-12), ``may_author`` and ``may_receive``, and ``stopped_on`` where somebody stopped early.
    """

    organisation: str
    ref: str
    record: Mapping[str, Any]
    vouched_by: str
    vouched_at: datetime

    @property
    def expires_on(self) -> date:
        """The last day on which all four facts hold, whatever else was said."""
        return min(date.fromisoformat(self.record[name]["expires"]) for name in FACTS)

    @property
    def last_day(self) -> date:
        """The last day on which the person may act at all."""
        stopped = self.record.get("stopped_on")
        ends = self.expires_on
        return min(ends, date.fromisoformat(stopped) - timedelta(days=1)) if stopped else ends

    def holds(self, on: date) -> bool:
        """Return whether all four facts cover that day, ends included, and nobody was stopped."""
        begins = max(date.fromisoformat(self.record[name]["from"]) for name in FACTS)
        return begins <= on <= self.last_day

    def eligible(self, on: date, doing: Doing) -> bool:
        """Return whether the person may author, or receive, on that day."""
        return self.record[f"may_{doing}"] is True and self.holds(on)


def ends_soon(assertion: Assertion, on: date) -> Sequence[tuple[str, int]]:
    """Return (fact, days of notice) of everything about which a warning is due by that day.

    The nearest warning only: who is told three days before needs not be told of the fourteen.
    """
    found = []
    for name in FACTS:
        left = (date.fromisoformat(assertion.record[name]["expires"]) - on).days
        due = [days for days in WARNINGS if 0 <= left <= days]
        if due:
            found.append((name, min(due)))
    return found


def faults_of(body: Any) -> list[Fault]:
    """Return everything that is wrong with what somebody put as a practitioner's facts."""
    if not isinstance(body, dict):
        return [Fault(Code.TYPE, "", "send an object")]
    known = {*FACTS, "may_author", "may_receive", "stopped_on"}
    faults = [
        Fault(Code.UNKNOWN_FIELD, "", "send facts and dates only: no certificate, no reason")
        for name in body
        if name not in known
    ]
    for name in FACTS:
        faults += _fact(name, body.get(name))
    for name in ("may_author", "may_receive"):
        if not isinstance(body.get(name), bool):
            faults.append(Fault(Code.REQUIRED, f"/{name}", "say true or false"))
    if "stopped_on" in body and _day(body["stopped_on"]) is None:
        faults.append(Fault(Code.FORMAT, "/stopped_on", "give a day like 2026-01-31"))
    return faults


def _fact(name: str, told: Any) -> list[Fault]:
    if not isinstance(told, dict):
        return [Fault(Code.REQUIRED, f"/{name}", "give from and expires")]
    known = {"from", "expires", "code"} if name == "role" else {"from", "expires"}
    faults = [
        Fault(Code.UNKNOWN_FIELD, f"/{name}", "dates only: the certificate stays with you")
        for key in told
        if key not in known
    ]
    begins, ends = _day(told.get("from")), _day(told.get("expires"))
    faults += [
        Fault(Code.FORMAT, f"/{name}/{key}", "give a day like 2026-01-31")
        for key, found in (("from", begins), ("expires", ends))
        if found is None
    ]
    if begins is not None and ends is not None and ends < begins:
        faults.append(Fault(Code.RULE, f"/{name}/expires", "must not be before from"))
    if name == "role":
        code = told.get("code")
        if not isinstance(code, str) or check("CL-12", code) is Standing.REFUSED:
            faults.append(Fault(Code.CODELIST, "/role/code", "use a code of the list", "CL-12"))
    return faults


def _day(value: Any) -> date | None:
    if not isinstance(value, str) or len(value) != len("2026-01-01"):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
