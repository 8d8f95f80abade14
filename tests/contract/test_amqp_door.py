"""The AMQP door in trouble: nothing is acknowledged that is neither recorded nor answered."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.doors.amqp import UNREAD, AmqpLimits
from hub.bootstrap import topology
from hub.doors import amqp_door
from hub.errors import Code, Misconfigured, Unavailable
from hub.secrets import Secret
from messaging.channel import Disposition
from messaging.errors import ChannelFull, TransportError, TransportUnavailable, Unroutable
from tests.contract.amqp_post import QUEUE, Post
from tests.unit.services.world import suspended

PATIENT = AmqpLimits(hold_seconds=60.0, least_seconds=0.001, most_seconds=0.01)


@pytest.fixture
async def post(tmp_path: Path) -> Post:
    """A hub with a door, that soon gives up waiting."""
    return await Post(tmp_path).open()


def failing(
    there: Any, name: str, monkeypatch: pytest.MonkeyPatch, error: Exception, times: int = 10**9
) -> Callable[[], int]:
    """Let a method fail so many times; return what counts the calls."""
    healthy, called = getattr(there, name), 0

    async def fail(*given: Any, **more: Any) -> Any:
        nonlocal called
        called += 1
        if called <= times:
            raise error
        return await healthy(*given, **more)

    monkeypatch.setattr(there, name, fail)
    return lambda: called


async def test_a_message_is_recorded_answered_and_done_with(post: Post) -> None:
    """The answer is a receipt, and names the message that it answers."""
    await post.world.shared()

    assert await post.take() is Disposition.ACK

    (told,), (answer,) = post.envelopes(), post.answers()
    assert told.correlation_id == answer["message_id"] == "m-1"
    assert answer["status"] == "accepted"
    assert "episode_id" in answer
    assert post.world.head.lead == "APPOINTED"


async def test_while_the_store_is_away_a_message_is_held_and_then_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's fault: it is tried again with the message in hand, and counted by nobody."""
    post = await Post(tmp_path, limits=PATIENT).open()
    await post.world.shared()
    calls = failing(post.hub, "receive", monkeypatch, Unavailable(Code.STORE, "away"), times=5)

    assert await post.take() is Disposition.ACK

    assert calls() == 6
    assert post.answers()[0]["status"] == "accepted"


