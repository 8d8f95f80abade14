"""The oracles' programs, fetched and built once for the sources and versions in this folder.

Maven and npm keep what they fetch in the user's own caches; what is built goes to
``build/conformance``.  Each program is found by its own name, and an absent one is named together
with the package that brings it.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parents[1] / "build" / "conformance"
JAVA: Final = BUILD / "java"
NODE: Final = BUILD / "node"
CDA_SCHEMA: Final = JAVA / "cda" / "schema" / "cdar2" / "infrastructure" / "cda" / "CDA.xsd"

MINUTES: Final = 40
"""What one program may take before it is ended."""


class Missing(Exception):
    """A program that is not on this machine, or too old."""


class Failed(Exception):
    """A program that ended with an error, and the end of what it said."""


def run(command: Sequence[str], *, cwd: Path, quiet: bool = True) -> str:
    """Run *command* at low priority and return its output; what it reports on the way is shown."""
    done = subprocess.run(
        ["nice", *command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    if done.returncode != 0:
        raise Failed(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout


def told(command: Sequence[str], *, cwd: Path, worst: int) -> list[str]:
    """Run *command* and return the lines that it says; raises `Failed` beyond exit code *worst*."""
    done = subprocess.run(
        ["nice", *command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    if done.returncode > worst:
        raise Failed(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return done.stdout.split("\n")


def require(program: str, package: str, least: int, *asking: str) -> str:
    """Return the version of *program*; raises `Missing` if it is absent or before *least*."""
    if shutil.which(program) is None:
        raise Missing(f"{program} is not here: install {package}")
    said = re.sub(r"\x1b\[[0-9;]*m", "", run([program, *asking], cwd=HERE))
    found = re.search(r"(\d+)(?:\.\d+)+|\b(\d{5})\b", said)
    if found is None or int(found[1] or found[2]) < least:
        raise Missing(f"{program} {least} or later is needed: install {package}")
    return found[0]


def java() -> str:
    """Fetch and compile the Java oracles if they changed; return the version of Java."""
    version = require("java", "openjdk-17-jre-headless", 17, "-version")
    require("javac", "openjdk-17-jdk-headless", 17, "-version")
    require("mvn", "maven", 3, "--batch-mode", "--version")
    sources = sorted((HERE / "java").rglob("*.java"))
    if _changed(JAVA, [HERE / "java" / "pom.xml", *sources]):
        print("Building the Java oracles (Maven fetches some 150 MB the first time) ...")
        maven = ["mvn", "--batch-mode", "--no-transfer-progress", "--quiet", "process-classes"]
        try:
            run([*maven, "--offline"], cwd=HERE / "java")
        except Failed:
            run([*maven, "--strict-checksums"], cwd=HERE / "java")
        _done(JAVA, [HERE / "java" / "pom.xml", *sources])
    return version


def node() -> str:
    """Fetch the oracles that npm brings if they changed; return the version of Node."""
    version = require("node", "nodejs", 20, "--version")
    require("npm", "npm", 9, "--version")
    sources = sorted(path for path in (HERE / "node").iterdir() if path.is_file())
    if _changed(NODE, sources):
        print("Fetching what npm brings (some 130 MB the first time) ...")
        NODE.mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copy(source, NODE)
        run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
            cwd=NODE,
        )
        _done(NODE, sources)
    return version


def pinned(name: str) -> str:
    """Return the version of a property of pom.xml, or of a dependency of package.json."""
    text = (HERE / "java" / "pom.xml").read_text() + (HERE / "node" / "package.json").read_text()
    found = re.search(rf'<{re.escape(name)}>([^<]+)<|"{re.escape(name)}": "([^"]+)"', text)
    if found is None:
        raise KeyError(name)
    return found[1] or found[2]


def _state(sources: Sequence[Path]) -> str:
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


def _changed(folder: Path, sources: Sequence[Path]) -> bool:
    stamp = folder / ".made-from"
    return not stamp.exists() or stamp.read_text() != _state(sources)


def _done(folder: Path, sources: Sequence[Path]) -> None:
    (folder / ".made-from").write_text(_state(sources))
