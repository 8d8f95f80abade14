"""The child index: that an episode exists and whom to ring, once, in order, nothing else."""

from typing import Any

import orjson
import pytest

from hub.domain.exchange import IndexEntry
from hub.errors import Code, InvalidContent
from hub.services.index import answer, apply, match_values
from tests import builders as b
from tests.unit.services.world import World, opening, part, subject

NHS = [{"system": "nhs-number", "value": "9990000018"}]
UPN = [{"system": "upn", "value": "w001900120001"}]
NO_VALUE = {"system": "upn"}
OTHER = [{"system": "nhs-number", "value": "9990000026"}]
BORN = "2016-05-14"


@pytest.fixture
async def world() -> World:
    """Ava's episode is open and the family agreed to the index."""
    return await World().opened()


def entries(world: World) -> list[IndexEntry]:
    """Return what the index holds."""
    return list(world.store._tables.index.values())


async def test_one_child_is_one_entry(world: World) -> None:
    """However much happens, and however often it is told."""
    for one in world.deliveries(partner="IDX"):
        await world.doubles["IDX"].send(world.doubles["IDX"].attempts[-1])
        assert one.message_type == "N1"

    (entry,) = entries(world)
    assert (entry.caf_state, entry.authority, entry.mediated) == ("OPEN", "001", False)
    assert entry.contact["name"] == "Ms T Teach"


async def test_n1_comes_before_everything_else(world: World) -> None:
    """While N1 waits, nothing of that episode passes it, not even a closure."""
    from hub.errors import Unavailable

    world = World()
    world.doubles["IDX"].faults += [Unavailable(Code.UNAVAILABLE, "down")]
    await world.opened()
    await world.send("SCH-A", episode=part(subjects=subject(family_name="Sample")))
    closure = {"closed_on": "2026-09-02", "closure_reason": "DIED"}
    await world.send("SCH-A", "episode.closed", episode=part(closure=closure))
    assert world.take() == {}
    from datetime import timedelta

    world.clock.move(timedelta(hours=1))
    await world.drain()

    assert world.take() == {"IDX": ["N1", "N5", "N2"]}
    assert (await world.check("HV-A", identifiers=NHS, date_of_birth=BORN))["result"] == "PREVIOUS"


@pytest.mark.parametrize(
    ("asked", "result"),
    [
        ({"identifiers": NHS, "date_of_birth": BORN}, "OPEN"),
        ({"identifiers": UPN, "date_of_birth": BORN}, "OPEN"),
        ({"identifiers": NHS}, "POSSIBLE"),
        ({"identifiers": NHS, "date_of_birth": "2016-05-15"}, "POSSIBLE"),
        ({"given_names": ["ava"], "family_name": "EXAMPLE", "date_of_birth": BORN}, "POSSIBLE"),
        ({"given_names": ["Eva"], "family_name": "Example", "date_of_birth": BORN}, "NONE"),
        ({"identifiers": OTHER, "date_of_birth": BORN}, "NONE"),
        ({"identifiers": [{"system": "la-child-id", "value": "A0001234"}], "given_names": ["Z"],
          "family_name": "Z", "date_of_birth": BORN}, "NONE"),
    ],
)  # fmt: skip
async def test_what_is_asked_decides_the_answer(
    world: World, asked: dict[str, Any], result: str
) -> None:
    """Certain only by an identifier and the date of birth; anything lower needs a person."""
    found = await world.check("HV-A", **asked)

    assert found["result"] == result
    assert ("contact" in found) is (result == "OPEN")


async def test_the_answer_is_a_state_and_a_contact(world: World) -> None:
    """Name, role, organisation, telephone, e-mail; no reference, no authority, no child."""
    found = await world.check("HV-A", identifiers=NHS, date_of_birth=BORN)

    assert set(found) == {"result", "contact"}
    assert set(found["contact"]) <= {"name", "role", "organisation", "contact_tel", "email"}


def entry(reference: str, state: str = "OPEN", **match: Any) -> IndexEntry:
    """Return an entry of the index."""
    held = {
        "identifiers": NHS,
        "given_names": ["Ava"],
        "family_name": "Example",
        "date_of_birth": BORN,
        **match,
    }
    from tests.unit.services.world import START

    return IndexEntry(
        reference, reference, (), held, state, {"name": reference}, "001", False, 1, START
    )


ASKED = {"identifiers": NHS, "date_of_birth": BORN}


