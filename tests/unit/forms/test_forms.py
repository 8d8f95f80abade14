"""Forms as data: what is shipped loads, what is wrong is named with its place."""

from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.domain.dictionary import leaves
from hub.errors import Code, InvalidContent, Misconfigured
from hub.ports import Read
from mappings.commands import translator
from mappings.forms.form import CARRIED, Form
from mappings.forms.forms import Forms, load_forms
from mappings.forms.judging import MOST, fit, judge, values
from mappings.forms.reader import FormReader
from tests import builders

TODAY = date(2026, 9, 1)
CANONICAL = "application/vnd.ecaf.message+json"


@pytest.fixture(scope="module")
def forms() -> Forms:
    return load_forms()


def message(**episode: Any) -> dict[str, Any]:
    """A message with a small episode."""
    return {"episode": {"episode_id": "e1", **episode}}


# What is shipped


def test_the_shipped_forms_and_their_versions(forms: Forms) -> None:
    """Two forms, each with a version to go on with, and old ones that end."""
    assert {name: [form.version for form in v] for name, v in forms.versions.items()} == {
        "cwdc-caf-2009": [1, 2, 3],
        "la-eha": [1, 2],
    }
    for versions in forms.versions.values():
        assert [form.until is None for form in versions] == [False] * (len(versions) - 1) + [True]


def test_a_version_grows_out_of_the_one_before(forms: Forms) -> None:
    """The later layout asks whether the child is disabled and no more for an interpreter."""
    first, second, third = forms.versions["cwdc-caf-2009"]
    disabled = "subjects[].characteristics.is_disabled"
    interpreter = "subjects[].characteristics.interpreter_required"
    assert not first.knows(disabled)
    assert second.knows(disabled)
    assert first.knows(interpreter)
    assert not second.knows(interpreter)
    assert not second.knows("reviews[].next_steps")
    assert third.knows("reviews[].next_steps")
    titles = [section.title for section in second.sections]
    place = titles.index("Ethnicity and language")
    assert titles[place + 1] == "Disability and special requirements"


def test_every_field_of_a_form_is_in_the_dictionary_once(forms: Forms) -> None:
    """No leaf stands twice, and every one is a leaf."""
    for form in forms.every():
        listed = [leaf for field in form.fields() for leaf in field.leaves]
        assert len(listed) == len(set(listed)) == len(form.leaves)
        assert set(listed) <= leaves().keys()


def test_the_paper_form_has_no_local_identifiers_and_the_assessment_has(forms: Forms) -> None:
    """`domain.md` 2.3: NHS number and UPN are not on the CWDC form."""
    nhs = "subjects[].identifiers[].value"
    assert not any(form.knows(nhs) for form in forms.versions["cwdc-caf-2009"])
    assert all(form.knows(nhs) for form in forms.versions["la-eha"])


def test_what_every_episode_carries_belongs_to_every_form(forms: Forms) -> None:
    """Keys, references, states and shields are no form's to leave out."""
    for path in ("episode_id", "subjects[].subject_id", "subjects[].shielding", "status"):
        assert path in CARRIED
    assert all(form.knows("responsible_practitioner.name") for form in forms.every())


# What a message may name


def test_a_bare_name_means_the_current_version(forms: Forms) -> None:
    """`la-eha` is `la-eha/2`, taken without a word."""
    assert forms.named("la-eha") is forms.versions["la-eha"][-1]
    assert judge(forms, message(form_profile="la-eha"), TODAY) == ()
    assert judge(forms, message(form_profile="la-eha/2"), TODAY) == ()
    assert judge(forms, message(), TODAY) == ()


def test_an_old_version_is_taken_with_a_dated_notice(forms: Forms) -> None:
    """While it is listed, its sender is told until when, and what comes after."""
    (notice,) = judge(forms, message(form_profile="la-eha/1"), TODAY)
    assert notice.code is Code.FORM_PROFILE
    assert notice.path == "/episode/form_profile"
    assert notice.remedy == "form version la-eha/1 is accepted until 2028-03-31; then send la-eha/2"


@pytest.mark.parametrize(
    "name",
    ["eha", "la-eha/3", "la-eha/", "la-eha/x", "la-eha/01", "LA-EHA", "la-eha/1/1", "Ava Example"],
)
def test_an_unlisted_form_is_refused_with_what_is_accepted(forms: Forms, name: str) -> None:
    """The code is stable, the place exact, the name of the stranger not repeated."""
    with pytest.raises(InvalidContent) as refused:
        judge(forms, message(form_profile=name), TODAY)
    assert refused.value.code is Code.FORM_PROFILE
    (fault,) = refused.value.faults
    assert fault.path == "/episode/form_profile"
    assert fault.allowed == forms.accepted(TODAY)
    assert "la-eha/2" in fault.remedy
    assert "Ava" not in f"{refused.value.detail} {fault}"


