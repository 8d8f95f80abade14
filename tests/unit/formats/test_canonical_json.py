"""The reader of the wire message, and the schema that it publishes."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from hub.domain.dictionary import Node, walk
from hub.domain.messages import PAYLOADS, message_tree
from mappings.formats.canonical_json import read_message
from mappings.schemas.canonical import message_schema, schema_text
from tests import builders
from tests.architecture.tree import ROOT

GOOD = {
    "episode": builders.message(),
    "episode of a few words": {"episode": {"episode_id": "e1"}},
    "event that needs no content": {
        "event": "transfer.accepted",
        "event_detail": {"receiving_authority": "002", "effective_on": "2026-11-01"},
        "episode": {"episode_id": "e1"},
    },
    "decision": builders.message(consent_decision=builders.decision()),
    "element": {
        "contribution": {
            "episode_id": "e1",
            "base_seq": 3,
            "element": {"subject_id": "s1", **builders.element("1.2")},
        }
    },
    "action": {
        "contribution": {
            "episode_id": "e1",
            "action": {"id": "a2", "action_status": "DONE", "action_closed_on": "2026-10-01"},
        }
    },
    "answer": {
        "contribution": {
            "episode_id": "e1",
            "service_answer": {"request_id": "r1", "answer": "ACCEPTED"},
        }
    },
    "acknowledgement": {"acknowledgement": {"delivery_id": "del-1", "code": "COPIES_LOCKED"}},
    "notification": builders.message(notification=builders.notification()),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_payload_is_read_as_it_was_sent(name: str) -> None:
    """Each of the payloads passes, and nothing in it is changed."""
    assert read_message(builders.wire(GOOD[name])) == (GOOD[name], [])


def test_moments_are_normalised_and_nothing_else() -> None:
    """Every moment becomes UTC, wherever it stands; a text that looks like one does not."""
    tree = builders.message()
    tree["message"]["sent_at"] = "2026-09-04T17:00:00+01:00"
    tree["episode"]["subjects"][0]["elements"][2]["authored_at"] = "2026-09-01T10:30:00.5+01:00"
    tree["episode"]["conclusions"]["conclusions"] = "2026-09-01T10:30:00+01:00"
    read, _ = read_message(builders.wire(tree))
    tree["message"]["sent_at"] = "2026-09-04T16:00:00Z"
    tree["episode"]["subjects"][0]["elements"][2]["authored_at"] = "2026-09-01T09:30:00.5Z"
    assert read == tree


def test_a_failed_identifier_passes_with_a_warning_if_the_sender_insists() -> None:
    """The message goes on with its data as sent, and the receipt can say what failed."""
    tree = builders.changed(
        builders.message(), "/episode/subjects/0/identifiers/0/value", "9990000019"
    )
    tree["message"]["accept_failed_identifiers"] = True
    read, warnings = read_message(builders.wire(tree))
    assert read == tree
    assert [(warning.code.value, warning.path) for warning in warnings] == [
        ("E_IDENTIFIER_CHECK", "/episode/subjects/0/identifiers/0/value")
    ]


def test_the_committed_schema_is_the_generated_one() -> None:
    """`mappings/schemas/caf-message.schema.json` is what `ecaf schema` prints."""
    committed = ROOT / "mappings" / "schemas" / "caf-message.schema.json"
    assert committed.read_text("utf-8") == schema_text()


def test_the_schema_is_a_schema() -> None:
    """It is lawful draft 2020-12, and another library reads the messages by it as we do."""
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    other = jsonschema.Draft202012Validator(schema)
    assert all(other.is_valid(message) for message in GOOD.values())
    assert not other.is_valid({"episode": {"episode_id": "e1", "referral": "x"}})
    assert schema["$id"].startswith("https://ecaf.example/schema/")


def test_every_leaf_says_what_it_is() -> None:
    """Each leaf carries title, section, sensitivity and owner, and its list where it is coded."""
    seen = 0
    for node, schema in _leaf_schemas(message_tree(), message_schema()["properties"]):
        leaf = node.leaf
        assert leaf is not None
        assert schema["title"]
        assert schema["x-section"] == leaf.section
        assert set(schema["x-sensitivity"]) == leaf.sensitivity
        assert schema["x-about"] == leaf.about
        assert schema.get("x-code-list") == leaf.codes
        seen += 1
    assert seen == len(list(walk(message_tree())))


def _leaf_schemas(nodes: Any, properties: Any) -> list[tuple[Node, dict[str, Any]]]:
    found = []
    assert set(nodes) == set(properties)
    for name, node in nodes.items():
        schema = properties[name]
        if node.leaf is not None:
            found.append((node, schema))
        else:
            inner = schema["items"] if node.kind == "list" else schema
            assert inner["additionalProperties"] is False
            found += _leaf_schemas(node.children, inner["properties"])
    return found


def test_exactly_one_payload_is_the_schemas_rule() -> None:
    """The published schema says so itself, not only our reader."""
    other = jsonschema.Draft202012Validator(json.loads(schema_text()))
    assert not other.is_valid({"event": "plan.agreed"})
    assert not other.is_valid({"episode": {"episode_id": "e1"}, **GOOD["acknowledgement"]})
    assert [choice["required"] for choice in message_schema()["oneOf"]] == [[p] for p in PAYLOADS]
