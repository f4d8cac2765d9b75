"""Every table, as the newest migration leaves it.

Times are epoch seconds. Ids carry their time, so they sort by it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.schema import SchemaItem

from storage.types import DepthText, Exact, JsonText, Uint256, Words

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _table(name: str, *items: SchemaItem) -> Table:
    return Table(name, metadata, *items)


def _id() -> Column[str]:
    return Column("id", Text, primary_key=True)


def _in(table: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    """A column that names a row of `table`s by id."""
    return Column(
        f"{table}_id",
        Text,
        ForeignKey(f"{table}s.id"),
        nullable=nullable,
        primary_key=primary_key,
    )


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _partial(name: str, *columns: str, where: TextClause) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


FREE = text("invoice_id IS NULL")
PENDING = text("status = 'pending'")  # literal: a parameter would not match the partial index

merchants = _table(
    "merchants",
    _id(),
    _text("name"),
    _number("last_seq"),
    _number("created_at"),
)

keys = _table(
    "keys",
    _id(),
    _in("merchant"),
    _text("kind"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    _text("hint"),
    Column("scopes", Words, nullable=False),
    Column("signing_secret", LargeBinary, nullable=False),
    _number("created_at"),
    _number("revoked_at", nullable=True),
    Index(None, "merchant_id"),
)

wallets = _table(
    "wallets",
    _id(),
    _in("merchant"),
    _text("family"),
    _text("kind"),
    _text("xpub", nullable=True),
    Column("fingerprint", Text, unique=True),
    _number("next_index"),
    _number("created_at"),
    Index(None, "merchant_id", "family"),
)

invoices = _table(
    "invoices",
    _id(),
    _in("merchant"),
    _text("status"),
    Column("flags", Words, nullable=False),
    _text("price_amount"),
    _text("price_currency"),
    _text("tolerance_percent"),
    _text("selected", nullable=True),
    _text("external_id", nullable=True),
    Column("details", JsonText, nullable=False),
    _number("created_at"),
    _number("expires_at"),
    _number("cancelled_at", nullable=True),
    _number("deadline"),
    Column("seen", Exact, nullable=False),
    Column("confirmed", Exact, nullable=False),
    _number("updated_at"),
    _number("paid_at", nullable=True),
    Index(None, "merchant_id", "id"),
    Index(None, "merchant_id", "status", "id"),
    Index(None, "merchant_id", "external_id"),
    Index(None, "deadline"),
    Index(None, "status", "deadline"),
)

quotes = _table(
    "quotes",
    _in("invoice", primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    _text("method"),
    _text("network"),
    _text("symbol"),
    _text("contract", nullable=True),
    Column("decimals", Integer, nullable=False),
    _text("rate"),
    Column("sources", JsonText, nullable=False),
    Column("units", Uint256, nullable=False),
    Column("required", DepthText, nullable=False),
)

timeline = _table(
    "timeline",
    _in("invoice", primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    _text("status"),
    _number("at"),
    _text("reason", nullable=True),
)

addresses = _table(
    "addresses",
    _key("family"),
    _key("address"),
    _in("wallet"),
    _number("index", nullable=True),  # of the derivation; NULL in a pool
    _number("place", nullable=True),  # in the pool; NULL where derived
    _in("invoice", nullable=True),
    _number("assigned_at", nullable=True),
    UniqueConstraint("wallet_id", "index"),
    Index(None, "invoice_id"),
    _partial("ix_addresses_free", "wallet_id", "place", where=FREE),
)

deposits = _table(
    "deposits",
    _id(),
    _in("merchant"),
    _in("invoice"),
    _text("network"),
    _text("method"),
    _number("block_number"),
    _text("block_hash"),
    _number("block_time"),
    _text("tx_hash"),  # "" where no transaction moved it: NULLs would not be unique
    _text("position"),
    Column("place", Integer, nullable=False),  # in which order the block's were found
    _text("sender", nullable=True),
    _text("address"),
    Column("units", Uint256, nullable=False),
    Column("required", DepthText, nullable=False),
    Column("below_minimum", Boolean, nullable=False),
    _number("detected_at"),
    _text("status"),
    Column("corroborated", Boolean, nullable=False),
    _number("confirmed_at", nullable=True),
    Column("reverted", Boolean, nullable=False),
    Column("accepted", Exact),
    Column("accepted_by_hand", Boolean, nullable=False),
    UniqueConstraint("network", "block_hash", "tx_hash", "position"),  # finds a block's, too
    Index(None, "merchant_id", "id"),
    Index(None, "invoice_id"),
    Index(None, "address"),
    Index(None, "tx_hash"),
    Index(None, "status"),
    _partial("ix_deposits_pending", "network", "block_number", "place", where=PENDING),
)

blocks = _table(
    "blocks",
    _key("network"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("hash"),
    _text("parent_hash"),
    _number("timestamp"),
)

networks = _table(
    "networks",
    _key("network"),
    _number("epoch"),
    _text("holder", nullable=True),
    _number("lease_expires_at", nullable=True),
    _text("genesis_hash", nullable=True),
    _number("tip_number", nullable=True),
    _text("tip_hash", nullable=True),
    _text("tip_parent_hash", nullable=True),
    _number("tip_timestamp", nullable=True),
    _number("finalized", nullable=True),
)

health = _table(
    "health",
    _key("network"),
    _number("at"),
    Column("report", JsonText, nullable=False),
)

corroborations = _table(
    "corroborations",
    _key("network"),
    _key("block_hash"),
    _key("endpoint"),
    _number("at"),
)

events = _table(
    "events",
    _in("merchant", primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _text("type"),
    _in("invoice"),
    _in("deposit", nullable=True),
    _number("created_at"),
    Column("data", JsonText, nullable=False),
)

instance = _table(
    "instance",
    Column("id", Integer, primary_key=True, autoincrement=False),
    _text("mode"),
    _number("created_at"),
    CheckConstraint("id = 1", "single"),
)
