"""A CSV of paper episodes: what is read, and every fault with its row, column, code and remedy."""

import csv
import io
import json
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.domain.dates import is_datetime
from hub.errors import Code
from mappings.commands import translator
from mappings.forms.forms import Forms, load_forms
from mappings.history import paper
from mappings.history.columns import columns, template
from mappings.history.history import Found, History, Verdict, judged
from mappings.history.paper import read_paper
from mappings.history.sources import gather

NOW = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
FORMS = load_forms()
HEADING = [column.name for column in columns()]
EXAMPLE = {column.name: column.example for column in columns()}


def table(*rows: dict[str, str], heading: Sequence[str] = HEADING) -> bytes:
    """A CSV of the example row with changes, one for each of *rows*."""
    out = io.StringIO()
    write = csv.DictWriter(out, heading, extrasaction="ignore")
    write.writeheader()
    write.writerows({**EXAMPLE, **row} for row in rows)
    return out.getvalue().encode()


def read(*rows: dict[str, str]) -> tuple[list[History], list[Found]]:
    """What such a table says."""
    return read_paper(table(*rows), "paper.csv", FORMS)


def look(*rows: dict[str, str], now: datetime = NOW) -> list[Verdict]:
    """What would come of it."""
    histories, faults = read(*rows)
    assert faults == []
    return [judged(history, FORMS, now) for history in histories]


# What is read


def test_the_template_can_be_filled_in_and_imported() -> None:
    """Its headings are the columns; the row of explanations is passed over; the example is fit."""
    rows = list(csv.reader(io.StringIO(template())))
    assert rows[0] == HEADING
    assert rows[1][0].startswith("# ")
    assert all(rows[1])
    (history,), faults = read_paper(template().encode(), "t.csv", FORMS)
    assert faults == []
    verdict = judged(history, FORMS, NOW)
    assert (verdict.outcome, verdict.faults) == ("import", ())


def test_a_row_is_an_episode_with_its_dates() -> None:
    """The days of the paper, as moments where the dictionary wants them."""
    (verdict,) = look({})
    episode = verdict.history.episode
    assert episode["opened_at"] == "2026-03-02T00:00:00Z"
    assert episode["assessment_completed_on"] == "2026-03-20"
    assert "closed_at" not in episode
    child = episode["subjects"][0]
    assert child["given_names"] == ["Ava", "Rose"]
    assert child["identifiers"][0] == {"system": "nhs-number", "value": "9990000018"}
    assert child["address"][0]["address_lines"] == ["1 Example Terrace", "Exampletown"]
    assert episode["parents_carers"][0]["relationships"] == [
        {
            "subject_id": "s1",
            "relationship": "MTH",
            "has_parental_responsibility": "Y",
            "pr_basis": "MOTHER",
        }
    ]
    message = json.loads(verdict.history.message())
    assert message["event"] == "episode.imported"


def test_a_decision_keeps_the_day_on_which_it_was_signed() -> None:
    """Signed and recorded on that day; over after a year, the longest there is."""
    (verdict,) = look({})
    record, refusal = verdict.decisions
    assert record["signed_at"] == record["recorded_at"] == "2026-03-02T00:00:00Z"
    assert is_datetime(record["signed_at"])
    assert (record["expires_at"], record["review_by"]) == ("2027-03-02", "2027-03-02")
    assert (record["state"], record["store_decision"]) == ("STORE_ONLY", "yes")
    assert (refusal["state"], refusal["store_decision"]) == ("REFUSED", "yes")
    assert refusal["refusal_scope"] == "STORE_OK_SHARE_NO"
    assert record["given_by_person"] == "c1"
    assert record["index_consent"] == "no"
    assert "scope_includes" not in record


def test_nobody_asked_about_sharing_is_store_only() -> None:
    """A blank is no answer, and shares nothing."""
    (verdict,) = look({"consent_share": ""})
    (record,) = verdict.decisions
    assert (record["state"], record["share_decision"]) == ("STORE_ONLY", "no")


