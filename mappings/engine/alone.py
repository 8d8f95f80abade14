"""One child at a time: the message as it is about one child, for documents about one person.

A document that goes onto one child's record must not hold what is only about a brother or sister.
A view keeps what is about the episode, the one child, and the adults who are that child's; every
item of a list that names another child, or an adult who belongs to other children alone, is gone
from it before any rule runs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.errors import Code, Fault, Rejected

ABOUT: Final = ("subject_id", "parent_carer_id", "person_id")
"""Members by which an item says whose data it is."""


@dataclass(frozen=True, slots=True)
class View:
    """The message about one child; *seed* fixes the ids of its document.

    *seed* is message id, episode id and the child's id, one a line.
    """

    tree: Mapping[str, Any]
    seed: str


def alone(tree: Mapping[str, Any]) -> list[View]:
    """Return one view for every child of *tree*, in their order.

    Raises `Rejected` (``E_MAPPING``) where there is no child, or no message id to make ids from.
    """
    episode = tree.get("episode") or {}
    children = episode.get("subjects") or ()
    message = (tree.get("message") or {}).get("message_id")
    if not children:
        raise _missing("episode.subjects", "a document is about a child")
    if message is None:
        raise _missing("message.message_id", "the ids of a document are made from it")
    found = []
    for child in children:
        others = frozenset(_others(episode, child))
        seed = f"{message}\n{episode.get('episode_id', '')}\n{child.get('subject_id', '')}"
        kept = {**_without(episode, others), "subjects": (child,)}
        found.append(View({**_without(tree, others), "episode": kept}, seed))
    return found


def _missing(path: str, why: str) -> Rejected:
    return Rejected(Code.MAPPING, f"{path}: {why}", (Fault(Code.MAPPING, path, why),))


def _others(episode: Mapping[str, Any], child: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the ids of the other children, and of adults who are theirs alone."""
    for one in episode.get("subjects") or ():
        if one is not child and "subject_id" in one:
            yield one["subject_id"]
    for adult in episode.get("parents_carers") or ():
        ties = adult.get("relationships") or ()
        if ties and not any(tie.get("subject_id") == child.get("subject_id") for tie in ties):
            yield adult.get("parent_carer_id")


def _without(value: Any, others: frozenset[Any]) -> Any:
    """Return *value* without items that name one of *others*, and without lists emptied so."""
    if not others:
        return value
    if isinstance(value, Mapping):
        made = {}
        for name, inner in value.items():
            held = None if _names(inner, others) else _without(inner, others)
            if held is not None:
                made[name] = held
        return made
    if isinstance(value, list | tuple):
        kept = [_without(one, others) for one in value if not _names(one, others)]
        return kept or None
    return value


def _names(value: Any, others: frozenset[Any]) -> bool:
    return isinstance(value, Mapping) and any(value.get(name) in others for name in ABOUT)
