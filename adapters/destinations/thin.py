"""Thin notices: a CloudEvent that says that something waits, and nothing about it.

Source: `standards.md` section 7.  Attributes travel in clear through brokers and logs, so they hold
opaque ids only; what they may look like is checked here, because the library takes anything.
"""

import re
from typing import Final
from urllib.parse import quote

import orjson
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from hub.domain.carriage import Parcel
from hub.errors import Code, Rejected

CONTENT_TYPE: Final = "application/cloudevents+json"
SOURCE: Final = "urn:ecaf:hub"
_PREFIX: Final = "example.ecaf.caf"
_OPAQUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
# The type says no more than the message type does: N11 and N16 cover offers and answers alike.
_EVENTS: Final = {
    "N1": "episode.created",
    "N2": "episode.closed",
    "N3": "leadprofessional.changed",
    "N4": "practitioner.contactchanged",
    "N5": "subject.demographicschanged",
    "N6": "assessment.versioned",
    "N7": "content.shared",
    "N8": "team.event",
    "N9": "plan.event",
    "N10": "consent.changed",
    "N11": "transfer.event",
    "N12": "contact.requested",
    "N13": "disclosure.statutory",
    "N14": "record.voided",
    "N15": "record.retention",
    "N16": "service.event",
}
TYPES: Final = frozenset(f"{_PREFIX}.{event}.v1" for event in _EVENTS.values())
"""Every type that a notice may have."""


def episode_of(parcel: Parcel) -> str:
    """Return the opaque episode reference of a parcel's lane (``episode`` or ``partner/episode``).

    >>> from hub.ports import Parcel
    >>> episode_of(Parcel("d", "N7", "P", 1, False, "", b"", True, "P/ep-1", 1, False))
    'ep-1'
    """
    return parcel.lane.rpartition("/")[2]


def notice(parcel: Parcel, public_url: str) -> bytes:
    """Return the structured CloudEvent for *parcel*, the same bytes on every attempt.

    Its id is the delivery id, and ``dataref`` is where the delivery is fetched, through the gate.
    """
    event = _EVENTS.get(parcel.message_type)
    episode = episode_of(parcel)
    if event is None or not _OPAQUE.fullmatch(parcel.delivery_id) or not _OPAQUE.fullmatch(episode):
        raise Rejected(Code.MAPPING, "a thin notice needs a known message type and opaque ids")
    attributes = {
        "id": parcel.delivery_id,
        "type": f"{_PREFIX}.{event}.v1",
        "source": SOURCE,
        "specversion": "1.0",
        "subject": episode,
        "dataref": f"{public_url}/deliveries/{quote(parcel.delivery_id, safe='')}",
        # Extension attributes of type String (CloudEvents sequence extension): digits that sort.
        "sequence": f"{parcel.lane_sequence:010d}",
    }
    checked = JSONFormat().write(CloudEvent(dict(attributes)))
    members = orjson.loads(checked)
    # The library adds the moment of making the object, which would differ from attempt to attempt.
    members.pop("time", None)
    if members != attributes:
        raise Rejected(Code.MAPPING, "the CloudEvent does not say what was put into it")
    return orjson.dumps(members)
