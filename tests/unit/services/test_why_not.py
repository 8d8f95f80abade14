"""Why it did not arrive: each thing that can stop a message is named, with what mends it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.accreditation import Pilot, Protocol, Stage
from hub.domain.exchange import State
from hub.domain.partner import ApiKey, Credentials
from hub.errors import Code, Rejected, Unavailable
from hub.services.operating import Operations
from hub.services.registers import Registers
from tests import builders as b
from tests.unit.services.world import Tree, World, includes, part, subject

HOUR = timedelta(hours=1)
HOUSING = "HOU-A/HOUS"


@pytest.fixture
async def world() -> World:
    """Ava's assessment, shared with everybody whom Mia agreed to."""
    world = await World().shared()
    world.take()
    return world


async def asked(world: World, service: str = HOUSING, *, paused: bool = False) -> Tree:
    """Return the whole answer."""
    one = Operations(
        world.store, world.registry, world.clock, lambda: world.translator, world.hints
    )
    return dict(await one.why_not("e1", service, paused=paused))


async def cause(world: World, service: str = HOUSING, *, paused: bool = False) -> Tree:
    """Return what stops; something must."""
    found = (await asked(world, service, paused=paused))["stopped_by"]
    assert found is not None
    return dict(found)


async def update(world: World, level: str = "L3") -> None:
    """Change what everybody sees."""
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": level}))


def changed(world: World, name: str = "HOU-A", **changes: Any) -> None:
    """Change a partner's profile, as after a new start."""
    partners = {**world.partners, name: replace(world.partners[name], **changes)}
    world.registry = replace(world.registry, partners=partners)


async def test_nothing_stops_what_was_delivered(world: World) -> None:
    """The last delivery is named, and that nothing is in its way."""
    found = await asked(world)

    assert found["stopped_by"] is None
    assert (found["last"]["message_type"], found["last"]["state"]) == ("N7", "delivered")


async def test_an_episode_that_never_came(world: World) -> None:
    """No such episode: the sender's own key finds whether its message came."""
    one = Operations(
        world.store, world.registry, world.clock, lambda: world.translator, world.hints
    )

    found = (await one.why_not("e9", HOUSING))["stopped_by"]

    assert (found["code"], "ecaf messages search" in found["mend"]) == ("E_NOT_FOUND", True)


async def test_a_service_that_nobody_serves(world: World) -> None:
    """No partner serves it: a profile is missing."""
    found = await cause(world, "GP-Z/GP")

    assert (found["code"], "partners/NAME.yaml" in found["mend"]) == ("NO_PARTNER", True)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"stage": Stage.SUSPENDED}, "STAGE"),
        ({"stage": Stage.APPLIED}, "STAGE"),
        ({"accredited_until": date(2026, 8, 1)}, "ACCREDITATION_OVER"),
        ({"accredited_from": date(2027, 8, 1)}, "ACCREDITATION_OVER"),
        ({"protocols": (Protocol("ISP-9", date(2026, 8, 1)),)}, "PROTOCOL_LAPSED"),
        ({"protocols": (Protocol("ISP-9", date(2029, 1, 1), None, "002"),)}, "NO_PROTOCOL"),
        ({"stage": Stage.PILOT, "pilot": Pilot(services=frozenset({"HOU-A/X"}))}, "PILOT"),
        ({"stage": Stage.PILOT, "pilot": Pilot(authorities=frozenset({"002"}))}, "PILOT"),
    ],
)
async def test_accreditation_says_which_condition_fails(
    world: World, changes: dict[str, Any], because: str
) -> None:
    """Stage, period, lapsed or missing protocol, pilot: each by its own name and profile."""
    changed(world, **changes)

    found = await cause(world)

    assert (found["code"], found["about"]["because"]) == ("E_ORG_NOT_ACCREDITED", because)
    assert "partners/HOU-A.yaml" in found["mend"]


async def test_a_service_that_no_decision_names(world: World) -> None:
    """Without relationship, the command shows who is named."""
    found = await cause(world, "POL-A/POLN")

    assert found["code"] == "E_NO_RELATIONSHIP"
    assert "ecaf consent matrix e1" in found["mend"]


async def test_a_family_that_took_consent_back(world: World) -> None:
    """After a withdrawal it is consent, and the command shows which decision."""
    stop = {"state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL", "share_decision": "no",
            "scope_includes": []}  # fmt: skip
    await world.decide("SCH-A", world.decision(**stop))
    await world.decide("SCH-A", world.own(**stop))

    found = await cause(world)

    assert (found["code"], "ecaf consent" in found["mend"]) == ("E_CONSENT_SCOPE", True)


async def test_a_shield(world: World) -> None:
    """Somebody is shielded in full: nothing but an override shows anything."""
    await world.send("SCH-A", None, episode=part(subjects=subject(shielding="full")))

    found = await cause(world)

    assert (found["code"], "override" in found["mend"]) == ("E_SHIELDED", True)


