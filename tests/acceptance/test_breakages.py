"""Seeded breakages: one hub, many things broken, and the command that names each cause.

One family agrees to share with a row of services; each of their systems is broken in another way.
Nobody looks into the database: every cause is named by a command on the running hub's socket, or
of the folder that the hub leaves.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.partners.keys import create_keys, new_api_key
from hub.cli import app
from hub.scenarios.processes import free_port
from tests import builders
from tests.acceptance.real_hub import EXAMPLES, RealHub, real_hub
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_explain import SECRET, _consents, _family
from tests.contract.receiver import receiver, status

pytestmark = pytest.mark.acceptance

PULL = "deliver: {channel: pull, body: thin, content: caf-json, notification: caf-json}"


def webhook(name: str, port: int) -> str:
    """Return how a partner is reached that listens on loopback."""
    return (
        f"deliver:\n  channel: webhook\n  url: http://127.0.0.1:{port}/hook\n  body: full\n"
        f"  content: caf-json\n  notification: caf-json\n  secret_file: secrets/{name}.webhook"
    )


@dataclass(frozen=True)
class Broken:
    """One partner: what its profile says otherwise, and what `ecaf why-not` names."""

    names: str
    change: tuple[str, str] = ("", "")
    key_expires: str = "2099-01-01"
    about: Mapping[str, str] = field(default_factory=dict)


PARTNERS: Mapping[str, Broken] = {
    "B01-A": Broken(
        "E_ORG_NOT_ACCREDITED",
        ("protocol_expires: 2028-12-31", "protocol_expires: 2026-02-01"),
        about={"because": "PROTOCOL_LAPSED", "expired_on": "2026-02-01"},
    ),
    "B02-A": Broken(
        "E_ORG_NOT_ACCREDITED", ("stage: live", "stage: suspended"), about={"because": "STAGE"}
    ),
    "B03-A": Broken(
        "E_ORG_NOT_ACCREDITED",
        ("until: 2029-01-01", "until: 2026-02-01"),
        about={"because": "ACCREDITATION_OVER"},
    ),
    "B04-A": Broken(
        "E_ORG_NOT_ACCREDITED",
        ("stage: live", 'stage: pilot\n  pilot: {authorities: ["002"]}'),
        about={"because": "PILOT"},
    ),
    "B05-A": Broken(
        "E_ORG_NOT_ACCREDITED",
        (
            '  protocol: ISP-HOU-A-1\n  protocol_version: "1.0"\n  protocol_expires: 2028-12-31\n',
            '  protocols: [{id: P-9, version: "1.0", expires: 2028-12-31, authority: "002"}]\n',
        ),
        about={"because": "NO_PROTOCOL"},
    ),
    "B06-A": Broken("KEY_EXPIRED", key_expires="2026-02-01"),
    "B07-A": Broken("NOT_FETCHED"),
    "B08-A": Broken("NOT_ACKNOWLEDGED"),
    "B09-A": Broken("RETRYING"),
    "B10-A": Broken("QUARANTINED", about={"reason": "E_FORBIDDEN"}),
    "B11-A": Broken("QUARANTINED", about={"reason": "RECEIVER_REJECTED"}),
    "B12-A": Broken("RECALL_UNACKNOWLEDGED"),
    "B13-A": Broken("E_NO_RELATIONSHIP"),
    "B14-A": Broken("E_CONSENT_SCOPE"),
}
"""What is broken at whose system; B13 is named by no decision, B14 was excluded again."""
GENDER = "episode.subjects[0].gender"
SWAPPED = "B15-A"
"""Whose own code table says female for male."""
OVERLAY = f"""overlay: {SWAPPED}
mapping: fhir-r4/episode
mapping_version: 1
version: 1
codes:
  gender:
    - {{caf: F, way: "=", wire: male}}
    - {{caf: M, way: "=", wire: female}}
"""


def profile(folder: Path, name: str, broken: Broken, deliver: str) -> str:
    """Write one partner's profile and return its key."""
    key, digest = new_api_key(name, "k1")
    text = (EXAMPLES / "HOU-A.yaml").read_text("utf-8")
    was, becomes = broken.change
    assert was in text
    text = text.replace(was, becomes).replace("HOU-A", name).replace("hou-a", name.lower())
    text = text[: text.index("\ndeliver:") + 1] + deliver + "\n"
    keys = f"[{{id: k1, sha256: {digest}, expires: {broken.key_expires}}}]"
    text += f"credentials:\n  api_keys: {keys}\npractitioners: unvouched\n"
    (folder / "partners" / f"{name}.yaml").write_text(text, "utf-8")
    return key.reveal()


