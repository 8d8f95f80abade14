"""Runs hostile inputs in a process of its own, under limits, and tells what became of each.

``python -m tests.unit.xml.hostile MODULE`` prints JSON: for each entry of the module's ``TABLE``
the code, the first fault's place, the text of the refusal, and the processor time; a `MemoryError`
(the process may take 256 MiB more than before the first input) or any other exception by its class.
"""

import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.errors import HubError
from mappings.commands import translator

MEMORY = 256 * 1024 * 1024
SECONDS = 2.0
SECRET = "Ava Example"


@dataclass(frozen=True)
class Hostile:
    """One input: what makes its bytes, the code that refuses it, and where it is refused."""

    make: Callable[[], bytes]
    code: str
    place: str


@dataclass(frozen=True)
class Verdict:
    """What became of one input."""

    code: str
    place: str
    text: str
    seconds: float


def verdicts(module: str) -> dict[str, Verdict]:
    """Return what became of every input of *module*, from a process of its own."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.unit.xml.hostile", module],
        capture_output=True,
        check=False,
        timeout=300,
        cwd=Path(__file__).parents[3],
    )
    assert told.returncode == 0, told.stderr.decode()[-2000:]
    return {name: Verdict(**one) for name, one in json.loads(told.stdout).items()}


def assert_refused(verdict: Verdict, expected: Hostile) -> None:
    """No crash, no hang, nothing repeated: the code and the place, and little spent."""
    assert (verdict.code, verdict.place) == (expected.code, expected.place)
    assert SECRET.split()[1] not in verdict.text
    assert verdict.seconds < SECONDS


def _tried(name: str, raw: bytes) -> dict[str, Any]:
    one = translator().catalogue.formats[name]
    code, place, text = "", "", ""
    start = time.process_time()
    try:
        # What is only written is still parsed, to compare cases by.
        if one.written.direction == "out":
            one.wire.parse(raw)
        else:
            translator().read_format(one, raw)
    except HubError as refused:
        code, text = str(refused.code), f"{refused} {refused.faults}"
        place = refused.faults[0].path if refused.faults else ""
    except Exception as crash:  # noqa: BLE001  a crash is what the tests look for
        code = type(crash).__name__
    seconds = time.process_time() - start
    return {"code": code, "place": place, "text": text, "seconds": seconds}


def main(module: str) -> None:
    told: Any = importlib.import_module(module)
    table: Mapping[str, Hostile] = told.TABLE
    _tried(told.FORMAT, b"")  # whatever is made once is made now
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    found = {name: _tried(told.FORMAT, one.make()) for name, one in table.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