def test_an_ended_version_is_refused_the_day_after(forms: Forms) -> None:
    """The last day counts; from the next it is not among what is accepted."""
    old = message(form_profile="cwdc-caf-2009/1")
    judge(forms, old, date(2027, 12, 31))
    with pytest.raises(InvalidContent) as refused:
        judge(forms, old, date(2028, 1, 1))
    assert "was accepted until 2027-12-31" in refused.value.detail
    assert "cwdc-caf-2009/1" not in refused.value.faults[0].allowed
    assert "cwdc-caf-2009/2" in refused.value.faults[0].allowed


def test_imported_history_is_judged_by_its_own_day(forms: Forms) -> None:
    """What was written in 2019 was written on a form of 2019, whenever it comes in."""
    old = message(form_profile="cwdc-caf-2009/1", opened_at="2019-03-02T00:00:00Z")
    assert judge(forms, {**old, "event": "episode.imported"}, date(2030, 1, 1))
    with pytest.raises(InvalidContent):
        judge(forms, {**old, "event": "episode.opened"}, date(2030, 1, 1))
    early = message(form_profile="la-eha/2", opened_at="2019-03-02T00:00:00Z")
    with pytest.raises(InvalidContent) as refused:
        judge(forms, {**early, "event": "episode.imported"}, TODAY)
    assert "from 2023-04-01 on" in refused.value.detail


def test_the_revision_of_a_familys_caf_is_no_version_of_the_form(forms: Forms) -> None:
    """`form_version_no` counts how often this CAF was updated; a high one is an active family."""
    assert judge(forms, message(form_profile="la-eha", form_version_no=2_000), TODAY) == ()


# Narrowed lists, and fields beyond the form


def test_a_code_that_the_form_does_not_offer_is_kept_and_named(forms: Forms) -> None:
    """A warning with the place and the list, never a refusal: it may be another's, given back."""
    subjects = [{"gender": "M"}, {"gender": "I"}]
    (told,) = judge(forms, message(form_profile="cwdc-caf-2009", subjects=subjects), TODAY)
    assert (told.code, told.path, told.code_list) == (
        Code.CODELIST,
        "/episode/subjects/1/gender",
        "CL-01",
    )
    assert judge(forms, message(form_profile="la-eha", subjects=subjects), TODAY) == ()


def test_a_receipt_names_so_many_and_no_more(forms: Forms) -> None:
    """A receipt is for reading."""
    subjects = [{"gender": "I"}] * 50
    told = judge(forms, message(form_profile="cwdc-caf-2009", subjects=subjects), TODAY)
    assert len(told) == MOST


def test_values_are_found_below_lists() -> None:
    """Every item of every list on the way, with its place."""
    tree = {"a": [{"b": ["x", "y"]}, {}, {"b": ["z"]}]}
    assert list(values(tree, "a[].b[]")) == [("a/0/b/0", "x"), ("a/0/b/1", "y"), ("a/2/b/0", "z")]


def test_how_a_message_fits_its_form(forms: Forms) -> None:
    """What is beyond the form, and what it asks in vain; both are only told."""
    form = forms.named("cwdc-caf-2009/1")
    assert form is not None
    found = fit(form, builders.episode())
    assert "subjects[].identifiers[].value" in found.beyond
    assert "subjects[].subject_id" not in found.beyond
    assert found.unanswered == ()
    assert "Family name" in fit(form, {"episode_id": "e1"}).unanswered


# The reader


class _Clock:
    def __init__(self, day: str) -> None:
        self.day = day

    def now(self) -> datetime:
        return datetime.fromisoformat(self.day).replace(tzinfo=UTC)


def reading(forms: Forms, day: str, **episode: Any) -> Read:
    """What the hub's reader says of an episode on a day."""
    reader = FormReader(translator(), forms, _Clock(day))
    tree = {**builders.message(), "episode": builders.episode(**episode)}
    return reader.read(CANONICAL, orjson.dumps(tree), partner="SCH-A")


def test_the_reader_adds_the_notice_and_changes_nothing(forms: Forms) -> None:
    """The message is as it was sent; the warning goes back with the receipt."""
    read = reading(forms, "2026-09-01", form_profile="la-eha/1")
    assert [warning.code for warning in read.warnings] == [Code.FORM_PROFILE]
    assert read.message["episode"]["form_profile"] == "la-eha/1"
    assert reading(forms, "2026-09-01").warnings == ()


def test_the_reader_refuses_by_the_hubs_clock(forms: Forms) -> None:
    """The day is the business clock's."""
    with pytest.raises(InvalidContent) as refused:
        reading(forms, "2030-01-01", form_profile="la-eha/1")
    assert refused.value.code is Code.FORM_PROFILE


def test_the_reader_offers_what_is_behind_it(forms: Forms) -> None:
    """The doors ask it for content types."""
    reader = FormReader(translator(), forms, _Clock("2026-09-01"))
    assert reader.content_types() == translator().content_types()


# A site's own forms


def site(folder: Path, name: str, version: int, text: str) -> Path:
    """A site with one form file."""
    (folder / "forms" / name).mkdir(parents=True, exist_ok=True)
    (folder / "forms" / name / f"{version}.yaml").write_text(text, "utf-8")
    return folder