def test_a_yes_to_sharing_is_not_taken_from_paper() -> None:
    """It names services and no sections: kept to the owner, with a note to ask again."""
    (verdict,) = look({"consent_share": "yes"})
    assert verdict.decisions[0]["state"] == "STORE_ONLY"
    assert verdict.outcome == "import"
    assert any("sharing is not taken from paper" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"consent_store": ""}, Code.CONSENT_NONE),
        ({"consent_store": "no"}, Code.CONSENT_NONE),
        ({"consent_signed_on": "2019-03-02", "opened_on": "2019-03-02"}, Code.CONSENT_EXPIRED),
        ({"consent_expires_on": "2026-08-31"}, Code.CONSENT_EXPIRED),
    ],
)
def test_without_a_decision_in_force_an_episode_stays(changes: dict[str, str], code: Code) -> None:
    """Consent is never assumed: it is not imported, and the row says what would be needed."""
    (verdict,) = look({**changes, "form_profile": ""})
    assert verdict.outcome == "hold"
    (found,) = verdict.faults
    assert (found.row, found.column, found.code) == (2, "consent_store", code)
    assert verdict.decisions == ()


def test_what_is_over_is_kept_as_closed() -> None:
    """The day of closing is kept, and the reason."""
    (verdict,) = look({"closed_on": "2026-06-30", "closure_reason": "NEEDS_MET"})
    assert verdict.outcome == "close"
    assert verdict.history.episode["closed_at"] == "2026-06-30T00:00:00Z"


def test_rows_of_one_reference_are_the_children_of_one_episode() -> None:
    """Each with its own characteristics and decision; the parents are shared."""
    (verdict,) = look(
        {},
        {
            "child_given_names": "Abe",
            "child_nhs_number": "",
            "child_upn": "",
            "parent1_relationship": "STPMTH",
            "parent1_responsibility": "N",
            "parent1_pr_basis": "",
            "consent_basis": "LA_PR",
            "consent_pr_basis": "",
        },
    )
    episode = verdict.history.episode
    assert [child["given_names"] for child in episode["subjects"]] == [["Ava", "Rose"], ["Abe"]]
    (mother,) = episode["parents_carers"]
    assert [relation["relationship"] for relation in mother["relationships"]] == ["MTH", "STPMTH"]
    assert [one["subject_id"] for one in verdict.decisions] == ["s1", "s2", "s1", "s2"]
    assert verdict.outcome == "import"


def test_one_child_without_a_decision_keeps_the_family_here() -> None:
    """A hub that may keep one of two would have to cut the other out of every text."""
    (verdict,) = look({}, {"child_given_names": "Abe", "consent_store": ""})
    assert verdict.outcome == "hold"
    assert verdict.faults[0].row == 3


def test_british_dates_codes_in_words_and_the_forms_own_words() -> None:
    """Day first; a code by its display; what the form calls it."""
    (verdict,) = look(
        {
            "opened_on": "2/3/2026",
            "child_born_on": "14/05/2016",
            "child_gender": "female",
            "child_ethnicity": "Caribbean",
            "child_disabled": "no",
            "assessor_role": "teacher",
        }
    )
    assert verdict.faults == ()
    episode = verdict.history.episode
    child = episode["subjects"][0]
    assert episode["opened_at"] == "2026-03-02T00:00:00Z"
    assert (child["date_of_birth"], child["gender"]) == ("2016-05-14", "F")
    assert child["characteristics"]["ethnicity"] == "BCRB"
    assert child["characteristics"]["is_disabled"] == "N"


def test_an_unborn_child_has_a_due_date() -> None:
    """Said as such; the mother decides."""
    (verdict,) = look(
        {
            "child_unborn": "yes",
            "child_born_on": "",
            "child_due_on": "2026-10",
            "child_nhs_number": "",
            "child_upn": "",
            "child_given_names": "",
        }
    )
    assert verdict.faults == ()
    child = verdict.history.episode["subjects"][0]
    assert child["is_unborn"] is True
    assert child["expected_date_of_delivery"] == "2026-10"


