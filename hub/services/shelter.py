"""Whereabouts: what could give away where a shielded person is stays behind, in every field.

A shield is set case by case (`domain.md` A10): ``whereabouts`` hides address, school, GP and other
practitioners; ``full`` hides that there is anything at all, and then nothing leaves (CL-24).  One
leaked address can get someone killed, so the shield of one person covers the whole family of the
episode: siblings go to the same school, and whoever lives with them shares their address.

What is concealed goes before the gate cuts, so that what leaves is what would leave if the places
had never been recorded.

The allow-list of a shield of whereabouts (`domain.md` 1.5, N5) are the services that everybody who
is shielded lets know the place, by a ``locate`` of their own (D-41); `full` has none.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from hub.domain.assessment import PersonPresent
from hub.domain.consent import Agreements, Ask
from hub.domain.contacts import Practitioner
from hub.domain.dictionary import Node, episode_tree
from hub.domain.exchange import Tree

Shield = Literal["none", "whereabouts", "full"]

CHILD: Final = (
    *("address", "no_fixed_or_known_address", "contact_tel", "email", "aka_previous_names"),
    *("ordinarily_resident_authority", "school_or_setting", "gp_practice"),
)
ADULT: Final = ("address", "contact_tel", "email", "aka")
SERVICES: Final = ("universal_service", "other_service")
PEOPLE_AT_WORK: Final = frozenset({Practitioner, PersonPresent})
CONTACTS: Final = frozenset({"responsible_practitioner", "lead_professional"})
"""Whom a recipient must be able to ring; everybody else at work stays unnamed (CL-24)."""
LOCAL: Final = frozenset({"la-child-id", "upn", "urn", "laestab", "uprn", "usrn"})
"""Identifiers that name an authority, a school or a place."""
SCHOOLS: Final = ".household_member[].school"
SETTINGS: Final = frozenset({"SCH", "EYS", "SCHN", "SENCO", "GP", "HV", "MIDW", "CCFH"})
"""Services that are where their families are (CL-11)."""
BASE: Final = ("address_lines", "postcode")
PLACELESS: Final = frozenset({"kind", "occurred_on", "text"})
"""What of a notice from a school or health system says nothing of where the child goes."""
SHORTEST: Final = 4
"""Characters of a place's name that a text is searched for; a shorter one is in every text."""


REACHED: Final = {
    "none": (),
    "no_address": ("address",),
    "no_contact": ("address", "contact_tel", "email"),
    "court_order": ("address", "contact_tel", "email"),
    "informed_by_professional_only": ("address", "contact_tel", "email"),
}
"""By what an adult under each restriction (CL-24b) could be reached: it is in nobody's view."""


def shield_of(*trees: Tree) -> Shield:
    """Return the strongest shield of anybody in any of *trees*; a code unknown here is ``full``."""
    shields = {held for tree in trees for held in shields_of(tree).values()}
    if shields - {"none", "whereabouts"}:
        return "full"
    return "whereabouts" if "whereabouts" in shields else "none"


def shields_of(tree: Tree) -> dict[str, str]:
    """Return the shield of each person in *tree*, by id; who has none says ``none``."""
    return {
        str(person.get(name)): str(person.get("shielding") or "none")
        for people, name in (("subjects", "subject_id"), ("parents_carers", "parent_carer_id"))
        for person in tree.get(people, ())
    }


def may_locate(trees: Sequence[Tree], agreements: Agreements, ask: Ask) -> bool:
    """Return whether everybody who is shielded in any of *trees* lets the service know the place
    (nobody is: then it is no secret); ``full`` is for nobody to know.
    """
    return all(
        held == "none" or (held == "whereabouts" and agreements.located(person, ask))
        for tree in trees
        for person, held in shields_of(tree).items()
    )


def unreachable(tree: Tree) -> Tree:
    """Return *tree* without the ways to adults whom nobody may reach (CL-24b), for every view.

    A restriction that is not known here is the strictest.
    """
    adults = tree.get("parents_carers", ())
    if all(adult.get("contact_restriction", "none") == "none" for adult in adults):
        return tree
    strictest = REACHED["no_contact"]
    shown = [
        _less(adult, REACHED.get(str(adult.get("contact_restriction", "none")), strictest))
        for adult in adults
    ]
    return {**tree, "parents_carers": shown}


