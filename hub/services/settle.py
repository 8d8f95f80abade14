"""Settling: the envelope of what goes out, and what is recorded of how it ended."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from hub.domain.exchange import Decision, Delivery, ReleasedRecord, State, Tree
from hub.domain.partner import Partner
from hub.errors import Code
from hub.ports import Digester, Session
from hub.services.audit import of_delivery
from hub.services.lane import following
from hub.services.own_consents import cited
from hub.services.released import Released
from hub.services.review import undelivered
from hub.services.set_aside import gone, set_aside
from hub.services.statutory import STATUTORY
from hub.services.views import CONTENT

ANSWER: Final = "answer"
"""What N16 calls itself when it answers a request for services (T35)."""
ENDED: Final = frozenset({State.SUPPRESSED, State.QUARANTINED, State.EXPIRED})
"""How a delivery ends without its recipient having taken it."""

NOTES: Final = frozenset({"tried", "replay_of"})
"""The hub's own words in a delivery's evidence, which say nothing of its arrival."""
ANSWERED: Final = ("status", "ack", "acknowledged", "collected", "report")
"""What of the evidence is the other side's answer, and stands in the trace."""


def unnumbered(session: Session, one: Delivery) -> Delivery:
    """Return *one*, tried in vain, without its number among what the recipient is told.

    What surely did not arrive is numbered anew when it goes again: what overtakes it meanwhile
    (N10) takes its number, so that no gap tells of it if it never goes.  What may have arrived
    keeps its number, and so does what something later has been numbered after.
    """
    arrived = (one.evidence or {}).keys() - NOTES
    if one.sequence is None or arrived:
        return one
    taken_back = session.give_back(f"to:{one.partner}", one.episode_id, one.sequence)
    return replace(one, sequence=None) if taken_back else one


def envelope(
    delivery: Delivery,
    released: Released,
    hub: str,
    at: datetime,
    decisions: Sequence[Decision],
) -> dict[str, Any]:
    """Return the outbound message metadata (`domain.md` 2.16): ids and codes, no personal data.

    Of the episode's *decisions* it names those that the message rests on, as the recipient knows
    them: the same until one changes what is its own.
    """
    named = cited(decisions, (delivery.service,), released.decisions)
    return {
        "message_id": delivery.delivery_id,
        **_place(delivery, released),
        "message_type": delivery.message_type,
        "schema_version": "1",
        "sender_org": hub,
        "sender_system": "urn:ecaf:hub",
        "sent_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "recipients": [delivery.service],
        **({"purpose": released.purpose} if released.purpose else {}),
        **({"consent_decision_id": named} if named else {}),
    }


def _place(delivery: Delivery, released: Released) -> dict[str, Any]:
    """Return what caused it, which episode it is about, and its number among what the recipient is
    told of it.

    A disclosure by law is on no episode's lane, so it has no number there.  The child index gets
    neither the episode nor the message that caused its own: both are the same for brothers and
    sisters, whom its entries must not link (`domain.md` F2).
    """
    caused = {"correlation_id": delivery.correlation_id}
    if delivery.message_type == STATUTORY:
        return {**caused, "episode_id": released.tree["episode"]["episode_id"]}
    if entry := released.tree.get("notification", {}).get("episode_ref"):
        return {"correlation_id": entry, "episode_seq": delivery.sequence}
    return {**caused, "episode_id": delivery.episode_id, "episode_seq": delivery.sequence}


def view_digest(digester: Digester, delivery: Delivery, released: Released) -> bytes:
    """Return the keyed digest of what is shown: of the content alone where the type is only
    content.
    """
    tree = released.tree
    return digester.digest_tree(tree["episode"] if delivery.message_type in CONTENT else tree)


def format_of(partner: Partner, message_type: str, tree: Tree | None = None) -> str:
    """Return the format in which this partner takes a message of this type; answers to what it
    asked for (N16) may have one of their own.
    """
    answers = partner.delivering.answers
    about = (tree or {}).get("notification", {})
    if answers is not None and message_type == "N16" and about.get("kind") == ANSWER:
        return answers
    carries_content = message_type in {"N6", "N7", "N9", "N13", "N16"}
    return partner.delivering.content if carries_content else partner.delivering.notification


def kept(delivery: Delivery, state: State) -> Tree:
    """Return the facts that stay with a delivery that ends in *state*.

    A notice that nobody agreed to be passed on is kept by nobody either (`domain.md` F6).
    """
    if state is not State.SUPPRESSED:
        return delivery.facts
    return {name: held for name, held in delivery.facts.items() if name != "notice"}


def settle(
    session: Session,
    delivery: Delivery,
    state: State,
    reason: str | None,
    evidence: Tree,
    now: datetime,
) -> tuple[str, ...]:
    """Record the outcome, the ledger of what was given and the audit; return what may go next."""
    final = state is not State.HANDED_OVER
    settled = replace(
        delivery,
        state=state,
        reason=reason,
        facts=kept(delivery, state),
        evidence={**(delivery.evidence or {}), **evidence},
        lease_until=None,
        settled_at=now if final else None,
    )
    session.put_delivery(settled)
    if delivery.message_type == STATUTORY and state in ENDED:
        session.add_alert(undelivered(settled, now))
    elif state is State.QUARANTINED:
        session.add_alert(set_aside(settled, now))
        if reason == Code.GONE.value:
            session.add_alert(gone(settled, now))
    given = state is State.DELIVERED or (state is State.HANDED_OVER and evidence.get("carried"))
    already = bool(delivery.evidence and delivery.evidence.get("carried"))
    if given and not already and delivery.digest is not None:
        session.add_released(
            ReleasedRecord(
                delivery_id=delivery.delivery_id,
                episode_id=delivery.episode_id,
                service=delivery.service,
                message_type=delivery.message_type,
                version=delivery.version,
                paths=delivery.focus,
                digest=delivery.digest,
                released_at=now,
            )
        )
    told = {name: evidence[name] for name in ANSWERED if name in evidence}
    session.add_audit(
        of_delivery(f"delivery.{state.value}", settled, at=now, code=reason or "OK", facts=told)
    )
    return following(session, settled)
