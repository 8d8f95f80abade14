"""Both registers of consent, our own and a FHIR server in a process of its own, keep one contract.

Source: `hub.services.registers.ConsentRegister`; `design.md` section 6.  Each is tried on the
memory store and on a real database.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.memory import MemoryStore
from adapters.partners.keys import create_keys
from hub.errors import Code, Unavailable
from tests.contract.registered import Registered, client, got
from tests.servers.consents import ConsentServerProcess, consent_server
from tests.unit.services.world import includes

Tree = dict[str, Any]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsentServerProcess]:
    """The server of an authority, over TLS."""
    keys = create_keys(tmp_path_factory.mktemp("site"), names=["localhost"])
    certificate = keys.server_cert, keys.server_key
    with consent_server(certificate, keys.ca_cert) as running:
        yield running


@dataclass
class Kept:
    """A hub, and how a decision is made known to its register."""

    world: Registered
    say: Callable[[str, Tree], Awaitable[None]]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """Where the hub keeps what it knows."""
    if request.param == "memory":
        yield MemoryStore()
        return
    FileVault.create(tmp_path / "vault.key")
    made = SqlStore(f"sqlite:///{tmp_path / 'hub.db'}", FileVault(tmp_path / "vault.key"))
    yield made
    await made.close()


@pytest.fixture(params=["own", "fhir"])
async def kept(
    request: pytest.FixtureRequest, store: Any, process: ConsentServerProcess
) -> AsyncIterator[Kept]:
    """A hub with one of the two registers."""
    if request.param == "own":
        world = Registered(store=store)

        async def post(_name: str, record: Tree) -> None:
            await world.decide("SCH-A", {"evidence_ref": "form-1", **record})

        yield Kept(world, post)
        return
    process.control(calm=True, clear=True)
    server = client(process)
    world = Registered(server, store=store)

    async def keep(name: str, record: Tree) -> None:
        process.decide(name, record)

    yield Kept(world, keep)
    await server.close()


def withdrawal(world: Registered) -> Tree:
    """Mia withdraws from housing."""
    return world.decision(
        state="WITHDRAWN",
        withdrawal_type="SHARE_SERVICE",
        share_decision="no",
        scope_includes=[],
        scope_excludes=[{"service": "HOU-A/HOUS", "section": "all"}],
    )


async def test_decisions_are_known_whole_and_in_order(kept: Kept) -> None:
    """Every record comes as it was signed."""
    world = kept.world
    said = {}

    async def say(name: str, record: Tree) -> None:
        said[record["consent_decision_id"]] = record
        await kept.say(name, record)

    await world.begin(say)
    found = await world.known()
    assert [one.sequence for one in found] == [1, 2, 3]
    for one in found[1:]:
        record = {name: value for name, value in said[one.decision_id].items() if value != []}
        told = {name: value for name, value in one.record.items() if value != []}
        told.pop("copied_from", None)
        assert told == {"evidence_ref": "form-1", **record}


async def test_what_was_agreed_is_shared(kept: Kept) -> None:
    """From decision to recipient, and to nobody else."""
    await kept.world.begin(kept.say)
    await kept.world.complete()
    assert "N7" in got(kept.world, "HV-A")
    assert kept.world.last("HV-A", "N7").episode
    assert got(kept.world, "CAMHS-A") == []


async def test_a_withdrawal_recalls(kept: Kept) -> None:
    """What was learnt from a register has every effect of what is posted."""
    world = kept.world
    await world.begin(kept.say)
    await world.complete()
    assert "N7" in got(world, "HOU-A")
    await kept.say("no", withdrawal(world))
    await world.learn()
    assert got(world, "HOU-A")[-1] == "N10"
    assert "N10" not in got(world, "HV-A")


async def test_to_refresh_again_changes_nothing(kept: Kept) -> None:
    """Neither decisions nor audit grow."""
    await kept.world.begin(kept.say)
    before = await kept.world.known()
    rows = len(await kept.world.trail("consent.recorded"))
    for _ in range(3):
        await kept.world.learn()
    assert await kept.world.known() == before
    assert len(await kept.world.trail("consent.recorded")) == rows


async def test_a_decision_that_is_lost_is_noticed(kept: Kept) -> None:
    """Fewer decisions than there were are no decisions."""
    await kept.world.begin(kept.say)
    register = kept.world.registers.at("001")

    class Forgetful:
        def __init__(self, session: Any) -> None:
            self._session = session

        def __getattr__(self, name: str) -> Any:
            return getattr(self._session, name)

        def decisions(self, episode_id: str) -> Any:
            return self._session.decisions(episode_id)[:-1]

    def unit(session: Any) -> Any:
        return register.decisions(Forgetful(session), session.episode("e1"))

    with pytest.raises(Unavailable) as raised:
        await kept.world.asked(unit)
    assert raised.value.code is Code.REGISTER


async def test_an_unknown_episode_is_nothing(kept: Kept) -> None:
    """A register that is asked about an episode which the hub does not know makes none."""
    await kept.world.registers.at("001").refresh("e9")
    assert await kept.world.asked(lambda session: session.episode("e9")) is None


async def test_a_widening_reaches_who_gained(kept: Kept) -> None:
    """A service that a newer decision adds is involved and told."""
    world = kept.world
    await world.begin(kept.say)
    await world.complete()
    world.take()
    wider = world.decision(state="WIDENED", scope_includes=includes("CAMHS-A/CAMHS"))
    await kept.say("wider", wider)
    await world.learn()
    assert got(world, "CAMHS-A") == ["N7"]
