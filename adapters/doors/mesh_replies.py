"""How the hub answers through MESH: under the workflow that the sender's profile names, once for
each message, and with the same local id if it has to say it again.
"""

import logging
import re
from hashlib import sha256
from typing import Final, Protocol

from adapters.doors.mesh_senders import Known
from adapters.mesh import answers
from adapters.mesh.answers import FHIR, About
from adapters.mesh.mailbox import Letter, Mailbox
from hub.domain.exchange import Tree
from hub.errors import HubError, Malformed, Rejected
from hub.ports import Clock
from hub.services.receipt import Receipt

log = logging.getLogger("hub.mesh")

SUBJECT: Final = "eCAF answer"
AGAIN: Final = "eCAF answer, possible duplicate"
MINE: Final = "a."
"""How the local ids of our answers begin; those of deliveries never do."""
LOCAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
"""Local ids of others that are opaque enough to be kept and repeated."""


class Reading(Protocol):
    """What is asked of the hub here."""

    @property
    def clock(self) -> Clock:
        """The business clock."""
        ...

    def parsed(self, raw: bytes) -> Tree:
        """Parse strict JSON that must be an object."""
        ...


class Replies:
    """Sends answers from the hub's mailbox."""

    def __init__(self, mailbox: Mailbox, hub: Reading, canonical: str) -> None:
        """Answer by *mailbox*; *canonical* is where the hub's FHIR artefacts are."""
        self._mailbox, self._hub, self._canonical = mailbox, hub, canonical

    async def send(
        self,
        known: Known,
        letter: Letter,
        content: bytes | Malformed,
        ended: Receipt | HubError,
        *,
        again: bool,
    ) -> bool:
        """Answer one message by how it *ended*; ``False`` where MESH will never take the answer,
        and nothing to do where its sender wants none.
        """
        workflow = known.sender.answers
        if workflow is None:
            return True
        kind = known.sender.workflows.get(letter.said("mex-workflowid"), "application/json")
        about = About(letter.message_id, self._named(letter, kind, content), self._hub.clock.now())
        if isinstance(ended, HubError):
            answer = answers.refused(self._canonical, kind, about, ended)
        else:
            answer = answers.taken(self._canonical, kind, about, ended.body)
        local_id = f"{MINE}{letter.message_id}"
        try:
            await self._mailbox.send(
                known.mailbox,
                answer.body,
                workflow=workflow,
                local_id=local_id,
                subject=AGAIN if again else SUBJECT,
                filename=f"{local_id}.json",
                content_type=answer.content_type,
                checksum=f"sha256:{sha256(answer.body).hexdigest()}",
            )
        except Rejected as error:
            log.warning("unanswered", extra={"code": error.code.value})
            return False
        return True

    def _named(self, letter: Letter, kind: str, content: bytes | Malformed) -> str:
        """Return how the sender calls its message: as FHIR does, else by its local id, else as MESH
        does.
        """
        if kind == FHIR and isinstance(content, bytes):
            try:
                if (found := answers.identifier_of(self._hub.parsed(content))) is not None:
                    return found
            except HubError:
                log.info("unnamed")  # what cannot be parsed is named by its envelope
        local = letter.said("mex-localid")
        return local if LOCAL.fullmatch(local) else letter.message_id
