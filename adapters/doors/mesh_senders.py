"""Who sends through MESH: a mailbox, which MESH vouches for, and a workflow that its profile names.

Fails closed (`reliability.md` 4.2, MESH poller): a mailbox that no profile names is nobody's, and
what it sent stays where it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from adapters.mesh.mailbox import Letter
from hub.domain.partner import MeshSender, Partner, Registry
from hub.errors import Code, Fault, Forbidden, Malformed, Unauthorised

_ANY: Final = frozenset({"", "application/octet-stream", "text/plain", "binary/octet-stream"})
"""Content types that say nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """The partner from whose mailbox a message came, and as whom it may send."""

    partner: Partner
    sender: MeshSender
    mailbox: str


@dataclass(frozen=True, slots=True)
class MeshSenders:
    """Finds the partner behind a mailbox; reads the registry every time."""

    registry: Callable[[], Registry]
    today: Callable[[], date]

    def who(self, letter: Letter) -> Known:
        """Return who sent it; `Unauthorised` for a mailbox of nobody's."""
        registry, mailbox = self.registry(), letter.said("mex-from").upper()
        for name, held in registry.credentials.items():
            partner = registry.partners.get(name)
            if held.mesh is not None and mailbox in held.mesh.mailboxes and partner is not None:
                acting = replace(partner, acting=held.mesh.acting)
                return Known(acting, held.mesh, mailbox)
        fault = Fault(Code.UNAUTHENTICATED, "Mex-From", "have the mailbox entered in the profile")
        raise Unauthorised(
            Code.UNAUTHENTICATED, "nobody is known to send from this mailbox", (fault,)
        )

    def check(self, known: Known, letter: Letter) -> str:
        """Return the content type of the message; refuses who may not send today, what comes under
        a workflow that is not agreed, and what is not of that workflow's type.
        """
        workflow = letter.said("mex-workflowid")
        agreed = known.sender.workflows.get(workflow)
        if agreed is None:
            fault = Fault(Code.FORBIDDEN, "Mex-WorkflowID", "send under an agreed workflow id")
            raise Forbidden(Code.FORBIDDEN, "this workflow is not agreed with the sender", (fault,))
        if not known.partner.accredited(self.today()):
            remedy = "have accreditation, stage and protocol looked at by the sponsoring authority"
            fault = Fault(Code.ORG_NOT_ACCREDITED, remedy=remedy)
            raise Forbidden(Code.ORG_NOT_ACCREDITED, "the sender is not accredited today", (fault,))
        if letter.said("mex-content-encrypted").upper() in {"Y", "YES", "TRUE"}:
            fault = Fault(
                Code.ENCODING, "Mex-Content-Encrypted", "send it unencrypted: MESH is TLS"
            )
            raise Malformed(Code.ENCODING, "the content is encrypted", (fault,))
        for header in ("mex-content-type", "content-type"):
            said = letter.said(header).partition(";")[0].strip().lower()
            if said not in _ANY and not _same(said, agreed):
                fault = Fault(Code.CONTENT_TYPE, header.title(), "send what the workflow is for")
                raise Malformed(Code.CONTENT_TYPE, "not the content type of its workflow", (fault,))
        return agreed


def _same(said: str, agreed: str) -> bool:
    """Return whether what is said is the agreed type, or the plain one that it is a kind of.

    >>> _same("application/json", "application/fhir+json"), _same("text/xml", "application/xml")
    (True, True)
    """
    return said == agreed or said.rpartition("/")[2] == agreed.rpartition("/")[2].rpartition("+")[2]
