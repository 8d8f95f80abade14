"""People and organisations: who may act, who may receive, and what happens when that ends."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from hub.domain.accreditation import Pilot, Protocol, Stage
from hub.domain.partner import Delivering
from hub.domain.practitioner import Assertion, ends_soon, faults_of
from hub.errors import Code, Conflict, Forbidden, HubError, InvalidContent, Missing, Withheld
from hub.services.alerts import Alerts
from hub.services.eligible import check_author, check_user, user_of
from hub.services.people_duties import ExpiringPractitioners, VacantLeads
from hub.services.vouch import Vouching
from tests import builders as b
from tests.contract.records import assertion
from tests.unit.services.world import CANONICAL, PARTNERS, World, appointment, part

ENDS = {"from": "2026-01-01", "expires": "2026-09-01"}
"""A fact that runs out on the day on which the stories begin."""


def said(organisation: str, ref: str, **changes: Any) -> Assertion:
    return replace(assertion(organisation, ref, **changes), vouched_at=World().clock.now())


@pytest.fixture
async def world() -> World:
    """The plan is agreed; every organisation vouches, and did so for everybody named."""
    return await made()


async def made(**changes: Any) -> World:
    partners = [replace(one, vouches=True, **changes.get(one.name, {})) for one in PARTNERS]
    world = World(partners=partners)
    for organisation, ref in (
        ("SCH-A", "p-teach"), ("EHM-A", "p-lead"), ("EHM-A", "p-deputy"), ("HV-A", "p-visit"),
        ("HOU-A", "p-house"),
    ):  # fmt: skip
        await vouch(world, said(organisation, ref))
    return await world.planned()


async def vouch(world: World, one: Assertion) -> None:
    await world.store.run(lambda s: s.put_practitioner(one))


async def duties(world: World) -> None:
    """Let the scheduler's duty look at the episode."""
    duty = VacantLeads(world.registry)

    def unit(session: Any) -> None:
        for one in duty.due(session, "e1", world.clock.now()).alerts:
            session.add_alert(one)

    await world.store.run(unit)


async def alerts(world: World) -> list[tuple[str, str]]:
    found = await Alerts(world.store, world.clock).list(partner=None, everything=True)
    return [(one["kind"], one["audience"]) for one in found["alerts"]]


async def told(world: World, level: str = "L3") -> dict[str, list[str]]:
    """Let the school change what everybody sees; return who got what."""
    world.take()
    await world.send("SCH-A", "assessment.updated", episode=part(conclusions={"need_level": level}))
    return world.take()


def acting(who: str = "p-deputy", **changes: Any) -> dict[str, Any]:
    block = b.practitioner(who, **{"organisation": "EHM-A", "service_type": "FSW", **changes})
    return part(services={"lead_professional": block, "lp_state": "ACTING"})


async def refusal(attempt: Callable[[], Any]) -> Code:
    with pytest.raises(HubError) as refused:
        await attempt()
    return refused.value.code


# Who may receive


async def test_what_nobody_there_may_receive_waits_for_somebody_who_may(world: World) -> None:
    """Held, neither sent nor lost; everybody else's goes on."""
    await vouch(world, said("HV-A", "p-visit", enhanced_dbs=ENDS))
    world.clock.move(timedelta(days=1))

    got = await told(world)
    (held,) = world.deliveries(partner="HV-A", state="pending")

    assert "HV-A" not in got
    assert got["EHM-A"] == ["N6"]
    assert held.reason == "E_USER_NOT_ELIGIBLE"
    await vouch(world, said("HV-A", "p-visit"))
    world.clock.move(timedelta(hours=2))
    await world.drain()
    assert world.take() == {"HV-A": ["N6"]}
    assert len(world.audit("delivery.held")) == 1


async def test_one_eligible_colleague_is_enough(world: World) -> None:
    """Where two of a service are on the team, the other can take it in."""
    await vouch(world, said("HV-A", "p-visit", may_receive=False))
    await vouch(world, said("HV-A", "p-second"))
    second = b.practitioner("p-second", organisation="HV-A", service_type="HV")
    member = {"practitioner": second, "organisation": "HV-A", "service_type": "HV",
              "role_in_team": "HV", "joined": "2026-09-08"}  # fmt: skip
    team = [*b.plan()["team_member"], member]
    await world.send("EHM-A", episode=part(plan={"plan_id": "plan1", "team_member": team}))

    assert "N6" in (await told(world))["HV-A"]


