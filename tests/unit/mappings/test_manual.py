"""The manual of the mapping language is executed: examples load, walks work as they are written."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.positioned import PositionedErrors
from mappings.commands import translator
from mappings.engine import load, places, rules
from mappings.engine.catalogue import Catalogue
from mappings.formats.wires import WIRES

HOME = Path(load.__file__).resolve().parent.parent
MANUAL = (HOME / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)[ ]?([^\n]*)\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)
FRAGMENTS = [
    (info, text)
    for language, info, text in BLOCKS
    if language == "yaml" and info and "/" not in info.split()[0]
]
SEEN: dict[Path, bytes] = {}
COVERAGE = "named by no rule and not declared lost"


def faults(folder: Path, text: str) -> list[str]:
    """What is wrong with a mapping, besides the leaves that it does not name."""
    name = re.search(r"mapping: (\S+)", text)
    assert name is not None
    (folder / name[1]).mkdir(parents=True)
    (folder / name[1] / "mapping.yaml").write_text(text)
    with pytest.raises(PositionedErrors) as refused:
        Catalogue(WIRES, folder=folder, codes=HOME / "codes")
    return [str(error) for error in refused.value.errors if COVERAGE not in error.message]


def test_the_example_is_a_mapping_that_only_lacks_leaves(tmp_path: Path) -> None:
    """Every line of the example is right; what is missing is the rest of the dictionary."""
    (example,) = [text for language, info, text in BLOCKS if language == "yaml" and not info]
    assert faults(tmp_path, example) == []


@pytest.mark.parametrize(("info", "text"), FRAGMENTS, ids=[info for info, _text in FRAGMENTS])
def test_an_example_of_paths_is_right(info: str, text: str, tmp_path: Path) -> None:
    """Rules of each format stand where the format has such places."""
    wire, resource, *rest = info.split()
    indented = "".join(f"      {line}\n" for line in text.splitlines())
    head = f"mapping: try\nversion: 1\nformat: {wire}\ncontent_type: x/y\n"
    if rest:
        envelope = next(
            one.written.envelope.resource
            for one in translator().catalogue.formats.values()
            if one.written.format == wire
        )
        each = rest[0].removeprefix("each=")
        head += f"envelope: {{resource: '{envelope}', rules: []}}\nentries:\n  one:\n"
        head += f"    resource: {resource}\n    each: {each}\n    key: subject_id\n    rules:\n"
        assert faults(tmp_path, head + indented) == []
    else:
        head += f"envelope:\n  resource: {resource}\n  rules:\n"
        assert faults(tmp_path, head + indented) == []


@pytest.mark.parametrize(
    "key", sorted({*rules.RULE, *load.ENTRY, *load.TOP, *places.WHEN} - {"about", "resource", "in"})
)
def test_every_key_of_the_language_is_in_the_manual(key: str) -> None:
    """What the loader knows, the manual teaches."""
    shown = rf"`{key}[:`]|^ *-? *{key}:|`{key} |\{{{key}:|[`{{ ]{key}: "
    assert re.search(shown, MANUAL, re.MULTILINE), key


def steps() -> Iterator[tuple[str, str, str]]:
    """The blocks of the walks, in order: files to write, lines to change, commands to type."""
    for language, info, text in BLOCKS:
        if language == "console" or (info and "/" in info) or language == "csv":
            yield language, info, text


def typed(line: str, site: Path) -> tuple[int, str]:
    """Exit code and everything shown when *line* is typed in the folder *site*."""
    command, _arrow, target = line.partition(" > ")
    words = command.split()
    if words[0] == "cp":
        (site / words[2]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(site / words[1], site / words[2])
        return 0, ""
    assert words[0] == "ecaf"
    state = {file: file.read_bytes() for file in site.rglob("*") if file.is_file()}
    if state != SEEN:  # every command is a process of its own
        SEEN.clear()
        SEEN.update(state)
        translator.cache_clear()
    found = CliRunner().invoke(app, words[1:], catch_exceptions=False, terminal_width=200)
    if target:
        (site / target).write_bytes(found.stdout_bytes)
        return found.exit_code, found.stderr
    return found.exit_code, found.output


def changed(text: str, diff: str) -> str:
    """*text* with the lines of *diff* taken out and put in."""
    lines = [line for line in diff.splitlines() if line]
    before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    assert text.count(before) == 1, before
    return text.replace(before, after)


def told(shown: str, expected: str) -> bool:
    """Whether some line of *shown* holds every word of *expected*, in order."""
    words = r".*?".join(re.escape(word) for word in expected.split())
    return re.search(words, " ".join(shown.split())) is not None


def test_the_walks_work_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger who types what the page says sees what the page says."""
    monkeypatch.chdir(tmp_path)
    commands = 0
    for language, info, text in steps():
        if language == "diff":
            file = tmp_path / info
            file.write_text(changed(file.read_text(), text))
        elif language != "console":
            file = tmp_path / info
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        else:
            for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, *expected = step.splitlines()
                code, shown = typed(line, tmp_path)
                commands += 1
                failing = any("FAILED" in one for one in expected)
                assert code == int(failing), f"{line}\n{shown}"
                for one in expected:
                    assert told(shown, one), f"{line}\nlacks: {one}\n{shown}"
    translator.cache_clear()
    assert commands > 12
