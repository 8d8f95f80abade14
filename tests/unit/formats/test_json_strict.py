"""Strict JSON: what passes as it is, beside what `tests/acceptance/wrong_inputs.py` refuses."""

from typing import Any

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
