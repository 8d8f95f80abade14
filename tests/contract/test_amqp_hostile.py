"""What may lie in a partner's queue: each message gets a code in its queue of answers, at once, and
none is lost, taken for another's, or handed round for ever.
"""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.doors.amqp import LARGEST
from messaging.channel import Disposition
from tests import builders as b
from tests.contract.amqp_post import QUEUE, Post, appointed
from tests.frugal import frugal
from tests.unit.services.world import CANONICAL

GOOD = appointed()
FHIR = "application/fhir+json"
XML = "application/vnd.ecaf.message+xml"
V2 = "application/hl7-v2"


def fhir(resource: Any) -> bytes:
    entries = [{"fullUrl": "urn:uuid:1", "resource": resource}]
    return json.dumps({"resourceType": "Bundle", "type": "message", "entry": entries}).encode()


Case = tuple[str, str, bytes, dict[str, Any]]
BAD: list[Case] = [
    # Who
    ("no user", "E_UNAUTHENTICATED", GOOD, {"user": None}),
    ("another's user", "E_UNAUTHENTICATED", GOOD, {"user": "hou-a-user"}),
    ("the hub's user", "E_UNAUTHENTICATED", GOOD, {"user": "guest"}),
    ("its user in capitals", "E_UNAUTHENTICATED", GOOD, {"user": "EHM-A-USER"}),
    ("its user and a blank", "E_UNAUTHENTICATED", GOOD, {"user": "ehm-a-user "}),
    ("its name in the body alone", "E_UNAUTHENTICATED",
     b'{"message": {"sender_org": "EHM-A", "sender_system": "EHM-A"}}', {"user": None}),
    # What it says of itself
    ("unreadable properties", "E_ENCODING", GOOD, {"readable": False, "message_id": None}),
    ("no id", "E_REQUIRED", GOOD, {"message_id": None}),
    ("a blank in its id", "E_FORMAT", GOOD, {"message_id": "m 1"}),
    ("a line in its id", "E_FORMAT", GOOD, {"message_id": "m\r\nmessage_id: m-2"}),
    ("NUL in its id", "E_FORMAT", GOOD, {"message_id": "m\x00"}),
    ("a name as its id", "E_FORMAT", GOOD, {"message_id": "Ävä"}),
    ("an id that is too long", "E_FORMAT", GOOD, {"message_id": "m" * 129}),
    ("no content type", "E_CONTENT_TYPE", GOOD, {"content_type": None}),
    ("a content type of nobody's", "E_CONTENT_TYPE", GOOD, {"content_type": "application/x-caf"}),
    ("no content type at all", "E_CONTENT_TYPE", GOOD, {"content_type": "json"}),
    ("a content type with a line in it", "E_CONTENT_TYPE", GOOD, {"content_type": "a/b\r\nc: d"}),
    ("plain text", "E_CONTENT_TYPE", b"Ava Example is unwell.", {"content_type": "text/plain"}),
    ("another version", "E_CONTENT_TYPE", GOOD, {"content_type": f"{CANONICAL};version=9"}),
    ("packed", "E_ENCODING", gzip.compress(GOOD), {"content_encoding": "gzip"}),
    ("packed in a new way", "E_ENCODING", GOOD, {"content_encoding": "zstd"}),
    ("a bomb", "E_ENCODING", gzip.compress(bytes(10**7)), {"content_encoding": "gzip"}),
    ("packed and not said", "E_ENCODING", gzip.compress(GOOD), {}),
    # How much
    ("nothing", "E_SYNTAX", b"", {}),
    ("too large by a byte", "E_TOO_LARGE", b" " * (LARGEST + 1), {}),
    ("as large as the broker takes", "E_TOO_LARGE", b" " * (17 << 20), {}),
    ("too deep", "E_DEPTH", b'{"a":' * 5_000 + b"1" + b"}" * 5_000, {}),
    ("lists without end", "E_DEPTH", b"[" * 100_000, {}),
    # JSON
    ("half of it", "E_SYNTAX", GOOD[:500], {}),
    ("twice", "E_SYNTAX", GOOD + GOOD, {}),
    ("a word", "E_SYNTAX", b"taken", {}),
    ("no object", "E_TYPE", b"[]", {}),
    ("nothing in it", "E_RULE", b"{}", {}),
    ("a key twice", "E_DUPLICATE_KEY", b'{"event": "a", "event": "b"}', {}),
    ("a key twice, deep down", "E_DUPLICATE_KEY", b'{"episode": {"a": {"b": 1, "b": 2}}}', {}),
    ("no number", "E_NUMBER", b'{"episode": {"n": NaN}}', {}),
    ("a number without end", "E_NUMBER", b'{"episode": {"n": ' + b"9" * 5_000 + b"}}", {}),
    ("a number too large", "E_NUMBER", b'{"episode": {"n": 1e400}}', {}),
    ("a control character", "E_CONTROL_CHAR", GOOD.replace(b"EHM-A", b"EHM\\u0000A", 1), {}),
    ("half a character", "E_CONTROL_CHAR", b'{"event": "\\ud800"}', {}),
    ("no UTF-8", "E_ENCODING", b'{"event": "\xff"}', {}),
    ("UTF-16", "E_ENCODING", '{"event": "x"}'.encode("utf-16"), {}),
    ("an unknown field", "E_UNKNOWN_FIELD", b'{"episodes": {}}', {}),
    ("an unknown event", "E_CODELIST", b.wire({"event": "episode.stolen", "episode": b.episode()}),
     {}),
    # Formats
    ("XML with a document type", "E_SYNTAX", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
     {"content_type": XML}),
    ("XML that is none", "E_SYNTAX", b"<a>", {"content_type": XML}),
    ("JSON as XML", "E_SYNTAX", GOOD, {"content_type": XML}),
    ("HL7 v2 without a header", "E_SYNTAX", b"PID|1", {"content_type": V2}),
    ("FHIR without a header", "E_RULE", fhir({"resourceType": "Patient"}),
     {"content_type": FHIR}),
    ("FHIR that is another thing", "E_TYPE", b'{"resourceType": "Patient"}',
     {"content_type": FHIR}),
    # What it means
    ("no consent", "E_CONSENT_NONE", b.wire({"event": "episode.opened",
                                             "episode": b.episode(episode_id="ep-9")}), {}),
    ("an episode of nobody's", "E_CONSENT_NONE",
     b.wire({"event": "lead_professional.appointed", "episode": {"episode_id": "ep-none"}}), {}),
    ("a decision of nobody's", "E_REQUIRED", b'{"consent_decision": {}}', {}),
    ("an acknowledgement of nothing", "E_NOT_FOUND",
     b'{"acknowledgement": {"delivery_id": "d-none", "code": "APPLIED"}}', {}),
    ("an acknowledgement of another word", "E_CODELIST",
     b'{"acknowledgement": {"delivery_id": "d-none", "code": "GLADLY"}}', {}),
]  # fmt: skip


