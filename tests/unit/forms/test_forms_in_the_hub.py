"""Forms of all kinds around one episode: nothing is lost, and history keeps its dates."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from hub.errors import Code, Conflict, InvalidContent, Withheld
from mappings.commands import translator
from tests import builders as b
from tests.unit.services import world as services_world
from tests.unit.services.world import World, completion, includes, opening

BEYOND = {
    "subjects": [
        {
            "subject_id": "s1",
            "is_unborn": False,
            "characteristics": {
                "sen_need_types": ["HI", "SLCN"],
                "has_ehc_plan": False,
                "young_carer": True,
                "nationality": "as they say it",
            },
        }
    ]
}
"""What an Early Help Assessment asks and the CWDC form does not."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(services_world, "translator", lambda _url: translator())  # compiled once
    return World()


def characteristics(world: World) -> Mapping[str, Any]:
    """What is stored of the child."""
    found: Mapping[str, Any] = world.tree["subjects"][0]["characteristics"]
    return found


async def begun(world: World) -> World:
    """An episode begun on an Early Help Assessment, with what only that form asks."""
    await world.opened(form_profile="la-eha/2")
    await world.send("SCH-A", "assessment.updated", episode={"episode_id": "e1", **BEYOND})
    return world


# Mixed forms


async def test_a_system_on_another_form_loses_nothing(world: World) -> None:
    """It sends the whole CWDC form and no more; what that does not have stays, and goes out."""
    await begun(world)
    whole = b.episode(form_profile="cwdc-caf-2009/3")
    child = whole["subjects"][0]
    known = {"ethnicity", "child_first_language", "is_disabled", "disability_details"}
    child["characteristics"] = {
        name: value for name, value in child["characteristics"].items() if name in known
    }
    del child["identifiers"]
    await world.send("SCH-A", "assessment.updated", episode=whole)
    assert characteristics(world)["has_ehc_plan"] is False
    assert characteristics(world)["young_carer"] is True
    assert characteristics(world)["nationality"] == "as they say it"
    assert characteristics(world)["sen_need_types"] == ["HI", "SLCN"]
    assert world.tree["subjects"][0]["identifiers"]


async def test_what_another_form_does_not_know_is_given_back(world: World) -> None:
    """A system of another form posts back what it was given: nothing changes or is refused."""
    await begun(world)
    before = world.tree
    await world.send("SCH-A", "assessment.updated", episode=dict(before))
    assert world.tree == before


async def test_a_contributors_form_is_not_the_episodes(world: World) -> None:
    """A health visitor's system works with another form; the episode keeps the one it began on."""
    await world.shared(form_profile="la-eha/2")
    change = {
        "episode_id": "e1",
        "form_profile": "cwdc-caf-2009",
        "subjects": [
            {"subject_id": "s1", "is_unborn": False, "contact_tel": ["0113 496 0777"]},
        ],
    }
    receipt = await world.send("HV-A", episode=change)
    assert receipt.body["status"] == "accepted"
    assert world.tree["form_profile"] == "la-eha/2"
    assert world.tree["subjects"][0]["contact_tel"] == ["0113 496 0777"]


async def test_who_owns_the_episode_may_move_it_to_another_form(world: World) -> None:
    """The assessor's system changed its form: the episode says so from then on."""
    await begun(world)
    await world.send(
        "SCH-A", "assessment.updated", episode={"episode_id": "e1", "form_profile": "la-eha"}
    )
    assert world.tree["form_profile"] == "la-eha"


# History


def history(**changes: Any) -> dict[str, Any]:
    """A paper episode of 2026-03, as an import brings it."""
    return opening(
        opened_at="2026-03-02T00:00:00Z",
        assessment_started_on="2026-03-02",
        form_profile="cwdc-caf-2009/1",
        **changes,
    ) | {"assessment_completed_on": "2026-03-20"}


CLOSURE = {"closed_on": "2026-06-30", "closure_reason": "NEEDS_MET"}


def signed(world: World, **changes: Any) -> dict[str, Any]:
    """A decision to store, of the day on which the paper was signed."""
    return world.store_only(
        signed_at="2026-03-02T00:00:00Z",
        recorded_at="2026-03-02T00:00:00Z",
        expires_at="2027-03-02",
        review_by="2027-03-02",
        **changes,
    )


async def test_history_keeps_its_dates(world: World) -> None:
    """When it was opened, assessed and decided is what the paper says, not today."""
    await world.decide("SCH-A", signed(world, index_consent="no"))
    receipt = await world.send("SCH-A", "episode.imported", episode=history())
    assert receipt.body["state"] == "ASSESSING"
    assert world.tree["opened_at"] == "2026-03-02T00:00:00Z"
    assert world.tree["assessment_completed_on"] == "2026-03-20"
    (decision,) = world.store._tables.decisions.values()
    assert decision.record["signed_at"] == "2026-03-02T00:00:00Z"
    assert decision.recorded_at == world.clock.now()
    assert world.deliveries() == []


async def test_history_stays_as_it_was_when_the_episode_goes_on(world: World) -> None:
    """Later messages echo the date or leave it out; it does not move."""
    await world.decide("SCH-A", signed(world))
    await world.send("SCH-A", "episode.imported", episode=history())
    change = {
        "episode_id": "e1",
        "opened_at": "2026-09-01T09:00:00Z",
        "conclusions": {"goals": ["x"]},
    }
    await world.send("SCH-A", "assessment.updated", episode=change)
    assert world.tree["opened_at"] == "2026-03-02T00:00:00Z"


