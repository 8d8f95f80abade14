"""The ``accredited`` part of a profile: application, protocols, stage, pilot, administrator.

Source: `domain.md` 5.1.  One protocol for every authority is two keys (``protocol``,
``protocol_expires``); protocols of several authorities are a list under ``protocols``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from adapters.partners.values import authority, day, line, matching
from hub.domain.accreditation import Pilot, Protocol, Stage
from hub.positioned import Fields, Value

REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Accredited:
    """What the part says."""

    begins: date
    ends: date
    protocols: tuple[Protocol, ...]
    stage: Stage
    application: str | None
    sponsor: str | None
    administrator: str
    pilot: Pilot | None


def read_accredited(value: Value) -> Accredited:
    """Return the whole part; the first fault in it is raised with its place."""
    told = value.mapping(
        "from", "until", "protocol", "protocol_version", "protocol_expires", "protocols", "stage",
        "application", "sponsor", "administrator", "pilot",
    )  # fmt: skip
    begins, ends = day(told.need("from")), day(told.need("until"))
    if ends < begins:
        told.need("until").error("must not be before from")
    named = told.get("stage")
    stage = Stage(named.one_of(*Stage)) if named else Stage.LIVE
    pilot, limits = None, told.get("pilot")
    if stage is Stage.PILOT:
        pilot = _pilot(told.need("pilot"))
    elif limits is not None:
        limits.error("goes with the stage pilot only")
    return Accredited(
        begins=begins,
        ends=ends,
        protocols=_protocols(told),
        stage=stage,
        application=_optional(told, "application", line),
        sponsor=_optional(told, "sponsor", lambda one: authority(one.text(), one)),
        administrator=matching(
            told.need("administrator"), REFERENCE, "the reference of one person, like admin-1"
        ),
        pilot=pilot,
    )


def _optional(told: Fields, name: str, read: Callable[[Value], str]) -> str | None:
    value = told.get(name)
    return None if value is None else read(value)


def _protocols(told: Fields) -> tuple[Protocol, ...]:
    """Return the signed protocols; without one there is no accreditation to read."""
    listed = told.get("protocols")
    if listed is None:
        version = told.get("protocol_version")
        return (
            Protocol(
                reference=line(told.need("protocol")),
                expires_on=day(told.need("protocol_expires")),
                version=line(version) if version else None,
            ),
        )
    for name in ("protocol", "protocol_version", "protocol_expires"):
        single = told.get(name)
        if single is not None:
            single.error("say it under protocols")
    found: dict[str | None, Protocol] = {}
    for item in listed.sequence():
        one = item.mapping("authority", "id", "version", "expires")
        place = one.get("authority")
        where = None if place is None else authority(place.text(), place)
        if where in found:
            item.error("there is a protocol for this authority already")
        found[where] = Protocol(
            reference=line(one.need("id")),
            expires_on=day(one.need("expires")),
            version=line(one.need("version")),
            authority=where,
        )
    if not found:
        listed.error("name at least one signed protocol")
    return tuple(found.values())


def _pilot(value: Value) -> Pilot:
    told = value.mapping("authorities", "services", "episodes")
    authorities, services, episodes = (told.get(n) for n in ("authorities", "services", "episodes"))
    if authorities is None and services is None and episodes is None:
        value.error("say how far the pilot goes: authorities, services or episodes")
    return Pilot(
        authorities=frozenset(
            authority(one.text(), one) for one in (authorities.sequence() if authorities else ())
        ),
        services=frozenset(line(one) for one in (services.sequence() if services else ())),
        episodes=None if episodes is None else episodes.integer(1, _MOST),
    )
