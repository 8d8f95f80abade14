"""Existence is data: to a stranger, shielded, sensitive and plain episodes are as absent as none.

The same bytes, headers and status over every door operation that names an episode, a message, a
delivery or a child, and the same statements to the database (`reliability.md` P24, P25).
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from hub.domain.exchange import Tree
from tests import builders as b
from tests.acceptance.real_hub import CAF, RealHub, real_hub
from tests.servers.postgres import PostgresServer, sqlalchemy_url, start_postgres
from tests.unit.services.world import completion, opening

STRANGER: Final = "SCH-A"
KINDS: Final = ("plain", "whereabouts", "full", "sensitive")
ABSENT: Final = "absent"
MINE: Final = "mine"
"""An episode that the stranger may open, and says that it follows one of the others."""
BACKENDS: Final = ["sqlite", pytest.param("postgres", marks=pytest.mark.database)]


@dataclass
class Trace:
    """A cursor that notes the text of every statement; *kept* grows."""

    cursor: Any
    kept: list[str] = field(default_factory=list)

    def execute(self, statement: Any, *parameters: Any) -> Any:
        self.kept.append(str(statement))
        return self.cursor.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cursor, name)


@dataclass(frozen=True)
class Watched:
    """A hub with an episode of every kind, whose statements are noted."""

    real: RealHub
    traces: list[Trace]
    mine: str
    """The stranger's own episode."""
    cold: bool = False

    async def ask(
        self, method: str, path: str, body: Any = None, key: str = "k", **headers: str
    ) -> tuple[Any, ...]:
        """Return all that a stranger can see of an answer, and the statements behind it."""
        sent = {"authorization": f"Bearer {self.real.keys[STRANGER]}", **headers}
        if body is not None:
            sent |= {"content-type": headers.get("content-type", "application/json")}
            sent["idempotency-key"] = key
        for trace in self.traces:
            trace.kept.clear()
        if self.cold:
            self.forget()
        raw = None if body is None else json.dumps(body).encode()
        answer = await self.real.client.request(method, path, content=raw, headers=sent)
        statements = [one for trace in self.traces for one in trace.kept]
        return answer.status_code, seen(answer), said(answer), statements

    def forget(self) -> None:
        """Empty what the writers remember of keys, rows and trees, as after a start."""
        for writer in self.real.hub.store._writers:  # type: ignore[attr-defined]
            for name in ("_remembered", "_trees", "_opened"):
                kept = getattr(writer, name)
                kept._kept.clear()
                kept._weight = 0


