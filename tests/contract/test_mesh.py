"""NHS MESH both ways, against NHS England's own sandbox and client."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.destinations.mesh import AGAIN, MeshDestination
from hub.domain.exchange import State
from hub.doors import mesh_door
from hub.errors import Code, Unavailable
from hub.reaching import Carriers
from hub.secrets import Secret
from messaging.retry import SCHEDULE
from tests import builders as b
from tests.contract.mesh_post import (
    ANSWER,
    BUNDLE,
    EPISODE,
    NOTICE,
    SENDER,
    Post,
    opened,
)
from tests.servers.mesh import HUB, TRUST, MeshSandbox
from tests.unit.services.world import World, appointment, suspended


@pytest.fixture
async def post(mesh_sandbox: MeshSandbox, tmp_path: Path) -> AsyncIterator[Post]:
    """A hub with a mailbox, and a partner that has one."""
    async with opened(mesh_sandbox, tmp_path) as one:
        yield one


async def test_an_episode_goes_out_and_is_delivered_when_it_was_collected(post: Post) -> None:
    """MESH's taking is handed over; the partner's collecting is what makes it delivered."""
    await post.world.shared()
    sent = post.out[-1]
    assert sent.state is State.HANDED_OVER

    await post.door.round()
    assert post.again(sent).state is State.HANDED_OVER
    taken = {one.mex["localid"]: one for one in post.sandbox.take(TRUST)}
    await post.door.round()

    assert post.again(sent).state is State.DELIVERED
    one = taken[sent.delivery_id]
    assert one.json["entry"][0]["resource"]["id"] == sent.delivery_id
    assert (one.mex["workflowid"], one.mex["from"]) == (EPISODE, HUB)
    assert one.mex["filename"] == f"{sent.delivery_id}.json"
    assert one.mex["content-type"] == BUNDLE


def appointed() -> bytes:
    """Return EHM-A's message that Mr Lead is appointed."""
    return b.wire({"event": "lead_professional.appointed", "episode": appointment()})


async def test_a_partner_that_answers_is_believed_only_when_it_does(
    mesh_sandbox: MeshSandbox, tmp_path: Path
) -> None:
    """Where its own answer was agreed, that its system collected a message is noted and no more."""
    async with opened(mesh_sandbox, tmp_path, deliver={"delivered": "answered"}) as post:
        await post.world.shared()
        sent = post.out[-1]
        post.sandbox.take(TRUST)
        await post.door.round()
        noted = post.again(sent)
        assert noted.state is State.HANDED_OVER
        assert "collected" in (noted.evidence or {})

        answer = post.say(sent.delivery_id, "ok")
        await post.door.round()

        assert post.again(sent).state is State.DELIVERED
        assert post.sandbox.status(answer) == "acknowledged"
        assert post.answers() == []  # an answer is not answered


async def test_chunks_and_gzip_go_both_ways(mesh_sandbox: MeshSandbox, tmp_path: Path) -> None:
    """What is larger than a chunk is cut, packed and put together again, by our side and theirs."""
    async with opened(mesh_sandbox, tmp_path, chunk_bytes=1_000) as post:
        await post.world.shared()
        (got,) = [one for one in post.sandbox.take(TRUST) if one.mex["workflowid"] == EPISODE]
        assert got.mex["chunk-range"].endswith(f":{-(-len(got.body) // 1_000)}")
        assert got.json["resourceType"] == "Bundle"

        post.send(appointed(), local_id="l-1", compress=True, max_chunk_size=300)
        await post.door.round()

        assert post.refusals() == []
        assert post.world.head.lead == "APPOINTED"


async def test_a_message_is_recorded_answered_and_then_acknowledged(post: Post) -> None:
    """The sender learns twice: by the hub's answer, and by MESH that it was taken."""
    await post.world.shared()
    post.sandbox.reset()
    name = post.send(appointed(), local_id="EHM-77")
    assert post.sandbox.status(name) == "accepted"

    await post.door.round()

    assert post.sandbox.status(name) == "acknowledged"
    (answer,) = post.answers()
    assert answer.json["status"] == "accepted"
    assert (answer.json["mesh_message_id"], answer.json["message"]) == (name, "EHM-77")
    assert answer.mex["localid"] == f"a.{name}"


