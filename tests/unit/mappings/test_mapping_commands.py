"""The commands about mappings, as an engineer types them: right, wrong and rough input."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from hub.cli import app
from hub.cli_errors import Answering
from hub.errors import Code, Rejected
from mappings.commands import translator
from mappings.engine.catalogue import HOME
from tests import builders
from tests.unit.mappings.sites import EPISODE, overlay, write

COMMANDS = (
    *("render", "read", "loss", "spec", "test", "diff", "new-mapping", "schema", "explain"),
    *("codes list", "codes export", "codes import", "config check"),
)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command is a process of its own, without a site in the environment."""
    monkeypatch.delenv("ECAF_CONFIG_DIR", raising=False)
    translator.cache_clear()


@pytest.fixture
def family(tmp_path: Path) -> Path:
    """A file with Ava's episode as a canonical message."""
    file = tmp_path / "family.json"
    file.write_bytes(builders.wire(builders.message()))
    return file


@pytest.fixture
def bundle(family: Path, tmp_path: Path) -> Path:
    """The same as FHIR."""
    file = tmp_path / "bundle.json"
    file.write_bytes(ecaf("render", EPISODE, family)[1].encode())
    return file


def ecaf(*words: object, stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command; a stack trace is a failure."""
    found = CliRunner().invoke(
        app, [str(word) for word in words], input=stdin, catch_exceptions=False
    )
    return found.exit_code, found.stdout, found.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_and_has_json(command: str) -> None:
    """`--help` says what it does; JSON is an option everywhere, and a schema is JSON anyway."""
    code, shown, _err = ecaf(*command.split(), "--help")
    assert code == 0
    assert len(shown.splitlines()) > 8
    assert "--json" in shown or command == "schema"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["render", "nosuch", "{family}"],
            "E_NOT_ACCEPTABLE: there is no format of that name; there",
        ),
        (["render", "fhir-r4/episodes", "{family}"], "did you mean fhir-r4/episode?"),
        (
            ["render", EPISODE, "{tmp}/missing"],
            "E_NOT_FOUND: {tmp}/missing cannot be read: No such",
        ),
        (["render", EPISODE, "{tmp}"], "E_NOT_FOUND: {tmp} cannot be read: Is a directory"),
        (["render", EPISODE, "{empty}"], "E_SYNTAX: the input is empty"),
        (["render", EPISODE, "{latin}"], "E_ENCODING"),
        (["render", EPISODE, "{family}", "--report", "{tmp}/family.json/x"], "cannot be written"),
        (["render", "hl7v2/siu", "{family}"], "hl7v2/siu is only read, never written"),
        (["read", "cda-r2/document", "{family}"], "cda-r2/document is only written, never read"),
        (["read", EPISODE, "{empty}"], "E_SYNTAX: the input is empty"),
        (["read", EPISODE, "{latin}"], "E_ENCODING"),
        (["read", EPISODE, "{tmp}/missing"], "E_NOT_FOUND"),
        (["read", "caf-xml/1", "{family}"], "E_"),
        (["read", "caf-json", "{bundle}"], "E_UNKNOWN_FIELD"),
        (["loss", "nosuch"], "E_NOT_ACCEPTABLE"),
        (["spec", "nosuch"], "E_NOT_ACCEPTABLE"),
        (["test", "nosuch"], "nosuch is no folder, no format and no family of formats; there are"),
        (["test", "fhir-r5"], "did you mean fhir-r4?"),
        (["loss", "fhir-r4"], "fhir-r4/consent or fhir-r4/episode"),
        (["test", "{tmp}"], "E_NOT_FOUND: no case was found: nothing has been tested"),
        (["render", EPISODE, "{family}", "nowhere", "--explain"], "E_NOT_FOUND: nothing stands at"),
        (["schema", "--out", "{tmp}"], "E_CONFIGURATION: {tmp} cannot be used: Is a directory"),
        (["publish", "fhir", "--out", "{family}"], "E_CONFIGURATION: {family} cannot be used"),
        (["forms", "check", "{tmp}/missing"], "E_NOT_FOUND: {tmp}/missing cannot be read"),
        (["keys", "init", "--folder", "{family}", "--host", "h"], "E_CONFIGURATION: {family}"),
        (["config", "check", "{tmp}"], "configures nothing"),
        (
            ["render", EPISODE, "{family}", "--as", "SCH-A/SCH", "--consent", "{family}"],
            "E_TYPE: the decisions must be a JSON list of records",
        ),
        (
            ["render", EPISODE, "{tmp}/missing", "--as", "SCH-A/SCH", "--consent", "{family}"],
            "E_NOT_FOUND",
        ),
    ],
)
def test_rough_input_is_a_coded_error(
    words: Sequence[str], expected: str, family: Path, tmp_path: Path
) -> None:
    """Exit code 1, a code and what is wrong; never a stack trace, never the input's words."""
    names = {
        "tmp": str(tmp_path),
        "family": str(family),
        "empty": str(write(tmp_path, "empty", " \n")),
        "latin": str(tmp_path / "latin"),
        "bundle": str(write(tmp_path, "bundle.json", '{"resourceType": "Bundle"}')),
    }
    (tmp_path / "latin").write_bytes(b'{"episode": "\xe9"}')
    code, out, err = ecaf(*(word.format(**names) for word in words))
    assert code == 1
    assert expected.format(**names) in out + err
    assert "Example Terrace" not in out + err


def test_what_nobody_foresaw_is_answered_without_a_value() -> None:
    """No traceback, which might quote a file: a code, and where in our code it was."""
    broken = typer.Typer(cls=Answering)

    @broken.command()
    def first() -> None:
        {"family_name": 1}["Zacharias-Secret"]

    @broken.command()
    def second() -> None:
        raise Rejected(Code.NOT_ACCEPTABLE, "not so")

    @broken.command()
    def third() -> None:
        raise typer.Exit(7)

    answers = [CliRunner().invoke(broken, [name]) for name in ("first", "second", "third")]
    assert [answer.exit_code for answer in answers] == [1, 1, 7]
    told = answers[0].output
    assert "E_INTERNAL: KeyError at " in told
    assert "test_mapping_commands.py:" in told
    assert "Secret" not in told + repr(answers[0].exception)
    assert answers[1].output == "E_NOT_ACCEPTABLE: not so\n"


@pytest.mark.parametrize(
    "words",
    [
        ["render"],
        ["render", EPISODE, "x", "y"],
        ["render", EPISODE, "--as", "SCH-A/SCH"],
        ["loss", EPISODE, "--site", "/nosuch"],
        ["codes"],
        ["new-mapping", "x"],
    ],
)
def test_wrong_usage_is_exit_code_two(words: list[str]) -> None:
    """What cannot be meant is told with the usage."""
    assert ecaf(*words)[0] == 2


def test_a_refusal_as_json_is_one_object(tmp_path: Path) -> None:
    """For programs: code, detail and every fault."""
    file = write(tmp_path, "x.json", '{"episode": {"episode_id": "e1", "status": "OPEN"}}')
    code, out, err = ecaf("render", "caf-json", file, "--json")
    assert (code, out) == (1, "")
    assert json.loads(err)["errors"][0]["code_list"]


def test_standard_input_is_read_where_no_file_is_named(family: Path) -> None:
    """For pipes; a dash says so where a further word follows."""
    whole = ecaf("render", "caf-json", stdin=family.read_bytes())[1]
    assert json.loads(whole)["episode"]["episode_id"] == "e1"
    code, out, _err = ecaf(
        *("render", EPISODE, "-", "episode.status", "--explain"), stdin=family.read_bytes()
    )
    assert code == 0
    assert "episode.status" in out


def test_the_report_of_a_rendering(family: Path, tmp_path: Path) -> None:
    """A table with counts instead of the bytes; JSON on request, or in a file beside the bytes."""
    _code, table, _err = ecaf("render", EPISODE, family, "--report", "-")
    assert table.startswith(f"{EPISODE}/1\n")
    assert "kept" in table.splitlines()[-1]
    told = json.loads(ecaf("render", EPISODE, family, "--report", "-", "--json")[1])
    assert told["mapping"] == f"{EPISODE}/1"
    assert told["format"] == EPISODE
    file = tmp_path / "report.json"
    _code, out, err = ecaf("render", EPISODE, family, "--report", file)
    assert json.loads(out)["resourceType"] == "Bundle"
    assert json.loads(file.read_bytes()) == told
    assert f"report: {file} (" in err


def test_the_report_of_a_reading(bundle: Path) -> None:
    """Every place of the input: the field that it became, silent ones, and what no rule knows."""
    document = orjson.loads(bundle.read_bytes())
    document["entry"][1]["resource"]["maritalStatus"] = {"text": "x"}
    identifiers = document["entry"][1]["resource"]["identifier"]
    (nhs,) = (one for one in identifiers if one["value"] == "9990000018")
    nhs["system"] = "urn:oid:2.16.840.1.113883.2.1.4.1"
    raw = orjson.dumps(document)
    code, out, err = ecaf("read", EPISODE, "--report", "-", "--json", stdin=raw)
    assert code == 0
    assert "unmapped: entry[1].resource.maritalStatus" in err
    rows: list[Any] = json.loads(out)["rows"]
    by_field = {row["caf"]: row for row in rows if row["caf"]}
    gender = by_field["episode.subjects[0].gender"]
    assert (gender["outcome"], gender["wire"]) == ("kept", "entry[1].resource.gender")
    assert gender["code"].startswith("codes/gender.csv:")
    assert ":" in gender["rule"]
    system = by_field["episode.subjects[0].identifiers[0].system"]
    assert system["outcome"] == "normalised"
    assert system["code"] == "codes/identifier-system.csv:3"
    unmapped = [row["wire"] for row in rows if row["outcome"] == "unmapped"]
    assert unmapped == ["entry[1].resource.maritalStatus"]
    places = {row["wire"] for row in rows}
    assert "entry[1].resource.identifier[0].system" in places
    _code, table, _err = ecaf("read", EPISODE, "--report", "-", stdin=raw)
    assert "1 unmapped" in table.splitlines()[-1]


@pytest.mark.parametrize("name", sorted(translator().catalogue.formats))
def test_a_reading_is_reported_whole(name: str) -> None:
    """Of every mapping that reads: each leaf has its rule, each silent place its reason."""
    one = translator().catalogue.formats[name]
    if one.written.direction == "out":
        assert ecaf("read", name, stdin=b"{}")[0] == 1
        return
    raw = None
    for case in sorted((one.folder / "cases").glob("*/")):
        if (case / "input.json").exists() and not (case / "error.txt").exists():
            if one.written.direction == "both":
                raw = ecaf("render", name, case / "input.json")[1].encode()
        elif not (case / "error.txt").exists():
            (file,) = case.glob("wire.*")
            raw = file.read_bytes()
        if raw:
            break
    assert raw
    code, out, _err = ecaf("read", name, "--report", "-", "--json", stdin=raw)
    assert code == 0
    rows = json.loads(out)["rows"]
    assert any(row["caf"] for row in rows)
    assert all(row["rule"] for row in rows if row["caf"])
    assert all(row["reason"] or row["outcome"] == "unmapped" for row in rows if not row["caf"])


def test_explaining_offline_with_consent(family: Path, tmp_path: Path) -> None:
    """From an output to input, rule, code row and decision; and what was withheld, with why."""
    consent = tmp_path / "consent.json"
    consent.write_bytes(orjson.dumps([builders.decision()]))
    cut = ("--as", "SCH-A/SCH", "--consent", consent, "--explain", "--json")
    _code, out, _err = ecaf("render", EPISODE, family, "entry[1].resource.gender", *cut)
    (row,) = json.loads(out)
    assert row["caf"] == "episode.subjects[0].gender"
    assert row["consent"] == ["d1"]
    assert row["code"] == "codes/gender.csv:3"
    _code, out, _err = ecaf("render", EPISODE, family, *cut)
    withheld = [one for one in json.loads(out) if one["outcome"] == "withheld"]
    assert withheld
    assert all(one["reason"] for one in withheld)
    elements = [one for one in json.loads(out) if ".commentary" in str(one["caf"])]
    assert all(one["consent"] == ["d1"] for one in elements if one["outcome"] == "kept")
    _code, out, _err = ecaf("render", EPISODE, family, *cut[:-1])
    assert "consent 1: decision d1" in out
    assert "withheld" in out.splitlines()[-1]


def test_the_cases_of_all_formats_are_run_with_a_summary() -> None:
    """One line a case with its time, then how many of each format pass; suffixes of any kind."""
    code, out, _err = ecaf("test")
    assert code == 0, out
    suffixes = {file.suffix for file in (HOME / "catalogue").rglob("cases/*/expected.*")}
    suffixes |= {file.suffix for file in (HOME / "catalogue").rglob("cases/*/wire.*")}
    assert suffixes >= {".json", ".hl7", ".html", ".xml"}
    assert f"  {EPISODE}: " in out
    assert out.splitlines()[-1].endswith("cases pass")
    assert all(" ms" in line for line in out.splitlines() if line.startswith("ok "))


def test_the_cases_of_a_family_of_formats_are_run_by_its_name() -> None:
    """`ecaf test caf-xml` runs every mapping whose name begins so, and no other."""
    code, out, _ = ecaf("test", "caf-xml")
    assert code == 0
    assert "ok     caf-xml/1: " in out
    assert "fhir" not in out


def test_a_failing_case_is_exit_code_one(tmp_path: Path) -> None:
    """What differs is shown; JSON says it for programs."""
    folder = tmp_path / "catalogue" / "county"
    assert ecaf("new-mapping", "county", "--format", "json", "--site", tmp_path)[0] == 0
    write(folder, "cases/first/expected.json", '{"episode": "e2"}')
    write(folder, "cases/second/why.md", "")
    write(folder, "cases/third/why.md", "Not JSON at all.")
    write(folder, "cases/third/input.json", "{}")
    write(folder, "cases/third/expected.json", "{")
    translator.cache_clear()
    code, out, _err = ecaf("test", "county", "--site", tmp_path)
    assert code == 1
    assert '-  "episode": "e2"' in out
    assert "a case needs why.md" in out
    assert "expected.json cannot be read: " in out
    assert "0 of 3 cases pass" in out
    told = json.loads(ecaf("test", "county", "--site", tmp_path, "--json")[1])
    assert [one["case"] for one in told] == ["county: first", "county: second", "county: third"]


def test_the_specification_has_an_example_from_a_case(tmp_path: Path) -> None:
    """Field, section, place, table, outcome and example; code tables with every row."""
    _code, out, _err = ecaf("spec", EPISODE)
    (line,) = (one for one in out.splitlines() if one.startswith("| `episode.subjects[].gender` |"))
    assert line == (
        "| `episode.subjects[].gender` | sec.identity | BAS | CL-01 | `Patient.gender` | gender "
        "| kept | `female` |"
    )
    assert "## Code table gender" in out
    assert "| `I` | `=` | `other` | indeterminate: unable to be classed |" in out
    _code, sheet, _err = ecaf("spec", EPISODE, "--csv")
    assert "episode.subjects[].gender,sec.identity,BAS,CL-01,Patient.gender,both,gender" in sheet
    told = json.loads(ecaf("spec", EPISODE, "--json")[1])
    fields = {one["caf"]: one for one in told["fields"]}
    assert fields["episode.subjects[].gender"]["example"] == "female"
    overlay(tmp_path, "rules:\n  - field: episode.subjects[].email[]\n    lost: no place for it\n")
    _code, out, _err = ecaf("spec", EPISODE, "--partner", "SCH-A", "--site", tmp_path)
    assert "As SCH-A has it: overlay version 3." in out
    assert "| lost: no place for it |  |" in out


@pytest.mark.parametrize("name", sorted(translator().catalogue.formats))
def test_every_format_has_a_specification_with_examples(name: str) -> None:
    """In three forms, whatever the format; examples come from its cases."""
    code, out, _err = ecaf("spec", name, "--json")
    assert code == 0
    assert any(field["example"] for field in json.loads(out)["fields"])
    assert ecaf("spec", name)[1].startswith(f"# {name}, version ")
    assert ecaf("spec", name, "--csv")[1].startswith("field,section,")


def test_a_partner_without_an_overlay_is_told(family: Path, tmp_path: Path) -> None:
    """The mapping as it is, and why; the environment names the site as the option does."""
    code, _out, err = ecaf("render", EPISODE, family, "--partner", "SCH-B")
    assert code == 0
    assert "SCH-B has no overlay of fhir-r4/episode, so it is as it is; say where" in err
    overlay(tmp_path, "rules:\n  - field: episode.subjects[].email[]\n    lost: no place for it\n")
    found = CliRunner().invoke(
        app,
        ["loss", EPISODE, "--partner", "SCH-B"],
        env={"ECAF_CONFIG_DIR": str(tmp_path)},
        catch_exceptions=False,
    )
    assert "fhir-r4/episode has overlays for: SCH-A" in found.stderr


def test_config_check_finds_everything_in_one_go(tmp_path: Path) -> None:
    """Partners, overlays, tables and the formats that profiles name: each fault with its place."""
    write(tmp_path, "partners/SCH-A.yaml", "partner: SCH-A\ndeliver: {content: fhir-r4/episodes}\n")
    code, out, err = ecaf("config", "check", tmp_path)
    assert code == 1
    assert "partners/SCH-A.yaml:2:20: there is no format of that name" in out + err
    notified = "partner: SCH-A\ndeliver: {notification: fhir-r4/episode}\n"
    write(tmp_path, "partners/SCH-A.yaml", notified)
    code, out, err = ecaf("config", "check", tmp_path)
    assert code == 1
    assert "partners/SCH-A.yaml:2:25: this format is for content" in out + err
    assert "fhir-r4/notification" in out + err
    write(tmp_path, "partners/SCH-A.yaml", "partner: SCH-A\ndeliver: {content: fhir-r4/episodes}\n")
    assert "hub.yaml" in out + err
    overlay(tmp_path, "let: {idd: x}\n")
    write(tmp_path, "codes/spare.csv", "caf,way,wire,note\nx,=,y,\n")
    said = "".join(ecaf("config", "check", tmp_path)[1:])
    assert f"overlays/SCH-A/{EPISODE}/overlay.yaml:5:12: let has no idd" in said
    assert "let: {idd: x}\n               ^" in said
    overlay(tmp_path, "let: {id: x}\n")
    said = "".join(ecaf("config", "check", tmp_path)[1:])
    assert "site/codes/spare.csv:1:1: no mapping of the site uses this table" in said
    told = ecaf("config", "check", tmp_path, "--json")[1]
    assert "E_" in json.loads(told)["code"]


def test_config_check_names_an_overlay_of_nobody(tmp_path: Path) -> None:
    """Where partners are configured, an overlay is for one of them."""
    write(tmp_path, "partners/SCH-B.yaml", "partner: SCH-B\n")
    overlay(tmp_path, "let: {id: x}\n")
    said = "".join(ecaf("config", "check", tmp_path)[1:])
    assert "there is no partner SCH-A" in said


def test_config_check_of_mappings_alone(tmp_path: Path) -> None:
    """A folder with overlays only is checked for these, and counted."""
    overlay(tmp_path, "let: {id: 'https://x.example'}\n")
    code, out, _err = ecaf("config", "check", tmp_path)
    assert code == 0
    assert "1 overlays" in out
    assert "no faults" in out


def test_the_schemas_are_published(tmp_path: Path) -> None:
    """Of messages and of mappings, on standard output or into a file."""
    assert "caf-message" in json.loads(ecaf("schema")[1])["$id"]
    file = tmp_path / "mapping.schema.json"
    assert ecaf("schema", "--mapping", "--out", file)[0] == 0
    assert file.read_bytes() == (HOME / "schemas" / "mapping.schema.json").read_bytes()
