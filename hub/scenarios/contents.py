"""What a scenario has put into an episode: sections and values, for the reader of the table."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from hub.domain import codes
from hub.domain.dictionary import BY_ELEMENT, Node, episode_tree

KEYS = ("id", "subject_id", "parent_carer_id", "element", "review_id", "outcome_id", "plan_id")


def sections_of(tree: Mapping[str, Any]) -> set[str]:
    """Return the sections that have anything in them."""
    return set(_sections(tree, episode_tree()))


def _sections(node: Mapping[str, Any], nodes: Mapping[str, Node]) -> Iterator[str]:
    for key, value in node.items():
        known = nodes.get(key)
        if known is None or value in (None, "", [], {}):
            continue
        if known.leaf is not None:
            if known.leaf.section == BY_ELEMENT:
                continue
            yield known.leaf.section
            continue
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, Mapping):
                continue
            element = item.get("element")
            if isinstance(element, str) and element in codes.code_list("CL-14").codes:
                yield str(codes.code_list("CL-14").codes[element].attributes["section"])
            yield from _sections(item, known.children)


def merged(base: Any, more: Any) -> Any:
    """Return *base* with *more* laid over it; list items that say who they are meet each other."""
    if isinstance(base, dict) and isinstance(more, dict):
        result = dict(base)
        for key, value in more.items():
            result[key] = merged(base[key], value) if key in base else copy.deepcopy(value)
        return result
    if isinstance(base, list) and isinstance(more, list):
        key = next(
            (k for k in KEYS if all(isinstance(i, dict) and k in i for i in [*base, *more])), None
        )
        if key is None or not base:
            return copy.deepcopy(more)
        result_list = copy.deepcopy(base)
        for item in more:
            same = [i for i in result_list if i[key] == item[key]]
            if same:
                result_list[result_list.index(same[0])] = merged(same[0], item)
            else:
                result_list.append(copy.deepcopy(item))
        return result_list
    return copy.deepcopy(more)
