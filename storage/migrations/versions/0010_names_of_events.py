"""What a webhook of a compatible face subscribed to, in that face's own words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0011"


def upgrade() -> None:
    """Add the column; our own webhooks have no such words."""
    op.add_column("webhooks", sa.Column("names", sa.Text()))
