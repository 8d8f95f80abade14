"""`ecaf partners add` and `check`: a folder that works at once, and findings that help."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.partners.profiles import load_registry
from adapters.partners.site import init_site
from hub.cli import app

WORKED = sorted(path.stem for path in Path("adapters/partners/worked").glob("*.yaml"))
LONGEST = 40
"""Lines of a profile, as `adapters/README.md` promises."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with one partner and the index."""
    folder = tmp_path / "site"
    init_site(folder, hub_name="Hub", host="hub.example", partners={"SCH-A": None})
    return folder


def told(site: Path, *words: str) -> Any:
    """Run `ecaf partners …` on the site."""
    return CliRunner().invoke(app, ["partners", *words, "--site", str(site)])


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below *folder*."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_worked_profiles_are_the_three_and_the_least() -> None:
    """A council's, a school's and a trust's system, each of at most forty lines."""
    assert WORKED == ["case-management", "minimal", "school", "trust-engine"]
    for name in WORKED:
        text = Path(f"adapters/partners/worked/{name}.yaml").read_text("utf-8")
        assert len(text.splitlines()) <= LONGEST


def test_nothing_that_exists_is_changed(site: Path) -> None:
    """The same name again, a name or kind that cannot be, an address where there is none: refused,
    and the folder is as it was.
    """
    told(site, "add", "SCH-C", "--like", "school")
    before = contents(site)
    for words, place in (
        (("SCH-C", "--like", "school"), "partners/SCH-C.yaml"),
        (("sch-c",), "NAME"),
        (("SCH-D", "--like", "hospital"), "--like"),
        (("SCH-D", "--url", "https://sch-d.example"), "--url"),
    ):
        again = told(site, "add", *words)
        assert (again.exit_code, "E_CONFIGURATION" in again.output) == (1, True)
        assert place in again.output
    wrong = told(site, "add", "SCH-E", "--like", "school", "--url", "ftp://sch-e.example")
    assert (wrong.exit_code, "must be an https:// URL" in wrong.output) == (1, True), wrong.output
    left = contents(site)
    assert {path: left[path] for path in before} == before
    assert not (site / "partners/SCH-E.yaml").exists()
    mended = told(site, "add", "SCH-E", "--like", "school", "--url", "https://sch-e.example/in")
    assert mended.exit_code == 0, mended.output
    assert load_registry(site).partners["SCH-E"].delivering.url == "https://sch-e.example/in"


def test_an_engine_on_this_machine_shows_no_certificate(site: Path) -> None:
    """`--url mllp://127.0.0.1:…` leaves out what belongs to TLS."""
    added = told(site, "add", "TIE-C", "--like", "trust-engine", "--url", "mllp://127.0.0.1:2575")
    assert added.exit_code == 0, added.output
    delivering = load_registry(site).partners["TIE-C"].delivering
    assert (delivering.url, delivering.cert_file) == ("mllp://127.0.0.1:2575", None)


def test_which_site_is_meant_is_asked_for() -> None:
    """Without --site and ECAF_CONFIG_DIR nothing is guessed."""
    for words in (("list",), ("check",), ("add", "SCH-C")):
        asked = CliRunner().invoke(app, ["partners", *words], env={"ECAF_CONFIG_DIR": ""})
        assert (asked.exit_code, "--site" in asked.output) == (1, True), asked.output
