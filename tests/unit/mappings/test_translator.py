"""The hub's reader and renderer, through the catalogue."""

from typing import Any

import orjson
import pytest

from hub.errors import HubError, InvalidContent, Malformed, Rejected
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.formats import fhir_r4_rules
from tests import builders

FHIR = "application/fhir+json"
CANONICAL = "application/vnd.ecaf.message+json"


def bundle(**header: Any) -> dict[str, Any]:
    """A Bundle as the hub sends it."""
    tree = {
        "message": builders.header(message_type="N7", **header),
        "episode": builders.episode(),
    }
    made: dict[str, Any] = orjson.loads(
        translator().render("fhir-r4/episode", rehearse(tree), partner="").body
    )
    return made


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        (FHIR, "fhir-r4/episode"),
        ("application/fhir+json; charset=utf-8", "fhir-r4/episode"),
        ("Application/FHIR+JSON", "fhir-r4/episode"),
        (CANONICAL, "caf-json"),
        (f"{CANONICAL};version=1", "caf-json"),
        (f"{CANONICAL}; version=2", None),
        ("text/plain", None),
        ("", None),
    ],
)
def test_a_content_type_finds_its_format(content_type: str, name: str | None) -> None:
    """Parameters and capitals aside; another version is another format."""
    assert translator().format_for(content_type) == name


def test_what_can_be_read_and_rendered_is_listed() -> None:
    """The doors ask for both lists."""
    types = translator().content_types()
    assert {content_type.partition(";")[0] for content_type in types} >= {FHIR, CANONICAL}
    assert set(translator().formats()) >= {"caf-json", "fhir-r4/episode"}
    for one in translator().catalogue.formats.values():
        assert (one.name in translator().formats()) == (one.written.direction != "in")
        assert (one.written.content_type in types) >= (one.written.direction != "out")


def test_a_canonical_message_is_read_as_it_is() -> None:
    """The identity: same tree, nothing unmapped."""
    tree = builders.message()
    read = translator().read(CANONICAL, builders.wire(tree), partner="SCH-A")
    assert read.message == tree
    assert read.unmapped == ()


def test_a_bundle_is_read_and_what_is_unknown_is_named() -> None:
    """Input that no rule knows is listed with its path."""
    document = bundle()
    document["entry"][1]["resource"]["maritalStatus"] = {"text": "x"}
    document["entry"].append(
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Practitioner", "active": True}}
    )
    read = translator().read(FHIR, orjson.dumps(document), partner="SCH-A")
    assert set(read.unmapped) == {
        "entry[1].resource.maritalStatus",
        f"entry[{len(document['entry']) - 1}].resource",
    }
    assert read.message["episode"]["subjects"][0]["family_name"] == "Example"


@pytest.mark.parametrize(
    ("raw", "error", "code"),
    [
        (b"{", Malformed, "E_SYNTAX"),
        (b"[]", InvalidContent, "E_TYPE"),
        (b'{"resourceType":"Bundle","resourceType":"Bundle"}', Malformed, "E_DUPLICATE_KEY"),
        (b'{"resourceType":"Bundle","type":"message","entry":[]}', InvalidContent, "E_REQUIRED"),
        (b"\xff", Malformed, "E_ENCODING"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, Malformed, "E_DEPTH"),
    ],
)
def test_wrong_input_is_refused_with_a_code(raw: bytes, error: type[HubError], code: str) -> None:
    """Whatever comes, it is a coded refusal."""
    with pytest.raises(error) as refused:
        translator().read(FHIR, raw, partner="SCH-A")
    assert refused.value.code == code


def test_two_places_that_disagree_are_refused() -> None:
    """Nothing is chosen in silence: the process state and FHIR's status must say the same."""
    document = bundle()
    episode = next(
        e["resource"] for e in document["entry"] if e["resource"]["resourceType"] == "EpisodeOfCare"
    )
    other = {**episode, "period": {"start": "2020-01-01T00:00:00Z"}}
    document["entry"].append({"fullUrl": "urn:uuid:2", "resource": other})
    with pytest.raises(InvalidContent) as refused:
        translator().read(FHIR, orjson.dumps(document), partner="SCH-A")
    assert "disagree about" in refused.value.faults[0].remedy


