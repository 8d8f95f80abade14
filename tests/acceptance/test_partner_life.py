"""A partner's life on a real hub: suspended and resumed, activated, listed, over its socket."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.domain.search import Search
from hub.errors import Conflict, Missing
from hub.partner_life import PartnerLife
from tests.acceptance.real_hub import RealHub, real_hub
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_explain import _consents, _delivered, _family

pytestmark = pytest.mark.acceptance
BY = ("--reason", "TEST", "--by", "staff-1")


async def told(*words: str) -> Any:
    """Run one command beside the hub."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(words))


async def reached(one: RealHub, partner: str, *states: str) -> list[Any]:
    """Wait until everything for a partner is in one of these states, and something is."""
    async with asyncio.timeout(60):
        while True:
            found, _ = await one.hub.store.search(Search(partner=partner), 0, 50)
            if found and all(each.state.value in states for each in found):
                return list(found)
            await asyncio.sleep(0.05)


async def test_a_suspended_partner_is_stopped_at_once_and_loses_nothing(tmp_path: Path) -> None:
    """Its door is shut and its lane waits; resumed, what waited goes; each is audited with who."""
    site = tmp_path / "site"
    async with real_hub(site) as one, operator_socket(one.hub, tmp_path / "socket") as place:
        where = ("--socket", str(place))
        headers = {"authorization": f"Bearer {one.keys['HOU-A']}"}
        stopped = await told("partners", "suspend", "HOU-A", *BY, *where)
        again = await told("partners", "suspend", "HOU-A", *BY, "--json", *where)
        for record in _consents():
            raw = json.dumps(record).encode()
            path, key = "/episodes/e1/consents", record["consent_decision_id"]
            assert (await one.post("SCH-A", path, raw, key, "application/json")).is_success
        raw = json.dumps({"event": "episode.opened", "episode": _family()}).encode()
        assert (await one.post("SCH-A", "/messages", raw, "opened")).status_code == 202
        raw = b'{"event":"assessment.completed","episode":{"episode_id":"e1"}}'
        assert (await one.post("SCH-A", "/messages", raw, "done")).status_code == 202
        async with asyncio.timeout(60):
            while not (held := await reached(one, "HOU-A", "pending"))[0].reason:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        shut = await one.client.get("/inbox", headers=headers)
        why = await told("why-not", "e1", "HOU-A/HOUS", *where)
        listed = json.loads((await told("partners", "list", "--json", *where)).output)
        resumed = await told("partners", "resume", "HOU-A", *BY, *where)
        (waiting,) = await reached(one, "HOU-A", "handed_over")
        inbox = await one.client.get("/inbox", headers=headers)
        rows = [row for _, row in await one.hub.store.audited(0, 500)]

    assert (stopped.exit_code, json.loads(again.output)["changed"]) == (0, False), stopped.output
    assert [each.reason for each in held] == ["E_SUSPENDED"]
    assert (shut.status_code, shut.json()["code"]) == (403, "E_SUSPENDED")
    assert "SUSPENDED" in why.output
    (line,) = [each for each in listed["partners"] if each["partner"] == "HOU-A"]
    assert line["suspended"]["reason"] == "TEST"
    (sender,) = [each for each in listed["partners"] if each["partner"] == "SCH-A"]
    assert sender["last_heard"] is not None
    assert resumed.exit_code == 0, resumed.output
    assert [each["delivery_id"] for each in inbox.json()["deliveries"]] == [waiting.delivery_id]
    assert waiting.delivery_id == held[0].delivery_id
    mine = [row for row in rows if row.kind.startswith("partner.")]
    assert [(row.kind, row.actor, row.facts["partner"]) for row in mine] == [
        ("partner.suspended", "staff-1", "HOU-A"),
        ("partner.suspended", "staff-1", "HOU-A"),
        ("partner.resumed", "staff-1", "HOU-A"),
    ]


