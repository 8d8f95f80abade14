"""The partner double as a process: what it checks, keeps, fetches and refuses."""

import asyncio
import base64
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from adapters.partners.double.http import Answer, Listener
from hub.scenarios.processes import Process, free_port

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
N7 = json.dumps(
    {"message": {"message_type": "N7"}, "episode": {"conclusions": {"conclusions": "é"}}},
    ensure_ascii=False,
).encode()


class StandIn:
    """A hub of a few lines: holds deliveries, and notes what it is told."""

    def __init__(self) -> None:
        self.deliveries: dict[str, bytes] = {}
        self.acknowledged: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str, str]] = []

    async def answer(self, request: Any) -> Any:
        """Answer like the hub's door, for what a double asks."""
        self.asked.append((request.method, request.path, request.headers.get("authorization", "")))
        path = request.path.partition("?")[0]
        if path == "/inbox":
            waiting = [i for i in self.deliveries if i not in [a for a, _ in self.acknowledged]]
            listed = [{"delivery_id": i, "message_type": "N7"} for i in waiting]
            return Answer(200, json.dumps({"deliveries": listed, "next": 0}).encode())
        if path.endswith("/ack"):
            delivery_id = path.split("/")[2]
            self.acknowledged.append((delivery_id, json.loads(request.body)["code"]))
            return Answer(200, b"{}")
        if path.startswith("/deliveries/"):
            body = self.deliveries[path.split("/")[2]]
            return Answer(200, body, headers={"ecaf-message-type": "N7"})
        return Answer(202, b'{"status": "accepted"}')


class Rig:
    """One double as a process, the stand-in, and the ways to talk to it."""

    def __init__(self, tmp_path: Path, deliver: Any) -> None:
        self.folder = tmp_path
        self.hub = StandIn()
        self.hub_port, self.control_port, self.hook_port = (free_port() for _ in range(3))
        if deliver.get("channel") == "webhook":
            deliver = {**deliver, "url": f"http://127.0.0.1:{self.hook_port}/hook"}
            deliver["secret_file"] = "secrets/hou-a.webhook"
        (tmp_path / "partners").mkdir()
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "hou-a.webhook").write_text(SECRET)
        self.profile = tmp_path / "partners" / "HOU-A.yaml"
        self.profile.write_text(json.dumps({"partner": "HOU-A", "deliver": deliver}))
        (tmp_path / "own.json").write_text(json.dumps({"api_key": "hubk_HOU-A.k1.x"}))
        self.listener = Listener("127.0.0.1", self.hub_port, self.hub.answer, None)
        self.process = Process(
            [
                sys.executable, "-m", "adapters.partners.double", "--profile", str(self.profile),
                "--hub", f"http://127.0.0.1:{self.hub_port}", "--out", str(tmp_path / "out"),
                "--credentials", str(tmp_path / "own.json"),
                "--control", f"127.0.0.1:{self.control_port}", "--with-parent",
            ],
            os.environ,
            tmp_path / "log",
        )  # fmt: skip
        self.client = httpx.AsyncClient(trust_env=False, timeout=10)

    async def __aenter__(self) -> Any:
        await self.listener.open()
        await self.process.start()
        for _ in range(400):
            try:
                await self.control("state")
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
            else:
                return self
        raise AssertionError(self.process.tail())

    async def __aexit__(self, *_: object) -> Any:
        await self.client.aclose()
        await self.process.stop()
        await self.listener.close()

    async def control(self, path: Any, told: Any = None) -> Any:
        """Ask the control door."""
        url = f"http://127.0.0.1:{self.control_port}/control/{path}"
        return (await self.client.post(url, content=json.dumps(told or {}))).json()

    async def push(
        self,
        body: Any = N7,
        *,
        delivery_id: Any = "d-1",
        kind: Any = "application/json",
        secret: Any = SECRET,
    ) -> Any:
        """Push as the hub does, signed by the reference library."""
        now = datetime.now(UTC)
        headers = {
            "webhook-id": delivery_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(delivery_id, now, body.decode()),
            "content-type": kind,
            "ecaf-message-type": "N7",
            "ecaf-sequence": "4",
        }
        url = f"http://127.0.0.1:{self.hook_port}/hook"
        return await self.client.post(url, content=body, headers=headers)

    async def settled(self) -> Any:
        """Wait until the double has nothing left to do."""
        for _ in range(100):
            state = await self.control("settle")
            if not state["busy"] and not state["fetched"]:
                return await self.control("state")
            await asyncio.sleep(0.02)
        raise AssertionError("never settles")


async def test_a_signed_message_is_kept_byte_for_byte(tmp_path: Path) -> None:
    """Body and headers are on disk as they came, and the double says what it saw."""
    async with Rig(tmp_path, {"channel": "webhook", "body": "full"}) as rig:
        answer = await rig.push()
        state = await rig.settled()

    (one,) = state["received"]
    assert answer.status_code == 204
    assert (tmp_path / "out" / "HOU-A" / "001-N7.json").read_bytes() == N7
    headers = json.loads((tmp_path / "out" / "HOU-A" / "001-N7.headers.json").read_bytes())
    assert headers["webhook-id"] == "d-1"
    assert one["sections"] == {"sec.conclusions": "full"}
    assert one["sequence"] == 4
    assert state["faults"] == []


async def test_a_wrong_signature_is_refused_and_told(tmp_path: Path) -> None:
    """A message signed by somebody else is not kept."""
    other = "whsec_" + base64.b64encode(b"o" * 24).decode()

    async with Rig(tmp_path, {"channel": "webhook", "body": "full"}) as rig:
        answer = await rig.push(secret=other)
        state = await rig.settled()

    assert answer.status_code == 401
    assert state["received"] == []
    assert state["faults"]


