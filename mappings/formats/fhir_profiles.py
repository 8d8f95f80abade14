"""The hard rules of the profiles that we declare, beyond R4: UK Core (`standards.md` 3.4) and IHE
PCF Intermediate (3.6), each as a piece of JSON Schema.

UK Core has differentials only, so its handful of enforceable rules is written here.  PCF forbids
what would narrow or widen a consent in a way that a reader might pass over; such a Consent is
refused both ways, because to pass over it would be to share more than was agreed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

NHS_NUMBER: Final = ("https://fhir.nhs.uk/Id/nhs-number", "urn:oid:2.16.840.1.113883.2.1.4.1")
ODS_CODE: Final = (
    "https://fhir.nhs.uk/Id/ods-organization-code",
    "https://fhir.nhs.uk/Id/ods-organisation-code",
)
ODS_SITE: Final = ("https://fhir.nhs.uk/Id/ods-site-code",)
UK_CORE: Final = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-"
LANGUAGES: Final = "urn:ietf:bcp:47"


@dataclass(frozen=True, slots=True)
class ProfileRule:
    """One rule: the type that it is about, what it says, and the schema that says it."""

    profile: str
    type: str
    says: str
    schema: Mapping[str, Any]


def _at_most_one(member: str, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"properties": {member: {"contains": item, "minContains": 0, "maxContains": 1}}}


def _system(systems: tuple[str, ...]) -> dict[str, Any]:
    return {"properties": {"system": {"enum": list(systems)}}, "required": ["system"]}


def _valued(systems: tuple[str, ...]) -> dict[str, Any]:
    return {
        "properties": {
            "identifier": {"items": {"if": _system(systems), "then": {"required": ["value"]}}}
        }
    }


def _extension(name: str) -> dict[str, Any]:
    return {"properties": {"url": {"const": f"{UK_CORE}{name}"}}, "required": ["url"]}


def _forbidden(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, False)


_LANGUAGE: Final = {
    "properties": {
        "communication": {
            "items": {
                "properties": {
                    "language": {
                        "properties": {"coding": {"contains": _system((LANGUAGES,))}},
                        "required": ["coding"],
                    }
                }
            }
        }
    }
}
_ROLE: Final = {
    "properties": {
        "role": {
            "properties": {
                "coding": {"contains": {"properties": {"code": {"const": "IRCP"}}}},
            },
            "required": ["coding"],
        }
    }
}
_PROVISION: Final[dict[str, Any]] = {
    "properties": {
        **_forbidden("action", "class", "code", "securityLabel", "dataPeriod"),
        "actor": {"items": _ROLE},
        "data": {"items": {"properties": {"meaning": {"const": "related"}}}},
    },
    "required": ["type"],
}
_NESTED: Final[dict[str, Any]] = {
    "properties": {
        **_PROVISION["properties"],
        "provision": False,
        "type": {"const": "deny"},
    },
    "required": ["type"],
}
_CONSENT: Final[dict[str, Any]] = {
    "properties": {
        "policyRule": False,
        "verification": False,
        "policy": {"items": {"properties": {"authority": False}, "required": ["uri"]}},
        "scope": {
            "properties": {
                "coding": {"contains": {"properties": {"code": {"const": "patient-privacy"}}}}
            },
            "required": ["coding"],
        },
        "provision": {
            **_PROVISION,
            "properties": {
                **_PROVISION["properties"],
                "provision": {"items": _NESTED},
            },
        },
    },
    "required": ["patient", "dateTime", "performer", "organization", "provision"],
    "anyOf": [{"required": ["sourceReference"]}, {"required": ["sourceAttachment"]}],
}

PROFILES: Final = (
    ProfileRule(
        "UKCore-Patient",
        "Patient",
        "at most one NHS number",
        _at_most_one("identifier", _system(NHS_NUMBER)),
    ),
    ProfileRule("UKCore-Patient", "Patient", "an NHS number has a value", _valued(NHS_NUMBER)),
    ProfileRule(
        "UKCore-Patient",
        "Identifier",
        "at most one verification status",
        _at_most_one("extension", _extension("NHSNumberVerificationStatus")),
    ),
    ProfileRule(
        "UKCore-Patient",
        "Patient",
        "at most one ethnic category",
        _at_most_one("extension", _extension("EthnicCategory")),
    ),
    ProfileRule("UKCore-Patient", "Patient", "a language is one of BCP 47", _LANGUAGE),
    ProfileRule(
        "UKCore-Organization",
        "Organization",
        "at most one ODS code",
        _at_most_one("identifier", _system(ODS_CODE)),
    ),
    ProfileRule(
        "UKCore-Organization",
        "Organization",
        "at most one ODS site code",
        _at_most_one("identifier", _system(ODS_SITE)),
    ),
    ProfileRule(
        "UKCore-Organization",
        "Organization",
        "an ODS code has a value",
        _valued(ODS_CODE + ODS_SITE),
    ),
    ProfileRule(
        "UKCore-ServiceRequest",
        "ServiceRequest",
        "at most one source",
        _at_most_one("extension", _extension("SourceOfServiceRequest")),
    ),
    ProfileRule("IHE.PCF.consentIntermediate", "Consent", "PCF Intermediate", _CONSENT),
)
