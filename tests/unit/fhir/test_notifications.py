"""What the hub tells beside content, as FHIR: each kind says what it may, and never the rest."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from hub.domain.carriage import Parcel
from hub.domain.notifications import NOTIFICATIONS
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.engine.cases import Case, find
from mappings.engine.report import loss
from mappings.formats import fhir_r4_models, fhir_r4_rules
from tests import builders
from tests.unit.fhir.wholes import Tree, whole
from tests.unit.services.test_s1_in_process import NEW
from tests.unit.services.world import (
    FHIR,
    PARTNERS,
    PURPOSES,
    World,
    appointment,
    completion,
    includes,
    opening,
    part,
    subject,
)

NAME = "fhir-r4/notification"
ONE = translator().catalogue.formats[NAME]
CASES = [case for case in find(ONE.folder.parents[1]) if case.format == NAME and case.outward]
TOLD = ("N1", "N2", "N3", "N4", "N5", "N8", "N10", "N11", "N14", "N16", "NOTICE")
NEVER = {
    "why it was closed": ["STEPPED_UP", "Ava is in school, and the flat is dry.", "ACHIEVED"],
    "why the lead changed": ["FIRSTAP"],
    "the assessment": ["Ava copes well", "Ava misses school", "Conversation at school", "The flat"],
    "health, religion, ethnicity": ["MOTH", "as she says it", '"UKC"', "Welsh", "Wears a hearing"],
    "family": ["Mia Example", "Max Example", "Gwen Sample", '"c1"', "court_order", "no_contact"],
    "the plan": ["Breakfast club", "Came twice", "dry flat", "Mornings are better"],
    "other requests": ["HOU-A/HOUS"],
    "how sensitive a service is": ["is_sensitive_service"],
    "shields": ["whereabouts"],
}


def document(tree: Tree) -> dict[str, Any]:
    """The Bundle of a notification."""
    made: dict[str, Any] = orjson.loads(translator().render(NAME, rehearse(tree), partner="").body)
    return made


def event(made: dict[str, Any]) -> str:
    """The event code of a Bundle."""
    return ONE.wire.kind(made)


@pytest.mark.parametrize("code", [code for code in TOLD if code != "NOTICE"])
@pytest.mark.parametrize("never", NEVER)
def test_a_notification_never_says(code: str, never: str) -> None:
    """Even if the gate let the whole episode through with it, a notification would not say this."""
    tree = whole()
    tree["episode"]["closure"]["closure_reason"] = "STEPPED_UP"
    tree["message"] |= {"message_type": code, "recipients": ["EHM-A/FSW"]}
    tree["notification"] = {"code": code}
    del tree["event"]
    text = orjson.dumps(document(tree)).decode()
    said = [word for word in NEVER[never] if word in text]
    if never == "how sensitive a service is":
        said += [word for word in ("sensitive",) if word in text]
    assert said == []


def test_the_words_that_are_never_said_would_be_found() -> None:
    """The guard bites: in content those words do stand."""
    tree = whole()
    tree["episode"]["closure"]["closure_reason"] = "STEPPED_UP"
    text = translator().render("fhir-r4/episode", rehearse(tree), partner="").body.decode()
    for never in NEVER.keys() - {"how sensitive a service is", "shields", "why the lead changed"}:
        assert any(word in text for word in NEVER[never]), never


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder.name)
def test_a_case_is_lawful_and_has_a_published_definition(case: Case) -> None:
    """Both layers pass it, and its event is one of the hub's own."""
    made = orjson.loads((case.folder / "expected.json").read_bytes())
    assert fhir_r4_models.faults(made) == []
    assert fhir_r4_rules.faults(made) == []
    header = made["entry"][0]["resource"]
    assert header["definition"].endswith(f"/MessageDefinition/{event(made)}|1.0.0")


def test_every_kind_has_a_case() -> None:
    """N1 to N5, N8, N10, N11, N14, N16 and notices, each with its own event."""
    found: dict[str, set[str]] = {}
    for case in CASES:
        tree = orjson.loads((case.folder / "input.json").read_bytes())
        made = orjson.loads((case.folder / "expected.json").read_bytes())
        found.setdefault(tree["notification"]["code"], set()).add(event(made))
    assert found == {
        "N1": {"caf-created"},
        "N2": {"caf-closed"},
        "N3": {"caf-lead-professional-changed"},
        "N4": {"caf-practitioner-contact-changed"},
        "N5": {"caf-demographics-changed"},
        "N8": {"caf-team-event"},
        "N10": {"caf-consent-changed"},
        "N11": {"caf-transfer-offer", "caf-transfer-response"},
        "N14": {"caf-void"},
        "N16": {"caf-service-request", "caf-service-response"},
        "NOTICE": {"caf-notice-passed-on"},
    }


def test_nothing_beyond_table_1_5_has_a_place() -> None:
    """A leaf that a notification may hold stands in the table of its kind."""
    allowed = {
        f"episode.{path}"
        for row in NOTIFICATIONS.values()
        for path in (*row.index_paths, *row.team_paths)
    }
    allowed |= {
        f"episode.{place}.{leaf}"
        for place in (
            "services.lead_professional",
            "services.assessor[]",
            "services.other_service[].practitioner",
            "plan.team_member[].practitioner",
            "responsible_practitioner",
        )
        for leaf in (
            *("practitioner_id", "name", "role", "organisation", "service_type"),
            *("contact_tel", "email", "address_lines[]", "postcode"),
        )
    }
    team = ("organisation", "service_type", "role_in_team", "joined", "left")
    allowed |= {f"episode.plan.team_member[].{leaf}" for leaf in team}
    allowed |= {f"episode.services.other_service[].{leaf}" for leaf in team[:2]}
    kept = {
        row.caf for row in loss(ONE) if row.outcome != "lost" and row.caf.startswith("episode.")
    }
    assert kept <= allowed, sorted(kept - allowed)


