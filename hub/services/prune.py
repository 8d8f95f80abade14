"""The field filter: what of a canonical tree one recipient may see, leaf by leaf.

Made once from the data dictionary.  What it cannot place it withholds; an identifier or other
administrative leaf rides along only where something of the same item is released, so that neither a
count nor an empty shell tells what was cut (`design.md` section 6, `domain.md` 4.2).

It goes over every field of every message, so what decides about a field is written down once as
straight Python, one function for each kind of object (D-25).  Of what the fields hold, or of any
configuration, nothing is ever part of that text: names of fields and of sections are the
dictionary's own, everything else is bound by name.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from hub.domain.contacts import Address
from hub.domain.dictionary import Leaf, Node, episode_tree
from hub.services.leaf_rules import (
    FREE,
    NEVER,
    NO_RULE,
    by_element,
    element_numbers,
    needed,
    numbers,
    rule_of,
)
from hub.services.masking import (
    names_sensitive,
    other,
    owned,
    restricted_codes,
    sensitive_service,
)
from hub.services.mentioned import with_children
from hub.services.permits import SECTION, SENSITIVE, Permits
from hub.services.place import Place, place
from hub.services.released import Frozen

_Cut = Callable[[Mapping[str, Any], Place, int], Frozen | None]
"""Object, its place, and the number of the rule of the element that it is in, to what may be seen
of it, or None if that says nothing.
"""

PEOPLE: Final = ("person_id", "parent_carer_id", "subject_id")


def prune(tree: Mapping[str, Any], permits: Permits) -> Frozen:
    """Return the part of the episode *tree* that *permits* allow; fields it does not know are
    withheld.
    """
    return with_children(_compiled()(tree, place(permits), NO_RULE) or Frozen())


@cache
def _compiled() -> _Cut:
    code = _Code()
    episode = code.group(episode_tree(), "")
    return code.loaded(episode)


def source() -> str:
    """Return the text of the filter, for whoever wants to read what runs."""
    code = _Code()
    code.group(episode_tree(), "")
    return code.text()


def _restricts(node: Node) -> Callable[[Mapping[str, Any], Permits], bool] | None:
    """Return what makes a whole item of this list, or this group, restricted, if anything does.

    What a sensitive service does is told to who may see the sensitive of the plan; that it is that
    service who does it, to nobody (`domain.md` 1.5 N9, S2).
    """
    if "action_owner" in node.children:
        return lambda item, permits: (
            owned(item, permits.masked) and not permits.shared("sec.plan") & SENSITIVE
        )
    if node.name == "action_owner":
        return lambda owner, permits: owned({"action_owner": owner}, permits.masked)
    if "is_sensitive_service" in node.children:
        return lambda item, permits: other(item, permits.masked)
    if node.type is Address:
        restricted = restricted_codes("CL-28")
        return lambda item, _permits: item.get("use") in restricted
    by = node.sensitive_by
    return (lambda item, _permits: sensitive_service(item.get(by))) if by else None


def _rides(node: Node) -> bool:
    """Return whether *node* is administrative: rides along, and never counts."""
    leaf = node.leaf
    if leaf is None:
        return all(
            child.leaf.sensitivity == {"ADM"} if child.leaf else _rides(child)
            for child in node.children.values()
        )
    if by_element(leaf):
        return leaf.key
    if needed(leaf.sensitivity) != FREE or leaf.about == "unknown":
        return False
    return leaf.about == "item" if _names_person(leaf) else "ADM" in leaf.sensitivity


def _names_person(leaf: Leaf) -> bool:
    """Return whether the leaf says which child or adult something is about or belongs to."""
    return leaf.path.endswith((".person_id", ".parent_carer_id")) and leaf.about != "adult"


class _Code:
    """Python source under construction, and the objects that it uses.

    In each function *value* is the object, *here* its place and *a* the answers there, *own* the
    rule of the element around it by number, *v* the field in hand, *kept* what may be seen so far.
    """

    def __init__(self) -> None:
        self._functions: list[str] = []
        self._names: dict[str, Any] = {
            "Frozen": Frozen,
            "place": place,
            "names_sensitive": names_sensitive,
            "elements": element_numbers(),
        }

    def text(self) -> str:
        return "\n\n".join(self._functions)

    def loaded(self, function: str) -> _Cut:
        exec(compile(self.text(), "<the gate's cut>", "exec"), self._names)  # noqa: S102  our own
        made: _Cut = self._names[function]
        return made

    def _bind(self, value: Any) -> str:
        name = f"b{len(self._names)}"
        self._names[name] = value
        return name

    def group(self, children: Mapping[str, Node], path: str) -> str:
        """Add the function for an object with these fields; return its name."""
        content: list[str] = []
        riding: list[str] = []
        for name, child in children.items():
            lines = riding if path and _rides(child) else content
            lines += self._field(name, child)
        if not content:  # nothing but administrative leaves: the whole group rides along
            content, riding = riding, content
        number = len(self._functions)
        function, again = f"cut{number}", self._same_everywhere(children)
        fields = [*content, *riding]
        lines = [
            *([f"was, told = here.permits.last.get({number}, (None, None))"] if again else []),
            *(["if value == was:", " return told"] if again else []),
            *_begins(children, path),
            *(["a = here.answers"] if any("a[" in line for line in fields) else []),
            *("get, kept = value.get, {}", *content),
            *(["if not kept:", " return None"] if path else []),
            *riding,
            *(
                ["told = Frozen(kept)", f"here.permits.last[{number}] = value, told"]
                if again
                else []
            ),
            "return told" if again else "return Frozen(kept)",
        ]
        written = "\n".join(f" {line}" for line in lines)
        self._functions.append(f"def {function}(value, here, own):\n{written}\n")
        return function

    def _same_everywhere(self, children: Mapping[str, Node]) -> bool:
        """Return whether what may be seen of a practitioner's block is the same wherever it stands:
        then whoever wrote one element after the other is cut once (D-71).
        """
        return "practitioner_id" in children and all(
            child.leaf is not None and not self._condition(child.leaf)
            for child in children.values()
        )

    def _field(self, name: str, node: Node) -> list[str]:
        """Return the lines that put what may be seen of a field into *kept*."""
        taken = f"v = get({name!a})"
        if node.leaf is not None:
            condition = self._condition(node.leaf)
            if condition is None:
                return []
            many = "tuple(v) if type(v) is list else v" if node.leaf.many else "v"
            return [taken, f"if v is not None{condition}:", f" kept[{name!a}] = {many}"]
        cut, restricts = self.group(node.children, node.path), _restricts(node)
        forbids = f"{self._bind(restricts)}({{}}, here.permits)" if restricts else ""
        if node.kind == "object":
            allowed = f" and not {forbids.format('v')}" if forbids else ""
            return [
                taken,
                f"if v is not None{allowed}:",
                f" v = {cut}(v, here, own)",
                " if v is not None:",
                f"  kept[{name!a}] = v",
            ]
        return [
            taken,
            "if v is not None:",
            " items = []",
            " for item in v:",
            *([f"  if {forbids.format('item')}:", "   continue"] if forbids else []),
            f"  item = {cut}(item, here, own)",
            "  if item is not None:",
            "   items.append(item)",
            " if items:",
            f"  kept[{name!a}] = tuple(items)",
        ]

    def _condition(self, leaf: Leaf) -> str | None:
        """Return what must hold besides, for a leaf that is there to be kept; None: never kept."""
        if by_element(leaf):
            return " and (a[own] or a[own] is None and here.ask(own))"
        bit, section = needed(leaf.sensitivity), ascii(leaf.section)
        if bit == NEVER or leaf.about == "unknown":
            return None
        restricted = restricted_codes(leaf.codes)
        lawful = f" and v not in {self._bind(restricted)}" if restricted else ""
        if bit == FREE:
            if not _names_person(leaf):
                return lawful
            person = f"here.permits.person(v, {section})"
            if leaf.about == "item":
                return f" and {person}"
            # Elsewhere than in an item about that person (who owns an action) it is the content.
            return f" and here.permits.shared({section}) & {person} & {SECTION}"
        rule = rule_of(leaf)
        number = numbers()[rule] if rule else None
        return f"{lawful} and (a[{number}] or a[{number}] is None and here.ask({number}))"


def _begins(children: Mapping[str, Node], path: str) -> list[str]:
    """Return the lines before the fields: who is never named, and where an object is."""
    lines = []
    if "practitioner_id" in children:
        lines += ["if names_sensitive(value, here.permits.masked):", " return None"]
    if path == "subjects":
        lines += ["here = place(here.permits, value.get('subject_id'))", f"own = {NO_RULE}"]
    elif path == "parents_carers":
        lines += [
            "here = place(here.permits, None, value.get('parent_carer_id'))",
            f"own = {NO_RULE}",
        ]
    elif path.endswith(".elements"):
        lines.append(f"own = elements.get(value.get('element'), {NO_RULE})")
    elif any(name in children for name in PEOPLE):
        # An item about a person; about an adult, the child is the item's own.
        item = " or ".join(f"value.get({name!r})" for name in PEOPLE)
        child = "value.get('subject_id') if here.adult else here.child"
        lines.append(f"here = place(here.permits, {child}, here.adult, {item})")
    return lines
