"""The log: canaries planted everywhere, none of them on a line."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hub import logging as ours
from hub.logging import ALLOWED, configure, failure, log, watch
from hub.secrets import Secret
from tests.unit.api.small_hub import SmallHub

CANARY = "Zebedee Example 9990000018 ZZ99 3WZ"


@pytest.fixture
def lines() -> Iterator[io.BytesIO]:
    """What the log writes; the log is silent again afterwards."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = list(root.handlers), root.level
    stream = io.BytesIO()
    configure("debug", stream)
    yield stream
    log.bind(None, 20)
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)


def fall() -> None:
    """Fail with a canary in the message and in the cause."""
    raise ValueError(CANARY) from KeyError(CANARY)


def read(stream: io.BytesIO) -> list[dict[str, Any]]:
    """The lines so far, as JSON, after no canary was found in them."""
    text = stream.getvalue().decode()
    assert not [word for word in CANARY.split() if word in text], text
    return [json.loads(line) for line in text.splitlines()]


def test_known_keys_with_known_shapes_pass(lines: io.BytesIO) -> None:
    """An event is one JSON line with a time."""
    log.info("request", route="/episodes/{ref}", status=200, ms=1.5, partner="EHM-A")

    (line,) = read(lines)
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "route": "/episodes/{ref}",
        "status": 200,
        "ms": 1.5,
        "partner": "EHM-A",
    }


@pytest.mark.parametrize("key", [*ALLOWED, "family_name", "detail", "exc_info", "exception"])
def test_no_key_carries_free_text(lines: io.BytesIO, key: str) -> None:
    """A value without its key's shape is a question mark; an unknown key is not there at all."""
    if key in ("event", "level", "at"):
        log.info(CANARY)
    else:
        log.info("x", **{key: CANARY})

    (line,) = read(lines)
    assert key not in line or line[key] in ("?", "info") or key == "at"


@pytest.mark.parametrize(
    "value", [[CANARY], {"a": CANARY}, Secret(CANARY), ValueError(CANARY), CANARY.encode()]
)
def test_no_value_carries_structure(lines: io.BytesIO, value: Any) -> None:
    """Only flat values of the declared type pass."""
    log.error("x", partner=value, status=value, note=value)

    assert {line.get("partner") for line in read(lines)} == {"?"}


def test_an_exception_is_class_and_place(lines: io.BytesIO) -> None:
    """Messages and chained causes are not written; where it happened is."""
    try:
        fall()
    except ValueError as error:
        log.error("failed", **failure(error))

    (line,) = read(lines)
    assert line["error_class"] == "ValueError"
    assert line["place"].startswith("tests/unit/api/test_logging.py:")


def test_libraries_are_reduced_to_their_name(lines: io.BytesIO) -> None:
    """What others log has no message here, and the talkative ones are silent."""
    for name in ("httpx", "httpcore.connection", "uvicorn.access"):
        logging.getLogger(name).error("GET /%s", CANARY)
    try:
        fall()
    except ValueError:
        logging.getLogger("some.library").exception("about %s", CANARY)
    logging.getLogger("some.library").info(CANARY)

    (line,) = read(lines)
    assert (line["logger"], line["error_class"]) == ("some.library", "ValueError")


def test_our_records_keep_what_they_name(lines: io.BytesIO) -> None:
    """The delivery and the code of a record stay; its message, and a value out of shape, do not."""
    named = {"delivery_id": "d-1", "code": "E_MAPPING", "error_class": CANARY}
    logging.getLogger("hub.dispatch").warning("about %s", CANARY, extra=named)

    (line,) = read(lines)
    assert (line["delivery_id"], line["code"]) == ("d-1", "E_MAPPING")
    assert line["error_class"] == "?"


async def test_forgotten_tasks_are_class_and_place(lines: io.BytesIO) -> None:
    """An exception that only the event loop hears of does not print its message either."""
    loop = asyncio.get_running_loop()
    watch(loop)
    loop.call_exception_handler({"message": CANARY, "exception": ValueError(CANARY)})
    loop.set_exception_handler(None)

    assert [line["error_class"] for line in read(lines)] == ["ValueError"]


def test_what_ends_the_process_is_class_and_place(lines: io.BytesIO) -> None:
    """Python's own last words would quote the message."""
    sys.excepthook(ValueError, ValueError(CANARY), None)

    assert read(lines)[0]["event"] == "uncaught"


async def test_requests_leave_no_trace_of_their_content(
    lines: io.BytesIO, door: httpx.AsyncClient, hub: SmallHub
) -> None:
    """A canary in body, address, headers and in the hub's own exception: in no line, in no
    answer.
    """
    plain = "ZebedeeExample"
    hub.fail = RuntimeError(CANARY)
    headers = {
        "content-type": "application/fhir+json",
        "idempotency-key": plain,
        "x-request-id": plain,
        "user-agent": plain,
    }

    answers = [
        await door.post("/messages", content=CANARY.encode(), headers=headers),
        await door.get(f"/episodes/{plain}?purpose={plain}&service={plain}"),
        await door.get(f"/{plain}"),
        await door.request(plain.upper(), "/messages"),
    ]

    told = read(lines)
    assert plain not in lines.getvalue().decode()
    assert [line["status"] for line in told if line["event"] == "request"] == [500, 403, 404, 405]
    failed = next(line for line in told if line["event"] == "door.failed")
    assert failed["error_class"] == "RuntimeError"
    assert failed["request_id"] == answers[0].json()["request_id"]
    for answer in answers:
        assert plain.lower() not in (answer.text + str(answer.headers)).lower()


def test_nothing_is_logged_before_it_is_wanted(capfd: pytest.CaptureFixture[str]) -> None:
    """Importing and using the hub as a library prints nothing."""
    ours.log.error("x")

    assert capfd.readouterr() == ("", "")