def test_a_plan_has_ids_owners_and_outcomes() -> None:
    """Action n belongs to outcome n; a family member may own one."""
    (verdict,) = look(
        {
            "outcome1": "Calm mornings",
            "action1": "Breakfast club",
            "action1_owner": "SCH-A/SCH",
            "action1_due": "2026-05-01",
            "action1_status": "NEW",
            "action2": "Alarm clock",
            "action2_owner": "parent1",
            "action2_due": "2026-05-02",
            "action2_status": "DONE",
        }
    )
    assert verdict.faults == ()
    first, second = verdict.history.episode["plan"]["action"]
    assert first["outcome_id"] == "o1"
    assert first["action_owner"] == {"service": "SCH-A/SCH"}
    assert second["action_owner"] == {"person_id": "c1"}
    assert "outcome_id" not in second


def test_letters_are_taken_as_they_are() -> None:
    """Composed or taken apart, with line ends and quotation marks: nothing is tidied up."""
    apart = unicodedata.normalize("NFD", "Zoë")
    text = 'one "two", three;\r\nfour\n'
    (verdict,) = look({"child_family_name": apart, "conclusions": text, "assessor_name": "Zoë"})
    episode = verdict.history.episode
    assert episode["subjects"][0]["family_name"] == apart
    assert episode["conclusions"]["conclusions"] == text
    assert episode["services"]["assessor"][0]["name"] == "Zoë"


def test_a_spreadsheets_mark_in_front_is_no_fault() -> None:
    """Spreadsheets put one there when they save UTF-8."""
    (history,), faults = read_paper(b"\xef\xbb\xbf" + table({}), "p.csv", FORMS)
    assert faults == []
    assert history.name == "CAF/2009/0117"


def test_references_are_opaque_and_stable() -> None:
    """The same form of the same organisation is the same episode, whatever else is mended."""
    (first,), (second,) = read({})[0], read({"child_gender": "M", "conclusions": "Other."})[0]
    (other,) = read({"assessor_organisation": "SCH-B"})[0]
    assert first.episode_id == second.episode_id != other.episode_id
    assert first.message() != second.message()
    assert "117" not in first.episode_id
    assert first.message() == read({})[0][0].message()


# Faults


