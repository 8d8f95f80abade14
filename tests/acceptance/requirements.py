"""Which of the 86 requirements are proven: ``python -m tests.acceptance.requirements``.

A row that names a test, a step or a document that does not exist is an error, so that a proof
cannot quietly disappear.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.positioned import Fields, Value, read_file

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("requirements.yaml")
KNOWN = {f"A{number:02}" for number in range(1, 42)} | {f"B{number:02}" for number in range(1, 46)}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row: what a source says, what it asks of the hub, and what proves it."""

    key: str
    says: str
    asks: str
    proof: str
    ids: tuple[str, ...]
    open: bool
    reason: str
    place: str


def read(file: Path = FILE) -> list[Requirement]:
    """Return every row; raises `PositionedError` where one is not a row."""
    return [_row(key, value) for key, value in read_file(file).items()]


def _row(key: str, value: Value) -> Requirement:
    told: Fields = value.mapping("says", "asks", "proof", "ids", "open", "reason")
    ids = told.get("ids")
    unproven = told.get("open")
    return Requirement(
        key=key,
        says=told.text("says", "") or "",
        asks=told.need("asks").text(),
        proof=told.need("proof").one_of("test", "document", "not_ours"),
        ids=ids.texts() if ids else (),
        open=unproven is not None and unproven.one_of("yes", "no") == "yes",
        reason=told.need("reason").text(),
        place=str(value.place),
    )


def faults(rows: list[Requirement], root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong: missing or unknown rows, rows without proof, missing proofs."""
    keys = {row.key for row in rows}
    if keys != KNOWN:
        yield f"missing {sorted(KNOWN - keys)}, unknown {sorted(keys - KNOWN)}"
    for row in rows:
        if row.proof != "not_ours" and not row.open and not row.ids:
            yield f"{row.place}: {row.key} is not open and names no proof"
        for proof in row.ids:
            wrong = missing(proof, root)
            if wrong:
                yield f"{row.place}: {row.key} names {proof}: {wrong}"


def missing(proof: str, root: Path) -> str | None:
    """Return why *proof* does not exist, or ``None``."""
    name, double, function = proof.partition("::")
    name, hash_, part = name.partition("#")
    path = root / name
    if not path.is_file():
        return "there is no such file"
    if double:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        wanted = function.partition("[")[0]
        names = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        return None if wanted in names else "there is no such test"
    if hash_ and path.suffix == ".yaml":
        from hub.scenarios.language import load

        labels = {step.label for step in load(path).steps}
        return None if part in labels else "there is no such step"
    if hash_:
        heading = part.replace("-", " ").lower()
        lines = path.read_text(encoding="utf-8").lower().splitlines()
        found = any(line.startswith("#") and heading in line for line in lines)
        return None if found else "there is no such heading"
    return None


def main() -> int:
    """Print proven and open; 1 if a row is wrong."""
    rows = read()
    for row in rows:
        state = "not ours" if row.proof == "not_ours" else "open" if row.open else "proven"
        proofs = f" ({', '.join(row.ids)})" if row.ids else ""
        print(f"{row.key}  {state:8}  {row.asks}{proofs if state == 'proven' else ''}")
        if state != "proven":
            print(f"{'':15}{row.reason}")
    wrong = list(faults(rows))
    proven = [row for row in rows if row.proof != "not_ours" and not row.open]
    others = [row for row in rows if row.proof == "not_ours"]
    print(
        f"\n{len(rows)} requirements: {len(proven)} proven, "
        f"{len(rows) - len(proven) - len(others)} open, {len(others)} not ours."
    )
    for fault in wrong:
        print(f"WRONG {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
