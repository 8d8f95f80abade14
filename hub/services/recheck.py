"""The hub asks its child index itself: as an episode opens, and before the first share.

Whoever opens a CAF is to have asked the index (`domain.md` T2, B38).  Where the index could not be
asked, the episode may open all the same (``index_check_result: UNAVAILABLE``), and the hub looks
before anything is shared (7.1, index down).  A match stops nothing, for it needs a person (T2a):
the sender's receipt warns of it, and so does the alert ``index.duplicate`` to whoever leads.  Both
say what a question to the index would have said and no more, so that what is shielded in full, or
not to be known there, is not found here either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.domain.exchange import Alert, EpisodeHead, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault
from hub.ports import Digester, Session
from hub.services.alerts import alert
from hub.services.index import answer, tokens
from hub.services.indexing import SHARING, references
from hub.services.standing import responsible

NOTHING: Final = "NONE"
ASSESSING: Final = "ASSESSING"


@dataclass(frozen=True, slots=True)
class Found:
    """What the index holds of the children of an episode, beyond that episode itself."""

    results: Sequence[tuple[int, str, str]] = ()
    """Place, subject id and answer (CL-23b) of each child of whom it holds something."""

    def warnings(self, partner: Partner, tree: Tree) -> tuple[Fault, ...]:
        """Return the warnings for the receipt: none to a system that may not ask the index, and
        none about what the sender has been answered already.
        """
        if "index" not in partner.operations:
            return ()
        said = tree.get("index_check_result")
        return tuple(
            Fault(
                Code.DUPLICATE,
                f"/episode/subjects/{place}",
                f"the child index answers {result}: ask it whom to ring before you go on",
            )
            for place, _, result in self.results
            if result != said
        )

    def alerts(self, head: EpisodeHead, registry: Registry, now: datetime) -> tuple[Alert, ...]:
        """Return the alerts to whoever leads, one a child and answer however often it is found; to
        the operator where nobody leads whose system may ask the index.
        """
        lead = responsible(head)
        told = registry.by_service(lead) if lead else None
        asks = told is not None and "index" in told.operations
        audience = f"lead:{lead}" if asks else "operator"
        return tuple(
            alert(
                "index.duplicate",
                audience,
                subject_id,
                result,
                at=now,
                episode_id=head.episode_id,
                facts={"subject_id": subject_id, "result": result},
            )
            for _, subject_id, result in self.results
        )


def recheck(
    session: Session, digester: Digester, before: EpisodeHead, after: EpisodeHead, tree: Tree
) -> Found:
    """Return what the index holds, where *after* opens an episode or is about to share its content
    for the first time; otherwise nothing, and nothing is asked.
    """
    opens = before.version == 0 and after.process == ASSESSING
    shares = before.process == ASSESSING and after.process in SHARING
    if not opens and not shares:
        return Found()
    own = set(references(after).values())
    found = []
    for place, subject in enumerate(tree.get("subjects", ())):
        entries = session.index_matches(tokens(digester, subject))
        result, _ = answer((one for one in entries if one.reference not in own), subject)
        if result != NOTHING:
            found.append((place, str(subject["subject_id"]), result))
    return Found(found)