@pytest.mark.parametrize(
    ("held", "result"),
    [
        ([entry("a"), entry("b", "PREVIOUS")], "OPEN"),
        ([entry("a", "PREVIOUS")], "PREVIOUS"),
        ([entry("a", "VOID")], "NONE"),
        ([entry("a"), entry("b", given_names=["Eva"])], "POSSIBLE"),
        ([entry("a"), entry("b", family_name="Sample")], "POSSIBLE"),
        (
            [
                entry("a"),
                entry("b", "PREVIOUS", identifiers=[*NHS, *UPN]),
            ],
            "OPEN",
        ),
        (
            [
                entry("a", identifiers=[*NHS, {"system": "upn", "value": "A001900126002"}]),
                entry("b", identifiers=[*NHS, *UPN]),
            ],
            "POSSIBLE",
        ),
        ([entry("a"), entry("b", date_of_birth="2010-01-01", given_names=["Zoe"])], "OPEN"),
    ],
    ids=["episodes", "previous", "void", "twins", "names", "more-known", "reused", "other-birth"],
)  # fmt: skip
def test_twins_and_reused_numbers_need_a_person(held: list[IndexEntry], result: str) -> None:
    """One number and one date, and still two children: nobody is told whose contact it is."""
    found, contact = answer(held, ASKED)

    assert found == result
    assert (contact is not None) is (result in {"OPEN", "PREVIOUS"})


async def test_a_masked_contact_is_mediated() -> None:
    """Where the assessor works in a sensitive service, the co-ordinator stands in."""
    world = World()
    await world.decide("CAMHS-A", world.store_only())
    mind = b.practitioner(
        "p-m", name="Dr M Mind", organisation="CAMHS-A", service_type="CAMHS", contact_tel="0113 9"
    )
    tree = opening()
    tree["services"]["assessor"] = [mind]
    await world.send("CAMHS-A", "episode.opened", episode=tree)
    found = await world.check("SCH-A", **ASKED)

    assert found["result"] == "MEDIATED"
    assert found["contact"]["name"] == "CAF co-ordinator"
    assert "CAMHS" not in world.last("IDX").text
    assert "CAMHS" not in repr(entries(world))


async def test_an_unborn_child_is_found_by_month(world: World) -> None:
    """The index holds year and month of an expected date; a question with the day finds it."""
    world = World()
    child = {
        "subject_id": "s1", "is_unborn": True, "family_name": "Example",
        "given_names": ["Unborn baby of Eve"], "expected_date_of_delivery": "2026-12-10",
    }  # fmt: skip
    tree = opening(subjects=[child], parents_carers=[])
    for name in ("family", "assessment"):
        tree.pop(name)
    await world.decide("SCH-A", world.store_only())
    await world.send("SCH-A", "episode.opened", episode=tree)
    asked = {**child}
    for name in ("subject_id", "is_unborn"):
        asked.pop(name)

    assert (await world.check("HV-A", **asked))["result"] == "POSSIBLE"
    assert "2026-12-10" not in repr(entries(world))
    assert "2026-12" in repr(entries(world))


async def test_what_changed_is_what_is_found(world: World) -> None:
    """After N5 the new name is found and the old one is not; what went is gone."""
    await world.send(
        "SCH-A",
        message={"deletes": ["subjects[subject_id=s1].preferred_name"]},
        episode=part(subjects=subject(family_name="Newname")),
    )
    old = {"given_names": ["Ava"], "family_name": "Example", "date_of_birth": BORN}

    assert (await world.check("HV-A", **old))["result"] == "NONE"
    assert (await world.check("HV-A", **{**old, "family_name": "Newname"}))["result"] == "POSSIBLE"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"subject": ASKED}, Code.REQUIRED),
        ({"purpose": "CURIOUS", "subject": ASKED}, Code.PURPOSE),
        ({"purpose": ["ASSESS"], "subject": ASKED}, Code.REQUIRED),
        ({"purpose": "ASSESS"}, Code.REQUIRED),
        ({"purpose": "ASSESS", "subject": {}}, Code.REQUIRED),
        ({"purpose": "ASSESS", "subject": {"family_name": "Example"}}, Code.REQUIRED),
        ({"purpose": "ASSESS", "subject": {"identifiers": [*NHS, NO_VALUE]}}, Code.REQUIRED),
        (
            {"purpose": "ASSESS", "subject": {"identifiers": [{**NO_VALUE, "value": 7}]}},
            Code.REQUIRED,
        ),
        ({"purpose": "ASSESS", "subject": {"identifiers": "x"}}, Code.REQUIRED),
        ({"purpose": "ASSESS", "subject": ASKED, "more": 1}, Code.UNKNOWN_FIELD),
    ],
)  # fmt: skip
async def test_an_incomplete_question_is_refused(
    world: World, query: dict[str, Any], code: Code
) -> None:
    """With what is missing, and never with an error of ours."""
    with pytest.raises(InvalidContent) as refused:
        await world.index.check(world.partners["HV-A"], query)

    assert refused.value.code is code


