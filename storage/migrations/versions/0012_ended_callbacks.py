"""Callbacks whose receiver said that it is gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "ended_callbacks",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name="fk_ended_callbacks_invoice_id_invoices"
        ),
        sa.PrimaryKeyConstraint("invoice_id", name="pk_ended_callbacks"),
    )
