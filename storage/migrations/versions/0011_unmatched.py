"""How many deposits of an invoice count for nothing and await a decision."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0012"

COUNT = """
UPDATE invoices SET unmatched = (
    SELECT count(*) FROM deposits
    WHERE deposits.invoice_id = invoices.id
    AND deposits.status <> 'orphaned'
    AND deposits.accepted IS NULL
    AND (
        deposits.below_minimum
        OR deposits.block_time > invoices.deadline
        OR deposits.block_time < invoices.created_at - 900
        OR NOT EXISTS (
            SELECT 1 FROM quotes
            WHERE quotes.invoice_id = deposits.invoice_id AND quotes.method = deposits.method
        )
    )
)
WHERE EXISTS (SELECT 1 FROM deposits WHERE deposits.invoice_id = invoices.id)
"""


def upgrade() -> None:
    """Add the column, count, and make the index by which the few are found."""
    number = sa.Column("unmatched", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("invoices", number)
    op.execute(COUNT)
    some = sa.text("unmatched > 0")
    op.create_index(
        "ix_invoices_unmatched",
        "invoices",
        ["unmatched"],
        sqlite_where=some,
        postgresql_where=some,
    )