@pytest.fixture
async def post(tmp_path: Path) -> Post:
    """A hub with a door."""
    return await Post(tmp_path).open()


async def test_what_is_wrong_is_answered_by_code(post: Post) -> None:
    """Each once, with code, place and remedy and no value; and then what is sound is taken."""
    await post.world.shared()
    version = post.world.head.version
    came: dict[str, str] = {}

    for number, (case, _code, body, said) in enumerate(BAD):
        with frugal():
            done = await post.take(body, **{"message_id": f"m-{number}", **said})
        assert done is Disposition.ACK, case
        assert len(post.envelopes()) == number + 1, case
        told = post.envelopes()[-1]
        came[case] = told.headers["ecaf-code"]
        assert told.headers["ecaf-status"] == "refused", case
        assert "Ava" not in told.body.decode(), case
        if told.content_type == "application/json":
            problem = json.loads(told.body)
            assert problem["code"] == came[case]
            assert problem["errors"]
            assert all(set(one) == {"code", "path", "remedy"} for one in problem["errors"])
            assert ("message_id" in problem) is (told.correlation_id is not None)

    assert came == {case: code for case, code, _body, _said in BAD}
    assert len(BAD) >= 40
    assert post.envelopes("caf.reply.HOU-A") == []
    assert post.world.head.version == version
    assert await post.take(message_id="good") is Disposition.ACK
    assert post.envelopes()[-1].headers["ecaf-status"] == "accepted"


