"""What the v2 mappings promise beyond their cases: who gets which message, what is never lost."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.errors import HubError, InvalidContent, Malformed, Rejected
from hub.services.released import freeze, rehearse
from mappings.commands import translator
from mappings.engine.catalogue import Catalogue
from mappings.formats.canonical_json import read_message
from mappings.formats.hl7v2_wire import Hl7v2Wire
from mappings.formats.wires import WIRES
from mappings.translator import Translator
from tests import builders
from tests.unit.hl7v2.messages import messages, rendered

REF = "hl7v2/ref-i12"
HL7 = "application/hl7-v2"
HEADER = "MSH|^~\\&|PAS|RXX01|||20260901090000+0000||{event}|R1|P|2.4||||||UNICODE UTF-8\r"


def read(event: str, *segments: str) -> Any:
    """Read a message as the door does."""
    raw = HEADER.format(event=event) + "".join(f"{line}\r" for line in segments)
    return translator().read(HL7, raw.encode(), partner="RXX01")


def two_children() -> dict[str, Any]:
    """Return an episode of two children and three adults."""
    tree = builders.episode()
    ben = {"subject_id": "s2", "is_unborn": False, "given_names": ["Ben"]}
    gus = {
        "parent_carer_id": "c2",
        "name": "Gus Sample",
        "relationships": [{"subject_id": "s2", "relationship": "GRFTH"}],
    }
    both = builders.mother(parent_carer_id="c3", name="Ann Other")
    both["relationships"] = [
        {"subject_id": "s2", "relationship": "AUNT"},
        {"subject_id": "s1", "relationship": "AUNT"},
    ]
    tree["subjects"].append(ben)
    tree["parents_carers"] += [gus, both]
    return tree


def names_of_kin(message: str) -> list[str]:
    """Return the names of the next of kin of a message."""
    return [line.split("|")[2].split("^")[0] for line in message.split("\r") if line[:3] == "NK1"]


def test_each_child_has_a_message_with_its_own_next_of_kin() -> None:
    """Nobody's relatives stand in somebody else's message."""
    first, second = messages(rendered(REF, two_children()))
    assert "PID|1||s1^^^CAFHUB^PI" in first
    assert "PID|1||s2^^^CAFHUB^PI" in second
    assert names_of_kin(first) == ["Mia Example", "Ann Other"]
    assert names_of_kin(second) == ["Gus Sample", "Ann Other"]
    assert "Ben" not in first
    assert "Element 1.1" not in second


def test_a_delivery_comes_back_whole() -> None:
    """Two messages are one episode again, with every relationship."""
    tree = two_children()
    back = translator().read(HL7, rendered(REF, tree), partner="").message["episode"]
    assert [child["subject_id"] for child in back["subjects"]] == ["s1", "s2"]
    told = {
        adult["parent_carer_id"]: {
            relation["subject_id"]: relation["relationship"] for relation in adult["relationships"]
        }
        for adult in back["parents_carers"]
    }
    assert told == {
        "c1": {"s1": "NMTH"},
        "c2": {"s2": "GRFTH"},
        "c3": {"s1": "AUNT", "s2": "AUNT"},
    }


def test_next_of_kin_keep_their_order_when_they_come_back() -> None:
    """Who stands first in one child's message does not come second after a round trip."""
    tree = two_children()
    mia, gus, ann = tree["parents_carers"]
    tree["parents_carers"] = [gus, ann, mia]
    raw = rendered(REF, tree)
    assert [names_of_kin(one) for one in messages(raw)] == [
        ["Ann Other", "Mia Example"],
        ["Gus Sample", "Ann Other"],
    ]
    back = translator().read(HL7, raw, partner="").message["episode"]
    assert rendered(REF, back) == raw


def test_next_of_kin_in_contrary_orders_are_read() -> None:
    """Strangers' messages that contradict each other about the order are read all the same."""
    first, second = messages(rendered(REF, two_children()))
    kin = [line for line in second.split("\r") if line[:3] == "NK1"]
    turned = second.replace("\r".join(kin), "\r".join([*reversed(kin)]))
    again = first.replace("s1^^^CAFHUB", "s2^^^CAFHUB").replace("Mia Example", "Gus Sample")
    for raw in (first + turned, turned + again.replace("c1^^^CAFHUB", "c2^^^CAFHUB")):
        document = Hl7v2Wire().parse(raw.encode())
        _envelope, pieces = Hl7v2Wire().shape.take_apart(document)
        assert sum("NK1" in piece.path for piece in pieces) == raw.count("\rNK1|")


def test_the_same_delivery_has_the_same_ids() -> None:
    """MSH-10 depends on the delivery and the child, and on nothing else."""

    def ids(**header: Any) -> list[str]:
        return [one.split("|")[9] for one in messages(rendered(REF, two_children(), **header))]

    assert ids() == ids()
    assert set(ids()).isdisjoint(ids(message_id="m2"))


