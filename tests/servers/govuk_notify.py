"""GOV.UK Notify as a process: its checks of the token, of templates and of what is filled in.

``python -m tests.servers.govuk_notify SERVICE SECRET`` prints its port.  ``/_seen`` tells what was
sent, ``/_next`` takes a status that the next request is answered with whatever it says.
"""

import base64
import hmac
import json
import re
import sys
import time
import uuid
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

TEXT: Final = "You have a new message in ((system)). Ref ((ref))."
TEMPLATES: Final = {
    "11111111-1111-4111-8111-111111111111": ("email", TEXT),
    "22222222-2222-4222-8222-222222222222": ("sms", TEXT),
    "33333333-3333-4333-8333-333333333333": ("sms", "About ((child_name)): ((text))"),
}
FIELDS: Final = {
    "email": {"email_address", "template_id", "personalisation", "reference"},
    "sms": {"phone_number", "template_id", "personalisation", "reference"},
}
SEEN: Final[list[dict[str, Any]]] = []
NEXT: Final[list[int]] = []


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def refused(header: str, service: str, secret: str) -> str | None:
    """Return what is wrong with the token, if anything is."""
    scheme, _, token = header.partition(" ")
    parts = token.split(".")
    if scheme != "Bearer" or len(parts) != 3:
        return "Unauthorized: authentication bearer scheme must be used"
    head, claims = (json.loads(_decoded(part)) for part in parts[:2])
    made = hmac.digest(secret.encode(), f"{parts[0]}.{parts[1]}".encode(), sha256)
    if head != {"typ": "JWT", "alg": "HS256"} or not hmac.compare_digest(made, _decoded(parts[2])):
        return "Invalid token: signature, api token is not valid"
    if claims.get("iss") != service:
        return "Invalid token: service not found"
    if abs(time.time() - claims.get("iat", 0)) > 30:
        return "Error: Your system clock must be accurate to within 30 seconds"
    return None


def judged(way: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Return the status and the answer to a request of one of ours."""
    kind, text = TEMPLATES.get(body.get("template_id", ""), ("", ""))
    wanted = set(re.findall(r"\(\((\w+)\)\)", text))
    given = body.get("personalisation", {})
    if body.keys() - FIELDS[way]:
        return _error(400, "ValidationError", "Additional properties are not allowed")
    if kind != way:
        return _error(400, "BadRequestError", "Template not found")
    if wanted - given.keys():
        return _error(400, "BadRequestError", "Missing personalisation")
    for name, value in given.items():
        text = text.replace(f"(({name}))", value)
    made = {"id": str(uuid.uuid4()), "reference": body.get("reference"), "content": {"body": text}}
    SEEN.append({"way": way, "text": text, "body": body})
    return 201, made


def _error(status: int, kind: str, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"status_code": status, "errors": [{"error": kind, "message": message}]}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Tell what was sent."""
        self._answer(200, SEEN)

    def do_POST(self) -> None:
        """Send one, or be told how to answer."""
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(raw)
        if self.path == "/_next":
            NEXT.append(body)
            self._answer(200, {})
        elif (wrong := refused(self.headers.get("authorization", ""), *sys.argv[1:3])) is not None:
            self._answer(*_error(403, "AuthError", wrong))
        elif NEXT:
            self._answer(*_error(NEXT.pop(0), "RateLimitError", "Exceeded rate limit"))
        else:
            self._answer(*judged(self.path.rpartition("/")[2], body))

    def _answer(self, status: int, tree: Any) -> None:
        made = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(made)))
        self.end_headers()
        self.wfile.write(made)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
