"""The tables of webhooks: part of `storage.schema`, which has them all."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint, text

from storage.columns import id_of, number, own_id, partial, string, table
from storage.types import JsonText, Words

WAITING, DEAD = text("state = 'waiting'"), text("state = 'dead'")

webhooks = table(
    "webhooks",
    own_id(),
    id_of("merchant"),
    string("url"),
    string("host"),
    Column("events", Words, nullable=False),
    string("dialect"),
    string("description", nullable=True),
    number("retry_count"),
    number("timeout_ms", nullable=True),
    string("state"),
    string("reason", nullable=True),
    Column("secret", LargeBinary, nullable=False),
    Column("former_secret", LargeBinary, nullable=True),
    number("former_until", nullable=True),
    number("created_at"),
    number("updated_at"),
    Column("names", Words, nullable=True),
    Index(None, "merchant_id", "id"),
)

deliveries = table(
    "deliveries",
    own_id(),
    id_of("merchant"),
    id_of("event"),
    number("seq"),
    id_of("invoice"),
    id_of("webhook", nullable=True),
    string("target"),  # the webhook's id, or the invoice's for its callback_url
    string("host"),
    string("state"),
    number("tries"),
    number("failed"),
    number("due_at"),
    number("created_at"),
    number("finished_at", nullable=True),
    UniqueConstraint("event_id", "target"),
    Index(None, "merchant_id", "id"),
    Index(None, "merchant_id", "state", "id"),
    Index(None, "target", "id"),
    Index(None, "merchant_id", "target", "state", "id"),
    Index(None, "invoice_id", "id"),
    partial("ix_deliveries_lane", "merchant_id", "host", "due_at", "seq", where=WAITING),
    partial("ix_deliveries_order", "target", "invoice_id", "seq", where=WAITING),
    partial("ix_deliveries_dead", "target", where=DEAD),
)

tries = table(
    "tries",
    Column("delivery_id", Text, ForeignKey("deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    number("at"),
    number("duration_ms"),
    string("url"),
    Column("headers", JsonText, nullable=False),
    Column("status", Integer, nullable=True),
    string("answer"),
    string("error", nullable=True),
)

ended_callbacks = table(
    "ended_callbacks",
    id_of("invoice", primary_key=True),
    number("at"),
)
