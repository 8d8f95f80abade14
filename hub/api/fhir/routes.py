"""The routes of the FHIR door, and how they are documented."""

from typing import Any, Final

from hub.api.declared import Declared
from hub.api.documented import BODY, PARTNER, documented
from hub.api.fhir.outcome import CONTENT_TYPE

PROCESS: Final = Declared(
    "POST",
    "/fhir/$process-message",
    "partner",
    CONTENT_TYPE,
    takes="fhir",
    query={
        "async": {
            "description": "`true`: the answer goes to `response-url`.",
            "schema": {"enum": ["true", "false"], "default": "false"},
        },
        "response-url": {
            "description": "Where the answer goes: one of the addresses in the caller's profile.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        },
    },
    document=documented(
        "processMessage",
        "Send a FHIR message",
        "A message Bundle of FHIR R4: an episode, a consent decision, a notice, an answer. It is "
        "answered after the commit by an acknowledgement Bundle, whose "
        "`MessageHeader.response.code` says what became of it. Bundle.id and MessageHeader.id are "
        "the same for every attempt; the same pair gets the same answer for 35 days.",
        body="FhirMessage",
        answers={
            200: ("The acknowledgement: ok, fatal-error or transient-error.", "FhirMessage"),
            202: ("The answer will come to `response-url`.", None),
        },
        refusals=(*PARTNER, *BODY, 422),
    ),
)
METADATA: Final = Declared(
    "GET",
    "/fhir/metadata",
    "public",
    CONTENT_TYPE,
    document=documented(
        "getCapabilities",
        "What the FHIR door does",
        "The CapabilityStatement of this hub: operations, searches, messages it sends and takes.",
        answers={200: ("The CapabilityStatement.", "FhirResource")},
    ),
)
KINDS: Final = (
    "CodeSystem",
    "ConceptMap",
    "MessageDefinition",
    "NamingSystem",
    "Questionnaire",
    "StructureDefinition",
    "ValueSet",
)
"""The types of what the hub publishes about its messages."""
ARTEFACTS: Final = Declared(
    "GET",
    "/fhir/{kind}",
    "public",
    CONTENT_TYPE,
    query={
        "url": {
            "description": "The canonical URL, with `|` and a version or without.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 128},
            "x-fhir": "uri",
        },
    },
    document=documented(
        "findArtefacts",
        "Find what messages rest on",
        f"Artefacts of one type ({', '.join(KINDS)}) as a searchset; nothing in them is about "
        "anybody. `ecaf publish fhir` writes the same as files.",
        answers={200: ("Those that were found.", "FhirResource")},
        refusals=(404,),
    ),
)
ARTEFACT: Final = Declared(
    "GET",
    "/fhir/{kind}/{name}",
    "public",
    CONTENT_TYPE,
    document=documented(
        "getArtefact",
        "Read one of them",
        "By type and id.",
        answers={200: ("The artefact.", "FhirResource")},
        refusals=(404,),
    ),
)
_BY_REFERENCE: Final = {"type": "string", "minLength": 1, "maxLength": 128}
CONSENT: Final = Declared(
    "GET",
    "/fhir/Consent",
    "consent",
    CONTENT_TYPE,
    query={
        "data:identifier": {
            "required": True,
            "description": "The episode: `<canonical>/Id/caf-episode|<reference>`.",
            "schema": _BY_REFERENCE,
            "x-fhir": "reference",
        },
    },
    document=documented(
        "findConsents",
        "Find consent decisions, in FHIR",
        "What `GET /episodes/{ref}/consents` tells the caller, as Consents (IHE PCF).",
        answers={200: ("Consents, oldest first.", "FhirResource")},
        refusals=(*PARTNER, 404),
    ),
)
AUDIT: Final = Declared(
    "GET",
    "/fhir/AuditEvent",
    "read",
    CONTENT_TYPE,
    query={
        "entity:identifier": {
            "required": True,
            "description": "The episode: `<canonical>/Id/caf-episode|<reference>`.",
            "schema": _BY_REFERENCE,
            "x-fhir": "reference",
        },
        "patient:identifier": {
            "required": True,
            "description": "For whom: `<canonical>/Id/caf-subject|<id>` of a child, or "
            "`<canonical>/Id/caf-person|<id>` of a parent or carer.",
            "schema": _BY_REFERENCE,
            "x-fhir": "reference",
        },
    },
    document=documented(
        "findDisclosures",
        "Find who received what, in FHIR",
        "What `GET /episodes/{ref}/access-report` tells the caller, as AuditEvents (IHE BALP).",
        answers={200: ("Disclosures, oldest first.", "FhirResource")},
        refusals=(*PARTNER, 404, 422),
    ),
)
MATCH: Final = Declared(
    "POST",
    "/fhir/Patient/$match",
    "index",
    CONTENT_TYPE,
    takes="resource",
    document=documented(
        "matchPatient",
        "Ask whether a CAF exists, in FHIR",
        "What `POST /index/check` tells the caller. Parameters hold a Patient (`resource`) and a "
        "`purpose` (CL-21b); a Patient in the answer is tagged OPEN, PREVIOUS, POSSIBLE or "
        "MEDIATED (CL-23b), and goes with whom to ring. Nobody: an empty searchset.",
        body="FhirParameters",
        answers={200: ("A searchset.", "FhirResource")},
        refusals=(*PARTNER, *BODY, 422, 429),
    ),
)
ROUTES: Final = (PROCESS, METADATA, CONSENT, AUDIT, MATCH, ARTEFACTS, ARTEFACT)
"""In the order in which they are tried: those with a name of their own first."""

_ANY: Final[dict[str, Any]] = {"type": "object", "additionalProperties": True}
_SYSTEM: Final = "https://ecaf.example/fhir/CodeSystem"
SCHEMAS: Final[dict[str, Any]] = {
    "FhirMessage": {
        "type": "object",
        "description": "A Bundle of type message (FHIR R4); the MessageDefinitions are published.",
        "properties": {
            "resourceType": {"const": "Bundle"},
            "id": {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"},
            "type": {"const": "message"},
            "entry": {"type": "array", "items": _ANY, "minItems": 1},
        },
        "required": ["resourceType", "id", "type", "entry"],
        "additionalProperties": True,
    },
    "FhirParameters": {
        "type": "object",
        "description": "Parameters (FHIR R4).",
        "properties": {
            "resourceType": {"const": "Parameters"},
            "parameter": {"type": "array", "items": _ANY, "minItems": 1},
        },
        "required": ["resourceType", "parameter"],
        "additionalProperties": True,
    },
    "FhirResource": {
        "type": "object",
        "description": "A resource of FHIR R4.",
        "properties": {"resourceType": {"type": "string"}},
        "required": ["resourceType"],
        "additionalProperties": True,
    },
    "OperationOutcome": {
        "type": "object",
        "description": "A refusal (FHIR R4): code, place and remedy; no value of the request.",
        "properties": {
            "resourceType": {"const": "OperationOutcome"},
            "id": {"type": "string"},
            "issue": {"type": "array", "items": _ANY, "minItems": 1},
        },
        "required": ["resourceType", "issue"],
        "additionalProperties": False,
    },
}
EXAMPLES: Final[dict[str, Any]] = {
    "FhirParameters": {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "resource",
                "resource": {
                    "resourceType": "Patient",
                    "identifier": [
                        {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
                    ],
                    "birthDate": "2016-05-14",
                },
            },
            {"name": "purpose", "valueCode": "ASSESS"},
        ],
    },
    "FhirResource": {"resourceType": "Bundle", "type": "searchset", "total": 0},
    "FhirMessage": {
        "resourceType": "Bundle",
        "id": "b-0001",
        "type": "message",
        "entry": [
            {
                "fullUrl": "urn:uuid:01990000-0000-7000-8000-000000000206",
                "resource": {
                    "resourceType": "MessageHeader",
                    "id": "01990000-0000-7000-8000-000000000206",
                    "eventCoding": {
                        "system": f"{_SYSTEM}/caf-message-event",
                        "code": "caf-acknowledgement",
                    },
                    "source": {"endpoint": "urn:ecaf:hub"},
                    "response": {
                        "identifier": "01990000-0000-7000-8000-000000000011",
                        "code": "ok",
                    },
                },
            }
        ],
    },
    "OperationOutcome": {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "required",
                "details": {"coding": [{"system": f"{_SYSTEM}/hub-error", "code": "E_REQUIRED"}]},
                "diagnostics": "give an id: the same for every attempt",
                "expression": ["Bundle.id"],
            }
        ],
    },
}
