"""The house: documented commands exist, and what is locked is what is declared."""

import re
import time
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME = PROJECT["dependencies"]
DEVELOPMENT = PROJECT["optional-dependencies"]["dev"]


def locked(name: str) -> dict[str, str]:
    """Version by project of one lock, all of them with hashes."""
    entries = re.split(r"\n(?=[a-z])", (ROOT / name).read_text())[1:]
    assert all("--hash=sha256:" in entry for entry in entries), name
    pins = [entry.partition(" ")[0].split("==") for entry in entries]
    return {canonicalize_name(project): version for project, version in pins}


def targets() -> set[str]:
    """What `make` can make."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "tests/README.md"])
def test_documented_commands_exist(document: str) -> None:
    """Every `make something` that we tell people to type is a target."""
    text = (ROOT / document).read_text()
    in_code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    lines = [line for code in in_code for line in code.strip("`").splitlines()]
    told = {name for line in lines for name in re.findall(r"^make ((?:[a-z]+\b ?)+)", line)}
    told = {target for names in told for target in names.split()}

    assert told
    assert told - targets() == set()


def test_readme_names_the_two_commands() -> None:
    """A newcomer finds how to see it work and how to test it."""
    text = (ROOT / "README.md").read_text()

    assert "make demo" in text
    assert "make test" in text


def test_every_target_is_explained() -> None:
    """`make` alone lists every target that is declared, so that none is folklore."""
    makefile = (ROOT / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())

    assert explained == targets() == phony


@pytest.mark.parametrize(
    ("lock", "declared"),
    [("requirements.lock", RUNTIME), ("requirements-dev.lock", RUNTIME + DEVELOPMENT)],
)
def test_locks_hold_what_is_declared(lock: str, declared: list[str]) -> None:
    """A dependency changed without `make lock` is found here and not at a user's."""
    pins = locked(lock)

    stale = [
        text
        for text in declared
        if not (wanted := Requirement(text)).specifier.contains(
            pins.get(canonicalize_name(wanted.name), "0")
        )
    ]
    assert stale == []


def test_tests_run_on_what_runs() -> None:
    """Every version in production is the one that the tests ran with."""
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_name_no_host(lock: str) -> None:
    """Where packages come from is each site's own business."""
    told = re.findall(r"https?:|--(?:extra-)?index|--find-links|file:", (ROOT / lock).read_text())

    assert told == []


def test_local_time_is_not_utc() -> None:
    """A test that forgets the zone fails on this machine, wherever it stands."""
    assert time.timezone == -12 * 60 * 60
    assert time.daylight
