"""`adapters/README.md` as it is written: its walk is run, its adapter is installed and carries."""

import os
import re
import signal
import socket
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from adapters.partners.profiles import load_registry
from hub.errors import Misconfigured
from tests.acceptance.real_hub import real_hub, site
from tests.acceptance.test_consent_commands import operator_socket
from tests.acceptance.test_partner_life import told
from tests.acceptance.test_partner_work import hops_of, reached_at

pytestmark = pytest.mark.acceptance
README = Path("adapters/README.md").read_text("utf-8")
ROOT = Path(__file__).parents[2]


def block(heading: str, kind: str) -> str:
    """Return the first code block of this kind below a heading."""
    below = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{kind}\n(.*?)```", below, re.DOTALL)
    assert found is not None, f"{heading} has no {kind}"
    return found[1]


@pytest.fixture
def pigeon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README's adapter, installed as any package is: a module and its metadata on the path."""
    packages = tmp_path / "packages"
    metadata = packages / "carrier_pigeon-1.0.dist-info"
    metadata.mkdir(parents=True)
    (packages / "carrier_pigeon.py").write_text(block("Write an adapter", "python"), "utf-8")
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: carrier-pigeon\nVersion: 1.0\n"
    )
    group, line = block("Write an adapter", "toml").strip().split("\n")
    named = re.fullmatch(r'\[project\.entry-points\."(.+)"\]', group)
    assert named is not None
    written = line.replace('"', "")
    (metadata / "entry_points.txt").write_text(f"[{named[1]}]\n{written}\n", "utf-8")
    monkeypatch.syspath_prepend(str(packages))
    assert [one.name for one in entry_points(group=named[1])] == ["pigeon"]
    folder = tmp_path / "pigeons"
    folder.mkdir()
    return folder


@pytest.mark.slow
async def test_an_adapter_of_somebody_elses_is_found_and_carries(
    pigeon: Path, tmp_path: Path
) -> None:
    """Profile, start, test: the README's twenty lines carry a whole message; without its folder
    the hop says so.
    """
    profile = block("Write an adapter", "yaml")
    assert "channel: adapter, adapter: pigeon" in profile
    change = reached_at(
        str(pigeon), channel="adapter", adapter="pigeon", content="caf-xml/1",
        notification="caf-xml/1", secret_file="",
    )  # fmt: skip
    async with (
        real_hub(tmp_path / "site", change=change) as one,
        operator_socket(one.hub, tmp_path / "socket") as place,
    ):
        _, carried = await hops_of(place, "--wait", "0")
        written = list(pigeon.iterdir())  # noqa: ASYNC240  a test waits for nobody
        listed = await told("partners", "list", "--socket", str(place))
        pigeon.rename(pigeon.with_name("gone"))  # noqa: ASYNC240
        _, lost = await hops_of(place)

    assert carried["by"]["sent, transport acknowledged"]["state"] == "ok"
    assert carried["failed"] == "acknowledged by its system"
    assert [path.name for path in written] == [f"{carried['delivery_id']}.msg"]
    assert (pigeon.with_name("gone") / written[0].name).read_bytes()
    assert "adapter caf-xml/1" in listed.output
    assert lost["by"]["sent, transport acknowledged"]["code"] == "E_UNAVAILABLE"


def test_an_adapter_that_is_not_installed_is_a_fault_of_the_profile(tmp_path: Path) -> None:
    """It is named with its place and what is installed; and it means nothing elsewhere."""
    site(tmp_path / "site")
    for more, remedy in (
        ({"channel": "adapter", "adapter": "owl"}, "is not installed"),
        ({"adapter": "owl"}, "means nothing for the channel webhook"),
    ):
        reached_at("http://127.0.0.1:9", **more)(tmp_path / "site")
        with pytest.raises(Misconfigured) as refused:
            load_registry(tmp_path / "site")
        (fault,) = refused.value.faults
        assert fault.path.startswith("partners/HOU-A.yaml:")
        assert remedy in fault.remedy


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.slow
def test_the_walk_is_as_it_is_written(tmp_path: Path) -> None:
    """Fifteen minutes of a reader: a site, a school, activated, tested to its own word."""
    script = block("Add a partner in fifteen minutes", "sh")
    for port in ("8700", "9105", "9199"):
        assert port in script
        script = script.replace(port, str(free_port()))
    ecaf = tmp_path / "bin/ecaf"
    ecaf.parent.mkdir()
    ecaf.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hub.cli "$@"\n')
    ecaf.chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ECAF_")}
    environ |= {"PATH": f"{ecaf.parent}:{environ['PATH']}", "PYTHONPATH": f"{ROOT}/queue:{ROOT}"}
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as walk:  # fmt: skip
        try:
            seen: list[str] = []
            assert walk.stdout is not None
            for line in walk.stdout:
                seen.append(line)
                if re.match(r"\d+ partners of ", line):
                    break
            code = walk.wait(60)
        finally:
            os.killpg(walk.pid, signal.SIGTERM)  # the hub and the double that the walk began
    output = "".join(seen)
    assert code == 0, output
    assert output.count("every hop is well") == 2, output
    assert "answered APPLIED" in output
    assert "SCH-C: no faults" in output
