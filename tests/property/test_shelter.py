"""Whereabouts: no byte tells where a shielded family is, and none tells that it is shielded."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings

from hub.domain.consent import Ask
from hub.domain.dictionary import episode_tree, walk
from hub.errors import InvalidContent, Withheld
from hub.offline import cut
from hub.services.gate import Case, Request, news, release, release_to_index
from hub.services.given import given as given_to
from hub.services.shelter import CHILD, Places, sheltered, shield_of
from tests import builders as b
from tests import strategies
from tests.property.test_gate import RECIPIENT, SERVICE, case, decided, family, request
from tests.unit.services.world import START

SECRETS: Final = {
    "line": "7 Quiet Close",
    "town": "Farthingholm",
    "postcode": "ZZ99 7QC",
    "uprn": "100099900077",
    "phone": "0113 496 0777",
    "email": "safe@quiet.example",
    "school": "Willow Bank Primary",
    "gp": "Mill Pond Surgery",
    "schoolphone": "0113 496 0778",
}
SPELT: Final = {
    "postcode": (
        *("zz997qc", "ZZ99-7QC", "at ZZ99  7QC now", "Z Z 9 9 7 Q C", "ZZ9\n97QC"),
        *("ZZ99<b>7QC</b>", "ZZ99&nbsp;7QC", "ZZ99\\.br\\7QC", "<ZZ99 7QC>", "\uff3a\uff3a99 7QC"),
        *("ZZ99\u200b7QC", "ZZ99\u00a07Q\u0301C"),
    ),
    "line": ("7 QUIET CLOSE", "moved to 7, Quiet Close."),
    "town": ("in Farthing-holm", "FARTHINGHOLM"),
    "phone": (
        "+44 113 496 0777",
        "00441134960777",
        "0113-496-0777",
        "+44 (0)113 496 0777 or 01134960777",
    ),
    "school": ("She goes to willow bank primary now",),
    "gp": ("Dr Hall at Mill Pond Surgery",),
    "email": ("write to SAFE@quiet.example",),
}
KINDS: Final = ("N2", "N3", "N4", "N5", "N6", "N7", "N8", "N9", "N16", "VIEW")


def hidden(who: str = "subjects", place: int = 0) -> dict[str, Any]:
    """Return the family with every place filled in, and one of them shielded."""
    tree = family()
    child = tree["subjects"][0]
    child["address"] = [
        b.address(address_lines=[SECRETS["line"], SECRETS["town"]], postcode=SECRETS["postcode"])
    ]
    child["address"][0]["uprn"] = SECRETS["uprn"]
    child["contact_tel"], child["email"] = [SECRETS["phone"]], [SECRETS["email"]]
    child["school_or_setting"] = [
        {
            "name": SECRETS["school"],
            "organisation_id": "900001",
            "contact_tel": SECRETS["schoolphone"],
        }
    ]
    child["gp_practice"] = {"name": SECRETS["gp"], "organisation_id": "Z99001"}
    tree[who][place]["shielding"] = "whereabouts"
    return tree


def open_handed() -> list[dict[str, Any]]:
    """Return decisions by which everybody shares everything with the recipient."""
    records = []
    for person in ("s1", "s2", "c1", "c2"):
        record = b.decision(
            consent_decision_id=f"d-{person}",
            subject_id=person,
            scope_includes=[{"service": SERVICE, "section": "all", "sensitive": True}],
            scope_excludes=[],
        )
        if person.startswith("c"):
            record.update(given_by_person=person, given_by_basis="ADULT_SELF")
            del record["pr_basis"]
        records.append(record)
    return records


def told(tree: dict[str, Any], kind: str, focus: tuple[str, ...] = ()) -> str:
    """Return everything that the recipient is told, or why nothing."""
    facts = {"joined": ["SCH-A/SCH"], "event": "team.called"} if kind == "N8" else {}
    asked = Request(RECIPIENT, SERVICE, kind, focus, facts, "PLAN", START)
    try:
        released = release(case(tree, open_handed()), asked)
    except Withheld as withheld:
        return str(withheld.code)
    return json.dumps(released.tree, ensure_ascii=False)


def texts(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield the place and the text of every string of the free kind."""
    if isinstance(value, dict):
        for name, held in value.items():
            yield from texts(held, (*where, name))
    elif isinstance(value, list):
        for number, held in enumerate(value):
            yield from texts(held, (*where, number))
    elif isinstance(value, str) and _form(where) in {"string", "text"}:
        yield where, value


