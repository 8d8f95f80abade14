"""A tester of OpenAPI documents by somebody else finds nothing at the door of a real hub.

Every check of schemathesis: no server error, no undocumented answer, no body that breaks its
schema, nothing accepted that the document forbids, nothing without authority.  One of them is told
that lawful data may be refused with 400, 415 or 422: a schema cannot say consent, code lists and
states, nor which XML is ours.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.real_hub import real_hub

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
ROOT: Final = Path(__file__).parents[2]
PROGRAM: Final = ROOT / ".venv-schemathesis/bin/st"
CONFIG: Final = """
[checks]
positive_data_acceptance.expected-statuses = [
  "2xx", "3xx", "400", "401", "403", "404", "409", "415", "422", "429", "503",
]
"""
HOOKS: Final = """
import schemathesis


@schemathesis.serializer("application/hl7-v2")
def as_it_is(context, value):
    return str(value).encode()
"""
"""It knows no way to write HL7 v2: a text is written as it is."""


async def found(folder: Path, *options: str) -> tuple[int, str]:
    """Let it try everything at a hub of its own; return how it ended and what it says."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "schemathesis.toml").write_text(CONFIG)
    (tools / "hooks.py").write_text(HOOKS)
    async with real_hub(folder / "site") as hub:
        base = str(hub.client.base_url).rstrip("/")
        process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "run", f"{base}/openapi.json", "--url", base, "--checks", "all"),
            *("-H", f"Authorization: Bearer {hub.keys['EHM-A']}", "--no-color", "--seed", "1"),
            *("--generation-database", "none", "--request-timeout", "20", *options),
            cwd=tools,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tools),
                "PYTHONPATH": str(tools),
                "SCHEMATHESIS_HOOKS": "hooks",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert (await hub.client.get("/healthz")).json() == {"alive": True}
    return process.returncode or 0, said.decode()


@pytest.fixture(scope="module", autouse=True)
def _program() -> None:
    """Make its environment, if it is not there."""
    subprocess.run([ROOT / "scripts/schemathesis"], check=True, stdout=sys.stderr)


async def test_a_little_of_everything(tmp_path: Path) -> None:
    """Every operation, with the examples of the document and a few values of its own."""
    code, said = await found(tmp_path, "--phases", "examples,fuzzing", "--max-examples", "1")

    assert code == 0, said


@pytest.mark.timeout(1_800)
async def test_a_lot_of_everything(tmp_path: Path) -> None:
    """Every phase, a hundred values for each operation, calls after calls."""
    code, said = await found(tmp_path, "--max-examples", "100")

    assert code == 0, said
