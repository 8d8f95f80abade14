"""From a sentence about consent to the decision records that a system sends to the hub."""

from datetime import datetime
from typing import Any

from hub.scenarios.casts import Person
from hub.scenarios.consents import Agreement, Cells, Register, section_keys
from hub.scenarios.parts import plain
from hub.scenarios.scenario import Action

NARROWING = ("exclude", "narrow", "withdraw-section", "withdraw-service")
KINDS = frozenset(
    {
        "store",
        "decide",
        "share",
        "widen",
        "transfer",
        "transfer-no",
        "refuse",
        "index-choice",
        "withdraw-storage",
        "withdraw-sharing",
        *NARROWING,
    }
)


def about(action: Action, register: Register) -> list[Person]:
    """Return whose data the decision is about, adults first.

    A person who gives decides for the children and for themselves; one who takes away or agrees to
    a transfer decides for the children, unless ``for`` says otherwise.  Adults come first, so that
    what the children's decision sets free goes out once.
    """
    chosen: list[Person] = action.ready.get("for") or []
    if chosen:
        return sorted(chosen, key=lambda person: person.child)
    giver: Person = action.ready["person"]
    if giver.child:
        return [giver]
    related = [relation["subject_id"] for relation in giver.block.get("relationships", ())]
    children = [child for child in register.cast.children if child.ref in related]
    if action.kind in ("store", "decide", "share", "widen"):
        return [giver, *children]
    return children or [giver]


def records(
    action: Action, register: Register, *, episode: str, recorded_by: str, at: datetime
) -> list[dict[str, Any]]:
    """Return one full record for each person, and remember what was agreed."""
    giver: Person = action.ready["person"]
    found = []
    for person in about(action, register):
        agreement = register.of(episode, person, giver)
        extra = _change(action, agreement)
        if action.details.text("index"):
            agreement.index = action.details.text("index")
        if action.details.text("expires"):
            extra["expires_at"] = action.details.text("expires")
        if action.details.text("method"):
            extra["method"] = action.details.text("method")
        overrides = action.details.get("with")  # type: ignore[call-overload]
        if overrides is not None:
            extra |= plain(overrides)
        found.append(
            register.record(episode, person, giver, recorded_by=recorded_by, at=at, extra=extra)
        )
    return found


def _change(action: Action, agreement: Agreement) -> dict[str, Any]:
    kind, ready = action.kind, action.ready
    if kind == "store":
        agreement.store = True
        agreement.index = action.details.text("index") or "yes"
        agreement.state = agreement.state if agreement.share else "STORE_ONLY"
        return {}
    if kind == "decide":
        agreement.includes, agreement.excludes = [], []
        agreement.store = action.details.text("store", "yes") != "no"
        agreement.share = bool(ready["shares"])
        _give(agreement, ready["shares"], afresh=True)
        for cells in ready["excludes"]:
            agreement.exclude(cells)
        if not agreement.share:
            agreement.state = "STORE_ONLY" if agreement.store else "REFUSED"
        stated = action.details.text("state")
        return {"state": stated} if stated else {}
    if kind == "share":
        _give(agreement, [ready["cells"]])
        return {}
    if kind == "widen":
        cells = Cells(ready["sections"], ready["services"], sensitive="sensitive" in action.words)
        _give(agreement, [cells])
        return {}
    if kind == "transfer":
        _give(agreement, [Cells(("sec.identity",), ready["services"], ("TRANSFER",))])
        return {}
    if kind == "transfer-no":
        return {
            "state": "REFUSED",
            "purpose": ["TRANSFER"],
            "refusal_scope": "AUTHORITY",
            "share_decision": "no",
            "scope_includes": [],
        }
    if kind == "index-choice":
        agreement.index = "yes" if action.words["choice"] == "agrees to" else "no"
        return {}
    if kind in NARROWING:
        _narrow(action, agreement)
        agreement.state = "NARROWED"
        return {}
    agreement.share, agreement.includes = False, []
    if kind == "withdraw-sharing":
        agreement.state = "WITHDRAWN"
        return {"withdrawal_type": "SHARE_ALL"}
    agreement.store, agreement.index = False, "no"
    if kind == "withdraw-storage":
        agreement.state = "WITHDRAWN"
        return {"withdrawal_type": "STORE"}
    agreement.state = "REFUSED"
    return {"refusal_scope": "WHOLE_CAF"}


def _give(agreement: Agreement, shares: list[Cells], *, afresh: bool = False) -> None:
    again = agreement.share and not afresh
    agreement.store = agreement.share = True
    if agreement.index == "no" and agreement.state == "NOT_ASKED":
        agreement.index = "yes"
    agreement.state = "WIDENED" if again else "SHARE"
    for cells in shares:
        agreement.include(cells.items())


def _narrow(action: Action, agreement: Agreement) -> None:
    ready = action.ready
    if action.kind == "exclude":
        agreement.exclude(ready["cells"])
    elif action.kind == "withdraw-section":
        agreement.exclude(Cells(ready["sections"], ready["services"]))
    elif action.kind == "withdraw-service":
        agreement.drop(ready["services"])
    else:
        lost = tuple(key for key in section_keys() if key not in ready["sections"])
        agreement.exclude(Cells(lost, ready["services"]))
