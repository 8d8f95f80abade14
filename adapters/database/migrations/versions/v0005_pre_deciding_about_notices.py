"""Notices that fail are tried later and set aside; of those that wait, a person may decide.

Runs before the code; the code before it writes rows that count as never tried.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

RECEIVED = "state = 'received'"
WAITING = "state IN ('waiting', 'set_aside')"


def upgrade() -> None:
    """Add the columns, and the indexes by which a worker and a person find what they look for."""
    attempts = sa.Column("attempts", sa.Integer(), nullable=False, server_default="0")
    op.add_column("notice", attempts)
    op.add_column("notice", sa.Column("next_attempt_at", sa.BigInteger(), nullable=True))
    op.add_column("notice", sa.Column("reason", sa.String(), nullable=True))
    op.add_column("notice", sa.Column("decider", sa.String(), nullable=True))
    op.drop_index("ix_notice_unmatched", "notice")
    for name, columns, which in (
        ("unmatched", ["attempts", "received_at"], RECEIVED),
        ("retried", ["next_attempt_at"], RECEIVED),
        ("waiting", ["notice_id"], WAITING),
    ):
        op.create_index(
            f"ix_notice_{name}",
            "notice",
            columns,
            sqlite_where=sa.text(which),
            postgresql_where=sa.text(which),
        )
