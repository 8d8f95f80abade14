"""A family's decision as a bare FHIR Consent, at the door: taken like the hub's own record, refused
whole where any of it cannot be read (D-39), and given out again as what it was.
"""

import copy
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from mappings.commands import translator
from tests import builders as b
from tests.acceptance.real_hub import RealHub, real_hub
from tests.servers.consents import consent
from tests.unit.services.world import completion, includes, opening

FHIR: Final = "application/fhir+json"
OWNER: Final = "SCH-A"


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[RealHub]:
    """A hub at its real door."""
    async with real_hub(tmp_path) as running:
        yield running


def decided(name: str, **changes: Any) -> dict[str, Any]:
    """Return a decision as the hub's own record."""
    made = {"consent_decision_id": name, "scope_excludes": [], "evidence_ref": "form-1"}
    return {**b.decision(), **made, **changes}


def stored(name: str) -> dict[str, Any]:
    """Return the decision that the record may be kept, and the index know of it."""
    told = {"state": "STORE_ONLY", "share_decision": "no", "scope_includes": []}
    return decided(name, purpose=["STORE", "INDEX"], index_consent="yes", **told)


async def post(real: RealHub, body: Any, key: str, kind: str = FHIR) -> Any:
    """Send it as the school's system does."""
    headers = {
        "authorization": f"Bearer {real.keys[OWNER]}",
        "content-type": kind,
        "idempotency-key": key,
    }
    return await real.client.post("/messages", content=json.dumps(body), headers=headers)


async def listed(real: RealHub) -> list[dict[str, Any]]:
    """Return the decisions that are recorded."""
    headers = {"authorization": f"Bearer {real.keys[OWNER]}"}
    answer = await real.client.get("/episodes/e1/consents", headers=headers)
    found: list[dict[str, Any]] = answer.json()["decisions"]
    return found


async def test_a_bare_consent_is_a_decision_like_any_other(real: RealHub) -> None:
    """To store, to share and to withdraw: recorded field for field, the same again once, and the
    gate goes by it.
    """
    first = stored("d1")
    answer = await post(real, consent(first), "k1")
    assert (answer.status_code, answer.json()["event"]) == (201, "consent.given"), answer.text
    again = await post(real, consent(first), "k1")
    assert (again.status_code, again.json()) == (201, answer.json())
    for number, message in enumerate(({"event": "episode.opened", "episode": opening()},)):
        raw = b.wire(message)
        assert (await real.post(OWNER, "/messages", raw, f"m{number}")).status_code == 202
    shared = decided("d2", scope_includes=includes("SCH-A/SCH", "HV-A/HV"))
    assert (await post(real, consent(shared), "k2")).status_code == 201
    raw = b.wire({"event": "assessment.completed", "episode": completion()})
    assert (await real.post(OWNER, "/messages", raw, "m9")).status_code == 202
    gone = decided(
        "d3", state="WITHDRAWN", withdrawal_type="SHARE_ALL", share_decision="no", scope_includes=[]
    )
    answer = await post(real, consent(gone), "k3")
    assert answer.status_code in {201, 202}, answer.text
    assert answer.json()["state"] == "PAUSED"

    kept = await listed(real)
    assert [one["state"] for one in kept] == ["STORE_ONLY", "SHARE", "WITHDRAWN"]
    for sent, one in zip((first, shared, gone), kept, strict=True):
        wanted = {name: value for name, value in sent.items() if value != []}
        assert {name: one.get(name) for name in wanted} == wanted
        assert consent(one) == consent(sent)


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda resource: resource.pop(name, None)


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda resource: resource.update({name: value})


WRONG: Final[dict[str, Callable[[dict[str, Any]], None]]] = {
    "no patient": _without("patient"),
    "no status": _without("status"),
    "another scope": _set("scope", {"coding": [{"code": "research"}]}),
    "a status that contradicts": _set("status", "entered-in-error"),
    "a modifier that nobody knows": _set(
        "modifierExtension", [{"url": "https://example.org/not", "valueBoolean": True}]
    ),
    "a label that narrows": lambda resource: resource["provision"].update(
        {"securityLabel": [{"code": "R"}]}
    ),
    "an exception to an exception": lambda resource: resource["provision"].update(
        {"provision": [{"type": "deny", "provision": [{"type": "permit"}]}]}
    ),
    "an unknown field": _set("widens", True),
}


async def test_what_cannot_be_read_whole_is_refused_whole(real: RealHub) -> None:
    """A stable code and a place; nothing is recorded, and nothing of it is echoed."""
    assert (await post(real, consent(stored("d1")), "k1")).status_code == 201
    for number, (name, spoil) in enumerate(WRONG.items()):
        resource = copy.deepcopy(consent(decided("d2", scope_includes=includes("HV-A/HV"))))
        spoil(resource)
        answer = await post(real, resource, f"w{number}")

        assert 400 <= answer.status_code < 500, (name, answer.text)
        assert answer.json()["code"].startswith("E_"), (name, answer.text)
        assert "Mia" not in answer.text
    assert len(await listed(real)) == 1


async def test_a_strangers_bare_consent_is_refused_as_an_unknown_one(real: RealHub) -> None:
    """The same code and words for somebody else's episode as for none."""
    assert (await post(real, consent(stored("d1")), "k1")).status_code == 201
    said = []
    for reference in ("e1", "e9"):
        gone = decided(
            "d9", episode_id=reference, state="WITHDRAWN", withdrawal_type="SHARE_ALL",
            share_decision="no", scope_includes=[],
        )  # fmt: skip
        headers = {
            "authorization": f"Bearer {real.keys['EHM-A']}",
            "content-type": FHIR,
            "idempotency-key": f"s-{reference}",
        }
        body = json.dumps(consent(gone))
        answer = await real.client.post("/messages", content=body, headers=headers)
        told = {k: v for k, v in answer.json().items() if k != "request_id"}
        said.append((answer.status_code, json.dumps(told)))

    assert said[0] == said[1]
    assert said[0][0] == 404


def test_what_the_hub_writes_it_reads() -> None:
    """Out and in again, every field of the record."""
    record = decided("d2", scope_includes=includes("HV-A/HV", "SCH-A/SCH"))
    body = json.dumps(consent(record)).encode()
    read = translator().read(FHIR, body, partner="SCH-A").message["consent_decision"]

    assert {k: v for k, v in read.items() if v != []} == {
        k: v for k, v in record.items() if v != []
    }
