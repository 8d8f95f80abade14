"""FHIR Bundles broken on purpose, and what each oracle must say to it."""

import json
from collections.abc import Callable
from typing import Any, Final

from tests.conformance.artefacts import BASE
from tests.conformance.breaking import Break, CannotBreak

Tree = dict[str, Any]


def _fhir(edit: Callable[[Tree], None]) -> Callable[[bytes], bytes]:
    def make(raw: bytes) -> bytes:
        bundle = json.loads(raw)
        if "entry" not in bundle:
            raise CannotBreak("not a Bundle")
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
