"""CloudEvents of the hub: lawful to the specification's own library, thin, and nothing in clear."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from adapters.destinations import thin
from hub.domain.carriage import Parcel
from hub.domain.notifications import NOTIFICATIONS
from hub.errors import Rejected
from hub.services.released import rehearse
from hub.services.views import view
from mappings.commands import translator
from mappings.formats.cloudevents_checks import ATTRIBUTES
from mappings.formats.cloudevents_wire import CloudEventWire
from tests import builders
from tests.unit.xml.hostile import Verdict, assert_refused, verdicts
from tests.unit.xml.hostile_cloudevents import TABLE

NAME = "cloudevents/notification"
FORMAT = translator().catalogue.formats[NAME]
CASES = sorted(Path(str(FORMAT.folder)).glob("cases/n*/expected.json"))
PUBLIC = "https://hub.ecaf.example"
CANARY = "Qzvxcanary"
DATA = {"code", "episode", "version", "sections", "changed", "practitioner", "event", "kind"} | {
    *("actions", "request", "disregard", "action", "on")
}


@pytest.fixture(scope="module")
def found() -> dict[str, Verdict]:
    return verdicts("tests.unit.xml.hostile_cloudevents")


def test_the_table_is_long_enough() -> None:
    """Forty at the least."""
    assert len(TABLE) >= 40


@pytest.mark.parametrize("name", TABLE)
def test_it_is_refused_with_code_and_place(name: str, found: dict[str, Verdict]) -> None:
    """The place is an attribute, a path into the data, or a JSON pointer (the root is empty)."""
    assert_refused(found[name], TABLE[name])


def facts_of(code: str) -> dict[str, Any]:
    """Every fact that a notification of this kind may have, as free text where it can be."""
    told: dict[str, Any] = dict.fromkeys(NOTIFICATIONS[code].facts, CANARY)
    lists = ("changed", "sections", "disregard", "joined", "left", "practitioners")
    told |= {name: ["d-1"] for name in lists if name in told}
    told |= {name: "2026-09-08" for name in ("on",) if name in told}
    told |= {"sections": ["sec.identity"]} if "sections" in told else {}
    told |= {name: "offer" for name in ("kind", "event", "action") if name in told}
    told |= {"request_id": "q1"} if "request_id" in told else {}
    return told


def salted(value: Any) -> Any:
    """*value* with the canary in every free text."""
    if isinstance(value, dict):
        return {name: salted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [salted(inner) for inner in value]
    return f"{CANARY} {value}" if isinstance(value, str) and " " in value else value


def message(code: str, **facts: Any) -> dict[str, Any]:
    family = salted(builders.episode(responsible_practitioner=builders.practitioner("p-lead")))
    shown = view(code, family, ("p-lead",) if code == "N4" else ())
    return {
        "message": builders.header(
            message_id="d-42", message_type=code, episode_seq=3, recipients=["CAMHS-A/CAMHS"]
        ),
        "notification": {"code": code, **(facts_of(code) | facts)},
        "episode": {**shown, "episode_id": "e1"},
    }


@pytest.mark.parametrize("code", [f"N{number}" for number in range(1, 17)])
def test_nothing_personal_and_no_service_goes_in_clear(code: str) -> None:
    """Neither attributes nor data say more than references, codes and names of fields."""
    body = translator().render(NAME, rehearse(message(code)), partner="").body
    event = json.loads(body)

    assert CANARY not in body.decode()
    assert "CAMHS" not in body.decode()
    assert event.keys() <= {*ATTRIBUTES, "data"}
    assert event["data"].keys() <= DATA
    for name in event.keys() - {"data"}:
        assert ATTRIBUTES[name][0].fullmatch(event[name]), name


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.parent.name)
def test_the_specifications_library_reads_the_same(file: Path) -> None:
    """A second reader finds every attribute and the data as they were put in."""
    told = json.loads(file.read_text())

    event = JSONFormat().read(CloudEvent, file.read_bytes())

    assert event.get_data() == told["data"]
    read = event.get_attributes()
    assert read.keys() == told.keys() - {"data"}
    for name in read.keys() - {"time"}:
        assert read[name] == told[name]
    assert read["time"].isoformat().replace("+00:00", "Z") == told["time"]


@pytest.mark.parametrize("code", sorted(NOTIFICATIONS))
def test_a_thin_notice_of_a_delivery_says_the_same(code: str) -> None:
    """The destination that sends a notice instead of the body agrees in every attribute it has."""
    parcel = Parcel("d-42", code, "P", 1, False, "", b"", True, "P/e1", 3, False)
    notice = json.loads(thin.notice(parcel, PUBLIC))

    event = json.loads(translator().render(NAME, rehearse(message(code)), partner="").body)

    assert {name: event[name] for name in notice} == notice


def test_the_types_of_both_are_one_list() -> None:
    """Every type that the destination sends, the mapping reads back to the same notification."""
    for code in NOTIFICATIONS:
        parcel = Parcel("d-42", code, "P", 1, False, "", b"", True, "P/e1", 3, False)
        read = translator().read(thin.CONTENT_TYPE, thin.notice(parcel, PUBLIC), partner="")

        assert read.message["message"]["message_type"] == code
        assert read.message["episode"] == {"episode_id": "e1"}
        assert read.unmapped == ()


def test_the_data_are_those_that_dataschema_describes() -> None:
    """The published schema names every member that a rule can write, and no other."""
    schema = json.loads(
        (Path(str(FORMAT.folder)).parents[2] / "schemas/caf-notice-1.schema.json").read_text()
    )

    assert set(schema["properties"]) == DATA
    assert FORMAT.written.let["schema"] == schema["$id"]
    assert all(one.get("description") for one in schema["properties"].values() if "$ref" not in one)


def unlawful() -> Iterator[dict[str, Any]]:
    """Documents that a mapping could make, and no consumer should see."""
    lawful = {"specversion": "1.0", "id": "d", "source": "urn:x:y", "type": "a.b.c.v1"}
    yield {**lawful, "subject": "Ava Example"}
    yield {**lawful, "dataref": "ftp://x"}
    yield {name: value for name, value in lawful.items() if name != "type"}


@pytest.mark.parametrize("document", list(unlawful()))
@pytest.mark.parametrize("check", [True, False])
def test_unlawful_attributes_never_leave(document: dict[str, Any], check: bool) -> None:
    """Even where output is not checked: attributes travel in clear."""
    with pytest.raises(Rejected) as refused:
        CloudEventWire().write(document, check=check)

    assert refused.value.code == "E_MAPPING"
    assert "Example" not in f"{refused.value}{refused.value.faults}"