@pytest.mark.parametrize(
    ("changes", "row", "column", "code"),
    [
        ({"home_authority": ""}, 2, "home_authority", "E_REQUIRED"),
        ({"home_authority": "1"}, 2, "home_authority", "E_CODELIST"),
        ({"opened_on": ""}, 2, "opened_on", "E_REQUIRED"),
        ({"opened_on": "2026-02-30"}, 2, "opened_on", "E_FORMAT"),
        ({"opened_on": "31/02/2026"}, 2, "opened_on", "E_FORMAT"),
        ({"opened_on": "March 2026"}, 2, "opened_on", "E_FORMAT"),
        ({"opened_on": "2026-12-24"}, 2, "opened_on", "E_RULE"),
        ({"opened_on": "1026-03-02"}, 2, "opened_on", "E_FORMAT"),
        ({"assessor_name": ""}, 2, "assessor_name", "E_REQUIRED"),
        ({"assessor_role": "WIZARD"}, 2, "assessor_role", "E_CODELIST"),
        ({"form_version_no": "two"}, 2, "form_version_no", "E_NUMBER"),
        ({"form_profile": "own-form"}, 2, "form_profile", "E_FORM_PROFILE"),
        ({"episode_type": "BOTH"}, 2, "episode_type", "E_CODELIST"),
        ({"child_family_name": "x" * 36}, 2, "child_family_name", "E_LENGTH"),
        ({"child_family_name": "a\x0bb"}, 2, "child_family_name", "E_CONTROL_CHAR"),
        ({"child_nhs_number": "999 000 0019"}, 2, "child_nhs_number", "E_IDENTIFIER_CHECK"),
        ({"child_upn": "A001900120001"}, 2, "child_upn", "E_IDENTIFIER_CHECK"),
        ({"child_postcode": "NOWHERE"}, 2, "child_postcode", "E_IDENTIFIER_CHECK"),
        ({"child_address": "one line only"}, 2, "child_address", "E_RULE"),
        ({"child_gender": "girl"}, 2, "child_gender", "E_CODELIST"),
        ({"child_born_on": "2016-13"}, 2, "child_born_on", "E_FORMAT"),
        ({"child_due_on": "2026-10"}, 2, "child_due_on", "E_RULE"),
        ({"child_born_on": "", "child_due_on": "2026-10", "child_unborn": ""}, 2, "child_unborn",
         "E_REQUIRED"),
        ({"child_unborn": "perhaps"}, 2, "child_unborn", "E_TYPE"),
        ({"child_ethnicity": "MOTH"}, 2, "child_ethnicity_other", "E_REQUIRED"),
        ({"child_first_language": "xx"}, 2, "child_first_language", "E_CODELIST"),
        ({"parent1_name": ""}, 2, "parent1_name", "E_REQUIRED"),
        ({"parent1_relationship": ""}, 2, "parent1_relationship", "E_REQUIRED"),
        ({"parent2_name": "Max Example", "parent2_responsibility": "Y"}, 2,
         "parent2_relationship", "E_REQUIRED"),
        ({"closed_on": "2026-06-30"}, 2, "closure_reason", "E_REQUIRED"),
        ({"closed_on": "2026-01-30", "closure_reason": "NEEDS_MET"}, 2, "closed_on", "E_RULE"),
        ({"closed_on": "2027-01-30", "closure_reason": "NEEDS_MET"}, 2, "closed_on", "E_RULE"),
        ({"action1": "x", "action1_due": "2026-05-01", "action1_status": "NEW"}, 2,
         "action1_owner", "E_REQUIRED"),
        ({"action1": "x", "action1_owner": "gran"}, 2, "action1_owner", "E_REFERENCE"),
        ({"consent_given_by": "gran"}, 2, "consent_given_by", "E_REFERENCE"),
        ({"consent_given_by": ""}, 2, "consent_given_by", "E_REQUIRED"),
        ({"consent_basis": "MUM"}, 2, "consent_basis", "E_CODELIST"),
        ({"consent_pr_basis": ""}, 2, "consent_pr_basis", "E_CONSENT_GIVER"),
        ({"parent1_responsibility": "N", "parent1_pr_basis": ""}, 2, "consent_given_by",
         "E_CONSENT_GIVER"),
        ({"consent_reasons_explained": "no"}, 2, "consent_reasons_explained", "E_RULE"),
        ({"consent_reasons_explained": ""}, 2, "consent_reasons_explained", "E_REQUIRED"),
        ({"consent_method": "SHOUTED"}, 2, "consent_method", "E_CODELIST"),
        ({"consent_signed_on": ""}, 2, "consent_signed_on", "E_REQUIRED"),
        ({"consent_expires_on": "2028-01-01"}, 2, "consent_expires_on", "E_RULE"),
        ({"consent_evidence_ref": ""}, 2, "consent_evidence_ref", "E_REQUIRED"),
        ({"consent_store": "perhaps"}, 2, "consent_store", "E_TYPE"),
        ({"consent_basis": "CHILD_COMPETENT", "consent_pr_basis": "", "consent_given_by": "child"},
         2, "consent_competence", "E_CONSENT_GIVER"),
    ],
)  # fmt: skip
def test_every_fault_has_row_column_code_and_remedy(
    changes: dict[str, str], row: int, column: str, code: str
) -> None:
    """Nothing of it would be sent, and whoever mends it finds the cell."""
    (verdict,) = look(changes)
    assert verdict.outcome == "fault"
    found = {(one.row, one.column, one.code.value) for one in verdict.faults}
    assert (row, column, code) in found
    assert all(one.remedy and one.file == "paper.csv" for one in verdict.faults)
    assert verdict.decisions == ()