def break_site(folder: Path, refusing: int) -> dict[str, str]:
    """Add the broken partners to a site; return their keys."""
    create_keys(folder, partners=(*PARTNERS, SWAPPED))
    keys = {}
    closed = free_port()
    for name, broken in PARTNERS.items():
        port = {"B09-A": closed, "B10-A": refusing}.get(name)
        deliver = PULL if port is None else webhook(name.lower(), port)
        keys[name] = profile(folder, name, broken, deliver)
    fhir = PULL.replace("content: caf-json", "content: fhir-r4/episode")
    keys[SWAPPED] = profile(folder, SWAPPED, Broken(""), fhir)
    place = folder / "overlays" / SWAPPED / "fhir-r4" / "episode"
    place.mkdir(parents=True)
    (place / "overlay.yaml").write_text(OVERLAY, "utf-8")
    return keys


@asynccontextmanager
async def broken_hub(folder: Path) -> AsyncIterator[RealHub]:
    """Run a hub all of whose partners but the family's own are broken in their own way."""
    keys: dict[str, str] = {}
    async with receiver() as refuses:
        refuses.answers.extend(status(422) for _ in range(50))

        def change(site: Path) -> None:
            keys.update(break_site(site, refuses.port))

        async with real_hub(folder, change=change) as one:
            yield RealHub(one.hub, one.client, {**one.keys, **keys})


def items(*services: str) -> list[dict[str, Any]]:
    """Return scope items that show everything to these services."""
    return [{"service": service, "section": "all", "sensitive": True} for service in services]


def served(*names: str) -> list[str]:
    """Return the service of each partner."""
    return [f"{name}/HOUS" for name in names]


async def decide(one: RealHub, number: int, scope: list[dict[str, Any]], **changes: Any) -> None:
    """Record Mia's decisions for Ava and for herself, with this scope."""
    for given in _consents():
        record = {
            **given,
            "consent_decision_id": f"{given['consent_decision_id']}-{number}",
            "scope_includes": scope,
            "scope_excludes": [],
            **changes,
        }
        raw = json.dumps(record).encode()
        answer = await one.post(
            "SCH-A",
            f"/episodes/{record['episode_id']}/consents",
            raw,
            record["consent_decision_id"],
            "application/json",
        )
        assert answer.status_code in {200, 201, 202}, answer.text


async def submit(one: RealHub, key: str, message: dict[str, Any]) -> str:
    """Send one message as the school; return the hub's id of it."""
    answer = await one.post("SCH-A", "/messages", builders.wire(message), key)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["message_id"])


async def inbox(one: RealHub, name: str, kind: str) -> str:
    """Return the delivery of a type that waits for a partner, as soon as it is there."""
    headers = {"authorization": f"Bearer {one.keys[name]}"}
    for _ in range(400):
        found = (await one.client.get("/inbox", headers=headers)).json()["deliveries"]
        for waiting in found:
            if waiting["message_type"] == kind:
                return str(waiting["delivery_id"])
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name} never got {kind}: {found}")


async def fetched(one: RealHub, name: str, kind: str, say: str | None = None) -> str:
    """Let a partner fetch what waits, and acknowledge it with *say*; return its id."""
    delivery = await inbox(one, name, kind)
    headers = {"authorization": f"Bearer {one.keys[name]}"}
    body = await one.client.get(f"/deliveries/{delivery}", headers=headers)
    assert body.status_code == 200, body.text
    if say is not None:
        raw = json.dumps({"code": say}).encode()
        path = f"/deliveries/{delivery}/ack"
        answer = await one.post(name, path, raw, f"ack-{delivery}", "application/json")
        assert answer.status_code == 200, answer.text
    return delivery


async def story(one: RealHub) -> dict[str, str]:
    """Play what goes wrong for everybody; return the ids that the questions need."""
    everybody = served(*(name for name in PARTNERS if name != "B13-A"), SWAPPED)
    await decide(one, 1, items(*everybody))
    await submit(one, "opened", {"event": "episode.opened", "episode": _family()})
    completed = {"event": "assessment.completed", "episode": {"episode_id": "e1"}}
    message = await submit(one, "completed", completed)
    for name in ("B07-A", "B08-A", "B11-A", "B12-A", "B14-A", SWAPPED):
        await inbox(one, name, "N7")
    await fetched(one, "B08-A", "N7")
    await fetched(one, "B11-A", "N7", "REJECTED")
    await fetched(one, "B12-A", "N7", "APPLIED")
    swapped = await fetched(one, SWAPPED, "N7", "APPLIED")
    less = [
        {"service": "B12-A/HOUS", "section": "sec.parenting"},
        {"service": "B14-A/HOUS", "section": "all"},
    ]
    await decide(one, 2, items(*everybody), state="NARROWED", scope_excludes=less)
    level = {"conclusions": {"need_level": "L3"}}
    await submit(
        one, "updated", {"event": "assessment.updated", "episode": {"episode_id": "e1", **level}}
    )
    await inbox(one, "B12-A", "N10")
    for _ in range(400):  # until everybody's turn has come
        if not (await one.hub.summary())["due"]:
            break
        await asyncio.sleep(0.05)
    return {"message": message, "swapped": swapped}


