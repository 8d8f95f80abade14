"""What a receiver's acknowledgement says, and when it says nothing that can be believed.

Source: `reliability.md` P9 ("delivered" means that the receiver said so: MSA-1 AA or CA whose MSA-2
equals our MSH-10) and 5.5 (AE, CE for good; AR, CR may pass; everything else: nobody knows).
"""

from collections.abc import Iterator, Sequence
from typing import Final

from adapters.mllp.header import messages_in, read_header, segments
from hub.errors import Code, Unavailable

CODES: Final = ("AA", "AE", "AR", "CA", "CE", "CR")
_KINDS: Final = ("ACK", "RRI")
"""Messages that acknowledge: the general one, and the answer to a referral."""
_HARMLESS: Final = ("", "0")
_REMARKS: Final = ("I", "W")
"""Severities of ERR-4 that are no errors."""


def heard(frames: Sequence[bytes], control_id: str) -> str:
    """Return the acknowledgement code that *frames* agree on for the message *control_id*.

    A commit (CA) before an acceptance (AA) is one yes.  Raises `Unavailable`
    (``E_OUTCOME_UNKNOWN``) where a frame is no acknowledgement of this message, or they contradict
    themselves or each other.
    """
    codes = [_code(frame, control_id) for frame in frames]
    if len({code[1] for code in codes}) != 1:
        raise unknown("the receiver said yes and no")
    return codes[-1]


def unknown(detail: str) -> Unavailable:
    """Return what is said where nobody knows whether a message was taken."""
    return Unavailable(Code.OUTCOME_UNKNOWN, detail)


def _code(raw: bytes, control_id: str) -> str:
    header = read_header(raw)
    if not header.seen or header.kind not in _KINDS or messages_in(raw) != 1:
        raise unknown("the receiver answered with something that is no acknowledgement")
    if header.processing not in ("", "P"):
        raise unknown("a system that is not live answered")
    found = [fields for name, fields in segments(raw) if name == "MSA"]
    if len(found) != 1 or len(found[0]) < 3:
        raise unknown("the acknowledgement has no one MSA")
    code, about = found[0][1], found[0][2]
    if about != control_id:
        raise unknown("the acknowledgement is for another message")
    if code not in CODES:
        raise unknown("the acknowledgement has no known code")
    if code.endswith("A") and any(_errors(raw, header.component)):
        raise unknown("the acknowledgement says yes and reports an error")
    return code


def _errors(raw: bytes, component: str) -> Iterator[bool]:
    """Yield for each ERR whether it reports an error: by its severity, else by its code (ERR-3, or
    ERR-1 up to 2.4).
    """
    for name, fields in segments(raw):
        if name != "ERR":
            continue
        severity = fields[4] if len(fields) > 4 else ""
        new = fields[3].split(component)[0] if len(fields) > 3 else ""
        old = fields[1].split(component) if len(fields) > 1 else []
        said = new or (old[3] if len(old) > 3 else "")
        number = said.replace("&", component).split(component)[0]
        yield severity not in _REMARKS and (bool(severity) or number not in _HARMLESS)
