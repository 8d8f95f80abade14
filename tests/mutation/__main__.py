"""Mutation testing of what decides and of the gate: does any test notice a changed line?

``python -m tests.mutation [--sample N] [--seed S] [MODULE …]`` changes one thing at a time in each
module (in memory only; no file is touched), runs the tests that are about it in a process of its
own, and prints the survivors and the share that was killed.  One process at a time; a mutant that
makes the tests run for ever is killed by the clock, and counts as noticed.
"""

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final

import hypothesis.stateful  # noqa: F401  imported here, once, and not by every child
import pytest

from tests.mutation.mutants import Mutant, mutants

ROOT: Final = Path(__file__).resolve().parent.parent.parent
SECONDS: Final = 240
_UNIT: Final = "tests/unit/domain"
_CONSENT: Final = (
    f"{_UNIT}/test_consent.py",
    f"{_UNIT}/test_circumstances.py",
    f"{_UNIT}/test_entitlement.py",
    "tests/property/test_consent_model.py",
)
_GATE: Final = (
    "tests/unit/services/test_gate.py",
    "tests/property/test_shelter.py",
    "tests/property/test_gate.py",
)
TESTS: Final[dict[str, tuple[str, ...]]] = {
    **{
        f"hub.domain.{name}": _CONSENT
        for name in (
            "decision", "hearing", "consent", "cells", "scope_items", "weighing", "disputes",
            "circumstances", "competence", "entitlement",
        )
    },
    **{
        f"hub.services.{name}": _GATE
        for name in ("gate", "permits", "prune", "masking", "shelter")
    },
}  # fmt: skip
"""What is changed, and the tests that must notice, the quickest first."""


class Changed(MetaPathFinder, Loader):
    """Imports one module from changed source."""

    def __init__(self, name: str, source: str) -> None:
        """Stand in for the module called *name*."""
        self.name, self.source = name, source

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Claim the one module."""
        if fullname != self.name:
            return None
        return spec_from_loader(fullname, self, origin=str(path_of(fullname)))

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source."""
        code = compile(self.source, str(path_of(self.name)), "exec")
        exec(code, module.__dict__)


def path_of(name: str) -> Path:
    """Return the file of a module."""
    return ROOT / (name.replace(".", "/") + ".py")


def noticed(name: str, mutant: Mutant) -> bool:
    """Return whether the tests of *name* fail on *mutant*, in a child that knows no module yet."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.meta_path.insert(0, Changed(name, mutant.source))
        options = ["-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header"]
        # Of what the parent has imported pytest would rewrite the assertions, and complains.
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        os._exit(int(any(pytest.main([*options, test]) for test in TESTS[name])))
    _, status = os.waitpid(child, 0)
    return status != 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what survived, and return 1 if fewer than *least* of a hundred were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, help="only so many mutants of each module")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--least", type=float, default=95.0, help="per cent killed")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    killed = total = 0
    for name in given.modules or TESTS:
        source = path_of(name).read_text("utf-8")
        if noticed(name, Mutant(0, "nothing", source)):
            print(f"{name}: its tests fail on the module as it is")
            return 1
        found = list(mutants(source))
        if given.sample and given.sample < len(found):
            found = random.Random(given.seed).sample(found, given.sample)
        dead, began = 0, time.monotonic()
        for mutant in found:
            if noticed(name, mutant):
                dead += 1
            else:
                print(f"alive: {name}:{mutant.line}: {mutant.change}", flush=True)
        killed, total = killed + dead, total + len(found)
        took = time.monotonic() - began
        print(f"{name}: {dead} of {len(found)} killed in {took:.0f} s", flush=True)
    share = 100 * killed / total if total else 100.0
    print(f"{killed} of {total} killed: {share:.1f} %")
    return int(share < given.least)


if __name__ == "__main__":
    sys.exit(main())
