"""Starts the consent server of the tests, and speaks to it."""

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.services.released import rehearse
from mappings.commands import translator

FORMAT = "fhir-r4/consent"


@dataclass(frozen=True)
class ConsentServerProcess:
    """One running server."""

    origin: str
    ca_file: Path | None

    @property
    def url(self) -> str:
        """Its FHIR base."""
        return f"{self.origin}/fhir"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.origin}{path}", data, method=method)
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return json.loads(answer.read())

    def control(self, **told: Any) -> int:
        """Change its mood; return how many FHIR requests it has been asked."""
        return int(self._ask("POST", "/_control", told)["asked"])

    def keep(self, name: str, resource: dict[str, Any]) -> None:
        """Keep a Consent, or a new version of it, as it is given."""
        self._ask("PUT", f"/fhir/Consent/{name}", resource)

    def decide(self, name: str, record: dict[str, Any], **changes: Any) -> None:
        """Keep a decision as a Consent."""
        self.keep(name, {**consent(record), **changes})

    def delete(self, name: str) -> None:
        """Delete a Consent as FHIR does: its history stays."""
        self._ask("DELETE", f"/fhir/Consent/{name}")


def consent(record: dict[str, Any]) -> dict[str, Any]:
    """Return a decision record as the Consent that says it."""
    record = {name: value for name, value in record.items() if value != []}
    record.setdefault("evidence_ref", "form-1")
    tree = {"message": {"sender_org": "SCH-A"}, "consent_decision": record}
    body = translator().render(FORMAT, rehearse(tree), partner="").body
    found: dict[str, Any] = json.loads(body)
    return found


@contextmanager
def consent_server(
    certificate: tuple[Path, Path] | None = None, ca_file: Path | None = None
) -> Iterator[ConsentServerProcess]:
    """Run a server in a process of its own, with TLS if it is given a certificate."""
    command = [sys.executable, "-m", "tests.servers.consent_server"]
    if certificate is not None:
        command += ["--cert", str(certificate[0]), "--key", str(certificate[1])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        scheme = "https" if certificate else "http"
        yield ConsentServerProcess(f"{scheme}://127.0.0.1:{port}", ca_file)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
