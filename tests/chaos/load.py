"""The load: families' episodes, each a conversation of one producer with the hub, many at a time.

A producer is what `reliability.md` P4 expects of a sender: it writes down what it sends before it
sends it, and what got no answer it sends again with the same key, for as long as it takes.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx

from tests import builders
from tests.chaos.family import HIDDEN_SECTION, opened
from tests.chaos.ledger import Ledger
from tests.chaos.partner import mark

CAF = "application/vnd.ecaf.message+json;version=1"
SERVICES = {
    "EHM-A": "EHM-A/FSW",
    "GP-A": "GP-A/GP",
    "HOU-A": "HOU-A/HOUS",
    "HV-A": "HV-A/HV",
    "SCH-A": "SCH-A/SCH",
    "SCH-B": "SCH-B/SCH",
}
PRODUCERS = ("SCH-A", "EHM-A")
RECIPIENTS = ("EHM-A", "GP-A", "HOU-A", "HV-A", "SCH-B")
HIDDEN = [{"service": SERVICES["HV-A"], "section": HIDDEN_SECTION}]
"""What the family keeps from the health visitor, who must never receive `WITHHELD`."""
AGAIN_SECONDS = 0.05
TWICE = 0.1
"""The share of messages that are sent twice at once, under one key."""


@dataclass(frozen=True, slots=True)
class Message:
    """One submission; *expect* are the (recipient, message type) that it must lead to."""

    key: str
    path: str
    body: bytes
    episode: str
    version: int
    expect: tuple[tuple[str, str], ...] = ()
    content_type: str = CAF


def conversation(producer: str, episode: str, updates: int) -> list[Message]:
    """Return one episode from the decision over the opening to *updates* of its assessment."""
    told = tuple(name for name in RECIPIENTS if name != producer)
    author = builders.practitioner(
        "p-teach", organisation=producer, service_type=SERVICES[producer].partition("/")[2]
    )
    found = [
        Message(
            f"{episode}-consent",
            f"/episodes/{episode}/consents",
            _bytes(_decision(episode, [SERVICES[name] for name in told])),
            episode,
            0,
            content_type="application/json",
        ),
        _message(episode, 0, "episode.opened", opened(episode, author), ()),
    ]
    for version in range(1, updates + 2):
        event, kind = (
            ("assessment.completed", "N7") if version == 1 else ("assessment.updated", "N6")
        )
        tree = {"episode_id": episode, "conclusions": _conclusions(episode, version)}
        if version == 1:
            tree["assessment_completed_on"] = _day()
        expect = tuple((name, kind) for name in told)
        found.append(_message(episode, version, event, tree, expect))
    return found


def narrowing(producer: str, episode: str, version: int, lost: str) -> list[Message]:
    """Return what takes everything from the partner *lost*, and one more update for the others."""
    told = tuple(name for name in RECIPIENTS if name not in {producer, lost})
    record = _decision(episode, []) | {
        "consent_decision_id": f"d-{episode}-narrower",
        "state": "NARROWED",
        "scope_excludes": [*HIDDEN, {"service": SERVICES[lost], "section": "all"}],
        "signed_at": _time(minutes=30),
        "recorded_at": _time(minutes=20),
    }
    tree = {"episode_id": episode, "conclusions": _conclusions(episode, version + 1)}
    return [
        Message(
            f"{episode}-narrower",
            f"/episodes/{episode}/consents",
            _bytes(record),
            episode,
            version,
            ((lost, "N10"),),
            content_type="application/json",
        ),
        _message(
            episode, version + 1, "assessment.updated", tree, tuple((name, "N6") for name in told)
        ),
    ]


def _message(
    episode: str, version: int, event: str, tree: Any, expect: tuple[tuple[str, str], ...]
) -> Message:
    body = _bytes({"event": event, "episode": tree})
    return Message(f"{episode}-{event}-{version}", "/messages", body, episode, version, expect)


def _bytes(tree: Mapping[str, Any]) -> bytes:
    return json.dumps(tree).encode()


def _time(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(days: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def _decision(episode: str, services: list[str]) -> dict[str, Any]:
    whole = [{"service": name, "section": "all", "sensitive": True} for name in services]
    tree: dict[str, Any] = builders.decision(
        consent_decision_id=f"d-{episode}",
        episode_id=episode,
        scope_includes=whole,
        scope_excludes=HIDDEN,
        signed_at=_time(hours=2),
        recorded_at=_time(hours=1),
        review_by=_day(90),
        expires_at=_day(360),
    )
    tree["competence_judgement"]["judged_at"] = _time(hours=3)
    return tree


def _conclusions(episode: str, version: int) -> dict[str, Any]:
    whole: dict[str, Any] = builders.episode()["conclusions"]
    return {**whole, "conclusions": mark(episode, version)}


class Producer:
    """One sender's system; it goes on until everything is answered."""

    def __init__(
        self, name: str, hub: str, key: str, ledger: Ledger, seed: int, twice: float = TWICE
    ) -> None:
        """Prepare to send as *name*; *twice* is the share of what is sent twice at once."""
        self._hub = hub
        self._twice = twice
        self._ledger = ledger
        self._random = Random(f"{seed} {name}")
        self._client = httpx.AsyncClient(
            trust_env=False, timeout=20, headers={"authorization": f"Bearer {key}"}
        )
        self.on_answer: Callable[[Message, int], None] = lambda _message, _status: None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def talk(self, messages: list[Message]) -> None:
        """Send one conversation, each message after the answer to the one before it."""
        for message in messages:
            times = 2 if self._random.random() < self._twice else 1
            await asyncio.gather(*(self._send(message) for _ in range(times)))

    async def _send(self, message: Message) -> None:
        while True:
            self._ledger.note(
                "attempt",
                key=message.key,
                episode=message.episode,
                version=message.version,
                expect=message.expect,
            )
            try:
                answer = await self._client.post(
                    self._hub + message.path,
                    content=message.body,
                    headers={
                        "idempotency-key": message.key,
                        "content-type": message.content_type,
                    },
                )
            except httpx.HTTPError:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if answer.status_code >= 500 or answer.status_code == 429:
                code = answer.json().get("code")
                self._ledger.note("unwell", key=message.key, status=answer.status_code, code=code)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self._ledger.note(
                "answer", key=message.key, status=answer.status_code, body=answer.json()
            )
            self.on_answer(message, answer.status_code)
            return
