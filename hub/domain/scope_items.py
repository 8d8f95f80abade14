"""One item of a consent scope: what it names, what it is for, and whether it holds now."""

from typing import TYPE_CHECKING, Final

from hub.domain.decision import ACTIONS, ALL, DEFAULT_PURPOSES, SHAREABLE, period
from hub.domain.exchange import Tree
from hub.errors import Code

if TYPE_CHECKING:
    from hub.domain.consent import Ask

NAMEABLE: Final = SHAREABLE | {ALL}


def meant(item: Tree, ask: "Ask") -> bool:
    """Tell whether an inclusion is for what is asked; silence means assessing and planning."""
    purpose = item.get("purpose")
    return bool(ask.purpose == purpose) or (purpose is None and ask.purpose in DEFAULT_PURPOSES)


def item_doubt(item: Tree, ask: "Ask") -> Code | None:
    """Return why this one inclusion is not permitted now, or ``None``."""
    action, section = item.get("action"), item.get("section")
    readable = isinstance(section, str) and section in NAMEABLE
    if not readable or (action is not None and action not in ACTIONS):
        return Code.CONSENT_SCOPE
    if "from" not in item and "to" not in item:
        return None
    span = period(item)
    if span is None or ask.at < span[0]:
        return Code.CONSENT_SCOPE
    return Code.CONSENT_EXPIRED if ask.at >= span[1] else None
