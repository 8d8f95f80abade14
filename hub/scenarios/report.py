"""The table of a played scenario: who received what, what was withheld, and why.

The last column is for the reader of the scenario.  It is computed from the scenario's own decisions
and what its systems sent; no recipient is ever told.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hub.scenarios.consents import Agreement, Register
from hub.scenarios.judging import Arrival, Difference
from hub.scenarios.scenario import Scenario

SHOWS = {
    "N2": {"sec.closure"},
    "N6": None,
    "N7": None,
    "N9": {"sec.plan", "sec.review"},
    "N16": None,
}
"""Kinds that carry sections, and which (``None``: every section)."""


def rows(story: Any, withheld: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one row for every message received, and one for every step without."""
    found = []
    for step in story.played:
        arrivals = [a for a in story.arrivals if a.step == step.number]
        notes = [says for number, says in story.notes if number == step.number]
        answers = [
            f"{a.participant}: {_answer(a)}"
            for a in story.answers
            if a.step == step.number and (a.status >= 300 or "result" in _tree(a))
        ]
        base = {"step": step.label, "title": step.title, "notes": [*notes, *answers]}
        if not arrivals:
            found.append(
                {**base, "who": "-", "received": "nothing", "sections": {}, "withheld": ""}
            )
        found += [
            {
                **base,
                "who": arrival.participant,
                "received": arrival.kind,
                "via": arrival.via,
                "sections": dict(arrival.sections),
                "withheld": withheld.get(arrival.delivery_id, ""),
                "file": str(arrival.file),
            }
            for arrival in sorted(arrivals, key=lambda a: (a.participant, a.number))
        ]
    return found


def _tree(answer: Any) -> Mapping[str, Any]:
    return answer.tree if isinstance(answer.tree, dict) else {}


def _answer(answer: Any) -> str:
    tree = _tree(answer)
    return str(tree.get("result") or tree.get("code") or answer.status)


def why_withheld(arrival: Arrival, service: str, present: set[str], register: Register) -> str:
    """Return which sections of the episode were kept from this message, each with the reason."""
    if arrival.kind not in SHOWS:
        return ""
    shown = SHOWS[arrival.kind]
    candidates = present if shown is None else present & shown
    missing = sorted(candidates - arrival.sections.keys() - {"sec.admin", "sec.consent"})
    agreements = list(register.agreements.values())
    return "; ".join(f"{section}: {_reason(section, service, agreements)}" for section in missing)


def _reason(section: str, service: str, agreements: Sequence[Agreement]) -> str:
    if section == "sec.checklist":
        return "local, never leaves"
    if section == "sec.safeguarding":
        return "restricted, by N13 only"
    if any(_named(item, service, section) for a in agreements for item in a.excludes):
        return "excluded by the family"
    named = [a for a in agreements if any(_named(i, service, section) for i in a.includes)]
    if not named:
        return "not in what was agreed"
    if len(named) < len([a for a in agreements if a.share]):
        return "another person's own decision is missing"
    return "not named as sensitive, or somebody else's to decide"


def _named(item: Mapping[str, Any], service: str, section: str) -> bool:
    return item["service"] == service and item["section"] in (section, "all")


def show(
    console: Console,
    scenario: Scenario,
    table_rows: Sequence[Mapping[str, Any]],
    *,
    difference: Difference | None,
    trouble: str,
    warnings: Sequence[str],
    told: bool = True,
) -> None:
    """Print the table (*told*: it has not been told otherwise) and how it ended."""
    if told:
        console.print(_table(scenario, table_rows))
    for warning in warnings:
        console.print(f"[yellow]Note:[/yellow] {escape(warning)}", highlight=False)
    if trouble:
        console.print(f"[red]Trouble:[/red] {escape(trouble)}", highlight=False)
        return
    if difference is None:
        console.print(
            f"[green]Passed:[/green] {len(scenario.steps)} steps, "
            f"{len(scenario.barred)} must-not-flow lines, {len(scenario.checks)} checks."
        )
        return
    console.print(f"[red]Different:[/red] {escape(difference.says)}", highlight=False)
    console.print(f"  at        {difference.place}", highlight=False)
    console.print(f"  expected  {escape(difference.expected)}", highlight=False)
    console.print(f"  got       {escape(difference.got)}", highlight=False)


def _table(scenario: Scenario, table_rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=scenario.title, show_lines=False, pad_edge=False, expand=True)
    for heading, ratio in (
        ("Step", 3),
        ("What happens", 16),
        ("Who", 6),
        ("Received", 6),
        ("Sections seen in the bytes", 20),
        ("Withheld, and why (for you, not for them)", 20),
    ):
        table.add_column(heading, ratio=ratio, overflow="fold")
    last = None
    for row in table_rows:
        first = row["step"] != last
        last = row["step"]
        title = row["title"]
        if first and row["notes"]:
            title += "\n" + "\n".join(f"[dim]{note}[/dim]" for note in row["notes"])
        table.add_row(
            row["step"] if first else "",
            title if first else "",
            row["who"],
            row["received"],
            sections_shown(row["sections"]),
            row["withheld"],
        )
    return table


def sections_shown(sections: Mapping[str, str]) -> str:
    """Return sections in one line, those with basic leaves only in brackets."""
    return ", ".join(
        key.removeprefix("sec.") if weight == "full" else f"({key.removeprefix('sec.')})"
        for key, weight in sorted(sections.items())
    )
