"""The real cut, offline: what one service would see of a message under given decisions."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hub.domain.consent import Agreements, Ask
from hub.domain.entitlement import check_decision
from hub.domain.exchange import Decision
from hub.errors import Code, InvalidContent, Malformed
from hub.services.gate import people
from hub.services.masking import masked
from hub.services.permits import Permits
from hub.services.prune import prune
from hub.services.rights import Rights
from hub.services.shelter import sheltered, shield_of
from hub.services.views import view
from mappings.formats.canonical_json import read_message


def cut(file: Path | None, service: str, consent: Path) -> AbstractContextManager[Path]:
    """Return a file with the message as *service* would see it, for the time of the block.

    *consent* is a JSON list of decision records, oldest first; each is checked as if it were being
    recorded.  Raises `Malformed` or `InvalidContent`.
    """
    raw = file.read_bytes() if file is not None else sys.stdin.buffer.read()
    message, _warnings = read_message(raw)
    if "episode" not in message:
        raise Malformed(Code.RULE, "the message carries no episode")
    tree = message["episode"]
    if shield_of(tree) == "full":
        raise InvalidContent(Code.SHIELDED, "somebody in this episode is shielded: nothing leaves")
    now = datetime.now(UTC)
    decisions: list[Decision] = []
    records = json.loads(consent.read_text("utf-8"))
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
    rights = Rights(Agreements(decisions, children, adults), Ask(service, "ASSESS", now))
    shown = prune(view("N7", sheltered(tree), ()), Permits(children, adults, rights, masked(tree)))
    return _written({**message, "episode": shown})


@contextmanager
def _written(message: object) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "message.json"
        path.write_text(json.dumps(message), "utf-8")
        yield path
