"""The first form of the record: every table, append-only where the record must not change.

Runs before the code.  Frozen: a later change of `adapters.database.tables` comes with a step of
its own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state IN ('pending', 'sending', 'handed_over', 'quarantined')")
APPEND_ONLY = ("audit", "version", "version_part", "decision", "released")
# Ciphertext does not shrink: stored as it is, the server spends nothing on trying.
SEALED = (
    ("inbox", "raw"),
    ("inbox", "answer"),
    ("version", "shared"),
    ("version_part", "part"),
    ("decision", "record"),
    ("delivery", "content"),
    ("delivery", "evidence"),
    ("released", "paths"),
    ("audit", "facts"),
    ("notice", "body"),
)


def upgrade() -> None:
    """Make the tables and their guards."""
    _tables()
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _sqlite() -> None:
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER append_only_{table}_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _postgresql() -> None:
    for table, column in SEALED:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
    op.execute(
        """
        CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        )


def _tables() -> None:
    op.create_table(
        "audit",
        sa.Column("position", POSITION, autoincrement=True, nullable=False),
        sa.Column("audit_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=True),
        sa.Column("service", sa.String(), nullable=True),
        sa.Column("delivery_id", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_episode_id"), "audit", ["episode_id"], unique=False)
    op.create_table(
        "data_key",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "part", name=op.f("pk_data_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "decision",
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("data_subject", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "sequence", name=op.f("pk_decision")),
        sa.UniqueConstraint(
            "episode_id", "decision_id", name=op.f("uq_decision_episode_id_decision_id")
        ),
    )
    op.create_table(
        "delivery",
        sa.Column("position", POSITION, autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("message_type", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("lane_sequence", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=False),
        sa.Column("causation_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_epoch", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("evidence", sa.LargeBinary(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("lane_sequence >= 0", name=op.f("ck_delivery_sequence")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_delivery")),
        sa.UniqueConstraint("delivery_id", name=op.f("uq_delivery_delivery_id")),
    )
    op.create_index(op.f("ix_delivery_episode_id"), "delivery", ["episode_id"], unique=False)
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["partner", "episode_id", "priority", "lane_sequence"],
        unique=False,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_index(
        op.f("ix_delivery_state_created_at"), "delivery", ["state", "created_at"], unique=False
    )
    op.create_table(
        "episode",
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("home_authority", sa.String(), nullable=True),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("resume_to", sa.String(), nullable=True),
        sa.Column("lead_state", sa.String(), nullable=False),
        sa.Column("index_state", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("consent_version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("assessor_service", sa.String(), nullable=True),
        sa.Column("lead_service", sa.String(), nullable=True),
        sa.Column("index_entries", sa.Text(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=True),
        sa.Column("shreds", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("episode_id", name=op.f("pk_episode")),
    )
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("key", "partner", name=op.f("uq_inbox_key_partner")),
    )
    op.create_index(
        "ix_inbox_raw",
        "inbox",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("raw IS NOT NULL"),
        postgresql_where=sa.text("raw IS NOT NULL"),
    )
    op.create_table(
        "index_entry",
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("match", sa.LargeBinary(), nullable=False),
        sa.Column("caf_state", sa.String(), nullable=False),
        sa.Column("contact", sa.LargeBinary(), nullable=False),
        sa.Column("authority", sa.String(), nullable=True),
        sa.Column("mediated", sa.Boolean(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_index_entry")),
        sa.UniqueConstraint("reference", name=op.f("uq_index_entry_reference")),
    )
    op.create_table(
        "index_token",
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("token", "entry_id", name=op.f("pk_index_token")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_index_token_entry_id"), "index_token", ["entry_id"], unique=False)
    op.create_table(
        "involvement",
        sa.Column("involvement_id", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("involvement_id", name=op.f("pk_involvement")),
    )
    op.create_index(op.f("ix_involvement_episode_id"), "involvement", ["episode_id"], unique=False)
    op.create_table(
        "lane",
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(), nullable=True),
        sa.Column("head_priority", sa.Integer(), nullable=True),
        sa.Column("head_due", sa.BigInteger(), nullable=True),
        sa.Column("head_lease", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("episode_id", "partner", name=op.f("pk_lane")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_lane_due",
        "lane",
        ["head_priority", "head_due"],
        unique=False,
        sqlite_where=sa.text("head_due IS NOT NULL"),
        postgresql_where=sa.text("head_due IS NOT NULL"),
    )
    op.create_index(
        "ix_lane_lease",
        "lane",
        ["head_lease"],
        unique=False,
        sqlite_where=sa.text("head_lease IS NOT NULL"),
        postgresql_where=sa.text("head_lease IS NOT NULL"),
    )
    op.create_table(
        "notice",
        sa.Column("notice_id", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name=op.f("pk_notice")),
        sa.UniqueConstraint("key", "partner", name=op.f("uq_notice_key_partner")),
    )
    op.create_index(op.f("ix_notice_expires_at"), "notice", ["expires_at"], unique=False)
    op.create_table(
        "released",
        sa.Column("position", POSITION, autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("message_type", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("paths", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_released")),
    )
    op.create_index(
        "ix_released_newest",
        "released",
        ["episode_id", "service", "message_type", "position"],
        unique=False,
    )
    op.create_table(
        "subject_token",
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("token", "episode_id", "subject_id", name=op.f("pk_subject_token")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_subject_token_episode_id_subject_id"),
        "subject_token",
        ["episode_id", "subject_id"],
        unique=False,
    )
    op.create_table(
        "used_token",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("token_id", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "token_id", name=op.f("pk_used_token")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_used_token_expires_at"), "used_token", ["expires_at"], unique=False)
    op.create_table(
        "version",
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shared", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.String(), nullable=True),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("episode_id", "version", name=op.f("pk_version")),
    )
    op.create_table(
        "version_part",
        sa.Column("episode_id", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("part", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "episode_id", "version", "subject_id", name=op.f("pk_version_part")
        ),
    )
