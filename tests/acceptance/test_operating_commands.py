"""`ecaf trace` and its kin on a real hub: while it runs, over its socket, and at rest."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests.acceptance.real_hub import real_hub
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_explain import SECRET, _delivered

pytestmark = pytest.mark.acceptance


async def test_a_running_hub_and_a_store_at_rest_answer_alike(tmp_path: Path) -> None:
    """Each command says the same over the socket and of the folder, and never a value."""
    site = tmp_path / "site"
    async with real_hub(site) as one:
        delivery = await _delivered(one)
        async with operator_socket(one.hub, tmp_path / "operator.sock") as place:
            running = await answers(delivery, "--socket", str(place))
            await one.hub.pause()
            look = ["top", "--once", "--socket", str(place)]
            live = await asyncio.to_thread(CliRunner().invoke, app, look)

    rest = await answers(delivery, "--site", str(site))

    assert {name: one.output for name, one in rest.items()} == {
        name: one.output for name, one in running.items()
    }
    refused = {"unknown", "why", "nobody", "wrong", "aside", "act", "everything", "ack"}
    assert {name for name, one in rest.items() if one.exit_code} == refused
    assert "NOT_ACKNOWLEDGED" in rest["why"].output
    assert [one["delivery_id"] for one in json.loads(rest["search"].output)["deliveries"]] == [
        delivery
    ]
    (lane,) = json.loads(rest["lanes"].output)["lanes"]
    assert (lane["depth"], lane["head"]["delivery_id"]) == (1, delivery)
    assert "E_NOT_FOUND: no partner has this name" in rest["nobody"].output
    assert "ecaf trace" in rest["sent"].output
    assert "quarantined" in rest["wrong"].output
    (traced,) = json.loads(rest["trace"].output)["deliveries"]
    assert (traced["delivery_id"], traced["state"]) == (delivery, "handed_over")
    assert [step["what"] for step in traced["steps"]] == [
        "disclosure.intended", "handed_over", "disclosure.fetched",
    ]  # fmt: skip
    assert delivery in rest["table"].output
    assert (rest["unknown"].exit_code, "E_NOT_FOUND" in rest["unknown"].output) == (1, True)
    assert "subjects[].gender" in {
        one["field"] for one in json.loads(rest["fields"].output)["fields"]
    }
    assert "handed_over, not in quarantine" in rest["act"].output
    assert "HANDED_OVER" in rest["replay"].output
    assert "0 alerts" in rest["alerts"].output
    assert "E_NOT_FOUND" in rest["ack"].output
    assert json.loads(rest["disclosures"].output) == {"disclosures": []}
    look = ["top", "--json", "--site", str(site)]
    still = await asyncio.to_thread(CliRunner().invoke, app, look)
    assert (live.exit_code, still.exit_code) == (0, 0)
    for words in ("PAUSED", "oldest handed_over", "lane HOU-A e1: 1 since"):
        assert words in live.output
    assert json.loads(still.output)["deliveries"]["handed_over"] == 2
    for told in (live, still, *rest.values()):
        for value in (SECRET, "Ava", "Mia", "ZZ99"):
            assert value not in told.output


async def answers(delivery: str, *where: str) -> dict[str, Any]:
    """Ask every question of the hub at *where*, its socket or its folder."""
    asked = {
        "trace": ("trace", delivery, "--json"),
        "table": ("trace", delivery),
        "unknown": ("trace", "nothing"),
        "why": ("why-not", "e1", "HOU-A/HOUS"),
        "search": ("messages", "search", "--state", "handed_over", "--partner", "HOU-A", "--json"),
        "listed": ("messages", "search", "--episode", "e1"),
        "sent": ("messages", "search", "--from", "SCH-A", "--key", "episode.opened"),
        "wrong": ("messages", "search", "--state", "lost"),
        "lanes": ("lanes", "--partner", "HOU-A", "--json"),
        "nobody": ("lanes", "--partner", "NOBODY"),
        "standing": ("lanes",),
        "quarantine": ("quarantine", "list"),
        "aside": ("quarantine", "show", delivery),
        "act": (
            "quarantine",
            "skip",
            delivery,
            "--reason",
            "TEST",
            "--by",
            "op-1",
            "--second",
            "op-2",
        ),
        "replay": ("replay", "--episode", "e1", "--as-it-was"),
        "everything": ("replay",),
        "alerts": ("alerts", "list"),
        "ack": ("alerts", "ack", "unknown"),
        "disclosures": ("disclosures", "list", "--json"),
        "known": ("known", "HOU-A/HOUS", "e1", "--at", "2099-01-01"),
        "fields": ("known", "HOU-A/HOUS", "e1", "--at", "2099-01-01", "--json"),
    }

    def run(arguments: tuple[str, ...]) -> Any:
        return CliRunner().invoke(app, [*arguments, *where])

    return {name: await asyncio.to_thread(run, arguments) for name, arguments in asked.items()}
