"""What a stranger may send as CAF XML: cut short, nested, disguised, inflated, or no XML at all."""

import gzip
import json
from collections.abc import Callable, Mapping

from tests.unit.xml.hostile import SECRET, Hostile

FORMAT = "caf-xml/1"
NS = 'xmlns="urn:ecaf:caf-episode:1"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
HEAD = f"<CafMessage {NS}>"
NAME = "Episode.Subject.FamilyName"
NAME_AT = "Episode.Subject[0].FamilyName"
MIB = 1024 * 1024


def doc(inside: str, head: str = HEAD) -> Callable[[], bytes]:
    return f"{head}{inside}</CafMessage>".encode


def named(inside: str) -> Callable[[], bytes]:
    """A document with *inside* where the family name stands, on line 3."""
    return doc(
        "<Episode><EpisodeId>e1</EpisodeId>\n<Subject><SubjectId>s1</SubjectId>"
        f"<IsUnborn>false</IsUnborn>\n<FamilyName>{inside}</FamilyName></Subject></Episode>"
    )


def raw(text: str, encoding: str = "utf-8") -> Callable[[], bytes]:
    return lambda: text.encode(encoding)


def doctype(inside: str, use: str = "&x;") -> Callable[[], bytes]:
    return raw(f"<!DOCTYPE CafMessage {inside}>{HEAD}<Event>{use}</Event></CafMessage>")


LAUGHS = "".join(
    f'<!ENTITY l{n} "{("&l" + str(n - 1) + ";") * 10 if n else "lol"}">' for n in range(10)
)
NONE = '<a xmlns=""/>'
ATTRIBUTE = 'a{}=""'
SPACE = 'xmlns:n{0}="u{0}"'
TWO = '<?xml version="1.0"?>'

