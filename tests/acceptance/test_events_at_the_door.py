"""CloudEvents and signed webhooks at the door of a real hub: taken once, or told what was wrong."""

import base64
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks.webhooks import Webhook

from hub.bootstrap import translator
from tests import builders
from tests.acceptance.real_hub import RealHub, real_hub
from tests.acceptance.wrong_events import (
    KEY,
    SECOND,
    Sent,
    binary,
    event,
    sign,
    signed,
    structured,
    wrong_events,
)
from tests.acceptance.wrong_inputs import CANARY
from tests.frugal import frugal

pytestmark = pytest.mark.acceptance
BUNDLE = Path("mappings/catalogue/fhir-r4/notice/cases/read-attendance/wire.json").read_bytes()
PRIVATE = Ed25519PrivateKey.from_private_bytes(b"e" * 32)


def keys(folder: Path, *secrets: str) -> None:
    """Give SCH-A a webhook with these keys."""
    files = []
    for number, secret in enumerate(secrets):
        path = folder / "secrets" / f"in-{number}.webhook"
        path.write_text(secret + "\n", "utf-8")
        path.chmod(0o600)
        files.append(f"secrets/{path.name}")
    profile = folder / "partners" / "SCH-A.yaml"
    text = profile.read_text("utf-8")
    webhook = f"credentials:\n  webhook: {{secret_files: [{', '.join(files)}]}}\n"
    profile.write_text(text.replace("credentials:\n", webhook), "utf-8")


def old_and_new(folder: Path) -> None:
    """A shared key and the public key that is to replace it."""
    raw = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    keys(folder, f"whsec_{KEY}", f"whpk_{base64.b64encode(raw).decode()}")


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[RealHub]:
    """A hub to which the school's system signs; nothing is matched meanwhile."""
    async with real_hub(tmp_path / "site", change=old_and_new) as one:
        await one.hub.noticing.matcher.stop()
        yield one


async def send(real: RealHub, sent: Sent, to: str = "SCH-A") -> httpx.Response:
    """POST it: with its signature, or with the school's key."""
    path, headers = "/notifications", dict(sent.headers)
    if sent.signed:
        path += f"/{to}"
    else:
        headers["authorization"] = f"Bearer {real.keys['SCH-A']}"
    return await real.client.post(path, content=sent.body, headers=headers)


async def recorded(real: RealHub) -> list[Any]:
    """Return the notices that wait to be matched."""
    return list(await real.hub.store.notices(("received",), "", 100))


async def test_every_wrong_event_is_told_its_code_and_leaves_nothing(real: RealHub) -> None:
    """Each a 4xx problem with code and place that echoes nothing; no notice is recorded."""
    different = []
    rows = wrong_events(int(time.time()))
    assert len(rows) >= 60
    for row in rows:
        with frugal():
            answer = await send(real, row.sent)
        told = answer.json()
        places = {(fault["code"], fault["path"]) for fault in told.get("errors", ())}
        good = (
            400 <= answer.status_code < 500
            and answer.headers["content-type"].startswith("application/problem+json")
            and (row.code, row.path) in places
            and CANARY not in answer.text
            and "9990000018" not in answer.text
            and "Example" not in answer.text
        )
        if not good:
            different.append(f"{row.name}: {answer.status_code} {row.code} {sorted(places)[:4]}")

    assert different == [], "\n".join(different)
    assert await recorded(real) == []


async def test_an_event_is_taken_in_either_mode_and_once(real: RealHub) -> None:
    """As the CloudEvents library writes it; the same event in the other mode is the same notice."""
    data = builders.notification()
    attributes = {name: held for name, held in event(data=0).items() if name != "data"}
    attributes["time"] = datetime(2026, 9, 18, 9, 30, tzinfo=UTC)
    theirs = CloudEvent({**attributes, "datacontenttype": "application/json"}, data)
    answers = []
    for made in (to_structured(theirs, JSONFormat()), to_binary(theirs, JSONFormat())):
        one = Sent(dict(made.headers), made.body)
        answers += [await send(real, one), await send(real, one)]

    assert {(one.status_code, one.content) for one in answers} == {(202, b'{"status":"accepted"}')}
    (kept,) = await recorded(real)
    assert (kept.partner, kept.kind) == ("SCH-A", "attendance_concern")
    other = structured(data=builders.notification(kind="exclusion"))
    assert (await send(real, other)).json()["code"] == "E_IDEMPOTENCY"
    assert (await send(real, binary(ce_id="ev-2"))).status_code == 202
    assert len(await recorded(real)) == 2


