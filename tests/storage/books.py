"""Rows that most tests of storage need: a merchant, a wallet and invoices with addresses."""

from __future__ import annotations

from typing import Any

import storage
from storage import Conn
from storage.addresses import Assigned
from storage.merchants import Merchant
from storage.wallets import Wallet
from tests.factories import FAMILY, make_id, make_invoice
from watcher.domain.invoices import Invoice
from watcher.domain.money import Address

MERCHANT, WALLET = make_id("mer"), make_id("wal")


def make_wallet(key: str = "1", **facts: Any) -> Wallet:
    """An xpub wallet of the merchant; `facts` are fields by name."""
    plain: dict[str, Any] = {
        "id": make_id("wal", key),
        "merchant_id": MERCHANT,
        "family": FAMILY,
        "kind": "xpub",
        "xpub": f"xpub{key}",
        "next_index": 0,
        "created_at": 0,
    }
    return Wallet(**{**plain, **facts})


def make_address(number: int) -> Address:
    """A canonical EVM address; the same for the same number."""
    return Address(f"0x{number:040x}")


async def open_shop(conn: Conn, *, pool: int = 0) -> None:
    """Store the merchant and his wallet: an xpub, or a pool of so many addresses."""
    await storage.merchants.add(conn, Merchant(MERCHANT, "Shop", 0))
    if pool:
        await storage.wallets.add(conn, make_wallet(kind="pool", xpub=None), None)
        addresses = [make_address(number) for number in range(pool)]
        await storage.addresses.fill_pool(conn, WALLET, FAMILY, addresses)
    else:
        await storage.wallets.add(conn, make_wallet(), "fingerprint")


async def open_invoice(conn: Conn, key: str = "1", index: int = 0, **facts: Any) -> Invoice:
    """Store an invoice and the address that the factories give it, at `index` of the wallet."""
    invoice = make_invoice(key=key, **facts)
    await storage.invoices.add(conn, invoice)
    for family, address in invoice.addresses.items():
        assigned = Assigned(family, address, WALLET, index, invoice.id)
        await storage.addresses.give(conn, assigned, 0)
    return invoice