async def test_an_organisation_that_vouches_for_nobody_is_not_asked() -> None:
    """Its profile says so; whoever works there is its own affair."""
    world = await World().planned()

    assert (await told(world))["HV-A"] == ["N6"]


async def test_a_view_is_refused_to_whom_nobody_vouches_for(world: World) -> None:
    """Unnamed, unknown, and run out are told apart by nobody."""
    partner = world.partners["HV-A"]

    async def view(user: str | None) -> Any:
        acting = replace(partner, acting=user)
        return await world.viewer.view(acting, "HV-A/HV", "e1", "PLAN", CANONICAL)

    assert (await view("p-visit")).body
    for user in (None, "p-nobody", "p-lead", partner.administrator):
        assert await refusal(partial(view, user)) is Code.USER_NOT_ELIGIBLE


# The lead professional


async def test_a_lead_whose_access_ends_leaves_the_place_vacant_in_silence(world: World) -> None:
    """The region changes; the team hears nothing, the organisation and the operator do, once."""
    await vouch(world, said("EHM-A", "p-lead", enhanced_dbs=ENDS))
    version = world.head.version

    await duties(world)
    assert world.head.lead == "APPOINTED", "its last day counts"
    world.clock.move(timedelta(days=1))
    await duties(world)
    await duties(world)
    await world.drain()

    assert (world.head.lead, world.head.version) == ("VACANT", version)
    assert world.take() == {}
    assert await alerts(world) == [
        ("lead.vacant", "administrator:EHM-A"),
        ("lead.vacant", "operator"),
    ]
    world.clock.move(timedelta(days=2))
    await duties(world)
    assert ("lead.vacant.overdue", "protocol-owner:EHM-A") in await alerts(world)


async def test_an_acting_lead_takes_over_what_waited(world: World) -> None:
    """Nothing reaches the service of who was stopped until ACTING is set; then it does, with the
    deputy named, and team and index hear of the deputy (N3).
    """
    await vouch(world, said("EHM-A", "p-lead", stopped_on="2026-09-01"))
    await duties(world)

    assert "EHM-A" not in await told(world)
    await world.notify("SCH-A")
    assert world.take() == {}
    await world.send(
        "EHM-A", "lead_professional.changed", episode=acting(), event_detail={"acting": True}
    )
    got = world.take()

    assert world.head.lead == "ACTING"
    assert world.tree["responsible_practitioner"]["practitioner_id"] == "p-deputy"
    assert got == {"EHM-A": ["N6", "NOTICE"], "SCH-A": ["N3"], "HV-A": ["N3"], "HOU-A": ["N3"],
                   "IDX": ["N3"]}  # fmt: skip
    assert "vacant_since" not in world.head.facts


async def test_what_only_a_lead_is_sent_follows_the_lead(world: World) -> None:
    """A notice that waited goes to whoever acts, at another service, and not to the old one."""
    await vouch(world, said("EHM-A", "p-lead", stopped_on="2026-09-01"))
    await duties(world)
    await world.notify("SCH-A")
    visit = acting("p-visit", organisation="HV-A", service_type="HV")
    await world.send(
        "HV-A", "lead_professional.changed", episode=visit, event_detail={"acting": True}
    )

    got = world.take()
    assert "NOTICE" in got["HV-A"]
    assert "NOTICE" not in got.get("EHM-A", [])
    (ended,) = world.deliveries(partner="EHM-A", message_type="NOTICE")
    assert (ended.state.value, ended.reason) == ("suppressed", "LEAD_CHANGED")


async def test_who_is_not_eligible_cannot_be_made_lead(world: World) -> None:
    """Neither appointed nor acting."""
    block = acting("p-unknown")

    async def appoint() -> Any:
        return await world.send("EHM-A", "lead_professional.changed", episode=block)

    assert await refusal(appoint) is Code.USER_NOT_ELIGIBLE


async def test_a_protocol_that_lapsed_ends_the_lead_too() -> None:
    """T18: access ends with the organisation's accreditation as well."""
    lapsing = (
        Protocol("P", date(2026, 9, 1), "1", "001"),
        Protocol("Q", date(2030, 1, 1), "1", "002"),
    )
    world = await made(**{"EHM-A": {"protocols": lapsing}})
    world.clock.move(timedelta(days=1))

    await duties(world)

    assert world.head.lead == "VACANT"