def test_the_nhs_number_survives_in_its_oid_spelling() -> None:
    """URI or OID, it is the same number, and leaves as the URI."""
    raw = orjson.dumps(bundle()).replace(
        b"https://fhir.nhs.uk/Id/nhs-number", b"urn:oid:2.16.840.1.113883.2.1.4.1"
    )
    read = translator().read(FHIR, raw, partner="SCH-A")
    identifiers = read.message["episode"]["subjects"][0]["identifiers"]
    assert {"nhs-number"} == {i["system"] for i in identifiers if i["value"] == "9990000018"}


def test_only_what_the_gate_released_is_rendered() -> None:
    """A tree, a look-alike or nothing is refused."""

    class Released:
        tree = builders.message()

    for candidate in (builders.message(), Released(), None):
        with pytest.raises(TypeError):
            translator().render("caf-json", candidate, partner="")


def test_an_unknown_format_is_refused() -> None:
    """There is no such format, with a code."""
    with pytest.raises(Rejected) as refused:
        translator().render("fhir-r9", rehearse(builders.message()), partner="")
    assert refused.value.code == "E_NOT_ACCEPTABLE"


def test_ids_are_fixed_by_the_delivery() -> None:
    """The same delivery has the same ids on every attempt; another delivery shares none."""
    one, again, other = bundle(), bundle(), bundle(message_id="m2")
    assert one == again
    ids = {entry["fullUrl"] for entry in one["entry"]} | {one["id"]}
    assert ids.isdisjoint({entry["fullUrl"] for entry in other["entry"]} | {other["id"]})
    assert one["entry"][0]["resource"]["id"] == "m1"
    assert one["identifier"]["value"] == "e1"


def test_a_message_without_an_id_cannot_be_made() -> None:
    """Ids of a document come from the delivery; without one the mapping fails."""
    with pytest.raises(Rejected) as refused:
        translator().render("fhir-r4/episode", rehearse({"episode": {}}), partner="")
    assert refused.value.code == "E_MAPPING"
    assert "message.message_id" in refused.value.detail


def test_an_output_that_breaks_the_rules_is_not_sent() -> None:
    """A delivery id that FHIR cannot hold fails with the place, and nothing leaves."""
    with pytest.raises(Rejected) as refused:
        bundle(message_id="not_a:fhir-id")
    assert refused.value.code == "E_MAPPING"
    assert "entry[0].resource.id" in refused.value.detail


@pytest.mark.parametrize("code", ["N6", "N7", "N9", "N16"])
def test_notifications_are_rendered_and_read_back(code: str) -> None:
    """The facts of N6, N7, N9 and N16 go into the header and come back."""
    facts = {"code": code, "request_id": "r1", "answer": "ACCEPTED"}
    tree = {
        "message": builders.header(message_type=code),
        "notification": facts,
        "episode": {"episode_id": "e1"},
    }
    one = translator().catalogue.formats["fhir-r4/episode"].compiled
    document = orjson.loads(orjson.dumps(one.render(tree)))
    assert fhir_r4_rules.faults(document) == []
    assert one.read(document).message["notification"] == facts


def test_what_differs_only_in_withheld_fields_is_the_same_bytes() -> None:
    """The renderer sees what was released and nothing else, so no id or count can tell."""
    shown = {"episode_id": "e1", "status": "ASSESSED", "subjects": [{"subject_id": "s1"}]}
    bodies = {
        translator()
        .render(
            "fhir-r4/episode",
            rehearse({"message": builders.header(message_type="N7"), "episode": tree}),
            partner="",
        )
        .body
        for tree in (shown, dict(reversed(shown.items())))
    }
    assert len(bodies) == 1