class FhirWorld(World):
    """A hub whose every partner takes FHIR, content and notifications."""

    def __init__(self) -> None:
        super().__init__(
            partners=[
                replace(one, delivering=replace(one.delivering, content=FHIR, notification=NAME))
                for one in PARTNERS
                if one.name != "IDX" and one.delivering.channel != "pull"
            ]
        )

    def parse(self, parcel: Parcel) -> Tree:
        """Check what a recipient got, and show it as it came."""
        made: Tree = orjson.loads(parcel.body)
        assert parcel.content_type == "application/fhir+json"
        assert fhir_r4_rules.faults(made) == []
        return made

    def events(self) -> dict[str, list[str]]:
        """The events that each partner got since, by name."""
        found: dict[str, list[str]] = {}
        for got in self.inbox:
            found.setdefault(got.partner, []).append(event(got.message).removeprefix("caf-"))
        self.inbox.clear()
        return found


async def test_a_story_told_in_fhir_alone() -> None:
    """Scenario S1 with a hub whose partners all take FHIR: each is told by events, and nothing is
    set aside because it could not be said.
    """
    world = FhirWorld()
    await world.decide("SCH-A", world.store_only())
    await world.send("SCH-A", "episode.opened", episode=opening())
    world.clock.move(timedelta(days=7))
    scope = [
        *includes()[:3],
        {"service": "HOU-A/HOUS", "section": "sec.plan", "purpose": "REQUEST_SERVICE"},
        *includes()[3:],
    ]
    await world.decide("SCH-A", world.decision(scope_includes=scope, purpose=PURPOSES))
    await world.decide("SCH-A", world.own(scope_includes=scope, purpose=PURPOSES))
    await world.send("SCH-A", "assessment.completed", episode=completion())
    shared = ["content-shared"]
    assert world.events() == {"EHM-A": shared, "HOU-A": shared, "HV-A": shared}

    await world.send("EHM-A", "lead_professional.appointed", episode=appointment())
    both = ["lead-professional-changed", "team-event"]
    assert world.events() == {"SCH-A": both, "HV-A": both, "HOU-A": both}

    plan = builders.plan()
    request = plan.pop("service_request")
    await world.send("EHM-A", "plan.agreed", episode=part(plan=plan))
    agreed = ["plan-event"]
    assert world.events() == {"SCH-A": agreed, "HV-A": agreed, "HOU-A": agreed}
    await world.send(
        "EHM-A",
        "service.requested",
        event_detail={"request_id": "r1", "service": "HOU-A/HOUS"},
        episode=part(plan={"plan_id": "plan1", "service_request": request}),
    )
    assert world.events() == {"HOU-A": ["service-request"]}
    await world.send(
        "HOU-A",
        "service.answered",
        event_detail={"request_id": "r1", "answer": "ACCEPTED"},
        contribution={
            "episode_id": "e1",
            "service_answer": {"request_id": "r1", "answer": "ACCEPTED"},
        },
    )
    assert world.events() == {"EHM-A": ["service-response"], "SCH-A": agreed, "HV-A": agreed}
    await world.notify("SCH-A")
    assert world.events() == {"EHM-A": ["notice-passed-on"]}

    await world.send(
        "EHM-A",
        "family.moved",
        event_detail={"receiving_authority": "002"},
        episode=part(subjects=subject(address=[builders.address(postcode="ZZ99 4VZ")])),
    )
    moved = ["demographics-changed"]
    assert world.events() == {"SCH-A": moved, "HV-A": moved, "HOU-A": moved}
    transfer = [{"service": "EHM-B/FSW", "section": "sec.identity", "purpose": "TRANSFER"}]
    await world.decide(
        "EHM-A", world.decision(state="WIDENED", purpose=["TRANSFER"], scope_includes=transfer)
    )
    offer = world.last("EHM-B")
    assert "commentary" not in offer.text
    assert "QuestionnaireResponse" not in offer.text
    assert world.events() == {"EHM-B": ["transfer-offer"]}
    wide = includes("EHM-B/FSW", "SCH-B/SCH")
    await world.decide("EHM-A", world.decision(state="WIDENED", scope_includes=wide))
    await world.decide("EHM-A", world.own(state="WIDENED", scope_includes=wide))
    await world.send("EHM-B", "transfer.accepted", episode=part())
    assert world.events() == {"EHM-A": ["transfer-response"], "EHM-B": shared, "SCH-B": shared}

    await world.decide(
        "EHM-A",
        world.decision(
            state="NARROWED",
            scope_includes=includes("SCH-B/SCH"),
            scope_excludes=[{"service": "SCH-B/SCH", "section": "sec.parenting"}],
        ),
    )
    recall = world.last("SCH-B")
    assert "sec.conclusions" in recall.text
    assert "sec.parenting" not in recall.text
    assert world.events() == {"SCH-B": ["consent-changed"]}
    await world.send(
        "EHM-B",
        "lead_professional.changed",
        episode=part(services={"lead_professional": NEW, "lp_state": "APPOINTED"}),
    )
    world.inbox.clear()
    quarantined = [one for one in world.deliveries() if one.state.value == "quarantined"]
    assert [(one.message_type, one.reason) for one in quarantined] == []
