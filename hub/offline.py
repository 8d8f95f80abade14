"""The real cut, offline: what one service would see of a message under given decisions."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements, Ask
from hub.domain.entitlement import check_decision
from hub.domain.exchange import Decision
from hub.errors import Code, InvalidContent, Malformed
from hub.services.explain import accounted, element_section, places
from hub.services.gate import people
from hub.services.masking import masked
from hub.services.permits import Permits
from hub.services.prune import prune
from hub.services.rights import Rights
from hub.services.shelter import may_locate, sheltered, shield_of
from hub.services.views import view
from mappings.commands_print import input_of
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse

ELEMENTS: Final = re.compile(r"subjects\[\d+\]\.elements\[\d+\]\.")
"""Leaves whose section is that of the element that they stand in."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A file with what one service would see, for the time of a block.

    *decided* gives the decisions that showed each section or place, *withheld* the place of every
    leaf that was cut, with the reason.
    """

    file: Path
    decided: Mapping[str, Sequence[str]]
    withheld: Sequence[tuple[str, str]]


def cut(file: Path | None, service: str, consent: Path) -> AbstractContextManager[Shown]:
    """Return the message as *service* would see it, for the time of the block.

    *consent* is a JSON list of decision records, oldest first; each is checked as if it were being
    recorded.  Raises `Missing`, `Malformed` or `InvalidContent`.
    """
    message, _warnings = read_message(input_of(file))
    if "episode" not in message:
        raise Malformed(Code.RULE, "the message carries no episode")
    tree = message["episode"]
    if shield_of(tree) == "full":
        raise InvalidContent(Code.SHIELDED, "somebody in this episode is shielded: nothing leaves")
    now = datetime.now(UTC)
    decisions: list[Decision] = []
    records = parse(input_of(consent))
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise Malformed(Code.TYPE, "the decisions must be a JSON list of records")
    for number, record in enumerate(records):
        faults = check_decision(record, earlier=decisions, tree=tree, at=now)
        if faults:
            raise InvalidContent(faults[0].code, f"decision {number} is not lawful", tuple(faults))
        decisions.append(
            Decision(
                decision_id=str(record.get("consent_decision_id", number)),
                episode_id=str(record["episode_id"]),
                data_subject=str(record["subject_id"]),
                sequence=number + 1,
                record=record,
                recorded_by="offline",
                recorded_at=now,
            )
        )
    children, adults = people(tree)
    agreements = Agreements(decisions, children, adults, known=circumstances(tree))
    ask = Ask(service, "ASSESS", now)
    seen = sheltered(tree, located=may_locate((tree,), agreements, ask))
    about, open_ = view("N7", tree, ()), view("N7", seen, ())
    permits = Permits(children, adults, Rights(agreements, ask), masked(tree))
    agreed, shown = prune(about, permits), prune(open_, permits)
    opened, gone = accounted(about, shown, agreed, agreements, (*children, *adults), ask)
    decided: dict[str, Sequence[str]] = dict(opened)
    for place, _value in places(shown, shown):
        if ELEMENTS.match(place):
            decided[f"episode.{place}"] = opened.get(element_section(shown, place), ())
    withheld = tuple((f"episode.{place}", reason) for place, reason in gone)
    return _written({**message, "episode": shown}, decided, withheld)


@contextmanager
def _written(
    message: object, decided: Mapping[str, Sequence[str]], withheld: Sequence[tuple[str, str]]
) -> Iterator[Shown]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "message.json"
        path.write_text(json.dumps(message), "utf-8")
        yield Shown(path, decided, withheld)
