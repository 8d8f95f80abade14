"""How a partner is reached through NHS MESH, and as whom it may come: parts of its profile.

A mailbox belongs to one partner.  Workflow ids are issued by NHS England; until then a site agrees
on placeholders with its partners.
"""

import re
from collections.abc import MutableMapping
from typing import Final

from adapters.partners.values import matching
from hub.domain.partner import MeshRoute, MeshSender
from hub.positioned import Value

MAILBOX: Final = re.compile(r"[A-Z0-9]{5,20}", re.ASCII)
WORKFLOW: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}", re.ASCII)
_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


def read_route(mailbox: Value, workflows: Value, delivered: Value | None) -> MeshRoute:
    """Return where a partner is at MESH; every fault has its place."""
    told = workflows.mapping("content", "notification")
    said = "collected" if delivered is None else delivered.one_of("collected", "answered")
    return MeshRoute(
        mailbox=_mailbox(mailbox),
        content=_workflow(told.need("content")),
        notification=_workflow(told.need("notification")),
        delivered="answered" if said == "answered" else "collected",
    )


def read_mesh(value: Value) -> MeshSender:
    """Return as whom a partner may come through MESH; every fault has its place."""
    told = value.mapping("mailboxes", "workflows", "acknowledgements", "answers", "acting")
    place = told.need("mailboxes")
    mailboxes = frozenset(_mailbox(one) for one in place.sequence())
    if not mailboxes:
        place.error("name at least one mailbox from which it may send")
    workflows: dict[str, str] = {}
    given = told.need("workflows")
    for name, kind in given.items():
        if WORKFLOW.fullmatch(name) is None:
            kind.error("stands under what is no workflow id")
        workflows[name] = matching(kind, _CONTENT_TYPE, "a content type in small letters")
    acknowledgements = told.get("acknowledgements")
    heard = None if acknowledgements is None else _workflow(acknowledgements)
    if acknowledgements is not None and heard not in workflows:
        acknowledgements.error("must be one of the workflows, which say its content type")
    answers = told.get("answers")
    said = None if answers is None else _workflow(answers)
    if answers is not None and said in workflows:
        answers.error("must not be a workflow that it sends under: answers would be answered")
    acting = told.get("acting")
    return MeshSender(
        mailboxes=mailboxes,
        workflows=workflows,
        acknowledgements=heard,
        answers=said,
        acting=None if acting is None else matching(acting, _USER, "a reference, never a name"),
    )


def alone_at_mesh(
    partner: str, one: MeshSender, used: MutableMapping[str, str], place: Value
) -> None:
    """Check that nobody else sends from the partner's mailboxes; *used* says who does."""
    for mailbox in sorted(one.mailboxes):
        if used.setdefault(f"mesh {mailbox}", partner) != partner:
            place.error("another partner sends from the same mailbox (MESH)")


def _mailbox(value: Value) -> str:
    return matching(value, MAILBOX, "the mailbox's id, in capitals and digits, as MESH has it")


def _workflow(value: Value) -> str:
    return matching(value, WORKFLOW, "a workflow id: letters, digits and . _ -")
