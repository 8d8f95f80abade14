"""Legacy episodes in files: canonical JSON and every format that the catalogue reads."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from hub.errors import Code
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.forms.forms import load_forms
from mappings.history.history import Found, Verdict, in_order, judged
from mappings.history.sources import gather
from tests import builders as b

NOW = datetime(2026, 12, 1, tzinfo=UTC)
FORMS = load_forms()


def legacy(**changes: Any) -> dict[str, Any]:
    """An episode as a legacy system gives it out."""
    return b.episode(opened_at="2026-08-20T10:00:00Z", **changes)


def decided(**changes: Any) -> dict[str, Any]:
    """A decision to store it, of September."""
    record = b.decision(
        state="STORE_ONLY", share_decision="no", purpose=["STORE"], index_consent="no"
    )
    record.pop("scope_includes", None)
    record.pop("scope_excludes", None)
    return {**record, **changes}


def write(folder: Path, name: str, content: Any) -> Path:
    """A file with bytes, or with something as JSON."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    return file


def found_in(path: Path, now: datetime = NOW) -> tuple[list[Verdict], list[Found]]:
    """What a file or folder holds."""
    histories, faults = gather(path, translator(), FORMS)
    return [judged(history, FORMS, now) for history in histories], list(faults)


def test_a_list_of_messages_with_their_decisions(tmp_path: Path) -> None:
    """One file: the episode, and the decisions about it in messages of their own."""
    file = write(tmp_path, "all.json", [{"episode": legacy()}, {"consent_decision": decided()}])
    (verdict,), faults = found_in(file)
    assert faults == []
    assert (verdict.outcome, verdict.faults) == ("import", ())
    message = json.loads(verdict.history.message())
    assert message["event"] == "episode.imported"
    assert message["episode"]["opened_at"] == "2026-08-20T10:00:00Z"
    ((decision_id, raw),) = verdict.records()
    assert json.loads(raw)["signed_at"] == decided()["signed_at"]
    assert decision_id == decided()["consent_decision_id"]
    assert any("it begins as ASSESSING" in note for note in verdict.notes)


def test_decisions_stand_beside_the_episode_in_a_folder(tmp_path: Path) -> None:
    """They find each other by the episode's reference, whatever the files are called."""
    write(tmp_path, "x/episode.json", {"episode": legacy()})
    write(tmp_path, "a/decision.json", {"consent_decision": decided()})
    write(tmp_path, "readme.txt", b"not read")
    (verdict,), faults = found_in(tmp_path)
    assert faults == []
    assert verdict.outcome == "import"


@pytest.mark.parametrize("name", ["fhir-r4/episode", "caf-xml/1"])
def test_any_format_that_the_catalogue_reads(tmp_path: Path, name: str) -> None:
    """By its suffix, through the same mapping as at the door."""
    tree = {"message": b.header(message_type="N7"), "episode": legacy()}
    rendered = translator().render(name, rehearse(tree), partner="")
    suffix = translator().catalogue.formats[name].wire.suffix
    write(tmp_path, f"legacy.{suffix}", rendered.body)
    write(tmp_path, "decision.json", {"consent_decision": decided()})
    (verdict,), faults = found_in(tmp_path)
    assert faults == []
    assert verdict.faults == ()
    assert verdict.history.episode["opened_at"] == "2026-08-20T10:00:00Z"


def test_what_is_over_is_closed_by_its_closure(tmp_path: Path) -> None:
    """A day of closing without a moment is that day."""
    closure = {"closed_on": "2026-10-30", "closure_reason": "NEEDS_MET"}
    file = write(
        tmp_path,
        "c.json",
        [{"episode": legacy(closure=closure)}, {"consent_decision": decided()}],
    )
    (verdict,), _ = found_in(file)
    assert verdict.outcome == "close"
    assert verdict.history.episode["closed_at"] == "2026-10-30T00:00:00Z"


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"opened_at": None}, "/episode/opened_at", "E_REQUIRED"),
        ({"opened_at": "2027-01-01T00:00:00Z"}, "/episode/opened_at", "E_RULE"),
        ({"home_authority": None}, "/episode/home_authority", "E_REQUIRED"),
        ({"form_profile": "gone"}, "/episode/form_profile", "E_FORM_PROFILE"),
        ({"closed_at": "2026-10-30T00:00:00Z"}, "/episode/closure/closure_reason", "E_REQUIRED"),
    ],
)
def test_a_fault_has_its_path(
    tmp_path: Path, changes: dict[str, Any], path: str, code: str
) -> None:
    """In a message the column is the path."""
    tree = {name: held for name, held in {**legacy(), **changes}.items() if held is not None}
    file = write(tmp_path, "l.json", [{"episode": tree}, {"consent_decision": decided()}])
    (verdict,), _ = found_in(file)
    assert verdict.outcome == "fault"
    assert [(one.row, one.column, one.code.value) for one in verdict.faults] == [(1, path, code)]


