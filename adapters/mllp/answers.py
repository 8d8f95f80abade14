r"""Acknowledgements as bytes: original and enhanced mode, with ERR segments that repeat no value.

Source: HL7 v2 chapter 2 (2.4 and 2.5), `standards.md` section 5, `reliability.md` P18.  An answer
holds codes, places, remedies and ids; of what was sent it says again the message's id (MSA-2) only.
The bytes depend on the arguments alone, so that the same message gets the same answer again.
"""

import hashlib
import re
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.mllp.header import Header
from hub.errors import (
    Code,
    Fault,
    HubError,
    InvalidContent,
    Malformed,
    Rejected,
    Unauthorised,
    Withheld,
)

SYSTEM: Final = "urn:ecaf:hub"
VERSIONS: Final = ("2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8")
"""Versions in which an answer is given as it was asked; anything else is answered in 2.4."""
_OLD: Final = ("2.3.1", "2.4")
_MOST: Final = 20
_TEXT: Final = 80
"""Characters of MSA-3."""
_PLACE: Final = re.compile(
    r"(?:^|[.\]])([A-Z][A-Z0-9]{2})(?:\[(\d{1,4})\])?"
    r"(?:\.(\d{1,3})(?:\[(\d{1,4})\])?(?:\.(\d{1,2}))?)?(?=$|[.\[])",
    re.ASCII,
)
_CONDITIONS: Final = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "207": "Application error",
}
"""Table 0357, as far as it is used."""
_BY_CODE: Final = {
    Code.SYNTAX: "100",
    Code.REQUIRED: "101",
    Code.TYPE: "102",
    Code.FORMAT: "102",
    Code.NUMBER: "102",
    Code.LENGTH: "102",
    Code.CONTROL_CHAR: "102",
    Code.ENCODING: "102",
    Code.CODELIST: "103",
    Code.CONTENT_TYPE: "200",
    Code.NOT_FOUND: "204",
    Code.REFERENCE: "204",
    Code.NO_RELATIONSHIP: "204",
    Code.IDEMPOTENCY: "205",
    Code.DUPLICATE: "205",
}
_REJECTS: Final = frozenset({Code.CONTENT_TYPE, Code.ENCODING, Code.ORG_NOT_ACCREDITED})
_SIGNS: Final = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a message ended: *letter* A (taken), E (its content is refused) or R (it as such is)."""

    letter: str
    code: str = ""
    detail: str = ""
    faults: Sequence[Fault] = ()


TAKEN: Final = Verdict("A")


def verdict_on(error: HubError) -> Verdict:
    """Return what an error means to the sender of a message.

    R is for what cannot be taken whatever it holds (type, version, character set, processing id,
    who sends), and for our own faults, which are nobody's content; E for everything else.
    """
    if isinstance(error, Rejected | Withheld):
        refused = isinstance(error, Unauthorised) or error.code in _REJECTS
        faults = error.faults or (Fault(error.code),)
        return Verdict("R" if refused else "E", error.code.value, error.detail, faults)
    fault = Fault(Code.INTERNAL, remedy="nothing was accepted: tell the support contact")
    return Verdict("R", Code.INTERNAL.value, "the hub failed", (fault,))


def not_live() -> Malformed:
    """Return the refusal of a message that is not for live use (MSH-11)."""
    remedy = "send P (production): training and debugging (T, D) never go into a live hub"
    fault = Fault(Code.CONTENT_TYPE, "message[0].MSH.11", remedy)
    return Malformed(Code.CONTENT_TYPE, "not a production message", (fault,))


def one_at_a_time() -> Malformed:
    """Return the refusal of a frame with several messages: one answer cannot be for all of them."""
    fault = Fault(Code.SYNTAX, "message[1].MSH", "send each message in a frame of its own")
    return Malformed(Code.SYNTAX, "more than one message in a frame", (fault,))


def no_id() -> InvalidContent:
    """Return the refusal of a message that no answer could name (MSH-10)."""
    remedy = (
        "send an id of 1 to 199 visible ASCII characters (20 before version 2.7), no separators"
    )
    fault = Fault(Code.REQUIRED, "message[0].MSH.10", remedy)
    return InvalidContent(Code.REQUIRED, "the message has no id", (fault,))


def no_message() -> Malformed:
    """Return the refusal of a frame that does not begin with MSH."""
    fault = Fault(Code.SYNTAX, "", "begin the message with MSH and its separators")
    return Malformed(Code.SYNTAX, "no HL7 v2 message", (fault,))


def wanted(header: Header, verdict: Verdict) -> Sequence[str]:
    """Return the acknowledgement codes to send, in order; none where the sender wants none.

    Original mode: one of AA, AE, AR.  Enhanced (MSH-15 or -16 set): CA, CE, CR as MSH-15 asks, AA,
    AE, AR as MSH-16 asks, and after CE or CR nothing more.  A refusal is always said, even to who
    asks for nothing (NE): a message that went wrong in silence is lost.
    """
    if not header.enhanced:
        return (f"A{verdict.letter}",)
    good = verdict.letter == "A"
    accept = _asked(header.accept, good=good)
    answer = _asked(header.answer, good=good)
    if not good:
        return (f"A{verdict.letter}",) if answer and not accept else (f"C{verdict.letter}",)
    return (*(("CA",) if accept else ()), *(("AA",) if answer else ()))


def _asked(condition: str, *, good: bool) -> bool:
    """Tell whether table 0155 asks for an answer: AL always, ER on error, SU on success."""
    return condition in {"AL", "SU" if good else "ER"}


@dataclass(frozen=True, slots=True)
class Answerer:
    """Writes the hub's acknowledgements; *hub* is its name, *processing* what MSH-11 says."""

    hub: str
    processing: str = "P"

    def answer(
        self,
        header: Header,
        code: str,
        verdict: Verdict,
        *,
        to: tuple[str, str] | None,
        at: datetime,
        seed: str,
        episode: str | None = None,
    ) -> bytes:
        """Return one acknowledgement with the code *code*.

        *to* are the sender's application and facility as its profile spells them, ``None`` for who
        is not known; *at* is when the message was taken, *seed* what the answer's id is made of.
        With *episode* a referral is answered by RRI^I12 that names it, not by ACK.
        """
        version = header.version if header.version in VERSIONS else "2.4"
        digest = hashlib.sha256(f"{self.hub}/{seed}/{code}/{verdict.code}".encode()).digest()
        control_id = b32encode(digest).decode()[:20]
        moment = at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
        application, facility = map(escaped, to or ("", ""))
        names = f"{SYSTEM}|{escaped(self.hub)}|{application}|{facility}"
        kind = _kind(header, episode)
        lines = [
            f"MSH|^~\\&|{names}|{moment}||{kind}|{control_id}|{self.processing}|{version}",
            f"MSA|{code}|{header.control_id}{_text(verdict)}",
        ]
        if verdict.faults:
            lines += _errors(verdict.faults[:_MOST], version)
        if episode is not None:
            lines += [
                f"PRD|RT^^HL70286||||||{escaped(self.hub)}",
                f"PID|1||{escaped(episode)}^^^CAFHUB^VN||^^^^^^U",
            ]
        return "".join(f"{line}\r" for line in lines).encode("ascii", "replace")