# Who may act


async def test_who_acts_is_named_and_vouched_for(world: World) -> None:
    """The message's own word counts before the call's; silence is refused."""
    partner, now = replace(world.partners["SCH-A"], acting="p-teach"), world.clock.now()

    def check(user: str | None, event: str | None = None) -> None:
        def unit(session: Any) -> None:
            check_author(session, partner, user, event, now)

        unit(world_session)

    world_session: Any = None

    def run(session: Any) -> list[str]:
        nonlocal world_session
        world_session = session
        found = []
        for user, event in (
            ("p-teach", None), (None, None), ("p-other", None),
            ("admin-sch-a", None), ("admin-sch-a", "practitioner.contact_changed"),
        ):  # fmt: skip
            try:
                check(user, event)
                found.append("yes")
            except Forbidden as refused:
                found.append(refused.code.value)
        check_user(session, replace(partner, vouches=False), None, "author", now)
        return found

    no = "E_USER_NOT_ELIGIBLE"
    assert await world.store.run(run) == ["yes", no, no, no, "yes"]
    assert user_of(partner, {"message": {"sender_user_ref": "p-1"}}) == "p-1"
    assert user_of(partner, {}) == "p-teach"


async def test_authoring_and_receiving_are_apart(world: World) -> None:
    """Who may only receive writes nothing, and the other way round."""
    await vouch(world, said("HV-A", "p-visit", may_author=False))
    partner, now = world.partners["HV-A"], world.clock.now()

    await world.store.run(lambda s: check_user(s, partner, "p-visit", "receive", now))
    with pytest.raises(Forbidden):
        await world.store.run(lambda s: check_user(s, partner, "p-visit", "author", now))


# Accreditation


async def test_a_lapse_in_one_authority_stops_its_episodes_at_door_and_gate() -> None:
    """Queued content is suppressed, and sender, viewer and asker are refused; N10 still goes."""
    lapsing = (
        Protocol("P", date(2026, 9, 1), "1", "001"),
        Protocol("Q", date(2030, 1, 1), "1", "002"),
    )
    world = await made(**{"HV-A": {"protocols": lapsing}})
    world.clock.move(timedelta(days=1))
    partner = replace(world.partners["HV-A"], acting="p-visit")

    assert "HV-A" not in await told(world)
    assert world.deliveries(partner="HV-A", message_type="N6")[-1].reason == "E_ORG_NOT_ACCREDITED"

    async def send() -> Any:
        return await world.send("HV-A", "assessment.updated", episode=part(conclusions={}))

    async def view() -> Any:
        return await world.viewer.view(partner, "HV-A/HV", "e1", "PLAN", CANONICAL)

    async def ask() -> Any:
        return await world.lookup.consents(partner, "e1")

    for attempt in (send, view, ask):
        assert await refusal(attempt) is Code.ORG_NOT_ACCREDITED
    narrowed = {"scope_excludes": [{"service": "HV-A/HV", "section": "all"}]}
    await world.decide("EHM-A", world.decision(state="NARROWED", scope_includes=[], **narrowed))
    assert world.take()["HV-A"] == ["N10"]


async def test_a_stranger_does_not_learn_whose_home_an_episode_has() -> None:
    """Without a relationship, a lapsed protocol answers as an unknown episode does."""
    world = await made(**{"VCS-N": {"protocols": (Protocol("Q", date(2030, 1, 1), "1", "002"),)}})
    await vouch(world, said("VCS-N", "p-ola"))
    partner = replace(world.partners["VCS-N"], acting="p-ola")

    async def view(episode: str) -> Any:
        return await world.viewer.view(partner, "VCS-N/YOUTH", episode, "PLAN", CANONICAL)

    known, unknown = await refusal(lambda: view("e1")), await refusal(lambda: view("e-none"))
    assert known is unknown is Code.NO_RELATIONSHIP


async def test_a_pilot_takes_in_no_more_episodes_than_agreed() -> None:
    """The first ones stay open to it; a further one is not released."""
    pilot: dict[str, Any] = {"stage": Stage.PILOT, "pilot": Pilot(episodes=1)}
    world = await made(**{"HV-A": pilot})
    assert (await told(world))["HV-A"] == ["N6"]

    def earlier(session: Any) -> None:
        (one, *_) = [i for i in session.involvements("e1") if i.partner == "HV-A"]
        before = one.since - timedelta(days=1)
        session.put_involvement(replace(one, involvement_id="x", episode_id="e0", since=before))

    await world.store.run(earlier)

    assert "HV-A" not in await told(world, "L2")
    assert world.deliveries(partner="HV-A", message_type="N6")[-1].reason == "E_ORG_NOT_ACCREDITED"