def sheltered(tree: Tree, *versions: Tree, located: bool = False) -> Tree:
    """Return *tree* without what could tell where its shielded people are, if anybody is shielded
    in it or in one of its other *versions*: places that any of them knows are kept out of texts.

    *located*: the recipient may know the place.  Whom nobody may reach stays out of reach even so.
    """
    if located or shield_of(tree, *versions) == "none":
        return unreachable(tree)
    known = Places((tree, *versions))
    whole = unreachable(tree)
    if "plan" in whole:  # while it still says who owns what
        whole = {**whole, "plan": _plan(whole["plan"])}
    shown = _without(whole, episode_tree(), known) or {}
    shown["subjects"] = [_person(one, CHILD) for one in shown.get("subjects", ())]
    shown["parents_carers"] = [
        _person(one, ADULT) if _lives_along(one) else one for one in shown.get("parents_carers", ())
    ]
    if "services" in shown:
        shown["services"] = _less(shown["services"], SERVICES)
    for held in (shown, shown.get("services", {})):
        for name in CONTACTS & held.keys():
            if known.is_base(held[name]):
                del held[name]
    return {name: value for name, value in shown.items() if value not in ({}, [])}


REWRITE: Final = "rewrite"
"""Marks an N5 to the index as taking away (or giving back) what a shield hides; never shown."""


def sheltered_facts(facts: Tree, *trees: Tree) -> Tree:
    """Return the facts of a notification without who came and went, and without what a notice says
    of the place that it comes from: nobody else at work is named under a shield (CL-24).
    """
    shown = _less(facts, ("joined", "left"))
    if "notice" in facts:
        known = Places(trees)
        shown = _less(shown, ("from",))
        shown["notice"] = {
            name: value
            for name, value in facts["notice"].items()
            if name in PLACELESS and not known.named_in(value)
        }
    return shown


def told_fields(focus: Sequence[str]) -> tuple[str, ...]:
    """Return which of the changed fields that *focus* names may be spoken of under a shield."""
    silent = {*CHILD, "identifiers"}
    return tuple(path for path in focus if path.rpartition("].")[2] not in silent)


class Places:
    """Everything that names a place where the family of *trees* is; texts are searched for it."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        """Collect from every version at hand; a place that was corrected may still be the one."""
        self._words: set[str] = set()
        self._postcodes: set[str] = set()
        self._digits: set[str] = set()
        self._organisations: set[str] = set()
        for tree in trees:
            for child in tree.get("subjects", ()):
                self._note(child)
                for body in (*child.get("school_or_setting", ()), child.get("gp_practice") or {}):
                    self._body(body)
            for adult in tree.get("parents_carers", ()):
                if _lives_along(adult):
                    self._note(adult)
            universal = tree.get("services", {}).get("universal_service", {})
            for body in (
                universal.get("gp") or {},
                *universal.get("early_years_or_education_or_training", ()),
            ):
                self._body(body)
                self._address(body.get("address") or {})

    def _note(self, person: Tree) -> None:
        for address in person.get("address", ()):
            self._address(address)
        self._digits.update(map(_number, person.get("contact_tel", ())))
        self._words.update(map(_plain, person.get("email", ())))

    def _address(self, address: Tree) -> None:
        self._words.update(map(_plain, address.get("address_lines", ())))
        if "uprn" in address:
            self._words.add(_plain(address["uprn"]))
        if _plain(address.get("postcode", "")):
            self._postcodes.add(_plain(address["postcode"]).translate(ALIKE))

    def _body(self, body: Tree) -> None:
        if "name" in body:
            self._words.add(_plain(body["name"]))
        if "organisation_id" in body:
            self._organisations.add(str(body["organisation_id"]))
        if "contact_tel" in body:
            self._digits.add(_number(body["contact_tel"]))

    def named_in(self, text: str) -> bool:
        """Return whether *text* names one of the places, however it is spelt or spaced."""
        return self._in(text) or self._in(MARKUP.sub("", str(text)))

    def _in(self, text: Any) -> bool:
        plain, digits = _plain(text), _digits(text)
        read = plain.translate(ALIKE)
        return (
            any(len(word) >= SHORTEST and word in plain for word in self._words)
            or any(code in read for code in self._postcodes)
            or any(len(number) > SHORTEST and number in digits for number in self._digits)
        )

    def is_base(self, practitioner: Tree) -> bool:
        """Return whether a practitioner works where the family is: their name would tell."""
        return (
            practitioner.get("service_type") in SETTINGS
            or practitioner.get("organisation") in self._organisations
        )


MARKUP: Final = re.compile(r"<[^<>]*>|&#?\w+;|\\\.?\w{1,6}\\")
"""Tags, entities and escapes that some format could have left in a text, in mid-word."""
ALIKE: Final = str.maketrans({"o": "0", "i": "1", "l": "1"})
"""Letters and digits that people take for each other in a postcode."""


def _plain(text: Any) -> str:
    """Return the letters and digits of *text* alone, however it was composed or spaced."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKD", str(text)).casefold())


def _digits(text: Any) -> str:
    plain = _plain(text)
    return "".join(str(unicodedata.decimal(one)) for one in plain if one.isdecimal())


def _number(telephone: Any) -> str:
    """Return what of a telephone number is said however it is dialled: neither 0 nor 44."""
    digits = _digits(telephone)
    return re.sub(r"^(?:00)?44(?=\d{9})", "", digits).lstrip("0")


def _lives_along(adult: Tree) -> bool:
    """Return whether an adult may be where the children are: unless the record says no to all."""
    if adult.get("shielding", "none") != "none":
        return True
    ties = adult.get("relationships", ())
    return not ties or any(tie.get("lives_with_child") != "N" for tie in ties)


def _person(person: Tree, places: Sequence[str]) -> dict[str, Any]:
    shown = _less(person, places)
    kept = [one for one in shown.get("identifiers", ()) if one.get("system") not in LOCAL]
    if "identifiers" in shown:
        shown["identifiers"] = kept
    return {name: value for name, value in shown.items() if value != []}


def _plan(plan: Tree) -> dict[str, Any]:
    """Return the plan without its team, and without what a service where the family is does."""
    shown = _less(plan, ("team_member",))
    for name, service in (("action", _owner), ("service_request", _asked)):
        if name in shown:
            shown[name] = [
                item for item in shown[name] if service(item).rpartition("/")[2] not in SETTINGS
            ]
    return {name: value for name, value in shown.items() if value != []}


def _owner(action: Tree) -> str:
    owner = action.get("action_owner", {})
    return str(owner.get("service") or (owner.get("practitioner") or {}).get("service_type"))


def _asked(request: Tree) -> str:
    return str(request.get("requested_service", ""))


def _less(tree: Tree, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name not in names}


def _without(tree: Tree, nodes: Mapping[str, Node], known: Places) -> dict[str, Any] | None:
    """Return *tree* without other practitioners, bases, and texts that name a place; None if what
    is left says nothing, because a text that it needs stayed behind.
    """
    shown: dict[str, Any] = {}
    for name, value in tree.items():
        node = nodes.get(name)
        if node is None or _hidden(node):
            continue
        part = _part(value, node, known)
        if part is None and node.required:
            return None
        if part is not None and part != []:
            shown[name] = part
    return shown


def _hidden(node: Node) -> bool:
    """Return whether *node* holds other practitioners, or where any of them works."""
    if node.type in PEOPLE_AT_WORK:
        return node.name not in CONTACTS
    inside = node.path.rpartition(".")[0]
    return node.path.endswith(SCHOOLS) or (node.name in BASE and ".address" not in inside)


def _part(value: Any, node: Node, known: Places) -> Any:
    if node.leaf is None:
        if isinstance(value, Mapping):
            return _without(value, node.children, known)
        parts = (_without(item, node.children, known) for item in value)
        return [part for part in parts if part is not None]
    if node.leaf.form not in {"string", "text"}:
        return value
    if isinstance(value, list | tuple):
        return [item for item in value if not known.named_in(item)]
    return None if known.named_in(value) else value