@pytest.mark.slow
async def test_a_suspension_written_by_another_process_is_taken(tmp_path: Path) -> None:
    """Several processes share a folder; only one of them is told on its socket."""
    site = tmp_path / "site"
    async with real_hub(site) as one:
        folder = site / "suspended"
        folder.mkdir()
        (folder / "HOU-A.yaml").write_text("nonsense: [")
        async with asyncio.timeout(60):
            while one.hub.registry.partners["HOU-A"].suspended is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        (folder / "HOU-A.yaml").unlink()
        async with asyncio.timeout(60):
            while one.hub.registry.partners["HOU-A"].suspended is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_activation_takes_all_or_nothing_and_what_was_under_way_goes_on(
    tmp_path: Path,
) -> None:
    """A changed folder is in force without a restart; one with a fault changes nothing."""
    site = tmp_path / "site"
    async with real_hub(site) as one, operator_socket(one.hub, tmp_path / "socket") as place:
        where = ("--by", "staff-2", "--socket", str(place))
        delivery = await _delivered(one)
        added = await told("partners", "add", "NEW-A", "--site", str(site))
        before = one.hub.registry
        profile = site / "partners/HOU-A.yaml"
        text = profile.read_text()
        profile.write_text(text.replace("operations: [", "operations: [nothing, "))
        broken = await told("config", "activate", *where)
        kept = one.hub.registry
        profile.write_text(text.replace("submit, ", ""))
        (site / "notify.yaml").write_text("read: at the start only\n")
        done = await told("config", "activate", "--json", *where)
        headers = {"authorization": f"Bearer {one.keys['HOU-A']}"}
        ack = await one.client.post(
            f"/deliveries/{delivery}/ack",
            headers={**headers, "idempotency-key": "a", "content-type": "application/json"},
            content=b'{"code":"APPLIED"}',
        )
        refused = await one.post("HOU-A", "/messages", b'{"episode":{}}', "k1")
        renamed = site / "hub.yaml"
        renamed.write_text(renamed.read_text().replace("hub: Hub", "hub: Other"))
        other = await told("config", "activate", *where)
        rows = [row for _, row in await one.hub.store.audited(0, 500)]
        renamed.write_text(renamed.read_text().replace("hub: Other", "hub: Hub"))
        again = await told("config", "activate", *where)

    assert added.exit_code == 0, added.output
    assert (broken.exit_code, kept) == (1, before)
    assert re.search(r"partners/HOU-A\.yaml:\d+:\d+", broken.output), broken.output
    answer = json.loads(done.output)
    assert (answer["added"], answer["changed"], answer["removed"]) == (["NEW-A"], ["HOU-A"], [])
    assert answer["needs_restart"] == ["notify.yaml"]
    assert "notify.yaml has changed and is NOT taken" in again.output, again.output
    assert ack.status_code == 200, ack.text
    assert (refused.status_code, refused.json()["code"]) == (403, "E_FORBIDDEN")
    assert (other.exit_code, "hub.yaml: hub" in other.output) == (1, True), other.output
    (activated,) = [row for row in rows if row.kind == "config.activated"]
    assert (activated.actor, activated.facts["digest"]) == ("staff-2", answer["digest"])
    assert one.hub.registry.partners["HOU-A"].operations == frozenset({"read", "disclose", "vouch"})


@pytest.mark.slow
async def test_a_suspension_at_rest_holds_at_the_next_start(tmp_path: Path) -> None:
    """Without a running hub the file and the audit are written, and the next start heeds them."""
    site = tmp_path / "site"
    async with real_hub(site):
        pass
    stopped = await told("partners", "suspend", "HOU-A", *BY, "--site", str(site))
    unknown = await told("partners", "suspend", "NOBODY", *BY, "--site", str(site))
    wrong = await told(
        "partners", "suspend", "HOU-A", "--reason", "WHY", "--by", "Ms Name", "--site", str(site)
    )
    listed = await told("partners", "list", "--site", str(site))

    assert stopped.exit_code == 0, stopped.output
    assert (unknown.exit_code, "E_NOT_FOUND" in unknown.output) == (1, True)
    assert "/reason" in wrong.output
    assert "/by" in wrong.output
    assert "SUSPENDED TEST by staff-1" in listed.output


async def test_where_roles_are_split_a_worker_is_asked_and_says_what_it_cannot_hear(
    tmp_path: Path,
) -> None:
    """A partner's own word comes to the role api, which sends nothing and says who does."""
    async with real_hub(tmp_path / "site") as one:
        tested = await PartnerLife(one.hub, hears=False).test("HOU-A", {})
        assert one.hub.activation is not None
        one.hub.activation.carriers = None
        with pytest.raises(Conflict, match="ask a worker") as sent_on:
            await PartnerLife(one.hub).test("HOU-A", {})
        with pytest.raises(Missing):
            await PartnerLife(one.hub).test("NOBODY", {})

    assert (tested["passed"], tested["hops"][-1]["state"]) == (True, "not known")
    assert ".worker" in sent_on.value.faults[0].remedy