async def test_a_suspended_organisation_gets_nothing_that_waits() -> None:
    """Suspension takes effect at once, for what is queued too."""
    world = await made()
    from tests.unit.services.test_dispatch import down

    world.doubles["HV-A"].faults.append(down())
    await told(world)
    suspended = replace(world.partners["HV-A"], stage=Stage.SUSPENDED)
    world.partners["HV-A"] = suspended
    world.clock.move(timedelta(hours=1))
    await world.drain()

    assert "HV-A" not in world.take()
    assert world.deliveries(partner="HV-A", message_type="N6")[-1].reason == "E_ORG_NOT_ACCREDITED"


# What is vouched for


def test_warnings_come_28_14_and_3_days_before() -> None:
    """The nearest one only, for every fact by itself."""
    one = assertion("HV-A", "p", enhanced_dbs={"from": "2026-01-01", "expires": "2026-10-01"})
    last = date(2026, 10, 1)

    found = [dict(ends_soon(one, last - timedelta(days=n))) for n in (29, 28, 15, 14, 4, 3, 0, -1)]

    assert [one.get("enhanced_dbs") for one in found] == [None, 28, 28, 14, 14, 3, 3, None]


async def test_everybody_is_looked_at_once_a_day(world: World) -> None:
    """Page by page, and a unit that is repeated asks for the same page."""
    duty = ExpiringPractitioners()
    await vouch(world, said("HV-A", "p-visit", enhanced_dbs=ENDS))

    async def ask() -> list[str]:
        now = world.clock.now()
        due = await world.store.run(lambda s: duty.due(s, "", now))
        return [f"{one.kind} {one.facts.get('days', '')}" for one in due.alerts]

    assert await ask() == ["practitioner.expiring 3"]
    assert await ask() == ["practitioner.expiring 3"]
    world.clock.move(timedelta(minutes=1))
    assert await ask() == [], "once a day"
    world.clock.move(timedelta(days=1))
    assert await ask() == ["practitioner.expired "]


async def test_an_organisation_vouches_for_its_own(world: World) -> None:
    """What was put is shown to it with what it allows today, and to nobody else."""
    vouching = Vouching(world.store, world.clock)
    record = {**assertion("HV-A", "p-new").record}
    ours, theirs = world.partners["HV-A"], world.partners["SCH-A"]

    put = await vouching.put(ours, "p-new", record)

    assert put.body["eligible"] == {"author": True, "receive": True}
    assert await vouching.shown(ours, "p-new") == put.body
    with pytest.raises(Missing):
        await vouching.shown(theirs, "p-new")
    stopped = await vouching.put(ours, "p-new", {**record, "stopped_on": "2026-09-01"})
    assert stopped.body["eligible"] == {"author": False, "receive": False}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"certificate": "001234567890"}, Code.UNKNOWN_FIELD),
        ({"reason": "dismissed"}, Code.UNKNOWN_FIELD),
        ({"enhanced_dbs": {**ENDS, "number": "001234567890"}}, Code.UNKNOWN_FIELD),
        ({"training": {"from": "2026-01-01"}}, Code.FORMAT),
        ({"training": {"from": "2026-01-01", "expires": "2025-01-01"}}, Code.RULE),
        ({"role": {"code": "KING", "from": "2026-01-01", "expires": "2027-01-01"}}, Code.CODELIST),
        ({"may_author": "yes"}, Code.REQUIRED),
        ({"stopped_on": "soon"}, Code.FORMAT),
        ({"identity_check": None}, Code.REQUIRED),
    ],
)  # fmt: skip
async def test_only_facts_and_dates_are_taken(world: World, change: Any, code: Code) -> None:
    """No certificate, no reason, nothing half said."""
    record = {**assertion("HV-A", "p-new").record, **change}

    with pytest.raises(InvalidContent) as refused:
        await Vouching(world.store, world.clock).put(world.partners["HV-A"], "p-new", record)

    assert [fault.code for fault in refused.value.faults] == [code]
    assert faults_of([]) != []


