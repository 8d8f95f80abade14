"""The index by which a worker finds notices that were recorded and not yet matched.

Runs before the code; the code before it does not know the index and is not harmed by it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

RECEIVED = "state = 'received'"


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        "ix_notice_unmatched",
        "notice",
        ["received_at"],
        sqlite_where=sa.text(RECEIVED),
        postgresql_where=sa.text(RECEIVED),
    )
