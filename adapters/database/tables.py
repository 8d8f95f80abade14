"""The tables: what is found by is plain, what is said is sealed.

Moments are microseconds since 1970 in UTC, the same on both databases and never a time zone's
guess. A *sealed* column holds an envelope of `adapters.database.vault`.  `delivery`, `lane` and
`data_key` are explained where they are used: `session.py`, `lanes.py`, `keys.py`.  A table
changes only by a migration; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Position = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in an INTEGER

OPEN = "state IN ('pending', 'sending', 'handed_over', 'quarantined')"
"""The deliveries that still matter to their lane; SQLite uses the index only for this very text."""

RECALL = f"message_type = 'N10' AND {OPEN}"
"""The recalls that nobody has acknowledged yet."""
ENDED = "process IN ('CLOSED', 'ARCHIVED')"
RUNNING = "process NOT IN ('CLOSED', 'ARCHIVED', 'VOID', 'DECLINED', 'PURGED')"
"""Which episodes the scheduler looks at (`hub.domain.exchange.Watch`)."""
RECEIVED = "state = 'received'"
"""The notices that nobody has looked at yet (`hub.domain.exchange.UNMATCHED`)."""
WAITING = "state IN ('waiting', 'set_aside')"
"""The notices about which a person may decide."""


def _ref(name: str, *, null: bool = False, key: bool = False) -> Column[str]:
    return Column(name, String, nullable=null, primary_key=key)


def _at(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _sealed(name: str, *, null: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=null)


def _count(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _position() -> Column[int]:
    return Column("position", Position, primary_key=True, autoincrement=True)


data_key = Table(
    "data_key",
    metadata,
    _ref("owner", key=True),  # episode/<id>, message/<id>, notice/<id>
    _ref("part", key=True),  # a subject id; empty: shared
    Column("number", BigInteger, nullable=False),  # how many of this episode's keys went before
    Column("wrapped", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

inbox = Table(
    "inbox",
    metadata,
    _ref("message_id", key=True),
    _ref("partner"),
    _ref("key"),
    Column("digest", LargeBinary, nullable=False),
    _ref("content_type"),
    _sealed("raw", null=True),
    _at("received_at"),
    Column("status", Integer, nullable=False),
    _sealed("answer"),
    _ref("episode_id", null=True),
    _count("version", null=True),
    UniqueConstraint("key", "partner"),
    Index("ix_inbox_raw", "received_at", sqlite_where=text("raw IS NOT NULL"),
          postgresql_where=text("raw IS NOT NULL")),
)  # fmt: skip

episode = Table(
    "episode",
    metadata,
    _ref("episode_id", key=True),
    _ref("owner"),
    _ref("home_authority", null=True),
    _ref("process"),
    _ref("resume_to", null=True),
    _ref("lead_state"),
    _ref("index_state"),
    _count("version"),
    _count("consent_version"),
    _at("created_at"),
    _at("changed_at"),
    _ref("assessor_service", null=True),
    _ref("lead_service", null=True),
    Column("index_entries", Text, nullable=False),  # a JSON list of opaque references
    _sealed("facts", null=True),
    Column("shreds", BigInteger, nullable=False, server_default=text("0")),
    Index("ix_episode_running", "episode_id", sqlite_where=text(RUNNING),
          postgresql_where=text(RUNNING)),
    Index("ix_episode_ended", "episode_id", sqlite_where=text(ENDED),
          postgresql_where=text(ENDED)),
)  # fmt: skip

version = Table(
    "version",
    metadata,
    _ref("episode_id", key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _sealed("shared"),
    _ref("event", null=True),
    _ref("sender"),
    _ref("message_id"),
    _at("recorded_at"),
)

version_part = Table(
    "version_part",
    metadata,
    _ref("episode_id", key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _ref("subject_id", key=True),
    _sealed("part"),
)

decision = Table(
    "decision",
    metadata,
    _ref("episode_id", key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    _ref("decision_id"),
    _ref("data_subject"),
    _sealed("record"),
    _ref("recorded_by"),
    _at("recorded_at"),
    UniqueConstraint("episode_id", "decision_id"),
)

involvement = Table(
    "involvement",
    metadata,
    _ref("involvement_id", key=True),
    _ref("episode_id"),
    _ref("service"),
    _ref("partner"),
    _at("since"),
    _at("until", null=True),
    Index(None, "episode_id"),
    Index(None, "partner"),
)

delivery = Table(
    "delivery",
    metadata,
    _position(),
    _ref("delivery_id"),
    _ref("partner"),
    _ref("service"),
    _ref("episode_id"),
    _ref("message_type"),
    Column("priority", Integer, nullable=False),
    _count("lane_sequence"),
    _count("version"),
    _sealed("content"),  # focus and facts together: one envelope
    _ref("correlation_id"),
    _ref("causation_id"),
    _at("created_at"),
    _ref("state"),
    _ref("reason", null=True),
    Column("attempts", Integer, nullable=False),
    _at("next_attempt_at", null=True),
    _ref("lease_owner", null=True),
    _count("lease_epoch"),
    _at("lease_until", null=True),
    _count("sequence", null=True),
    Column("digest", LargeBinary, nullable=True),
    _sealed("evidence", null=True),
    _at("settled_at", null=True),
    UniqueConstraint("delivery_id"),
    CheckConstraint("lane_sequence >= 0", name="sequence"),
    Index(None, "episode_id"),
    Index(None, "state", "created_at"),
    Index("ix_delivery_open", "partner", "episode_id", "priority", "lane_sequence",
          sqlite_where=text(OPEN), postgresql_where=text(OPEN)),
    Index("ix_delivery_recall", "episode_id", sqlite_where=text(RECALL),
          postgresql_where=text(RECALL)),
)  # fmt: skip

lane = Table(
    "lane",
    metadata,
    _ref("episode_id", key=True),
    _ref("partner", key=True),
    _count("last_sequence"),
    _ref("head", null=True),
    Column("head_priority", Integer),
    _at("head_due", null=True),
    _at("head_lease", null=True),
    Index("ix_lane_due", "head_priority", "head_due", sqlite_where=text("head_due IS NOT NULL"),
          postgresql_where=text("head_due IS NOT NULL")),
    Index("ix_lane_lease", "head_lease", sqlite_where=text("head_lease IS NOT NULL"),
          postgresql_where=text("head_lease IS NOT NULL")),
    sqlite_with_rowid=False,
)  # fmt: skip

released = Table(
    "released",
    metadata,
    _position(),
    _ref("delivery_id"),
    _ref("episode_id"),
    _ref("service"),
    _ref("message_type"),
    _count("version"),
    _sealed("paths"),
    Column("digest", LargeBinary, nullable=False),
    _at("released_at"),
    Index("ix_released_newest", "episode_id", "service", "message_type", "position"),
)

audit = Table(
    "audit",
    metadata,
    _position(),
    _ref("audit_id"),
    _at("at"),
    _ref("kind"),
    _ref("actor"),
    _ref("episode_id", null=True),
    _ref("service", null=True),
    _ref("delivery_id", null=True),
    _ref("code"),
    _sealed("facts"),
    Index(None, "episode_id"),
)

alert = Table(
    "alert",
    metadata,
    _position(),
    _ref("alert_id"),
    _at("at"),
    _ref("kind"),
    _ref("audience"),
    _ref("episode_id", null=True),
    _ref("service", null=True),
    _ref("delivery_id", null=True),
    _sealed("facts"),
    _at("due_at", null=True),
    _at("acknowledged_at", null=True),
    UniqueConstraint("alert_id"),
    Index("ix_alert_open", "audience", "position",
          sqlite_where=text("acknowledged_at IS NULL"),
          postgresql_where=text("acknowledged_at IS NULL")),
)  # fmt: skip

turn = Table(
    "turn",
    metadata,
    _ref("name", key=True),
    _ref("owner"),
    _at("until"),
    sqlite_with_rowid=False,
)

index_entry = Table(
    "index_entry",
    metadata,
    _ref("entry_id", key=True),
    _ref("reference"),
    _sealed("match"),
    _ref("caf_state"),
    _sealed("contact"),
    _ref("authority", null=True),
    Column("mediated", Boolean, nullable=False),
    _count("last_sequence"),
    _at("verified_at"),
    UniqueConstraint("reference"),
)

index_token = Table(
    "index_token",
    metadata,
    Column("token", LargeBinary, primary_key=True),
    _ref("entry_id", key=True),
    Index(None, "entry_id"),
    sqlite_with_rowid=False,
)

subject_token = Table(
    "subject_token",
    metadata,
    Column("token", LargeBinary, primary_key=True),
    _ref("episode_id", key=True),
    _ref("subject_id", key=True),
    Index(None, "episode_id", "subject_id"),
    sqlite_with_rowid=False,
)

notice = Table(
    "notice",
    metadata,
    _ref("notice_id", key=True),
    _ref("partner"),
    _ref("key"),
    Column("digest", LargeBinary, nullable=False),
    _ref("kind"),
    _sealed("body", null=True),
    _at("received_at"),
    _at("expires_at"),
    _ref("episode_id", null=True),
    _ref("state"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _at("next_attempt_at", null=True),
    _ref("reason", null=True),
    _ref("decider", null=True),
    UniqueConstraint("key", "partner"),
    Index(None, "expires_at"),
    Index(
        "ix_notice_unmatched",
        "attempts",
        "received_at",
        sqlite_where=text(RECEIVED),
        postgresql_where=text(RECEIVED),
    ),
    Index(
        "ix_notice_retried",
        "next_attempt_at",
        sqlite_where=text(RECEIVED),
        postgresql_where=text(RECEIVED),
    ),
    Index(
        "ix_notice_waiting",
        "notice_id",
        sqlite_where=text(WAITING),
        postgresql_where=text(WAITING),
    ),
)

practitioner = Table(
    "practitioner",
    metadata,
    _ref("organisation", key=True),
    _ref("ref", key=True),
    _sealed("record"),
    _ref("vouched_by"),
    _at("vouched_at"),
    sqlite_with_rowid=False,
)

used_token = Table(
    "used_token",
    metadata,
    _ref("issuer", key=True),
    _ref("token_id", key=True),
    _at("expires_at"),
    Index(None, "expires_at"),
    sqlite_with_rowid=False,
)

APPEND_ONLY = ("audit", "version", "version_part", "decision", "released")
"""Triggers refuse to change or delete these: speed bumps; the signed checkpoint is the proof."""