def test_what_was_cut_leaves_no_trace() -> None:
    """A family without an element, and one whose element was never written, are told alike."""
    tree = builders.episode()
    cut = copy.deepcopy(tree)
    cut["subjects"][0]["elements"] = cut["subjects"][0]["elements"][1:]
    cut["parents_carers"] = []
    del cut["plan"], cut["reviews"]
    never = {name: value for name, value in cut.items() if name != "parents_carers"}
    assert rendered(REF, cut) == rendered(REF, never)
    for word in (b"NK1", b"|1.1^", b"|PLAN^", b"|REVIEW^"):
        assert word not in rendered(REF, never)


@pytest.mark.parametrize(
    "path",
    ["role", "practitioner_id", "name", "organisation", "service_type", "contact_tel", "email"],
)
def test_a_provider_is_known_by_its_role_whatever_is_cut(path: str) -> None:
    """PRD-1 says what somebody is, even where all else about them is withheld but one thing."""
    whole = builders.practitioner("p-teach")
    lead = {path: whole[path]}
    tree = {"episode_id": "e1", "services": {"lead_professional": lead, "assessor": [lead]}}
    (message,) = messages(rendered(REF, tree))
    assert [line[:6] for line in message.split("\r") if line[:3] == "PRD"] == [
        "PRD|RT",
        "PRD|RP",
        "PRD|PP",
    ]


def test_the_dates_of_an_assessment_may_be_cut() -> None:
    """An observation group keeps its name without them."""
    tree = builders.episode()
    del tree["assessment_started_on"], tree["assessment_completed_on"], tree["assessment"]
    (message,) = messages(rendered(REF, tree))
    assert "|ASSESSMENT^^ECAF\r" in message


@pytest.mark.parametrize(
    "kept",
    [
        {"role"}, {"name"}, {"contact_tel"}, {"email"}, {"address_lines"}, {"postcode"},
        {"practitioner_id", "name", "organisation"},
    ],
)  # fmt: skip
def test_part_of_a_practitioner_reads_back(kept: set[str]) -> None:
    """What was said of a practitioner is what comes back, in every place where one stands."""
    whole = {**builders.practitioner("p-teach"), "address_lines": ["1 Road", "Town"],
             "postcode": "ZZ99 3AA"}  # fmt: skip
    some = {name: value for name, value in whole.items() if name in kept}
    tree = {
        "episode_id": "e1",
        "services": {"lead_professional": some, "other_service": [{"practitioner": some}]},
        "plan": {"team_member": [{"practitioner": some}]},
        "closure": {"closed_by": some},
    }
    one = translator().catalogue.formats[REF]
    body = one.wire.write(
        one.compiled.render(freeze({"message": builders.header(), "episode": tree})), check=True
    )
    back = one.compiled.read(one.wire.parse(body)).message["episode"]
    assert back["services"]["lead_professional"] == some
    assert back["services"]["other_service"][0]["practitioner"] == some
    assert back["plan"]["team_member"][0]["practitioner"] == some
    assert back["closure"]["closed_by"] == some


FAMILY = ("RF1||||||e1^CAFHUB", "PRD|RP")


def test_a_number_of_a_hospitals_own_is_named_and_not_used() -> None:
    """An identifier whose type no row knows, or that has none, is no identifier of the child."""
    found = read(
        "REF^I12",
        *FAMILY,
        "PID|1||s1^^^CAFHUB^PI~H1^^^RXX^MR~77^^^RXX~9990000018^^^NHS^NH",
        "OBR|1|||IDENTITY^^ECAF",
        "OBX|1|CE|is_unborn^^ECAF||N^^HL70136||||||F",
    )
    (child,) = found.message["episode"]["subjects"]
    assert child["identifiers"] == [{"system": "nhs-number", "value": "9990000018"}]
    assert [path for path in found.unmapped if "PID" in path] == [
        "message[0].PID.3[1]",
        "message[0].PID.3[2]",
    ]


@pytest.mark.parametrize(
    ("sent", "gender"),
    [
        ("M", "M"),
        ("F", "F"),
        ("U", "U"),
        ("A", "I"),
        ("1", "M"),
        ("2", "F"),
        ("0", "U"),
        ("9", "I"),
    ],
)
def test_both_ways_to_write_a_gender_are_read(sent: str, gender: str) -> None:
    """Table 0001, and the numbers of the NHS."""
    found = read(
        "REF^I12",
        *FAMILY,
        f"PID|1||s1^^^CAFHUB^PI||Example^Ava|||{sent}",
        "OBR|1|||IDENTITY^^ECAF",
        "OBX|1|CE|is_unborn^^ECAF||N^^HL70136||||||F",
    )
    assert found.message["episode"]["subjects"][0]["gender"] == gender


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ("ADT^A01", ("hl7v2/adt-visit", "notification")),
        ("ADT^A08", ("hl7v2/adt-demographics", "notification")),
        ("SIU^S26", ("hl7v2/siu", "notification")),
        ("RRI^I12", ("hl7v2/rri-i12", "contribution")),
    ],
)
def test_the_event_chooses_the_mapping(event: str, told: tuple[str, str]) -> None:
    """One content type, and a mapping for each sort of message."""
    name, payload = told
    segments = {
        "notification": ["SCH|1", "PID|1||9990000018^^^NHS^NH", "PV1|1|E"],
        "contribution": ["RF1|A|||||e1^CAFHUB|||||r1^REQUEST", "PRD|RT", "PID|1||e1"],
    }[payload]
    assert event in translator().catalogue.formats[name].written.accepts
    assert payload in read(event, *segments).message


