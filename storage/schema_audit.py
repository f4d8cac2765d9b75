"""The tables of the audit: part of `storage.schema`, which has them all."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index

from storage.columns import id_of, key, number, own_id, string, table
from storage.types import JsonText, Uint256

audits = table(
    "audits",
    key("network"),
    number("at"),
    number("number", nullable=True),
    number("addresses"),
    string("reason", nullable=True),
    string("reached", nullable=True),  # the address up to which the others were audited
)

holdings = table(
    "holdings",
    key("network"),
    key("address"),
    number("at"),
    Column("measures", JsonText, nullable=False),
)

findings = table(
    "findings",
    own_id(),
    string("network"),
    string("address"),
    string("method"),
    string("kind"),
    Column("units", Uint256, nullable=False),
    number("first", nullable=True),
    number("last"),
    string("block_hash", nullable=True),
    number("block_time", nullable=True),
    string("state"),
    number("found_at"),
    number("closed_at", nullable=True),
    id_of("deposit", nullable=True),
    Column("has_code", Boolean, nullable=True),
    Index(None, "network", "address"),
    Index(None, "state", "id"),
)
