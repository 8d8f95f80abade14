"""The three worked profiles at work: each is added, activated, and played out and in."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.domain.accreditation import Stage
from tests.acceptance.real_hub import real_hub
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_partner_life import told
from tests.contract.mllp_receiver import hospital
from tests.contract.receiver import Behaviour, Receiver, receiver
from tests.contract.test_fhir_destination import ack, tree

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def acknowledging(far: Receiver) -> Behaviour:
    """Acknowledge the FHIR message that came last, by its own id."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        header = json.loads(far.received[-1].body)["entry"][0]["resource"]
        await tree(ack(about=header["id"]))(writer)

    return answer


@pytest.mark.parametrize("like", ["case-management", "school", "trust-engine"])
async def test_a_worked_profile_is_played(like: str, tmp_path: Path) -> None:
    """Added and activated without a restart it is reached by its own protocol, in its own format,
    and acknowledges; at the stage test a thin one is told and fetches nothing.
    """
    folder, name = tmp_path / "site", "NEW-C"
    async with receiver() as web, hospital() as engine:
        urls = {
            "case-management": f"http://127.0.0.1:{web.port}/fhir/$process-message",
            "school": web.url,
            "trust-engine": f"mllp://127.0.0.1:{engine.port}",
        }
        if like == "case-management":
            web.answers.append(acknowledging(web))
        async with (
            real_hub(folder) as one,
            operator_socket(one.hub, tmp_path / "socket") as place,
        ):
            where = ("--site", str(folder))
            added = await told("partners", "add", name, "--like", like, "--url", urls[like], *where)
            checked = await told("partners", "check", name, *where)
            active = await told("config", "activate", "--by", "s-1", "--socket", str(place))
            done = await told("partners", "test", name, "--json", "--socket", str(place))
            partner = one.hub.registry.partners[name]

    for each in (added, checked, active, done):
        assert each.exit_code == 0, each.output
    assert partner.stage is Stage.TEST
    assert json.loads(done.output)["passed"]
    if like == "trust-engine":
        assert engine.received[0].startswith(b"MSH|")
        return
    (got,) = web.received
    body = json.loads(got.body)
    if like == "school":
        assert (body["specversion"], "webhook-signature" in got.headers) == ("1.0", True)
        return
    assert [one["code"] for one in body["meta"]["tag"]] == ["HTEST"]
    assert body["entry"][0]["resource"]["id"].startswith("ecaf7e57-")