def seen(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return the headers but for those that are new each time."""
    fresh = {"date", "x-request-id"}
    return sorted((name, held) for name, held in answer.headers.items() if name not in fresh)


def said(answer: httpx.Response) -> bytes:
    """Return the body but for the ids that are made for each request alone."""
    body = answer.content
    if body:
        told = json.loads(body)
        for name in ("request_id", "message_id"):
            if told.get(name):
                body = body.replace(str(told[name]).encode(), b"-")
    return body


def reference(kind: str) -> str:
    """Return a reference of one length for all kinds."""
    return f"ref-{kind:-<12}"


def names(tree: Any, kind: str, number: int) -> Any:
    """Return *tree* with ids of its own, and a child of its own."""
    text = json.dumps(tree).replace('"e1"', json.dumps(reference(kind)))
    return json.loads(text.replace("9990000018", NUMBERS[number]))


NUMBERS: Final = ("9990000018", "9990000026", "9990000034", "9990000042", "9990000050")


def stored(kind: str, number: int) -> Tree:
    """Return a decision to store the episode of this kind."""
    record = b.decision(
        consent_decision_id=f"store-{kind}",
        state="STORE_ONLY",
        share_decision="no",
        scope_includes=[],
        scope_excludes=[],
        purpose=["STORE", "INDEX"],
        index_consent="yes",
    )
    found: Tree = names(record, kind, number)
    return found


async def referred(real: RealHub, who: str) -> str:
    """Return a reference that the hub gives to a partner."""
    headers = {"authorization": f"Bearer {real.keys[who]}"}
    return str((await real.client.post("/references", headers=headers)).json()["reference"])


def called(tree: Any, given: str) -> dict[str, Any]:
    """Return *tree*, of the stranger's own episode, under the reference that was given for it."""
    found: dict[str, Any] = json.loads(json.dumps(tree).replace(reference(MINE), given))
    return found


async def made(real: RealHub, kind: str, number: int) -> None:
    """Open an episode of this kind at the early help system, and share it with the school."""
    owner = "EHM-A"
    tree = opening()
    tree["services"]["assessor"] = [b.practitioner("p-ass", organisation=owner)]
    if kind in {"whereabouts", "full"}:
        tree["subjects"][0]["shielding"] = kind
    if kind == "sensitive":
        tree["services"]["assessor"][0]["service_type"] = "CAMHS"
    everything = [{"service": "HOU-A/HOUS", "section": "all", "sensitive": True}]
    store = stored(kind, number)
    share = b.decision(
        consent_decision_id=f"share-{kind}", scope_includes=everything, scope_excludes=[]
    )
    for step, message in enumerate(
        (
            {"consent_decision": store},
            {"event": "episode.opened", "episode": tree},
            {"consent_decision": share},
            {"event": "assessment.completed", "episode": completion()},
        )
    ):
        raw = b.wire(names(message, kind, number))
        answer = await real.post(owner, "/messages", raw, f"{kind}-{step}")
        assert answer.status_code in {201, 202}, answer.text


@pytest.fixture(params=BACKENDS)
async def watched(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Watched]:
    """One hub with an episode of every kind, at rest."""
    url = request.getfixturevalue("durable_url") if request.param == "postgres" else None
    async with real_hub(tmp_path, url, issued=[STRANGER]) as real:
        for number, kind in enumerate(KINDS):
            await made(real, kind, number)
        given = await referred(real, STRANGER)
        mine = b.wire(called({"consent_decision": stored(MINE, len(KINDS))}, given))
        assert (await real.post(STRANGER, "/messages", mine, "mine")).status_code == 201
        await at_rest(real)
        yield Watched(real, await watch(real), given)


async def watch(real: RealHub) -> list[Trace]:
    """Note every statement from now on, and let nothing run but what is asked."""
    traces = []
    for writer in real.hub.store._writers:  # type: ignore[attr-defined]
        trace = Trace(writer.cursor())
        writer._cursor = trace
        traces.append(trace)
    await real.hub.workers.stop()  # type: ignore[union-attr]
    await real.hub.noticing.matcher.stop()
    for task in asyncio.all_tasks():  # what looks every so often, looks whenever it likes
        name = getattr(task.get_coro(), "__qualname__", "")
        if name.endswith(".forever") or name == "_purging":
            task.cancel()
            await asyncio.wait({task})
    return traces


async def at_rest(real: RealHub) -> None:
    """Wait until nothing is left to deliver."""
    for _ in range(200):
        if not (await real.hub.summary())["due"]:
            return
        await asyncio.sleep(0.05)


def change(kind: str, number: int) -> Tree:
    """Return a message about an episode that is not the sender's."""
    return {"event": "assessment.updated", "episode": names(completion(), kind, number)}


def decided(kind: str, state: str) -> Tree:
    """Return a decision about an episode that is not the sender's to record."""
    gives = state == "WIDENED"
    found: Tree = names(
        b.decision(
            consent_decision_id=f"mine-{state}",
            state=state,
            share_decision="yes" if gives else "no",
            store_decision="yes",
            scope_includes=[{"service": "SCH-A/SCH", "section": "all"}] if gives else [],
            scope_excludes=[],
            **({} if gives else {"withdrawal_type": "SHARE_ALL"}),
        ),
        kind,
        0,
    )
    return found


def contribution(kind: str) -> Tree:
    """Return a contribution to an element."""
    element = {"subject_id": "s1", "element": "1.1", "commentary": "Well.", "kind": "NEED"}
    return {"contribution": {"episode_id": reference(kind), "element": element}}


async def operations(watched: Watched, kind: str) -> dict[str, tuple[Any, ...]]:
    """Return what a stranger sees of every operation that names the episode of this kind."""
    ref, ask = reference(kind), watched.ask
    found = {}
    for accept in ("application/vnd.ecaf.message+json;version=1", "application/fhir+json"):
        found[f"view {accept}"] = await ask("GET", f"/episodes/{ref}?purpose=PLAN", accept=accept)
    found["consents"] = await ask("GET", f"/episodes/{ref}/consents")
    for state in ("WITHDRAWN",):
        found[f"consent {state}"] = await ask(
            "POST", f"/episodes/{ref}/consents", decided(kind, state), key=f"c{state}{kind}"
        )
        found[f"decision {state}"] = await ask(
            "POST",
            "/messages",
            {"consent_decision": decided(kind, state)},
            key=f"m{state}{kind}",
            **{"content-type": CAF},
        )
    message = {"content-type": CAF}
    first = stored(kind, 0)
    found["first decision"] = await ask("POST", f"/episodes/{ref}/consents", first, key=f"f{kind}")
    found["first decision sent"] = await ask(
        "POST", "/messages", {"consent_decision": first}, key=f"g{kind}", **message
    )
    found["content"] = await ask("POST", "/messages", change(kind, 0), key=f"u{kind}", **message)
    found["contribution"] = await ask(
        "POST", "/messages", contribution(kind), key=f"a{kind}", **message
    )
    reopened = names(opening(previous_episode_id=ref), MINE, len(KINDS))
    again = called(reopened, watched.mine)
    found["reopened"] = await ask(
        "POST",
        "/messages",
        {"event": "episode.reopened", "episode": again},
        key=f"r{kind}",
        **message,
    )
    return found


@pytest.mark.parametrize("cold", [False, True])
async def test_a_stranger_sees_the_same_of_every_episode_as_of_none(
    watched: Watched, cold: bool
) -> None:
    """Status, headers, body and the statements, for plain, shielded and sensitive episodes, just
    used or not touched for long.
    """
    watched = replace(watched, cold=cold)
    await operations(watched, "warm-up")  # what is read once per connection is read by now
    absent = await operations(watched, ABSENT)
    for operation, (status, *_rest) in absent.items():
        assert status in {403, 404, 409}, (operation, absent[operation])
    for kind in KINDS:
        for operation, found in (await operations(watched, kind)).items():
            assert found == absent[operation], f"{operation} of a {kind} episode"


@pytest.mark.parametrize("cold", [False, True])
async def test_somebody_elses_delivery_and_message_are_as_absent_as_none(
    watched: Watched, cold: bool
) -> None:
    """Fetching, acknowledging and asking after ids that exist, and that do not."""
    watched = replace(watched, cold=cold)
    tables = await ids_of(watched)
    delivery, message = tables
    none = "00000000-0000-4000-8000-000000000000"
    for path, real in (
        ("/deliveries/{}", delivery),
        ("/messages/{}", message),
    ):
        await watched.ask("GET", path.format(none))
        there, absent = [await watched.ask("GET", path.format(one)) for one in (real, none)]
        assert there == absent, path
    body = {"code": "APPLIED"}
    path = "/deliveries/{}/ack"
    there, absent = [await watched.ask("POST", path.format(one), body) for one in (delivery, none)]
    assert there == absent
    assert absent[0] == 404


async def test_a_reference_opens_for_whom_it_was_given_to_and_for_nobody_else(
    watched: Watched,
) -> None:
    """The first decision of a family comes under a reference of the hub's; somebody else's is
    refused like a name of one's own making.
    """
    real, body = watched.real, stored("x", 0)
    answers = {}
    for who in (STRANGER, "EHM-A"):
        given = await referred(real, who)
        told = {**body, "episode_id": given}
        path = f"/episodes/{given}/consents"
        answers[who] = await watched.ask("POST", path, told, key=f"own-{who}")
    other, made_up = (
        answers["EHM-A"],
        await watched.ask("POST", f"/episodes/{reference('x')}/consents", body, key="made-up"),
    )

    assert answers[STRANGER][0] == 201
    assert other == made_up
    assert other[0] == 404


async def ids_of(watched: Watched) -> tuple[str, str]:
    """Return a delivery and a message of others."""
    inbox = await watched.real.client.get(
        "/inbox", headers={"authorization": f"Bearer {watched.real.keys['HOU-A']}"}
    )
    again = await watched.real.post(
        "EHM-A",
        "/messages",
        b.wire(names({"event": "assessment.completed", "episode": completion()}, "plain", 0)),
        "plain-3",
    )
    return inbox.json()["deliveries"][0]["delivery_id"], again.json()["message_id"]


def subject(number: int) -> Tree:
    """Return by what the index is asked for one of the children."""
    numbers = [{"system": "nhs-number", "value": NUMBERS[number]}]
    return {"identifiers": numbers, "date_of_birth": "2016-05-14"}


async def test_a_fully_shielded_child_is_not_on_the_index(watched: Watched) -> None:
    """NONE, of the same bytes and by the same statements as for a child whom nobody knows."""
    full, unknown = KINDS.index("full"), len(KINDS)
    await watched.ask("POST", "/index/check", {"purpose": "ASSESS", "subject": subject(unknown)})
    found = [
        await watched.ask("POST", "/index/check", {"purpose": "ASSESS", "subject": subject(one)})
        for one in (full, unknown)
    ]
    assert found[0] == found[1]
    assert b"NONE" in found[0][2]


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("kind", ["attendance_concern", "contact_request"])
async def test_a_notice_is_taken_alike_whoever_it_is_about(
    watched: Watched, kind: str, cold: bool
) -> None:
    """The same status, headers, words and statements, whether the child has a CAF, a shield, a
    sensitive service or nothing; at both doors, and again under the same key.
    """
    watched = replace(watched, cold=cold)
    notice = b.notification(kind=kind, subject=subject(len(KINDS)))
    await watched.ask("POST", "/notifications", notice, key="warm-up")
    found: dict[str, list[tuple[Any, ...]]] = {}
    for number in range(len(KINDS) + 1):
        notice = b.notification(kind=kind, subject=subject(number))
        for again in ("first", "again"):
            asked = await watched.ask("POST", "/notifications", notice, key=f"{kind}-{number}")
            found.setdefault(again, []).append(asked)
        wire = {"notification": notice}
        sent = await watched.ask(
            "POST", "/messages", wire, key=f"m-{kind}-{number}", **{"content-type": CAF}
        )
        found.setdefault("message", []).append(sent)
    for operation, (*known, unknown) in found.items():
        assert unknown[0] == 202, operation
        assert unknown[3], operation
        for name, one in zip(KINDS, known, strict=True):
            assert one == unknown, f"{operation} about a {name} child"


async def test_what_was_recorded_is_matched_afterwards(watched: Watched) -> None:
    """A known child's notice goes to who leads, an unknown one's waits; both count as due first."""
    names = [(STRANGER, f"after-{number}") for number in (KINDS.index("plain"), len(KINDS))]
    for number in (KINDS.index("plain"), len(KINDS)):
        notice = b.notification(subject=subject(number))
        await watched.ask("POST", "/notifications", notice, key=f"after-{number}")
    hub = watched.real.hub
    assert (await hub.summary())["due"] >= await hub.store.unmatched(10) == 2

    while await hub.noticing.matcher.round():
        pass

    kept = await hub.store.run(lambda s: [s.notice(*name) for name in names])
    assert [one and one.episode_id for one in kept] == [reference("plain"), None]
    assert await hub.store.unmatched(10) == 0


@pytest.fixture(scope="module")
def durable_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that waits for the disk: the hub refuses to serve on any other."""
    with tempfile.TemporaryDirectory(prefix="ecaf-existence-") as folder:
        Path(folder).chmod(0o755)
        server = start_postgres(Path(folder) / "postgres", durable=True)
        yield server
        server.stop()


@pytest.fixture
def durable_url(durable_server: PostgresServer) -> Iterator[str]:
    """An empty database of its own; gone afterwards."""
    dsn = durable_server.databases.create()
    yield sqlalchemy_url(dsn)
    durable_server.databases.drop(dsn)
