"""Mutation testing of what decides and of the gate: does any test notice a changed line?

``python -m tests.mutation [--changed-since REF] [--sample N] [MODULE[:FUNCTION] …]`` changes one
thing at a time in each module (in memory only; no file is touched), runs the tests that run the
changed statement, and prints what survived and the share that was killed.  One process at a time,
forked for each mutant from one that has everything imported (`tests.mutation.session`).  Refused
where a test fails on what is not changed, and where ``equivalents.yaml`` is not true.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

import pytest

from tests.mutation.equivalents import Equivalent, known, stale
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.plan import ROOT, TESTS, UNIT, path_of
from tests.mutation.session import (
    CLOCKS,
    OPTIONS,
    SECONDS,
    Session,
    Steady,
    Tests,
    Verdict,
    bound,
    files_of,
    quieten,
)

Row = tuple[str, int, int, int, int]


class Changed(MetaPathFinder, Loader):
    """Imports one module with a change."""

    def __init__(self, mutant: Mutant) -> None:
        """Stand in for the module of *mutant*."""
        self.mutant = mutant

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Claim the one module."""
        if fullname != self.mutant.module:
            return None
        return spec_from_loader(fullname, self, origin=str(path_of(fullname)))

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed code."""
        exec(self.mutant.compiled(str(path_of(self.mutant.module))), module.__dict__)


class Quickest(Steady):
    """Runs the quickest tests first."""

    def __init__(self, took: dict[str, float]) -> None:
        """Go by what each test *took*."""
        self.took = took

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Sort the tests."""
        super().pytest_collection_modifyitems(items)
        items.sort(key=lambda item: self.took.get(item.nodeid, 0.0))


class Run:
    """One run over *chosen*, told by a child what became of each."""

    def __init__(
        self, chosen: Sequence[Mutant], equivalents: Sequence[Equivalent], tests: Tests
    ) -> None:
        """Start with nothing known."""
        self.chosen, self.equivalents, self.tests = chosen, equivalents, tests
        self.verdicts: dict[int, Verdict] = {}
        self.took: dict[str, float] = {}
        self.red: Verdict | None = None
        self.done = False

    def __call__(self) -> bool:
        """Ask about each; return whether all could be asked."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            with os.fdopen(writing, "w", buffering=1) as told:
                quieten()
                session = Session(
                    self.chosen,
                    self.tests,
                    lambda *said: print(json.dumps(said), file=told, flush=True),
                )
                modules = {mutant.module: None for mutant in self.chosen}
                pytest.main([*OPTIONS, *files_of(self.tests, modules)], plugins=[session])
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            for line in said:
                self._hear(*json.loads(line))
        os.waitpid(child, 0)
        if not self.done:
            return False
        for number, mutant in enumerate(self.chosen):
            if mutant.function is None:
                self._verdict(number, *imported(mutant, self.tests, self.took))
        return True

    def _hear(self, what: str, number: int, verdict: Verdict) -> None:
        if what == "verdict":
            self._verdict(number, *verdict)
        elif what == "took":
            self.took[verdict[0]] = float(verdict[1])
        elif what == "red":
            self.red = verdict
        else:
            self.done = True

    def _verdict(self, number: int, how: str, by: str) -> None:
        mutant = self.chosen[number]
        if any(entry.matches(mutant) for entry in self.equivalents):
            if how == "killed":
                print(f"not equivalent, {by} kills it: {mutant}", flush=True)
            how = {"killed": "not equivalent"}.get(how, "equivalent")
        elif how != "killed":
            print(f"{how}: {mutant}", flush=True)
        self.verdicts[number] = how, by

    def rows(self) -> Iterator[Row]:
        """Yield each module, its mutants, and how many were killed, survived, are equivalent."""
        for module in dict.fromkeys(mutant.module for mutant in self.chosen):
            said = [
                self.verdicts[number][0]
                for number, mutant in enumerate(self.chosen)
                if mutant.module == module
            ]
            alive = said.count("alive") + said.count("unreached") + said.count("not equivalent")
            yield module, len(said), said.count("killed"), alive, said.count("equivalent")


def total(rows: Sequence[Row]) -> Row:
    """Return the sums of *rows*."""
    _, *columns = zip(("all", 0, 0, 0, 0), *rows, strict=True)
    count, killed, alive, equal = (sum(map(int, column)) for column in columns)
    return "all", count, killed, alive, equal


def imported(mutant: Mutant, tests: Tests, took: dict[str, float]) -> Verdict:
    """Return how a mutant ends whose change is made when its module is imported, in a child."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            bound(SECONDS + int(10 * sum(took.values())))
            quieten()
            sys.meta_path.insert(0, Changed(mutant))
            files = files_of(tests, [mutant.module])
            code = int(pytest.main([*OPTIONS, *files], plugins=[Quickest(took)]) != 0)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed", "" if os.WTERMSIG(status) in CLOCKS else "crashed"
    if os.WEXITSTATUS(status) == 3:
        raise RuntimeError(f"could not change {mutant}")
    return ("killed", "import") if os.WEXITSTATUS(status) else ("alive", "")


def changed_since(ref: str) -> list[str]:
    """Return the modules that differ from *ref*, or whose tests do."""
    said = subprocess.run(
        ["git", "diff", "--name-only", ref],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    files = set(said.stdout.split())
    return [
        module
        for module, tests in TESTS.items()
        if files & {*tests, str(path_of(module).relative_to(ROOT))}
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what survived, and return 1 if fewer than *least* of a hundred were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("modules", nargs="*", metavar="MODULE[:FUNCTION]", help=", ".join(TESTS))
    parser.add_argument("--changed-since", metavar="REF", help="only what differs from a commit")
    parser.add_argument("--unit", action="store_true", help="ask only unit tests: quicker")
    parser.add_argument("--sample", type=int, help="only so many mutants of each module")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--least", type=float, default=95.0, help="per cent killed")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    os.environ["CI"] = "1"
    names = given.modules or list(TESTS)
    if given.changed_since:
        names = [name for name in names if name.split(":")[0] in changed_since(given.changed_since)]
    chosen: list[Mutant] = []
    equivalents = known()
    for name in names:
        module, _, function = name.partition(":")
        found = mutants(module, path_of(module).read_text("utf-8"))
        for entry in stale([one for one in equivalents if one.module == module], found):
            print(f"equivalents.yaml: there is no such mutant: {entry}")
            return 1
        found = [one for one in found if not function or one.function == function]
        if given.sample and given.sample < len(found):
            found = random.Random(given.seed).sample(found, given.sample)
        chosen += found
    began = time.monotonic()
    tests = {
        module: tuple(file for file in files if file.startswith(UNIT) or not given.unit)
        for module, files in TESTS.items()
    }
    run = Run(chosen, equivalents, tests)
    if not run():
        print("the tests fail on what is not changed:", *(run.red or ("nothing was collected",)))
        return 1
    print(f"\n{'module':32}{'mutants':>8}{'killed':>8}{'alive':>8}{'equal':>8}{'%':>8}")
    rows = list(run.rows())
    share = 100.0
    for name, count, killed, alive, equal in (*rows, total(rows)):
        share = 100 * killed / (count - equal) if count > equal else 100.0
        print(f"{name:32}{count:8}{killed:8}{alive:8}{equal:8}{share:8.1f}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = used.ru_utime + used.ru_stime
    print(f"in {time.monotonic() - began:.0f} s, {spent:.0f} s of a processor")
    false = any(how == "not equivalent" for how, _ in run.verdicts.values())
    return int(share < given.least or false)


if __name__ == "__main__":
    sys.exit(main())
