"""What a step expects: messages with what must be in them, and answers."""

import re
from collections.abc import Iterator
from typing import Any

from hub.domain import codes
from hub.errors import Code
from hub.positioned import Place
from hub.scenarios.casts import words_of
from hub.scenarios.consents import listed, section_keys
from hub.scenarios.parts import plain
from hub.scenarios.paths import segments
from hub.scenarios.reading import Fields, Items, Text, complain, place_of, unknown, within
from hub.scenarios.scenario import Wanted

KINDS = (*(f"N{number}" for number in range(1, 17)), "NOTICE")
MESSAGE = ("sections", "without", "fields", "facts", "says", "lacks", "times")
ANSWER = (
    "status",
    "code",
    "result",
    "sections",
    "without",
    "fields",
    "says",
    "lacks",
    "same as step",
)


def read_messages(node: Any) -> Iterator[Wanted]:
    """Yield what a participant must receive: ``N7``, ``[N3, N8]``, ``N7: {sections: [...]}``."""
    if node is None or node in ("", "nothing", "Nothing"):
        return
    if isinstance(node, Items):
        for item in node:
            yield from read_messages(item)
        return
    if isinstance(node, Text):
        for kind in listed(node):
            yield Wanted(place_of(node), read_kind(within(node, kind)))
        return
    for kind, told in node.items():
        details = words_of(told)
        details.pick(*MESSAGE)
        wanted = _wanted(details, place_of(kind), kind=read_kind(kind))
        for _ in range(int(details.text("times", "1"))):
            yield wanted


def read_kind(word: Text) -> str:
    """Return a message type, or complain."""
    if word not in KINDS:
        raise unknown(word, "message type", KINDS)
    return str(word)


def _wanted(details: Fields, place: Place, **more: Any) -> Wanted:
    sections = None
    if Text("sections") in details:
        sections = tuple(_section_words(details, "sections"))
    return Wanted(
        place,
        sections=sections,
        without=tuple(_section_words(details, "without")),
        fields=_pairs(details, "fields"),
        facts=_pairs(details, "facts"),
        says=tuple(str(one) for one in details.items_of("says")),
        lacks=tuple(str(one) for one in details.items_of("lacks")),
        **more,
    )


def _section_words(details: Fields, key: str) -> Iterator[str]:
    known = codes.code_list("sections").codes
    for word in details.items_of(key):
        for one in listed(word):
            if one.endswith(".*") and any(k.startswith(one[:-1]) for k in known):
                yield from (k for k in known if k.startswith(one[:-1]))
            elif one in known:
                yield one
            else:
                raise unknown(within(word, one), "section", section_keys())


def _pairs(details: Fields, key: str) -> tuple[tuple[str, Any], ...]:
    node = details.get(Text(key))
    if node is None:
        return ()
    if not isinstance(node, Fields):
        raise complain(node, f"{key}: paths with the values that must stand there")
    for path in node:
        try:
            segments(str(path))
        except ValueError:
            raise complain(path, "not a path") from None
    return tuple((str(path), plain(value)) for path, value in node.items())


def read_answer(node: Any) -> Wanted:
    """Read an expected answer: ``202``, ``E_CONSENT_NONE``, ``NONE``, or a mapping."""
    if isinstance(node, Text):
        word = str(node)
        if re.fullmatch(r"[1-5]\d\d", word):
            return Wanted(place_of(node), status=int(word))
        if word.startswith("E_"):
            _code(node)
            return Wanted(place_of(node), code=word)
        if word in codes.code_list("CL-23b").codes:
            return Wanted(place_of(node), result=word)
        raise unknown(node, "answer", [*codes.code_list("CL-23b").codes, "202", "E_CONSENT_NONE"])
    if not isinstance(node, Fields):
        raise complain(node, "an answer is one word or a mapping")
    node.pick(*ANSWER)
    if Text("code") in node:
        _code(node[Text("code")])
    status = node.text("status")
    return _wanted(
        node,
        place_of(node),
        status=int(status) if status else None,
        code=node.text("code") or None,
        result=node.text("result") or None,
        same_as=node.text("same as step") or None,
    )


def _code(word: Text) -> None:
    known = [code.value for code in Code]
    if word not in known:
        raise unknown(word, "code", known)
