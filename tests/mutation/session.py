"""Tests that are collected once, and asked about one mutant after the other.

A process imports everything and collects the tests; for each mutant it forks.  The child puts the
changed code into the functions that are already there, so that whoever imported them has the change
too, and runs the tests that ran the changed statement when nothing was changed, those that killed
last first.  Nothing is written to disk, and nothing reaches the next mutant.
"""

import ast
import gc
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import _lru_cache_wrapper
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutation.mutants import Mutant
from tests.mutation.plan import APART, DRAWN, TESTS, path_of

EXAMPLES: Final = 25
"""Random families for each mutant; the same ones each time, and none looked for that is smaller."""
CASES: Final = 6
"""Of a test of random families that has a hundred parameters, as many are asked."""
SECONDS: Final = 60
"""Of the processor, on top of ten times what the tests took: a mutant may well run for ever."""
OPTIONS: Final = (
    *("-q", "-s", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
Tests = Mapping[str, tuple[str, ...]]
"""Modules to the files of the tests that must notice."""
Verdict = tuple[str, str]
"""How it ended (killed, alive, unreached) and by which test."""


class Steady:
    """Makes tests of random families the same each time, few and without a search for smaller."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Give each test other settings; leave out those that see nothing of a change."""
        cases: Counter[str] = Counter()
        kept = []
        for item in items:
            drawn = "[" in item.nodeid and item.nodeid.startswith(DRAWN)
            cases[item.nodeid.partition("[")[0]] += 1
            if item.nodeid not in APART and (
                not drawn or cases[item.nodeid.partition("[")[0]] <= CASES
            ):
                kept.append(item)
        items[:] = kept
        for item in items:
            test: Any = getattr(item, "obj", None)
            machine = getattr(item.parent, "obj", None)
            if isinstance(getattr(machine, "settings", None), settings):
                machine.settings = few(machine.settings)  # type: ignore[union-attr]
            elif hasattr(test, "_hypothesis_internal_use_settings"):
                test._hypothesis_internal_use_settings = few(test._hypothesis_internal_use_settings)
            elif getattr(test, "is_hypothesis_test", False):
                raise pytest.UsageError("Hypothesis keeps its settings elsewhere than it did")


def few(given: settings) -> settings:
    """Return *given* with fewer examples, always the same."""
    return settings(
        given,
        max_examples=min(given.max_examples, EXAMPLES),
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
    )


class Session(Steady):
    """The tests of *modules*, collected; tells *tell* of each of *mutants* how it ended."""

    def __init__(
        self, chosen: Iterable[Mutant], tests: Tests, tell: Callable[[str, int, Verdict], None]
    ) -> None:
        """Ask *tests* about the mutants of functions among *chosen*."""
        self._files = tests
        self._chosen = [
            (number, mutant) for number, mutant in enumerate(chosen) if mutant.function is not None
        ]
        self._tell = tell
        self._reached: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._took: dict[str, float] = {}
        self._kills: Counter[str] = Counter()
        self._last: dict[tuple[str, str | None], str] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run everything once unchanged, then the mutants."""
        items = {item.nodeid: item for item in session.items}
        if session.testsfailed or not self._sound(items):
            return True
        functions = dict(_functions({mutant.module for _, mutant in self._chosen}))
        memories = {module: _memories({module}) for module in TESTS}
        gc.collect()
        gc.freeze()
        for number, mutant in self._chosen:
            tests = self._tests(mutant)
            verdict = "unreached", ""
            if tests:
                called = [items[test] for test in tests]
                verdict = self._ask(mutant, functions, memories[mutant.module], called)
            if verdict[0] == "killed" and verdict[1]:
                self._kills[verdict[1]] += 1
                self._last[mutant.module, mutant.function] = verdict[1]
            self._tell("verdict", number, verdict)
        self._tell("done", 0, ("", ""))
        return True

    def _sound(self, items: dict[str, pytest.Item]) -> bool:
        """Run every test on what is not changed, and note the lines that each one runs."""
        files = {str(path_of(module)): module for module in TESTS}
        ran: set[tuple[str, int]] = set()

        def lines(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                ran.add((frame.f_code.co_filename, frame.f_lineno))
            return lines

        def calls(frame: FrameType, _event: str, _: Any) -> Any:
            return lines if frame.f_code.co_filename in files else None

        memories = _memories(TESTS)
        for name, item in items.items():
            ran.clear()
            _forget(memories)
            began = time.process_time()
            sys.settrace(calls)
            try:
                failed = _failure(item)
            finally:
                sys.settrace(None)
            self._took[name] = time.process_time() - began
            if failed is not None:
                self._tell("red", 0, (name, failed))
                return False
            for file, line in ran:
                self._reached[files[file]][line].add(name)
        for name, took in self._took.items():
            self._tell("took", 0, (name, str(took)))
        return True

    def _tests(self, mutant: Mutant) -> list[str]:
        """Return the tests that run the changed statement, the likeliest to fail in front."""
        reached = self._reached[mutant.module]
        found = {test for line in mutant.lines for test in reached[line]}
        last = self._last.get((mutant.module, mutant.function))
        return sorted(
            (test for test in found if test.startswith(self._files[mutant.module])),
            key=lambda test: (test != last, -self._kills[test], self._took[test]),
        )

    def _ask(
        self,
        mutant: Mutant,
        functions: dict[str, FunctionType],
        memories: Sequence[Any],
        tests: Sequence[pytest.Item],
    ) -> Verdict:
        """Return how *mutant* ends, in a child."""
        limit = SECONDS + int(10 * sum(self._took[test.nodeid] for test in tests))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            code = 3
            try:
                bound(limit)
                quieten()
                _put(mutant, functions)
                _forget(memories)
                code = 0
                for test in tests:
                    if _failure(test) is not None:
                        os.write(writing, test.nodeid.encode())
                        code = 1
                        break
            finally:
                os._exit(code)
        os.close(writing)
        with os.fdopen(reading) as said:
            killer = said.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return "killed", "" if os.WTERMSIG(status) in CLOCKS else "crashed"
        if os.WEXITSTATUS(status) == 3:
            raise RuntimeError(f"could not change {mutant}")
        return ("killed", killer) if os.WEXITSTATUS(status) else ("alive", "")


CLOCKS: Final = {signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL}


def bound(seconds: int) -> None:
    """Let this process end after so many seconds of the processor, or many more by the clock."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(20 * seconds)


def quieten() -> None:
    """Send what this process says to nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _failure(item: pytest.Item) -> str | None:
    """Run one test; return how it failed, if it did."""
    for report in runtestprotocol(item, log=False, nextitem=None):
        if report.failed:
            return report.longreprtext
    return None


def _functions(modules: set[str]) -> Iterator[tuple[str, FunctionType]]:
    """Yield the functions of *modules* that are alive, by module and name."""
    files = {str(path_of(module)): module for module in modules}
    for found in gc.get_objects():
        if isinstance(found, FunctionType) and found.__code__.co_filename in files:
            yield f"{files[found.__code__.co_filename]}:{found.__code__.co_qualname}", found


def _put(mutant: Mutant, functions: dict[str, FunctionType]) -> None:
    """Put the changed code into the function that is there."""
    code = mutant.compiled(str(path_of(mutant.module)))
    changed = dict(_codes(code))[mutant.function or ""]
    functions[f"{mutant.module}:{mutant.function}"].__code__ = changed


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for held in code.co_consts:
        if isinstance(held, CodeType):
            yield held.co_qualname, held
            if "<" not in held.co_qualname:
                yield from _codes(held)


def _forget(memories: Iterable[Any]) -> None:
    for memory in memories:
        memory.cache_clear()


def _memories(changed: Iterable[str]) -> Sequence[Any]:
    """Return the caches that may hold what a changed module said: its own and its importers'."""
    affected = _importers(changed)
    return [
        found
        for found in gc.get_objects()
        if isinstance(found, _lru_cache_wrapper) and found.__module__ in affected
    ]


def _importers(changed: Iterable[str]) -> set[str]:
    """Return *changed* and all modules of the hub that import them, directly or not."""
    imports = {
        name: {
            node.module
            for node in ast.walk(ast.parse(path_of(name).read_text("utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        for name in [*sys.modules]
        if name.startswith("hub.") and path_of(name).is_file()
    }
    found, reached = set(changed), set[str]()
    while found - reached:
        reached |= found
        found |= {name for name, held in imports.items() if held & reached}
    return reached


def files_of(tests: Tests, modules: Iterable[str]) -> list[str]:
    """Return the test files of *modules*, each once."""
    return list(dict.fromkeys(test for module in modules for test in tests[module]))
