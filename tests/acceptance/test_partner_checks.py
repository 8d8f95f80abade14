"""`ecaf partners check` on whole folders: dear, for it compiles every mapping there is."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from adapters.partners.profiles import load_registry
from adapters.partners.rotations import begin, files_of, retire
from adapters.partners.site import init_site
from hub.cli import app
from hub.domain.accreditation import Stage
from hub.partnering import add, check

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
WORKED = sorted(path.stem for path in Path("adapters/partners/worked").glob("*.yaml"))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with one partner and the index."""
    folder = tmp_path / "site"
    init_site(folder, hub_name="Hub", host="hub.example", partners={"SCH-A": None})
    return folder


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A site with a school that signs and is signed to, and an engine."""
    folder = tmp_path / "site"
    init_site(folder, hub_name="Hub", host="hub.example", partners={})
    add(folder, "SCH-C", "school", "https://sch-c.example/in")
    add(folder, "TIE-C", "trust-engine")
    return folder


def told(site: Path, *words: str) -> Any:
    """Run `ecaf partners …` on the site."""
    return CliRunner().invoke(app, ["partners", *words, "--site", str(site)])


def test_every_worked_profile_works_at_once(site: Path) -> None:
    """Written with its keys it has no fault, stands at the stage test, and says what is next."""
    for like in WORKED:
        name = f"{like.upper()}-C"
        added = told(site, "add", name, "--like", like)
        assert added.exit_code == 0, added.output
        assert f"ecaf partners check {name}" in added.output
        partner = load_registry(site).partners[name]
        assert (partner.stage, partner.services[0].ref.partition("/")[0]) == (Stage.TEST, name)
        assert "PARTNER-X" not in (site / f"partners/{name}.yaml").read_text("utf-8").upper()
    looked = told(site, "check")
    assert (looked.exit_code, "no faults" in looked.output) == (0, True), looked.output
    for path in site.rglob("*"):
        if path.is_file() and path.parent.name in {"secrets", "keys", "tls"}:
            assert path.stat().st_mode & 0o077 == 0, path


def test_findings_have_their_place_and_remedy(site: Path) -> None:
    """A wrong channel, format, address, secret and key each give one line that names them."""
    told(site, "add", "SCH-C", "--like", "school", "--url", "https://sch-c.example/in")
    profile = site / "partners/SCH-C.yaml"
    good = profile.read_text("utf-8")
    for old, new, place, remedy in (
        ("channel: webhook", "channel: pigeon", "partners/SCH-C.yaml:21:", "webhook"),
        ("content: caf-json", "content: caf-jason", "partners/SCH-C.yaml:24:", "caf-json"),
        ("sch-c.example/in", "10.0.0.7/in", "SCH-C.yaml: deliver.url", "reach: private"),
        ("sch-c.example/in", "169.254.1.1/in", "SCH-C.yaml: deliver.url", "no such address"),
        ("sch-c.example/in", "school/in", "SCH-C.yaml: deliver.url", "reach: private"),
    ):
        profile.write_text(good.replace(old, new), "utf-8")
        looked = told(site, "check", "SCH-C")
        assert looked.exit_code == 1, looked.output
        (line,) = [one for one in looked.output.splitlines() if one.startswith("fault")]
        assert place in line
        assert remedy in line
    profile.write_text(good, "utf-8")
    secret = site / "secrets/sch-c.webhook"
    for text, mode in (("whsec_", 0o600), (secret.read_text(), 0o644)):
        secret.write_text(text)
        secret.chmod(mode)
        looked = told(site, "check", "SCH-C")
        assert looked.exit_code == 1, looked.output
        assert "partners/SCH-C.yaml" in looked.output
    secret.chmod(0o600)
    (site / "partners/SCH-A.yaml").write_text("partner: [")
    looked = json.loads(told(site, "check", "SCH-C", "--json").output)
    assert (looked["sound"], "elsewhere" in looked["findings"][0]["remedy"]) == (False, True)


def test_what_runs_out_is_said_and_is_no_fault(site: Path) -> None:
    """An accreditation that ends within a month is `soon`, and exit 0."""
    told(site, "add", "SCH-C", "--like", "school")
    profile = site / "partners/SCH-C.yaml"
    tree = yaml.safe_load(profile.read_text("utf-8"))
    begins = tree["accredited"]["from"]
    text = profile.read_text("utf-8").replace("stage: test ", "stage: live ")
    profile.write_text(text.replace(f"until: {tree['accredited']['until']}", f"until: {begins}"))
    looked = told(site, "check", "SCH-C")
    listed = json.loads(told(site, "list", "--json").output)
    assert (looked.exit_code, "soon" in looked.output) == (0, True), looked.output
    (mine,) = [one for one in listed["partners"] if one["partner"] == "SCH-C"]
    assert mine["due"]
    assert "ACCREDITATION" in mine["due"][0]


def test_the_certificate_that_the_hub_shows_waits_for_its_turn(signed: Path) -> None:
    """The new one is there to be trusted, and shown when the old is retired; it is what the engine
    has to replace, so nothing need be said which.
    """
    shown = signed / "tls/tie-c-hub.pem"
    old = shown.read_bytes()
    assert told(signed, "rotate-key", "TIE-C").exit_code == 0
    new = shown.with_name("tie-c-hub.pem.next").read_bytes()
    assert (shown.read_bytes(), new != old) == (old, True)
    assert told(signed, "rotate-key", "TIE-C", "--retire").exit_code == 0
    assert shown.read_bytes() == new
    assert check(signed, "TIE-C") == []


def test_a_deadline_that_is_over_is_a_fault(signed: Path) -> None:
    """`check` names what should have been retired, and the command that does it."""
    profile = {"credentials": {"jwks_file": "keys/sch-c.jwks.json"}}
    files = files_of(signed, load_registry(signed).partners["SCH-C"], profile)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    begin(signed, files, "SCH-C", "webhook", yesterday, None)
    (found,) = check(signed, "SCH-C")
    assert (found.fault, "--what webhook --retire" in found.remedy) == (True, True)
    assert retire(signed, files, "SCH-C", "webhook")
    assert check(signed, "SCH-C") == []
