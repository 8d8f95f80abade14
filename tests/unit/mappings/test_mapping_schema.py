"""The JSON Schema of mappings: what editors complete is what the loader knows."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from hub.positioned import Value, read_text
from mappings.engine import load, overlays, places, rules
from mappings.engine.catalogue import HOME
from mappings.schemas.mapping import schema, schema_text
from tests.unit.mappings.sites import HEAD

PUBLISHED = HOME / "schemas" / "mapping.schema.json"
VALIDATOR = jsonschema_rs.validator_for(schema())
FILES = sorted(
    file
    for pattern in ("catalogue/**/*.yaml", "starters/*.yaml")
    for file in HOME.glob(pattern)
    if "cases" not in file.parts
)


def core(value: Value) -> Any:
    """*value* as an editor reads it, by the core schema of YAML 1.2: ``on`` is a word."""
    if isinstance(value.content, tuple):
        return [core(item) for item in value.content]
    if isinstance(value.content, dict):
        return {name: core(held) for name, (_place, held) in value.content.items()}
    if value.plain and value.content in {"true", "false"}:
        return value.content == "true"
    if value.plain and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value.content):
        return float(value.content)
    return value.content


def wrong(text: str) -> list[str]:
    """What the schema says against a file of this text."""
    tree = core(read_text(text, "try.yaml"))
    return [error.message for error in VALIDATOR.iter_errors(tree)]


def test_the_published_schema_is_the_generated_one() -> None:
    """`ecaf schema --mapping` printed what is in the tree."""
    assert PUBLISHED.read_text("utf-8") == schema_text()


def test_it_is_json_schema_2020_12() -> None:
    """The schema itself keeps the rules of its draft."""
    jsonschema_rs.meta.validate(json.loads(PUBLISHED.read_text("utf-8")))


@pytest.mark.parametrize("file", FILES, ids=[str(file.relative_to(HOME)) for file in FILES])
def test_every_mapping_of_the_tree_is_valid(file: Path) -> None:
    """Mappings, what they include, and starters under a head of their own."""
    text = file.read_text("utf-8")
    if file.parent.name == "starters":
        text = f"mapping: x\nversion: 1\nformat: x\ncontent_type: x/y\n{text}"
    assert wrong(text) == []


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("mapping", load.TOP),
        ("included", load.INCLUDED),
        ("entry", load.ENTRY),
        ("lost", load.LOST),
        ("rule", rules.RULE),
        ("when", places.WHEN),
        ("overlay", overlays.TOP),
        ("change", overlays.CHANGE),
        ("row", overlays.ROW),
    ],
)
def test_it_knows_the_loaders_keys_and_teaches_each(name: str, keys: tuple[str, ...]) -> None:
    """Every key, no other, and words for who has never seen it."""
    described: dict[str, Any] = schema()["$defs"][name]["properties"]
    assert set(described) == set(keys)
    for key, held in described.items():
        assert len(held["description"]) > 8, key


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEAD + "rulez: []\n", id="unknown key of an overlay"),
        pytest.param(HEAD + "rules: [{field: x}]\n", id="a change of nothing"),
        pytest.param(HEAD + "rules: [{field: x, lost: y, by: []}]\n", id="two changes"),
        pytest.param(HEAD + "codes: {t: [{caf: x, way: '?'}]}\n", id="no such way"),
        pytest.param("overlay: X\n", id="an overlay without a mapping"),
        pytest.param("mapping: x\n", id="a mapping without an envelope"),
        pytest.param("entries: {x: {rules: []}}\n", id="an entry without a resource"),
        pytest.param("parts: {x: [{wires: y}]}\n", id="unknown key of a rule"),
        pytest.param("parts: {x: [{caf: a, wire: b, only: both}]}\n", id="no such direction"),
        pytest.param("parts: {x: [{caf: a, wire: b, required: maybe}]}\n", id="neither"),
        pytest.param("lost: [{caf: x}]\n", id="lost without a reason"),
        pytest.param("lost: [{caf: x, reason: y}]\nlet: {}\n", id="let in an included file"),
    ],
)
def test_what_the_loader_refuses_by_its_form_so_does_the_schema(text: str) -> None:
    """An editor marks it before anybody loads it."""
    assert wrong(text)


def test_an_overlay_is_valid() -> None:
    """The example of the module that reads overlays is right."""
    example = overlays.__doc__ or ""
    text = "\n".join(
        line.removeprefix("    ") for line in example.splitlines() if line[:4] == "    "
    )
    assert text.startswith("overlay: SCH-A")
    assert wrong(text) == []
