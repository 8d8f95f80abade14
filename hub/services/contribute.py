"""Contributions: signed additions to somebody else's episode, never an overwriting (`domain.md`
B23).

An element of the assessment, a report on one's own action, or the answer to a request for services.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.domain.exchange import Tree
from hub.domain.partner import Partner
from hub.errors import Code, Conflict, Fault
from hub.services.standing import service_of

HUBS_OWN: Final = frozenset({"/status", "/opened_at", "/closed_at"})
"""What only the hub writes."""


def contribute(before: Tree, contribution: Tree, partner: Partner) -> dict[str, Any]:
    """Return *before* with the contribution in it; raises `Conflict` where it is not theirs to
    make.
    """
    after = dict(before)
    if "element" in contribution:
        after["subjects"] = _with_element(before, contribution["element"], partner)
    plan = dict(before.get("plan", {}))
    if "action" in contribution:
        plan["action"] = _with_action(plan.get("action", ()), contribution["action"], partner)
        after["plan"] = plan
    if "service_answer" in contribution:
        requests = plan.get("service_request", ())
        plan["service_request"] = _with_answer(requests, contribution["service_answer"], partner)
        after["plan"] = plan
    return after


def not_yours(path: str) -> Conflict:
    """Return the one refusal for what is somebody else's and for what does not exist: who cannot
    see an item must not learn whether there is one.
    """
    fault = Fault(Code.NOT_OWNER, path, "leave it to its owner")
    return Conflict(Code.NOT_OWNER, "somebody else's to change", (fault,))


def _with_element(before: Tree, element: Tree, partner: Partner) -> list[Tree]:
    """Add or replace the partner's own element; another author's commentary stands."""
    author = element.get("author")
    if not author or author.get("organisation") != partner.organisation:
        raise not_yours("/contribution/element")
    subject_id = element.get("subject_id")
    said = {name: value for name, value in element.items() if name != "subject_id"}
    subjects, found = [], False
    for subject in before.get("subjects", ()):
        if subject["subject_id"] != subject_id:
            subjects.append(subject)
            continue
        found = True
        elements = list(subject.get("elements", ()))
        for place, known in enumerate(elements):
            if known["element"] == said["element"]:
                if (known.get("author") or {}).get("organisation") != partner.organisation:
                    raise not_yours("/contribution/element")
                elements[place] = said
                break
        else:
            elements.append(said)
        subjects.append({**subject, "elements": elements})
    if not found:
        raise not_yours("/contribution/element")
    return subjects


def _with_action(actions: Sequence[Tree], report: Tree, partner: Partner) -> list[Tree]:
    """Return the plan's actions with the owner's report on one of them."""
    kept, found = [], False
    for action in actions:
        if action["id"] != report.get("id"):
            kept.append(action)
            continue
        found = True
        owner = action.get("action_owner", {})
        service = owner.get("service") or service_of(owner.get("practitioner"))
        if service is None or not partner.serves(service):
            raise not_yours("/contribution/action")
        said = list(action.get("progress_comment", ()))
        comments = said + [text for text in report.get("progress_comment", ()) if text not in said]
        changed = {**action, **report}
        if comments:
            changed["progress_comment"] = comments
        kept.append(changed)
    if not found:
        raise not_yours("/contribution/action")
    return kept


def _with_answer(requests: Sequence[Tree], answer: Tree, partner: Partner) -> list[Tree]:
    """Return the plan's requests with the requested service's answer to one of them."""
    kept, found = [], False
    for request in requests:
        if request["id"] != answer.get("request_id"):
            kept.append(request)
            continue
        found = True
        if not partner.serves(request.get("requested_service", "")):
            raise not_yours("/contribution/service_answer")
        changed = {**request, "response": answer["answer"]}
        if "responded_at" in answer:
            changed["responded_at"] = answer["responded_at"]
        kept.append(changed)
    if not found:
        raise not_yours("/contribution/service_answer")
    return kept


def changed_paths(before: Tree, after: Tree) -> frozenset[str]:
    """Return the paths of the leaves that differ, those that came or went among them."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return (
        frozenset(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
        - HUBS_OWN
    )


def check_base(foreign: frozenset[str], before: Tree, after: Tree) -> None:
    """Refuse a change to something that somebody else changed since the sender last saw it
    (``E_VERSION_CONFLICT``); *foreign* are the paths of such changes.
    """
    if not foreign:
        return
    faults = [
        Fault(Code.VERSION_CONFLICT, path, "fetch the newest version, merge, send again")
        for path in sorted(foreign & changed_paths(before, after))
    ]
    if faults:
        raise Conflict(
            Code.VERSION_CONFLICT, "changed by somebody else since you last saw it", tuple(faults)
        )


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf by a path that names list items by their id."""
    if isinstance(value, Mapping):
        for name, held in value.items():
            yield from _flat(held, f"{path}/{name}")
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for place, item in enumerate(value):
            key = next(
                (
                    str(item[k])
                    for k in ("subject_id", "parent_carer_id", "id", "element")
                    if k in item
                ),
                str(place),
            )
            yield from _flat(item, f"{path}/{key}")
    else:
        yield path, value
