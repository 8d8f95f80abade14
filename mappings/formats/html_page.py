"""The readable document as an element tree: headings, contents, labelled values, own words, tables.

Every text of the family's is put in as text, never as markup, in an element of its own whose
direction is found from the text (``dir=auto``), so that no writing can turn round its neighbour's.
The result is HTML5 that is also well-formed XML.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree

from mappings.engine.narrative_words import settled
from mappings.formats.html_style import POLICY, STYLE

Block = Mapping[str, Any]

LANGUAGE: Final = "en-GB"
KICKER: Final = "Common Assessment Framework (CAF)"
TITLE: Final = "Assessment and plan"
DEEPEST: Final = 6


def page(document: Mapping[str, Any]) -> Any:
    """Return the root element of *document*: ``child[]`` names, ``section[]`` titles and blocks."""
    title = _title(document)
    root = etree.Element("html", lang=LANGUAGE)
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "meta", charset="utf-8")
    etree.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": POLICY})
    etree.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    etree.SubElement(head, "meta", name="referrer", content="no-referrer")
    _put(head, "title", title)
    _put(head, "style", STYLE)
    body = etree.SubElement(root, "body")
    _put(body, "a", "Skip to the text", href="#text").set("class", "skip")
    _header(body, title)
    sections = document.get("section") or ()
    _contents(body, sections)
    main = etree.SubElement(body, "main", id="text")
    ids = _Ids()
    for one in sections:
        _section(main, one, ids)
    return root


class _Ids:
    """Numbers for elements that others refer to."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> str:
        """Return the next."""
        self._last += 1
        return f"t{self._last}"


def _put(above: Any, tag: str, text: Any, **attributes: str) -> Any:
    made = etree.SubElement(above, tag, attributes)
    made.text = settled(str(text))
    return made


def _own(above: Any, tag: str, text: Any, *classes: str) -> Any:
    """Put in a text of the family's: its direction is its own."""
    made = _put(above, tag, text, dir="auto")
    if classes:
        made.set("class", " ".join(classes))
    return made


def _title(document: Mapping[str, Any]) -> str:
    """Return the title: the children's names, as far as they may be shown."""
    names = []
    for child in document.get("child") or ():
        parts = [*(child.get("given") or ()), child.get("family")]
        name = " ".join(str(part) for part in parts if part)
        if name:
            names.append(name)
    if not names:
        return TITLE
    *before, last = names
    return f"{TITLE}: {', '.join(before)} and {last}" if before else f"{TITLE}: {last}"


def _header(body: Any, title: str) -> None:
    inner = etree.SubElement(etree.SubElement(body, "header"), "div")
    _put(inner, "p", KICKER).set("class", "kicker")
    _own(inner, "h1", title)


def _contents(body: Any, sections: Any) -> None:
    nav = etree.SubElement(body, "nav", {"aria-labelledby": "contents"})
    _put(nav, "h2", "Contents", id="contents")
    listed = etree.SubElement(nav, "ol")
    for one in sections:
        _put(etree.SubElement(listed, "li"), "a", one["title"], href=f"#{one['id']}")


def _section(main: Any, section: Mapping[str, Any], ids: _Ids) -> None:
    named = f"{section['id']}-title"
    made = etree.SubElement(main, "section", {"id": section["id"], "aria-labelledby": named})
    _put(made, "h2", section["title"], id=named)
    _block(made, section["text"], 3, ids)


def _block(above: Any, block: Block, level: int, ids: _Ids) -> None:
    inner = level
    if "title" in block and settled(str(block["title"])).strip():
        _own(above, f"h{min(level, DEEPEST)}", block["title"])
        inner = level + 1
    for part in block.get("parts", ()):
        if "lines" in part:
            _lines(above, part["lines"])
        elif "words" in part:
            _words(above, part["words"])
        elif "table" in part:
            _table(above, part["table"], ids)
        else:
            within = etree.SubElement(above, "div", {"class": "block"})
            _block(within, part["block"], inner, ids)
    if "foot" in block:
        _own(above, "p", ", ".join(str(text) for text in block["foot"]), "foot")


def _lines(above: Any, lines: Any) -> None:
    listed = etree.SubElement(above, "dl")
    for line in lines:
        pair = etree.SubElement(listed, "div")
        _put(pair, "dt", line["label"])
        for item in line["items"]:
            _item(etree.SubElement(pair, "dd"), item)


def _item(above: Any, item: Mapping[str, Any]) -> None:
    for text in item["text"]:
        _own(above, "p", text, "pre")
    for text in item.get("detail", ()):
        _own(above, "p", text, "pre", "detail")


def _words(above: Any, words: Mapping[str, Any]) -> None:
    figure = etree.SubElement(above, "figure")
    quoted = etree.SubElement(figure, "blockquote")
    for text in words["text"]:
        _own(quoted, "p", text, "pre")
    if "who" in words:
        _own(figure, "figcaption", words["who"])


def _table(above: Any, table: Mapping[str, Any], ids: _Ids) -> None:
    named = ids.next()
    around = etree.SubElement(
        above,
        "div",
        {"class": "scroll", "role": "region", "tabindex": "0", "aria-labelledby": named},
    )
    made = etree.SubElement(around, "table")
    _put(made, "caption", table["label"], id=named)
    head = etree.SubElement(etree.SubElement(made, "thead"), "tr")
    for column in table["columns"]:
        _put(head, "th", column, scope="col")
    body = etree.SubElement(made, "tbody")
    for row in table["rows"]:
        _row(body, row)


def _row(body: Any, row: Mapping[str, Any]) -> None:
    made = etree.SubElement(body, "tr")
    for position, cell in enumerate(row["cells"]):
        first = position == 0 and cell["items"]
        within = (
            etree.SubElement(made, "th", scope="row") if first else etree.SubElement(made, "td")
        )
        within.text = ""
        for item in cell["items"]:
            _item(within, item)


def texts(element: Any) -> Iterator[str]:
    """Yield every text of *element*, in order."""
    yield from element.itertext()
