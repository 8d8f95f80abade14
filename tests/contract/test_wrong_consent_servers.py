"""A consent server that is unreachable, slow, wrong or rolled back: nothing is shared, it is said,
and when the server is well again what waited goes.

The server is a process of its own; `design.md` section 6, `reliability.md` P22.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.memory import MemorySession
from hub.domain.exchange import State
from hub.errors import Code, Misconfigured, Unavailable
from tests.contract.registered import LEASE, PATIENT, Registered, client, got
from tests.servers.consents import ConsentServerProcess, consent, consent_server
from tests.unit.services.world import includes

Tree = dict[str, Any]
Wrong = Callable[[ConsentServerProcess, Registered], None]
Lapse = Callable[[], None]
CONTENT = {"N6", "N7", "N9", "N16"}


@pytest.fixture(scope="module")
def process() -> Iterator[ConsentServerProcess]:
    """One server for all, calmed before each."""
    with consent_server() as running:
        yield running


@pytest.fixture
def lapse(monkeypatch: pytest.MonkeyPatch) -> Lapse:
    """Lets the real time of the store go on by a lease, which is no wait of ours."""
    ahead = timedelta()

    def clock(_session: MemorySession) -> datetime:
        return datetime.now(UTC) + ahead

    def go() -> None:
        nonlocal ahead
        ahead += LEASE

    monkeypatch.setattr(MemorySession, "clock", clock)
    return go


@pytest.fixture
async def world(process: ConsentServerProcess) -> AsyncIterator[Registered]:
    """A hub whose decisions are on the server, before anything is shared."""
    process.control(calm=True, clear=True)
    server = client(process)
    made = Registered(server, lease=LEASE)

    async def keep(name: str, record: Tree) -> None:
        process.decide(name, record)

    await made.begin(keep)
    process.control(mark=True)
    made.inbox.clear()
    yield made
    await server.close()


def said(**told: Any) -> Wrong:
    """The server answers so."""

    def make(server: ConsentServerProcess, _world: Registered) -> None:
        server.control(**told)

    return make


def second(**changes: Any) -> Wrong:
    """There is one more Consent, with something wrong in it."""

    def make(server: ConsentServerProcess, world: Registered) -> None:
        wider = world.decision(state="WIDENED", scope_includes=includes("CAMHS-A/CAMHS"))
        server.keep("second", {**consent(wider), **changes})

    return make


def slow(server: ConsentServerProcess, world: Registered) -> None:
    """The server takes longer than it is given."""
    server.control(slow=2)
    world.server._limits = replace(PATIENT, total_seconds=0.5)


def rewritten(**meta: Any) -> Wrong:
    """The first Consent says something else, under the server's data in *meta*."""

    def make(server: ConsentServerProcess, world: Registered) -> None:
        record = world.decision(scope_includes=includes("CAMHS-A/CAMHS"))
        server.keep("all", {**consent(record), "meta": meta})

    return make


def backdated(server: ConsentServerProcess, world: Registered) -> None:
    """After a no that the hub knows, a yes turns up that was signed before it."""
    old = world.decision(scope_includes=includes(), signed_at="2026-08-01T09:00:00Z")
    server.decide("old", old)


def forgotten(server: ConsentServerProcess, world: Registered) -> None:
    """The first Consent has a new version, and the one that the hub saw is nowhere."""
    rewritten()(server, world)
    server.control(forget=True)


def page(*entries: str, **more: str) -> str:
    """A search result with these entries."""
    members = "".join(f', "{name}": {value}' for name, value in more.items())
    listed = ",".join(entries)
    return f'{{"resourceType": "Bundle", "type": "searchset", "entry": [{listed}]{members}}}'