async def test_the_directory_tells_stage_and_authorities_and_nobodys_name(world: World) -> None:
    """Services, codes, channels, stage, authorities; no practitioner, no administrator."""
    (visiting,) = [s for s in world.lookup.directory()["services"] if s["service"] == "HV-A/HV"]

    assert (visiting["stage"], visiting["authorities"]) == ("live", ["*"])
    assert not {"administrator", "practitioners", "contact_tel", "email"} & visiting.keys()


# Need to know: a dated membership, whose end counts on every path (A1, A2)


async def test_who_has_left_is_a_stranger_on_every_path(world: World) -> None:
    """From the moment of leaving: nothing is sent, shown, listed, taken or recorded."""
    team = [
        {**member, "left": "2026-09-11"} if member["organisation"] == "HV-A" else member
        for member in b.plan()["team_member"]
    ]
    await world.send("EHM-A", episode=part(plan={"plan_id": "plan1", "team_member": team}))
    assert world.take()["HV-A"] == ["N8"], "that it has left is the last that it hears"
    partner = replace(world.partners["HV-A"], acting="p-visit")
    assert "HV-A" not in await told(world)

    async def send() -> Any:
        return await world.send("HV-A", "assessment.updated", episode=part(conclusions={}))

    async def add() -> Any:
        patch = {
            "episode_id": "e1",
            "element": {"subject_id": "s1", "element": "1.1", "commentary": "x"},
        }
        return await world.send("HV-A", contribution=patch)

    async def decide() -> Any:
        return await world.decide("HV-A", world.decision())

    async def view() -> Any:
        return await world.viewer.view(partner, "HV-A/HV", "e1", "PLAN", CANONICAL)

    async def ask() -> Any:
        return await world.lookup.consents(partner, "e1")

    assert await refusal(send) is await refusal(add) is Code.CONSENT_NONE
    assert await refusal(view) is await refusal(ask) is Code.NO_RELATIONSHIP
    assert await refusal(decide) in {Code.NO_RELATIONSHIP, Code.FORBIDDEN}


async def test_what_waits_for_who_leaves_is_not_handed_out(world: World) -> None:
    """Offered before the leaving, fetched after it: refused."""
    world = await made(**{"HV-A": {"delivering": Delivering("pull", "thin")}})
    await told(world)
    (waiting,) = world.deliveries(partner="HV-A", message_type="N6")
    team = [
        {**member, "left": "2026-09-11"} if member["organisation"] == "HV-A" else member
        for member in b.plan()["team_member"]
    ]
    await world.send("EHM-A", episode=part(plan={"plan_id": "plan1", "team_member": team}))

    with pytest.raises((Withheld, Missing)):
        await world.collector.fetch(world.partners["HV-A"], waiting.delivery_id)


async def test_an_administrator_changes_contact_details_and_nothing_else(world: World) -> None:
    """N4 from the administrator while the lead is suspended (S8 step 6)."""
    await vouch(world, said("EHM-A", "p-lead", stopped_on="2026-09-01"))
    await duties(world)

    async def as_administrator(episode: Any) -> Any:
        wire = b.wire({"event": "practitioner.contact_changed", "episode": episode})
        read = world.translator.read(CANONICAL, wire, partner="EHM-A")
        partner = world.partners["EHM-A"]
        return await world.acceptor.accept(
            partner, CANONICAL, wire, f"k-{next(world.keys)}",
            lambda s, i: world.receiver.receive(
                s, replace(i, user=partner.administrator), read.message, ()
            ),
            "e1",
        )  # fmt: skip

    world.take()
    number = {"practitioner_id": "p-lead", "contact_tel": "0113 496 0999"}
    await as_administrator(part(services={"lead_professional": number}))
    await world.drain()

    assert world.take() == {"SCH-A": ["N4"], "HV-A": ["N4"], "HOU-A": ["N4"], "IDX": ["N4"]}
    child = part(subjects=[{**b.subject(), "family_name": "Exampel"}])
    assert isinstance(await _conflict(as_administrator(child)), Conflict)


async def _conflict(attempt: Any) -> BaseException | None:
    try:
        await attempt
    except HubError as refused:
        return refused
    return None


def test_the_example_of_an_appointment_names_an_eligible_person() -> None:
    """The stories above stand on it."""
    assert appointment()["services"]["lead_professional"]["practitioner_id"] == "p-lead"
