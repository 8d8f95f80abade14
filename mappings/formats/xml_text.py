"""XML as bytes: one lawful text or a refusal, before any XML library has seen it.

UTF-8, or UTF-16 with its byte order mark, declared truthfully or not at all; XML 1.0; no document
type, and so neither entities nor anything else that one text could pull into another
(`reliability.md` 5.11, 5.12).
"""

import re
from typing import Final

from hub.errors import Code, Fault, Malformed

UTF_32: Final = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
NAMES: Final = {
    "utf-8": ("utf-8",),
    "utf-16-le": ("utf-16", "utf-16le"),
    "utf-16-be": ("utf-16", "utf-16be"),
}

_DECLARATION: Final = re.compile(
    r"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?P<version>\"[^\"<]*\"|'[^'<]*')"
    r"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?P<encoding>\"[^\"<]*\"|'[^'<]*'))?"
    r"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:\"(?:yes|no)\"|'(?:yes|no)'))?"
    r"[ \t\r\n]*\?>"
)
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NOT_SPACE: Final = re.compile(r"[^\r\n]")
_UNLAWFUL: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def unlawful(text: str) -> int | None:
    r"""Return where *text* holds a character that XML 1.0 has no way to write; None if nowhere.

    >>> unlawful("tab\tand line\n"), unlawful("a\x0bb"), unlawful("\ufffe")
    (None, 1, 0)
    """
    found = _UNLAWFUL.search(text)
    return None if found is None else found.start()


def decoded(raw: bytes, most: int) -> str:
    """Return the text of *raw*, its XML declaration blanked out so that places keep their numbers.

    Raises `Malformed`: larger than *most* bytes, another encoding, an encoding that the bytes
    contradict, XML 1.1, a document type, instructions before the root.  Never with a value.
    """
    if len(raw) > most:
        raise _refused(Code.TOO_LARGE, f"byte {most}", f"send at most {most} bytes")
    text, encoding = _text(raw)
    text = _undeclared(text, encoding)
    at = _prolog(text)
    if text[at : at + 9].lower() == "<!doctype":
        raise _refused(Code.SYNTAX, place(text, at), "no DOCTYPE: nothing may define or include")
    if text.startswith("<?", at):
        raise _refused(Code.SYNTAX, place(text, at), "no processing instructions")
    return text


def place(text: str, at: int) -> str:
    r"""Return ``line:column`` of the character *at*, both from 1.

    >>> place("<a>\n<b/></a>", 5)
    '2:2'
    """
    return f"{text.count(chr(10), 0, at) + 1}:{at - text.rfind(chr(10), 0, at)}"


def _text(raw: bytes) -> tuple[str, str]:
    """Return the text of *raw* without its byte order mark, and the encoding that it is in."""
    if raw.startswith(UTF_32):
        raise _refused(Code.ENCODING, "1:1", "send UTF-8, not UTF-32")
    mark, encoding = next((one for one in MARKS if raw.startswith(one[0])), (b"", "utf-8"))
    if not mark and b"\x00" in raw[:4]:
        raise _refused(Code.ENCODING, "1:1", "send UTF-8, or UTF-16 with a byte order mark")
    try:
        text = raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as wrong:
        at = wrong.start + len(mark)
        raise _refused(Code.ENCODING, f"byte {at}", f"not {encoding.upper()}") from None
    if text.startswith("\ufeff"):  # libxml2 would pass over a second one too
        raise _refused(Code.SYNTAX, "1:1", "one byte order mark")
    return text, encoding


def _undeclared(text: str, encoding: str) -> str:
    """Return *text* with blanks for its declaration, which must agree with *encoding*."""
    found = _DECLARATION.match(text)
    if found is None:
        return text
    if found["version"][1:-1] != "1.0":
        raise _refused(Code.SYNTAX, "1:1", "send XML 1.0")
    said = found["encoding"]
    if said is not None and said[1:-1].lower() not in NAMES[encoding]:
        allowed = " or ".join(NAMES[encoding][:1]).upper()
        raise _refused(Code.ENCODING, "1:1", f"these bytes are {allowed}: declare that or nothing")
    return _NOT_SPACE.sub(" ", found.group()) + text[found.end() :]


def _prolog(text: str) -> int:
    """Return where the first thing stands that is neither space nor comment."""
    at = 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        end = text.find("-->", at + 4) if text.startswith("<!--", at) else -1
        if end < 0:
            return at
        at = end + 3


def _refused(code: Code, path: str, remedy: str) -> Malformed:
    return Malformed(code, "not XML as it is read here", (Fault(code, path, remedy),))
