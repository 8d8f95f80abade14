"""Alerts, the turns of the scheduler, and the indexes by which it finds what to look at.

Runs before the code; the code before it does not know these tables and is not harmed by them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = "state IN ('pending', 'sending', 'handed_over', 'quarantined')"
RECALL = f"message_type = 'N10' AND {OPEN}"
ENDED = "process IN ('CLOSED', 'ARCHIVED')"
RUNNING = "process NOT IN ('CLOSED', 'ARCHIVED', 'VOID', 'DECLINED', 'PURGED')"


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "alert",
        sa.Column("position", POSITION, autoincrement=True, nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("episode_id", sa.String(), nullable=True),
        sa.Column("service", sa.String(), nullable=True),
        sa.Column("delivery_id", sa.String(), nullable=True),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_alert")),
        sa.UniqueConstraint("alert_id", name=op.f("uq_alert_alert_id")),
    )
    op.create_table(
        "turn",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_turn")),
        sqlite_with_rowid=False,
    )
    _index("ix_alert_open", "alert", ["audience", "position"], "acknowledged_at IS NULL")
    _index("ix_delivery_recall", "delivery", ["episode_id"], RECALL)
    _index("ix_episode_running", "episode", ["episode_id"], RUNNING)
    _index("ix_episode_ended", "episode", ["episode_id"], ENDED)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE alert ALTER COLUMN facts SET STORAGE EXTERNAL")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )
