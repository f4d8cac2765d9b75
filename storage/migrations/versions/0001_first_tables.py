"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

UINT256 = sa.LargeBinary(32).with_variant(sa.Numeric(78, 0), "postgresql")


def upgrade() -> None:
    """Make every table of the first version."""
    _make_merchants()
    _make_invoices()
    _make_quotes()
    _make_timeline()
    _make_addresses()
    _make_deposits()
    _index_deposits()
    _make_chains()
    _make_log()


def _make_merchants() -> None:
    op.create_table(
        "merchants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_merchants"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("signing_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name="fk_keys_merchant_id_merchants"
        ),
        sa.UniqueConstraint("digest", name="uq_keys_digest"),
    )
    op.create_index("ix_keys_merchant_id", "keys", ["merchant_id"])
    op.create_table(
        "wallets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("xpub", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_wallets"),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name="fk_wallets_merchant_id_merchants"
        ),
        sa.UniqueConstraint("fingerprint", name="uq_wallets_fingerprint"),
    )
    op.create_index("ix_wallets_merchant_id_family", "wallets", ["merchant_id", "family"])


def _make_invoices() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("price_amount", sa.Text(), nullable=False),
        sa.Column("price_currency", sa.Text(), nullable=False),
        sa.Column("tolerance_percent", sa.Text(), nullable=False),
        sa.Column("selected", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_invoices"),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name="fk_invoices_merchant_id_merchants"
        ),
    )
    op.create_index("ix_invoices_deadline", "invoices", ["deadline"])
    op.create_index(
        "ix_invoices_merchant_id_external_id", "invoices", ["merchant_id", "external_id"]
    )
    op.create_index("ix_invoices_merchant_id_id", "invoices", ["merchant_id", "id"])
    op.create_index(
        "ix_invoices_merchant_id_status_id", "invoices", ["merchant_id", "status", "id"]
    )
    op.create_index("ix_invoices_status_deadline", "invoices", ["status", "deadline"])


def _make_quotes() -> None:
    op.create_table(
        "quotes",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=True),
        sa.Column("decimals", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("units", UINT256, nullable=False),
        sa.Column("required", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", "place", name="pk_quotes"),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name="fk_quotes_invoice_id_invoices"
        ),
    )


def _make_timeline() -> None:
    op.create_table(
        "timeline",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("invoice_id", "place", name="pk_timeline"),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name="fk_timeline_invoice_id_invoices"
        ),
    )


def _make_addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("wallet_id", sa.Text(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=True),
        sa.Column("place", sa.BigInteger(), nullable=True),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("family", "address", name="pk_addresses"),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name="fk_addresses_invoice_id_invoices"
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallets.id"], name="fk_addresses_wallet_id_wallets"
        ),
        sa.UniqueConstraint("wallet_id", "index", name="uq_addresses_wallet_id_index"),
    )
    _create_partial_index(
        "ix_addresses_free", "addresses", ["wallet_id", "place"], where="invoice_id IS NULL"
    )
    op.create_index("ix_addresses_invoice_id", "addresses", ["invoice_id"])


def _make_deposits() -> None:
    op.create_table(
        "deposits",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("block_time", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("units", UINT256, nullable=False),
        sa.Column("required", sa.Text(), nullable=False),
        sa.Column("below_minimum", sa.Boolean(), nullable=False),
        sa.Column("detected_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("corroborated", sa.Boolean(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("reverted", sa.Boolean(), nullable=False),
        sa.Column("accepted", sa.Text(), nullable=True),
        sa.Column("accepted_by_hand", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deposits"),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name="fk_deposits_invoice_id_invoices"
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name="fk_deposits_merchant_id_merchants"
        ),
        sa.UniqueConstraint(
            "network",
            "block_hash",
            "tx_hash",
            "position",
            name="uq_deposits_network_block_hash_tx_hash_position",
        ),
    )


def _index_deposits() -> None:
    op.create_index("ix_deposits_address", "deposits", ["address"])
    op.create_index("ix_deposits_invoice_id", "deposits", ["invoice_id"])
    op.create_index("ix_deposits_merchant_id_id", "deposits", ["merchant_id", "id"])
    _create_partial_index(
        "ix_deposits_pending",
        "deposits",
        ["network", "block_number", "place"],
        where="status = 'pending'",
    )
    op.create_index("ix_deposits_status", "deposits", ["status"])
    op.create_index("ix_deposits_tx_hash", "deposits", ["tx_hash"])


def _make_chains() -> None:
    op.create_table(
        "blocks",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("parent_hash", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("network", "number", name="pk_blocks"),
    )
    op.create_table(
        "networks",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("genesis_hash", sa.Text(), nullable=True),
        sa.Column("tip_number", sa.BigInteger(), nullable=True),
        sa.Column("tip_hash", sa.Text(), nullable=True),
        sa.Column("tip_parent_hash", sa.Text(), nullable=True),
        sa.Column("tip_timestamp", sa.BigInteger(), nullable=True),
        sa.Column("finalized", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("network", name="pk_networks"),
    )


def _make_log() -> None:
    op.create_table(
        "events",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("deposit_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "seq", name="pk_events"),
        sa.ForeignKeyConstraint(
            ["deposit_id"], ["deposits.id"], name="fk_events_deposit_id_deposits"
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name="fk_events_invoice_id_invoices"
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name="fk_events_merchant_id_merchants"
        ),
        sa.UniqueConstraint("id", name="uq_events_id"),
    )
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instance"),
        sa.CheckConstraint("id = 1", name="ck_instance_single"),
    )


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    rows = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=rows, postgresql_where=rows)
