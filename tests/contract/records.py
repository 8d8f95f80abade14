"""What the store keeps, one of each, with names a test may choose; all of it about nobody."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.domain.exchange import (
    Alert,
    Audited,
    Decision,
    Delivery,
    EpisodeHead,
    InboxEntry,
    IndexEntry,
    Involvement,
    Notice,
    ReleasedRecord,
    Version,
)
from hub.domain.practitioner import Assertion
from hub.ports import Session

NOW = datetime(2026, 9, 1, 9, 30, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)

TREE: dict[str, Any] = {
    "episode_id": "e1",
    "subjects": [
        {"subject_id": "c1", "family_name": "Example", "given_names": ["Canary Anna"]},
        {"subject_id": "c2", "family_name": "Example", "given_names": ["Canary Ben"]},
    ],
    "parents_carers": [
        {
            "parent_carer_id": "p1",
            "name": "Canary Carol Example",
            "relationships": [
                {"subject_id": "c1", "relationship": "01"},
                {"subject_id": "c2", "relationship": "02"},
            ],
        }
    ],
    "conclusions": {
        "conclusions": "Canary conclusion",
        "child_comment": [{"subject_id": "c2", "text": "Canary comment of the second child"}],
    },
    "checklists": [],
}


def entry(message_id: str = "m1", **changed: Any) -> InboxEntry:
    return InboxEntry(**{
        "message_id": message_id, "partner": "SCH-A", "key": f"key-{message_id}",
        "digest": b"\x01" * 32, "content_type": "application/json",
        "raw": b'{"name": "Canary raw"}', "received_at": NOW, "status": 202,
        "answer": {"message_id": message_id, "note": "Canary answer"}, "episode_id": "e1",
        "version": 1, **changed,
    })  # fmt: skip


def head(episode_id: str = "e1", **changed: Any) -> EpisodeHead:
    return EpisodeHead(**{
        "episode_id": episode_id, "owner": "SCH-A", "home_authority": "001", "process": "ASSESSING",
        "resume_to": None, "lead": "NONE", "index": "NONE", "version": 1, "consent_version": 0,
        "created_at": NOW, "changed_at": NOW, "index_entries": ("r1", "r2"),
        "facts": {"practitioner": "Canary practitioner"}, **changed,
    })  # fmt: skip


def version(episode_id: str = "e1", number: int = 1, **changed: Any) -> Version:
    return Version(**{
        "episode_id": episode_id, "version": number, "tree": TREE, "event": "episode.opened",
        "sender": "SCH-A", "message_id": "m1", "recorded_at": NOW, **changed,
    })  # fmt: skip


def decision(sequence: int = 1, episode_id: str = "e1", **changed: Any) -> Decision:
    return Decision(**{
        "decision_id": f"dec-{sequence}", "episode_id": episode_id, "data_subject": "c1",
        "sequence": sequence, "record": {"given_by_person": "Canary giver"}, "recorded_by": "SCH-A",
        "recorded_at": NOW, **changed,
    })  # fmt: skip


def involvement(name: str = "i1", episode_id: str = "e1", **changed: Any) -> Involvement:
    return Involvement(**{
        "involvement_id": name, "episode_id": episode_id, "service": "HOU-A/HOUS",
        "partner": "HOU-A", "since": NOW, **changed,
    })  # fmt: skip


def delivery(name: str = "d1", sequence: int = 1, **changed: Any) -> Delivery:
    return Delivery(**{
        "delivery_id": name, "partner": "HOU-A", "service": "HOU-A/HOUS", "episode_id": "e1",
        "message_type": "N7", "priority": 10, "lane_sequence": sequence, "version": 1,
        "focus": ("sec.plan",), "facts": {"note": "Canary facts"}, "correlation_id": "k1",
        "causation_id": "m1", "created_at": NOW, **changed,
    })  # fmt: skip


def audited(name: str = "a1", **changed: Any) -> Audited:
    return Audited(**{
        "audit_id": name, "at": NOW, "kind": "message.accepted", "actor": "SCH-A",
        "episode_id": "e1", "service": None, "delivery_id": None, "code": "OK",
        "facts": {"note": "Canary audit"}, **changed,
    })  # fmt: skip


def released(delivery_id: str = "d1", **changed: Any) -> ReleasedRecord:
    return ReleasedRecord(**{
        "delivery_id": delivery_id, "episode_id": "e1", "service": "HOU-A/HOUS",
        "message_type": "N7", "version": 1, "paths": ("subjects[c1].canary_path",),
        "digest": b"\x02" * 32, "released_at": NOW, **changed,
    })  # fmt: skip


def index_entry(name: str = "x1", **changed: Any) -> IndexEntry:
    return IndexEntry(**{
        "entry_id": name, "reference": f"ref-{name}", "tokens": (b"\x03" * 32, b"\x04" * 32),
        "match": {"family_name": "Canary match"}, "caf_state": "OPEN",
        "contact": {"name": "Canary contact"}, "authority": "001", "mediated": False,
        "last_sequence": 1, "verified_at": NOW, **changed,
    })  # fmt: skip


def notice(name: str = "n1", **changed: Any) -> Notice:
    return Notice(**{
        "notice_id": name, "partner": "SCH-A", "key": f"key-{name}", "digest": b"\x05" * 32,
        "kind": "attendance_concern", "body": {"text": "Canary notice"}, "received_at": NOW,
        "expires_at": NOW + 24 * HOUR, "episode_id": None, "state": "waiting", **changed,
    })  # fmt: skip


def writing(*records: Any) -> Callable[[Session], None]:
    """Return a unit that adds or puts each of *records*, in this order."""

    def unit(s: Session) -> None:
        ways: dict[type, Callable[[Any], Any]] = {
            InboxEntry: s.add_inbox,
            EpisodeHead: s.put_episode,
            Version: s.add_version,
            Decision: s.add_decision,
            Involvement: s.put_involvement,
            Delivery: s.put_delivery,
            ReleasedRecord: s.add_released,
            Audited: s.add_audit,
            IndexEntry: s.put_index_entry,
            Notice: s.put_notice,
            Alert: s.add_alert,
        }
        for record in records:
            ways[type(record)](record)

    return unit


def alert(name: str = "al1", **changed: Any) -> Alert:
    return Alert(**{
        "alert_id": name, "at": NOW, "kind": "consent.expiring", "audience": "lead:SCH-A/SCH",
        "episode_id": "e1", "service": "SCH-A/SCH", "delivery_id": "d1", "facts": {"days": 28},
        "due_at": NOW + HOUR, **changed,
    })  # fmt: skip


def assertion(organisation: str, ref: str, **changed: Any) -> Assertion:
    """What an organisation vouches for, until the end of 2028."""
    dates = {"from": "2026-01-01", "expires": "2028-12-31"}
    record = {
        "role": {"code": "HV", **dates}, "training": dates, "identity_check": dates,
        "enhanced_dbs": dates, "may_author": True, "may_receive": True, **changed,
    }  # fmt: skip
    return Assertion(organisation, ref, record, organisation, NOW)
