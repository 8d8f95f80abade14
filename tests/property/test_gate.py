"""The gate over random families and agreements: what leaves, and what that tells of the rest."""

import copy
import random
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.bootstrap import translator
from hub.domain.codes import code_list
from hub.domain.exchange import Delivery, EpisodeHead, Involvement, Tree
from hub.errors import Code, Rejected, Withheld
from hub.services.gate import Case, Request, address, release
from hub.services.masking import masked
from hub.services.permits import BASIC, SECTION, SENSITIVE, Permits
from hub.services.prune import prune
from hub.services.rights import named_alone
from hub.services.settle import envelope
from hub.services.views import MEMBERS, of_sections
from tests import builders as b
from tests import strategies
from tests.property.gate_model import Policy, leaves_of, thaw
from tests.unit.services.world import FHIR, PARTNERS, START, held

BITS: Final = {"basic": BASIC, "section": SECTION, "sensitive": SENSITIVE}
LEVELS: Final = (0, 0, BASIC, BASIC | SECTION, BASIC | SECTION | SENSITIVE)
SECTIONS: Final = sorted(code_list("sections").codes)
NEVER: Final = {"sec.checklist", "sec.safeguarding"}
TRANSLATOR: Final = translator("https://ecaf.example/fhir")
SERVICE: Final = "HV-A/HV"
RECIPIENT: Final = next(one for one in PARTNERS if one.name == "HV-A")


class Says:
    """Random but steady answers: what each person lets the recipient see of each section."""

    def __init__(self, seed: int, generous: float) -> None:
        self.seed, self.generous = seed, generous

    def bits(self, person: str, section: str) -> int:
        if section in NEVER:
            return 0
        chance = random.Random(f"{self.seed}/{person}/{section}")
        return LEVELS[-1] if chance.random() < self.generous else chance.choice(LEVELS)

    def levels(self, person: str) -> dict[str, int]:
        return {section: self.bits(person, section) for section in SECTIONS}

    def __call__(self, person: str, section: str, kind: str) -> bool:
        return bool(self.bits(person, section) & BITS[kind])


says = st.builds(Says, st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 0.9, 1.0]))


def permits(tree: Tree, answers: Says) -> Permits:
    """Return the permits of a recipient for a tree."""
    return Permits(
        tuple(child["subject_id"] for child in tree["subjects"]),
        tuple(adult["parent_carer_id"] for adult in tree.get("parents_carers", ())),
        answers.levels,
        masked(tree),
    )


@settings(max_examples=60)
@given(strategies.episodes() | strategies.episodes(full=True), says)
def test_exactly_what_the_policy_permits_comes_out(tree: dict[str, Any], answers: Says) -> None:
    """Nothing that a second, plain reading of the rules forbids, and everything that it permits."""
    assert thaw(prune(tree, permits(tree, answers))) == Policy(tree, answers).shown()


@settings(max_examples=40)
@given(strategies.episodes(full=True), says, st.sets(st.sampled_from(SECTIONS), min_size=1))
def test_an_extract_is_the_named_part_of_what_may_be_seen(
    tree: dict[str, Any], answers: Says, named: set[str]
) -> None:
    """Of a second reading of the rules, what lies in the sections that were named; not even a name
    or a status beside it.
    """
    allowed = permits(tree, answers)
    allowed.rights = named_alone(answers.levels, named)

    def said(person: str, section: str, kind: str) -> bool:
        return section in named and answers(person, section, kind)

    members = {"episode_id", "subjects"} | {name for name, sec in MEMBERS.items() if sec in named}
    seen = {name: held for name, held in Policy(tree, said).shown().items() if name in members}

    assert thaw(prune(of_sections(tree, named), allowed)) == seen


@settings(max_examples=40)
@given(strategies.episodes(), says)
def test_cutting_twice_cuts_no_more(tree: dict[str, Any], answers: Says) -> None:
    """What was cut is already what may be seen."""
    allowed = permits(tree, answers)
    once = prune(tree, allowed)

    assert prune(once, allowed) == once


@settings(max_examples=40)
@given(strategies.episodes(full=True), says)
def test_what_never_leaves_never_leaves(tree: dict[str, Any], answers: Says) -> None:
    """No restricted or local leaf, no leaf that nobody can decide about, no sensitive service."""
    out = thaw(prune(tree, permits(tree, answers)))

    for where, leaf, value in leaves_of(out):
        assert not leaf.sensitivity & {"RES", "LOC"}, where
        assert leaf.about != "unknown", where
        if leaf.codes == "CL-11" or leaf.form == "service":
            kind = str(value).split("/")[-1]
            assert code_list("CL-11").codes[kind].attributes["sensitive"] != "yes", where


