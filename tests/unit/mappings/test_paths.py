"""Paths: what can be written, and where a mistake is."""

import pytest

from mappings.engine.paths import Kind, PathError, parse


@pytest.mark.parametrize(
    "text",
    [
        "gender",
        "characteristics.ethnicity",
        "given_names[]",
        "answer[0].valueString",
        "identifier[system=https://fhir.nhs.uk/Id/nhs-number].value",
        "telecom[system=phone][].value",
        "valueCoding{system=urn:x}.code",
        "type[coding[0].system=urn:x,coding[0].code=y]",
        "_birthDate.extension[url=x].valueCode",
        "/message.message_id",
        "^.name",
        "^",
        ".",
    ],
)
def test_a_path_is_written_as_it_was_read(text: str) -> None:
    """Reading and writing a path gives the same text."""
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 0),
        ("a..b", 2),
        ("a.", 2),
        ("1a", 0),
        ("a[x]", 3),
        ("a[x=", 4),
        ("a[x=]", 4),
        ("a[x=y", 5),
        ("a b", 1),
        ("a]", 1),
        ("a{x=y", 5),
        ("__class__", 0),
    ],
)
def test_a_mistake_is_found_where_it_stands(text: str, at: int) -> None:
    """The error says how many characters in."""
    with pytest.raises(PathError) as refused:
        parse(text)
    assert refused.value.at == at


def test_a_path_over_a_list_splits_there() -> None:
    """The part up to the list, and the rest."""
    parts = parse("telecom[system=phone][].value").split()
    assert parts is not None
    assert [str(part) for part in parts] == ["telecom[system=phone][]", "value"]
    assert parts[0].steps[-1].kind is Kind.SLICES
    assert parse("a.b").split() is None
