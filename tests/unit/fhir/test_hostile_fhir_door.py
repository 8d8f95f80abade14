"""Hostile and wrong FHIR at the door: each a coded OperationOutcome, none of them taken.

A row is what is sent and what must be told: the status (200 with an acknowledgement for what has
its two ids), and one of the hub's codes with the place where it lies.
"""

import copy
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pytest

from tests.unit.fhir.door import Door, codes, fhir_door, issues, opened

CANARY: Final = "Zq7-Kestrel"
Tree = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One wrong message."""

    name: str
    raw: bytes
    status: int
    code: str
    place: str | None = None
    kind: str = "application/fhir+json"


def good() -> Tree:
    """Return a sound message as a tree."""
    tree: Tree = orjson.loads(opened())
    return tree


GOOD: Final = good()
PATIENT: Final = next(
    n for n, e in enumerate(GOOD["entry"]) if e["resource"]["resourceType"] == "Patient"
)
TEAM: Final = next(
    n for n, e in enumerate(GOOD["entry"]) if e["resource"]["resourceType"] == "CareTeam"
)
AT: Final = f"Bundle.entry[{PATIENT}].resource"


def bytes_of(
    name: str, raw: bytes, status: int, code: str, place: str | None = None, **more: str
) -> Row:
    return Row(name, raw, status, code, place, **more)


def spoilt(
    name: str,
    change: Callable[[Tree], Any],
    code: str,
    place: str | None = None,
    status: int = 200,
) -> Row:
    """Return a sound message after *change* was at it."""
    tree = copy.deepcopy(GOOD)
    change(tree)
    return Row(name, orjson.dumps(tree), status, code, place)


def patient(**members: Any) -> Callable[[Tree], Any]:
    return lambda tree: tree["entry"][PATIENT]["resource"].update(members)


def header(**members: Any) -> Callable[[Tree], Any]:
    return lambda tree: tree["entry"][0]["resource"].update(members)


def top(**members: Any) -> Callable[[Tree], Any]:
    return lambda tree: tree.update(members)


def nested(depth: int) -> bytes:
    inner = b'{"extension":[' * depth + b"{}" + b"]}" * depth
    return b'{"resourceType":"Bundle","id":"b","type":"message","entry":[%s]}' % inner


TEXT: Final = orjson.dumps(GOOD)
UNREADABLE: Final = [
    bytes_of("nothing but white space", b"   ", 400, "E_SYNTAX"),
    bytes_of("no JSON", b"<Bundle xmlns='http://hl7.org/fhir'/>", 400, "E_SYNTAX"),
    bytes_of("half a message", TEXT[: len(TEXT) // 2], 400, "E_SYNTAX"),
    bytes_of("two messages", TEXT + TEXT, 400, "E_SYNTAX"),
    bytes_of("a list", b"[" + TEXT + b"]", 400, "E_TYPE"),
    bytes_of("null", b"null", 400, "E_TYPE"),
    bytes_of("a byte order mark", b"\xef\xbb\xbf" + TEXT, 400, "E_ENCODING"),
    bytes_of("UTF-16", TEXT.decode().encode("utf-16"), 400, "E_ENCODING"),
    bytes_of("Latin-1", TEXT.replace(b"Example", b"Ex\xe4mple", 1), 400, "E_ENCODING"),
    bytes_of("a lone surrogate", TEXT.replace(b"Example", b"\\ud800", 1), 400, "E_CONTROL_CHAR"),
    bytes_of("NUL", TEXT.replace(b"Example", b"a\\u0000b", 1), 400, "E_CONTROL_CHAR"),
    bytes_of("an escape character", TEXT.replace(b"Example", b"\\u001b[2J", 1), 400,
             "E_CONTROL_CHAR"),
    bytes_of("a key twice",
             TEXT.replace(b'"type":"message"', b'"type":"message","type":"batch"', 1),
             400, "E_DUPLICATE_KEY"),
    bytes_of("a key twice, escaped",
             TEXT.replace(b'"type":"message"', b'"type":"message","typ\\u0065":"batch"', 1),
             400, "E_DUPLICATE_KEY"),
    bytes_of("NaN", TEXT.replace(b'"message"', b"NaN", 1), 400, "E_NUMBER"),
    bytes_of("a number of a thousand digits", b'{"resourceType":"Bundle","total":' + b"9" * 1000
             + b"}", 400, "E_NUMBER"),
    bytes_of("depth of five thousand", nested(5_000), 400, "E_DEPTH"),
    bytes_of("a million brackets", b"[" * 1_000_000, 400, "E_DEPTH"),
    bytes_of("six megabytes", b'{"a":"' + b"x" * 6_000_000 + b'"}', 413, "E_TOO_LARGE"),
    bytes_of("a string of two megabytes", b'{"a":"' + b"x" * 2_000_000 + b'"}', 400, "E_LENGTH"),
    bytes_of("a hundred thousand keys",
             b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}", 413, "E_TOO_LARGE"),
    bytes_of("FHIR as XML", TEXT, 415, "E_CONTENT_TYPE", "http.content-type",
             kind="application/fhir+xml"),
    bytes_of("plain JSON by name", TEXT, 415, "E_CONTENT_TYPE", "http.content-type",
             kind="application/json"),
    bytes_of("another character set", TEXT, 415, "E_CONTENT_TYPE", "http.content-type",
             kind="application/fhir+json; charset=latin-1"),
]  # fmt: skip
NO_MESSAGE: Final = [
    spoilt("a batch", top(type="batch"), "E_CODELIST", "Bundle.type", 422),
    spoilt("a Patient", top(resourceType="Patient"), "E_TYPE", "Bundle.resourceType", 422),
    spoilt("type is a list", top(type=["message"]), "E_CODELIST", "Bundle.type", 422),
    spoilt("no entries", top(entry=[]), "E_REQUIRED", "Bundle.entry[0].resource", 422),
    spoilt("entries that are none", top(entry="x"), "E_REQUIRED", "Bundle.entry[0].resource", 422),
    spoilt("no header first", lambda t: t["entry"].reverse(), "E_REQUIRED",
           "Bundle.entry[0].resource", 422),
    spoilt("no Bundle.id", lambda t: t.pop("id"), "E_REQUIRED", "Bundle.id", 422),
    spoilt("no MessageHeader.id", lambda t: t["entry"][0]["resource"].pop("id"), "E_REQUIRED",
           "Bundle.entry[0].resource.id", 422),
    spoilt("an id of 65 characters", top(id="a" * 65), "E_FORMAT", "Bundle.id", 422),
    spoilt("an id that is a path", top(id="../../etc/passwd"), "E_FORMAT", "Bundle.id", 422),
    spoilt("an id with a line end", header(id="m-1\r\nX: y"), "E_FORMAT",
           "Bundle.entry[0].resource.id", 422),
    spoilt("an id in other digits", header(id="m-٣"), "E_FORMAT",
           "Bundle.entry[0].resource.id", 422),
    spoilt("an id that is a number", header(id=7), "E_FORMAT", "Bundle.entry[0].resource.id", 422),
    spoilt("a response that is text", header(response="ok"), "E_TYPE",
           "Bundle.entry[0].resource.response", 422),
]  # fmt: skip
REFUSED: Final = [
    spoilt("an unknown member", patient(favourite=CANARY), "E_UNKNOWN_FIELD", AT),
    spoilt("an unknown member of the Bundle", top(favourite=CANARY), "E_UNKNOWN_FIELD"),
    spoilt("a wrong code", patient(gender=CANARY), "E_CODELIST", f"{AT}.gender"),
    spoilt("a code of another type", patient(gender=True), "E_CODELIST", f"{AT}.gender"),
    spoilt("a date as people write it", patient(birthDate="14/05/2016"), "E_FORMAT",
           f"{AT}.birthDate"),
    spoilt("the 30th of February", patient(birthDate="2016-02-30"), "E_FORMAT"),
    spoilt("a date to come", patient(birthDate="2999-01-01"), "E_FORMAT"),
    spoilt("a resource that is none", lambda t: t["entry"][PATIENT].update(resource="x"),
           "E_REQUIRED", AT),
    spoilt("a type that is none", patient(resourceType="Canary"), "E_RULE", f"{AT}.resourceType"),
    spoilt("a type that the hub does not read", lambda t: t["entry"].append(
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Binary", "contentType": "a/b"}}),
        "E_RULE"),
    spoilt("a request in an entry",
           lambda t: t["entry"][PATIENT].update(request={"method": "DELETE", "url": "Patient"}),
           "E_UNKNOWN_FIELD", f"Bundle.entry[{PATIENT}].request"),
    spoilt("no fullUrl", lambda t: t["entry"][PATIENT].pop("fullUrl"), "E_REQUIRED",
           f"Bundle.entry[{PATIENT}].fullUrl"),
    spoilt("a reference to nowhere",
           lambda t: t["entry"][TEAM]["resource"]["subject"].update(
               reference="urn:uuid:00000000-0000-4000-8000-00000000dead"), "E_REFERENCE"),
    spoilt("a reference to the wrong type",
           lambda t: t["entry"][TEAM]["resource"]["subject"].update(
               reference=t["entry"][TEAM]["fullUrl"]), "E_REFERENCE"),
    spoilt("a reference over the network",
           lambda t: t["entry"][TEAM]["resource"]["subject"].update(
               reference="http://169.254.169.254/latest/meta-data"), "E_REFERENCE"),
    spoilt("an empty object", patient(telecom=[{}]), "E_LENGTH"),
    spoilt("a script in the narrative",
           patient(text={"status": "generated", "div": "<div><script>alert(1)</script></div>"}),
           "E_FORMAT"),
    spoilt("an entity in the narrative",
           patient(text={"status": "generated",
                         "div": '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><div>&e;</div>'}),
           "E_FORMAT"),
    spoilt("a modifier that changes what is said",
           patient(modifierExtension=[{"url": "https://x.example/not", "valueBoolean": True}]),
           "E_RULE"),
    spoilt("two NHS numbers", lambda t: t["entry"][PATIENT]["resource"]["identifier"].extend(
        [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000026"}] * 2), "E_RULE"),
    spoilt("an NHS number that is none",
           patient(identifier=[{"system": "https://fhir.nhs.uk/Id/nhs-number",
                                "value": "9990000019"}]), "E_IDENTIFIER_CHECK"),
    spoilt("a header without an event", lambda t: t["entry"][0]["resource"].pop("eventCoding"),
           "E_RULE"),
]  # fmt: skip
ROWS: Final = [*UNREADABLE, *NO_MESSAGE, *REFUSED]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """A door whose family has agreed that the episode is kept."""
    async with fhir_door() as one:
        await one.world.decide("SCH-A", one.world.store_only())
        yield one


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_wrong_fhir_is_refused(door: Door, row: Row) -> None:
    """A coded OperationOutcome with the place, within two seconds; nothing is kept or echoed."""
    began = time.process_time()
    answer = await door.say(row.raw, **{"content-type": row.kind})
    spent = time.process_time() - began

    assert answer.status_code == row.status, answer.text
    assert answer.headers["content-type"] == "application/fhir+json"
    assert row.code in codes(answer), answer.text
    if row.status == 200:
        told = answer.json()["entry"][0]["resource"]["response"]
        assert (told["code"], told["identifier"]) == ("fatal-error", "m-1")
    if row.place is not None:
        places = [place for one in issues(answer) for place in one.get("expression", ())]
        assert any(place.startswith(row.place) for place in places), places
    assert CANARY not in answer.text
    assert spent < 2.0
    tables = door.world.store._tables
    assert not tables.versions
    assert all(entry.raw is None or entry.key.startswith("k") for entry in tables.inbox.values())


def test_the_table_is_long_enough() -> None:
    """At least forty ways to be wrong, no two of one name."""
    assert len({row.name for row in ROWS}) == len(ROWS) >= 40


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (header(eventCoding={"system": "urn:x", "code": CANARY}), "entry[0].resource.eventCoding"),
        (patient(multipleBirthInteger=2), f"entry[{PATIENT}].resource.multipleBirthInteger"),
        (patient(photo=[{"url": "http://169.254.169.254/"}]), f"entry[{PATIENT}].resource.photo"),
        (
            lambda tree: (
                tree["entry"][PATIENT]["resource"]
                .setdefault("extension", [])
                .append({"url": f"urn:{CANARY}", "valueString": CANARY})
            ),
            f"entry[{PATIENT}].resource.extension",
        ),
    ],
)
async def test_what_nothing_reads_is_named(
    door: Door, change: Callable[[Tree], Any], place: str
) -> None:
    """Sound FHIR that no mapping reads is taken without it, and the sender is told where it was."""
    tree = good()
    change(tree)

    answer = await door.say(orjson.dumps(tree))

    assert answer.json()["entry"][0]["resource"]["response"]["code"] == "ok"
    told = [one for one in issues(answer) if one["severity"] == "warning"]
    assert any(one["expression"][0].startswith(f"Bundle.{place}") for one in told), told
    assert set(codes(answer)) == {"E_UNKNOWN_FIELD"}
    assert CANARY not in answer.text


async def test_a_swarm_of_patients_takes_no_time(door: Door) -> None:
    """A thousand empty Patients and two thousand names are read or refused, within two seconds."""
    tree = good()
    tree["entry"] += [
        {"fullUrl": f"urn:uuid:p{n}", "resource": {"resourceType": "Patient"}} for n in range(1_000)
    ]
    tree["entry"][PATIENT]["resource"]["name"] = [{"family": "Example", "use": "official"}] * 2_000
    began = time.process_time()

    answer = await door.say(orjson.dumps(tree))

    assert answer.status_code == 200
    assert time.process_time() - began < 2.0
    assert len(issues(answer)) <= 101