def _form(where: tuple[Any, ...]) -> str | None:
    nodes, node = episode_tree(), None
    for step in where:
        if isinstance(step, str):
            if step not in nodes:
                return None
            node = nodes[step]
            nodes = node.children
    return node.leaf.form if node and node.leaf else None


def planted(tree: dict[str, Any], where: tuple[Any, ...], text: str) -> dict[str, Any]:
    """Return *tree* with *text* at one place."""
    changed = copy.deepcopy(tree)
    here: Any = changed
    for step in where[:-1]:
        here = here[step]
    here[where[-1]] = text
    return changed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("who", "place"), [("subjects", 0), ("subjects", 1), ("parents_carers", 0)]
)
def test_no_place_leaves_in_any_message(kind: str, who: str, place: int) -> None:
    """Whoever of the household is shielded: no address, number, school or practice of theirs."""
    found = told(hidden(who, place), kind, ("subjects[subject_id=s1].address",))

    for name, secret in SECRETS.items():
        assert secret not in found, name
    assert "whereabouts" not in found
    assert told(hidden(who, place), "N7").startswith("{")


def free_places(tree: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return where free texts stand that are not themselves the shielded child's places."""
    return [
        where for where, _ in texts(tree) if where[:2] != ("subjects", 0) or "elements" in where
    ]


@pytest.mark.parametrize("text", [text for spelt in SPELT.values() for text in spelt])
def test_a_text_that_names_a_place_stays_behind_however_it_is_spelt(text: str) -> None:
    """Planted into every free text of the family, in any spelling, it never comes out."""
    tree = hidden()
    for where in free_places(tree):
        tree = planted(tree, where, text)

    assert text not in told(tree, "N7")


def test_it_stays_behind_wherever_it_stands() -> None:
    """Planted into one text after another, so that none rides along where another was dropped."""
    tree = hidden()
    places = free_places(tree)
    assert len(places) > 60

    for where in places:
        assert SECRETS["postcode"] not in told(planted(tree, where, SECRETS["postcode"]), "N7")


def test_the_same_texts_leave_where_nobody_is_shielded() -> None:
    """The search above finds something: without a shield the very texts go out."""
    tree = family()
    for number, (where, _) in enumerate(texts(tree)):
        tree = planted(tree, where, f"Farthingholm {number}.")

    assert told(tree, "N7").count("Farthingholm") > 40


@pytest.mark.parametrize("kind", KINDS)
def test_other_places_give_the_same_bytes(kind: str) -> None:
    """Two families that differ in nothing but where they are cannot be told apart."""
    one, other = hidden(), hidden()
    child = other["subjects"][0]
    child["address"] = [b.address(address_lines=["1 Other Way"], postcode="ZZ99 1AA")]
    child["school_or_setting"] = []
    del child["gp_practice"]
    child["contact_tel"] = ["0113 496 0999"]
    other["conclusions"]["conclusions"] = "They live near 1 Other Way."
    one["conclusions"]["conclusions"] = f"They live near {SECRETS['line']}."
    focus = ("subjects[subject_id=s1].address", "subjects[subject_id=s1].preferred_name")

    assert told(one, kind, focus) == told(other, kind, focus)


def test_not_even_an_empty_place_is_left() -> None:
    """No address without lines, no date of a move: of the household nothing says that there was
    one.
    """
    found = json.loads(told(hidden(), "N7"))["episode"]

    for person in (*found["subjects"], *found["parents_carers"]):
        assert not {*CHILD} & person.keys()
        assert all(one["system"] == "nhs-number" for one in person.get("identifiers", ()))


def test_an_item_without_its_text_stays_behind_whole() -> None:
    """An outcome whose text names the school is not sent as an outcome without a text."""
    tree = hidden()
    (outcome, *_) = tree["plan"]["desired_outcome"]
    assert outcome["text"] in told(tree, "N7")
    outcome["text"] = f"Happy at {SECRETS['school']}."
    shown = json.loads(told(tree, "N7"))["episode"]["plan"].get("desired_outcome", ())

    assert outcome["id"] not in {one["id"] for one in shown}


def test_a_contact_who_works_where_the_child_is_stays_unnamed() -> None:
    """A teacher of the school as lead would tell the school."""
    tree = hidden()
    tree["responsible_practitioner"] = b.practitioner("p-teach", organisation="SCH-Z")

    assert "p-teach" not in told(tree, "N7")
    assert "p-teach" not in told(tree, "N3")


def test_a_text_that_moved_is_no_news() -> None:
    """Where nothing changed but what is kept back, nothing new is sent."""
    before, after = hidden(), hidden()
    after["conclusions"]["conclusions"] = f"Now at {SECRETS['line']}."
    before["conclusions"]["conclusions"] = f"Soon at {SECRETS['line']}."
    stands = case(after, open_handed())

    assert not news(stands, request("N6"), before)
    after["conclusions"]["conclusions"] = "They like it there."
    assert news(stands, request("N6"), before)


def test_a_change_of_a_place_alone_is_none() -> None:
    """N5 about nothing but an address says nothing, and is not sent."""
    assert told(hidden(), "N5", ("subjects[subject_id=s1].address",)) == "E_CONSENT_SCOPE"


def test_nobody_else_at_work_is_named() -> None:
    """Other practitioners stay unnamed; the one to ring is there, without a base."""
    tree = hidden()
    contact = {
        **b.practitioner("p-lead", organisation="EHM-A", service_type="FSW"),
        "postcode": "ZZ99 3CC",
    }
    tree["responsible_practitioner"] = contact
    found = json.loads(told(tree, "N7"))

    assert found["episode"]["responsible_practitioner"]["practitioner_id"] == "p-lead"
    assert "postcode" not in found["episode"]["responsible_practitioner"]
    assert "team_member" not in found["episode"]["plan"]
    assert (
        not {"assessor", "other_service", "universal_service"}
        & found["episode"].get("services", {}).keys()
    )
    assert "joined" not in json.loads(told(tree, "N8"))["notification"]


def test_an_adult_who_lives_elsewhere_keeps_their_own_places() -> None:
    """The shield covers the household: the father's flat in another town is his to share."""
    tree = hidden()
    father = tree["parents_carers"][1]
    father["address"] = [b.address(address_lines=["9 Far Row"], postcode="ZZ99 8FR")]
    for tie in father["relationships"]:
        tie["lives_with_child"] = "N"

    assert "9 Far Row" in told(tree, "N7")


def test_a_place_of_an_older_version_is_still_kept_back() -> None:
    """What waited from before the shield, and what was corrected since, is searched for alike."""
    older, newer = hidden(), hidden()
    older["subjects"][0]["shielding"] = "none"
    newer["subjects"][0]["address"] = [
        b.address(address_lines=["1 Other Way"], postcode="ZZ99 1AA")
    ]
    older["conclusions"]["conclusions"] = "Soon at 1 Other Way."
    stands = case(older, open_handed())
    stood = Case(stands.head, older, stands.decisions, stands.involvements, newest=newer)
    found = json.dumps(release(stood, request()).tree)

    assert "1 Other Way" not in found
    assert SECRETS["line"] not in found


@pytest.mark.parametrize("code", ["N1", "N3", "N5"])
def test_the_index_learns_no_place_and_is_told_to_ask_the_authority(code: str) -> None:
    """At the index the contact is the co-ordinator, as where a sensitive service leads."""
    tree = hidden()
    tree["responsible_practitioner"] = b.practitioner("p-lead", organisation="EHM-A")
    records = [{**record, "index_consent": "yes"} for record in open_handed()]
    focus = ("subjects[subject_id=s1].given_names", "subjects[subject_id=s1].address")
    facts = {"subject_id": "s1", "reference": "r1"}
    asked = Request(RECIPIENT, "IDX/INDEX", code, focus, facts, "INDEX", START)
    duty = {"name": "Duty desk", "organisation": "LA-A", "contact_tel": "0113 496 0100"}
    stands = case(tree, records)
    found = json.dumps(release_to_index(stands, asked, coordinator=duty).tree)

    assert not any(secret in found for secret in SECRETS.values())
    assert '"address"' not in found
    if code != "N5":
        assert "Duty desk" in found
        assert '"mediated": true' in found
    with pytest.raises(Withheld):
        release_to_index(
            case(b.changed(tree, "/subjects/0/shielding", "full"), records), asked, coordinator=duty
        )


def test_a_team_member_who_sends_a_copy_back_learns_no_place() -> None:
    """What it was never given is told from what it was: a guess at the address tells nothing."""
    tree = hidden()
    tree["subjects"][1]["address"].append(b.address(use="refuge", address_lines=["3 Safe Street"]))
    stands = case(tree, open_handed())
    agreements = stands.rights(Ask(SERVICE, "PLAN", START)).agreements
    was_given = given_to(tree, agreements, (SERVICE,), START)
    leaf = next(iter(walk(episode_tree())))

    assert was_given(leaf, "/subjects/0/given_names")
    assert was_given(leaf, "/conclusions/need_level")
    for hidden_from_it in (
        "/subjects/0/address/0/postcode",
        "/subjects/0/contact_tel",
        "/subjects/1/address/2/address_lines",
        "/services/universal_service/gp/name",
    ):
        assert not was_given(leaf, hidden_from_it), hidden_from_it


def test_an_offline_cut_shelters_as_the_gate_does(tmp_path: Path) -> None:
    """`ecaf render --as` shows what would leave: no place, and nothing under a full shield."""
    tree = {**b.episode(), "subjects": hidden()["subjects"][:1]}
    message, decisions = tmp_path / "message.json", tmp_path / "decisions.json"
    message.write_text(json.dumps({"episode": tree}))
    theirs = [one for one in open_handed() if one["subject_id"] in {"s1", "c1"}]
    decisions.write_text(json.dumps(theirs))
    with cut(message, SERVICE, decisions) as shown:
        told_offline = shown.file.read_text()

    assert "Ava" in told_offline
    assert not any(secret in told_offline for secret in SECRETS.values())
    message.write_text(json.dumps({"episode": b.changed(tree, "/subjects/0/shielding", "full")}))
    with pytest.raises(InvalidContent), cut(message, SERVICE, decisions):
        pass


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("3 Caf\u00e9 Row", "by 3 Cafe\u0301 Row"),
        ("3 Cafe\u0301 Row", "BY 3 CAF\u00c9 ROW"),
        ("Stra\u00dfe 9", "in STRASSE 9"),
        ("\ufb01ne House", "Fine House"),
    ],
)
def test_a_line_is_found_however_its_letters_are_composed(place: str, text: str) -> None:
    """Composed and decomposed, ligatures, capitals: one spelling for the search."""
    tree = hidden()
    tree["subjects"][0]["address"][0]["address_lines"][0] = place

    assert Places((tree,)).named_in(text)
    assert not Places((hidden(),)).named_in(text)


