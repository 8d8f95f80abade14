"""`ecaf partners test`, `remove` on a real hub; a synthetic message can never enter live."""

import asyncio
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.errors import Code, InvalidContent
from hub.services.synthetic import message_to, new_id, refuse_synthetic
from tests.acceptance.real_hub import real_hub
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_explain import _consents, _delivered
from tests.acceptance.test_partner_life import BY, reached, told
from tests.contract.mllp_receiver import hospital
from tests.contract.receiver import receiver, status

pytestmark = pytest.mark.acceptance


def reached_at(url: str, **more: str) -> Callable[[Path], None]:
    """HOU-A is reached at *url*; *more* replaces members of ``deliver``."""
    told = {"channel": "webhook", "url": f'"{url}"', "body": "full", "content": "caf-json",
            "notification": "caf-json", "secret_file": "secrets/hou-a.webhook", **more}  # fmt: skip

    def change(site: Path) -> None:
        profile = site / "partners/HOU-A.yaml"
        said = ", ".join(f"{name}: {value}" for name, value in told.items() if value)
        text = re.sub(
            r"^deliver: .*$", f"deliver: {{{said}}}", profile.read_text(), flags=re.MULTILINE
        )
        profile.write_text(text)

    return change


async def hops_of(place: Path, *more: str) -> tuple[int, Any]:
    """Test HOU-A and return the exit code and the hops by name."""
    done = await told("partners", "test", "HOU-A", "--json", "--socket", str(place), *more)
    answer = json.loads(done.output)
    return done.exit_code, answer | {"by": {hop["hop"]: hop for hop in answer["hops"]}}


async def test_every_hop_of_a_webhook_is_told(tmp_path: Path) -> None:
    """The receiver gets a signed, marked message about a test person, and nothing is recorded but
    the audit row.
    """
    async with receiver() as far:
        change = reached_at(far.url)
        async with (
            real_hub(tmp_path / "site", change=change) as one,
            operator_socket(one.hub, tmp_path / "socket") as place,
        ):
            code, good = await hops_of(place)
            shown = await told("partners", "test", "HOU-A", "--socket", str(place))
            far.answers.append(status(401))
            _, refused = await hops_of(place)
            await told("partners", "suspend", "HOU-A", *BY, "--socket", str(place))
            _, stopped = await hops_of(place)
            counts = await one.hub.store.counts()
            rows = [row for _, row in await one.hub.store.audited(0, 100)]

    assert (code, good["passed"], [hop["state"] for hop in good["hops"]]) == (0, True, ["ok"] * 5)
    got = far.received[0]
    assert got.headers["webhook-id"] == good["delivery_id"]
    body = json.loads(got.body)
    assert body["episode"]["episode_id"].startswith("ecaf7e57-")
    assert body["episode"]["subjects"][0]["identifiers"][0]["value"].startswith("999")
    assert "every hop is well" in shown.output
    assert (refused["failed"], refused["by"]["rendered and validated"]["state"]) == (
        "sent, transport acknowledged", "ok",
    )  # fmt: skip
    assert "401" in refused["by"]["sent, transport acknowledged"]["says"]
    assert refused["by"]["sent, transport acknowledged"]["remedy"]
    assert (stopped["failed"], stopped["by"]["profile"]["code"]) == ("profile", "E_SUSPENDED")
    assert len(far.received) == 3
    assert not any(counts.values())
    mine = [row.code for row in rows if row.kind == "partner.tested"]
    assert mine == ["OK", "OK", "E_FORBIDDEN", "E_SUSPENDED"]


@pytest.mark.slow
async def test_a_door_that_nobody_opens_is_named(tmp_path: Path) -> None:
    """Nobody listens at the address: the hop `connected` fails, and nothing is sent."""
    async with receiver() as far:
        url = far.url
    async with (
        real_hub(tmp_path / "site", change=reached_at(url)) as one,
        operator_socket(one.hub, tmp_path / "socket") as place,
    ):
        code, gone = await hops_of(place)
        unknown = await told("partners", "test", "NOBODY", "--socket", str(place))

    assert (code, gone["failed"], gone["by"]["connected"]["code"]) == (
        1, "connected", "E_UNAVAILABLE",
    )  # fmt: skip
    assert gone["by"]["sent, transport acknowledged"]["state"] == "not tried"
    assert (unknown.exit_code, "E_NOT_FOUND" in unknown.output) == (1, True)


