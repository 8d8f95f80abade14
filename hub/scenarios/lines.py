"""How a profile says its protocol: the part ``deliver`` of a seat, and what comes with it."""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.scenarios.casts import Participant

LISTENING = ("webhook", "index", "mllp", "fhir")
"""Channels whose partner listens, and the hub comes."""
WORKFLOWS = {"content": "CAF_EPISODE", "notification": "CAF_NOTICE"}
WIRE = "application/vnd.ecaf.message+json"
SANDBOX = {"password": "password", "shared_key": "TestKey"}
HUB_MAILBOX, *MAILBOXES = ("X26ABC1", "X26ABC2", "X26ABC3")
"""The mailboxes that NHS England's sandbox ships, and by what it knows their owners."""

Private = Callable[[Path, str], Path]


@dataclass(slots=True)
class Line:
    """What a protocol adds to a profile, and to what the partner knows itself."""

    deliver: dict[str, Any]
    credentials: dict[str, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lines:
    """Writes lines into one site's folder; *tls* where certificates are used."""

    config: Path
    private: Private
    tls: bool
    mesh_url: str | None = None

    def of(self, one: Participant, port: int | None, mailbox: str | None) -> Line:
        """Return the line of a participant that listens on *port* or has a *mailbox*."""
        common = {"channel": one.channel, "notification": one.notification}
        match one.channel:
            case "mllp":
                scheme = "mllps" if self.tls else "mllp"
                trusted = self._trusted() | (self._shown() if self.tls else {})
                more = {"url": f"{scheme}://127.0.0.1:{port}", "answers": "hl7v2/rri-answer"}
                return Line({**common, "content": one.content, **more, **trusted})
            case "fhir":
                more = {
                    "url": f"{self._http}://127.0.0.1:{port}/fhir/$process-message",
                    "secret_file": self._secret(one, "token", secrets.token_urlsafe(32)),
                }
                return Line({**common, "content": one.content, **more, **self._trusted()})
            case "mesh":
                return self._mesh({**common, "content": one.content}, mailbox or "")
            case "webhook" | "index":
                key = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
                more = {
                    "url": f"{self._http}://127.0.0.1:{port}/hook",
                    "secret_file": self._secret(one, "webhook", key),
                }
                full = {} if one.is_index else {"body": one.body, "content": one.content}
                return Line({**common, **full, **more, **self._trusted()})
            case _:
                return Line({**common, "body": one.body, "content": one.content})

    def write_mesh(self) -> None:
        """Write the hub's own mailbox: its file and secrets."""
        told = {
            "url": self.mesh_url,
            "mailbox": HUB_MAILBOX,
            "password_file": "secrets/mesh.password",
            "shared_key_file": "secrets/mesh-shared.key",
            "poll_seconds": 1,
        }
        self.private(self.config / "secrets/mesh.password", SANDBOX["password"])
        self.private(self.config / "secrets/mesh-shared.key", SANDBOX["shared_key"])
        (self.config / "mesh.yaml").write_text(json.dumps(told))

    def _mesh(self, deliver: dict[str, Any], mailbox: str) -> Line:
        kinds = {"CAF_MESSAGE": WIRE, "CAF_ACK": "application/fhir+json"}
        speaks = {"mailboxes": [mailbox], "workflows": kinds, "acknowledgements": "CAF_ACK"}
        own = {"url": self.mesh_url, "mailbox": mailbox, "hub": HUB_MAILBOX, **SANDBOX}
        return Line(
            {**deliver, "mailbox": mailbox, "workflows": WORKFLOWS, "delivered": "answered"},
            credentials={"mesh": {**speaks, "answers": "CAF_ANSWER"}},
            own={"mesh": own},
        )

    @property
    def _http(self) -> str:
        return "https" if self.tls else "http"

    def _trusted(self) -> dict[str, str]:
        return {"ca_file": "tls/ca.pem"} if self.tls else {}

    def _shown(self) -> dict[str, str]:
        return {"cert_file": "tls/hub-client.pem", "key_file": "secrets/hub-client.key"}

    def _secret(self, one: Participant, ending: str, text: str) -> str:
        name = f"secrets/{one.name.lower()}.{ending}"
        self.private(self.config / name, text + "\n")
        return name
