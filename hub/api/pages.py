"""The documentation page: the OpenAPI document as plain HTML, with no script and nothing from
elsewhere.

The usual viewers load code from other people's servers into the reader's browser; this door does
not.
"""

from collections.abc import Mapping
from html import escape
from typing import Any, Final

import orjson

from hub.domain.exchange import Tree

HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
)
STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f3f3f3;padding:.8rem;overflow:auto;font-size:14px}"
    "h2{border-top:1px solid #bbb;padding-top:1rem}code{font-size:15px}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;"
    "vertical-align:top}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}"
    "pre{background:#222}a{color:#9cf}}"
)


def _json(value: Any) -> str:
    return f"<pre>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"


def _examples(content: Mapping[str, Any]) -> str:
    shown = []
    for kind, media in content.items():
        for example in media.get("examples", {}).values():
            value = example["value"]
            text = f"<pre>{escape(value)}</pre>" if isinstance(value, str) else _json(value)
            shown.append(f"<p><code>{escape(kind)}</code></p>{text}")
    return "".join(shown)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [
        f"<h2 id='{escape(operation['operationId'])}'>{method.upper()} {escape(path)}</h2>",
        f"<p><strong>{escape(operation['summary'])}</strong></p>",
        f"<p>{escape(operation.get('description', ''))}</p>",
        f"<p>Who: {escape(operation['x-who'])}</p>",
    ]
    if operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code></td><td>{p['in']}</td>"
            f"<td>{'required' if p.get('required') else ''}</td>"
            f"<td>{escape(p.get('description', ''))}</td></tr>"
            for p in operation["parameters"]
        )
        parts.append(f"<table>{rows}</table>")
    if "requestBody" in operation:
        parts.append(f"<h3>Body</h3>{_examples(operation['requestBody'].get('content', {}))}")
    parts.append("<h3>Answers</h3>")
    for status, response in operation["responses"].items():
        parts.append(f"<p><strong>{status}</strong> {escape(response['description'])}</p>")
        if not status.startswith(("4", "5")):
            parts.append(_examples(response.get("content", {})))
    return "".join(parts)


def page(document: Tree) -> bytes:
    """Return the page for an OpenAPI *document*."""
    operations = [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    contents = "".join(
        f"<li><a href='#{escape(op['operationId'])}'><code>{m.upper()} {escape(p)}</code></a> "
        f"{escape(op['summary'])}</li>"
        for p, m, op in operations
    )
    body = "".join(_operation(*found) for found in operations)
    schemas = "".join(
        f"<h3 id='schema-{escape(name)}'>{escape(name)}</h3>{_json(schema)}"
        for name, schema in document["components"]["schemas"].items()
    )
    info = document["info"]
    return (
        "<!doctype html><html lang='en-GB'><head><meta charset='utf-8'>"
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>"
        "<p>For machines: <a href='openapi.json'>openapi.json</a> (OpenAPI 3.1)</p>"
        f"<ul>{contents}</ul>{body}<h2>Schemas</h2>{schemas}</body></html>"
    ).encode()
