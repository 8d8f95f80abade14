"""How each field of the data dictionary is called in a text for people, and whether it is shown.

Read from ``narrative_labels.csv``: one row for every member of every class.  *shown* is ``line``
(label and value), ``title`` (names the block that it stands in), ``brief`` (a practitioner by name,
role and organisation), ``number`` (a reference that people quote) or ``never`` (numbers and marks
that only systems need).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from hub.domain.dictionary import Node
from hub.domain.messages import message_tree

SHOWN: Final = frozenset({"line", "title", "brief", "number", "never"})
BRIEF: Final = ("name", "role", "organisation", "service_type")
"""What is told of a practitioner who is named in passing."""

TOP: Final = "Message"


@dataclass(frozen=True, slots=True)
class Label:
    """The plain English name of a member, and how it is shown."""

    text: str
    shown: str


@cache
def labels() -> Mapping[tuple[str, str], Label]:
    """Return every label by class and member."""
    source = files("mappings.engine").joinpath("narrative_labels.csv")
    found: dict[tuple[str, str], Label] = {}
    for row in csv.DictReader(source.read_text("utf-8").splitlines()):
        key = row["class"], row["member"]
        if key in found or row["shown"] not in SHOWN:
            raise ValueError(f"narrative_labels.csv: {key} twice, or not one of {sorted(SHOWN)}")
        found[key] = Label(row["label"], row["shown"])
    return found


@cache
def label(above: str, name: str) -> Label:
    """Return the label of the member *name* of the class *above*."""
    return labels()[above, name]


def kind(node: Node | None) -> str:
    """Return the name of the class at *node*; of the message itself if there is none."""
    return TOP if node is None or node.type is None else node.type.__name__


@cache
def told(path: str) -> bool:
    """Return whether a text for people shows the leaf at the generic *path*."""
    nodes = message_tree()
    above, brief = TOP, False
    for name in path.replace("[]", "").split("."):
        node = nodes.get(name)
        if node is None or (above, name) not in labels():
            return False  # what the hub itself notifies is free: no dictionary, no label
        if label(above, name).shown == "never" or (brief and name not in BRIEF):
            return False
        brief = label(above, name).shown == "brief"
        above, nodes = kind(node), node.children
    return True