@settings(max_examples=40)
@given(strategies.episodes(full=True), says, st.data())
def test_nobody_who_did_not_decide_is_told_of(
    tree: dict[str, Any], answers: Says, data: st.DataObject
) -> None:
    """Nothing about a child or an adult leaves without a decision of their own."""
    people = [s["subject_id"] for s in tree["subjects"]]
    people += [a["parent_carer_id"] for a in tree.get("parents_carers", ())]
    silent = data.draw(st.sampled_from(people))

    class Silent(Says):
        def bits(self, person: str, section: str) -> int:
            return 0 if person == silent else super().bits(person, section)

    out = thaw(prune(tree, permits(tree, Silent(answers.seed, answers.generous))))

    for where, leaf, value in leaves_of(out):
        if leaf.path.endswith(("subject_id", "person_id", "parent_carer_id")):
            assert value != silent, where


# Through the gate, to the bytes


def family() -> dict[str, Any]:
    """Ava, her brother, both parents, a sensitive service, a refuge: something of everything."""
    tree = b.episode()
    ben = b.subject(
        subject_id="s2", given_names=["Ben"], preferred_name="Ben", identifiers=[], shielding="none"
    )
    ben["elements"] = ben["elements"][:4]
    ben["address"] = [b.address(), b.address(use="refuge", address_lines=["3 Safe", "Street"])]
    tree["subjects"].append(ben)
    father = b.mother(parent_carer_id="c2", name="Max Example", aka=["Max"])
    father["relationships"] = [
        {"subject_id": "s1", "relationship": "NFTH", "has_parental_responsibility": "Y"},
        {"subject_id": "s2", "relationship": "NFTH", "has_parental_responsibility": "Y"},
    ]
    tree["parents_carers"].append(father)
    tree["plan"]["action"].append(
        {
            "id": "a9",
            "outcome_id": "o1",
            "text": "Six sessions.",
            "action_owner": {"service": "CAMHS-A/CAMHS"},
            "action_due": "2026-10-01",
            "action_status": "NEW",
        }
    )
    tree["plan"]["team_member"].append({"organisation": "CAMHS-A", "service_type": "CAMHS"})
    tree["closure"] = {
        "closed_on": "2026-11-01",
        "closure_reason": "STEPPED_UP",
        "closure_summary": "Over.",
        "child_view": [{"subject_id": "s2", "text": "Fine."}],
    }
    return tree


def decided(seed: int) -> list[dict[str, Any]]:
    """Random decisions about the four of them for HV-A, and some for others."""
    chance = random.Random(seed)
    records = []
    for number, person in enumerate(("s1", "s2", "c1", "c2"), start=1):
        if chance.random() < 0.1:
            continue
        some = chance.sample([s for s in SECTIONS if s not in NEVER], chance.randrange(1, 20))
        items = [
            {"service": SERVICE, "section": section, "sensitive": chance.random() < 0.5}
            for section in some
        ]
        if chance.random() < 0.3:
            items = [{"service": SERVICE, "section": "all", "sensitive": chance.random() < 0.7}]
        items.append({"service": "EHM-A/FSW", "section": "all", "sensitive": True})
        record = b.decision(
            consent_decision_id=f"d{number}",
            subject_id=person,
            scope_includes=items,
            scope_excludes=[
                {"service": SERVICE, "section": section}
                for section in chance.sample(SECTIONS, chance.randrange(0, 3))
                if section not in NEVER
            ],
        )
        if person.startswith("c"):
            record.update(given_by_person=person, given_by_basis="ADULT_SELF")
            del record["pr_basis"]
        records.append(record)
    return records


def case(tree: Tree, records: list[dict[str, Any]], process: str = "PLAN_ACTIVE") -> Case:
    """Return the episode as the gate sees it."""
    head = EpisodeHead("e1", "SCH-A", "001", process, None, "APPOINTED", "OPEN", 3, 1, START, START)
    return Case(head, tree, held(records), (Involvement("i1", "e1", SERVICE, "HV-A", START),))


def request(message_type: str = "N7") -> Request:
    """Return what HV-A is to be told."""
    return Request(RECIPIENT, SERVICE, message_type, (), {}, "PLAN", START)


def rendered(tree: Tree, records: list[dict[str, Any]]) -> dict[str, bytes] | str:
    """Return the very bytes that HV-A would get in each format, or why none."""
    known = case(tree, records)
    try:
        released = release(known, request())
    except Withheld as withheld:
        return str(withheld)
    delivery = Delivery(
        "0f0f0f0f-0000-4000-8000-000000000001", "HV-A", SERVICE, "e1", "N7", 10, 4, 3, (), {},
        "11111111-0000-4000-8000-000000000001", "m1", START, sequence=2,
    )  # fmt: skip
    out = address(released, envelope(delivery, released, "Hub", START, known.decisions))
    found = {}
    for name in ("caf-json", FHIR):
        try:
            found[name] = TRANSLATOR.render(name, out, partner="HV-A").body
        except Rejected as fault:
            found[name] = repr((fault.code, fault.faults)).encode()
    return found