async def test_a_lane_that_a_quarantined_delivery_holds(world: World) -> None:
    """The first that stands is named, whoever of the lane is asked about."""
    world.doubles["HOU-A"].faults.append(Rejected(Code.FORBIDDEN, "refused (422)"))
    await update(world)
    await update(world, "L4")
    (stopped,) = world.deliveries(state=State.QUARANTINED)

    found = await cause(world)

    assert (found["code"], found["about"]["reason"]) == ("QUARANTINED", "E_FORBIDDEN")
    assert found["mend"] == f"ecaf quarantine show {stopped.delivery_id}"


async def test_a_destination_that_does_not_answer(world: World) -> None:
    """What it answered last, and when the next attempt is due; rested by the breaker, that."""
    world.doubles["HOU-A"].faults.append(Unavailable(Code.UNAVAILABLE, "answered 503"))
    await update(world)
    retrying = await cause(world)
    rested = "the destination failed repeatedly; it is rested"
    world.doubles["HOU-A"].faults.append(Unavailable(Code.UNAVAILABLE, rested))
    world.clock.move(HOUR)
    await world.drain()

    breaker = await cause(world)

    assert (retrying["code"], "answered 503" in retrying["what"]) == ("RETRYING", True)
    assert retrying["about"]["next"] == "2026-09-01T09:01:00.000Z"
    assert (breaker["code"], breaker["about"]["attempts"]) == ("BREAKER_OPEN", 2)


async def test_what_waits_to_be_fetched(world: World) -> None:
    """Not fetched, fetched and not acknowledged, and all keys expired are three things."""
    pull = replace(world.partners["HOU-A"].delivering, channel="pull", body="thin")
    changed(world, delivering=pull)
    world = await refetched(world)
    waits = await cause(world)
    keys = (ApiKey("k1", "0" * 64, date(2026, 8, 1)),)
    world.registry = replace(world.registry, credentials={"HOU-A": Credentials(api_keys=keys)})

    expired = await cause(world)
    fetching = (world.partners["HOU-A"], str(waits["about"]["delivery"]))
    await world.collector.fetch(*fetching)

    assert waits["code"] == "NOT_FETCHED"
    assert (expired["code"], expired["about"]["expired_on"]) == ("KEY_EXPIRED", "2026-08-01")
    found = await cause(world)
    assert (found["code"], "its support: " in found["mend"]) == ("NOT_ACKNOWLEDGED", True)


async def refetched(world: World) -> World:
    """Return a world whose housing comes for its messages, with one that waits."""
    new = World(partners=world.registry.partners.values())
    await new.shared()
    return new


async def test_a_paused_hub_and_one_without_workers(world: World) -> None:
    """What is due and not taken: paused by an operator, or nobody works."""
    await world.post("SCH-A", b.wire({"event": "assessment.updated",
        "episode": part(conclusions={"need_level": "L4"})}))  # fmt: skip

    paused = await cause(world, paused=True)
    assert (paused["code"], "curl " in paused["mend"]) == ("PAUSED", True)
    assert (await cause(world))["code"] == "DUE"


async def test_a_register_that_cannot_be_asked(world: World) -> None:
    """Consent is kept elsewhere and nobody can confirm it: what waits goes by itself."""

    class Away:
        def decisions(self, *_asked: Any) -> Any:
            raise Unavailable(Code.REGISTER, "unreachable")

        async def refresh(self, episode_id: str) -> None:
            del episode_id

    parts = (world.store, world.registry, world.clock, lambda: world.translator, world.hints)
    one = Operations(*parts, Registers(site=Away()))

    found = (await one.why_not("e1", HOUSING))["stopped_by"]

    assert (found["code"], "consent.yaml" in found["mend"]) == ("E_REGISTER", True)


async def test_a_recall_that_nobody_acknowledges_holds_content(world: World) -> None:
    """The late acknowledgement is named, and whose it is."""
    await world.decide(
        "SCH-A",
        world.decision(
            state="NARROWED",
            scope_includes=includes("HV-A/HV"),
            scope_excludes=[{"service": "HV-A/HV", "section": "sec.parenting"}],
        ),
    )
    await update(world)

    found = await cause(world, "HV-A/HV")

    assert found["code"] == "RECALL_UNACKNOWLEDGED"
    assert found["about"]["held_by"] in found["mend"]
    assert "its support: " in found["mend"]


async def test_where_nothing_was_addressed_to_it(world: World) -> None:
    """What a service sends itself does not come back to it."""
    assert (await cause(world, "SCH-A/SCH"))["code"] == "NOTHING_TOLD"


async def test_what_ended_otherwise_can_be_replayed(world: World) -> None:
    """Withheld then and permitted now: the command that sends it today is named."""
    await update(world)
    last = world.deliveries(service=HOUSING)[-1]
    world.put(last, state=State.SUPPRESSED, reason="E_CONSENT_SCOPE")

    found = await cause(world)

    assert found["code"] == "E_CONSENT_SCOPE"
    assert found["mend"] == f"ecaf replay {last.delivery_id}"
