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

from hub.domain.exchange import EpisodeHead, Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault
from hub.ports import Digester, Session
from hub.services.alerts import alert
from hub.services.audit import row
from hub.services.index import answer, tokens
from hub.services.indexing import SHARING, references
from hub.services.standing import responsible

NOTHING: Final = "NONE"
ASSESSING: Final = "ASSESSING"
ASKING: Final = "index"
"""The right of a system to ask the index."""


@dataclass(frozen=True, slots=True)
class Match:
    """What the index holds of one child of an episode, beyond that episode itself."""

    place: int
    subject_id: str
    result: str
    """The answer that a question gets (CL-23b)."""
    tokens: Sequence[bytes]


def recheck(
    session: Session, digester: Digester, before: EpisodeHead, after: EpisodeHead, tree: Tree
) -> tuple[Match, ...]:
    """Return what the index holds, where *after* opens an episode or is about to share its content
    for the first time; otherwise nothing, and nothing is asked.
    """
    opens = before.version == 0 and after.process == ASSESSING
    shares = before.process == ASSESSING and after.process in SHARING
    if not opens and not shares:
        return ()
    own = set(references(after).values())
    found = []
    for place, subject in enumerate(tree.get("subjects", ())):
        asked = tokens(digester, subject)
        entries = session.index_matches(asked)
        result, _ = answer((one for one in entries if one.reference not in own), subject)
        if result != NOTHING:
            found.append(Match(place, str(subject["subject_id"]), result, asked))
    return tuple(found)


def told_of(
    session: Session,
    registry: Registry,
    sender: Partner,
    head: EpisodeHead,
    tree: Tree,
    matches: Sequence[Match],
    now: datetime,
) -> tuple[Fault, ...]:
    """Raise the alert to whoever leads, one a child and answer however often it is found, and
    return the warnings for the receipt.

    A system that may not ask the index is told nothing (the operator is, where it would be the
    lead's), nor is one that has been answered the same already.  What is told is audited as a
    question is.
    """
    lead = responsible(head)
    leads = registry.by_service(lead) if lead else None
    asks = leads is not None and ASKING in leads.operations
    warnings = []
    for one in matches:
        session.add_alert(
            alert(
                "index.duplicate",
                f"lead:{lead}" if asks else "operator",
                one.subject_id,
                one.result,
                at=now,
                episode_id=head.episode_id,
                facts={"subject_id": one.subject_id, "result": one.result},
            )
        )
        if ASKING not in sender.operations or one.result == tree.get("index_check_result"):
            continue
        session.add_audit(
            row(
                "index.checked",
                at=now,
                actor=sender.name,
                code=one.result,
                facts={"purpose": "ASSESS", "tokens": [token.hex() for token in one.tokens]},
            )
        )
        remedy = f"the child index answers {one.result}: ask it whom to ring before you go on"
        warnings.append(Fault(Code.DUPLICATE, f"/episode/subjects/{one.place}", remedy))
    return tuple(warnings)
