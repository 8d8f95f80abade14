"""What organisations vouch for of their practitioners; in which episodes a pilot takes part.

Runs before the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and the index."""
    op.create_table(
        "practitioner",
        sa.Column("organisation", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("vouched_by", sa.String(), nullable=False),
        sa.Column("vouched_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "ref", name=op.f("pk_practitioner")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE practitioner ALTER COLUMN record SET STORAGE EXTERNAL")
    op.create_index(op.f("ix_involvement_partner"), "involvement", ["partner"], unique=False)
