"""Deliberately broken documents: an oracle's verdict counts only if it rejects these.

Each break is made anew, from a golden document that is whole, in every run.  A break that cannot be
made (nothing to break is there any more) fails the run, as does one that the oracle does not see.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.conformance.accepting import Finding
from tests.conformance.artefacts import BASE
from tests.conformance.documents import Document

Tree = dict[str, Any]


class CannotBreak(Exception):
    """What was to be broken is not in the golden document."""


@dataclass(frozen=True, slots=True)
class Break:
    """One way to break a document of *kind*, and what each oracle must then say.

    *seen* holds, by oracle, a regular expression for the code and message of the finding, and the
    least severity that it must have.
    """

    name: str
    kind: str
    make: Callable[[bytes], bytes]
    seen: dict[str, tuple[str, str]]


SEVERITIES: Final = ("information", "warning", "error", "fatal")


def broken(breaks: Sequence[Break], whole: Sequence[Document], folder: Path) -> list[Document]:
    """Write each break of the first whole document of its kind that can be broken so."""
    made = []
    for one in breaks:
        raw = _made(one, [document for document in whole if document.kind == one.kind])
        file = folder / f"broken-{one.kind}-{re.sub('[^a-z0-9]+', '-', one.name)}"
        file.write_bytes(raw)
        made.append(Document(f"broken/{one.kind}/{one.name}", one.kind, file))
    return made


def _made(one: Break, whole: Sequence[Document]) -> bytes:
    for document in whole:
        raw = document.file.read_bytes()
        try:
            after = one.make(raw)
        except CannotBreak:
            continue
        if after != raw:
            return after
    raise CannotBreak(f"no golden document of {one.kind} can be broken by: {one.name}")


def unseen(one: Break, oracle: str, findings: Sequence[Finding]) -> bool:
    """Return whether *oracle* said nothing of the break that it must see."""
    pattern, least = one.seen[oracle]
    bad = SEVERITIES[SEVERITIES.index(least) :]
    return not any(
        finding.severity in bad and re.search(pattern, f"{finding.code} {finding.message}")
        for finding in findings
    )


# FHIR


def _fhir(edit: Callable[[Tree], None]) -> Callable[[bytes], bytes]:
    def make(raw: bytes) -> bytes:
        bundle = json.loads(raw)
        edit(bundle)
        return json.dumps(bundle).encode()

    return make


def _resource(bundle: Tree, kind: str, *, holding: str = "resourceType") -> Tree:
    for entry in bundle["entry"]:
        resource: Tree = entry["resource"]
        if resource["resourceType"] == kind and holding in resource:
            return resource
    raise CannotBreak(kind)


def _address(bundle: Tree, kind: str) -> str:
    resource = _resource(bundle, kind)
    found: str = next(e["fullUrl"] for e in bundle["entry"] if e["resource"] is resource)
    return found


def _gender(bundle: Tree) -> None:
    _resource(bundle, "Patient", holding="gender")["gender"] = "girl"


def _no_status(bundle: Tree) -> None:
    del _resource(bundle, "Task", holding="status")["status"]


def _not_a_patient(bundle: Tree) -> None:
    episode = _resource(bundle, "EpisodeOfCare", holding="patient")
    episode["patient"] = {"reference": _address(bundle, "Organization")}


def _into_the_void(bundle: Tree) -> None:
    episode = _resource(bundle, "EpisodeOfCare", holding="patient")
    episode["patient"] = {"reference": "urn:uuid:00000000-0000-4000-8000-000000000000"}


def _reference_and_detail(bundle: Tree) -> None:
    activity = _resource(bundle, "CarePlan", holding="activity")["activity"][0]
    activity["reference"] = {"reference": _address(bundle, "Task")}
    activity["detail"] = {"status": "scheduled"}


def _headless(bundle: Tree) -> None:
    bundle["entry"].append(bundle["entry"].pop(0))


def _nested_twice(bundle: Tree) -> None:
    response = _resource(bundle, "QuestionnaireResponse", holding="item")
    item = {"linkId": "x", "text": "x"}
    response["item"][0]["item"] = [item]
    response["item"][0]["answer"] = [{"valueString": "x", "item": [item]}]


def _unknown_element(bundle: Tree) -> None:
    _resource(bundle, "Patient")["favouriteColour"] = "red"


def _british_date(bundle: Tree) -> None:
    _resource(bundle, "Patient", holding="birthDate")["birthDate"] = "01/03/2015"


def _script(bundle: Tree) -> None:
    div = '<div xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></div>'
    _resource(bundle, "Patient")["text"] = {"status": "generated", "div": div}


def _empty_object(bundle: Tree) -> None:
    _resource(bundle, "Patient")["telecom"] = [{}]


def _not_on_the_form(bundle: Tree) -> None:
    response = _resource(bundle, "QuestionnaireResponse", holding="item")
    response["item"].append({"linkId": "not-on-the-form", "text": "x"})


def _extension(**value: str) -> Callable[[Tree], None]:
    def edit(bundle: Tree) -> None:
        episode = _resource(bundle, "EpisodeOfCare")
        for one in episode.get("extension", ()):
            if "valueCode" in one:
                del one["valueCode"]
                one.update(value)
                return
        raise CannotBreak("EpisodeOfCare.extension.valueCode")

    return edit


def _no_such_extension(bundle: Tree) -> None:
    url = f"{BASE}/StructureDefinition/no-such-thing"
    _resource(bundle, "Patient")["extension"] = [{"url": url, "valueString": "x"}]


def _no_such_code(bundle: Tree) -> None:
    coding = _resource(bundle, "EpisodeOfCare", holding="type")["type"][0]["coding"][0]
    coding["code"] = "NO-SUCH-CODE"


def _twice_the_same_address(bundle: Tree) -> None:
    bundle["entry"].append(bundle["entry"][-1])


FHIR: Final = (
    Break(
        "wrong required code",
        "fhir-r4",
        _fhir(_gender),
        {"hapi-fhir": ("girl.*value set|value set.*girl", "error")},
    ),
    Break(
        "missing required element",
        "fhir-r4",
        _fhir(_no_status),
        {
            "hapi-fhir": (r"Task\.status: minimum required = 1", "error"),
            "medplum": ("Missing required property", "error"),
        },
    ),
    Break(
        "wrong reference target",
        "fhir-r4",
        _fhir(_not_a_patient),
        {"hapi-fhir": ("Invalid Resource target type.*Organization", "error")},
    ),
    Break(
        "reference into the void",
        "fhir-r4",
        _fhir(_into_the_void),
        {"hapi-fhir": ("Unable to resolve resource", "error")},
    ),
    Break(
        "broken invariant cpl-3",
        "fhir-r4",
        _fhir(_reference_and_detail),
        {"hapi-fhir": ("cpl-3", "error"), "medplum": ("cpl-3", "error")},
    ),
    Break(
        "message without header",
        "fhir-r4",
        _fhir(_headless),
        {"hapi-fhir": ("bdl-12|MessageHeader", "error"), "medplum": ("bdl-12", "error")},
    ),
    Break(
        "broken invariant qrs-1",
        "fhir-r4",
        _fhir(_nested_twice),
        {"hapi-fhir": ("qrs-1", "error"), "medplum": ("qrs-1", "error")},
    ),
    Break(
        "unknown element",
        "fhir-r4",
        _fhir(_unknown_element),
        {
            "hapi-fhir": ("favouriteColour", "error"),
            "medplum": ("additional property", "error"),
        },
    ),
    Break(
        "British date",
        "fhir-r4",
        _fhir(_british_date),
        {"hapi-fhir": ("01/03/2015", "error"), "medplum": ("Invalid date", "error")},
    ),
    Break(
        "script in the narrative",
        "fhir-r4",
        _fhir(_script),
        {"hapi-fhir": ("script", "error")},
    ),
    Break(
        "empty object",
        "fhir-r4",
        _fhir(_empty_object),
        {"hapi-fhir": ("must have some content", "error"), "medplum": ("ele-1|empty", "error")},
    ),
    Break(
        "item that is not on the form",
        "fhir-r4",
        _fhir(_not_on_the_form),
        {"hapi-fhir": ("not-on-the-form", "error")},
    ),
    Break(
        "extension with a value of another type",
        "fhir-r4",
        _fhir(_extension(valueString="x")),
        {"hapi-fhir": (r"allows for the types \[code\] but found type string", "error")},
    ),
    Break(
        "code of ours that is not in the list of an extension",
        "fhir-r4",
        _fhir(_extension(valueCode="NO-SUCH-CODE")),
        {"hapi-fhir": ("NO-SUCH-CODE", "error")},
    ),
    Break(
        "extension of ours that is not published",
        "fhir-r4",
        _fhir(_no_such_extension),
        {"hapi-fhir": ("no-such-thing", "error")},
    ),
    Break(
        "code that our own list does not have",
        "fhir-r4",
        _fhir(_no_such_code),
        {"hapi-fhir": ("NO-SUCH-CODE", "error")},
    ),
    Break(
        "one address twice",
        "fhir-r4",
        _fhir(_twice_the_same_address),
        {"hapi-fhir": ("bdl-7|fullUrl", "error"), "medplum": ("bdl-7", "error")},
    ),
)


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


# HL7 v2


def _v2(edit: Callable[[list[str]], list[str]]) -> Callable[[bytes], bytes]:
    """Break a message by its segments."""

    def make(raw: bytes) -> bytes:
        segments = [segment for segment in raw.decode().split("\r") if segment]
        return ("\r".join(edit(segments)) + "\r").encode()

    return make


def _segment(segments: Sequence[str], name: str) -> int:
    for number, segment in enumerate(segments):
        if segment.startswith(f"{name}|"):
            return number
    raise CannotBreak(name)


def _moved(segments: list[str]) -> list[str]:
    patient = segments.pop(_segment(segments, "PID"))
    return [*segments, patient]


def _without_patient(segments: list[str]) -> list[str]:
    del segments[_segment(segments, "PID")]
    return segments


def _field(name: str, number: int, value: str) -> Callable[[bytes], bytes]:
    """Write *value* in the field *number* of the first segment *name*."""

    def edit(segments: list[str]) -> list[str]:
        place = _segment(segments, name)
        fields = segments[place].split("|")
        fields += [""] * (number + 1 - len(fields))
        fields[number] = value
        segments[place] = "|".join(fields)
        return segments

    return _v2(edit)


def _stranger(segments: list[str]) -> list[str]:
    return [*segments[:2], "PV9|1", *segments[2:]]


def _hl7v2(name: str, make: Callable[[bytes], bytes], said: str) -> Break:
    return Break(name, "hl7v2", make, {"hapi-hl7v2": (said, "error")})


HL7V2: Final = (
    _hl7v2("misplaced segment", _v2(_moved), "UnexpectedSegment|RequiredStructure"),
    _hl7v2("missing required segment", _v2(_without_patient), "RequiredStructure"),
    _hl7v2("unknown segment", _v2(_stranger), "UnexpectedSegment"),
    _hl7v2("missing required field", _field("PID", 3, ""), "RequiredField"),
    _hl7v2("unknown field", _field("PID", 60, "x"), "UnknownField"),
    _hl7v2("two where one may be", _field("PID", 8, "F~M"), "TooManyRepetitions"),
    _hl7v2("unknown component", _field("PID", 15, "a^b^c^d^e^f^g"), "UnknownComponent"),
    _hl7v2("British date", _field("PID", 7, "01/03/2015"), "01/03/2015"),
    _hl7v2("wrong code of a value type", _field("OBX", 2, "QQ"), "QQ"),
    _hl7v2("unknown structure", _field("MSH", 8, "REF^I99^REF_I99"), "UnknownStructure"),
)

BREAKS: Final[Sequence[Break]] = (*FHIR, *XML, *HTML, *HL7V2)