def test_an_answer_of_the_hubs_own_is_never_taken_for_a_merge() -> None:
    """What the hub only writes is read by no mapping."""
    with pytest.raises(Malformed) as refused:
        translator().read_format(translator().catalogue.formats["hl7v2/adt-merge"], b"")
    assert refused.value.code == "E_CONTENT_TYPE"


def test_whole_episodes_are_what_the_content_type_means() -> None:
    """A partner that takes HL7 v2 gets REF^I12 unless it says otherwise."""
    assert translator().format_for(HL7) == REF


def test_two_notifications_are_not_one() -> None:
    """Two children in one delivery disagree about who it is about."""
    raw = "".join(
        HEADER.format(event="ADT^A08").replace("R1", f"R{number}")
        + f"PID|1||99900000{tail}^^^NHS^NH\r"
        for number, tail in enumerate((18, 26))
    )
    with pytest.raises(InvalidContent) as refused:
        translator().read(HL7, raw.encode(), partner="")
    assert {fault.code for fault in refused.value.faults} == {"E_RULE"}


def test_a_relationship_to_a_child_that_is_not_shown_is_not_sent() -> None:
    """Nothing is made up: the mapping fails instead."""
    tree = {**two_children()}
    tree["subjects"] = tree["subjects"][:1]
    with pytest.raises(Rejected) as refused:
        rendered(REF, tree)
    assert refused.value.code == "E_MAPPING"


def test_nothing_of_a_wrong_message_is_repeated() -> None:
    """A refusal names places and lists, never what was sent."""
    with pytest.raises(HubError) as refused:
        read("REF^I12", *FAMILY, "PID|1||s1^^^CAFHUB^PI||Zacharias^Zoe||||||||||Xhosan")
    told = f"{refused.value} {refused.value.faults}"
    assert "Zacharias" not in told
    assert "Xhosan" not in told


KINDS: Mapping[str, str] = {
    "ADT^A01/E": "emergency_attendance",
    "ADT^A04/E": "emergency_attendance",
    "ADT^A03/E": "discharge",
    "ADT^A03/I": "discharge",
    "ADT^A01/I": "admission",
    "ADT^A04/O": "appointment",
    "ADT^A08/E": "demographic_change",
    "ADT^A28/N": "demographic_change",
    "ADT^A31/N": "demographic_change",
    "ADT^A40/N": "demographic_change",
    "SIU^S12/O": "appointment",
    "SIU^S15/O": "cancelled_appointment",
    "SIU^S26/O": "missed_appointment",
}


@pytest.mark.parametrize("event", KINDS)
def test_a_notification_says_its_kind_and_its_event(event: str) -> None:
    """The kind that is nearest, and beside it the event as the sender said it."""
    said, visit = event.split("/")
    told = read(said, "PID|1||9990000018^^^NHS^NH", f"PV1|1|{visit}").message["notification"]
    assert told["kind"] == KINDS[event]
    codes = {code["system"].rsplit("/", 1)[1]: code["code"] for code in told["codes"]}
    assert codes["v2-0003"] == said[4:]


OVERLAY = """\
overlay: RXX01
mapping: hl7v2/ref-i12
mapping_version: 1
version: 1
let: {processing: T}
codes:
  hl7v2-gender:
    - {caf: M, way: "=", wire: "1"}
    - {caf: F, way: "=", wire: "2"}
    - {caf: U, way: "=", wire: "0"}
    - {caf: I, way: "=", wire: "9"}
"""


def test_a_partner_may_want_the_numbers_of_the_nhs(tmp_path: Path) -> None:
    """Rows of a code table are replaced by data alone, for one partner, both ways."""
    folder = tmp_path / "overlays" / "RXX01" / REF
    folder.mkdir(parents=True)
    (folder / "overlay.yaml").write_text(OVERLAY)
    theirs = Translator(Catalogue(WIRES, site=tmp_path), read_message)
    tree = {"message": builders.header(message_type="N7"), "episode": builders.episode()}
    told = {}
    for partner in ("RXX01", "HV-A"):
        body = theirs.render(REF, rehearse(tree), partner=partner).body
        (message,) = messages(body)
        person = next(line for line in message.split("\r") if line[:3] == "PID")
        told[partner] = (person.split("|")[8], message.split("|")[10])
        back = theirs.read(HL7, body, partner=partner).message["episode"]
        assert back["subjects"][0]["gender"] == "F"
    assert told == {"RXX01": ("2", "T"), "HV-A": ("F", "P")}
