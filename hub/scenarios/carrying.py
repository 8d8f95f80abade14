"""What arrived where by which protocol, and how the hub understood the acknowledgement of it.

The bytes are what the participant's own process saved; what was understood is what the hub recorded
of that delivery, asked of its operator's socket.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from hub.scenarios.judging import Arrival, Difference
from hub.scenarios.play import Player
from hub.scenarios.protocols import PROTOCOLS

STARTS = (
    (b"MSH", "HL7 v2"),
    (b'"resourceType"', "FHIR R4"),
)
"""By what the format of received bytes is told."""
SAID = ("acknowledged", "ack", "status")
"""The receiver's word in what the hub recorded, the fullest first."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One message at its recipient, and what the hub made of the recipient's answer."""

    step: str
    who: str
    protocol: str
    kind: str
    format: str
    length: int
    file: str
    said: str
    state: str


async def understood(player: Player) -> list[Carried]:
    """Return what was carried, in the order of arrival.

    Raises a `Difference` for the first message that its recipient has acknowledged and the hub does
    not know as delivered: an acknowledgement that nobody understands is none.
    """
    found = []
    labels = {step.number: step for step in player.scenario.steps}
    for arrival in player.story.arrivals:
        way = await player.world.operator("GET", f"/admin/messages/{arrival.delivery_id}/trace")
        own = next(one for one in way["deliveries"] if one["delivery_id"] == arrival.delivery_id)
        one = _carried(player, arrival, labels[arrival.step].label, own)
        if one.state != "delivered" or not one.said:
            raise Difference(
                labels[arrival.step].place,
                f"{arrival.kind} at {arrival.participant}: its acknowledgement was not understood",
                expected="delivered, by the receiver's own word",
                got=f"{one.state} {one.said}".rstrip(),
            )
        found.append(one)
    return found


def _carried(player: Player, arrival: Arrival, label: str, own: Mapping[str, Any]) -> Carried:
    channel = player.scenario.cast.participants[arrival.participant].channel
    body = arrival.body
    return Carried(
        step=label,
        who=arrival.participant,
        protocol=PROTOCOLS[channel],
        kind=arrival.kind,
        format=next((name for mark, name in STARTS if mark in body[:4096]), "canonical JSON"),
        length=len(body),
        file=str(arrival.file),
        # The index is the hub's own: delivered is that it is applied, and taken by the one beyond.
        said=_said(own) or ("applied" if channel == "index" else ""),
        state=own["state"],
    )


def _said(own: Mapping[str, Any]) -> str:
    for name in SAID:
        found = [step[name] for step in own["steps"] if step.get(name) is not None]
        if own.get(name) or found:
            return str(own.get(name) or found[-1])
    return ""


def show_carried(console: Console, carried: Sequence[Carried]) -> None:
    """Print the table, and what came by each protocol in sum."""
    if not carried:
        return
    table = Table(title="What arrived where, and by which protocol", title_justify="left", box=None)
    for name in ("step", "who", "by", "what", "as", "bytes", "the receiver said", "so it is"):
        table.add_column(name, justify="right" if name == "bytes" else "left")
    for one in carried:
        cells = (one.step, one.who, one.protocol, one.kind, one.format, str(one.length))
        table.add_row(*cells, one.said, one.state)
    console.print(table)
    by: dict[str, list[Carried]] = {}
    for one in carried:
        by.setdefault(one.protocol, []).append(one)
    for protocol, some in by.items():
        names = ", ".join(sorted({one.who for one in some}))
        console.print(
            f"{protocol}: {len(some)} to {names}, all acknowledged and understood", highlight=False
        )
