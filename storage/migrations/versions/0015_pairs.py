"""Indexes for two filters at once; what differs on Tron may have come in any block before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

FLAGS = ("overpaid", "late", "wrong_asset", "reorged", "manual")


def upgrade() -> None:
    """Make them; those of flags tell the status, too."""
    for flag in FLAGS:
        flagged = sa.text(f"flags LIKE '%,{flag},%'")
        op.drop_index(f"ix_invoices_{flag}", "invoices")
        op.create_index(
            f"ix_invoices_{flag}",
            "invoices",
            ["merchant_id", "created_at", "id", "status"],
            sqlite_where=flagged,
            postgresql_where=flagged,
        )
    findings = sa.table("findings", sa.column("network"), sa.column("first"))
    undated = findings.c.network.in_(("tron", "nile", "shasta"))
    op.execute(sa.update(findings).where(undated).values(first=None))
    for table, columns in (
        ("deposits", ["merchant_id", "network", "status", "id"]),
        ("deliveries", ["merchant_id", "state", "id"]),
        ("deliveries", ["merchant_id", "target", "state", "id"]),
    ):
        op.create_index("_".join(["ix", table, *columns]), table, columns)
