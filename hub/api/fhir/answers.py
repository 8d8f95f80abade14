"""Acknowledgement Bundles: what became of a message, as FHIR R4 messaging says it.

Source: FHIR R4 messaging (MessageHeader.response), `standards.md` 3.6.  The bytes depend on the
transmission and on what was stored about its message, so that the same Bundle gets the same answer
again.  Of what was sent it repeats the message's id alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid4, uuid5

from hub.api.fhir.outcome import issue, outcome
from hub.errors import Code, Fault, HubError
from hub.services.receipt import Receipt
from hub.services.transmissions import Transmission

EVENT: Final = "caf-acknowledgement"
OPERATION: Final = "/fhir/$process-message"
Said = Literal["ok", "transient-error", "fatal-error"]


@dataclass(frozen=True, slots=True)
class Answerer:
    """Writes answers in the name of one hub; *canonical_url* is the base of its artefacts."""

    hub: str
    public_url: str
    canonical_url: str

    @property
    def system(self) -> str:
        """The code system of the hub's codes."""
        return f"{self.canonical_url}/CodeSystem/hub-error"

    def taken(self, message_id: str, came: Transmission, receipt: Receipt) -> dict[str, Any]:
        """Return the answer to a message that was taken, with what the receipt tells."""
        told = receipt.body
        warnings = [
            issue(
                Fault(Code(one["code"]), str(one["path"]), str(one["remedy"])),
                self.system,
                severity="warning",
            )
            for one in told.get("warnings", ())
        ]
        done = {
            "severity": "information",
            "code": "informational",
            "details": {"text": f"The message was taken: {told.get('status', 'accepted')}."},
        }
        facts = []
        if "episode_id" in told:
            facts.append(self._fact("about-episode", "valueString", told["episode_id"]))
        if "episode_seq" in told:
            facts.append(self._fact("sequence", "valueInteger", told["episode_seq"]))
        said = {"resourceType": "OperationOutcome", "issue": [done, *warnings]}
        return self._bundle(message_id, came, "ok", said, facts, told)

    def refused(
        self, message_id: str, came: Transmission | None, error: HubError, code: Said
    ) -> dict[str, Any]:
        """Return the answer to a message that was not taken: for good, or for the moment.

        A refusal that is stored has *came*, and its ids are fixed; any other answer is a new one.
        """
        severity = "fatal" if code == "fatal-error" else "error"
        said = outcome(error, self.system, severity=severity)
        known = came or Transmission(str(uuid4()), datetime.now(UTC))
        return self._bundle(message_id, known, code, said, (), {})

    def _fact(self, name: str, slot: str, value: Any) -> dict[str, Any]:
        return {"url": f"{self.canonical_url}/StructureDefinition/{name}", slot: value}

    def _bundle(
        self,
        message_id: str,
        came: Transmission,
        code: Said,
        said: Mapping[str, Any],
        facts: Sequence[Mapping[str, Any]],
        told: Mapping[str, Any],
    ) -> dict[str, Any]:
        root = UUID(came.transmission_id)
        bundle, head, details = (
            str(uuid5(root, f"{part}/{code}")) for part in ("bundle", "header", "outcome")
        )
        header: dict[str, Any] = {
            "resourceType": "MessageHeader",
            "id": head,
            "eventCoding": {
                "system": f"{self.canonical_url}/CodeSystem/caf-message-event",
                "code": EVENT,
            },
            "source": {"name": self.hub, "endpoint": f"{self.public_url}{OPERATION}"},
            "response": {
                "identifier": message_id,
                "code": code,
                "details": {"reference": f"urn:uuid:{details}"},
            },
        }
        if facts:
            header["extension"] = list(facts)
        made: dict[str, Any] = {
            "resourceType": "Bundle",
            "id": bundle,
            "type": "message",
            "timestamp": came.received_at.isoformat().replace("+00:00", "Z"),
            "entry": [
                {"fullUrl": f"urn:uuid:{head}", "resource": header},
                {"fullUrl": f"urn:uuid:{details}", "resource": said},
            ],
        }
        if "message_id" in told:
            system = f"{self.canonical_url}/Id/caf-message"
            made["identifier"] = {"system": system, "value": told["message_id"]}
        return made
