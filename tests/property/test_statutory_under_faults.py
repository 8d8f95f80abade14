"""Disclosures by law while consent cannot be read: every one goes, and nothing else does.

`domain.md` 4.6 rule 4, 7.1; `reliability.md` P22.  250 disclosures for each store in the suite,
10,000 in the slow tier (``ECAF_TEST_FAULTED=10000``).  What is counted: disclosures that did not
arrive, and bytes of anything else that any recipient got.
"""

import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.memory import MemoryStore
from hub.errors import HubError
from hub.services.see import Viewer
from tests import builders as b
from tests.property.test_faulted_consent import READS, TRIALS, Broken, FaultyStore
from tests.unit.services.world import World, part

UNSEEN = {"no dates"}
"""Records that say what they say, and are no decision: they could be read."""
SECTIONS = (
    *("sec.identity", "sec.family", "sec.child.health", "sec.parenting", "sec.conclusions"),
    *("sec.services", "sec.plan", "sec.env.housing"),
)
BASES = ("S47", "CRIME", "VITAL", "ADULT_HARM", "PUBLIC_INTEREST", "COURT", "STATUTE")


def record(rng: random.Random, number: int, who: str) -> dict[str, Any]:
    """Return one decision, by the school from its own knowledge or by the lead from the record."""
    basis = rng.choice(BASES)
    to = "HV-A/HV" if basis in {"COURT", "STATUTE"} and rng.random() < 0.3 else "CSC-A/CSC"
    if basis not in {"COURT", "STATUTE"} and rng.random() < 0.4:
        to = "POL-A/POLN"
    return b.disclosure(
        exception_id=f"x{number}",
        basis=basis,
        disclosed_to=to,
        decided_by=b.practitioner("p-lead" if who == "EHM-A" else "p-teach"),
        disclosed_sections=rng.sample(SECTIONS, rng.randint(1, 4)),
        **({"basis_reference": "an order"} if basis in {"COURT", "STATUTE"} else {}),
    )


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_no_fault_stops_a_disclosure_and_none_lets_anything_else_out(
    kind: str, tmp_path: Path
) -> None:
    """Content waits in every lane, is asked for by view, and stays; each disclosure arrives."""
    inner: Any = MemoryStore()
    if kind == "sqlite":
        vault = FileVault.create(tmp_path / "v.key")
        inner = SqlStore(f"sqlite:///{tmp_path}/e.db", vault)
    store = FaultyStore(inner)
    world = await World(store=store).planned()
    viewer: Viewer = world.viewer
    rng = random.Random(13)
    others: Counter[str] = Counter()
    missing = unmarked = 0
    for number in range(TRIALS):
        if number % 25 == 0:  # something that would go, were it not for the fault
            level = f"L{1 + number // 25 % 4}"
            change = {"conclusions": {"need_level": level, "goals": [f"Goal {number}."]}}
            await world.post(
                "SCH-A", b.wire({"event": "assessment.updated", "episode": part(**change)})
            )
        name = rng.choice(list(READS))
        store.fault = READS[name]
        who = rng.choice(("SCH-A", "EHM-A"))
        told = record(rng, number, who)
        if who == "SCH-A":
            await world.disclose(who, told, episode=part(subjects=[b.subject()]))
        else:
            await world.disclose(who, told)
        with suppress(HubError, Broken, TimeoutError, TypeError, AttributeError, ValueError):
            await viewer.view(
                world.partners["HV-A"], "HV-A/HV", "e1", "PLAN", "application/fhir+json"
            )
            others["VIEW"] += 1
        store.fault = None
        arrived = [got for got in world.inbox if got.type == "N13"]
        others.update(got.type for got in world.inbox if got.type != "N13")
        missing += len(arrived) != 1
        for got in arrived:
            mark = got.message["disclosure"].get("consent_unverified", False)
            unmarked += not mark and name not in UNSEEN
        world.inbox.clear()
        world.hints.drain(1000)
    if kind == "sqlite":
        await inner.close()

    assert (missing, dict(others), unmarked) == (0, {}, 0)
