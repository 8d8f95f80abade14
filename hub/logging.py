"""Logs that cannot hold a child: JSON lines on stderr, and only keys and values of known shape.

Source: `reliability.md` 5.13 and promise P29.  A log line is made of an event name and of the keys
in `ALLOWED`; any other key is dropped, and a value that does not have its key's shape becomes
``"?"``. Exceptions appear as class and place.  What libraries log through the standard library is
reduced to the name of the logger: their messages quote addresses, values and paths.
"""

import asyncio
import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import orjson
import structlog

_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
_ROUTE: Final = re.compile(r"[A-Za-z0-9_./{}$-]{1,128}", re.ASCII)
_PLACE: Final = re.compile(r"[A-Za-z0-9_./-]{1,200}:[0-9]{1,6}", re.ASCII)
_FORMAT: Final = re.compile(r"[A-Za-z0-9_./+;=-]{1,128}", re.ASCII)

ALLOWED: Final[Mapping[str, re.Pattern[str] | type]] = {
    "event": _WORD,
    "level": _WORD,
    "at": _WORD,
    "code": _WORD,
    "reason": _WORD,
    "delivery_id": _WORD,
    "message_id": _WORD,
    "message_type": _WORD,
    "request_id": _WORD,
    "partner": _WORD,
    "destination": _WORD,
    "service": _FORMAT,
    "stage": _WORD,
    "state": _WORD,
    "role": _WORD,
    "backend": _WORD,
    "logger": _WORD,
    "error_class": _WORD,
    "signal": _WORD,
    "mapping": _FORMAT,
    "queue": _WORD,
    "method": _WORD,
    "route": _ROUTE,
    "place": _PLACE,
    "status": int,
    "attempt": int,
    "count": int,
    "port": int,
    "version": int,
    "ms": float,
    "seconds": float,
    "ready": bool,
}
"""Every key that a log line may have, with the shape of its value."""

_ROOT: Final = Path(__file__).resolve().parent.parent
_SILENT: Final = ("httpx", "httpcore", "uvicorn.access", "aiormq.connection")
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def _shaped(shape: re.Pattern[str] | type, value: object) -> bool:
    if isinstance(shape, re.Pattern):
        return isinstance(value, str) and shape.fullmatch(value) is not None
    if shape is float:
        return type(value) in (int, float)
    return type(value) is shape


def allow(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Return only what may be said: known keys, each with a value of its shape (structlog
    processor).

    >>> dict(allow(None, "", {"event": "sent", "status": 200, "family_name": "Example"}))
    {'event': 'sent', 'status': 200}
    >>> dict(allow(None, "", {"event": "sent", "partner": "Ava Example, 1 Street"}))
    {'event': 'sent', 'partner': '?'}
    """
    return {
        key: event[key] if _shaped(shape, event[key]) else "?"
        for key, shape in ALLOWED.items()
        if event.get(key) is not None
    }


def place(error: BaseException) -> str:
    """Return ``file:line`` of where *error* was raised: our innermost frame, or the innermost of
    all.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown:0"
    for frame in reversed(frames):
        path = Path(frame.filename)
        if path.is_relative_to(_ROOT) and "site-packages" not in path.parts:
            return f"{path.relative_to(_ROOT)}:{frame.lineno}"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"


def failure(error: BaseException) -> dict[str, str]:
    """Return what a log may say of an exception: class and place, never its message."""
    return {"error_class": type(error).__name__, "place": place(error)}


_NAMED: Final = ("code", "delivery_id", "error_class")
"""What our own records name beside their message; each has its shape in `ALLOWED`."""


class _Reduced(logging.Handler):
    """Passes a log record on as an event: who says it and what it names, never its message."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        facts = {name: getattr(record, name) for name in _NAMED if hasattr(record, name)}
        facts |= failure(error) if error is not None else {}
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(log, level)("library", logger=record.name, **facts)


def _render(_logger: object, _name: str, event: MutableMapping[str, Any]) -> bytes:
    return orjson.dumps(event)


class _Lines:
    """Writes whole lines to *stream* and nothing else (the object structlog calls)."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def msg(self, line: bytes) -> None:
        """Write one line."""
        self._stream.write(line + b"\n")
        self._stream.flush()

    debug = info = warning = error = critical = exception = msg


class _Log:
    """The hub's log: ``log.info("event.name", key=value)``; see `ALLOWED` for the keys."""

    def __init__(self) -> None:
        self._bound: Any = None
        self.level = 20

    def bind(self, bound: Any, level: int) -> None:
        """Send what is logged from now on to *bound*."""
        self._bound, self.level = bound, level

    def _say(self, level: str, event: str, facts: dict[str, Any]) -> None:
        if self._bound is not None and _LEVELS[level] >= self.level:
            getattr(self._bound, level)(event, level=level, **facts)

    def debug(self, event: str, **facts: Any) -> None:
        """Log what only somebody at the bench wants to see."""
        self._say("debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """Log what happened."""
        self._say("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Log what somebody should look at this week."""
        self._say("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Log what somebody is woken for."""
        self._say("error", event, facts)


log = _Log()


def _uncaught(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    log.error("uncaught", **failure(error))


def configure(level: str = "info", stream: BinaryIO | None = None) -> None:
    """Send the log to *stream* (stderr) from *level* up, and tame what libraries would print.

    Until this is called nothing is logged at all, so that a library user of the hub hears nothing.
    """
    sink: Callable[..., Any] = structlog.wrap_logger(
        _Lines(stream or sys.stderr.buffer),
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            allow,
            _render,
        ],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=True,
    ).bind
    log.bind(sink(), _LEVELS[level])
    root = logging.getLogger()
    root.handlers[:] = [_Reduced(logging.WARNING)]
    root.setLevel(logging.WARNING)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        quiet = logging.getLogger(name)
        quiet.handlers[:] = []
        quiet.propagate = True
        quiet.setLevel(logging.WARNING)
    sys.excepthook = _uncaught


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Log exceptions that reach *loop* itself by class and place only."""

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error("loop", **(failure(error) if isinstance(error, BaseException) else {}))

    loop.set_exception_handler(handle)
