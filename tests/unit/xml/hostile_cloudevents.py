"""What a stranger may send as a CloudEvent: attributes that lie, data that are none, JSON that is
not one.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.unit.xml.hostile import SECRET, Hostile

FORMAT = "cloudevents/notification"
MIB = 1024 * 1024
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "d-42",
    "source": "urn:ecaf:hub",
    "type": "example.ecaf.caf.content.shared.v1",
    "subject": "e1",
}


def event(**changes: Any) -> Callable[[], bytes]:
    """An event with *changes*; None takes an attribute away."""
    told = {name: value for name, value in (EVENT | changes).items() if value is not None}
    return json.dumps(told).encode


def text(written: str) -> Callable[[], bytes]:
    return written.encode


TABLE: Mapping[str, Hostile] = {
    # the four that are required
    "no id": Hostile(event(id=None), "E_REQUIRED", "id"),
    "no type": Hostile(event(type=None), "E_REQUIRED", "type"),
    "no source": Hostile(event(source=None), "E_REQUIRED", "source"),
    "no specversion": Hostile(event(specversion=None), "E_REQUIRED", "specversion"),
    "an empty id": Hostile(event(id=""), "E_FORMAT", "id"),
    "an empty type": Hostile(event(type=""), "E_FORMAT", "type"),
    "an empty source": Hostile(event(source=""), "E_FORMAT", "source"),
    "an empty subject": Hostile(event(subject=""), "E_FORMAT", "subject"),
    "version 0.3": Hostile(event(specversion="0.3"), "E_FORMAT", "specversion"),
    "version as a number": Hostile(event(specversion=1.0), "E_TYPE", "specversion"),
    "an id that is a number": Hostile(event(id=7), "E_TYPE", "id"),
    "an id that is null": Hostile(
        text('{"specversion":"1.0","id":null,"source":"urn:x:y","type":"a.b.c.v1"}'),
        "E_TYPE",
        "id",
    ),
    "a name for an id": Hostile(event(id=SECRET), "E_FORMAT", "id"),
    "a name for a subject": Hostile(event(subject=SECRET), "E_FORMAT", "subject"),
    "a name in the source": Hostile(event(source=SECRET), "E_FORMAT", "source"),
    "a type without a version": Hostile(event(type="example.ecaf.caf.x"), "E_FORMAT", "type"),
    "a type in capitals": Hostile(event(type="Example.Ecaf.Caf.X.v1"), "E_FORMAT", "type"),
    "a type with a line end": Hostile(event(type="a.b.c.v1\n"), "E_FORMAT", "type"),
    "a type of Greek letters": Hostile(event(type="α.β.γ.v1"), "E_FORMAT", "type"),
    "a subject too long": Hostile(event(subject="x" * 65), "E_FORMAT", "subject"),
    # the others
    "a time without an offset": Hostile(event(time="2026-09-04T16:00:00"), "E_FORMAT", "time"),
    "a day that is none": Hostile(event(time="2026-02-30T16:00:00Z"), "E_FORMAT", "time"),
    "a reference to a file": Hostile(event(dataref="file:///etc/passwd"), "E_FORMAT", "dataref"),
    "a reference with a space": Hostile(event(dataref="https://x/ y"), "E_FORMAT", "dataref"),
    "a reference that is a script": Hostile(event(dataref="javascript:x"), "E_FORMAT", "dataref"),
    "data of another type": Hostile(
        event(datacontenttype="text/html"), "E_FORMAT", "datacontenttype"
    ),
    "a sequence that is a number": Hostile(event(sequence=3), "E_TYPE", "sequence"),
    "a sequence of Arabic digits": Hostile(event(sequence="٣"), "E_FORMAT", "sequence"),
    "a sequence too long": Hostile(event(sequence="1" * 11), "E_FORMAT", "sequence"),
    "a sequence too large": Hostile(
        event(sequence="9999999999"), "E_NUMBER", "/message/episode_seq"
    ),
    "a purpose that is a sentence": Hostile(event(cafpurpose=SECRET), "E_FORMAT", "cafpurpose"),
    "a purpose of no list": Hostile(event(cafpurpose="WHY"), "E_CODELIST", "/message/purpose"),
    "two spaces between references": Hostile(
        event(cafconsentref="c1  c2"), "E_FORMAT", "cafconsentref"
    ),
    "a list of references": Hostile(event(cafconsentref=["c1"]), "E_TYPE", "cafconsentref"),
    "an extension in capitals": Hostile(event(traceParent="x"), "E_FORMAT", "?"),
    "an extension with a name in it": Hostile(event(**{SECRET: "x"}), "E_FORMAT", "?"),
    "an extension too long": Hostile(event(**{"x" * 21: "x"}), "E_FORMAT", "?"),
    "an extension that is an object": Hostile(event(traceparent={"a": 1}), "E_TYPE", "traceparent"),
    "an extension that is a fraction": Hostile(event(traceparent=1.5), "E_TYPE", "traceparent"),
    "an extension without end": Hostile(event(traceparent="x" * 3000), "E_LENGTH", "traceparent"),
    "attributes without end": Hostile(
        event(**{f"x{number}": "y" for number in range(5000)}), "E_TOO_LARGE", ""
    ),
    # data
    "data in base 64": Hostile(event(data_base64="AAAA"), "E_UNKNOWN_FIELD", "data_base64"),
    "data that are text": Hostile(event(data=SECRET), "E_TYPE", "data"),
    "data that are a list": Hostile(event(data=[]), "E_TYPE", "data"),
    "a code of no notification": Hostile(event(data={"code": "N17"}), "E_FORMAT", "data.code"),
    "a kind without a code": Hostile(event(data={"kind": "offer"}), "E_REQUIRED", "data.code"),
    "a name for an episode": Hostile(event(data={"episode": SECRET}), "E_FORMAT", "data.episode"),
    "changed fields that are one": Hostile(
        event(data={"code": "N5", "changed": SECRET}), "E_TYPE", "data.changed"
    ),
    "changed fields without end": Hostile(
        event(data={"code": "N5", "changed": ["x"] * 1001}), "E_LENGTH", "data.changed"
    ),
    "an action without an id": Hostile(
        event(data={"code": "N9", "actions": [{"status": "NEW"}]}),
        "E_REQUIRED",
        "data.actions.0.action",
    ),
    "a status of no list": Hostile(
        event(
            type="example.ecaf.caf.plan.event.v1",
            data={"code": "N9", "actions": [{"action": "a1", "status": "BUSY"}]},
        ),
        "E_CODELIST",
        "/episode/plan/action/0/action_status",
    ),
    # JSON
    "nothing": Hostile(text(""), "E_SYNTAX", ""),
    "a batch": Hostile(text(f"[{json.dumps(EVENT)}]"), "E_TYPE", ""),
    "a string": Hostile(text('"event"'), "E_TYPE", ""),
    "cut short": Hostile(text(json.dumps(EVENT)[:-3]), "E_SYNTAX", "/subject"),
    "an attribute twice": Hostile(
        text('{"specversion":"1.0","id":"a","id":"b","source":"urn:x:y","type":"a.b.c.v1"}'),
        "E_DUPLICATE_KEY",
        "/id",
    ),
    "a control character": Hostile(
        text('{"specversion":"1.0","id":"a\\u0000","source":"urn:x:y","type":"a.b.c.v1"}'),
        "E_CONTROL_CHAR",
        "/id",
    ),
    "half a surrogate": Hostile(
        text('{"specversion":"1.0","id":"a\\ud800","source":"urn:x:y","type":"a.b.c.v1"}'),
        "E_CONTROL_CHAR",
        "/id",
    ),
    "UTF-16": Hostile(lambda: json.dumps(EVENT).encode("utf-16"), "E_ENCODING", ""),
    "deep data": Hostile(text('{"data":' + '{"a":' * 100 + "1" + "}" * 101), "E_DEPTH", ""),
    "six mebibytes": Hostile(text(" " * (6 * MIB)), "E_TOO_LARGE", ""),
}
