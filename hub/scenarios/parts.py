"""Parts of an episode as written in a scenario, typed by the data dictionary."""

import re
from typing import Any

from hub.domain.dictionary import Node, episode_tree
from hub.scenarios.casts import Cast
from hub.scenarios.reading import Fields, Items, Text, unknown


def typed(node: Any, cast: Cast, under: str = "", *, as_is: bool = False) -> Any:
    """Return a part of an episode as plain JSON, typed by the data dictionary.

    A practitioner may be written by name.  Unknown fields are complained about with the nearest
    known one, unless *as_is*, which is how a scenario sends what is wrong on purpose.
    """
    nodes = episode_tree()[under].children if under else episode_tree()
    return _object(node, nodes, cast, as_is=as_is)


def _object(node: Any, nodes: Any, cast: Cast, *, as_is: bool) -> Any:
    if not isinstance(node, Fields):
        return plain(node)
    result = {}
    for key, value in node.items():
        known = nodes.get(str(key))
        if known is None:
            if not as_is:
                raise unknown(key, "field of the data dictionary", nodes)
            result[str(key)] = plain(value)
        else:
            result[str(key)] = _value(value, known, cast, as_is=as_is)
    return result


def _value(value: Any, known: Node, cast: Cast, *, as_is: bool) -> Any:
    if known.leaf is not None:
        if known.leaf.many:
            items = value if isinstance(value, Items) else [value]
            return [_scalar(one, known.leaf.form) for one in items]
        return _scalar(value, known.leaf.form)
    if known.kind == "list":
        if not isinstance(value, Items):
            value = [value]
        return [_item(one, known, cast, as_is=as_is) for one in value]
    return _item(value, known, cast, as_is=as_is)


def _item(value: Any, known: Node, cast: Cast, *, as_is: bool) -> Any:
    if isinstance(value, Text) and "practitioner_id" in known.children:
        return cast.practitioner(value)
    return _object(value, known.children, cast, as_is=as_is)


def _scalar(value: Any, form: str) -> Any:
    if not isinstance(value, Text):
        return plain(value)
    if form == "bool" and not value.quoted and value in ("true", "false", "yes", "no"):
        return value in ("true", "yes")
    if form == "int" and not value.quoted and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return str(value)


def plain(node: Any) -> Any:
    """Return plain JSON; unquoted true, false, null and whole numbers are what they look like."""
    if isinstance(node, Fields):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, Items):
        return [plain(one) for one in node]
    if isinstance(node, Text):
        if not node.quoted:
            if node in ("true", "false"):
                return node == "true"
            if node in ("null", "~"):
                return None
            if re.fullmatch(r"-?(0|[1-9][0-9]{0,8})", node):
                return int(node)
        return str(node)
    return node
