"""The merchant's logo, which the checkout shows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """No merchant has one yet."""
    op.add_column("merchants", sa.Column("logo", sa.LargeBinary(), nullable=True))
