"""A FHIR R4 server of Consents in a process of its own: create, update, delete, search, read,
history, over real sockets and TLS, and wrong in every way that it is told to be.

``python -m tests.servers.consent_server [--cert PEM --key PEM]`` prints its port and serves until
its standard input closes.  ``POST /_control`` with JSON changes how it answers FHIR requests:
``{"slow": seconds}``, ``{"status": 503}``, ``{"down": true}`` (closes the connection unanswered),
``{"body": "text", "type": "..."}`` (says just that to a search), ``{"mark": true}`` (remembers the
state), ``{"restore": true}`` (goes back to it), ``{"forget": true}`` (loses every older version),
``{"hide": "id"}`` (a search does not list it), ``{"calm": true}`` (answers well again).
"""

import argparse
import json
import re
import ssl
import sys
import threading
import time
from copy import deepcopy
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FHIR = "application/fhir+json"


class Keeper:
    """Every version of every Consent, and the mood of the server."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.versions: dict[str, list[dict[str, Any] | None]] = {}
        self.marked: dict[str, list[dict[str, Any] | None]] = {}
        self.mood: dict[str, Any] = {}
        self.asked = 0

    def put(self, name: str, resource: dict[str, Any]) -> dict[str, Any]:
        """Add a version, with the server's own data."""
        with self.lock:
            held = self.versions.setdefault(name, [])
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            meta = {"versionId": str(len(held) + 1), "lastUpdated": moment}
            held.append({**resource, "id": name, "meta": {**meta, **resource.get("meta", {})}})
            return held[-1]  # type: ignore[return-value]

    def control(self, told: dict[str, Any]) -> None:
        """Change mood or state."""
        with self.lock:
            if told.pop("calm", False):
                self.mood.clear()
            if told.pop("mark", False):
                self.marked = deepcopy(self.versions)
            if told.pop("restore", False):
                self.versions = deepcopy(self.marked)
            if told.pop("clear", False):
                self.versions = {}
            if told.pop("forget", False):
                for held in self.versions.values():
                    held[:-1] = [None] * (len(held) - 1)
            self.mood.update(told)

    def newest(self) -> list[dict[str, Any]]:
        """Every Consent that is there."""
        return [held[-1] for held in self.versions.values() if held and held[-1] is not None]


class Handler(BaseHTTPRequestHandler):
    """FHIR REST for one type."""

    keeper: Keeper
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _say(self, status: int, body: Any, kind: str = FHIR) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _moody(self) -> bool:
        """Answer by mood, if it has one; the request's body has been read."""
        mood = self.keeper.mood
        self.keeper.asked += 1
        time.sleep(mood.get("slow", 0))
        if mood.get("down"):
            self.close_connection = True
            self.connection.close()
            return True
        if "status" in mood:
            self._say(mood["status"], {"resourceType": "OperationOutcome"})
            return True
        return False

    def do_POST(self) -> None:
        body, path = self._body(), urlsplit(self.path).path
        if path == "/_control":
            self.keeper.control(json.loads(body))
            self._say(200, {"asked": self.keeper.asked})
        elif path == "/fhir/Consent/_search":
            if not self._moody():
                self._search(parse_qs(body.decode()))
        elif path == "/fhir/Consent":
            with self.keeper.lock:
                name = f"c{len(self.keeper.versions) + 1}"
            self._say(201, self.keeper.put(name, json.loads(body)))
        else:
            self._say(404, {})

    def do_PUT(self) -> None:
        body = self._body()
        name = urlsplit(self.path).path.rsplit("/", 1)[-1]
        self._say(200, self.keeper.put(name, json.loads(body)))

    def do_DELETE(self) -> None:
        name = urlsplit(self.path).path.rsplit("/", 1)[-1]
        with self.keeper.lock:
            self.keeper.versions.setdefault(name, []).append(None)
        self._say(200, {})

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        found = re.fullmatch(r"/fhir/Consent/([^/]+)(?:/_history/(\d+))?", path)
        if found is None:
            self._say(404, {})
            return
        if self._moody():
            return
        held = self.keeper.versions.get(found[1])
        number = int(found[2]) if found[2] else len(held or ())
        resource = held[number - 1] if held and 0 < number <= len(held) else None
        if resource is None:
            self._say(410 if held else 404, {"resourceType": "OperationOutcome"})
        else:
            self._say(200, resource)

    def _search(self, terms: dict[str, list[str]]) -> None:
        mood = self.keeper.mood
        if "body" in mood:
            self._say(200, mood["body"], mood.get("type", FHIR))
            return
        found = []
        for one in self.keeper.newest():
            if one["id"] == mood.get("hide"):
                continue
            patient = one.get("patient", {}).get("identifier", {})
            data = [
                held.get("reference", {}).get("identifier", {})
                for held in one.get("provision", {}).get("data", ())
            ]
            wanted = {
                "data:identifier": [f"{d.get('system')}|{d.get('value')}" for d in data],
                "patient:identifier": [f"{patient.get('system')}|{patient.get('value')}"],
            }
            if all(
                set(terms[name][0].split(",")) & set(held)
                for name, held in wanted.items()
                if name in terms
            ):
                found.append({"search": {"mode": "match"}, "resource": one})
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        self._say(200, {**bundle, **({"entry": found} if found else {})})


def main() -> None:
    """Serve until standard input closes."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--cert")
    asked.add_argument("--key")
    options = asked.parse_args()
    Handler.keeper = Keeper()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