async def test_the_index_hears_of_history_only_if_the_family_agreed(world: World) -> None:
    """N1 tells the day on which it was opened."""
    await world.decide("SCH-A", signed(world, index_consent="yes"))
    await world.send("SCH-A", "episode.imported", episode=history())
    assert world.take()["IDX"] == ["N1"]


async def test_what_is_over_leaves_a_marker_at_the_index_if_the_family_agreed(
    world: World,
) -> None:
    """Practitioners ask whether a CAF existed previously (CL-23b); at no moment is it open."""
    await world.decide("SCH-A", signed(world, index_consent="yes"))
    over = history(closed_at="2026-06-30T00:00:00Z", closure=CLOSURE)
    await world.send("SCH-A", "episode.imported", episode=over)
    assert world.take() == {"IDX": ["N1", "N2"]}
    (entry,) = world.store._tables.index.values()
    assert entry.caf_state == "PREVIOUS"
    first = orjson.loads(world.doubles["IDX"].attempts[0].body)["notification"]
    assert first["status"] == "CLOSED"


async def test_what_is_over_is_kept_as_closed_and_told_to_nobody_else(world: World) -> None:
    """Not even the index, where the family did not agree to it."""
    await world.decide("SCH-A", signed(world, index_consent="no"))
    receipt = await world.send(
        "SCH-A",
        "episode.imported",
        episode=history(closed_at="2026-06-30T00:00:00Z", closure=CLOSURE),
    )
    assert receipt.body["state"] == "CLOSED"
    assert world.tree["closed_at"] == "2026-06-30T00:00:00Z"
    assert world.tree["opened_at"] == "2026-03-02T00:00:00Z"
    assert world.deliveries() == []
    assert world.take() == {}


async def test_history_without_a_decision_is_refused(world: World) -> None:
    """Consent is never assumed: nobody asked, nothing is kept."""
    with pytest.raises(Withheld) as refused:
        await world.send("SCH-A", "episode.imported", episode=history())
    assert refused.value.code is Code.CONSENT_NONE
    assert world.store._tables.versions == {}


async def test_history_under_an_old_decision_is_refused(world: World) -> None:
    """A decision lasts a year: paper of long ago needs a fresh one."""
    old = signed(world)
    old |= {
        "signed_at": "2019-03-02T00:00:00Z",
        "expires_at": "2020-03-01",
        "review_by": "2020-03-01",
    }
    await world.decide("SCH-A", old)
    with pytest.raises(Withheld):
        await world.send("SCH-A", "episode.imported", episode=history())


async def test_history_comes_in_once(world: World) -> None:
    """The same message again has the same answer; under another key it is no step from here."""
    await world.decide("SCH-A", signed(world))
    first = await world.send("SCH-A", "episode.imported", key="k", episode=history())
    again = await world.send("SCH-A", "episode.imported", key="k", episode=history())
    assert again == first
    with pytest.raises(Conflict) as refused:
        await world.send("SCH-A", "episode.imported", key="other", episode=history())
    assert refused.value.code is Code.STATE
    assert world.head.version == 1


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"opened_at": "2026-09-02T00:00:00Z"}, "/episode/opened_at"),
        ({"opened_at": None}, "/episode/opened_at"),
        ({"closed_at": "2027-01-01T00:00:00Z", "closure": CLOSURE}, "/episode/closed_at"),
    ],
)
async def test_history_without_a_past_is_refused(
    world: World, changes: dict[str, Any], path: str
) -> None:
    """It must say when it was opened, and nothing of it may lie ahead."""
    await world.decide("SCH-A", signed(world))
    tree = {name: value for name, value in {**history(), **changes}.items() if value is not None}
    with pytest.raises(InvalidContent) as refused:
        await world.send("SCH-A", "episode.imported", episode=tree)
    assert [fault.path for fault in refused.value.faults] == [path]


async def test_closed_history_needs_its_reason(world: World) -> None:
    """As every closure."""
    await world.decide("SCH-A", signed(world))
    tree = history(closed_at="2026-06-30T00:00:00Z")
    with pytest.raises(Conflict) as refused:
        await world.send("SCH-A", "episode.imported", episode=tree)
    assert [fault.path for fault in refused.value.faults] == ["/event#closure_reason_present"]


async def test_an_ordinary_opening_has_no_date_of_its_own(world: World) -> None:
    """Only history says when it was opened; everybody else is opened now."""
    await world.opened(opened_at="2020-01-01T00:00:00Z")
    assert world.tree["opened_at"] == "2026-09-01T09:00:00Z"


async def test_imported_history_goes_on_like_any_other(world: World) -> None:
    """The family decides about sharing, the assessment is completed, and its history goes out."""
    await world.decide("SCH-A", signed(world, index_consent="no"))
    await world.send("SCH-A", "episode.imported", episode=history())
    await world.decide("SCH-A", world.decision(scope_includes=includes(), index_consent="no"))
    await world.send("SCH-A", "assessment.completed", episode=completion())
    assert world.last("HV-A", "N7").episode["opened_at"] == "2026-03-02T00:00:00Z"