async def test_what_a_suspended_partner_sent_stays_in_the_mailbox(post: Post) -> None:
    """It is neither refused nor acknowledged: it is taken when the suspension ends."""
    post.hub.registry = suspended(post.hub.registry, "EHM-A")
    name = post.send(b"{}", local_id="EHM-95")
    await post.door.round()

    assert post.sandbox.status(name) != "acknowledged"
    assert (post.answers(), post.refusals()) == ([], [])
    post.hub.registry = suspended(post.hub.registry)
    post.door._aside.clear()
    await post.door.round()
    assert post.sandbox.status(name) == "acknowledged"


async def test_the_same_message_again_is_answered_the_same(post: Post) -> None:
    """Under another id of MESH's and the sender's own, it changes nothing and is told the same."""
    await post.world.shared()
    post.sandbox.reset()
    for _ in range(2):
        post.send(appointed(), local_id="EHM-78")
        await post.door.round()
    version = post.world.head.version

    first, again = post.answers()

    told = [{k: v for k, v in one.json.items() if k != "mesh_message_id"} for one in (first, again)]
    assert told[0] == told[1]
    assert version == post.world.head.version


async def test_the_same_local_id_with_other_content_is_refused(post: Post) -> None:
    """A local id that comes again with something else is a mistake that its sender hears of."""
    await post.world.shared()
    post.sandbox.reset()
    post.send(appointed(), local_id="EHM-79")
    post.send(appointed() + b" ", local_id="EHM-79")

    await post.door.round()

    assert [one.json["status"] for one in post.answers()] == ["accepted", "refused"]
    assert post.refusals() == [("EHM-A", "E_IDEMPOTENCY")]


