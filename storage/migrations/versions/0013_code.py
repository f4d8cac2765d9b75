"""Whether the address of a finding had code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0010"


def upgrade() -> None:
    """Of older findings nobody knows."""
    op.add_column("findings", sa.Column("has_code", sa.Boolean(), nullable=True))
