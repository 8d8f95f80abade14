"""What MESH and receivers cannot make the hub believe: "delivered" is the receiver's own word."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.destinations.breaker import Breaker
from adapters.destinations.mesh import MeshDestination
from adapters.mesh.mailbox import Gone, Mailbox
from adapters.mesh.site import MeshSite
from hub.domain.carriage import Parcel
from hub.domain.exchange import Delivery, State
from hub.errors import Code, Malformed, Rejected, Unavailable
from tests.contract.lying_mesh import NOTHING, SILENCE, LyingMesh, http, lying_mesh
from tests.contract.mesh_post import ACK, EPISODE, JSON, ROUTE, Post, acknowledgement, opened
from tests.servers.mesh import HUB, OTHER, TRUST, MeshSandbox

PARCEL = Parcel(
    delivery_id="0d6e9d5e-7f0c-4d7e-9d2e-0a4a3e5b1c11",
    message_type="N7",
    partner="EHM-A",
    attempt=1,
    possible_duplicate=False,
    content_type="application/fhir+json",
    body=b'{"resourceType": "Bundle"}',
    thin=False,
    lane="e1",
    lane_sequence=1,
    urgent=False,
)
TAKEN = http("202 Accepted", b'{"message_id": "M1"}')


def told(status: str, body: Any, retry_after: str = "0") -> bytes:
    """Return an answer with JSON in it."""
    return http(status, json.dumps(body).encode(), retry_after=retry_after)


def error(code: str) -> dict[str, Any]:
    """Return an error as MESH describes it."""
    return {"message_id": "M1", "detail": [{"event": "SEND", "code": code, "msg": "No"}]}


@pytest.fixture
async def far() -> AsyncIterator[LyingMesh]:
    """A MESH that says what a test wants."""
    async with lying_mesh() as one:
        yield one


def mailbox_of(
    far: LyingMesh, folder: Path, *, chunk_bytes: int = 20_000_000, seconds: float = 20.0
) -> Mailbox:
    """Return a mailbox there."""
    secret = folder / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    site = MeshSite(far.url, HUB, secret, secret, chunk_bytes=chunk_bytes)
    return Mailbox(site, threads=1, seconds=seconds, whole_seconds=seconds)


@dataclass(frozen=True)
class Lie:
    """What MESH answers to one request, and what the hub may make of it."""

    name: str
    answer: bytes | None
    meaning: Code | None
    hurried: bool = False

    def __str__(self) -> str:
        return self.name


LATER, UNKNOWN, NEVER = Code.UNAVAILABLE, Code.OUTCOME_UNKNOWN, Code.FORBIDDEN
SENDING = [
    Lie("taken", TAKEN, None),
    Lie("taken, without an id", told("202 Accepted", {}), UNKNOWN),
    Lie("taken, with an empty id", told("202 Accepted", {"message_id": ""}), UNKNOWN),
    Lie("taken, with a list as id", told("202 Accepted", {"message_id": ["M1"]}), UNKNOWN),
    Lie("taken, with a path as id", told("202 Accepted", {"message_id": "../M1"}), UNKNOWN),
    Lie("taken, and an error", told("202 Accepted", {"message_id": "M1", **error("06")}), UNKNOWN),
    Lie("taken, as HTML", http("202 Accepted", b"<p>Thank you</p>"), UNKNOWN),
    Lie("taken, as a list", http("202 Accepted", b"[]"), UNKNOWN),
    Lie("taken, half said", http("202 Accepted", b'{"message_i', 40), UNKNOWN),
    Lie("hung up", NOTHING, UNKNOWN),
    Lie("no HTTP", b"SSH-2.0-x\r\n", UNKNOWN),
    Lie("silent", SILENCE, UNKNOWN, hurried=True),
    Lie("a failure", http("500 Oh", b"<soap/>"), UNKNOWN),
    Lie("a bad gateway", http("502 Bad Gateway"), UNKNOWN),
    Lie("busy", http("503 Busy", retry_after="7"), LATER),
    Lie("too often", told("429 Slow", {}, retry_after="9"), LATER),
    Lie("who are you", told("403 Forbidden", error("")), LATER),
    Lie("moved", http("307 Moved", location="http://127.0.0.1:1/"), UNKNOWN),
    Lie("no such mailbox", told("417 No", error("12")), NEVER),
    Lie("no such workflow", told("417 No", error("17")), NEVER),
    Lie("wrong headers", told("400 No", {"errorCode": "06", "errorDescription": "x"}), NEVER),
    Lie("too large", told("413 No", {}), Code.TOO_LARGE),
]


@pytest.mark.parametrize("lie", SENDING, ids=str)
async def test_what_mesh_says_when_it_is_given_something(
    far: LyingMesh, tmp_path: Path, lie: Lie
) -> None:
    """Handed over is what MESH has and gave an id; whatever leaves it open may have arrived."""
    far.say("POST /outbox", lie.answer)
    mailbox = mailbox_of(far, tmp_path, seconds=1.5 if lie.hurried else 20.0)
    line = MeshDestination(mailbox, ROUTE, breaker=Breaker())
    try:
        if lie.meaning is None:
            outcome = await line.send(PARCEL)
            assert (outcome.delivered, dict(outcome.evidence)) == (False, {"mesh": "M1"})
            return
        with pytest.raises((Rejected, Unavailable)) as caught:
            await line.send(PARCEL)
    finally:
        await mailbox.close()
    assert caught.value.code is lie.meaning
    assert isinstance(caught.value, Unavailable) is (lie.meaning in (LATER, UNKNOWN))
    if lie.meaning is LATER and isinstance(caught.value, Unavailable):
        assert caught.value.retry_after == {"busy": 7.0, "too often": 9.0}.get(lie.name, 0.0)
    assert far.asked("POST", "/outbox") == 1  # no second try that nobody knows of
    assert "127.0.0.1" not in caught.value.detail


@pytest.mark.parametrize(
    ("second", "meaning"),
    [
        (http("500 Oh"), LATER),
        (NOTHING, LATER),
        (http("404 Gone"), LATER),
    ],
)
async def test_a_message_without_its_last_chunk_has_not_arrived(
    far: LyingMesh, tmp_path: Path, second: bytes, meaning: Code
) -> None:
    """MESH delivers nothing before it has every chunk, so an earlier failure is no doubt."""
    far.say("POST /outbox", TAKEN)
    far.say("POST /M1/2", second)
    mailbox = mailbox_of(far, tmp_path, chunk_bytes=10)
    try:
        with pytest.raises(Unavailable) as caught:
            await MeshDestination(mailbox, ROUTE).send(PARCEL)
    finally:
        await mailbox.close()
    assert caught.value.code is meaning


async def test_a_message_whose_last_chunk_got_no_answer_may_have_arrived(
    far: LyingMesh, tmp_path: Path
) -> None:
    """Then the next attempt says that it may be a double."""
    far.say("POST /outbox", TAKEN)
    far.say("POST /M1/3", NOTHING)
    mailbox = mailbox_of(far, tmp_path, chunk_bytes=10)
    try:
        with pytest.raises(Unavailable) as caught:
            await MeshDestination(mailbox, ROUTE).send(PARCEL)
    finally:
        await mailbox.close()
    assert caught.value.code is UNKNOWN


FOREVER = told("200 OK", {"messages": [], "links": {"next": f"/messageexchange/{HUB}/inbox?x=1"}})
LISTING = [
    Lie("no JSON", http("200 OK", b"<p>"), LATER),
    Lie("no list", told("200 OK", {"messages": "M1"}), LATER),
    Lie("a list alone", told("200 OK", ["M1"]), LATER),
    Lie("half of it", http("200 OK", b'{"messages": [', 99), LATER),
    Lie("hung up", NOTHING, LATER),
    Lie("silent", SILENCE, LATER, hurried=True),
    Lie("a failure", http("500 Oh"), LATER),
    Lie("who are you", http("403 No"), LATER),
    Lie("moved", http("302 Moved", location="http://127.0.0.1:1/"), LATER),
    Lie("ids that are paths", told("200 OK", {"messages": ["../../x", "a/b", 7, "", "a b"]}), None),
    Lie("pages without end", FOREVER, None),
    Lie(
        "another server's pages",
        told("200 OK", {"messages": [], "links": {"next": "@127.0.0.1:1/x"}}),
        None,
    ),
]


@pytest.mark.parametrize("lie", LISTING, ids=str)
async def test_what_mesh_says_of_what_waits(far: LyingMesh, tmp_path: Path, lie: Lie) -> None:
    """A list that is none is MESH being away; odd ids and links lead nowhere."""
    far.say("GET /inbox", lie.answer)
    mailbox = mailbox_of(far, tmp_path, seconds=1.5 if lie.hurried else 20.0)
    try:
        if lie.meaning is None:
            assert await mailbox.waiting(10, lambda _one: False) == []
            assert len(far.requests) <= 20
            return
        with pytest.raises(Unavailable) as caught:
            await mailbox.waiting(10, lambda _one: False)
        assert caught.value.code is lie.meaning
    finally:
        await mailbox.close()


def message(body: bytes = b"{}", length: int | None = None, **headers: str) -> bytes:
    """Return a message as MESH gives it out."""
    return http("200 OK", body, length, **{"mex_from": TRUST, "mex_messagetype": "DATA", **headers})


OPENING = [
    Lie("a range of letters", message(mex_chunk_range="a:b"), Code.SYNTAX),
    Lie("the second first", message(mex_chunk_range="2:2"), Code.SYNTAX),
    Lie("none of none", message(mex_chunk_range="0:0"), Code.SYNTAX),
    Lie("too many", message(mex_chunk_range="1:999999"), Code.TOO_LARGE),
    Lie("other digits", message(mex_chunk_range="1:\xb2"), Code.SYNTAX),
    Lie("packed with brotli", message(content_encoding="br"), Code.ENCODING),
    Lie("packed twice", message(content_encoding="gzip, gzip"), Code.ENCODING),
    Lie("shorter than it says", message(b"{", 99), LATER),
    Lie("a failure", http("500 Oh"), LATER),
    Lie("not found", http("404 No"), Code.NOT_FOUND),
    Lie("gone", http("410 Gone"), Code.NOT_FOUND),
]


@pytest.mark.parametrize("lie", OPENING, ids=str)
async def test_what_mesh_says_of_one_message(far: LyingMesh, tmp_path: Path, lie: Lie) -> None:
    """What can never be read has a code; what may yet be read is asked for again."""
    far.say("GET /inbox/M1", lie.answer)
    mailbox = mailbox_of(far, tmp_path)
    found: Any = None
    try:
        found = (await mailbox.open("M1"))[1]
    except (Unavailable, Gone) as away:
        found = away
    finally:
        await mailbox.close()
    assert isinstance(found, Malformed | Unavailable | Gone)
    assert found.code is lie.meaning


async def test_a_message_that_drips_is_left_for_later(far: LyingMesh, tmp_path: Path) -> None:
    """A body that comes a byte at a time ends by the clock of the whole, not of the byte."""
    far.say("GET /inbox/M1", message(b"x" * 70_000, 10_000_000, drip="yes"))
    mailbox = mailbox_of(far, tmp_path, seconds=0.3)
    try:
        with pytest.raises(Unavailable):
            await mailbox.open("M1")
    finally:
        await mailbox.close()


async def test_chunks_that_disagree_are_no_message(far: LyingMesh, tmp_path: Path) -> None:
    """A chunk that says it is of another number of chunks is of another message."""
    far.say("GET /inbox/M1", message(mex_chunk_range="1:2"))
    far.say("GET /M1/2", message(mex_chunk_range="2:3"))
    mailbox = mailbox_of(far, tmp_path)
    try:
        found = (await mailbox.open("M1"))[1]
    finally:
        await mailbox.close()
    assert isinstance(found, Malformed)


TRACKING: list[tuple[str, dict[str, Any], State]] = [
    ("collected", {}, State.DELIVERED),
    ("another message", {"message_id": "M2"}, State.HANDED_OVER),
    ("no message", {"message_id": None}, State.HANDED_OVER),
    ("another delivery", {"local_id": "d-2"}, State.HANDED_OVER),
    ("both", {"status_success": False}, State.HANDED_OVER),
    ("accepted", {"status": "accepted"}, State.HANDED_OVER),
    ("uploading", {"status": "uploading"}, State.HANDED_OVER),
    ("nothing", {"status": None}, State.HANDED_OVER),
    ("a number", {"status": 200}, State.HANDED_OVER),
    ("an error", {"status": "error", "status_code": "14"}, State.QUARANTINED),
    ("undeliverable", {"status": "undeliverable", "status_code": "<b>"}, State.QUARANTINED),
]


@pytest.fixture
async def post(mesh_sandbox: MeshSandbox, tmp_path: Path) -> AsyncIterator[Post]:
    """A hub that has sent something to EHM-A through MESH."""
    async with opened(mesh_sandbox, tmp_path) as one:
        await one.world.shared()
        yield one


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.slow)])
async def test_what_mesh_says_became_of_a_message(
    every: int, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what it says of that very message counts, and nothing that contradicts itself."""
    sent = post.out[-1]
    carrier_id = (sent.evidence or {})["mesh"]
    for name, said, state in TRACKING[::every]:
        post.world.put(sent)
        usual = {"message_id": carrier_id, "local_id": sent.delivery_id, "status": "acknowledged"}

        async def track(_id: str, answer: dict[str, Any] = usual | said) -> dict[str, Any]:
            return answer

        monkeypatch.setattr(post.mailbox, "track", track)
        await post.door.round()
        assert post.again(sent).state is state, name


