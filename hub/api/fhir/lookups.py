"""Look-ups in FHIR: consents, the child index and disclosures, as far as the caller may know.

Each asks the use case behind the JSON operation (`GET /episodes/{ref}/consents`,
`POST /index/check`, `GET /episodes/{ref}/access-report`) and writes its answer in FHIR, so that who
may know what is decided in one place, and what is unknown, shielded or none of the caller's looks
the same (`domain.md` 4.4).  Shapes: FHIR R4 Consent, Patient/$match (PDQm), AuditEvent after IHE
BALP (privacy disclosure at source); `standards.md` 3.6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from starlette.responses import Response

from hub.api.declared import Call
from hub.api.door import REFERENCE
from hub.api.facade import Hub
from hub.api.fhir.outcome import CONTENT_TYPE
from hub.api.problem import malformed, missing
from hub.domain.exchange import Tree
from hub.errors import Code, Fault, HubError, InvalidContent, Malformed

ConsentWriter = Callable[[Tree], Tree]
"""A decision record, or the part of one that may be known, to a FHIR Consent."""

SHARING: Final = frozenset({"SHARE", "NARROWED", "WIDENED"})
_IDS: Final = UUID("0f0d2a3c-6a0f-5a7e-9a51-6f9d5f2e7b10")
_DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_EVENT: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_GRADE: Final = "http://hl7.org/fhir/StructureDefinition/match-grade"
_GRADES: Final = {"POSSIBLE": "possible"}


class Lookups:
    """The handlers of these routes."""

    def __init__(self, hub: Hub, consent: ConsentWriter | None) -> None:
        self._hub = hub
        self._consent = consent
        self._base = hub.settings.canonical_url

    async def consents(self, call: Call) -> Response:
        """Find the decisions about an episode that the caller may know of."""
        if self._consent is None:
            raise missing()
        episode = self._named(call, "data:identifier", "caf-episode")
        told = await self._hub.consents(call.partner, episode)
        found = []
        for number, record in enumerate(told["decisions"]):
            made = dict(self._consent(sayable(record)))
            name = f"{episode}/{record.get('consent_decision_id', number)}"
            made["id"] = str(uuid5(_IDS, f"consent/{name}"))
            found.append(made)
        return _bundle(found)

    async def disclosures(self, call: Call) -> Response:
        """Find who received what of an episode, as one member of the family may know it."""
        episode = self._named(call, "entity:identifier", "caf-episode")
        person = self._named(call, "patient:identifier", "caf-subject", "caf-person")
        told = await self._hub.access_report(call.partner, episode, person)
        found = [
            self._event(episode, person, number, line)
            for number, line in enumerate(told["disclosures"])
        ]
        return _bundle(found)

    async def match(self, call: Call) -> Response:
        """Ask the child index about a child, and whom to ring."""
        subject, purpose = self._asked(self._hub.parsed(call.body), call.partner.name)
        question = orjson.dumps({"purpose": purpose, "subject": subject})
        told = await self._hub.check_index(call.partner, question)
        result = str(told["result"])
        if result == "NONE":
            return _bundle([])
        patient: dict[str, Any] = {
            "resourceType": "Patient",
            "id": str(uuid5(_IDS, "match")),
            "meta": {"tag": [{"system": f"{self._base}/CodeSystem/CL-23b", "code": result}]},
        }
        grade = {"url": _GRADE, "valueCode": _GRADES.get(result, "certain")}
        found = {"mode": "match", "extension": [grade]}
        contact = told.get("contact")
        if not contact:
            return _bundle([patient], found)
        role = self._contact(contact)
        patient["generalPractitioner"] = [{"reference": f"urn:uuid:{role['id']}"}]
        return _bundle([patient, role], found)

    def _named(self, call: Call, name: str, *kinds: str) -> str:
        """Return the reference in a search parameter ``system|value`` of one of these systems."""
        systems = [f"{self._base}/Id/{kind}" for kind in kinds]
        given = call.query.get(name)
        if given is None:
            remedy = f"give {' or '.join(systems)}, a bar, and the reference"
            raise malformed(Code.REQUIRED, f"query.{name}", remedy)
        system, _, value = given.rpartition("|")
        if system not in systems:
            remedy = f"the system is {' or '.join(systems)}"
            raise malformed(Code.CODELIST, f"query.{name}", remedy)
        if not REFERENCE.fullmatch(value):
            raise missing()
        return value

    def _asked(self, parameters: Tree, partner: str) -> tuple[Tree, str]:
        """Return the match set and the purpose of a question."""
        if parameters.get("resourceType") != "Parameters":
            fault = Fault(Code.TYPE, "resourceType", "send Parameters with a Patient as `resource`")
            raise InvalidContent(Code.TYPE, "no Parameters", (fault,))
        patient, place, purpose = None, "parameter", ""
        listed = parameters.get("parameter")
        for number, one in enumerate(listed if isinstance(listed, list) else ()):
            name = one.get("name") if isinstance(one, dict) else None
            if name == "resource":
                patient, place = one.get("resource"), f"parameter[{number}].resource"
            elif name == "purpose":
                purpose = str(one.get("valueCode", ""))
            elif name not in ("onlyCertainMatches", "count"):
                fault = Fault(Code.UNKNOWN_FIELD, f"parameter[{number}]", "resource and purpose")
                raise InvalidContent(Code.UNKNOWN_FIELD, "an unknown parameter", (fault,))
        if not isinstance(patient, dict) or patient.get("resourceType") != "Patient":
            fault = Fault(Code.REQUIRED, place, "send a Patient as `resource`")
            raise InvalidContent(Code.REQUIRED, "no Patient", (fault,))
        return self._subject(patient, place, partner), purpose

    def _subject(self, patient: Tree, place: str, partner: str) -> Tree:
        """Read a Patient by the mapping that reads the child of a notice, with the same rules."""
        bundle = {
            "resourceType": "Bundle",
            "type": "message",
            "entry": [
                _entry(0, "MessageHeader", eventCoding={
                    "system": f"{self._base}/CodeSystem/caf-message-event",
                    "code": "caf-notice",
                }, source={"endpoint": "urn:ecaf:hub"}, focus=[{"reference": _address(2)}]),
                {"fullUrl": _address(1), "resource": patient},
                _entry(2, "Communication", status="completed", subject={"reference": _address(1)},
                       sent="2026-01-01", category=[{"coding": [{
                           "system": f"{self._base}/CodeSystem/notification-kinds",
                           "code": "attendance_concern",
                       }]}]),
            ],
        }  # fmt: skip
        try:
            read = self._hub.reader.read(CONTENT_TYPE, orjson.dumps(bundle), partner=partner)
        except (Malformed, InvalidContent) as wrong:
            raise _at(wrong, place) from None
        found: Tree = read.message["notification"].get("subject", {})
        return found

    def _contact(self, contact: Tree) -> dict[str, Any]:
        """Return whom to ring, as a PractitionerRole."""
        made: dict[str, Any] = {"resourceType": "PractitionerRole"}
        made["id"] = str(uuid5(_IDS, "contact"))
        if "name" in contact:
            made["practitioner"] = {"display": contact["name"]}
        if "organisation" in contact:
            made["organization"] = {"display": contact["organisation"]}
        if "role" in contact:
            made["code"] = [{"text": contact["role"]}]
        telecom = [
            {"system": system, "value": contact[name]}
            for name, system in (("contact_tel", "phone"), ("email", "email"))
            if name in contact
        ]
        return {**made, "telecom": telecom} if telecom else made

    def _event(self, episode: str, person: str, number: int, line: Tree) -> dict[str, Any]:
        """Return one disclosure as IHE BALP has it: the hub gave, a service received."""
        ids = f"{self._base}/Id"
        hub = {"display": self._hub.registry.hub}
        what: dict[str, Any] = {
            "what": {"identifier": {"system": f"{ids}/caf-episode", "value": episode}},
            "name": line["what"],
        }
        if line.get("sections"):
            what["detail"] = [
                {"type": "section", "valueString": section} for section in line["sections"]
            ]
        grounds = [
            {
                "type": {"code": "ground", "display": f"{one['agreed_by']}, {one['on']}"},
                "name": "What the disclosure rests on",
            }
            for one in line.get("ground", ())
        ]
        event: dict[str, Any] = {
            "resourceType": "AuditEvent",
            "id": str(uuid5(_IDS, f"disclosure/{episode}/{person}/{number}")),
            "type": {"system": _DICOM, "code": "110106", "display": "Export"},
            "subtype": [{"system": _EVENT, "code": "disclose"}],
            "action": "R",
            "recorded": line["at"],
            "outcome": "0",
            "agent": [
                {"type": _coded("110153", "Source Role ID"), "who": hub, "requestor": False},
                {
                    "type": _coded("110152", "Destination Role ID"),
                    "who": {
                        "identifier": {"system": f"{ids}/caf-service", "value": line["service"]},
                        "display": line["organisation"],
                    },
                    "requestor": True,
                },
            ],
            "source": {"observer": hub},
            "entity": [what, *grounds],
        }
        if "purpose" in line:
            event["purposeOfEvent"] = [{"text": line["purpose"]}]
        return event


def sayable(record: Tree) -> Tree:
    """Return a decision record as the mapping wants it: FHIR says whether a Consent permits, which
    follows from the state where the caller is told no more than that.
    """
    said = dict(record)
    if "share_decision" not in said:
        said["share_decision"] = "yes" if said.get("state") in SHARING else "no"
    if "signed_on" in said:
        said["signed_at"] = said.pop("signed_on")
    if "expires_on" in said:
        said["expires_at"] = said.pop("expires_on")
    return {name: value for name, value in said.items() if value is not None}


def _at(wrong: HubError, place: str) -> HubError:
    """Return *wrong* with its places in the question that was asked."""
    faults = []
    for fault in wrong.faults:
        inside = fault.path.partition("entry[1].resource")[2]
        faults.append(replace(fault, path=place + inside))
    return type(wrong)(wrong.code, "the Patient cannot be read", faults)


def _coded(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": _DICOM, "code": code, "display": display}]}


def _address(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-00000000000{number}"


def _entry(number: int, kind: str, **members: Any) -> dict[str, Any]:
    return {"fullUrl": _address(number), "resource": {"resourceType": kind, **members}}


def _bundle(found: Sequence[Mapping[str, Any]], first: Mapping[str, Any] | None = None) -> Response:
    """Return a searchset; *first* is how its first entry matched, and what follows goes with it."""
    entries = []
    for number, one in enumerate(found):
        mode: Mapping[str, Any] = {"mode": "match"}
        if first is not None:
            mode = first if number == 0 else {"mode": "include"}
        entries.append({"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "search": mode})
    made: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(entries) if first is None else 1,
    }
    body = orjson.dumps({**made, "entry": entries} if entries else made)
    return Response(body, 200, None, CONTENT_TYPE)
