"""The content of a message: what is sent, what the hub derives, whether the whole is lawful."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from hub.domain.checks import check_episode
from hub.domain.difference import responsible_practitioner
from hub.domain.exchange import Tree
from hub.domain.regions import Regions
from hub.errors import Code, Fault, InvalidContent
from hub.ports import Read

DERIVED: Final = ("status", "responsible_practitioner", "opened_at", "closed_at")
MOST_NOTED: Final = 100


def check_whole(merged: Tree, message: Tree) -> None:
    """Refuse an episode that the message would leave incomplete or contradictory."""
    header = message.get("message", {})
    faults = check_episode(
        merged,
        accept_failed_identifiers=bool(header.get("accept_failed_identifiers")),
        whole=True,
        at="/episode",
    )
    if faults:
        raise InvalidContent(
            faults[0].code, f"{len(faults)} faults in the episode as it would be", faults
        )


def noted(read: Read) -> Sequence[Fault]:
    """Return what the sender is told beside the receipt: warnings, and the places of what nothing
    here reads (`reliability.md` P20: named, never dropped in silence).
    """
    unread = [
        Fault(Code.UNKNOWN_FIELD, path, "nothing here reads this: it was left out")
        for path in read.unmapped[:MOST_NOTED]
    ]
    return (*read.warnings, *unread)


def sent_tree(message: Tree) -> Tree:
    """Return the episode part of a message, or the reference that a contribution names."""
    if "contribution" in message:
        return {"episode_id": message["contribution"]["episode_id"]}
    tree: Tree = message["episode"]
    return tree


def without_derived(sent: Tree) -> Tree:
    """Drop what the hub derives: a sender may echo it, and cannot set it."""
    return {name: value for name, value in sent.items() if name not in DERIVED}


HISTORY: Final = ("opened_at", "closed_at")
"""What imported history says itself: when it began and when it ended."""


def without_derived_but_history(sent: Tree, now: datetime) -> Tree:
    """Return imported history with the dates that it has always had (B07, B10).

    Raises `InvalidContent` where the beginning is missing or a date lies ahead.
    """
    faults = []
    if "opened_at" not in sent:
        faults.append(Fault(Code.REQUIRED, "/episode/opened_at", "say when it was opened"))
    faults += [
        Fault(Code.RULE, f"/episode/{name}", "history does not lie ahead")
        for name in HISTORY
        if name in sent and datetime.fromisoformat(sent[name]) > now
    ]
    if faults:
        raise InvalidContent(faults[0].code, "imported history needs dates of its own", faults)
    return {name: value for name, value in sent.items() if name in HISTORY or name not in DERIVED}


def without_form(sent: Tree) -> Tree:
    """Drop the form that a contributor's system works with: the episode keeps the one that it was
    begun on (B41, mixed forms at once).
    """
    return {name: value for name, value in sent.items() if name != "form_profile"}


def without_shield(sent: Tree) -> Tree:
    """Drop the ``none`` that a contributor's form says of every child's shield: it was never told
    of one, so its "none" is silence and lifts nothing.
    """
    if "subjects" not in sent:
        return sent
    subjects = [
        {name: held for name, held in one.items() if (name, held) != ("shielding", "none")}
        for one in sent["subjects"]
    ]
    return {**sent, "subjects": subjects}


def derived(merged: Tree, before: Tree, regions: Regions, now: datetime) -> dict[str, Any]:
    """Return *merged* with what the hub derives: status, times, responsible practitioner."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    after = dict(merged)
    after["status"] = regions.process
    after["opened_at"] = before.get("opened_at") or merged.get("opened_at", moment)
    if regions.process == "CLOSED":
        after["closed_at"] = before.get("closed_at") or merged.get("closed_at", moment)
    responsible = responsible_practitioner(after, regions)
    after.pop("responsible_practitioner", None)
    if responsible is not None:
        after["responsible_practitioner"] = responsible
    return after


def moved_home(merged: Tree, before: Tree, authority: str | None) -> Tree:
    """Return an accepted episode at home in the receiving *authority*, unless the acceptance says
    where it is at home now (T26).
    """
    if authority is None or merged.get("home_authority") != before.get("home_authority"):
        return merged
    return {**merged, "home_authority": authority}