async def test_nothing_is_acknowledged_before_it_is_recorded(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store cannot record, messages stay with MESH; then they are taken."""
    await post.world.shared()
    post.sandbox.reset()
    name = post.send(appointed(), local_id="EHM-80")
    healthy = post.hub.receive

    async def away(*_: Any) -> Any:
        raise Unavailable(Code.STORE, "no disk")

    monkeypatch.setattr(post.hub, "receive", away)
    with pytest.raises(Unavailable):
        await post.door.round()
    assert post.sandbox.status(name) == "accepted"
    assert post.answers() == []

    monkeypatch.setattr(post.hub, "receive", healthy)
    await post.door.round()

    assert post.sandbox.status(name) == "acknowledged"


async def test_an_answer_that_got_lost_is_given_again_under_the_same_id(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the record and before the answer, the hub reads, knows and answers again."""
    await post.world.shared()
    post.sandbox.reset()
    name = post.send(appointed(), local_id="EHM-81")
    healthy = post.mailbox.send

    async def lost(*told: Any, **how: Any) -> str:
        await healthy(*told, **how)
        raise Unavailable(Code.OUTCOME_UNKNOWN, "no answer")

    monkeypatch.setattr(post.mailbox, "send", lost)
    with pytest.raises(Unavailable):
        await post.door.round()
    version = post.world.head.version
    monkeypatch.setattr(post.mailbox, "send", healthy)
    await post.door.round()

    first, again = post.answers()
    assert first.mex["localid"] == again.mex["localid"] == f"a.{name}"
    assert first.body == again.body
    assert again.mex["subject"].endswith("possible duplicate")
    assert post.world.head.version == version
    assert post.sandbox.status(name) == "acknowledged"


async def test_a_report_of_non_delivery_turns_a_delivery_back(post: Post) -> None:
    """After five days MESH gives it back: it is set aside with an alert, and holds its lane."""
    await post.world.shared()
    sent = post.out[-1]
    mesh_id = (sent.evidence or {})["mesh"]
    report = post.sandbox.report(
        HUB, workflow_id=EPISODE, local_id=sent.delivery_id, linked_message_id=mesh_id
    )

    await post.door.round()

    back = post.again(sent)
    assert (back.state, back.reason) == (State.QUARANTINED, "UNDELIVERED")
    assert (back.evidence or {})["report"] == "14"
    (alert,) = [one for one in post.alerts if one.delivery_id == sent.delivery_id]
    assert (alert.kind, alert.facts["owner"]) == ("delivery.quarantined", "partner EHM-A")
    assert post.sandbox.status(report) == "acknowledged"


async def test_what_came_back_counts_as_not_given(post: Post) -> None:
    """The next version goes to a recipient that never got the last, however alike they are."""
    await post.world.shared()
    sent = post.out[-1]
    post.sandbox.report(HUB, workflow_id=EPISODE, local_id=sent.delivery_id)
    await post.door.round()
    back = post.again(sent)

    superseded = await post.hub.operations.act(
        back.delivery_id, {"action": "supersede", "reason": "PARTNER_MENDED", "by": "op-1"}
    )
    await post.world.drain()

    heir = post.world.deliveries(delivery_id=superseded["heir"])[0]
    assert heir.state is State.HANDED_OVER


async def test_a_receiver_is_believed_more_than_a_report(post: Post) -> None:
    """What the receiver itself has acknowledged stays delivered; that MESH differs is an alert."""
    await post.world.shared()
    sent = post.out[-1]
    post.say(sent.delivery_id, "ok")
    await post.door.round()

    post.sandbox.report(HUB, workflow_id=EPISODE, local_id=sent.delivery_id)
    await post.door.round()

    assert post.again(sent).state is State.DELIVERED
    assert [one.kind for one in post.alerts if one.delivery_id == sent.delivery_id] == [
        "delivery.contradicted"
    ]


async def test_a_late_answer_ends_what_came_back(post: Post) -> None:
    """Collected on the last day and answered afterwards, it is delivered after all."""
    await post.world.shared()
    sent = post.out[-1]
    post.sandbox.report(HUB, workflow_id=EPISODE, local_id=sent.delivery_id)
    await post.door.round()
    assert post.again(sent).state is State.QUARANTINED

    post.say(sent.delivery_id, "ok")
    await post.door.round()

    assert post.again(sent).state is State.DELIVERED


async def test_what_a_receiver_could_not_take_goes_again(post: Post) -> None:
    """After its partner's wait, under the same id, marked as a repeat; and its late yes counts."""
    await post.world.shared()
    sent = post.out[-1]
    post.sandbox.take(TRUST)
    post.say(sent.delivery_id, "transient-error")
    await post.door.round()
    waiting = post.again(sent)
    assert (waiting.state, waiting.reason) == (State.PENDING, "RECEIVER_BUSY")
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at > post.world.clock.now()

    post.world.clock.move(waiting.next_attempt_at - post.world.clock.now())
    await post.world.drain()
    (again,) = [one for one in post.sandbox.take(TRUST) if one.mex["localid"] == sent.delivery_id]
    assert again.mex["subject"] == AGAIN
    assert post.again(sent).state is State.HANDED_OVER
    assert post.again(sent).sequence == sent.sequence

    post.say(sent.delivery_id, "ok")
    await post.door.round()
    assert post.again(sent).state is State.DELIVERED


async def test_what_a_receiver_could_not_take_does_not_overtake(post: Post) -> None:
    """Once something later has gone, sending by itself would bring the older after the newer."""
    await post.world.shared()
    sent = post.out[-1]
    later = replace(sent, delivery_id="d-later", lane_sequence=sent.lane_sequence + 1)
    post.world.put(later)

    post.say(sent.delivery_id, "transient-error")
    await post.door.round()

    assert (post.again(sent).state, post.again(sent).reason) == (
        State.QUARANTINED,
        "RECEIVER_BUSY",
    )


async def test_a_receiver_that_is_always_busy_is_given_up(post: Post) -> None:
    """When the attempts are used up, somebody has to look."""
    await post.world.shared()
    sent = post.world.put(post.out[-1], attempts=len(SCHEDULE))

    post.say(sent.delivery_id, "transient-error")
    await post.door.round()

    assert post.again(sent).state is State.QUARANTINED


async def test_no_envelope_tells_of_a_child(mesh_sandbox: MeshSandbox, tmp_path: Path) -> None:
    """Subject, local id and file name, which people at MESH see, name nobody, there or back."""
    sender = replace(SENDER, workflows={**SENDER.workflows, NOTICE: BUNDLE})
    async with opened(mesh_sandbox, tmp_path, sender=sender) as post:
        await post.world.planned()
        await post.world.notify("SCH-A")
        post.send(appointed(), local_id="EHM-82")
        post.send(b'{"resourceType":"Bundle","id":"Ava Example"}', EPISODE, local_id="EHM-83")
        await post.door.round()

        kept = [one for one in post.sandbox.kept() if one["sender"]["mailbox_id"] == HUB]
        assert {one["workflow_id"] for one in kept} == {EPISODE, NOTICE, ANSWER}
        deliveries = {one.delivery_id for one in post.out}
        for one in kept:
            metadata = one["metadata"]
            local = metadata["local_id"]
            assert local in deliveries or local.startswith("a.")
            assert metadata["file_name"] == f"{local}.json"
            assert metadata["subject"] in {"eCAF message", "eCAF answer"}
            text = repr({k: v for k, v in one.items() if k != "events"})
            for told in ("Ava", "Example", "9990000018", "ZZ99", "2016-05-14", "e1"):
                assert f"'{told}" not in text, told
                assert f" {told}" not in text, told


async def test_one_process_looks_at_a_time(post: Post) -> None:
    """Two that look at once would answer everything twice."""
    post.send(b"{}", local_id="x")
    assert await post.world.store.take_turn(f"mesh:{HUB}", "another", 60.0)

    assert await post.door.round() == 0
    assert len(post.sandbox.inbox(HUB)) == 1


async def test_mesh_hears_from_us_daily(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The handshake is on start, and again after a day."""
    shaken: list[int] = []
    healthy = post.mailbox.handshake
    now = [1000.0]

    async def counted() -> None:
        shaken.append(1)
        await healthy()

    monkeypatch.setattr(post.mailbox, "handshake", counted)
    monkeypatch.setattr(post.door, "_monotonic", lambda: now[0])
    for later in (0.0, 60.0, 24 * 3600.0):
        now[0] = 1000.0 + later
        await post.door.round()

    assert len(shaken) == 2


@pytest.mark.parametrize("wrong", ["password", "shared", "mailbox", "away"])
async def test_a_hub_that_mesh_does_not_know_waits(
    mesh_sandbox: MeshSandbox, tmp_path: Path, wrong: str
) -> None:
    """Wrong secrets and a MESH that is away are nobody's message's fault: all of it waits."""
    site: dict[str, Any] = {"mailbox": "X26NONE"} if wrong == "mailbox" else {}
    if wrong == "away":
        site = {"url": "http://127.0.0.1:9"}
    async with opened(mesh_sandbox, tmp_path, **site) as post:
        if wrong == "password":
            post.mailbox._password = Secret("wrong")
        if wrong == "shared":
            post.mailbox._shared_key = Secret("wrong")
        await post.world.shared()

        assert post.out[-1].state is State.PENDING
        assert post.out[-1].reason == "E_UNAVAILABLE"
        with pytest.raises(Unavailable):
            await post.door.round()


async def test_a_look_that_fails_is_tried_again_later_and_later(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While MESH is away the waits double, to a quarter of an hour, and are never quite alike."""
    waits: list[float] = []

    async def away() -> int:
        error = Unavailable(Code.UNAVAILABLE, "away")
        error.retry_after = 2_000.0 if len(waits) == 8 else None
        raise error

    async def asleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 8:
            raise asyncio.CancelledError

    monkeypatch.setattr(post.door, "round", away)
    monkeypatch.setattr("adapters.doors.mesh.asyncio.sleep", asleep)
    with pytest.raises(asyncio.CancelledError):
        await post.door.forever()

    due = [30.0 * 2**n for n in range(5)] + [900.0] * 3 + [2_000.0]
    assert all(0.8 * least <= wait <= 1.2 * least for wait, least in zip(waits, due, strict=True))
    assert waits != due


async def test_two_hubs_understand_each_other(post: Post) -> None:
    """The hub's answer to a FHIR message is one that a hub reads as an acknowledgement."""
    await post.world.shared()
    theirs = post.out[-1].delivery_id
    body = next(one.body for one in post.sandbox.take(TRUST) if one.mex["localid"] == theirs)
    post.send(body, EPISODE, local_id=theirs)
    await post.door.round()

    (answer,) = post.answers()
    read = World().translator.read(BUNDLE, answer.body, partner="EHM-A").message

    assert read["acknowledgement"]["delivery_id"] == theirs
    assert read["acknowledgement"]["code"] in {"APPLIED", "REJECTED"}


async def test_a_site_with_a_mailbox_looks_into_it(
    mesh_sandbox: MeshSandbox, tmp_path: Path
) -> None:
    """While the hub serves, messages are taken without anybody asking; and it sends by the same."""
    async with opened(mesh_sandbox, tmp_path) as post:
        (tmp_path / "mesh.yaml").write_text(
            f"url: {mesh_sandbox.url}\nmailbox: {HUB}\n"
            "password_file: password\nshared_key_file: shared\npoll_seconds: 5\n"
        )
        name = post.send(b"{}", local_id="EHM-90")
        mine = {"EHM-A": post.world.partners["EHM-A"]}
        post.hub.registry = replace(post.hub.registry, partners=mine)
        carriers = Carriers(post.hub)
        made = carriers.prepare(post.hub.registry)
        async with mesh_door(post.hub, post.hub.settings), asyncio.timeout(60):
            while post.sandbox.status(name) != "acknowledged":  # noqa: ASYNC110  another process
                await asyncio.sleep(0.1)
        await carriers.close()

    assert isinstance(made["EHM-A"].destination, MeshDestination)
