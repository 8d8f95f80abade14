"""Human text of a CDA section: paragraphs and tables that every CDA style sheet shows.

Two ways to the same text: `struc_doc` makes a tree, for records that remember where each text came
from and for the slow check; on a `Page` it stands at once as it leaves.  A test holds them
together.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mappings.engine.narrative_labels import labels
from mappings.engine.narrative_text import Item, paragraphs
from mappings.formats.xml_write import escaped

Plain = Mapping[str, Any]
SPEAKER: Final = "In their own words"
_LINES: Final = "<table><tbody>"
_END: Final = "</tbody></table>"


def _head(name: str) -> str:
    """Return how a line called *name* begins."""
    return f'<tr><th scope="row">{escaped(name)}</th>'


_HEADS: Final[Mapping[str, str]] = {one.text: _head(one.text) for one in labels().values()}
"""How lines begin that are called as a member of the dictionary is: nearly all."""


class Page:
    """A sheet (`mappings.engine.narrative_sheet`) on which everything stands as XML, escaped."""

    __slots__ = ("foot", "lines", "parts", "title")

    def __init__(self) -> None:
        """Begin with nothing; *lines*: the last part is a table of lines that is still open."""
        self.title: str | None = None
        self.parts: list[str] = []
        self.foot: list[str] = []
        self.lines = False

    @property
    def empty(self) -> bool:
        """Return whether it says nothing; a title alone says nothing."""
        return not (self.parts or self.foot)

    def fresh(self) -> "Page":
        """Return an empty page."""
        return Page()

    def line(self, name: str, items: Sequence[Item]) -> None:
        """Add a line; neighbouring lines stand together."""
        if not self.lines:
            self.parts.append(_LINES)
            self.lines = True
        self.parts.append(f"{_HEADS.get(name) or _head(name)}{_put_cell(items)}</tr>")

    def says(self, name: str, said: str) -> None:
        """Add a line of one text."""
        if "\n" in said:
            self.line(name, [(paragraphs(said), ())])
            return
        if "&" in said or "<" in said or ">" in said or "\r" in said:  # as `escaped` asks
            said = escaped(said)
        if not self.lines:
            self.parts.append(_LINES)
            self.lines = True
        self.parts.append(f"{_HEADS.get(name) or _head(name)}<td>{said}</td></tr>")

    def words(self, who: str | None, said: Sequence[str]) -> None:
        """Add what somebody said, in their own words."""
        speaker, cell = escaped(SPEAKER if who is None else who), _put_cell([(tuple(said), ())])
        self._closed().append(f'{_LINES}<tr><th scope="row">{speaker}</th>{cell}</tr>{_END}')

    def table(
        self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Sequence[Item]]]
    ) -> None:
        """Add rows of one kind of thing; a column stands only where some row has something."""
        head = "".join([f'<th scope="col">{escaped(column)}</th>' for column in columns])
        body = "".join([f"<tr>{''.join([_put_cell(cell) for cell in row])}</tr>" for row in rows])
        titled = f"<caption>{escaped(name)}</caption>" if name else ""
        made = f"<table>{titled}<thead><tr>{head}</tr></thead><tbody>{body}{_END}"
        self._closed().append(made)

    def inside(self, other: "Page") -> None:
        """Add *other* as a block in this one."""
        self._closed().append(other.text())

    def take(self, other: "Page") -> None:
        """Add what *other*, which needs no title of its own, says."""
        parts = other.parts
        if parts and self.lines:
            if parts[0] == _LINES:
                parts = parts[1:]
            else:
                self._closed()
        if parts:
            self.parts += parts
            self.lines = other.lines
        self.foot += other.foot

    def text(self) -> str:
        """Return the title, the parts and the foot."""
        title = "" if self.title is None else _bold_text(self.title)
        foot = [f"<paragraph>{escaped(one)}</paragraph>" for one in self.foot]
        return "".join([title, *self._closed(), *foot])

    def _closed(self) -> list[str]:
        """Return the parts, no table of lines left open."""
        if self.lines:
            self.parts.append(_END)
            self.lines = False
        return self.parts


def _bold_text(text: str) -> str:
    return f'<paragraph><content styleCode="Bold">{escaped(text)}</content></paragraph>'


def _put_cell(items: Sequence[Item]) -> str:
    if len(items) == 1:
        ((said, detail),) = items
        if not detail and len(said) == 1:
            return f"<td>{escaped(said[0])}</td>"
    texts: list[str] = []
    for said, detail in items:
        texts += said
        texts += detail
    if not texts:
        return "<td></td>"
    between = "</paragraph><paragraph>".join(map(escaped, texts))
    return f"<td><paragraph>{between}</paragraph></td>" if len(texts) > 1 else f"<td>{between}</td>"


def struc_doc(block: Plain) -> dict[str, Any]:
    """Return ``text`` of a section for a block of `mappings.engine.narrative_blocks`."""
    return {"#content": list(_parts(block))}


def _parts(block: Plain) -> Iterator[dict[str, Any]]:
    if "title" in block:
        yield _bold(block["title"])
    for part in block.get("parts", ()):
        if "lines" in part:
            yield {"table": {"tbody": [{"tr": [_line(one) for one in part["lines"]]}]}}
        elif "words" in part:
            yield {"table": {"tbody": [{"tr": [_words(part["words"])]}]}}
        elif "table" in part:
            yield {"table": _table(part["table"])}
        else:
            yield from _parts(part["block"])
    for one in block.get("foot", ()):
        yield {"paragraph": {"#content": [one]}}


def _bold(text: Any) -> dict[str, Any]:
    return {"paragraph": {"#content": [{"content": {"@styleCode": "Bold", "#text": text}}]}}


def _line(line: Plain) -> dict[str, Any]:
    return {
        "th": [{"@scope": "row", "#content": [line["label"]]}],
        "td": [_cell(line["items"])],
    }


def _words(words: Plain) -> dict[str, Any]:
    who = words.get("who", SPEAKER)
    return {"th": [{"@scope": "row", "#content": [who]}], "td": [_cell([words])]}


def _cell(items: Any) -> dict[str, Any]:
    texts = [text for one in items for text in (*one["text"], *one.get("detail", ()))]
    if len(texts) == 1:
        return {"#content": texts}
    return {"#content": [{"paragraph": {"#content": [text]}} for text in texts]}


def _table(table: Plain) -> dict[str, Any]:
    head = [{"@scope": "col", "#content": [column]} for column in table["columns"]]
    rows = [{"td": [_cell(cell["items"]) for cell in row["cells"]]} for row in table["rows"]]
    titled = {"caption": table["label"]} if table["label"] else {}
    return {**titled, "thead": {"tr": [{"th": head}]}, "tbody": [{"tr": rows}]}