async def ask(where: list[str], *arguments: str) -> Any:
    """Run one command."""
    return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *where])


async def test_each_breakage_is_named_by_a_command(tmp_path: Path) -> None:
    """Twenty things are broken, and each command says which; none says a word of the family."""
    site = tmp_path / "site"
    said: dict[str, Any] = {}
    async with broken_hub(site) as one:
        ids = await story(one)
        async with operator_socket(one.hub, tmp_path / "operator.sock") as place:
            where = ["--socket", str(place)]
            for name in PARTNERS:
                said[name] = await ask(where, "why-not", "e1", f"{name}/HOUS", "--json")
            said["nobody"] = await ask(where, "why-not", "e1", "GP-Z/GP", "--json")
            said["never"] = await ask(where, "why-not", "e9", "B07-A/HOUS", "--json")
            lost = ("messages", "search", "--from", "SCH-A", "--key", "lost")
            said["lost"] = await ask(where, *lost)
            said["lanes"] = await ask(where, "lanes", "--partner", "B10-A", "--json")
            said["set aside"] = await ask(where, "quarantine", "list", "--json")
            refused = json.loads(said["B10-A"].output)["stopped_by"]["about"]["delivery"]
            said["evidence"] = await ask(where, "quarantine", "show", refused)
            said["late"] = await ask(where, "alerts", "list")
            said["trace"] = await ask(where, "trace", ids["message"])
            await one.hub.pause()
            more = {"conclusions": {"need_level": "L4"}}
            update = {"event": "assessment.updated", "episode": {"episode_id": "e1", **more}}
            await submit(one, "paused", update)
            said["paused"] = await ask(where, "why-not", "e1", "B07-A/HOUS", "--json")
            said["top"] = await ask(where, "top", "--once")
    rest = ["--site", str(site)]
    said["swapped"] = await ask(rest, "explain", ids["swapped"], GENDER, "--json")
    (site / "partners/B07-A.yaml").write_text("partner: B07-A\nwrong: 1\n")
    said["configuration"] = await ask([], "config", "check", str(site))

    for name, broken in PARTNERS.items():
        stopped = json.loads(said[name].output)["stopped_by"]
        assert stopped is not None, name
        assert stopped["code"] == broken.names, (name, stopped)
        assert broken.about.items() <= stopped["about"].items(), (name, stopped)
        assert stopped["mend"], name
        # What a lapse stopped has ended, and goes again only if it is replayed.
        assert ("ecaf replay" in stopped["mend"]) is ("because" in stopped["about"]), name
        assert said[name].exit_code == 1
    assert json.loads(said["nobody"].output)["stopped_by"]["code"] == "NO_PARTNER"
    assert json.loads(said["never"].output)["stopped_by"]["code"] == "E_NOT_FOUND"
    assert "never came" in said["lost"].output
    (lane,) = json.loads(said["lanes"].output)["lanes"]
    assert lane["held_by"]["reason"] == "E_FORBIDDEN"
    aside = {one["partner"]: one for one in json.loads(said["set aside"].output)["quarantine"]}
    assert (aside["B10-A"]["stage"], aside["B11-A"]["stage"]) == ("send", "receiver")
    assert "(422)" in said["evidence"].output
    assert "PARTNER_MENDED" in said["evidence"].output
    assert "delivery.quarantined" in said["late"].output
    assert "disclosure.intended" in said["trace"].output
    assert json.loads(said["paused"].output)["stopped_by"]["code"] == "PAUSED"
    assert "PAUSED" in said["top"].output
    assert f"overlays/{SWAPPED}/fhir-r4/episode/overlay.yaml" in said["swapped"].output
    assert said["configuration"].exit_code == 1
    assert "B07-A.yaml" in said["configuration"].output
    for told in said.values():
        for value in (SECRET, "Ava", "Mia", "ZZ99"):
            assert value not in told.output
