"""NHS England's own MESH sandbox: private, on loopback, with its store in a folder of ours."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mesh_client import AuthTokenGenerator, MeshClient

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = ROOT / ".venv-mesh-sandbox"
START_SECONDS = 60.0
SHARED_KEY = "TestKey"
PASSWORD = "password"
HUB, TRUST, OTHER = "X26ABC1", "X26ABC2", "X26ABC3"
"""The three mailboxes that the sandbox ships: here the hub's, a partner's, and somebody else's."""


@dataclass
class MeshSandbox:
    """A running sandbox, and what anybody with a mailbox there may do."""

    url: str
    folder: Path
    http: httpx.Client

    def reset(self) -> None:
        """Empty every mailbox."""
        for mailbox in (HUB, TRUST, OTHER):
            shutil.rmtree(self.folder / mailbox, ignore_errors=True)
        self.http.delete("/messageexchange/admin/reset").raise_for_status()

    def client(self, mailbox: str, **how: Any) -> MeshClient:
        """Return NHS England's client for a mailbox; close it."""
        return MeshClient(
            self.url, mailbox, PASSWORD, shared_key=SHARED_KEY.encode(), max_retries=0, **how
        )

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        sender: str = TRUST,
        path: str = "",
    ) -> httpx.Response:
        """Hand in bytes under headers as they are, however odd: what no honest client does."""
        token = AuthTokenGenerator(SHARED_KEY.encode(), sender, PASSWORD)()
        return self.http.post(
            f"/messageexchange/{sender}/outbox{path}",
            content=body,
            headers={
                "authorization": token,
                "accept": "application/vnd.mesh.v2+json",
                **headers,
            },
        )

    def inbox(self, mailbox: str) -> list[str]:
        """Return the ids of what waits for a mailbox."""
        with self.client(mailbox) as client:
            return list(client.list_messages())

    def take(self, mailbox: str) -> list[Taken]:
        """Read and acknowledge whatever waits for a mailbox, as its owner does."""
        with self.client(mailbox) as client:
            found = []
            for name in client.list_messages():
                message = client.retrieve_message(name)
                found.append(Taken(name, dict(message.mex_headers()), message.read()))
                message.acknowledge()
            return found

    def status(self, message_id: str) -> str:
        """Return what MESH knows of a message."""
        answer = self.http.get(f"/messageexchange/admin/message/{message_id}")
        return str(answer.raise_for_status().json()["status"]).lower()

    def report(self, mailbox: str, **said: Any) -> str:
        """Put a report of non-delivery into a mailbox, as MESH does after five days."""
        body = {"mailbox_id": mailbox, "code": "14", "description": "Not collected", **said}
        answer = self.http.post("/messageexchange/admin/report", json=body)
        return str(answer.raise_for_status().json()["message_id"])

    def event(self, message_id: str, **said: Any) -> None:
        """Let something befall a message."""
        path = f"/messageexchange/admin/message/{message_id}/event"
        self.http.post(path, json=said).raise_for_status()

    def chunk(self, message_id: str, number: int, mailbox: str = HUB) -> Path:
        """Return where the store keeps a chunk of a message, so that a test can spoil it."""
        return self.folder / mailbox / "in" / message_id / str(number)

    def kept(self) -> list[dict[str, Any]]:
        """Return what MESH keeps of every message beside its content: all that its people see."""
        return [json.loads(one.read_text()) for one in self.folder.glob("*/in/*.json")]


@dataclass(frozen=True)
class Taken:
    """One message as its recipient's client read it; *mex* are the headers without ``mex-``."""

    message_id: str
    mex: Mapping[str, Any]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextmanager
def start_mesh_sandbox() -> Iterator[MeshSandbox]:
    """Give a running sandbox of our own; its environment is made when it is missing."""
    subprocess.run([ROOT / "scripts/mesh-sandbox"], check=True, stdout=sys.stderr)
    with (
        tempfile.TemporaryDirectory(prefix="ecaf-mesh-") as temporary,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        folder = Path(temporary) / "store"
        folder.mkdir()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        descriptor = listening.fileno()
        with (Path(temporary) / "out").open("wb") as out:
            process = subprocess.Popen(
                [
                    *(HOME / "bin/python", "-m", "uvicorn", "mesh_sandbox.api:app"),
                    *("--fd", str(descriptor), "--log-level", "warning"),
                ],
                pass_fds=(descriptor,),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={
                    "PATH": os.environ["PATH"],
                    "AUTH_MODE": "full",
                    "SHARED_KEY": SHARED_KEY,
                    "STORE_MODE": "file",
                    "MAILBOXES_DATA_DIR": str(folder),
                },
            )
            try:
                with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as http:
                    _wait(process, http, Path(temporary) / "out")
                    yield MeshSandbox(url, folder, http)
            finally:
                process.terminate()
                process.wait(20)


def _wait(process: subprocess.Popen[bytes], http: httpx.Client, out: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if http.get("/health", timeout=5.0).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(
        f"the MESH sandbox did not start:\n{out.read_text(errors='replace')[-2000:]}"
    )
