"""The access report as a page that a family can read: plain HTML, nothing from elsewhere."""

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from hub.api.pages import STYLE
from hub.domain.exchange import Tree

TITLE: Final = "Who received what"
HEADINGS: Final = ("When", "Who", "What", "Sections", "What for", "Agreed by")


def page(report: Tree) -> bytes:
    """Return the page for the *report* of `hub.services.lookup.Lookup.access_report`."""
    lines = report["disclosures"]
    head = "".join(f"<th scope='col'>{name}</th>" for name in HEADINGS)
    rows = "".join(_row(line) for line in lines)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    nothing = "<p>Nothing has been given to anybody.</p>"
    return (
        "<!doctype html><html lang='en-GB'><head><meta charset='utf-8'>"
        f"<title>{TITLE}</title><style>{STYLE}</style></head><body><h1>{TITLE}</h1>"
        f"<p>Reference {escape(report['episode_id'])}, as of {escape(_day(report['made_at']))}.</p>"
        f"{table if lines else nothing}</body></html>"
    ).encode()


def _row(line: Mapping[str, Any]) -> str:
    grounds = "<br>".join(
        escape(f"{ground['agreed_by']}, {_day(ground['on'])}") for ground in line["ground"]
    )
    cells = (
        escape(_day(line["at"])),
        f"{escape(line['organisation'])}<br>{escape(line['service'])}",
        escape(line["what"]),
        "<br>".join(escape(name) for name in line["sections"]),
        escape(line.get("purpose", "")),
        grounds,
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _day(moment: str) -> str:
    """Return the day of a moment, as it is written in England."""
    year, month, day = moment[:10].split("-") if moment else ("", "", "")
    return f"{day}/{month}/{year}"
