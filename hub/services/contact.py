"""A request to be rung (N12): from who found a CAF on the index to the practitioner responsible.

"So practitioners can make contact, work together and not duplicate work" (B33, T2a).  Nothing but
who asks, for what and how to ring them; where the practitioner may not be named it goes to the
authority's co-ordinator, who brokers, and the asker cannot tell which (`domain.md` 1.5, A9).
"""

from collections.abc import Sequence
from typing import Any

from hub.domain.exchange import Delivery, EpisodeHead, Tree
from hub.domain.partner import Partner, Registry
from hub.ports import Session
from hub.services.alerts import alert
from hub.services.indexing import references
from hub.services.masking import masked, names_sensitive
from hub.services.share import Occasion, Telling, tell
from hub.services.shelter import shield_of
from hub.services.standing import responsible

CALL_BACK = ("name", "role", "organisation", "contact_tel", "email")


def ask_for_contact(
    session: Session,
    registry: Registry,
    occasion: Occasion,
    asker: Partner,
    subject_id: str,
    body: Tree,
) -> Sequence[Delivery]:
    """Record the request to whoever is to ring back, and return it; nobody, if the child is not on
    the index: who cannot be found cannot be asked after.

    A co-ordinator without a connected service hears of it by an alert.
    """
    head = occasion.head
    reference = references(head).get(subject_id)
    if reference is None:
        return ()
    facts = {
        "asker": asker.organisation,
        "purpose": "ASSESS",
        "call_back": call_back(asker, body),
        "episode_ref": reference,
    }
    service = responsible(head)
    if mediated(session, head):
        found = registry.coordinators.get(head.home_authority or "")
        service = found.service if found is not None else None
        if found is not None and service is None:
            session.add_alert(
                alert(
                    "contact.requested",
                    f"administrator:{found.organisation}",
                    occasion.message_id,
                    at=occasion.now,
                    facts={"asker": asker.organisation, "episode_ref": reference},
                )
            )
    if service is None:
        return ()
    return tell(session, occasion, [Telling("N12", ("ask",), facts, to=(service,))], (), ())


def mediated(session: Session, head: EpisodeHead) -> bool:
    """Return whether the responsible practitioner may not be named to who asks."""
    content = session.version(head.episode_id, head.version)
    tree: Tree = content.tree if content is not None else {}
    contact = tree.get("responsible_practitioner", {})
    return shield_of(tree) != "none" or names_sensitive(contact, masked(tree))


def call_back(asker: Partner, body: Tree) -> dict[str, Any]:
    """Return how to ring the asker: the practitioner whom it names, else its first service."""
    told = {name: held for name, held in body.get("practitioner", {}).items() if name in CALL_BACK}
    if told:
        return told
    service = asker.services[0]
    found = {
        "name": service.name,
        "organisation": asker.organisation,
        "contact_tel": service.contact_tel,
        "email": service.email,
    }
    return {name: held for name, held in found.items() if held is not None}
