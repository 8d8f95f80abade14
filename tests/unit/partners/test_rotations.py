"""`ecaf partners rotate-key`: the new beside the old, then the new alone, and nothing twice."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from typer.testing import CliRunner

from adapters.partners.keys import partner_key
from adapters.partners.profiles import load_registry
from adapters.partners.site import init_site
from hub.cli import app
from hub.errors import Unauthorised
from hub.partnering import add
from hub.reaching import fingerprint, webhook_of


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a school that signs and is signed to, and an engine."""
    folder = tmp_path / "site"
    init_site(folder, hub_name="Hub", host="hub.example", partners={})
    add(folder, "SCH-C", "school", "https://sch-c.example/in")
    add(folder, "TIE-C", "trust-engine")
    return folder


def told(site: Path, *words: str) -> Any:
    """Run `ecaf partners …` on the site."""
    return CliRunner().invoke(app, ["partners", *words, "--site", str(site)])


def signs(site: Path) -> int:
    """By how many secrets the hub signs what it sends to the school."""
    webhook = webhook_of(load_registry(site).partners["SCH-C"].delivering, "http://localhost")
    assert webhook is not None
    return len(webhook._signers)


def believed(site: Path, secret: str) -> bool:
    """Whether what the school signs by *secret* is believed."""
    verifier = load_registry(site).credentials["SCH-C"].webhook
    assert verifier is not None
    now = datetime.now(UTC)
    mark = Webhook(secret).sign("m-1", now, "{}")
    headers = {
        "webhook-id": "m-1", "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": mark,
    }  # fmt: skip
    try:
        verifier.verify(headers, b"{}", now)
    except Unauthorised:
        return False
    return True


def test_a_secret_is_replaced_with_both_for_a_while(site: Path) -> None:
    """Begun, the hub signs by both; retired, by the new alone; each again changes nothing."""
    secret = site / "secrets/sch-c.webhook"
    old = secret.read_text()
    before = fingerprint(load_registry(site).partners["SCH-C"].delivering)
    begun = told(site, "rotate-key", "SCH-C", "--what", "webhook", "--days", "7")
    new = secret.with_name("sch-c.webhook.next").read_text()
    again = told(site, "rotate-key", "SCH-C", "--what", "webhook", "--json")
    assert (begun.exit_code, json.loads(again.output)["changed"], signs(site)) == (0, False, 2)
    assert fingerprint(load_registry(site).partners["SCH-C"].delivering) != before
    listed = json.loads(told(site, "list", "--json").output)["partners"]
    (mine,) = [one for one in listed if one["partner"] == "SCH-C"]
    until = (datetime.now(UTC).date() + timedelta(days=7)).isoformat()
    assert f"ROTATION webhook {until}" in mine["due"]
    ended = told(site, "rotate-key", "SCH-C", "--what", "webhook", "--retire")
    assert (ended.exit_code, secret.read_text(), signs(site)) == (0, new, 1), ended.output
    repeat = told(site, "rotate-key", "SCH-C", "--what", "webhook", "--retire", "--json")
    assert (repeat.exit_code, json.loads(repeat.output)["changed"]) == (0, False)
    assert new != old
    for shown in (begun, again, ended, repeat):
        assert new.strip() not in shown.output


def test_what_the_partner_signs_is_believed_by_either(site: Path) -> None:
    """The secret of the other direction overlaps as well."""
    secret = site / "secrets/sch-c.inbound"
    old = secret.read_text().strip()
    assert told(site, "rotate-key", "SCH-C", "--what", "inbound").exit_code == 0
    new = secret.with_name("sch-c.inbound.next").read_text().strip()
    assert (believed(site, old), believed(site, new)) == (True, True)
    told(site, "rotate-key", "SCH-C", "--what", "inbound", "--retire")
    assert (believed(site, old), believed(site, new)) == (False, True)


def test_a_partners_new_key_stands_beside_its_old_one(site: Path, tmp_path: Path) -> None:
    """The partner makes its own; a file without a new key is refused, and nothing has changed."""
    held = site / "keys/sch-c.jwks.json"
    (old,) = json.loads(held.read_bytes())["keys"]
    partner_key(tmp_path / "new.key", tmp_path / "new.jwks.json")
    (new,) = json.loads((tmp_path / "new.jwks.json").read_bytes())["keys"]
    words = ("rotate-key", "SCH-C", "--what", "keys")
    for wrong in ((), ("--key", str(held)), ("--key", str(tmp_path / "new.key"))):
        refused = told(site, *words, *wrong)
        assert (refused.exit_code, "--key" in refused.output) == (1, True), refused.output
    done = told(site, *words, "--key", str(tmp_path / "new.jwks.json"))
    both = load_registry(site).credentials["SCH-C"].keys
    assert (done.exit_code, {one["kid"] for one in both}) == (0, {old["kid"], new["kid"]})
    told(site, *words, "--retire")
    assert [one["kid"] for one in load_registry(site).credentials["SCH-C"].keys] == [new["kid"]]


def test_which_is_meant_is_asked_for(site: Path) -> None:
    """A school has three things that can be replaced, and a stranger none."""
    for words, remedy in ((("SCH-C",), "webhook, inbound, keys"), (("SCH-D",), "SCH-D.yaml")):
        asked = told(site, "rotate-key", *words)
        assert (asked.exit_code, remedy in asked.output) == (1, True), asked.output