async def test_the_same_delivery_twice_is_one_message(tmp_path: Path) -> None:
    """Doubles are known by their id; other bytes under the same id are a fault."""
    async with Rig(tmp_path, {"channel": "webhook", "body": "full"}) as rig:
        await rig.push()
        await rig.push()
        once = await rig.settled()
        await rig.push(N7 + b" ")
        state = await rig.settled()

    assert len(state["received"]) == 1
    assert once["faults"] == []
    assert state["duplicates"] == ["d-1", "d-1"]
    assert "other bytes" in state["faults"][0]


async def test_a_thin_event_is_fetched_and_acknowledged(tmp_path: Path) -> None:
    """The event itself is no message; what it points to is."""
    event = json.dumps({"id": "d-2", "dataref": "/deliveries/d-2"}).encode()

    async with Rig(tmp_path, {"channel": "webhook", "body": "thin"}) as rig:
        rig.hub.deliveries["d-2"] = N7
        await rig.push(event, delivery_id="d-2", kind="application/cloudevents+json")
        state = await rig.settled()

    assert [one["via"] for one in state["received"]] == ["fetch"]
    assert rig.hub.acknowledged == [("d-2", "APPLIED")]
    assert rig.hub.asked[0] == ("GET", "/deliveries/d-2", "Bearer hubk_HOU-A.k1.x")


async def test_a_stop_is_acknowledged_with_locked_copies(tmp_path: Path) -> None:
    """N10 wants the receiver's word, also from one that is called."""
    stop = json.dumps({"message": {"message_type": "N10"}}).encode()

    async with Rig(tmp_path, {"channel": "webhook", "body": "full"}) as rig:
        answer = await rig.client.post(
            f"http://127.0.0.1:{rig.hook_port}/hook", content=stop, headers=signed(stop, "d-3")
        )
        await rig.settled()

    assert answer.status_code == 204
    assert rig.hub.acknowledged == [("d-3", "COPIES_LOCKED")]


def signed(body: Any, delivery_id: Any) -> Any:
    """Return the headers of a signed push without hub headers."""
    now = datetime.now(UTC)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(delivery_id, now, body.decode()),
        "content-type": "application/json",
    }


async def test_one_that_never_acknowledges_says_nothing(tmp_path: Path) -> None:
    """It receives, answers the call, and keeps its word to itself."""
    stop = json.dumps({"message": {"message_type": "N10"}}).encode()

    async with Rig(tmp_path, {"channel": "webhook", "body": "full"}) as rig:
        await rig.control("behave", {"mute": True})
        await rig.client.post(
            f"http://127.0.0.1:{rig.hook_port}/hook", content=stop, headers=signed(stop, "d-4")
        )
        state = await rig.settled()

    assert len(state["received"]) == 1
    assert rig.hub.acknowledged == []


async def test_one_that_pulls_fetches_what_waits(tmp_path: Path) -> None:
    """It asks for its inbox, fetches and acknowledges, each once."""
    async with Rig(tmp_path, {"channel": "pull"}) as rig:
        rig.hub.deliveries = {"d-5": N7, "d-6": N7}
        state = await rig.settled()
        await asyncio.sleep(0.5)
        later = await rig.settled()

    assert [one["delivery_id"] for one in state["received"]] == ["d-5", "d-6"]
    assert len(later["received"]) == 2
    assert rig.hub.acknowledged == [("d-5", "APPLIED"), ("d-6", "APPLIED")]


@pytest.mark.parametrize("mode", ["down", "drop", "status", "slow"])
async def test_it_misbehaves_on_order(tmp_path: Path, mode: Any) -> None:
    """Refused, cut off, refused with a status, or late: and well again afterwards."""
    told = {"mode": mode, "status": 503, "seconds": 0.6}

    async with Rig(tmp_path, {"channel": "webhook", "body": "full"}) as rig:
        await rig.control("behave", told)
        started = time.monotonic()
        if mode in ("down", "drop"):
            with pytest.raises(httpx.TransportError):
                await rig.push()
        else:
            answer = await rig.push()
            assert answer.status_code == (503 if mode == "status" else 204)
        took = time.monotonic() - started
        during = len((await rig.settled())["received"])
        await rig.control("behave", {"mode": "up"})
        well = await rig.push(delivery_id="d-7")

    assert well.status_code == 204
    assert during == (1 if mode in ("drop", "slow") else 0)
    assert took >= 0.6 or mode != "slow"


async def test_a_submission_goes_out_as_the_partner_and_the_answer_is_kept(tmp_path: Path) -> None:
    """What the hub answers is received bytes too, and is searched like all others."""
    async with Rig(tmp_path, {"channel": "webhook", "body": "full"}) as rig:
        answer = await rig.control(
            "submit",
            {"method": "POST", "path": "/messages", "body": {"a": 1}, "idempotency_key": "k"},
        )

    assert (answer["status"], answer["body"]) == (202, '{"status": "accepted"}')
    assert rig.hub.asked == [("POST", "/messages", "Bearer hubk_HOU-A.k1.x")]
    assert (tmp_path / "out" / "HOU-A" / "001-answer.json").exists()


async def test_it_ends_with_the_one_who_started_it(tmp_path: Path) -> None:
    """A double never outlives its parent: when standard input closes, it goes."""
    async with Rig(tmp_path, {"channel": "pull"}) as rig:
        running = rig.process._running
        running.stdin.close()
        code = await asyncio.wait_for(running.wait(), 10)

    assert code == 0
