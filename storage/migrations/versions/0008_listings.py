"""Indexes by which every list and filter of invoices and deposits is found, newest first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

FLAGS = ("overpaid", "late", "wrong_asset", "reorged", "manual")


def upgrade() -> None:
    """Make them, and drop those that they replace."""
    for columns in (["id"], ["status", "id"], ["external_id"]):
        op.drop_index("_".join(["ix_invoices_merchant_id", *columns]), "invoices")
    for columns in ([], ["status"], ["external_id"]):
        _index("invoices", ["merchant_id", *columns, "created_at", "id"])
    for flag in FLAGS:
        flagged = sa.text(f"flags LIKE '%,{flag},%'")
        op.create_index(
            f"ix_invoices_{flag}",
            "invoices",
            ["merchant_id", "created_at", "id"],
            sqlite_where=flagged,
            postgresql_where=flagged,
        )
    for column in ("network", "status"):
        _index("deposits", ["merchant_id", column, "id"])


def _index(table: str, columns: list[str]) -> None:
    op.create_index("_".join(["ix", table, *columns]), table, columns)