async def test_data_may_be_of_any_type_that_is_read(real: RealHub) -> None:
    """A FHIR Bundle inside an event, as an object and as base64, and a Bundle by itself."""
    both = translator("https://ecaf.example/fhir")
    wire = BUNDLE
    kind = "application/fhir+json"
    assert "notification" in both.read(kind, wire, partner="").message
    coded = base64.b64encode(wire).decode()
    sent = [
        structured(id="f1", datacontenttype=kind, data=json.loads(wire)),
        Sent(
            structured().headers,
            json.dumps(
                {
                    **{k: v for k, v in event(id="f2").items() if k != "data"},
                    "datacontenttype": kind,
                    "data_base64": coded,
                }
            ).encode(),
        ),
        binary(wire, ce_id="f3", content_type=kind),
        Sent({"content-type": kind, "idempotency-key": "f4"}, wire),
    ]
    answers = [await send(real, one) for one in sent]

    assert [one.status_code for one in answers] == [202] * 4, [one.text for one in answers]
    assert len(await recorded(real)) == 4


async def test_a_signed_webhook_is_taken_and_its_repeat_changes_nothing(real: RealHub) -> None:
    """As the Standard Webhooks library signs it; again, and at another time, it is the same 202."""
    body = json.dumps(builders.notification()).encode()
    now = datetime.now(UTC)
    mark = Webhook(f"whsec_{KEY}").sign("msg-1", now, body.decode())
    headers = {**sign(body, int(now.timestamp())), "webhook-signature": mark}
    answers = [await send(real, Sent(headers, body, signed=True)) for _ in range(2)]
    answers.append(await send(real, signed(int(time.time()) - 60)))

    assert {(one.status_code, one.content) for one in answers} == {(202, b'{"status":"accepted"}')}
    assert [one.key for one in await recorded(real)] == ["msg-1"]
    other = signed(int(time.time()), json.dumps(builders.notification(kind="exclusion")).encode())
    assert (await send(real, other)).json()["code"] == "E_IDEMPOTENCY"


async def test_either_of_two_keys_will_do_while_they_rotate(real: RealHub) -> None:
    """A signature by a key that the hub no longer (or not yet) has may stand beside one by ours."""
    now = int(time.time())
    body = json.dumps(builders.notification()).encode()
    text = f"msg-e.{now}.".encode() + body
    modern = "v1a," + base64.b64encode(PRIVATE.sign(text)).decode()
    unknown = sign(body, now, "msg-e", SECOND)["webhook-signature"]
    ours = sign(body, now, "msg-e")["webhook-signature"]
    for mark in (modern, f"{unknown} {modern}", f"{unknown} {ours}"):
        headers = {**sign(body, now, "msg-e"), "webhook-signature": mark}
        assert (await send(real, Sent(headers, body, signed=True))).status_code == 202
    assert len(await recorded(real)) == 1


async def test_who_signs_as_another_is_told_what_a_stranger_is_told(real: RealHub) -> None:
    """No partner, one that signs nothing, and a wrong key: the same words for each."""
    now = int(time.time())
    told = []
    for name in ("NOBODY", "EHM-A", "HOU-A"):
        answer = await send(real, signed(now), to=name)
        told.append((answer.status_code, answer.json() | {"request_id": ""}))
    wrong = await send(real, signed(now, webhook_id="msg-2"))
    told.append((wrong.status_code, wrong.json() | {"request_id": ""}))

    assert told == [told[0]] * 4
    assert told[0][0] == 401
    assert await recorded(real) == []


async def test_a_signed_event_carries_its_own_id_twice(real: RealHub) -> None:
    """A CloudEvent inside a signed webhook: the signature's id is the key."""
    made = structured()
    headers = {**sign(made.body, int(time.time())), "content-type": made.headers["content-type"]}
    answer = await send(real, Sent(headers, made.body, signed=True))

    assert answer.status_code == 202
    assert [one.key for one in await recorded(real)] == ["msg-1"]


async def test_a_signed_body_is_bounded_before_it_is_believed(real: RealHub) -> None:
    """Whoever may be nobody is not given five mebibytes."""
    answer = await send(real, signed(int(time.time()), b"{" + b" " * 70_000 + b"}"))

    assert (answer.status_code, answer.json()["code"]) == (413, "E_TOO_LARGE")
