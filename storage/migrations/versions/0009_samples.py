"""Where each network stood minute by minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "samples",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lag_blocks", sa.BigInteger(), nullable=True),
        sa.Column("age_seconds", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("network", "at", name="pk_samples"),
    )