STRUCTURE: Final = {
    "subject_id", "parent_carer_id", "person_id", "practitioner_id", "id", "outcome_id", "element",
    "service_type", "service", "requested_service", "organisation", "use", "is_sensitive_service",
    "shielding", "contact_restriction", "checklist_id", "review_id", "exception_id", "system",
    "plan_id", "closure_reason", "has_parental_responsibility",
}  # fmt: skip
"""What the rules themselves go by: other values of these are another episode."""


def disturbed(tree: dict[str, Any], shown: set[str], how: str) -> dict[str, Any]:
    """Return *tree* with everything that is not *shown* changed, taken out or multiplied."""
    marked = {id_of(where) for where, _, _ in leaves_of(tree)} - shown

    def walk(value: Any, where: tuple[Any, ...]) -> Any:
        if isinstance(value, dict):
            kept: dict[str, Any] = {}
            for name, item in value.items():
                here = (*where, name)
                free = id_of(here) in marked and name not in STRUCTURE
                if free and how == "remove":
                    continue
                if free and isinstance(item, str) and not is_code(item):
                    kept[name] = f"CANARY-{how}-{len(here)}"
                elif free and isinstance(item, list) and item and isinstance(item[0], str):
                    kept[name] = [f"CANARY-{n}" for n in range(5)]
                else:
                    kept[name] = walk(item, here)
            return kept
        if isinstance(value, list) and value and isinstance(value[0], dict):
            items = []
            for number, item in enumerate(value):
                here = (*where, number)
                items.append(walk(item, here))
                inside = {id_of((*here, *w)) for w in places(item) if w[-1] not in STRUCTURE}
                people = {"subject_id", "parent_carer_id"} & item.keys() and len(where) == 1
                if how == "multiply" and inside and inside <= marked and not people:
                    items += [walk(copy.deepcopy(item), here) for _ in range(3)]
            return items
        return value

    changed: dict[str, Any] = walk(tree, ())
    return changed


def places(item: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the places of the leaves below an item."""
    if isinstance(item, dict):
        return [place for name, held in item.items() for place in places(held, (*where, name))]
    if isinstance(item, list) and item and isinstance(item[0], dict):
        return [place for n, held in enumerate(item) for place in places(held, (*where, n))]
    return [where]


def id_of(where: tuple[Any, ...]) -> str:
    return "/".join(map(str, where))


def is_code(value: str) -> bool:
    return value.isupper() and len(value) < 12


def shown_places(tree: dict[str, Any], records: list[dict[str, Any]]) -> set[str]:
    """Return the places of what HV-A is shown, by asking the gate with every value marked."""
    out = release(case(mark(tree, ()), records), request())
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for held in value.values():
                walk(held)
        elif isinstance(value, list | tuple):
            for held in value:
                walk(held)
        elif isinstance(value, str) and value.startswith("@"):
            found.add(value[1:])

    walk(out.tree["episode"])
    return found


def mark(value: Any, where: tuple[Any, ...]) -> Any:
    if isinstance(value, dict):
        return {n: v if n in STRUCTURE else mark(v, (*where, n)) for n, v in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [mark(v, (*where, n)) for n, v in enumerate(value)]
    return [] if value == [] else f"@{id_of(where)}"


@pytest.mark.parametrize("how", ["change", "remove", "multiply"])
@pytest.mark.parametrize("seed", range(40))
def test_what_is_withheld_changes_no_byte(seed: int, how: str) -> None:
    """Change, remove or multiply every withheld value: the recipient gets the same bytes."""
    tree, records = family(), decided(seed)
    before = rendered(tree, records)
    if isinstance(before, str):
        assert rendered(disturbed(tree, set(), "change"), records) == before
        return
    other = disturbed(tree, shown_places(tree, records), how)
    assert other != tree

    assert rendered(other, records) == before
    assert b"CANARY" not in b"".join(before.values())


def test_the_same_formats_say_what_is_shown() -> None:
    """The comparison above compares something: a shown value that changes, changes the bytes."""
    records = decided(3)
    tree = family()
    before = rendered(tree, records)
    tree["subjects"][0]["given_names"] = ["Eva"]

    assert before != rendered(tree, records)


@pytest.mark.parametrize("who", ["subjects", "parents_carers"])
@pytest.mark.parametrize("kind", ["N2", "N3", "N4", "N5", "N6", "N7", "N8", "N9", "VIEW"])
def test_a_shielded_person_stops_everything(who: str, kind: str) -> None:
    """If anybody in the episode is shielded, nothing of it leaves by the ordinary way."""
    tree = family()
    tree[who][1]["shielding"] = "full"

    with pytest.raises(Withheld) as withheld:
        release(case(tree, decided(3)), request(kind))
    assert withheld.value.code is Code.SHIELDED


def test_shielding_since_then_stops_what_waited() -> None:
    """A version from before somebody was shielded does not leave after."""
    old, new = family(), family()
    new["subjects"][0]["shielding"] = "full"
    stands = case(old, decided(3))
    stood = Case(stands.head, old, stands.decisions, stands.involvements, newest=new)

    with pytest.raises(Withheld) as withheld:
        release(stood, request())
    assert withheld.value.code is Code.SHIELDED
