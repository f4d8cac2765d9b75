"""What merchants decide: an invoice taken as paid, and which deposit moved a timeline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add both columns."""
    op.add_column("invoices", sa.Column("settled_for", sa.Text()))
    # In words, since SQLite takes a foreign key with a new column, and Alembic only after it.
    op.execute(
        "ALTER TABLE timeline ADD COLUMN deposit_id TEXT "
        "CONSTRAINT fk_timeline_deposit_id_deposits REFERENCES deposits (id)"
    )