def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path) -> None:
    """Each message of a list for itself; the others are read."""
    bad = copy.deepcopy(legacy())
    bad["subjects"][0]["gender"] = "Q"
    write(tmp_path, "a.json", [{"episode": bad}, {"episode": {**legacy(), "episode_id": "e2"}}])
    write(tmp_path, "b.json", b"{")
    write(tmp_path, "c.json", {"acknowledgement": {"delivery_id": "d", "code": "APPLIED"}})
    write(tmp_path, "d.xml", b"<nothing/>")
    verdicts, faults = found_in(tmp_path)
    assert [verdict.history.episode_id for verdict in verdicts] == ["e2"]
    assert {(one.file, one.row, one.column, one.code.value) for one in faults} >= {
        ("a.json", 1, "/episode/subjects/0/gender", "E_CODELIST"),
        ("c.json", None, "", "E_RULE"),
    }
    assert {one.file for one in faults} == {"a.json", "b.json", "c.json", "d.xml"}


def test_a_file_of_an_unknown_kind(tmp_path: Path) -> None:
    """Named by itself it is a fault; in a folder it is passed over."""
    file = write(tmp_path, "x.doc", b"x")
    assert [one.code for one in found_in(file)[1]] == [Code.CONTENT_TYPE]
    assert found_in(tmp_path) == ([], [])


def test_the_same_episode_twice_and_a_decision_about_none(tmp_path: Path) -> None:
    """Neither is guessed away."""
    other = decided(episode_id="e9", consent_decision_id="d9")
    write(tmp_path, "a.json", [{"episode": legacy()}, {"episode": legacy()}])
    write(tmp_path, "b.json", {"consent_decision": other})
    _verdicts, faults = found_in(tmp_path)
    assert {(one.file, one.code) for one in faults} == {
        ("a.json", Code.DUPLICATE),
        ("b.json", Code.REFERENCE),
    }


# Decisions


def days(record: dict[str, Any], signed: str, expires: str, **changes: Any) -> dict[str, Any]:
    """A decision of other days."""
    return {
        **record,
        "consent_decision_id": f"d-{signed}",
        "signed_at": f"{signed}T00:00:00Z",
        "recorded_at": f"{signed}T00:00:00Z",
        "review_by": expires,
        "expires_at": expires,
        **changes,
    }


OLD = days(decided(), "2019-03-02", "2020-03-01")
LIVE = days(decided(), "2026-09-02", "2027-09-01")


def test_a_decision_that_is_over_stays_with_its_owner(tmp_path: Path) -> None:
    """A hub would take it for a refusal; the one in force is what lets the episode in."""
    file = write(
        tmp_path,
        "l.json",
        [{"episode": legacy()}, {"consent_decision": LIVE}, {"consent_decision": OLD}],
    )
    (verdict,), _ = found_in(file)
    assert verdict.outcome == "import"
    assert [one["consent_decision_id"] for one in verdict.decisions] == ["d-2026-09-02"]
    assert "decision signed on 2019-03-02 is over, and stays here" in verdict.notes


def test_a_no_of_old_days_is_not_forgotten(tmp_path: Path) -> None:
    """Left out, a later yes of somebody else could open what it closed: the episode stays."""
    no = {**OLD, "state": "WITHDRAWN", "withdrawal_type": "SHARE_ALL"}
    file = write(
        tmp_path,
        "l.json",
        [{"episode": legacy()}, {"consent_decision": no}, {"consent_decision": LIVE}],
    )
    (verdict,), _ = found_in(file)
    assert verdict.outcome == "hold"
    assert verdict.faults[0].code is Code.CONSENT_SCOPE


def test_the_newest_word_counts(tmp_path: Path) -> None:
    """A storing decision that was withdrawn, or that a newer and ended one replaced, holds."""
    withdrawn = days(
        decided(), "2026-10-02", "2027-10-01", state="WITHDRAWN", withdrawal_type="STORE",
        store_decision="no",
    )  # fmt: skip
    short = days(decided(), "2026-10-02", "2026-11-01")
    for last, code in ((withdrawn, Code.CONSENT_NONE), (short, Code.CONSENT_EXPIRED)):
        file = write(
            tmp_path,
            "l.json",
            [{"episode": legacy()}, {"consent_decision": LIVE}, {"consent_decision": last}],
        )
        (verdict,), _ = found_in(file)
        assert (verdict.outcome, verdict.faults[0].code) == ("hold", code)


def test_what_lets_each_child_in_comes_first() -> None:
    """Then all others as they were signed; an adult's own word waits for it too."""
    own = days(decided(), "2026-08-01", "2027-07-01", subject_id="c1", given_by_basis="ADULT_SELF")
    second = days(decided(), "2026-09-20", "2027-09-01", subject_id="s2")
    share = days(decided(), "2026-10-01", "2027-09-01", state="SHARE")
    records, over = in_order([own, LIVE, second, share], NOW)
    assert [one["subject_id"] for one in records] == ["s1", "s2", "c1", "s1"]
    assert over == []
