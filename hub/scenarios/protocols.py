"""Which protocol each participant speaks: a property of the play, laid over what a file says.

The story stays the same; who is told by MLLP instead of a webhook gets the same message in the
format of that protocol, and everything is asked of it that the file asks.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hub.scenarios.casts import FORMATS, PLAIN, Participant
from hub.scenarios.reading import complain, read_file, unknown
from hub.scenarios.scenario import Scenario

PROTOCOLS: Mapping[str, str] = {
    "webhook": "signed webhook",
    "pull": "HTTP, fetched",
    "amqp": "AMQP",
    "fhir": "FHIR REST",
    "mllp": "HL7 v2 over MLLP",
    "mesh": "NHS MESH",
    "index": "child index",
}
"""What a channel is called by those who read about it."""


def dress(scenario: Scenario, file: Path) -> None:
    """Give participants of *scenario* the protocols of *file*, a mapping from names to protocols.

    Who is not named stays as the scenario says.  Raises a fault with its place for a participant or
    protocol that is not known.
    """
    cast = scenario.cast.participants
    told = read_file(file)
    for name, protocol in told.items():
        if name not in cast:
            raise unknown(name, "participant", cast)
        if not isinstance(protocol, str) or protocol not in PROTOCOLS or protocol == "index":
            raise unknown(protocol, "protocol", PROTOCOLS.keys() - {"index"})
        if cast[str(name)].is_index:
            raise complain(name, f"{name} is the child index, which has a way of its own")
    for name, protocol in told.items():
        cast[str(name)] = _over(cast[str(name)], str(protocol))


def _over(one: Participant, channel: str) -> Participant:
    """Return *one* as it is reached over another channel; whole messages where it has no other."""
    if channel in FORMATS:
        content, notification = FORMATS[channel]
        return replace(
            one, channel=channel, body="full", content=content, notification=notification
        )
    bound = one.channel in FORMATS
    content, notification = PLAIN if bound else (one.content, one.notification)
    return replace(one, channel=channel, content=content, notification=notification)