TABLE: Mapping[str, Hostile] = {
    # cut short, or not XML
    "nothing": Hostile(lambda: b"", "E_SYNTAX", "1:1"),
    "spaces": Hostile(lambda: b" \n\t", "E_SYNTAX", "2:2"),
    "cut in the first tag": Hostile(raw("<CafMessage"), "E_SYNTAX", "1:12"),
    "cut in an attribute": Hostile(raw('<CafMessage xmlns="urn:'), "E_SYNTAX", "1:24"),
    "cut in a text": Hostile(raw(f"{HEAD}<Event>{SECRET}"), "E_SYNTAX", "1:62"),
    "cut in a comment": Hostile(raw(f"{HEAD}<!-- {SECRET}"), "E_SYNTAX", "1:60"),
    "cut in CDATA": Hostile(raw(f"{HEAD}<Event><![CDATA[{SECRET}"), "E_SYNTAX", "1:71"),
    "cut in a reference": Hostile(raw(f"{HEAD}<Event>&#x4"), "E_SYNTAX", "1:55"),
    "JSON": Hostile(lambda: json.dumps({"name": SECRET}).encode(), "E_SYNTAX", "1:1"),
    "gzip": Hostile(lambda: gzip.compress(b"x" * MIB), "E_ENCODING", "1:1"),
    "HTML": Hostile(raw("<html><body><br></body></html>"), "E_SYNTAX", "1:24"),
    "SOAP": Hostile(
        raw('<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"/>'),
        "E_CONTENT_TYPE",
        "1:1",
    ),
    # document types and entities
    "billion laughs": Hostile(doctype(f"[{LAUGHS}]", "&l9;"), "E_SYNTAX", "1:1"),
    "one long entity often": Hostile(
        doctype(f'[<!ENTITY x "{"a" * 50_000}">]', "&x;" * 10_000), "E_SYNTAX", "1:1"
    ),
    "an entity from a file": Hostile(
        doctype('[<!ENTITY x SYSTEM "file:///etc/passwd">]'), "E_SYNTAX", "1:1"
    ),
    "an entity from the network": Hostile(
        doctype('[<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]'), "E_SYNTAX", "1:1"
    ),
    "a parameter entity": Hostile(
        doctype('[<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]', ""), "E_SYNTAX", "1:1"
    ),
    "a DTD from a file": Hostile(doctype('SYSTEM "file:///etc/passwd"', ""), "E_SYNTAX", "1:1"),
    "a public DTD": Hostile(
        doctype('PUBLIC "-//X//Y" "http://127.0.0.1:9/"', ""), "E_SYNTAX", "1:1"
    ),
    "a DTD behind a comment": Hostile(
        raw(f"<!-- <a> -->\n <!DOCTYPE CafMessage []>{HEAD}</CafMessage>"), "E_SYNTAX", "2:2"
    ),
    "a DTD in lower case": Hostile(raw(f"<!doctype x>{HEAD}</CafMessage>"), "E_SYNTAX", "1:1"),
    "a DTD in UTF-16": Hostile(
        raw(f'<!DOCTYPE x [<!ENTITY x "y">]>{HEAD}</CafMessage>', "utf-16"), "E_SYNTAX", "1:1"
    ),
    "a DTD inside": Hostile(doc("<!DOCTYPE x>"), "E_SYNTAX", "1:45"),
    "an entity that nobody declared": Hostile(named("&secret;"), "E_SYNTAX", "3:21"),
    "an entity of HTML": Hostile(named("&nbsp;"), "E_SYNTAX", "3:19"),
    "a recursive reference": Hostile(named("&#38;#38;" * 3 + "&x;"), "E_SYNTAX", "3:43"),
    # characters
    "a reference to NUL": Hostile(named("&#0;"), "E_CONTROL_CHAR", "3:17"),
    "a reference to a control": Hostile(named("&#x1F;"), "E_CONTROL_CHAR", "3:19"),
    "a reference to a surrogate": Hostile(named("&#xD800;"), "E_CONTROL_CHAR", "3:21"),
    "a reference to no character": Hostile(named("&#xFFFE;"), "E_CONTROL_CHAR", "3:21"),
    "a reference beyond all": Hostile(named("&#99999999999999999999;"), "E_CONTROL_CHAR", "3:36"),
    "NUL": Hostile(named("Ava\x00"), "E_CONTROL_CHAR", "3:16"),
    "a vertical tab": Hostile(named("Ava\x0b"), "E_CONTROL_CHAR", "3:16"),
    "an escape": Hostile(named("\x1b[31m"), "E_CONTROL_CHAR", "3:13"),
    "no character": Hostile(named("\uffff"), "E_CONTROL_CHAR", "3:13"),
    "a control that XML allows": Hostile(
        named("\x80"), "E_CONTROL_CHAR", "/episode/subjects/0/family_name"
    ),
    # encodings
    "Latin-1 bytes": Hostile(
        lambda: named("é")().decode().encode("latin-1"), "E_ENCODING", "byte 151"
    ),
    "overlong UTF-8": Hostile(
        lambda: named("@")().replace(b"@", b"\xc0\xaf"), "E_ENCODING", "byte 151"
    ),
    "surrogates in UTF-8": Hostile(
        lambda: named("@")().replace(b"@", b"\xed\xa0\x80"), "E_ENCODING", "byte 151"
    ),
    "Latin-1 declared": Hostile(
        raw(f'<?xml version="1.0" encoding="ISO-8859-1"?>{HEAD}</CafMessage>'), "E_ENCODING", "1:1"
    ),
    "UTF-7 declared": Hostile(
        raw(f'<?xml version="1.0" encoding="UTF-7"?>{HEAD}+ADw-/CafMessage>'), "E_ENCODING", "1:1"
    ),
    "UTF-16 declared, UTF-8 sent": Hostile(
        raw(f'<?xml version="1.0" encoding="UTF-16"?>{HEAD}</CafMessage>'), "E_ENCODING", "1:1"
    ),
    "UTF-8 declared, UTF-16 sent": Hostile(
        raw(f'<?xml version="1.0" encoding="UTF-8"?>{HEAD}</CafMessage>', "utf-16"),
        "E_ENCODING",
        "1:1",
    ),
    "UTF-16 without a mark": Hostile(raw(f"{HEAD}</CafMessage>", "utf-16-le"), "E_ENCODING", "1:1"),
    "UTF-16 cut in half": Hostile(
        lambda: f"{HEAD}</CafMessage>".encode("utf-16")[:-1], "E_ENCODING", "byte 112"
    ),
    "UTF-32": Hostile(raw(f"{HEAD}</CafMessage>", "utf-32"), "E_ENCODING", "1:1"),
    "EBCDIC": Hostile(raw(f"{TWO}{HEAD}</CafMessage>", "cp037"), "E_ENCODING", "byte 2"),
    "a second mark": Hostile(raw(f"\ufeff\ufeff{HEAD}</CafMessage>"), "E_SYNTAX", "1:1"),
    "XML 1.1": Hostile(raw(f'<?xml version="1.1"?>{HEAD}</CafMessage>'), "E_SYNTAX", "1:1"),
    "two declarations": Hostile(raw(f"{TWO}{TWO}{HEAD}</CafMessage>"), "E_SYNTAX", "1:22"),
    "a declaration too late": Hostile(raw(f" {TWO}{HEAD}</CafMessage>"), "E_SYNTAX", "1:2"),
    # orders to the reader
    "a style sheet": Hostile(
        raw(f'<?xml-stylesheet href="x"?>{HEAD}</CafMessage>'), "E_SYNTAX", "1:1"
    ),
    "an instruction": Hostile(doc(f"<?run {SECRET}?>"), "E_SYNTAX", "CafMessage"),
    "an instruction at the end": Hostile(raw(f"{HEAD}</CafMessage><?x?>"), "E_SYNTAX", "."),
    # too much
    "65 levels": Hostile(
        raw(HEAD + "<Extension>" * 64), "E_DEPTH", "CafMessage" + ".Extension" * 63
    ),
    "a million levels": Hostile(lambda: b"<a>" * MIB, "E_DEPTH", ".".join("?" * 64)),
    "a million elements": Hostile(
        lambda: HEAD.encode() + b"<a/>" * MIB, "E_TOO_LARGE", "CafMessage.?"
    ),
    "a hundred thousand strangers": Hostile(
        f"{HEAD}<Extension>{NONE * 99_000}</Extension></CafMessage>".encode,
        "E_UNKNOWN_FIELD",
        "Extension.?",
    ),
    "many wrong siblings": Hostile(
        f"{HEAD}{'<Event>x</Event>' * 49_000}</CafMessage>".encode,
        "E_CODELIST",
        "Event",
    ),
    "33 attributes": Hostile(
        doc("<Event " + " ".join(f'a{n}="x"' for n in range(33)) + "/>"),
        "E_TOO_LARGE",
        "CafMessage.Event",
    ),
    "a hundred thousand attributes": Hostile(
        f"<x {' '.join(map(ATTRIBUTE.format, range(100_000)))}/>".encode,
        "E_TOO_LARGE",
        "?",
    ),
    "many namespaces": Hostile(
        f"<x {' '.join(map(SPACE.format, range(50_000)))}/>".encode,
        "E_TOO_LARGE",
        "?",
    ),
    "a long namespace often": Hostile(
        (f'<x xmlns="{"u" * MIB}">' + "<a/>" * 90_000 + "</x>").encode, "E_LENGTH", "?"
    ),
    "a long name": Hostile(f"<{'x' * 300}/>".encode, "E_LENGTH", "?"),
    "a very long name": Hostile(f"<{'x' * MIB}/>".encode, "E_SYNTAX", "1:2"),
    "a long attribute": Hostile(f'<x a="{"x" * (MIB + 1)}"/>'.encode, "E_LENGTH", "?"),
    "a long text": Hostile(named("x" * (MIB + 1)), "E_LENGTH", f"CafMessage.{NAME}"),
    "a long text in pieces": Hostile(
        named("xxx<!---->" * 350_000), "E_LENGTH", f"CafMessage.{NAME}"
    ),
    "a long code": Hostile(doc(f"<Event>{'x' * 900_000}</Event>"), "E_CODELIST", "Event"),
    "a file too large": Hostile(lambda: b" " * (5 * MIB + 1), "E_TOO_LARGE", "byte 5242880"),
    "references without end": Hostile(named("&#65;" * 900_000), "E_LENGTH", NAME_AT),
    "comments without end": Hostile(lambda: b"<!---->" * 740_000, "E_SYNTAX", "1:5180001"),
    # names and meanings
    "an attribute twice": Hostile(doc('<Event a="1" a="2"/>'), "E_DUPLICATE_KEY", "1:62"),
    "an attribute twice by two prefixes": Hostile(
        doc('<Event xmlns:p="u" xmlns:q="u" p:a="1" q:a="2"/>'), "E_DUPLICATE_KEY", "1:90"
    ),
    "a prefix of nobody": Hostile(doc("<p:Event/>"), "E_SYNTAX", "1:52"),
    "the prefix xml elsewhere": Hostile(doc('<Event xmlns:xml="u"/>'), "E_SYNTAX", "1:64"),
    "a prefix of nothing": Hostile(doc('<Event xmlns:p=""/>'), "E_SYNTAX", "1:61"),
    "no namespace": Hostile(raw("<CafMessage/>"), "E_CONTENT_TYPE", "1:1"),
    "a namespace that looks alike": Hostile(
        raw('<CafMessage xmlns="urn:ecaf:caf-epis\u043ede:1"/>'), "E_SYNTAX", "1:43"
    ),
    "a namespace left half-way": Hostile(
        doc('<Episode xmlns=""><EpisodeId>e1</EpisodeId></Episode>'), "E_UNKNOWN_FIELD", "Episode"
    ),
    "another type": Hostile(
        doc(f'<Event {XSI} xsi:type="String300">{SECRET}</Event>'),
        "E_UNKNOWN_FIELD",
        "CafMessage.Event",
    ),
    "nil": Hostile(doc(f'<Event {XSI} xsi:nil="true"/>'), "E_UNKNOWN_FIELD", "CafMessage.Event"),
    # syntax
    "the end of CDATA": Hostile(named("a]]>b"), "E_SYNTAX", "3:14"),
    "CDATA in CDATA": Hostile(named("<![CDATA[<![CDATA[x]]>]]>"), "E_SYNTAX", "3:35"),
    "two roots": Hostile(raw(f"{HEAD}</CafMessage>{HEAD}</CafMessage>"), "E_SYNTAX", "1:57"),
    "text behind the root": Hostile(raw(f"{HEAD}</CafMessage>{SECRET}"), "E_SYNTAX", "1:57"),
    "ends in another order": Hostile(doc("<Event><Header></Event></Header>"), "E_SYNTAX", "1:67"),
    "no quotation marks": Hostile(raw("<CafMessage xmlns=urn:x/>"), "E_SYNTAX", "1:19"),
    "a tag in an attribute": Hostile(doc(f'<Event a="<{SECRET}>"/>'), "E_SYNTAX", "1:54"),
    "hyphens in a comment": Hostile(doc("<!-- a -- b -->"), "E_SYNTAX", "1:51"),
    "a name that is data": Hostile(doc("<AvaExample/>"), "E_UNKNOWN_FIELD", "?"),
}
