"""Explaining a delivery: what was shown by which decision, what was cut and why; as it was then.

For the engineer who asks why a field arrived, or did not.  The view is made again from the version
and the decisions that the gate had before it, in rehearsal: nothing of it can be sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements, Ask
from hub.domain.dictionary import BY_ELEMENT, leaves
from hub.domain.exchange import Delivery, Tree
from hub.errors import Code, Missing
from hub.ports import Session
from hub.services.gate import BY_RECEIPT, TOLD, people
from hub.services.masking import element_rules, masked
from hub.services.permits import Permits
from hub.services.prune import prune
from hub.services.rights import Rights
from hub.services.shelter import may_locate, sheltered
from hub.services.views import view


@dataclass(frozen=True, slots=True)
class Explained:
    """One delivery as it was decided.

    *consent* gives for each section the decisions that permitted it; *withheld* pairs the place of
    a leaf in the episode with the code of the reason.  No values.
    """

    delivery: Delivery
    purpose: str
    decided_at: datetime
    tree: Tree
    consent: Mapping[str, tuple[str, ...]]
    withheld: tuple[tuple[str, str], ...]


def explain(session: Session, delivery_id: str) -> Explained:
    """Return what *delivery_id* showed and what was cut; `Missing` if there is none."""
    delivery = session.delivery(delivery_id)
    content = session.version(delivery.episode_id, delivery.version) if delivery else None
    if delivery is None or content is None:
        raise Missing(
            Code.NOT_FOUND,
            "there is no such delivery, or its content is gone; ecaf messages search lists them",
        )
    decided = [
        row
        for row in session.audit(delivery.episode_id)
        if row.delivery_id == delivery_id
        and row.kind in {"disclosure.intended", "disclosure.fetched"}
    ]
    known = session.decisions(delivery.episode_id)
    if decided:
        at, purpose = decided[-1].at, str(decided[-1].facts["purpose"])
        decisions = known[: int(decided[-1].facts["consent_version"])]
    else:
        at, purpose, decisions = delivery.settled_at or delivery.created_at, "ASSESS", known
    children, adults = people(content.tree)
    agreements = Agreements(decisions, children, adults, known=circumstances(content.tree))
    ask = Ask(delivery.service, purpose, at)
    rights = Rights(agreements, ask)
    about = view(delivery.message_type, content.tree, delivery.focus)
    shown: Tree = {"episode_id": delivery.episode_id}
    agreed = shown
    if delivery.message_type not in BY_RECEIPT and delivery.focus not in TOLD:
        permits = Permits(children, adults, rights, masked(content.tree))
        knows = may_locate((content.tree,), agreements, ask)
        seen = sheltered(content.tree, located=knows)
        open_ = view(delivery.message_type, seen, delivery.focus)
        agreed, shown = prune(about, permits), prune(open_, permits)
    consent, withheld = accounted(about, shown, agreed, agreements, (*children, *adults), ask)
    notification = {"code": delivery.message_type, **delivery.facts}
    return Explained(
        delivery=delivery,
        purpose=purpose,
        decided_at=at,
        tree={"notification": notification, "episode": shown},
        consent=consent,
        withheld=withheld,
    )


def accounted(
    about: Tree,
    shown: Tree,
    agreed: Tree,
    agreements: Agreements,
    persons: Sequence[str],
    ask: Ask,
) -> tuple[dict[str, tuple[str, ...]], tuple[tuple[str, str], ...]]:
    """Return which decisions opened each section, and (place, reason) of every leaf cut away.

    *shown* is what was left of *about* for this *ask*, *agreed* what consent alone would show.
    """
    kept = {place for place, _value in places(shown, about)}
    allowed = {place for place, _value in places(agreed, about)}
    sections = _sections(about)
    consent = {
        section: tuple(
            dict.fromkeys(
                cell.decision_id
                for person in persons
                for cell in [agreements.basic(person, section, ask)]
                if cell.permitted and cell.decision_id
            )
        )
        for section in set(sections.values())
    }
    withheld = tuple(
        (
            place,
            Code.SHIELDED.value if place in allowed else _reason(agreements, persons, section, ask),
        )
        for place, section in sections.items()
        if place not in kept
    )
    return consent, withheld


def places(part: Any, whole: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (place in *whole*, value) of every leaf of *part*, which was cut from it in order."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            yield from places(value, whole[name], f"{at}.{name}" if at else name)
    elif isinstance(part, list | tuple) and part and isinstance(part[0], Mapping):
        later = iter(enumerate(whole))
        for item in part:
            for number, original in later:
                if _is_cut(item, original):
                    yield from places(item, original, f"{at}[{number}]")
                    break
    else:
        yield at, part


def _is_cut(part: Any, whole: Any) -> bool:
    if isinstance(part, Mapping):
        return isinstance(whole, Mapping) and all(
            name in whole and _is_cut(value, whole[name]) for name, value in part.items()
        )
    if isinstance(part, list | tuple) and part and isinstance(part[0], Mapping):
        return isinstance(whole, list | tuple)
    return (tuple(part) if isinstance(part, list) else part) == (
        tuple(whole) if isinstance(whole, list) else whole
    )


def _sections(about: Tree) -> dict[str, str]:
    """Return the section of every leaf that the episode has, by its place."""
    found = {}
    for place, _value in places(about, about):
        section = section_of(about, place)
        if section is not None:
            found[place] = section
    return found


def section_of(about: Tree, place: str) -> str | None:
    """Return the section of the leaf at *place* of *about*; None where the dictionary has none."""
    pattern = pattern_of(place)
    leaf = leaves().get(pattern) or leaves().get(f"{pattern}[]")
    if leaf is None:
        return None
    return element_section(about, place) if leaf.section == BY_ELEMENT else leaf.section


def pattern_of(place: str) -> str:
    """Return the dictionary's path of a place: ``subjects[0].gender`` is ``subjects[].gender``."""
    return "".join(part if not part[:1].isdigit() else "" for part in _split(place))


def _split(place: str) -> Sequence[str]:
    return place.replace("[", "[\0").replace("]", "\0]").split("\0")


def element_section(tree: Tree, place: str) -> str:
    """Return the section of the element that *place* of the episode *tree* is in."""
    return element_rules()[_element(tree, place)][0]


def _element(about: Tree, place: str) -> str:
    """Return the code of the element that *place* (``subjects[0].elements[3].…``) is in."""
    numbers = [int(part) for part in _split(place) if part.isdigit()]
    return str(about["subjects"][numbers[0]]["elements"][numbers[1]]["element"])


def _reason(agreements: Agreements, persons: Sequence[str], section: str, ask: Ask) -> str:
    """Return why a leaf of *section* was cut: the first "no" with its decision, or that no consent
    opens it.
    """
    for person in persons:
        cell = agreements.section(person, section, ask)
        if not cell.permitted and cell.reason is not None:
            by = f" (decision {cell.decision_id})" if cell.decision_id else ""
            return f"{cell.reason.value}{by}"
    return "NEVER_SHARED_OR_NO_DECISION"
