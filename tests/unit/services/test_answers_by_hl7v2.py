"""A partner over HL7 v2: what it is sent is REF^I12, what it asked for is answered by RRI^I12."""

from hub.domain.carriage import Parcel
from hub.services.settle import format_of
from tests.unit.services.world import PARTNERS, World, partner

V2 = {"content": "hl7v2/ref-i12", "notification": "hl7v2/ref-i12", "answers": "hl7v2/rri-answer"}


def kind(parcel: Parcel) -> str:
    """Return MSH-9 of the first message."""
    return parcel.body.split(b"|")[8].decode()


async def test_an_answer_is_an_rri() -> None:
    """Everything else, the request of others included, stays REF^I12."""
    lead = partner("EHM-A", "FSW", channel="mllp", **V2)
    world = World(partners=[lead, *(one for one in PARTNERS if one.name != "EHM-A")])
    got: list[Parcel] = []

    async def keep(parcel: Parcel) -> None:
        got.append(parcel)

    world.doubles["EHM-A"].during = keep
    world.parse = lambda _: {}  # type: ignore[method-assign,assignment]
    await world.planned()
    answer = {"request_id": "r1", "answer": "DECLINED"}
    await world.send(
        "HOU-A", "service.answered", contribution={"episode_id": "e1", "service_answer": answer}
    )

    kinds = [(parcel.message_type, kind(parcel)) for parcel in got]
    assert kinds[-1] == ("N16", "RRI^I12^RRI_I12")
    assert {what for _, what in kinds[:-1]} == {"REF^I12^REF_I12"}
    assert b"RF1|R|" in got[-1].body


def test_without_a_format_of_its_own_an_answer_goes_as_content() -> None:
    """As every other N16."""
    one = partner("EHM-A", "FSW", content="caf-json", notification="cloudevents/notification")
    answered = {"notification": {"kind": "answer"}}

    assert format_of(one, "N16", answered) == "caf-json"
    assert format_of(one, "N1", {}) == "cloudevents/notification"
