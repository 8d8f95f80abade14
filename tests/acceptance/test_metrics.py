"""The metrics page of a real hub: it tells how the exchange does, and nothing of anybody."""

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from hub.api.app import create_metrics_app
from hub.api.serving import measured
from hub.errors import Misconfigured
from hub.settings import Listen
from tests import builders as b
from tests.acceptance.real_hub import RealHub, real_hub
from tests.acceptance.test_existence import at_rest, made, names, reference, stored

pytestmark = pytest.mark.acceptance


async def collected(real: RealHub, path: str = "/metrics") -> httpx.Response:
    """Ask where a collector asks: at the address that ``ECAF_METRICS_LISTEN`` names."""
    settings = replace(real.hub.settings, metrics_listen=Listen("127.0.0.1", 0))
    async with (
        measured(create_metrics_app(real.hub), settings, support_contact="s") as served,
        httpx.AsyncClient(base_url=served[0].address, trust_env=False) as collector,
    ):
        return await collector.get(path)


def series(page: str) -> dict[str, float]:
    """Return every sample of a page."""
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def test_the_page_tells_how_the_exchange_does(tmp_path: Path) -> None:
    """Taken, repeated, sent, open and refused are counted by partner, class and code; no id of an
    episode, a message or a person is on the page.
    """
    async with real_hub(tmp_path) as real:
        await made(real, "plain", 0)
        again = b.wire(names({"consent_decision": stored("plain", 0)}, "plain", 0))
        assert (await real.post("EHM-A", "/messages", again, "plain-0")).status_code == 201
        await at_rest(real)

        page = (await collected(real)).text
        found = series(page)
        ids = [one.delivery_id for one in (await real.hub.store.inbox_of("HOU-A", 0, 10))]

    assert found['ecaf_messages_total{outcome="accepted",partner="EHM-A"}'] == 4
    assert found['ecaf_messages_total{outcome="repeated",partner="EHM-A"}'] == 1
    assert found['ecaf_last_message_timestamp_seconds{partner="EHM-A"}'] > 1e9
    to_housing = 'channel="pull",outcome="handed_over",partner="HOU-A"'
    assert found[f"ecaf_sends_total{{{to_housing}}}"] == len(ids) > 0
    waiting = 'class="content",partner="HOU-A",state="handed_over"'
    assert found[f"ecaf_open{{{waiting}}}"] == len(ids)
    assert f"ecaf_oldest_seconds{{{waiting}}}" in found
    assert (found["ecaf_ready"], found["ecaf_withdrawn_in_flight_seconds"]) == (1, 0)
    assert found['ecaf_send_seconds_count{channel="pull"}'] >= len(ids)
    for told in (*ids, reference("plain"), "Example", "999"):
        assert told not in re.sub(r" [0-9.e+-]+$", "", page, flags=re.MULTILINE)


async def test_the_collectors_address_has_nothing_else(tmp_path: Path) -> None:
    """Three pages about the process; the door's and the operator's are not there."""
    async with real_hub(tmp_path) as real:
        answers = {
            path: (await collected(real, path)).status_code
            for path in ("/healthz", "/readyz", "/admin/summary", "/directory", "/openapi.json")
        }

    assert list(answers.values()) == [200, 200, 404, 404, 404]


async def test_an_address_in_use_is_said(tmp_path: Path) -> None:
    """The hub does not start without the page that somebody relies on."""
    async with real_hub(tmp_path) as real:
        port = real.client.base_url.port
        assert port is not None
        settings = replace(real.hub.settings, metrics_listen=Listen("127.0.0.1", port))
        with pytest.raises(Misconfigured, match="ECAF_METRICS_LISTEN"):
            async with measured(create_metrics_app(real.hub), settings, support_contact="s"):
                pass
