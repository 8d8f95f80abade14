"""Run a command with servers of its own: ``python -m tests.servers --broker --mesh -- COMMAND``.

``{broker}`` and ``{mesh}`` in the command become the addresses of a private RabbitMQ and of NHS
England's MESH sandbox, which end with the command.  Its exit code is ours; 3 where a server cannot
be had, with what is missing and how to get it.
"""

import subprocess
import sys
from contextlib import ExitStack

from tests.servers.mesh import HOME, start_mesh_sandbox
from tests.servers.rabbitmq import SERVER, start_rabbitmq

MISSING = 3


def run(arguments: list[str]) -> int:
    """Start what is asked for, run the command, end it all; return the command's exit code."""
    asked, _, command = (" ".join(arguments)).partition(" -- ")
    words = command.split()
    wanted = set(asked.split())
    if not words or not wanted <= {"--broker", "--mesh"}:
        return _say(__doc__ or "")
    with ExitStack() as servers:
        addresses = {}
        if "--broker" in wanted:
            try:
                addresses["{broker}"] = servers.enter_context(start_rabbitmq()).url
            except (OSError, RuntimeError) as trouble:
                return _say(
                    f"No RabbitMQ ({type(trouble).__name__}): {SERVER} is Debian's and Ubuntu's "
                    "package rabbitmq-server; scripts/test-servers installs it. Or set "
                    "ECAF_TEST_BROKER_URL."
                )
        if "--mesh" in wanted:
            try:
                addresses["{mesh}"] = servers.enter_context(start_mesh_sandbox()).url
            except (OSError, RuntimeError, subprocess.CalledProcessError) as trouble:
                return _say(
                    f"No MESH sandbox ({type(trouble).__name__}): NHS England's sandbox belongs in "
                    f"{HOME}. Run scripts/mesh-sandbox where PyPI can be reached (or PIP_INDEX_URL "
                    "names a mirror), then again."
                )
        for mark, address in addresses.items():
            words = [word.replace(mark, address) for word in words]
        return subprocess.run(words, check=False).returncode


def _say(text: str) -> int:
    print(text, file=sys.stderr)
    return MISSING


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
