"""Laws of every mapping about what strangers send: an answer with a code or a message, soon.

Whatever the bytes, reading them gives a message or a coded refusal; never another exception, never
a long wait, never the family's own words in the refusal.
"""

import time
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Code, HubError
from hub.ports import Read
from mappings.commands import translator
from tests import builders
from tests.property import laws, spoiling
from tests.property.families import HOSTILE, message


def read(name: str, raw: bytes) -> Read | HubError:
    """Read as the door does, and as the command line does; return what the format itself says."""
    one = laws.FORMATS[name]
    before = time.process_time()
    try:
        translator().read(one.written.content_type, raw, partner="SCH-A")
    except HubError as refused:
        check_refusal(refused)
    answer: Read | HubError
    try:
        answer = translator().read_format(one, raw)
    except HubError as refused:
        answer = refused
        check_refusal(refused)
    took = time.process_time() - before
    assert took < 2 * spoiling.SECONDS, f"{took:.1f} s of processor"
    return answer


WORDS = sorted(set(spoiling.scalars(builders.episode())), key=len, reverse=True)


def check_refusal(refused: HubError) -> None:
    """A refusal has a code, says something, and says nothing of the family's."""
    assert isinstance(refused.code, Code)
    assert refused.code is not Code.INTERNAL
    said = " ".join(
        [refused.detail, *(f"{f.code} {f.path} {f.remedy} {f.allowed}" for f in refused.faults)]
    )
    assert refused.detail
    told = [word for word in WORDS if word in said]
    assert told == [], "the refusal repeats what it was sent"


@pytest.mark.parametrize("name", laws.READ)
@laws.about(40)
@given(data=st.data())
def test_no_spoilt_document_breaks_the_reader(name: str, data: st.DataObject) -> None:
    """Golden bytes cut, doubled, swapped and salted are read, or refused with a code."""
    read(name, data.draw(spoiling.spoilt(name)))


@pytest.mark.parametrize("name", laws.READ)
@laws.about(25)
@given(raw=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_no_bytes_at_all_break_the_reader(name: str, raw: bytes) -> None:
    """Nonsense is refused with a code."""
    read(name, raw)


@pytest.mark.parametrize("name", laws.READ)
def test_salt_alone_and_at_either_end(name: str) -> None:
    """What others choked on, alone, before and behind a golden document."""
    golden = min(spoiling.goldens(name), key=len)
    for salt in spoiling.SALT:
        for raw in (salt, salt + golden, golden + salt, golden[:1] + salt + golden[1:]):
            read(name, raw)


@pytest.mark.parametrize("name", laws.READ)
def test_every_golden_document_is_read(name: str) -> None:
    """The spoilt ones come from documents that are well: no law is kept by refusing everything."""
    answers = [read(name, raw) for raw in spoiling.goldens(name)]
    assert any(isinstance(answer, Read) for answer in answers)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


def spoil_tree(document: Any, data: st.DataObject) -> None:
    """Put anything anywhere in *document*, in place."""
    for _ in range(data.draw(st.integers(1, 3))):
        here: Any = document
        while True:
            keys = list(here) if isinstance(here, dict) else list(range(len(here)))
            key = data.draw(st.sampled_from(keys))
            inner = here[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
                break
            here = inner
        here[key] = data.draw(JSON)


@pytest.mark.parametrize("name", [n for n in laws.READ if laws.FORMATS[n].wire.suffix == "json"])
@laws.about(20)
@given(data=st.data())
def test_anything_anywhere_in_the_tree_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """Well-formed JSON of the wrong shape gets past the parser, and is answered behind it."""
    document = orjson.loads(data.draw(st.sampled_from(spoiling.goldens(name))))
    spoil_tree(document, data)
    read(name, orjson.dumps(document))


def put_everywhere(value: Any, text: str) -> Any:
    """Return *value* with *text* in place of every text but codes and ids."""
    if isinstance(value, Mapping):
        return {
            key: text
            if isinstance(inner, str) and key in ("name", "text", "commentary", "family_name")
            else put_everywhere(inner, text)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [put_everywhere(inner, text) for inner in value]
    return value


def rendered_with(name: str, text: str) -> list[bytes]:
    """What the format makes of the plain family with *text* in its names and comments."""
    episode = put_everywhere(builders.episode(), text[:35])
    said = [laws.rendered_or_refused(name, message(t)) for t in laws.sayable(name, episode)]
    return [raw for raw in said if raw is not None]


@pytest.mark.parametrize("name", laws.EPISODES)
def test_no_text_breaks_the_renderer(name: str) -> None:
    """A text that a format cannot hold is refused with `E_MAPPING`; what is written can be read."""
    for text in [*HOSTILE, "\ufffe", "\uffff", "\U0001ffff"]:
        for raw in rendered_with(name, text):
            laws.FORMATS[name].wire.parse(raw)


@pytest.mark.parametrize("name", laws.EPISODES)
def test_control_characters_are_written_or_refused(name: str) -> None:
    """The doors let none of them in; if one came this far, it would end in bytes or `E_MAPPING`."""
    for text in ("\x00", "\x0b", "\x1c", "\x1c\r", "\x7f", "\x85", "\x9f"):
        rendered_with(name, text)
