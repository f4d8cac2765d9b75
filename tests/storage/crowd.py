"""Books of any size, made by the database itself: one merchant with very many invoices.

Invoice `i` of 1 to `count` was created at second `i`. Every 1,000th is flagged, every second has a
deposit, an event and a delivery of its own; the status of the first two goes round.
"""

from __future__ import annotations

from sqlalchemy import text

from storage import Conn
from tests.storage.books import MERCHANT, WALLET, open_shop

NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, CAST(:count AS bigint)))",
}
ID = {"sqlite": "printf('%026d', i)", "postgresql": "lpad(CAST(i AS text), 26, '0')"}
UNITS = {"sqlite": "zeroblob(32)", "postgresql": "0"}
STATUS = (
    "CASE i % 7 WHEN 0 THEN 'paid' WHEN 1 THEN 'awaiting_payment' WHEN 2 THEN 'expired' "
    "WHEN 3 THEN 'confirming' WHEN 4 THEN 'partially_paid' WHEN 5 THEN 'underpaid' "
    "ELSE 'cancelled' END"
)
OF_EVERY_SECOND = ("deposits", "events", "deliveries")
TABLES = {
    "invoices": {
        "id": "'inv_' || {id}",
        "merchant_id": ":merchant",
        "status": STATUS,
        "flags": "CASE WHEN i % 1000 = 0 THEN ',late,' ELSE ',' END",
        "price_amount": "'10'",
        "price_currency": "'USD'",
        "tolerance_percent": "'0'",
        "external_id": "'order ' || i",
        "details": "'{{}}'",
        "created_at": "i",
        "expires_at": "i + 3600",
        "deadline": "i + 3600",
        "seen": "'0'",
        "confirmed": "'0'",
        "unmatched": "CASE WHEN i % 1000 = 0 THEN 1 ELSE 0 END",
        "updated_at": "i",
    },
    "quotes": {
        "invoice_id": "'inv_' || {id}",
        "place": "0",
        "method": "'polygon:usdc'",
        "network": "'polygon'",
        "symbol": "'USDC'",
        "decimals": "6",
        "rate": "'1'",
        "sources": "'[]'",
        "units": "{units}",
        "required": "'3'",
    },
    "addresses": {
        "family": "'evm'",
        "address": "'0x' || {id}",
        "wallet_id": ":wallet",
        '"index"': "i",
        "invoice_id": "'inv_' || {id}",
        "assigned_at": "i",
    },
    "deposits": {
        "id": "'dep_' || {id}",
        "merchant_id": ":merchant",
        "invoice_id": "'inv_' || {id}",
        "network": "CASE i % 10 WHEN 0 THEN 'tron' ELSE 'polygon' END",
        "method": "'polygon:usdc'",
        "block_number": "i",
        "block_hash": "'block ' || i",
        "block_time": "i",
        "tx_hash": "'transaction ' || i",
        "position": "'log/0'",
        "place": "0",
        "address": "'0x' || {id}",
        "units": "{units}",
        "required": "'3'",
        "below_minimum": "false",
        "detected_at": "i",
        "status": "CASE i % 4 WHEN 0 THEN 'pending' ELSE 'confirmed' END",
        "corroborated": "true",
        "reverted": "false",
        "accepted_by_hand": "false",
    },
    "events": {
        "merchant_id": ":merchant",
        "seq": "i / 2",
        "id": "'evt_' || {id}",
        "type": "'invoice.created'",
        "invoice_id": "'inv_' || {id}",
        "created_at": "i",
        "data": "'{{}}'",
    },
    "deliveries": {
        "id": "'dlv_' || {id}",
        "merchant_id": ":merchant",
        "event_id": "'evt_' || {id}",
        "seq": "i / 2",
        "invoice_id": "'inv_' || {id}",
        "target": "CASE i % 10 WHEN 0 THEN 'seldom' ELSE 'often' END",
        "host": "'shop.example:443'",
        "state": "CASE i % 1000 WHEN 0 THEN 'dead' ELSE 'delivered' END",
        "tries": "1",
        "failed": "0",
        "due_at": "i",
        "created_at": "i",
    },
}


def numbered(prefix: str, i: int) -> str:
    """The id of row `i`."""
    return f"{prefix}_{i:026d}"


async def fill(conn: Conn, count: int) -> None:
    """Open the shop, with so many invoices."""
    await open_shop(conn)
    dialect = conn.dialect.name
    if dialect == "postgresql":  # a million checks of foreign keys take a minute
        await conn.execute(text("SET LOCAL session_replication_role = replica"))
    words = {"id": ID[dialect], "units": UNITS[dialect]}
    named = {"count": count, "merchant": MERCHANT, "wallet": WALLET}
    for table, columns in TABLES.items():
        values = ", ".join(value.format(**words) for value in columns.values())
        only = " WHERE i % 2 = 0" if table in OF_EVERY_SECOND else ""
        select = f"{NUMBERS[dialect]} SELECT {values} FROM n{only}"
        statement = text(f"INSERT INTO {table} ({', '.join(columns)}) {select}")
        used = {name: value for name, value in named.items() if f":{name}" in select}
        await conn.execute(statement, used)
    if dialect == "postgresql":  # does it by itself; nobody does it for SQLite, in life either
        await conn.execute(text("ANALYZE"))