def test_every_fault_of_a_row_at_once() -> None:
    """Whoever mends one sees the others too, and faults of other rows."""
    first, second = look(
        {"child_gender": "girl", "opened_on": "soon", "assessor_role": "x"},
        {"unique_ref_no": "B", "child_born_on": "x"},
    )
    assert {one.column for one in first.faults} >= {"child_gender", "opened_on", "assessor_role"}
    assert {(one.row, one.column) for one in second.faults} == {(3, "child_born_on")}


def test_faults_repeat_no_value() -> None:
    """A fault goes to a screen that others see."""
    (verdict,) = look({"child_family_name": "Example" * 9, "child_gender": "Examplia"})
    assert "Exampl" not in " ".join(one.remedy for one in verdict.faults)


def test_rows_of_a_family_agree() -> None:
    """What belongs to the episode is said once, or alike."""
    (verdict,) = look({}, {"child_given_names": "Abe", "conclusions": "Otherwise."})
    found = [(one.row, one.column, one.code) for one in verdict.faults]
    assert (3, "conclusions", Code.RULE) in found


@pytest.mark.parametrize(
    ("raw", "row", "column", "code"),
    [
        (b"", None, "", "E_REQUIRED"),
        (b"\xff\xfe", None, "", "E_ENCODING"),
        (table({}).replace(b"Ava", b"\xe9va"), None, "", "E_ENCODING"),
        (b"unique_ref_no;child_gender\nx;y\n", 1, "", "E_SYNTAX"),
        (table({}, heading=[*HEADING, "shoe_size"]), 1, f"column {len(HEADING) + 1}",
         "E_UNKNOWN_FIELD"),
        (table({}, heading=[*HEADING, HEADING[1]]), 1, "form_profile", "E_DUPLICATE_KEY"),
        (table({}, heading=HEADING[1:]), 1, "unique_ref_no", "E_REQUIRED"),
        (table({"unique_ref_no": ""}), 2, "unique_ref_no", "E_REQUIRED"),
        (table({}) + b"a," * (len(HEADING) + 1) + b"b\n", 3, "", "E_SYNTAX"),
        (table({}) + b'"open', 3, "", "E_SYNTAX"),
        (table({}) + b'"a"b,c\n', 3, "", "E_SYNTAX"),
        (table({"conclusions": "x" * 200_000}), 2, "", "E_SYNTAX"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_row(
    raw: bytes, row: int | None, column: str, code: str
) -> None:
    """The fault names the row and the column, as far as there are any."""
    _histories, faults = read_paper(raw, "p.csv", FORMS)
    assert [(one.row, one.column, one.code.value) for one in faults] == [(row, column, code)]


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither bytes nor rows without end."""
    monkeypatch.setattr(paper, "MOST_ROWS", 2)
    assert [one.code for one in read_paper(table({}, {}), "p.csv", FORMS)[1]] == [Code.TOO_LARGE]
    monkeypatch.setattr(paper, "MOST_BYTES", 10)
    assert [one.code for one in read_paper(table({}), "p.csv", FORMS)[1]] == [Code.TOO_LARGE]


# Files and folders


def write(folder: Path, name: str, content: bytes | object) -> Path:
    """A file with bytes, or with something as JSON."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return file


def found_in(path: Path, forms: Forms = FORMS) -> tuple[list[Verdict], list[Found]]:
    """What a file or folder holds."""
    histories, faults = gather(path, translator(), forms)
    return [judged(history, forms, NOW) for history in histories], list(faults)


def test_one_reference_in_two_files_is_one_too_many(tmp_path: Path) -> None:
    """Which is the true one is not guessed."""
    write(tmp_path, "a.csv", table({}))
    write(tmp_path, "b/b.csv", table({}))
    verdicts, faults = found_in(tmp_path)
    assert [verdict.history.file for verdict in verdicts] == ["a.csv"]
    assert [(one.file, one.code) for one in faults] == [("b/b.csv", Code.DUPLICATE)]