def _kind(header: Header, episode: str | None) -> str:
    if episode is not None:
        return "RRI^I12^RRI_I12"
    return f"ACK^{header.event}^ACK" if header.event else "ACK"


def _text(verdict: Verdict) -> str:
    if not verdict.code:
        return ""
    said = f"{verdict.code}: {verdict.detail}" if verdict.detail else verdict.code
    return "|" + escaped(said[:_TEXT])


def _errors(faults: Sequence[Fault], version: str) -> list[str]:
    """Return ERR: up to 2.4 one segment that repeats (ELD), from 2.5 on one for each fault."""
    if version in _OLD:
        return ["ERR|" + "~".join(map(_old, faults))]
    return [_new(fault) for fault in faults]


def _old(fault: Fault) -> str:
    """Return an ELD: segment, sequence, field, and the code with ours as the alternative."""
    segment, sequence, field, *_ = _place(fault.path)
    number = _condition(fault)
    said = [number, _CONDITIONS[number], "HL70357", fault.code.value, _said(fault), "ECAF"]
    return "^".join([segment, sequence, field, "&".join(map(escaped, said))])


def _new(fault: Fault) -> str:
    """Return an ERR of 2.5: location, condition, severity, our code, and what to do."""
    location = "^".join(_place(fault.path)).rstrip("^")
    number = _condition(fault)
    return (
        f"ERR||{location}|{number}^{_CONDITIONS[number]}^HL70357|E|"
        f"{fault.code.value}^^ECAF|||{escaped(_said(fault))}"
    )


def _said(fault: Fault) -> str:
    """Return remedy and, where segment and field do not say it, the place."""
    place = "" if not fault.path or _PLACE.search(fault.path) else f" at {fault.path}"
    allowed = f" ({', '.join(fault.allowed)})" if fault.allowed else ""
    listed = f" of {fault.code_list}" if fault.code_list else ""
    return f"{fault.remedy}{listed}{allowed}{place}".strip()[:250]


def _condition(fault: Fault) -> str:
    if fault.code is Code.CONTENT_TYPE:
        return {"MSH.11": "202", "MSH.12": "203"}.get(fault.path[-6:], "200")
    return _BY_CODE.get(fault.code, "207")


def _place(path: str) -> tuple[str, str, str, str, str]:
    """Return segment, its number, field, repetition and component that a fault's path names.

    >>> _place("message[0].PID.5[1].2"), _place("/episode/subjects/0")[0]
    (('PID', '', '5', '2', '2'), '')
    """
    found = _PLACE.search(path)
    if found is None:
        return "", "", "", "", ""
    segment, sequence, field, repetition, component = found.groups()
    return (
        segment,
        "" if sequence is None else str(int(sequence) + 1),
        field or "",
        "" if repetition is None else str(int(repetition) + 1),
        component or "",
    )


def escaped(text: str) -> str:
    r"""Return *text* between standard separators; what is not printable ASCII becomes a blank.

    >>> print(escaped("a|b & c"))
    a\F\b \T\ c
    """
    return "".join(_SIGNS.get(c, c) if " " <= c <= "~" else " " for c in text)