@pytest.mark.slow
async def test_a_partner_that_fetches_is_tested_to_its_own_word(tmp_path: Path) -> None:
    """It sees the test in its inbox, fetches it and acknowledges; then there is none."""
    async with (
        real_hub(tmp_path / "site") as one,
        operator_socket(one.hub, tmp_path / "socket") as place,
    ):
        headers = {"authorization": f"Bearer {one.keys['HOU-A']}"}
        other = {"authorization": f"Bearer {one.keys['SCH-A']}"}
        testing = asyncio.create_task(hops_of(place, "--wait", "25"))
        async with asyncio.timeout(60):
            while not (  # noqa: ASYNC110  it asks as a partner would
                waiting := (await one.client.get("/inbox", headers=headers)).json()["deliveries"]
            ):
                await asyncio.sleep(0.05)
        delivery = waiting[0]["delivery_id"]
        hidden = await one.client.get(f"/deliveries/{delivery}", headers=other)
        body = await one.client.get(f"/deliveries/{delivery}", headers=headers)
        said = await one.client.post(
            f"/deliveries/{delivery}/ack",
            headers={**headers, "idempotency-key": "a", "content-type": "application/json"},
            content=b'{"code":"APPLIED"}',
        )
        code, good = await testing
        left = (await one.client.get("/inbox", headers=headers)).json()["deliveries"]
        _, unheard = await hops_of(place, "--wait", "0")

    assert (hidden.status_code, body.status_code, said.status_code) == (404, 200, 200)
    assert (code, good["delivery_id"]) == (0, delivery)
    assert "APPLIED" in good["by"]["acknowledged by its system"]["says"]
    assert left == []
    assert unheard["failed"] == "acknowledged by its system"


def test_a_synthetic_message_never_enters_live() -> None:
    """Whatever payload bears the mark is refused by its ids."""
    message = message_to("HOU-A/HOUS", "Hub", new_id(), datetime.now(UTC))
    for part in (
        message,
        {"episode": {"episode_id": new_id()}},
        {"contribution": {"episode_id": new_id().upper()}},
        {"consent_decision": {"episode_id": new_id()}},
        {"message": {"message_id": new_id()}},
    ):
        with pytest.raises(InvalidContent) as refused:
            refuse_synthetic(part)
        assert refused.value.code is Code.RULE
    refuse_synthetic({"episode": {"episode_id": "ecaf7e57-0000-4000-8000-000000000001"}})


async def test_every_door_refuses_what_is_synthetic(tmp_path: Path) -> None:
    """An episode, a decision about one, sent back by who got the test: E_RULE."""
    async with real_hub(tmp_path / "site") as one:
        reference = new_id()
        raw = orjson.dumps({"event": "episode.opened", "episode": {"episode_id": reference}})
        sent = await one.post("SCH-A", "/messages", raw, "k1")
        record = {**_consents()[0], "episode_id": reference}
        path = f"/episodes/{reference}/consents"
        decided = await one.post("SCH-A", path, orjson.dumps(record), "k2", "application/json")
        counts = await one.hub.store.counts()
    assert [(one.status_code, one.json()["code"]) for one in (sent, decided)] == [
        (422, "E_RULE")
    ] * 2
    assert not any(counts.values())


@pytest.mark.slow
async def test_a_partner_with_open_deliveries_is_not_removed_in_silence(tmp_path: Path) -> None:
    """First what would happen, then suspension, then the end of what is open, with who and why."""
    site = tmp_path / "site"
    async with real_hub(site) as one, operator_socket(one.hub, tmp_path / "socket") as place:
        where = ("--socket", str(place))
        delivery = await _delivered(one)
        await reached(one, "HOU-A", "handed_over")
        would = await told("partners", "remove", "HOU-A", "--json", *where)
        confirm = ("--confirm", "--reason", "NOT_NEEDED", "--by", "staff-3")
        working = await told("partners", "remove", "HOU-A", *confirm, *where)
        await told("partners", "suspend", "HOU-A", *BY, *where)
        done = await told("partners", "remove", "HOU-A", "--json", *confirm, *where)
        again = await told("partners", "remove", "HOU-A", *confirm, *where)
        (ended,) = await reached(one, "HOU-A", "expired")
        rows = [row for _, row in await one.hub.store.audited(0, 500)]
        known = one.hub.registry.partners
    aside = list((site / "removed").iterdir())

    first = json.loads(would.output)
    assert (first["open"], first["states"], first["removed"]) == (1, {"handed_over": 1}, False)
    assert first["services"] == ["HOU-A/HOUS"]
    assert (working.exit_code, "E_STATE" in working.output) == (1, True), working.output
    last = json.loads(done.output)
    assert (last["removed"], last["ended"]) == (True, 1), done.output
    assert (again.exit_code, "E_NOT_FOUND" in again.output) == (1, True)
    assert (ended.delivery_id, ended.reason) == (delivery, "PARTNER_REMOVED")
    assert "HOU-A" not in known
    assert [str(one) for one in aside] == [last["profile"]]
    assert not (site / "partners/HOU-A.yaml").exists()
    assert not (site / "suspended/HOU-A.yaml").exists()
    kinds = [row.kind for row in rows if row.kind.startswith("partner.")]
    assert kinds == ["partner.suspended", "partner.ended", "partner.removed"]


@pytest.mark.slow
async def test_over_mllp_the_message_says_that_it_is_training(tmp_path: Path) -> None:
    """MSH-11 is T, and the acknowledgement of the engine is its own word."""
    async with hospital() as far:
        change = reached_at(
            f"mllp://127.0.0.1:{far.port}", channel="mllp", content="hl7v2/ref-i12",
            notification="hl7v2/ref-i12", secret_file="",
        )  # fmt: skip
        async with (
            real_hub(tmp_path / "site", change=change) as one,
            operator_socket(one.hub, tmp_path / "socket") as place,
        ):
            code, good = await hops_of(place)

    assert (code, good["passed"]) == (0, True), good
    header = far.received[0].split(b"\r")[0].split(b"|")
    assert header[10] == b"T"