OWN = """form: town-eha
version: 1
title: The form of a town
from: 2024-01-01
lists:
  CL-01: {M: Boy, F: Girl}
sections:
  - title: Child
    fields:
      - {caf: "subjects[].family_name", label: Surname, asked: true}
      - {caf: "subjects[].gender", label: Boy or girl}
"""


def test_a_site_adds_a_form_of_its_own(tmp_path: Path) -> None:
    """Data only: no code is touched."""
    forms = load_forms(site(tmp_path, "town-eha", 1, OWN))
    own = forms.named("town-eha")
    assert own is not None
    assert own.narrowed == {"subjects[].gender": {"M": "Boy", "F": "Girl"}}
    assert "la-eha/2" in forms.accepted(TODAY)


def test_a_site_says_until_when_it_takes_what(tmp_path: Path) -> None:
    """A site's version replaces the shipped one of the same number."""
    shipped = (files("mappings.forms") / "la-eha" / "1.yaml").read_text("utf-8")
    forms = load_forms(
        site(tmp_path, "la-eha", 1, shipped.replace("until: 2028-03-31", "until: 2026-01-31"))
    )
    with pytest.raises(InvalidContent):
        judge(forms, message(form_profile="la-eha/1"), TODAY)
    assert judge(forms, message(form_profile="la-eha/2"), TODAY) == ()


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("form: town-eha", "form: other", "1:7", "must be the name of its folder: town-eha"),
        ("version: 1", "version: 2", "2:10", "must be the name of its file: 1"),
        ("version: 1", "version: one", "2:10", "must be a whole number"),
        ("from: 2024-01-01", "from: 2024-02-30", "4:7", "must be a day like 2026-01-31"),
        ("from: 2024-01-01", "from: 20240101", "4:7", "must be a day like 2026-01-31"),
        ("from: 2024-01-01", "from: 2024-01-01\nuntil: 2023-01-01", "5:8", "must not be before"),
        ("from: 2024-01-01", "from: 2024-01-01\nuntil: 2025-01-01", "1:1", "must not end"),
        ("from: 2024-01-01", "from: 2024-01-01\nlike: 1", "5:7", "must lie between"),
        ("title: The form of a town\n", "", "1:1", "needs the key title"),
        ("CL-01:", "CL-99:", "6:10", "there is no code list CL-99"),
        ("M: Boy", "Q: Boy", "6:14", "Q is not a code of CL-01"),
        ('"subjects[].family_name"', '"subjects[].surname"', "10:16", "not a place of the data"),
        ("label: Surname, ", "", "10:9", "needs the key label"),
        ("asked: true", "asked: yes", "10:64", "must be one of true, false"),
        ("Boy or girl}", "Boy or girl, choices: {X: y}}", "11:69", "X is not a code of CL-01"),
        (
            "label: Surname, asked: true",
            "label: Surname, choices: {M: x}",
            "10:66",
            "choices are for one field with a code list",
        ),
        (
            '"subjects[].gender", label: Boy',
            '"subjects[].family_name", label: Boy',
            "1:1",
            "stands twice: in Child and in Child",
        ),
        ("  - title: Child", "  - after: X\n    title: Child", "8:12", "no section of that title"),
        ("sections:", "sektions:", "7:1", "unknown key sektions (did you mean sections?)"),
    ],
)
def test_a_wrong_form_is_named_with_file_line_and_column(
    tmp_path: Path, old: str, new: str, place: str, said: str
) -> None:
    """Every fault has its place, its line, and a caret under it."""
    assert old in OWN
    with pytest.raises(Misconfigured) as refused:
        load_forms(site(tmp_path, "town-eha", 1, OWN.replace(old, new, 1)))
    (fault,) = refused.value.faults
    assert fault.path == f"site forms/town-eha/1.yaml:{place}"
    assert said in fault.remedy
    assert "^" in refused.value.detail


def test_a_section_stands_once(tmp_path: Path) -> None:
    """In a form that is like no other, a title twice is a slip."""
    twice = OWN + OWN.partition("sections:\n")[2]
    with pytest.raises(Misconfigured) as refused:
        load_forms(site(tmp_path, "town-eha", 1, twice))
    assert "stands twice" in refused.value.faults[0].remedy


def test_every_fault_of_every_form_at_once(tmp_path: Path) -> None:
    """Whoever mends one sees the others too."""
    site(tmp_path, "town-eha", 1, OWN.replace("M: Boy", "Q: Boy"))
    site(tmp_path, "city-eha", 1, "form: [")
    with pytest.raises(Misconfigured) as refused:
        load_forms(tmp_path)
    assert len(refused.value.faults) == 2


def test_a_form_is_taken_from_its_first_day_to_its_last(forms: Forms) -> None:
    """Both days count."""
    form: Form = replace(forms.every()[0], begins=date(2020, 1, 2), until=date(2020, 1, 3))
    days = [date(2020, 1, day) for day in (1, 2, 3, 4)]
    assert [form.taken_on(day) for day in days] == [False, True, True, False]
