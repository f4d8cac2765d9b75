"""Every table, as the newest migration leaves it.

Times are epoch seconds. Ids carry their time, so they sort by it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)

from storage.columns import id_of, key, number, own_id, partial, string, table
from storage.columns import metadata as metadata
from storage.schema_audit import audits as audits
from storage.schema_audit import findings as findings
from storage.schema_audit import holdings as holdings
from storage.schema_webhooks import deliveries as deliveries
from storage.schema_webhooks import ended_callbacks as ended_callbacks
from storage.schema_webhooks import tries as tries
from storage.schema_webhooks import webhooks as webhooks
from storage.types import DepthText, Exact, JsonText, Uint256, Words
from watcher.domain.invoices import Flag

FREE = text("invoice_id IS NULL")
# Literal, as the next: a few have any flag at all, and each flag has an index of its own.
FLAGGED = {flag: text(f"flags LIKE '%,{flag.value},%'") for flag in Flag}
_WITH_STATUS = ("merchant_id", "created_at", "id", "status")  # read, not looked up by
UNMATCHED = text("unmatched > 0")
PENDING = text("status = 'pending'")  # literal: a parameter would not match the partial index

merchants = table(
    "merchants",
    own_id(),
    string("name"),
    number("last_seq"),
    number("created_at"),
    Column("logo", LargeBinary),
)

keys = table(
    "keys",
    own_id(),
    id_of("merchant"),
    string("kind"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    string("hint"),
    Column("scopes", Words, nullable=False),
    Column("signing_secret", LargeBinary, nullable=False),
    number("created_at"),
    number("revoked_at", nullable=True),
    Index(None, "merchant_id"),
)

wallets = table(
    "wallets",
    own_id(),
    id_of("merchant"),
    string("family"),
    string("kind"),
    string("xpub", nullable=True),
    Column("fingerprint", Text, unique=True),
    number("next_index"),
    number("created_at"),
    Index(None, "merchant_id", "family"),
)

invoices = table(
    "invoices",
    own_id(),
    id_of("merchant"),
    string("status"),
    Column("flags", Words, nullable=False),
    string("price_amount"),
    string("price_currency"),
    string("tolerance_percent"),
    string("selected", nullable=True),
    string("external_id", nullable=True),
    Column("details", JsonText, nullable=False),
    number("created_at"),
    number("expires_at"),
    number("cancelled_at", nullable=True),
    Column("settled_for", Exact),
    number("deadline"),
    Column("seen", Exact, nullable=False),
    Column("confirmed", Exact, nullable=False),
    number("unmatched"),
    number("updated_at"),
    number("paid_at", nullable=True),
    Index(None, "merchant_id", "created_at", "id"),
    Index(None, "merchant_id", "status", "created_at", "id"),
    Index(None, "merchant_id", "external_id", "created_at", "id"),
    Index(None, "deadline"),
    Index(None, "status", "deadline"),
    partial("ix_invoices_unmatched", "unmatched", where=UNMATCHED),
    *(
        partial(f"ix_invoices_{flag.value}", *_WITH_STATUS, where=flagged)
        for flag, flagged in FLAGGED.items()
    ),
)

quotes = table(
    "quotes",
    id_of("invoice", primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    string("method"),
    string("network"),
    string("symbol"),
    string("contract", nullable=True),
    Column("decimals", Integer, nullable=False),
    string("rate"),
    Column("sources", JsonText, nullable=False),
    Column("units", Uint256, nullable=False),
    Column("required", DepthText, nullable=False),
)

timeline = table(
    "timeline",
    id_of("invoice", primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    string("status"),
    number("at"),
    string("reason", nullable=True),
    id_of("deposit", nullable=True),
)

addresses = table(
    "addresses",
    key("family"),
    key("address"),
    id_of("wallet"),
    number("index", nullable=True),  # of the derivation; NULL in a pool
    number("place", nullable=True),  # in the pool; NULL where derived
    id_of("invoice", nullable=True),
    number("assigned_at", nullable=True),
    UniqueConstraint("wallet_id", "index"),
    Index(None, "invoice_id"),
    partial("ix_addresses_free", "wallet_id", "place", where=FREE),
)

deposits = table(
    "deposits",
    own_id(),
    id_of("merchant"),
    id_of("invoice"),
    string("network"),
    string("method"),
    number("block_number"),
    string("block_hash"),
    number("block_time"),
    string("tx_hash"),  # "" where no transaction moved it: NULLs would not be unique
    string("position"),
    Column("place", Integer, nullable=False),  # in which order the block's were found
    string("sender", nullable=True),
    string("address"),
    Column("units", Uint256, nullable=False),
    Column("required", DepthText, nullable=False),
    Column("below_minimum", Boolean, nullable=False),
    number("detected_at"),
    string("status"),
    Column("corroborated", Boolean, nullable=False),
    number("confirmed_at", nullable=True),
    Column("reverted", Boolean, nullable=False),
    Column("accepted", Exact),
    Column("accepted_by_hand", Boolean, nullable=False),
    UniqueConstraint("network", "block_hash", "tx_hash", "position"),  # finds a block's, too
    Index(None, "merchant_id", "id"),
    Index(None, "merchant_id", "network", "id"),
    Index(None, "merchant_id", "network", "status", "id"),
    Index(None, "merchant_id", "status", "id"),
    Index(None, "invoice_id"),
    Index(None, "address"),
    Index(None, "tx_hash"),
    Index(None, "status"),
    partial("ix_deposits_pending", "network", "block_number", "place", where=PENDING),
)

blocks = table(
    "blocks",
    key("network"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    string("hash"),
    string("parent_hash"),
    number("timestamp"),
)

networks = table(
    "networks",
    key("network"),
    number("epoch"),
    string("holder", nullable=True),
    number("lease_expires_at", nullable=True),
    string("genesis_hash", nullable=True),
    number("tip_number", nullable=True),
    string("tip_hash", nullable=True),
    string("tip_parent_hash", nullable=True),
    number("tip_timestamp", nullable=True),
    number("finalized", nullable=True),
)

health = table(
    "health",
    key("network"),
    number("at"),
    Column("report", JsonText, nullable=False),
)

samples = table(
    "samples",
    key("network"),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    number("lag_blocks", nullable=True),
    number("age_seconds", nullable=True),
)

corroborations = table(
    "corroborations",
    key("network"),
    key("block_hash"),
    key("endpoint"),
    number("at"),
)

events = table(
    "events",
    id_of("merchant", primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    string("type"),
    id_of("invoice"),
    id_of("deposit", nullable=True),
    number("created_at"),
    Column("data", JsonText, nullable=False),
)

chores = table(
    "chores",
    key("name"),
    number("next_run"),
    number("last_ok", nullable=True),
    string("last_error", nullable=True),
    number("failures"),
)

idempotency = table(
    "idempotency",
    key("owner"),
    key("key"),
    Column("fingerprint", LargeBinary, nullable=False),
    string("holder"),
    number("at"),
    Column("answer", LargeBinary),  # encrypted; NULL while the request is running
    Index(None, "at"),
)

instance = table(
    "instance",
    Column("id", Integer, primary_key=True, autoincrement=False),
    string("mode"),
    number("created_at"),
    CheckConstraint("id = 1", "single"),
)