RECOVERING: dict[str, Wrong] = {
    "unreachable": said(down=True),
    "slow": slow,
    "failing": said(status=503),
    "busy": said(status=429),
    "refusing": said(status=403),
    "moved": said(status=302),
    "cut off": said(body='{"resourceType": "Bundle", "type": "searchset"'),
    "no JSON": said(body="<html/>"),
    "another format": said(body="<html/>", type="text/html"),
    "a repeated key": said(body=page('{"resource": {"a": 1, "a": 2}}')),
    "no bundle": said(body='{"resourceType": "Patient"}'),
    "another kind of bundle": said(body='{"resourceType": "Bundle", "type": "history"}'),
    "entries that are none": said(body=page("7", "null")),
    "a count that does not fit": said(body=page(total="3")),
    "not whole, it says": said(body=page('{"search": {"mode": "outcome"}, "resource": {}}')),
    "more elsewhere": said(
        body=page(link='[{"relation": "next", "url": "http://127.0.0.1:9/fhir/x"}]')
    ),
    "empty, and yet it has them": said(body=page()),
    "one passed over": said(hide="all"),
}
LASTING: dict[str, Wrong] = {
    "an unknown state": second(extension=[]),
    "a modifier": second(modifierExtension=[{"url": "urn:example:only", "valueBoolean": True}]),
    "a part of the future": second(decision="permit"),
    "from the future": second(meta={"lastUpdated": "2999-01-01T00:00:00Z"}),
    "no version": second(meta={"versionId": ""}),
    "a status that contradicts": second(status="rejected"),
    "a person of nobody": second(
        patient={"identifier": {"system": "https://ecaf.example/fhir/Id/caf-subject", "value": "x"}}
    ),
    "changed under the same version": rewritten(versionId="1"),
    "an older version": rewritten(versionId="0"),
    "an older date": rewritten(versionId="7", lastUpdated="2026-01-01T00:00:00Z"),
    "history that is gone": forgotten,
}


async def waits(world: Registered, lapse: Lapse) -> None:
    """The assessment is complete, and nobody is sent any of it."""
    lapse()
    await world.complete()
    assert [one.type for one in world.inbox if one.type in CONTENT] == []
    waiting = await world.sent(message_type="N7")
    assert waiting
    assert {(one.state, one.reason, one.attempts) for one in waiting} == {
        (State.PENDING, "E_REGISTER", 0)
    }
    held = [row.delivery_id for row in await world.trail("delivery.held")]
    assert {one.delivery_id for one in waiting} <= set(held)
    assert len(held) == len(set(held))
    assert (await world.trail("register.unsure"))[-1].facts == {"register": "county"}


@pytest.mark.parametrize("how", RECOVERING)
async def test_what_waited_goes_when_the_server_is_well(
    how: str, process: ConsentServerProcess, world: Registered, lapse: Lapse
) -> None:
    """Nothing leaves meanwhile; afterwards everybody gets what they may see, once."""
    RECOVERING[how](process, world)
    await waits(world, lapse)
    process.control(calm=True)
    world.server._limits = PATIENT
    for _ in range(40):  # a server that failed repeatedly is rested first
        if got(world, "HV-A"):
            break
        world.clock.move(timedelta(seconds=10))
        await world.drain()
    assert got(world, "HV-A").count("N7") == 1
    assert (await world.trail("register.sure"))[-1].code == "OK"


@pytest.mark.parametrize("how", LASTING)
async def test_what_cannot_be_understood_stops_everything(
    how: str, process: ConsentServerProcess, world: Registered, lapse: Lapse
) -> None:
    """One Consent that cannot be relied on makes all of them doubtful."""
    LASTING[how](process, world)
    before = len(await world.asked(lambda session: session.decisions("e1")))
    await waits(world, lapse)
    assert len(await world.asked(lambda session: session.decisions("e1"))) == before
    with pytest.raises(Unavailable) as view:
        await world.viewer.view(
            world.partners["HV-A"], "HV-A/HV", "e1", "ASSESS", "application/fhir+json"
        )
    assert view.value.code is Code.REGISTER


async def test_a_yes_from_before_a_no_is_not_believed(
    process: ConsentServerProcess, world: Registered, lapse: Lapse
) -> None:
    """A server that has been set back may bring what was withdrawn since."""
    no = world.decision(
        state="WITHDRAWN", withdrawal_type="SHARE_SERVICE", share_decision="no", scope_includes=[],
        scope_excludes=[{"service": "HV-A/HV", "section": "all"}],
    )  # fmt: skip
    process.decide("no", no)
    await world.learn()
    backdated(process, world)
    await waits(world, lapse)


ENDS: dict[str, Wrong] = {
    "inactive": lambda server, world: server.keep(
        "all", {**consent(world.decision(scope_includes=includes())), "status": "inactive"}
    ),
    "entered in error": lambda server, world: server.keep(
        "all", {**consent(world.decision(scope_includes=includes())), "status": "entered-in-error"}
    ),
    "deleted": lambda server, _world: server.delete("all"),
    "never there": said(clear=True),
}


