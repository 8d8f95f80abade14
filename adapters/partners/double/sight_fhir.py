"""The FHIR half of `sight`: resources and questionnaire answers to sections of the form."""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.partners.double.sight import ELEMENT_SECTIONS, Seen, add, holds

EVENTS = {
    "caf-created": "N1",
    "caf-closed": "N2",
    "caf-lead-professional-changed": "N3",
    "caf-practitioner-contact-changed": "N4",
    "caf-demographics-changed": "N5",
    "caf-assessment-version": "N6",
    "caf-content-shared": "N7",
    "caf-team-event": "N8",
    "caf-plan-event": "N9",
    "caf-consent-changed": "N10",
    "caf-transfer-offer": "N11",
    "caf-transfer-response": "N11",
    "caf-contact-request": "N12",
    "caf-statutory-disclosure": "N13",
    "caf-void": "N14",
    "caf-retention": "N15",
    "caf-service-request": "N16",
    "caf-service-response": "N16",
    "caf-notice-passed-on": "NOTICE",
}
RESOURCES = {
    "MessageHeader": ("sec.admin", "basic"),
    "Basic": ("sec.admin", "basic"),
    "EpisodeOfCare": ("sec.admin", "basic"),
    "Organization": ("sec.services", "basic"),
    "HealthcareService": ("sec.services", "basic"),
    "Practitioner": ("sec.services", "basic"),
    "PractitionerRole": ("sec.services", "basic"),
    "Group": ("sec.identity", "basic"),
    "CarePlan": ("sec.plan", "full"),
    "Task": ("sec.plan", "full"),
    "ServiceRequest": ("sec.plan", "full"),
    "Provenance": ("sec.services", "basic"),
    "Flag": ("sec.admin", "full"),
    "Consent": ("sec.consent", "full"),
    "AuditEvent": ("sec.safeguarding", "full"),
}
PARTS = {
    "lead-professional": ("sec.services", "basic"),
    "assessor": ("sec.services", "basic"),
    "universal-gp": ("sec.services", "basic"),
    "universal-education": ("sec.services", "basic"),
    "other-service": ("sec.services", "full"),
    "other-authority": ("sec.admin", "basic"),
}
"""What a participant of the team is there as; without such a part it is a member by the plan."""
ITEMS = {
    "meta": "sec.assess_meta",
    "assessment": "sec.assess_meta",
    "char": "sec.characteristics",
    "characteristics": "sec.characteristics",
    "identity": "sec.identity",
    "subject": "sec.identity",
    "family": "sec.family",
    "parent": "sec.family",
    "services": "sec.services",
    "concl": "sec.conclusions",
    "conclusions": "sec.conclusions",
    "voice": "sec.conclusions",
    "plan": "sec.plan",
    "review": "sec.review",
    "closure": "sec.closure",
    "checklist": "sec.checklist",
    "safeguarding": "sec.safeguarding",
    "admin": "sec.admin",
    "episode": "sec.admin",
}
"""What the first word of a questionnaire item's link id says about its section."""

FAMILY_BASIC = {"name", "relationship"}
TECHNICAL = {"resourceType", "id", "meta", "patient", "active", "identifier", "extension"}


def look_at_bundle(bundle: Mapping[str, Any]) -> Seen:
    """Return what a FHIR bundle holds."""
    found: dict[str, str] = {}
    codes: list[str] = []
    message_type = None
    for entry in bundle.get("entry", []):
        resource = entry.get("resource", {})
        if resource.get("resourceType") == "MessageHeader":
            code = resource.get("eventCoding", {}).get("code", "")
            message_type = EVENTS.get(code, code or None)
        for section, weight in _resource(resource, codes):
            add(found, section, weight)
    return Seen(message_type, found, tuple(codes))


def _resource(resource: Mapping[str, Any], codes: list[str]) -> Iterator[tuple[str, str]]:
    kind = resource.get("resourceType", "nothing")
    if kind == "Patient":
        yield from _patient(resource)
    elif kind == "RelatedPerson":
        extensions = {e.get("url", "").rsplit("/", 1)[-1] for e in resource.get("extension", [])}
        beyond = resource.keys() - TECHNICAL - FAMILY_BASIC
        yield "sec.family", "full" if beyond or extensions else "basic"
    elif kind == "QuestionnaireResponse":
        for item in resource.get("item", []):
            yield from _item(item, codes)
    elif kind == "CareTeam":
        for participant in resource.get("participant", []):
            yield _participant(participant)
    elif kind == "Goal":
        yield "sec.conclusions" if _of_assessment(resource) else "sec.plan", "full"
    elif kind == "Observation":
        yield "sec.identity", "full"  # the expected date of delivery
    elif kind == "Communication":
        return  # a notice on its way: it is of no section, for it is no part of the form
    elif kind in RESOURCES:
        yield RESOURCES[kind]
    else:
        yield f"unknown:{kind}", "full"


def _of_assessment(goal: Mapping[str, Any]) -> bool:
    codings = [one for kind in goal.get("category", []) for one in kind.get("coding", [])]
    return any(one.get("code") == "assessment-goal" for one in codings)


def _participant(participant: Mapping[str, Any]) -> tuple[str, str]:
    for role in participant.get("role", []):
        for coding in role.get("coding", []):
            if coding.get("system", "").endswith("/caf-part"):
                return PARTS.get(coding.get("code"), (f"unknown:part {coding.get('code')}", "full"))
    return "sec.plan", "full"


def _patient(patient: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    characteristics = ("ethniccategory", "religiousaffiliation", "nationality", "interpreter")
    for extension in patient.get("extension", []):
        url = extension.get("url", "").lower()
        if any(word in url for word in characteristics):
            yield "sec.characteristics", "full"
        elif "fetalstatus" in url or "unborn" in url:
            yield "sec.identity", "full"
        else:
            yield "sec.identity", "basic"
    if holds(patient.get("communication")):
        yield "sec.characteristics", "basic"
    if holds(patient.get("deceasedDateTime")):
        yield "sec.identity", "full"
    if patient.keys() - {"resourceType", "id", "meta", "extension", "communication"}:
        yield "sec.identity", "basic"


def _item(item: Mapping[str, Any], codes: list[str]) -> Iterator[tuple[str, str]]:
    link = item.get("linkId", "")
    parts = link.split(".")
    answered = any(holds(one) for one in item.get("answer", []))
    if answered:
        element = ".".join(parts[:2])
        if parts[0] in ("1", "2", "3") and element in ELEMENT_SECTIONS:
            if element not in codes:
                codes.append(element)
            yield ELEMENT_SECTIONS[element], "full"
        else:
            section = ITEMS.get(parts[0].replace("_", "").lower()) or ITEMS.get(parts[0])
            yield section or f"unknown:item {link}", "full"
    inner = list(item.get("item", []))
    for one in item.get("answer", []):
        inner += one.get("item", [])
    for one in inner:
        yield from _item(one, codes)