async def test_what_cannot_be_recorded_goes_back_unanswered(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a bounded time; and nothing more is read before the store is well."""
    failing(post.hub, "receive", monkeypatch, Unavailable(Code.STORE, "away"))
    calls = failing(
        post.world.store, "counts", monkeypatch, Unavailable(Code.STORE, "away"), times=3
    )

    assert await post.take() is Disposition.RETRY
    assert post.envelopes() == []

    await asyncio.wait_for(post.door.ready(QUEUE), 30)
    assert calls() == 4


@pytest.mark.parametrize(
    "error",
    [TransportUnavailable("no answer"), ChannelFull("full"), Unroutable("no queue"),
     TransportError("no")],
)  # fmt: skip
async def test_what_cannot_be_answered_goes_back_and_its_queue_waits(
    post: Post, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Who does not read its answers is not read: first the answer that is owed, then the next."""
    await post.world.shared()
    with monkeypatch.context() as patched:
        failing(post.transport, "publish", patched, error)
        assert await post.take() is Disposition.RETRY
        version = post.world.head.version
        waiting = asyncio.create_task(post.door.ready(QUEUE))
        others = asyncio.create_task(post.door.ready("caf.in.HOU-A"))
        await asyncio.wait_for(others, 30)
        assert not waiting.done()
        assert post.envelopes() == []

    await asyncio.wait_for(waiting, 30)
    assert post.answers()[0]["status"] == "accepted"
    assert await post.take(times=1) is Disposition.ACK
    first, again = post.envelopes()
    assert (first.message_id, first.body) == (again.message_id, again.body)
    assert post.world.head.version == version


async def test_a_message_that_is_no_longer_ours_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker was lost and has it again: holding on to it would do it twice."""
    post = await Post(tmp_path, limits=PATIENT).open()
    calls = failing(post.hub, "receive", monkeypatch, Unavailable(Code.STORE, "away"))

    assert await post.take(alive=lambda: calls() < 3) is Disposition.RETRY

    assert calls() == 3


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError(), TypeError("y")])
async def test_our_own_fault_is_set_aside_whole(
    post: Post, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It would fail again, and is not the sender's: to the dead letters, by which it is told."""
    with monkeypatch.context() as patched:
        failing(post.hub, "receive", patched, error)
        assert await post.take() is Disposition.REJECT

    assert await post.unread(reason="rejected") is Disposition.REJECT
    assert post.answers()[0]["code"] == "E_INTERNAL"


async def test_a_dead_letter_that_cannot_be_answered_holds_up_no_other(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept with the dead letters, and the alert says so."""
    with monkeypatch.context() as patched:
        failing(post.transport, "publish", patched, ChannelFull("full"))
        assert await post.unread(reason="expired") is Disposition.REJECT
        assert await post.unread(reason="rejected") is Disposition.REJECT
    kinds = {one.kind for _, one in await post.world.store.alerts(0, 10)}
    assert kinds == {"amqp.given_up", "amqp.unanswered"}

    await asyncio.wait_for(post.door.ready(UNREAD), 30)


async def test_a_dead_letter_waits_for_the_store(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What became of it is recorded before it is told."""
    failing(post.world.store, "run", monkeypatch, Unavailable(Code.STORE, "away"))

    assert await post.unread(reason="expired") is Disposition.RETRY

    assert post.envelopes() == []


async def test_a_site_whose_partners_send_needs_a_broker(post: Post) -> None:
    """Better no start than a door that nobody opens."""
    with pytest.raises(Misconfigured) as caught:
        async with amqp_door(post.hub, post.hub.settings, topology()):
            pass

    assert [one.path for one in caught.value.faults] == [
        "partners/EHM-A.yaml: credentials.amqp",
        "partners/HOU-A.yaml: credentials.amqp",
    ]


async def test_a_site_of_which_nobody_sends_opens_no_door(post: Post) -> None:
    """As before."""
    post.hub.registry = replace(post.hub.registry, credentials={})

    async with amqp_door(post.hub, post.hub.settings, topology()) as doors:
        assert doors.intake is None


async def test_the_door_follows_who_may_send(post: Post) -> None:
    """From the profiles that are activated, without a restart; nobody left, nothing is read."""
    everybody = post.hub.registry
    nobody = replace(everybody, credentials={})
    one = replace(everybody, credentials={"HOU-A": everybody.credentials["HOU-A"]})
    # Nobody listens there: a broker that is away is no reason not to follow.
    away = replace(post.hub.settings, broker_url=Secret("amqp://hub:x@127.0.0.1:1/"))
    post.hub.transport = post.transport
    post.hub.registry = nobody
    seen = []
    async with amqp_door(post.hub, away, topology()) as doors:
        for registry in (nobody, one, everybody, everybody, nobody):
            await doors.follow(registry)
            seen.append((doors.read, doors.intake))
        await doors.follow(everybody)

    both = ["EHM-A", "HOU-A"]
    assert [list(read) for read, _ in seen] == [[], ["HOU-A"], both, both, []]
    assert seen[2][1] is seen[3][1], "what has not changed goes on"
    assert (doors.read, doors.intake) == ((), None)


async def test_a_sites_own_bound_holds_here_as_well(tmp_path: Path) -> None:
    """A message of more bytes than the site takes is refused by its code."""
    post = await Post(tmp_path, limits=AmqpLimits(largest=10)).open()

    assert await post.take() is Disposition.ACK

    (answer,) = post.answers()
    assert (answer["code"], "10 bytes" in str(answer)) == ("E_TOO_LARGE", True)


async def test_a_suspended_partners_queue_is_not_read(post: Post) -> None:
    """What lies there stays there until the suspension ends; what was in hand is refused."""
    await post.world.shared()
    post.hub.registry = suspended(post.hub.registry, "EHM-A")
    waiting = asyncio.create_task(post.door.ready(QUEUE))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)

    assert done == set()
    assert await post.take() is Disposition.ACK
    assert post.answers()[0]["code"] == "E_SUSPENDED"
    post.hub.registry = suspended(post.hub.registry)
    await asyncio.wait_for(waiting, 60)