def response(code: Any, **more: Any) -> Callable[[Post, Delivery], object]:
    return lambda post, sent: post.say(sent.delivery_id, code, **more)


def answered(body: Callable[[Delivery], bytes], workflow: str = ACK, **how: Any) -> Any:
    return lambda post, sent: post.send(body(sent), workflow, **how)


def both(*lies: Callable[[Post, Delivery], object]) -> Callable[[Post, Delivery], object]:
    return lambda post, sent: [lie(post, sent) for lie in lies]


def reported(**said: Any) -> Callable[[Post, Delivery], object]:
    def put(post: Post, sent: Delivery) -> None:
        given = {"local_id": sent.delivery_id, "workflow_id": EPISODE, **said}
        post.sandbox.report(HUB, **given)

    return put


def others(post: Post, _sent: Delivery) -> None:
    """Acknowledge what went to the health visitor."""
    theirs = post.world.deliveries(partner="HV-A")[-1]
    post.world.put(theirs, state=State.HANDED_OVER)
    post.say(theirs.delivery_id, "ok")


def good(sent: Delivery) -> bytes:
    return acknowledgement(sent.delivery_id, "ok")


REJECTED = {"extension": [{
    "url": "https://ecaf.example/fhir/StructureDefinition/acknowledgement",
    "valueCode": "REJECTED",
}]}  # fmt: skip
ANSWERS: list[tuple[str, Callable[[Post, Delivery], object], State, str | None]] = [
    ("yes", response("ok"), State.DELIVERED, None),
    ("yes, twice", both(response("ok"), response("ok")), State.DELIVERED, None),
    ("no", response("fatal-error"), State.QUARANTINED, "RECEIVER_REJECTED"),
    ("not now", response("transient-error"), State.PENDING, "RECEIVER_BUSY"),
    ("not now, twice", both(response("transient-error"), response("transient-error")),
     State.PENDING, "RECEIVER_BUSY"),
    ("not now, then yes", both(response("transient-error"), response("ok")),
     State.DELIVERED, None),
    ("not now, then no", both(response("transient-error"), response("fatal-error")),
     State.QUARANTINED, "RECEIVER_REJECTED"),
    ("yes, then not now", both(response("ok"), response("transient-error")),
     State.DELIVERED, None),
    ("yes in capitals", response("OK"), State.HANDED_OVER, None),
    ("yes in another word", response("accepted"), State.HANDED_OVER, None),
    ("a number", response(200), State.HANDED_OVER, None),
    ("yes and no", response("ok", **REJECTED), State.QUARANTINED, "RECEIVER_REJECTED"),
    ("yes, then no", both(response("ok"), response("fatal-error")), State.DELIVERED, None),
    ("no, then yes", both(response("fatal-error"), response("ok")), State.QUARANTINED, None),
    ("yes, half said", answered(lambda sent: good(sent)[:-9]), State.HANDED_OVER, None),
    ("yes, from nobody", answered(good, sender=OTHER), State.HANDED_OVER, None),
    ("yes, under no workflow", answered(good, "CAF_OTHER"), State.HANDED_OVER, None),
    ("yes, under another", answered(good, JSON), State.HANDED_OVER, None),
    ("yes, to nothing", answered(lambda _: acknowledgement("", "ok")), State.HANDED_OVER, None),
    ("yes, to another's", others, State.HANDED_OVER, None),
    ("yes, to MESH's id", answered(
        lambda sent: acknowledgement((sent.evidence or {})["mesh"], "ok")
    ), State.HANDED_OVER, None),
    ("a report", reported(), State.QUARANTINED, "UNDELIVERED"),
    ("a report, twice", both(reported(), reported()), State.QUARANTINED, "UNDELIVERED"),
    ("a report on an earlier try", reported(linked_message_id="M0"), State.HANDED_OVER, None),
    ("a report on another's", reported(local_id="d-9"), State.HANDED_OVER, None),
    ("a report, then yes", both(reported(), response("ok")), State.DELIVERED, None),
    ("yes, then a report", both(response("ok"), reported()), State.DELIVERED, None),
    ("a report, then no", both(reported(), response("fatal-error")), State.QUARANTINED, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "lie", "state", "reason"), ANSWERS, ids=[a[0] for a in ANSWERS])