async def test_the_same_again_is_the_same_answer(post: Post) -> None:
    """Under one id, there is one message; other content under it is refused."""
    await post.world.shared()
    for _ in range(3):
        await post.take()
    version = post.world.head.version
    await post.take(GOOD.replace(b"}", b" }", 1))

    told = post.envelopes()
    assert len({(one.message_id, one.body) for one in told[:3]}) == 1
    assert told[0].correlation_id == "m-1"
    assert post.answers()[3]["code"] == "E_IDEMPOTENCY"
    assert told[3].message_id != told[0].message_id
    assert post.world.head.version == version


async def test_one_id_of_two_partners_is_two_messages(post: Post) -> None:
    """Ids are their sender's own, and answers go to whose queue it was."""
    await post.world.shared()
    await post.take()
    await post.take(queue="caf.in.HOU-A", user="hou-a-user", body=b"{}")

    (mine,), (theirs,) = post.answers(), post.answers("caf.reply.HOU-A")
    assert (mine["status"], theirs["code"]) == ("accepted", "E_RULE")


async def test_a_fhir_message_gets_fhirs_own_answer(post: Post) -> None:
    """As through every other door."""
    await post.take(fhir({"resourceType": "MessageHeader", "id": "h"}), content_type=FHIR)

    (told,) = post.envelopes()
    bundle = json.loads(told.body)
    assert told.content_type == FHIR
    header = bundle["entry"][0]["resource"]
    assert header["response"]["code"] == "fatal-error"
    assert header["response"]["identifier"] == "m-1"


async def test_who_is_suspended_is_told_so(post: Post) -> None:
    """Before anything is read."""
    one = post.world.partners["EHM-A"]
    post.world.partners["EHM-A"] = replace(one, stage=type(one.stage)("suspended"))

    await post.take()

    assert post.answers()[0]["code"] == "E_ORG_NOT_ACCREDITED"


async def test_what_was_handed_out_too_often_is_set_aside_and_told(post: Post) -> None:
    """A message that ends the hub whenever it is read is not read again; it stays whole with the
    dead letters.
    """
    await post.world.shared()
    version = post.world.head.version

    assert await post.take(times=10) is Disposition.REJECT
    assert post.envelopes() == []
    assert await post.unread(reason="rejected") is Disposition.REJECT

    assert post.answers()[0]["code"] == "E_INTERNAL"
    assert post.world.head.version == version
    (alert,) = [one for _, one in await post.world.store.alerts(0, 10)]
    assert alert.kind == "amqp.given_up"


@pytest.mark.parametrize("reason", ["delivery_limit", "rejected", "maxlen", "", "Ava Example"])
async def test_what_the_broker_gave_up_is_told_and_kept(post: Post, reason: str) -> None:
    """Whatever it gives as the reason."""
    assert await post.unread(reason=reason) is Disposition.REJECT

    (told,) = post.answers()
    assert (told["code"], told["message_id"]) == ("E_INTERNAL", "m-1")


async def test_what_expired_is_told_and_gone(post: Post) -> None:
    """Its sender chose the time."""
    assert await post.unread(reason="expired") is Disposition.ACK

    (told,) = post.answers()
    assert (told["code"], told["errors"][0]["path"]) == ("E_TIMEOUT", "expiration")


@pytest.mark.parametrize("key", ["", "caf.in.NOBODY", "caf.unread", f"{QUEUE} "])
async def test_a_dead_letter_of_nobodys_is_kept_and_answered_to_nobody(
    post: Post, key: str
) -> None:
    """Only the queue's own key says whose it was; no header does."""
    assert await post.unread(key=key, reason="expired") is Disposition.REJECT

    assert post.envelopes() == post.envelopes("caf.reply.HOU-A") == []
