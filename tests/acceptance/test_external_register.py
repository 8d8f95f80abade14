"""A hub whose authority keeps consent on a FHIR server of its own: while that server is slow, down,
refuses, talks nonsense, has gone back in time or lost what it knew, nothing flows but what the law
takes from consent (`domain.md` 7.1; `design.md` section 6).

Everything is real: the composed hub, its poller, its door, and the server in a process of its own.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests import builders as b
from tests.acceptance.real_hub import CAF, RealHub, real_hub
from tests.servers.consents import ConsentServerProcess, consent_server
from tests.unit.services.world import completion, includes, opening, part

OWNER, PULLS, BY_LAW = "SCH-A", "HOU-A", "EHM-A"
SECONDS: Final = 90.0
"""Longer than the hub leaves alone a server that did not answer."""
LEASE: Final = 1

MOODS: Final[dict[str, dict[str, Any]]] = {
    "down": {"down": True},
    "slow": {"slow": 3},
    "refuses": {"status": 503},
    "talks nonsense": {"body": "{not JSON"},
    "answers something else": {"body": '{"resourceType": "Patient"}'},
    "lost a decision": {"hide": "d2"},
    "went back in time": {"restore": True},
}


def decided(name: str, **changes: Any) -> dict[str, Any]:
    """Return a decision of the mother's for her child."""
    return b.decision(consent_decision_id=name, **{"scope_excludes": [], **changes})


STORED: Final = {"state": "STORE_ONLY", "share_decision": "no", "scope_includes": []}


@asynccontextmanager
async def registered(folder: Path) -> AsyncIterator[tuple[RealHub, ConsentServerProcess]]:
    """Run a hub whose authority 001 has a server of its own, with a shared assessment at rest."""
    with consent_server() as server:

        def configured(site: Path) -> None:
            one = f"{{url: {server.url}, authorities: ['001'], lease_seconds: {LEASE}, "
            (site / "consent.yaml").write_text(f"registers:\n  county: {one}timeout_seconds: 1}}\n")

        async with real_hub(folder, change=configured) as real:
            first = decided("d1", purpose=["STORE"], **STORED)
            server.decide("d1", first)
            await sent(real, {"consent_decision": first})
            await sent(real, {"event": "episode.opened", "episode": opening()})
            server.decide("d2", decided("d2", scope_includes=includes("SCH-A/SCH", "HOU-A/HOUS")))
            await until(lambda: learnt(real, "d2"))
            await sent(real, {"event": "assessment.completed", "episode": completion()})
            await until(lambda: offered(real, PULLS, "N7"))
            yield real, server


async def sent(real: RealHub, message: dict[str, Any]) -> None:
    """Let the school send something that the hub takes."""
    key = f"k{time.monotonic_ns()}"
    answer = await real.post(OWNER, "/messages", b.wire(message), key)
    assert answer.status_code in {201, 202}, answer.text


async def get(real: RealHub, who: str, path: str) -> Any:
    """Let a partner ask."""
    accept = "application/json" if path.endswith(("/inbox", "/consents")) else CAF
    headers = {"authorization": f"Bearer {real.keys[who]}", "accept": accept}
    return await real.client.get(path, headers=headers)


async def offered(real: RealHub, who: str, kind: str) -> list[str]:
    """Return the deliveries of a kind that wait for a partner."""
    inbox = (await get(real, who, "/inbox")).json()["deliveries"]
    return [one["delivery_id"] for one in inbox if one["message_type"] == kind]


async def learnt(real: RealHub, name: str, others: int = 1) -> bool:
    """Tell whether the hub has copied a decision, and *others*."""
    told = (await get(real, OWNER, "/episodes/e1/consents")).json()
    known = {one["consent_decision_id"] for one in told["decisions"]}
    return name in known and len(known) > others