async def test_what_receivers_and_mesh_say_of_a_delivery(
    post: Post,
    name: str,
    lie: Callable[[Post, Delivery], object],
    state: State,
    reason: str | None,
) -> None:
    """Delivered only by its own receiver's sound word; nothing that was said is lost."""
    sent = post.out[-1]

    lie(post, sent)
    await post.door.round()

    found = post.again(sent)
    assert found.state is state, name
    if reason is not None:
        assert found.reason == reason
    # What was not understood lies there under an alert of its own.
    assert len(post.sandbox.inbox(HUB)) <= len(post.alerts)


async def test_a_report_that_comes_before_its_attempt_is_settled_changes_nothing(
    post: Post,
) -> None:
    """What is still to be sent is sent; a report can only be on what MESH took."""
    sent = post.world.put(post.out[-1], state=State.PENDING, evidence={"unknown": True})
    post.sandbox.report(HUB, workflow_id=EPISODE, local_id=sent.delivery_id)

    await post.door.round()

    assert post.again(sent).state is State.PENDING
    assert [one.kind for one in post.alerts] == ["mesh.report"]


async def test_a_recall_is_not_delivered_by_being_collected(post: Post) -> None:
    """What its recipient did with its copies is for the recipient to say."""
    sent = post.world.put(post.out[-1], message_type="N10")
    post.sandbox.take(TRUST)
    await post.door.round()
    assert post.again(sent).state is State.HANDED_OVER

    post.say(sent.delivery_id, "ok")
    await post.door.round()

    assert post.again(sent).state is State.DELIVERED


async def test_who_rejects_what_its_system_collected_is_believed(post: Post) -> None:
    """Collecting was MESH's word for it; no is its own."""
    sent = post.out[-1]
    post.sandbox.take(TRUST)
    await post.door.round()
    assert post.again(sent).state is State.DELIVERED

    post.say(sent.delivery_id, "fatal-error")
    await post.door.round()

    assert (post.again(sent).state, post.again(sent).reason) == (
        State.QUARANTINED,
        "RECEIVER_REJECTED",
    )
