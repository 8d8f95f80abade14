"""A rule taken out of a mapping (a copy of it) turns the report for the fields that it carried, and
for no other; every mapping of the catalogue, new ones by themselves.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from hub.errors import Rejected
from hub.positioned import PositionedError, PositionedErrors, Value, read_file
from mappings.commands import translator
from mappings.engine.catalogue import HOME, Catalogue, Format
from mappings.engine.load import load
from mappings.engine.placement import named, placed
from mappings.engine.report import deciding, generic, loss, report
from mappings.engine.tables import Shelf
from mappings.formats.wires import WIRES
from tests import builders

MOST = 4
GROUPS = {"rules", "use", "leaves", "for", "to", "only", "backup", "when", "required"}
FORMATS = sorted(translator().catalogue.formats)


def plain(value: Value, without: Value | None = None) -> Any:
    """*value* as JSON has it, one item of a list left out."""
    if isinstance(value.content, str):
        return value.content
    if isinstance(value.content, tuple):
        return [plain(item, without) for item in value.content if item is not without]
    return {name: plain(held, without) for name, (_place, held) in value.content.items()}


def simple_rules(value: Value) -> Iterator[Value]:
    """Every rule of a file that carries one field and nothing else depends on."""
    if isinstance(value.content, tuple):
        for item in value.content:
            names = set(item.content) if isinstance(item.content, dict) else set()
            if {"caf", "wire"} <= names and not names & GROUPS and len(value.content) > 1:
                yield item
            yield from simple_rules(item)
    elif isinstance(value.content, dict):
        for name, (_place, held) in value.content.items():
            if name != "lost":
                yield from simple_rules(held)


def without(folder: Path, name: str, file: str, rule: Value, top: Value) -> Format | None:
    """The mapping *name* without *rule*, in a catalogue of its own; None if it does not load so.

    What has no rule now is declared lost, as an author would.
    """
    home = folder / "catalogue"
    source = translator().catalogue.sources[name].folder
    copy = home / name
    shutil.copytree(source, copy)
    shared = source.parent / "shared"
    if shared.is_dir():
        shutil.copytree(shared, copy.parent / "shared")
    (copy / file).write_bytes(orjson.dumps(plain(top, rule)))
    shelf = Shelf.of(HOME / "codes")
    try:
        before = named(translator().catalogue.formats[name].written)
        after = named(load(copy, shelf, {}, name))
        main = (
            plain(top, rule) if file == "mapping.yaml" else plain(read_file(copy / "mapping.yaml"))
        )
        gone = [{"caf": path, "reason": "taken out"} for path in before if path not in after]
        main["lost"] = [*gone, *main.get("lost", [])]
        (copy / "mapping.yaml").write_bytes(orjson.dumps(main))
        return Catalogue(WIRES, folder=home).formats[name]
    except (PositionedError, PositionedErrors):
        return None


def outcomes(one: Format) -> dict[str, Counter[str]] | None:
    """How often which outcome befell each field of the whole family; None if it cannot be said."""
    tree = {"message": builders.header(message_type="N7"), "episode": builders.episode()}
    try:
        rows = report(one, tree).rows
    except Rejected:
        return None
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if row.caf is not None:
            found.setdefault(generic(row.caf), Counter())[f"{row.outcome} {row.reason}"] += 1
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_the_report_turns_for_the_fields_of_a_deleted_rule(name: str, tmp_path: Path) -> None:
    """Static and per message, exactly what the rule carried is told otherwise."""
    one = translator().catalogue.formats[name]
    files = sorted(one.folder.glob("*.yaml"))
    tops = {file.name: read_file(file, f"{name}/{file.name}") for file in files}
    rules = [(file, rule) for file, top in tops.items() for rule in simple_rules(top)]
    Random(name).shuffle(rules)
    decides = deciding(one.written)  # what says which rule an item falls under
    tested = 0
    for number, (file, rule) in enumerate(rules):
        if tested == MOST:
            break
        assert isinstance(rule.content, dict)
        place = str(rule.content["wire"][1].place)
        carried = {held.path for held in placed(one.written) if str(held.rule.place) == place}
        fields = carried - decides
        new = without(tmp_path / str(number), name, file, rule, tops[file])
        if new is None or not fields:
            continue
        rows = [{row.caf: row for row in loss(held)} for held in (one, new)]
        said = [{caf: (r.outcome, r.wires, r.tables) for caf, r in side.items()} for side in rows]
        turned = {field for field in said[0] if said[0][field] != said[1].get(field)}
        assert turned - decides == fields, place
        before, after = outcomes(one), outcomes(new)
        if before is not None and after is not None and one.written.direction != "in":
            told = {field for field in before if before[field] != after.get(field)}
            assert told - decides == fields & before.keys(), place
        tested += 1
    assert tested or not rules
