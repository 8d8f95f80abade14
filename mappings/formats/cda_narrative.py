"""Human text of a CDA section: paragraphs and tables that every CDA style sheet shows."""

from collections.abc import Iterator, Mapping
from typing import Any

Block = Mapping[str, Any]


def struc_doc(block: Block) -> dict[str, Any]:
    """Return ``text`` of a section for a block of `mappings.engine.narrative_blocks`."""
    return {"#content": list(_parts(block))}


def _parts(block: Block) -> Iterator[dict[str, Any]]:
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


def _line(line: Block) -> dict[str, Any]:
    return {
        "th": [{"@scope": "row", "#content": [line["label"]]}],
        "td": [_cell(line["items"])],
    }


def _words(words: Block) -> dict[str, Any]:
    who = words.get("who", "In their own words")
    return {"th": [{"@scope": "row", "#content": [who]}], "td": [_cell([words])]}


def _cell(items: Any) -> dict[str, Any]:
    texts = [text for one in items for text in (*one["text"], *one.get("detail", ()))]
    if len(texts) == 1:
        return {"#content": texts}
    return {"#content": [{"paragraph": {"#content": [text]}} for text in texts]}


def _table(table: Block) -> dict[str, Any]:
    head = [{"@scope": "col", "#content": [column]} for column in table["columns"]]
    rows = [{"td": [_cell(cell["items"]) for cell in row["cells"]]} for row in table["rows"]]
    titled = {"caption": table["label"]} if table["label"] else {}
    return {**titled, "thead": {"tr": [{"th": head}]}, "tbody": [{"tr": rows}]}