async def test_every_question_is_audited_with_keyed_tokens(world: World) -> None:
    """Who asked, what for and what was answered; nothing readable of the child."""
    await world.check("HV-A", identifiers=NHS, date_of_birth=BORN)
    (row,) = world.audit("index.checked")

    assert (row.actor, row.code, row.facts["purpose"]) == ("HV-A", "OPEN", "ASSESS")
    assert row.facts["tokens"] == [world.digester.token("nhs-number", "9990000018").hex()]
    assert "9990000018" not in repr(row)


async def test_no_path_leads_from_the_index_to_content(world: World) -> None:
    """The entry's reference is not the episode's, and nothing of the episode is in it."""
    (held,) = entries(world)
    text = orjson.dumps(
        {"ref": held.reference, "id": held.entry_id, "match": held.match, "contact": held.contact}
    ).decode()

    assert "e1" not in (held.reference, held.entry_id)
    for secret in ('"e1"', "MOTH", "commentary", "Mia", "reason", "77-1234"):
        assert secret not in text, secret
    with pytest.raises(Exception, match="relationship"):
        await world.viewer.view(
            world.partners["SCH-A"],
            "SCH-A/SCH",
            held.reference,
            "PLAN",
            "application/vnd.ecaf.message+json",
        )


async def test_a_forgotten_entry_stays_forgotten(world: World) -> None:
    """What arrives after N14 brings nothing back."""
    (held,) = entries(world)
    contact = {"name": "Ms T Teach"}
    notes = [
        {"code": "N14", "episode_ref": held.reference},
        {"code": "N3", "episode_ref": held.reference, "responsible_practitioner": contact},
        {"code": "N2", "episode_ref": held.reference},
    ]
    applied = [
        await world.store.run(
            lambda s, n=note, q=number: apply(s, world.digester, n, q, world.clock.now())
        )
        for number, note in enumerate(notes, start=10)
    ]

    assert applied == [True, False, False]
    (held,) = entries(world)
    assert (held.caf_state, dict(held.contact), dict(held.match)) == ("VOID", {}, {})


def test_an_identifier_is_normalised_before_it_is_keyed() -> None:
    """Spaces and case do not make another child."""
    spaced = {"identifiers": [{"system": "upn", "value": " w001 900120001"}]}

    assert list(match_values(spaced)) == [("upn", "W001900120001")]


async def test_what_the_index_gets_does_not_link_brothers_and_sisters(world: World) -> None:
    """Nothing that is equal for two children of a family is in both their messages but codes."""
    family = World()
    second = b.subject(subject_id="s2", given_names=["Ben"], identifiers=[])
    await family.decide("SCH-A", family.store_only())
    await family.decide("SCH-A", family.store_only(subject_id="s2"))
    opened = opening(subjects=[b.subject(), second])
    await family.send("SCH-A", "episode.opened", episode=opened)
    sent = [orjson.loads(one.body) for one in family.doubles["IDX"].attempts]
    assert [one["notification"]["code"] for one in sent] == ["N1", "N1"]
    told = [{*texts(one["message"])} for one in sent]
    ids = family.tree["episode_id"]
    assert all(ids not in one for one in told)
    common = told[0] & told[1]
    assert common == {"N1", "1", "Hub", "urn:ecaf:hub", "IDX/INDEX", "INDEX", *times(sent)}


async def test_n5_names_what_is_gone(world: World) -> None:
    """A value that is no longer there cannot be sent; an index elsewhere must still forget it."""
    await world.send(
        "SCH-A",
        message={"deletes": ["subjects[subject_id=s1].address"]},
        episode=part(subjects=subject(family_name="Newname")),
    )
    told = orjson.loads(world.doubles["IDX"].attempts[-1].body)["notification"]
    assert told["code"] == "N5"
    assert sorted(told["changed"]) == ["address", "family_name"]
    assert told["subject"]["family_name"] == "Newname"
    assert not told["subject"].get("address")


def texts(tree: dict[str, Any]) -> list[str]:
    """Every text of a message's metadata."""
    found: list[str] = []
    for held in tree.values():
        found += held if isinstance(held, list) else [held] if isinstance(held, str) else []
    return found


def times(sent: list[dict[str, Any]]) -> set[str]:
    """When the messages were sent."""
    return {one["message"]["sent_at"] for one in sent}