@pytest.mark.parametrize("text", ["ZZ90 1OL", "zz9o iol", "ZZ9O-1O1", "ZZ90IOL"])
def test_a_postcode_is_found_with_letters_and_digits_confused(text: str) -> None:
    """O for 0, I and L for 1: a slip of the pen gives nobody away."""
    tree = hidden()
    tree["subjects"][0]["address"][0]["postcode"] = "ZZ90 1OL"

    assert Places((tree,)).named_in(f"They are at {text}.")


@settings(max_examples=20)
@given(strategies.episodes(full=True))
def test_without_a_shield_nothing_is_touched(tree: dict[str, Any]) -> None:
    """The very object comes back, and a code that nobody knows shields in full."""
    for person in (*tree["subjects"], *tree.get("parents_carers", ())):
        person["shielding"] = "none"
        person.pop("contact_restriction", None)
    assert sheltered(tree) is tree

    tree["subjects"][0]["shielding"] = "something new"
    assert shield_of(tree) == "full"


@settings(max_examples=20)
@given(strategies.episodes(full=True))
def test_sheltering_twice_shelters_no_more(tree: dict[str, Any]) -> None:
    """What is kept back leaves a tree in which there is nothing more to keep back."""
    tree["subjects"][0]["shielding"] = "whereabouts"
    once = sheltered(tree)

    assert sheltered(once, tree) == once


def test_decisions_of_chance_still_apply() -> None:
    """A shield takes away; it never gives what consent withholds."""
    for seed in range(10):
        open_, closed = family(), hidden()
        before, after = (case(tree, decided(seed)) for tree in (open_, closed))
        try:
            seen = release(before, request()).tree["episode"]
        except Withheld:
            with pytest.raises(Withheld):
                release(after, request())
            continue
        assert release(after, request()).tree["episode"].keys() <= seen.keys()