@pytest.mark.parametrize("how", ENDS)
async def test_a_consent_that_ended_is_a_withdrawal(
    how: str, process: ConsentServerProcess, world: Registered, lapse: Lapse
) -> None:
    """Whoever received is told to stop, and no content follows."""
    await world.complete()
    assert "N7" in got(world, "HV-A")
    world.inbox.clear()
    ENDS[how](process, world)
    lapse()
    await world.learn()
    assert set(got(world, "HV-A")) == {"N10"}
    assert set(got(world, "HOU-A")) == {"N10"}
    newest = await world.asked(lambda session: session.decisions("e1"))
    assert "WITHDRAWN" in [one.record["state"] for one in newest]
    assert (await world.top()).process == "PAUSED"
    await world.learn()
    assert len(await world.asked(lambda session: session.decisions("e1"))) == len(newest)


async def test_a_no_counts_though_the_rest_is_wrong(
    process: ConsentServerProcess, world: Registered, lapse: Lapse
) -> None:
    """What has certainly ended is taken back even where nothing else can be believed."""
    await world.complete()
    world.inbox.clear()
    process.delete("all")
    second(extension=[])(process, world)
    lapse()
    await world.learn()
    assert got(world, "HV-A") == ["N10"]


async def test_a_decision_that_both_have_is_recorded_once(
    process: ConsentServerProcess, world: Registered
) -> None:
    """A system may post to the hub what its authority's register keeps too."""
    both = world.decision(
        state="WIDENED", scope_includes=includes("CAMHS-A/CAMHS"), evidence_ref="form-2"
    )
    await world.decide("SCH-A", both)
    before = len(await world.asked(lambda session: session.decisions("e1")))
    process.decide("both", both)
    await world.learn()
    assert len(await world.asked(lambda session: session.decisions("e1"))) == before
    assert await world.known()


async def test_where_a_decision_came_from_is_on_record(world: Registered) -> None:
    """Server, Consent and version stand with the record and in the audit."""
    decisions = await world.asked(lambda session: session.decisions("e1"))
    source = {"register": "county", "consent": "all", "version": "1"}
    assert decisions[1].record["copied_from"] == source
    assert decisions[1].recorded_by == "register:county"
    copied = [row.facts for row in await world.trail("consent.copied")]
    assert {**source, "decision": decisions[1].decision_id} in copied


async def test_those_who_wait_ask_once(
    process: ConsentServerProcess, world: Registered, lapse: Lapse
) -> None:
    """Twenty at once are one reading."""
    lapse()
    before = process.control()
    register = world.registers.at("001")
    await asyncio.gather(*(register.refresh("e1") for _ in range(20)))
    assert process.control() == before + 1


async def test_within_the_lease_nobody_asks(process: ConsentServerProcess) -> None:
    """The copy is what the gate reads; the server may even be away till the lease ends."""
    process.control(calm=True, clear=True)
    server = client(process)
    world = Registered(server, lease=timedelta(seconds=60))

    async def keep(name: str, record: Tree) -> None:
        process.decide(name, record)

    await world.begin(keep)
    process.control(down=True)
    before = process.control()
    await world.complete()
    assert "N7" in got(world, "HV-A")
    assert process.control() == before
    await server.close()


async def test_other_authorities_are_not_bound(process: ConsentServerProcess) -> None:
    """A register decides about the episodes of its authority."""
    process.control(calm=True, clear=True, down=True)
    server = client(process)
    world = Registered(server, authorities=("002",))
    await world.begin(lambda _name, record: world.decide("SCH-A", record))
    await world.complete()
    assert "N7" in got(world, "HV-A")
    await server.close()


async def test_by_patient_other_episodes_are_left_alone(process: ConsentServerProcess) -> None:
    """A server that is asked by patient may know of more episodes than one."""
    process.control(calm=True, clear=True)
    server = client(process, search="patient")
    world = Registered(server, lease=LEASE)

    async def keep(name: str, record: Tree) -> None:
        process.decide(name, record)

    process.decide("other", world.decision(episode_id="e7", scope_includes=includes()))
    await world.begin(keep)
    await world.complete()
    assert "N7" in got(world, "HV-A")
    assert len(await world.known()) == 3
    await server.close()


@pytest.mark.parametrize(
    "url", ["http://consent.example/fhir", "https://u:p@consent.example", "https://c.example/?a=1"]
)
def test_an_unsafe_address_is_refused(url: str) -> None:
    """Before anything is asked."""
    with pytest.raises(Misconfigured):
        client(ConsentServerProcess(url.removesuffix("/fhir"), None))
