"""The checker sees what it must see: in made-up ledgers, and in what sabotaged hubs leave."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from tests.chaos.disclosures import unrecorded
from tests.chaos.ledger import Ledger, Line, judge
from tests.chaos.rig import rig
from tests.sabotage.carriage import SABOTAGES as CARRIAGE
from tests.sabotage.gates import SABOTAGES as GATES

Said = Callable[[str], None]
FLAWED = Path(__file__).with_name("sabotaged_hub.py")


def attempt(**changes: Any) -> Line:
    """One attempt that two partners are to hear of."""
    expect = [["EHM-A", "N7"], ["HOU-A", "N7"]]
    told = {"kind": "attempt", "key": "k1", "episode": "e1", "version": 1, "expect": expect}
    return {**told, **changes}


def answer(**changes: Any) -> Line:
    """The answer to it."""
    return {"kind": "answer", "key": "k1", "status": 202, "body": {"message_id": "m1"}, **changes}


def receipt(**changes: Any) -> Line:
    """What the first of the two partners got."""
    return {
        "kind": "receipt",
        "partner": "EHM-A",
        "delivery": "d1",
        "type": "N7",
        "episode": "e1",
        "version": 1,
        "digest": "abc",
        "signature": None,
        **changes,
    }


OTHER = receipt(partner="HOU-A", delivery="d2")
GOOD = [attempt(), answer(), receipt(), OTHER]
LATER = [
    attempt(key="k2", version=2),
    answer(key="k2"),
    receipt(version=2, delivery="d3"),
    receipt(version=2, delivery="d4", partner="HOU-A"),
]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (GOOD, None),
        ([*GOOD, receipt()], None),
        ([*GOOD, attempt(), answer()], None),
        ([*GOOD, *LATER], None),
        ([attempt(), answer(), receipt()], "lost"),
        ([attempt(), answer()], "lost"),
        ([*GOOD, receipt(episode="e2")], "unexpected"),
        ([*GOOD, receipt(version=2)], "unexpected"),
        ([*GOOD, receipt(partner="GP-A")], "unexpected"),
        ([*GOOD, receipt(type="N9")], "unexpected"),
        ([*GOOD, receipt(delivery="d9")], "duplicated"),
        ([*GOOD, receipt(digest="abd")], "altered"),
        ([*GOOD[:2], OTHER, *LATER, receipt()], "disordered"),
        ([*GOOD, receipt(signature="does not fit")], "forged"),
        ([*GOOD, receipt(overheard=True)], "disclosed"),
        ([*GOOD, answer(body={"message_id": "m2"})], "unsteady"),
        ([*GOOD, answer(status=200)], "unsteady"),
        ([*GOOD, answer(status=409)], "refused"),
        ([*GOOD, attempt(key="k2", expect=[])], "unanswered"),
    ],
)
def test_checker_names_the_fault(lines: list[Line], fault: str | None) -> None:
    """Exactly what is wrong with a ledger is found, and nothing in a good one."""
    assert list(judge(lines).faults()) == ([] if fault is None else [fault])


def test_ledger_is_read_back_from_its_file(tmp_path: Path) -> None:
    """What was noted is what is judged."""
    ledger = Ledger(tmp_path / "ledger")

    for line in GOOD:
        ledger.note(**line)
    ledger.close()

    assert ledger.lines() == GOOD
    assert ledger.counted == {"attempt": 1, "answer": 1, "receipt": 2}


@pytest.mark.parametrize(
    ("via", "rows", "faults"),
    [
        ("webhook", 2, 0),
        ("webhook", 1, 1),
        ("fetch", 1, 1),
        ("queue", 1, 0),
        ("queue", 0, 1),
    ],
)
def test_every_receipt_needs_a_row_of_the_audit(via: str, rows: int, faults: int) -> None:
    """Twice received is twice disclosed, but for what a broker hands over again by itself."""
    twice = [receipt(via=via), receipt(via=via)]

    assert len(unrecorded([*GOOD[:2], *twice], Counter({"d1": rows}))) == faults


@pytest.mark.acceptance
@pytest.mark.slow
@pytest.mark.parametrize(
    ("flaw", "faults"),
    [
        # What was lost may be an opening or a decision: then what came after it was refused.  It
        # may have been sent twice at once: then the twin is answered anew, with another receipt.
        ("answer-before-commit", {"lost", "refused", "unsteady"}),
        ("new-id-each-attempt", {"duplicated"}),
        ("no-sweep", {"lost"}),
        # Which of the two depends on which message comes again.
        ("no-dedupe", {"unsteady", "refused"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_sabotaged_hub_is_caught(flaw: str, faults: set[str], seed: int, said: Said) -> None:
    """A hub that breaks one promise is found out by the same run that a good one passes, within
    three: when exactly it is killed is the machine's to say.
    """
    for number in range(3):
        async with rig(seed + number, program=(str(FLAWED), flaw, "serve"), drops=0.2) as run:
            async with run.burst(4, 3):
                for _ in range(2):
                    await run.acknowledged()
                    await run.kill_and_restart()
            await run.quiet(5.0)
            found = run.verdict()
        said(f"{flaw}: {found}, seed {seed + number}")
        if faults & found.faults().keys():
            return
    pytest.fail(f"{flaw} was not noticed")


def test_every_broken_hub_is_listed() -> None:
    """Those that there are, at least 25, each with the test that notices it, and no other."""
    listed = {
        line.split(" | ")[0].removeprefix("| "): line.split(" | ")[2].strip("` |")
        for line in FLAWED.with_name("README.md").read_text("utf-8").splitlines()
        if line.startswith("| ") and "`test_" in line and line.count(" | ") == 2
    }

    there = {
        name: test.rpartition("::")[2] for name, (_break, test) in {**GATES, **CARRIAGE}.items()
    }
    flaws = run_path(str(FLAWED))["FLAWS"]
    assert {name: test for name, test in listed.items() if name not in flaws} == there
    assert flaws.keys() <= listed.keys()
    assert len(listed) >= 25
