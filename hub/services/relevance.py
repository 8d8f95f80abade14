"""Whether a message tells its recipient anything that is theirs to know, and the facts that it may
tell.

A notification about something that the recipient may not see would tell that it happened
(`design.md` section 6): it is not sent.
"""

from collections.abc import Sequence
from typing import Any, Final

from hub.domain.dictionary import Node, episode_tree
from hub.domain.exchange import Tree
from hub.services.masking import sensitive_service
from hub.services.permits import SECTION, Permits
from hub.services.prune import prune
from hub.services.views import changed_fields

MEETINGS: Final = frozenset({"team.called", "review.opened"})
"""Team events that everybody in the team is told of, whoever came or went."""


def visible_facts(
    message_type: str,
    facts: Tree,
    focus: Sequence[str],
    tree: Tree,
    shown: Tree,
    permits: Permits,
) -> dict[str, Any] | None:
    """Return what of *facts* goes with the *shown* part of *tree*; None if nothing is told at all.

    *permits* are those by which *shown* was pruned.
    """
    match message_type:
        case "N4":
            tells = bool(shown.keys() - {"episode_id"})
        case "N5":
            changed = _changed(tree, tuple(focus), shown, permits)
            return {**facts, "changed": changed} if changed else None
        case "N6" | "N7" | "PULL":
            tells = bool(permits.counted)
        case "N8":
            return _team_facts(facts, permits)
        case "N9":
            tells = "plan" in shown or "reviews" in shown
        case _:
            tells = True
    return dict(facts) if tells else None


def _team_facts(facts: Tree, permits: Permits) -> dict[str, Any] | None:
    """Return the facts of a team event: no sensitive service; names only to who sees the plan."""
    told = {name: value for name, value in facts.items() if name not in {"joined", "left"}}
    moved = {
        name: [ref for ref in facts.get(name, ()) if not sensitive_service(ref)]
        for name in ("joined", "left")
    }
    if facts.get("event") not in MEETINGS and not any(moved.values()):
        return None
    if permits.shared("sec.plan") & SECTION:
        told.update({name: refs for name, refs in moved.items() if refs})
    return told


def _changed(tree: Tree, focus: tuple[str, ...], shown: Tree, permits: Permits) -> list[str]:
    """Return which changed fields this recipient may know of.

    What is gone, and what may never be shown, look the same: named, without a value.
    """
    seen = {subject.get("subject_id"): subject for subject in shown.get("subjects", ())}
    return [
        f"subjects[subject_id={subject['subject_id']}].{name}"
        for subject in tree.get("subjects", ())
        for name in changed_fields(focus, subject["subject_id"])
        if _at(seen.get(subject["subject_id"]), name) is not None
        or _may_see(name, subject["subject_id"], permits)
    ]


def _at(subject: Any, name: str) -> Any:
    for part in name.split("."):
        subject = subject.get(part) if subject else None
    return subject


def _may_see(name: str, subject_id: str, permits: Permits) -> bool:
    """Return whether a field of a child would be shown if it held something ordinary."""
    node, place = episode_tree()["subjects"], name.split(".")
    for part in place:
        node = node.children[part]
    probe = _filled(node)
    for part in reversed(place):
        probe = {part: probe}
    tree = {"subjects": [{"subject_id": subject_id, **probe}]}
    return bool(prune(tree, Permits(permits.children, permits.adults, permits.rights)))


def _filled(node: Node) -> Any:
    if node.leaf is not None:
        return ["-"] if node.leaf.many else "-"
    item = {name: _filled(child) for name, child in node.children.items()}
    return [item] if node.kind == "list" else item
