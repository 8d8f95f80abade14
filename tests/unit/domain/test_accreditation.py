"""Accreditation: stage, period, protocol with each authority, and how far a pilot goes."""

from dataclasses import replace
from datetime import date

import pytest

from hub.domain.accreditation import Pilot, Protocol, Stage
from hub.domain.partner import Delivering, Partner, Service

DAY = date(2026, 9, 1)
CHARITY = Partner(
    name="VCS-N",
    organisation="VCS-N",
    organisation_name="A charity",
    organisation_type="VCS_NAT",
    authority=None,
    accredited_from=date(2026, 1, 1),
    accredited_until=date(2028, 12, 31),
    protocols=(
        Protocol("P-1", date(2028, 12, 31), "1", "001"),
        Protocol("P-2", date(2026, 8, 31), "1", "002"),
    ),
    services=(Service("VCS-N/FSW", "Family support"), Service("VCS-N/YC", "Young carers")),
    operations=frozenset({"submit", "read"}),
    delivering=Delivering("pull"),
    support_contact="support@charity.example",
)


def test_a_protocol_that_lapsed_in_one_authority_stops_that_authority_only() -> None:
    """S8 step 5: B's episodes stop, A's go on, and the organisation stays connected."""
    assert CHARITY.accredited_in("001", DAY)
    assert not CHARITY.accredited_in("002", DAY)
    assert CHARITY.accredited_in("002", date(2026, 8, 31)), "its last day counts"
    assert CHARITY.accredited(DAY)


def test_an_authority_without_a_protocol_is_not_covered() -> None:
    """Nor is an episode whose home nobody knows."""
    assert not CHARITY.accredited_in("003", DAY)
    assert not CHARITY.accredited_in(None, DAY)


def test_an_authoritys_own_protocol_counts_before_the_general_one() -> None:
    """A general one that lasts longer does not revive what lapsed with this authority."""
    both = replace(CHARITY, protocols=(*CHARITY.protocols, Protocol("G", date(2030, 1, 1))))

    assert not both.accredited_in("002", DAY)
    assert both.accredited_in("003", DAY)


@pytest.mark.parametrize(
    ("stage", "connected", "working"),
    [
        (Stage.APPLIED, False, False),
        (Stage.TEST, True, False),
        (Stage.LIVE, True, True),
        (Stage.SUSPENDED, False, False),
    ],
)
def test_the_stage_decides_how_far_a_system_may_go(
    stage: Stage, connected: bool, working: bool
) -> None:
    """Who only applied or was suspended stays outside; who tests sees no child's data."""
    one = replace(CHARITY, stage=stage)

    assert (one.connected(DAY), one.accredited(DAY)) == (connected, working)
    assert one.accredited_in("001", DAY) is working


def test_without_any_live_protocol_nobody_is_connected() -> None:
    """No signature, no connection (`domain.md` 5.1)."""
    assert not CHARITY.connected(date(2029, 1, 1))
    assert not replace(CHARITY, protocols=()).connected(DAY)


def test_a_pilot_reaches_as_far_as_it_says() -> None:
    """Authorities, services, and how many episodes; a pilot without a scope reaches nothing."""
    pilot = Pilot(frozenset({"001"}), frozenset({"VCS-N/FSW"}), 2)
    one = replace(CHARITY, stage=Stage.PILOT, pilot=pilot,
                  protocols=(Protocol("G", date(2030, 1, 1)),))  # fmt: skip

    assert one.accredited_in("001", DAY)
    assert not one.accredited_in("002", DAY)
    assert one.pilots("VCS-N/FSW", lambda _: 1)
    assert not one.pilots("VCS-N/FSW", lambda _: 2)
    assert not one.pilots("VCS-N/YC", lambda _: 0)
    assert not replace(one, pilot=None).accredited_in("001", DAY)
    assert not replace(one, pilot=None).pilots("VCS-N/FSW", lambda _: 0)


def test_who_is_live_is_not_counted() -> None:
    """The number of episodes is asked of pilots only."""

    def unasked(_name: str) -> int:
        raise AssertionError("counted")

    assert CHARITY.pilots("VCS-N/YC", unasked)
