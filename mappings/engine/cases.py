"""Cases: examples beside a mapping that are also its tests.

``cases/<name>/`` holds ``why.md`` and either ``input.json`` (a released canonical message, to be
rendered) or ``wire.<suffix>`` (a document in the format's own bytes, to be read), and either
``expected.<suffix>`` (``expected.json`` for what was read) or ``error.txt``: a code in its first
line, and then words that the error must hold.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from hub.errors import HubError

Run = Callable[[str, bytes], Any]
"""(format, bytes of the case's input) to the plain result; raises `HubError`."""

Parse = Callable[[str, bytes], Any]
"""(format, bytes) to the document that a rendered case is compared by: structure, not text."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case: the mapping's name, the folder, the partner whose overlay it tries, if any."""

    format: str
    folder: Path
    partner: str = ""

    @property
    def owner(self) -> str:
        """Return the format, with the partner whose overlay it is: ``fhir-r4/episode+SCH-A``."""
        return f"{self.format}+{self.partner}" if self.partner else self.format

    @property
    def name(self) -> str:
        """Return ``format: case``."""
        return f"{self.owner}: {self.folder.name}"

    @property
    def outward(self) -> bool:
        """Return whether the case renders (else it reads)."""
        return (self.folder / "input.json").exists()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a case; *difference* is empty if it passed.

    *result* is what came where something else was expected, and an error neither came nor was.
    """

    case: Case
    difference: str
    result: Any = None


def find(folder: Path, within: Path | None = None) -> Iterator[Case]:
    """Yield the cases below the catalogue *folder*, those below *within* only if given."""
    for mapping in sorted(folder.rglob("mapping.yaml")):
        for one in sorted((mapping.parent / "cases").glob("*/")):
            if within is None or one.resolve().is_relative_to(within.resolve()):
                yield Case(mapping.parent.relative_to(folder).as_posix(), one)


def of_overlays(site: Path) -> Iterator[Case]:
    """Yield the cases beside the overlays of the configuration folder *site*."""
    home = site / "overlays"
    for overlay in sorted(home.rglob("overlay.yaml")):
        partner, *name = overlay.parent.relative_to(home).parts
        for one in sorted((overlay.parent / "cases").glob("*/")):
            yield Case("/".join(name), one, partner)


def run(case: Case, render: Run, read: Run, parse: Parse) -> Verdict:
    """Run one case and compare structure, not text."""
    files = [*case.folder.glob("input.json"), *case.folder.glob("wire.*")]
    expects = [*case.folder.glob("expected.*"), *case.folder.glob("error.txt")]
    if len(files) != 1 or len(expects) != 1 or not (case.folder / "why.md").exists():
        return Verdict(
            case, "a case needs why.md, input.json or wire.<suffix>, and one expectation"
        )
    (source,), (expected,) = files, expects
    if not (case.folder / "why.md").read_text("utf-8").strip():
        return Verdict(case, "why.md is empty: say in a sentence what the case shows")
    act = render if case.outward else read
    try:
        result = act(case.format, source.read_bytes())
    except HubError as error:
        return Verdict(case, _refused(case, error))
    if expected.name == "error.txt":
        return Verdict(case, "an error was expected, and there was none")
    raw = expected.read_bytes()
    try:
        wanted = parse(case.format, raw) if case.outward else json.loads(raw)
    except (HubError, ValueError) as wrong:
        return Verdict(case, f"{expected.name} cannot be read: {wrong}")
    found = difference(wanted, result)
    return Verdict(case, found, result if found else None)


def _refused(case: Case, error: HubError) -> str:
    expected = case.folder / "error.txt"
    said = "\n".join([str(error), *(f"{f.code} {f.path} {f.remedy}" for f in error.faults)])
    if not expected.exists():
        return f"it failed: {said}"
    code, *words = expected.read_text("utf-8").splitlines()
    missing = [word for word in words if word and word not in said]
    if error.code != code:
        return f"expected {code}, and it failed with: {said}"
    return f"the error does not say {', '.join(missing)}: {said}" if missing else ""


def difference(wanted: Any, found: Any) -> str:
    """Return a unified difference of two JSON values, or nothing if they are equal."""
    if wanted == found:
        return ""
    before, after = (_lines(value) for value in (wanted, found))
    return "\n".join(unified_diff(before, after, "expected", "found", lineterm="", n=3))


def _lines(value: Any) -> list[str]:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).splitlines()


def plain(value: Any) -> Any:
    """Return *value* as JSON would give it back."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
