"""What a double sees in received bytes, read without the hub's code."""

import json
from typing import Any

from adapters.partners.double.sight import look


def seen(tree: Any) -> Any:
    """Return the sections that are seen in *tree*."""
    return dict(look(json.dumps(tree).encode()).sections)


def test_basic_leaves_are_told_apart_from_the_rest() -> None:
    """A name is basic; what goes beyond it is not."""
    message = {
        "message": {"message_type": "N7"},
        "episode": {
            "episode_id": "e",
            "subjects": [{"subject_id": "a", "given_names": ["Ava"]}],
            "parents_carers": [{"parent_carer_id": "m", "name": "Mia Example"}],
            "services": {"assessor": [{"name": "Ms Teach"}]},
        },
    }

    assert seen(message) == {
        "sec.admin": "basic",
        "sec.identity": "basic",
        "sec.family": "basic",
        "sec.services": "basic",
    }


def test_elements_count_for_their_own_sections() -> None:
    """Each of the nineteen elements belongs to one section."""
    elements = [{"element": code, "commentary": "x"} for code in ("1.1", "2.3", "3.3")]
    message = {"message": {"message_type": "N7"}, "episode": {"subjects": [{"elements": elements}]}}

    assert seen(message) == {
        "sec.child.health": "full",
        "sec.parenting": "full",
        "sec.env.housing": "full",
    }


def test_what_cannot_be_placed_is_named() -> None:
    """A new place for content does not look like nothing."""
    assert seen({"episode": {"diary": "x"}}) == {"unknown:diary": "full"}


def test_empty_things_are_nothing() -> None:
    """An empty list or text is no section."""
    assert seen({"episode": {"checklists": [], "conclusions": {}}}) == {}


def test_a_fhir_bundle_is_read_by_resource_and_question() -> None:
    """The double knows sections by resource types and by the form's link ids."""
    bundle = {
        "resourceType": "Bundle",
        "entry": [
            {
                "resource": {
                    "resourceType": "MessageHeader",
                    "eventCoding": {"code": "caf-content-shared"},
                }
            },
            {"resource": {"resourceType": "Patient", "name": [{"family": "Example"}]}},
            {
                "resource": {
                    "resourceType": "QuestionnaireResponse",
                    "item": [
                        {
                            "linkId": "1",
                            "item": [
                                {
                                    "linkId": "1.10",
                                    "item": [
                                        {"linkId": "1.10.comment", "answer": [{"valueString": "x"}]}
                                    ],
                                }
                            ],
                        }
                    ],
                }
            },
        ],
    }

    found = look(json.dumps(bundle).encode())

    assert found.message_type == "N7"
    assert found.sections["sec.child.learning"] == "full"
    assert found.codes == ("1.10",)


def test_bytes_that_are_no_json_are_not_taken_for_nothing() -> None:
    """A body in an unknown form fails every list of sections."""
    assert look(b"\xff\xfe").sections == {"unknown:not-json": "full"}