async def until(asked: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Wait until *asked* says something."""
    deadline = time.monotonic() + seconds
    while not (found := await asked()):
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)
    return found


async def code_of(real: RealHub) -> str:
    """Return the code by which housing's view is refused, or its status."""
    answer = await get(real, PULLS, "/episodes/e1?purpose=PLAN&service=HOU-A/HOUS")
    return str(answer.json().get("code")) if answer.status_code >= 400 else "200"


@pytest.mark.parametrize(
    "moods",
    [
        pytest.param(("talks nonsense", "lost a decision", "down"), id="some"),
        pytest.param(tuple(MOODS), id="all", marks=pytest.mark.slow),
    ],
)
async def test_no_lease_no_content_whatever_the_server_does(
    tmp_path: Path, moods: tuple[str, ...]
) -> None:
    """One mood after the other: view, fetch and what is new stay; N13 goes, marked; and when the
    server is itself again, everything flows on.
    """
    async with registered(tmp_path) as (real, server):
        server.control(mark=True)
        again = decided("d2", scope_includes=includes("SCH-A/SCH", "HOU-A/HOUS"))
        server.decide("d2", {**again, "review_by": "2027-01-31"})
        await until(lambda: learnt(real, "d2", others=2))
        for number, mood in enumerate(moods):
            told = MOODS[mood]
            await until(lambda: shows(real, "200"))
            server.control(**told)
            await until(lambda: shows(real, "E_REGISTER"))
            waiting = set(await offered(real, PULLS, "N7")) | set(await offered(real, PULLS, "N6"))
            goal = {"conclusions": {**b.episode()["conclusions"], "goals": [f"Goal {number}"]}}
            await sent(real, {"event": "assessment.updated", "episode": part(**goal)})
            for delivery in waiting:
                fetched = await get(real, PULLS, f"/deliveries/{delivery}")
                assert fetched.status_code >= 400, (mood, fetched.text)
                assert "Goal" not in fetched.text
            await by_law(real, number)
            assert await code_of(real) == "E_REGISTER", mood
            now = set(await offered(real, PULLS, "N7")) | set(await offered(real, PULLS, "N6"))
            assert now <= waiting, f"content was offered while the server {mood}"
            server.control(calm=True)


async def shows(real: RealHub, code: str) -> bool:
    """Tell whether a view is answered like that now."""
    return await code_of(real) == code


async def by_law(real: RealHub, number: int) -> None:
    """Let the school disclose under an order, and see it arrive, marked, while nothing is sure."""
    before = set(await offered(real, BY_LAW, "N13"))
    told = b.disclosure(
        exception_id=f"x{number}",
        basis="COURT",
        basis_reference="Order 1",
        disclosed_to="EHM-A/FSW",
    )
    raw = b.wire({"disclosure": told, "episode": b.episode()})
    answer = await real.post(OWNER, "/disclosures", raw, f"x{number}")
    assert answer.status_code == 202, answer.text

    async def arrived() -> set[str]:
        return set(await offered(real, BY_LAW, "N13")) - before

    (delivery,) = await until(arrived)
    body = (await get(real, BY_LAW, f"/deliveries/{delivery}")).json()
    assert body["disclosure"]["consent_unverified"] is True
    assert re.search("burn", json.dumps(body))


@pytest.mark.parametrize("ends", ["withdrawn", pytest.param("deleted", marks=pytest.mark.slow)])
async def test_a_no_is_learnt_within_a_lease_though_nothing_is_sent(
    tmp_path: Path, ends: str
) -> None:
    """The poller asks by itself: the recall is offered, and the view is refused for good."""
    async with registered(tmp_path) as (real, server):
        (content,) = await offered(real, PULLS, "N7")
        assert (await get(real, PULLS, f"/deliveries/{content}")).status_code == 200
        if ends == "deleted":
            server.delete("d2")
        else:
            gone = {**STORED, "state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL"}
            server.decide("d2", decided("d2", **gone))

        await until(lambda: offered(real, PULLS, "N10"))
        refused = await get(real, PULLS, f"/deliveries/{content}")
        assert refused.status_code >= 400


async def test_every_service_asks_the_same_registers(tmp_path: Path) -> None:
    """None falls back to the hub's own: N13 was not marked, and an agreement under s17 was read
    from a copy that nobody vouched for, while the server was down.
    """

    def configured(site: Path) -> None:
        text = "registers:\n  county: {url: 'https://county.example/fhir', authorities: ['001']}\n"
        (site / "consent.yaml").write_text(text)

    async with real_hub(tmp_path, change=configured) as real:
        services = [one for one in vars(real.hub).values() if hasattr(one, "registers")]

    assert len(services) >= 5
    assert all(one.registers is real.hub.registers for one in services), services
