"""A second opinion on the gate, written plainly from `design.md` section 6 and `domain.md` 4.2.

It says leaf by leaf who must have agreed, and asks them one by one.  It shares the data dictionary
with the hub, and nothing else of how the hub decides.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.domain.codes import code_list
from hub.domain.dictionary import BY_ELEMENT, Leaf, Node, episode_tree

Tree = Mapping[str, Any]
Where = tuple[str | int, ...]
Says = Callable[[str, str, str], bool]
"""(person, section, "basic" or "section" or "sensitive") to whether that person has agreed."""

PEOPLE: Final = ("person_id", "parent_carer_id", "subject_id")


@dataclass(frozen=True)
class Place:
    """What encloses a leaf."""

    child: str | None = None
    adult: str | None = None
    named: str | None = None
    element: str | None = None


def attribute(list_id: str, code: Any, name: str) -> str:
    """Return an attribute of a code, or nothing."""
    known = code_list(list_id).codes.get(str(code))
    return "" if known is None else known.attributes.get(name, "")


def is_sensitive(service: Any) -> bool:
    """Whether the name of this service is itself health data or worse (F6)."""
    return attribute("CL-11", str(service).split("/")[-1], "sensitive") == "yes"


class Policy:
    """The policy for one recipient of one episode."""

    def __init__(self, tree: Tree, says: Says) -> None:
        self.says = says
        self.children = [child["subject_id"] for child in tree.get("subjects", ())]
        self.adults = [adult["parent_carer_id"] for adult in tree.get("parents_carers", ())]
        self.tree = tree
        self.secret = self._secret(tree)

    # Who must have agreed

    def must_agree(self, about: str, tags: frozenset[str], place: Place) -> list[str] | None:
        """Return everybody who must have agreed, or None where nobody can."""
        children = [place.child] if place.child else self.children
        needed: list[str | None] = []
        if about == "child":
            needed = [place.child]
        elif about in {"children", "practitioner"}:
            needed = [*children]
        elif about == "adult":
            needed = [*children, place.adult]
        elif about == "adults":
            needed = [*children, *(self.adults or [None])]
        elif about == "item":
            if place.named in self.children:
                needed = [place.named]
            elif place.named in self.adults:
                needed = [*self.children, place.named]
        if "THP" in tags and about in {"child", "children", "practitioner"}:
            needed = [*needed, *(self.adults or [None])]
        if not needed or None in needed:
            return None
        return [person for person in needed if person]

    def agreed(self, leaf: Leaf, value: Any, place: Place) -> bool:
        """Whether a leaf that is about somebody may be seen."""
        tags, section, about = leaf.sensitivity, leaf.section, leaf.about
        if section == BY_ELEMENT and not tags:
            section = attribute("CL-14", place.element, "section")
            tags = frozenset(attribute("CL-14", place.element, "sensitivity").split())
            about = "child"
            if not section:
                return False
        if tags & {"RES", "LOC"} or about == "unknown":
            return False
        if leaf.codes and not leaf.many and attribute(leaf.codes, value, "restricted") == "RES":
            return False
        people = self.must_agree(about, tags, place)
        if people is None:
            return False
        kind = "sensitive" if "SEN" in tags else "basic" if "BAS" in tags else "section"
        return all(self.says(person, section, kind) for person in people)

    # What is never named

    def _secret(self, tree: Tree) -> tuple[set[str], set[str]]:
        """Return practitioners and organisations known to be sensitive services."""
        who: set[str] = set()
        where: set[str] = set()
        plain: set[str] = set()

        def see(practitioner: str | None, organisation: str | None, secret: bool) -> None:
            if secret:
                who.add(practitioner or "")
                where.add(organisation or "")
            else:
                plain.add(organisation or "")

        plan, services = tree.get("plan", {}), tree.get("services", {})
        blocks = [*services.get("assessor", ())]
        blocks += [services.get("lead_professional"), tree.get("responsible_practitioner")]
        blocks += [tree.get("closure", {}).get("closed_by")]
        blocks += [a.get("action_owner", {}).get("practitioner") for a in plan.get("action", ())]
        for child in tree.get("subjects", ()):
            blocks += [element.get("author") for element in child.get("elements", ())]
        for block in blocks:
            if block and "service_type" in block:
                kind = is_sensitive(block["service_type"])
                see(block["practitioner_id"], block["organisation"], kind)
        for action in plan.get("action", ()):
            owner = action.get("action_owner", {})
            if is_sensitive(owner.get("service")):
                held = owner.get("practitioner", {})
                see(held.get("practitioner_id"), owner["service"].split("/")[0], True)
        for name, items in (
            ("team_member", plan.get("team_member", ())),
            ("other_service", services.get("other_service", ())),
        ):
            node = episode_tree()["plan" if name == "team_member" else "services"].children[name]
            for item in items:
                held = item.get("practitioner", {})
                secret = self.forbidden(node, item) or is_sensitive(held.get("service_type"))
                see(held.get("practitioner_id"), item.get("organisation"), secret)
        return who - {""}, where - plain - {""}

    def forbidden(self, node: Node, item: Tree) -> bool:
        """Whether a whole group stays behind, whatever was agreed."""
        names = node.children
        if "practitioner_id" in names:
            if "service_type" in item:
                return is_sensitive(item["service_type"])
            who, where = self.secret
            return item["practitioner_id"] in who or item["organisation"] in where
        if "address_lines" in names:
            return item.get("use") == "refuge"
        if "is_sensitive_service" in names:
            doubt = item["service_type"] == "OTH" and item.get("is_sensitive_service") is not False
            flagged = item.get("is_sensitive_service") is True
            return is_sensitive(item["service_type"]) or doubt or flagged
        if "action_owner" in names:
            # What it does is for who sees the sensitive of the plan; whose it is, for nobody.
            node = episode_tree()["plan"].children["action"].children["action_owner"]
            agreed = self.children and all(
                self.says(child, "sec.plan", "sensitive") for child in self.children
            )
            return self.forbidden(node, item.get("action_owner", {})) and not agreed
        if {"service", "practitioner", "person_id"} <= names.keys():
            owner = item
            block = owner.get("practitioner")
            node = episode_tree()["plan"].children["action"].children["action_owner"]
            return is_sensitive(owner.get("service")) or bool(
                block and self.forbidden(node.children["practitioner"], block)
            )
        if "requested_service" in names:
            return is_sensitive(item["requested_service"])
        if "joined" in names:
            return is_sensitive(item["service_type"])
        return False

    # What comes out

    def shown(self) -> dict[str, Any]:
        """Return what the recipient may see of the episode."""
        found: dict[str, Any] = {}
        for name, value in self.tree.items():
            node = episode_tree().get(name)
            seen = None if node is None else self._value(node, value, Place())
            if seen is not None:
                found[name] = seen
        self._hang(found)
        return found

    def _hang(self, found: dict[str, Any]) -> None:
        """Name, after everybody who is shown, the children of whom only a relationship is told."""
        for adult in found.get("parents_carers", ()):
            for told in adult.get("relationships", ()):
                children = found.setdefault("subjects", [])
                if all(child["subject_id"] != told["subject_id"] for child in children):
                    children.append({"subject_id": told["subject_id"]})

    def _value(self, node: Node, value: Any, place: Place) -> Any:
        if node.leaf is not None:
            return self._leaf(node.leaf, value, place)
        if node.kind == "object":
            return self._group(node, value, place)
        items = [self._group(node, item, place) for item in value]
        return [item for item in items if item is not None] or None

    def _leaf(self, leaf: Leaf, value: Any, place: Place) -> Any:
        if leaf.path.endswith((".person_id", ".parent_carer_id")) and leaf.about != "adult":
            people = self.must_agree("item", frozenset(), replace(place, named=value))
            kinds = ["basic", "section", "sensitive"]
            if leaf.about != "item":  # who owns an action: content of the plan
                people, kinds = [*self.children, *(people or [""])], ["section"]
            agreed = people is not None and any(
                all(self.says(person, leaf.section, kind) for person in people) for kind in kinds
            )
            return value if agreed else None
        if leaf.sensitivity & {"RES", "LOC"} or leaf.about == "unknown":
            return None
        if leaf.codes and not leaf.many and attribute(leaf.codes, value, "restricted") == "RES":
            return None
        if leaf.sensitivity & {"ADM", "IDX"} or (leaf.section == BY_ELEMENT and leaf.key):
            return value
        return value if self.agreed(leaf, value, place) else None

    def _group(self, node: Node, item: Tree, place: Place) -> Any:
        if self.forbidden(node, item):
            return None
        if node.path == "subjects":
            place = Place(child=item["subject_id"])
        elif node.path == "parents_carers":
            place = Place(adult=item["parent_carer_id"])
        elif node.path.endswith(".elements"):
            place = replace(place, element=item["element"])
        elif any(name in node.children for name in PEOPLE):
            named = next((item[name] for name in PEOPLE if name in item), None)
            child = item.get("subject_id") if place.adult else place.child
            place = replace(place, named=named, child=child)
        seen = {
            name: shown
            for name, value in item.items()
            if (shown := self._value(node.children[name], value, place)) is not None
        }
        # What only identifies or dates goes with something, never by itself.
        matters = [name for name in node.children if not _only_admin(node.children[name])]
        if matters and not any(name in seen for name in matters):
            return None
        return seen or None


def _only_admin(node: Node) -> bool:
    if node.leaf is None:
        return all(_only_admin(child) for child in node.children.values())
    leaf = node.leaf
    if leaf.path.endswith((".person_id", ".parent_carer_id")) and leaf.about not in {
        "item",
        "adult",
    }:
        return False
    return "ADM" in leaf.sensitivity or (leaf.section == BY_ELEMENT and leaf.key)


def leaves_of(tree: Tree) -> Iterator[tuple[Where, Leaf, Any]]:
    """Yield every leaf that a tree holds, with its place."""

    def walk(node: Node, value: Any, where: Where) -> Iterator[tuple[Where, Leaf, Any]]:
        if node.leaf is not None:
            yield where, node.leaf, value
        elif isinstance(value, Mapping):
            for name, held in value.items():
                yield from walk(node.children[name], held, (*where, name))
        else:
            for number, item in enumerate(value):
                for name, held in item.items():
                    yield from walk(node.children[name], held, (*where, number, name))

    for name, value in tree.items():
        yield from walk(episode_tree()[name], value, (name,))


def thaw(value: Any) -> Any:
    """Return plain lists and dictionaries."""
    if isinstance(value, Mapping):
        return {name: thaw(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [thaw(item) for item in value]
    return value
