"""Strict JSON: what passes as it is, beside what `tests/acceptance/wrong_inputs.py` refuses."""

import json
from typing import Any

import orjson
import pytest

from hub.errors import Code, Malformed
from mappings.formats import json_strict
from mappings.formats.json_strict import Limits, parse


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (
            b'{"a": [1, -2, 3.5, true, false, null, "x"]}',
            {"a": [1, -2, 3.5, True, False, None, "x"]},
        ),
        (b" \r\n\t{ } ", {}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"tab\\t line\\n return\\r slash\\/ quote\\""', 'tab\t line\n return\r slash/ quote"'),
        (b'{"a": ":", ":": {"a": "\\u003a"}}', {"a": ":", ":": {"a": ":"}}),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"-12345678901234567890", -12345678901234567890),
        (b'"12345678901234567890123456789012345"', "12345678901234567890123456789012345"),
        (b"1e-400", 0.0),
        ('"\u00a0\u2028\ufeff"'.encode(), "\u00a0\u2028\ufeff"),
        (b'"\\\\u0000"', "\\u0000"),
        (b'{"A": 1, "a": 2}', {"A": 1, "a": 2}),
        (b"[" * 64 + b"]" * 64, None),
    ],
)
def test_lawful_json_passes(raw: bytes, value: Any) -> None:
    """What looks odd and is lawful is read exactly, large integers and escaped colons included."""
    read = parse(raw)
    if value is not None:
        assert read == value
        assert type(read) is type(value)


@pytest.mark.parametrize(
    ("raw", "limits", "code"),
    [
        (b'["aaaa"]', Limits(string=3), Code.LENGTH),
        (b'{"a":1,"b":2}', Limits(keys=1), Code.TOO_LARGE),
        (b"[1,2,3,4]", Limits(values=3), Code.TOO_LARGE),
        (b"[[[[1]]]]", Limits(values=3), Code.TOO_LARGE),
        (b"[[1]]", Limits(depth=1), Code.DEPTH),
        (b"[123]", Limits(digits=2), Code.NUMBER),
        (b"[1234]", Limits(size=5), Code.TOO_LARGE),
    ],
)
def test_limits_can_be_narrowed(raw: bytes, limits: Limits, code: Code) -> None:
    """Every limit is a parameter, because formats differ."""
    if code is Code.NUMBER:
        raw = b"[" + b"1" * 18 + b"]"
    with pytest.raises(Malformed) as refused:
        parse(raw, limits)
    assert refused.value.code is code
    assert parse(raw) is not None


def test_everything_wrong_is_named() -> None:
    """Several faults in one document are told together, each at its place."""
    raw = b'{"a": {"b": 1, "b": 2}, "list": [NaN, "\\u0007"], "Ava Example": "\\ud800"}'
    with pytest.raises(Malformed) as refused:
        parse(raw)
    assert [(fault.code.value, fault.path) for fault in refused.value.faults] == [
        ("E_DUPLICATE_KEY", "/a/b"),
        ("E_NUMBER", "/list/0"),
        ("E_CONTROL_CHAR", "/list/1"),
        ("E_CONTROL_CHAR", "/?"),
    ]


def test_what_the_slow_pass_clears_by_mistake_is_still_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the library refuses leaves as a refusal of ours, quoting nothing."""
    monkeypatch.setattr(json_strict, "locate", lambda text, limits: ())
    for raw in (b'{"a": Ava}', b"[" * 100_000):
        with pytest.raises(Malformed) as refused:
            parse(raw)
        assert refused.value.code is Code.SYNTAX
        assert refused.value.__suppress_context__


def test_a_syntax_error_says_where() -> None:
    """Line and column, but nothing of what stood there."""
    with pytest.raises(Malformed) as refused:
        parse(b'{\n  "a": 1,\n  "b": oops\n}')
    (fault,) = refused.value.faults
    assert (fault.path, fault.remedy) == ("/b", "not JSON at line 3, column 8")


def test_rubbish_stops_at_a_hundred_faults() -> None:
    """A document of nothing but faults does not make an endless answer."""
    with pytest.raises(Malformed) as refused:
        parse(b"[" + b"NaN," * 5_000 + b"NaN]")
    assert len(refused.value.faults) == 100


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"a":1,"a":1}', Code.DUPLICATE_KEY),
        (b'{"a":1,"a":":"}', Code.DUPLICATE_KEY),
        (b'{"a":{"b":[1,{"c":1,"c":2}]}}', Code.DUPLICATE_KEY),
        (b'{"a":":","a":1,"b":"::"}', Code.DUPLICATE_KEY),
        (b"[" * 65 + b"1" + b"]" * 65, Code.DEPTH),
        (b'{"a":' * 65 + b"1" + b"}" * 65, Code.DEPTH),
        (b"[1e999]", Code.NUMBER),
        (b"[" + b"1" * 31 + b"]", Code.NUMBER),
        (b'["\\u0007"]', Code.CONTROL_CHAR),
        (b'["\\b"]', Code.CONTROL_CHAR),
        (b'["\x7f"]', Code.CONTROL_CHAR),
        (b'["\xc2\x80"]', Code.CONTROL_CHAR),
    ],
)
@pytest.mark.parametrize("around", [b"%s", b" %s\n", b"\t%s  "])
def test_what_is_wrong_is_found_in_every_layout(raw: bytes, code: Code, around: bytes) -> None:
    """Text as orjson prints it and text with white space are looked at in two ways, with one
    outcome.
    """
    for spaced in (raw, raw.replace(b",", b", "), raw.replace(b'":', b'" : ')):
        with pytest.raises(Malformed) as refused:
            parse(around % spaced)
        assert refused.value.code is code


@pytest.mark.parametrize(
    "raw",
    [
        b"[100000000000000000000]",
        b"[0.1234567890123456789]",
        b"[12345678901234567890.5]",
        b"[1.50,-0,1E2,18446744073709551615,9007199254740993]",
    ],
)
def test_numbers_keep_what_python_reads(raw: bytes) -> None:
    """However many digits, the value is the one that the standard library would give."""
    assert parse(raw) == json.loads(raw)
    assert [type(one) for one in parse(raw)] in (
        [type(one) for one in json.loads(raw)],
        [float] * len(json.loads(raw)),
    )


def test_the_depth_of_one_message_is_not_that_of_the_next() -> None:
    """What is printed around a message is kept from one to the next, and made anew by need."""
    for _ in range(2):
        for depth in (2, 64, 3):
            lawful = b"[" * depth + b"1" + b"]" * depth
            assert orjson.dumps(parse(lawful, Limits(depth=depth))) == lawful
            with pytest.raises(Malformed):
                parse(b"[" + lawful + b"]", Limits(depth=depth))
