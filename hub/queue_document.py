"""The hub's queues as an AsyncAPI document: `ecaf queues asyncapi`, published as
``queue/asyncapi.json``.

Source: `standards.md` section 1 (AsyncAPI 3.0) and section 7 (what a notice says, and what not).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from adapters.destinations import thin
from hub.bootstrap import topology
from hub.errors import Code
from hub.hub import CANONICAL
from messaging.asyncapi import Document, Use, document

TEXT: Final = {"type": "string"}
OPAQUE: Final = {"type": "string", "minLength": 1, "maxLength": 255}
"""An id that says nothing of a child."""


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _words(words: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


CODES: Final = _words([code.value for code in Code])
SCHEMAS: Final[Mapping[str, Any]] = {
    "notice": _object(
        "id", "type", "source", "specversion", "subject", "dataref", "sequence",
        id={**OPAQUE, "description": "The delivery's id, the same on every attempt."},
        type=_words(sorted(thin.TYPES)),
        source={"const": thin.SOURCE},
        specversion={"const": "1.0"},
        subject={**OPAQUE, "description": "The episode's reference."},
        dataref={"type": "string", "format": "uri",
                 "description": "Where it is fetched, through the gate."},
        sequence={"type": "string", "pattern": "^[0-9]{10,}$",
                  "description": "Its place among the partner's deliveries of the episode."},
    ),
    "sent": _object(
        "ecaf-message-type", "ecaf-sequence",
        **{
            "ecaf-message-type": {"type": "string", "pattern": "^[A-Z0-9]+$"},
            "ecaf-sequence": {"type": "string", "pattern": "^[0-9]+$"},
            "possible-duplicate": {"const": "true"},
        },
    ),
    "answered": _object(
        "ecaf-status", "ecaf-code",
        **{"ecaf-status": _words(["accepted", "refused"]), "ecaf-code": _words(
            ["OK", *(code.value for code in Code)])},
    ),
    "accepted": {
        **_object(
            "status", status={"const": "accepted"},
            message_id={**OPAQUE, "description": "The sender's own id for the message."},
        ),
        # What the receipt of `POST /messages` says stands beside it.
        "additionalProperties": True,
    },
    "refused": _object(
        "status", "code", "detail", "errors",
        status={"const": "refused"},
        code=CODES,
        detail=TEXT,
        errors={"type": "array", "minItems": 1,
                "items": _object("code", "path", "remedy", code=CODES, path=TEXT, remedy=TEXT)},
        message_id=OPAQUE,
        sha256={"type": "string", "pattern": "^[0-9a-f]{64}$",
                "description": "Of the body, where the message had no id that can be repeated."},
    ),
    "delivery-id": {**OPAQUE, "description": "Which delivery is due; the store knows the rest."},
}  # fmt: skip


def _message(title: str, summary: str, kind: str | None, **more: Any) -> dict[str, Any]:
    told = {"title": title, "summary": summary, **more}
    return told if kind is None else {**told, "contentType": kind}


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


MESSAGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "notice": _message(
        "Notice", "Something waits for the partner; nothing of it is said.", thin.CONTENT_TYPE,
        headers=_schema("sent"), payload=_schema("notice"),
    ),
    "delivery": _message(
        "Delivery", "The whole message, in the format that the partner's profile names "
        "(deliver.body: full).", None, headers=_schema("sent"),
    ),
    "message": _message(
        "Message", "What a partner sends: any content type that POST /messages takes, with "
        "message_id (its dedupe key), content_type and user_id.", CANONICAL,
    ),
    "acceptance": _message(
        "Acceptance", "The message is recorded; correlation_id is its message_id. To a FHIR "
        "message FHIR's own acknowledgement instead.", "application/json",
        headers=_schema("answered"), payload=_schema("accepted"),
    ),
    "refusal": _message(
        "Refusal", "Why the message was not taken, by code, place and remedy; correlation_id is "
        "its message_id. To a FHIR message FHIR's own acknowledgement instead.",
        "application/json", headers=_schema("answered"), payload=_schema("refused"),
    ),
    "work": _message(
        "Work", "A delivery is due.", "text/plain", payload=_schema("delivery-id"),
    ),
    "given-up": _message(
        "Given up", "A message of any kind, whole, and in its headers from where and why.", None,
    ),
}  # fmt: skip

USES: Final[Mapping[str, Use]] = {
    "caf.work": Use("Work", "Deliveries that are due.", ("work",), sends=True, receives=True),
    "caf.work.express": Use(
        "Express work", "Withdrawals, voids and closures, which overtake content.", ("work",),
        sends=True, receives=True,
    ),
    "caf.parked": Use("Parked", "What a bug of the hub's left undone.", ("given-up",), sends=True),
    "caf.dead": Use("Dead letters", "What nobody could deal with.", ("given-up",)),
    "caf.unread": Use(
        "Unread", "What partners sent and the broker gave up; its senders are told.",
        ("given-up",), receives=True,
    ),
    "caf.out.<partner>": Use(
        "Deliveries to a partner", "A partner reads what the hub has for it.",
        ("notice", "delivery"), sends=True, partner=True,
    ),
    "caf.in.<partner>": Use(
        "Messages of a partner", "A partner publishes what it has for the hub, under its own user.",
        ("message",), receives=True, partner=True,
    ),
    "caf.reply.<partner>": Use(
        "Answers to a partner", "A partner reads what became of its messages.",
        ("acceptance", "refusal"), sends=True, partner=True,
    ),
}  # fmt: skip


def queue_document() -> dict[str, Any]:
    """Return the document of the topology as it is shipped."""
    told = Document(
        info={
            "title": "eCAF hub: queues",
            "version": "1.0.0",
            "description": "CAF episodes between systems, under the family's consent, over "
            "RabbitMQ (AMQP 0-9-1). The hub is the program that sends and receives here. Each "
            "partner has a user of its own, which reads its own queues, writes to its own "
            "exchange and may do nothing else.",
            "license": {"name": "Apache-2.0"},
            "tags": [
                {"name": "partner", "description": "What partners read and write."},
                {"name": "internal", "description": "The hub's own; closed to partners."},
            ],
        },
        server={
            "host": "{host}",
            "protocol": "amqps",
            "protocolVersion": "0-9-1",
            "description": "The broker of the hub (ECAF_BROKER_URL).",
            "variables": {"host": {"description": "Name and port.", "default": "broker.example"}},
        },
        security={
            "user": {"type": "userPassword", "description": "The partner's user and password."},
            "certificate": {"type": "X509", "description": "A certificate in its place."},
        },
        uses=USES,
        messages=MESSAGES,
        schemas=SCHEMAS,
    )
    return document(topology(), told)


def document_text() -> str:
    """Return the document as it is published."""
    return orjson.dumps(queue_document(), option=orjson.OPT_INDENT_2).decode() + "\n"
