"""A received Consent is read whole or not at all (`standards.md` 3.6, `reliability.md` P22).

What no rule of the mapping knows may narrow what was agreed, so a decision of which a part was
passed over would be read as wider than the family meant.  And what FHIR says twice must agree: the
status with the state, the type of the provision with the answer about sharing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.errors import Code, Fault

HARMLESS: Final = frozenset({"id", "meta", "text", "language", "resourceType"})
"""What says nothing of the agreement: the server's own data, and words for people (so is what a
reference or a code is called, its ``display``).
"""
STATUS: Final[Mapping[str, frozenset[str]]] = {
    "proposed": frozenset({"NOT_ASKED", "ASKED"}),
    "rejected": frozenset({"REFUSED"}),
    "active": frozenset({"STORE_ONLY", "SHARE", "NARROWED", "WIDENED"}),
    "inactive": frozenset({"WITHDRAWN", "EXPIRED"}),
}
"""Which states of a decision (CL-21a) a status may stand beside; a draft and an error say none."""
TYPES: Final[Mapping[str, str]] = {"permit": "yes", "deny": "no"}


def doubts(
    document: Mapping[str, Any], message: Mapping[str, Any], unmapped: Sequence[str]
) -> list[Fault]:
    """Return why the decision in *message*, read from *document*, cannot be relied on."""
    decision = message.get("consent_decision")
    if decision is None:
        return []
    return [
        fault
        for path, consent in _consents(document)
        for fault in (*_passed_over(path, unmapped), *_disagreeing(path, consent, decision))
    ]


def _consents(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if document.get("resourceType") == "Consent":
        yield "", document
    for position, entry in enumerate(document.get("entry", ())):
        resource = entry.get("resource", {})
        if resource.get("resourceType") == "Consent":
            yield f"entry[{position}].resource.", resource


def _passed_over(before: str, unmapped: Sequence[str]) -> Iterator[Fault]:
    for path in unmapped:
        inside = path.removeprefix(before) if path.startswith(before) else ""
        first = inside.partition(".")[0].partition("[")[0]
        if first and first not in HARMLESS and not inside.endswith(".display"):
            yield Fault(
                Code.UNKNOWN_FIELD, path, "a Consent is read whole: this hub cannot read this part"
            )


def _disagreeing(
    before: str, consent: Mapping[str, Any], decision: Mapping[str, Any]
) -> Iterator[Fault]:
    if decision.get("state") not in STATUS.get(str(consent.get("status")), frozenset()):
        yield Fault(Code.RULE, f"{before}status", "contradicts the state of the decision")
    told = consent.get("provision", {}).get("type")
    if TYPES.get(str(told)) != decision.get("share_decision"):
        yield Fault(Code.RULE, f"{before}provision.type", "contradicts the answer about sharing")
