"""What a person asks for, whichever merchant's it is."""

from __future__ import annotations

import storage
from storage import Engine
from storage.merchants import Merchant
from tests.factories import make_deposit, make_hash, make_id, make_invoice
from tests.storage.books import open_invoice, open_shop
from watcher.domain.deposits import DepositStatus


async def test_an_external_id_finds_the_invoices_of_every_merchant(engine: Engine) -> None:
    other = make_id("mer", "2")
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await storage.merchants.add(conn, Merchant(other, "Other", 0))
        for key, merchant_id, external_id in (
            ("1", make_id("mer"), "8821"),
            ("2", other, "8821"),
            ("3", other, "88210"),
        ):
            invoice = make_invoice(
                key=key,
                merchant_id=merchant_id,
                external_id=external_id,
                created_at=int(key),
                addresses={},
            )
            await storage.invoices.add(conn, invoice)
        found = await storage.overview.by_external_id(conn, "8821", 10)
        assert found == [make_id("inv", "2"), make_id("inv", "1")]
        assert await storage.overview.by_external_id(conn, "8821", 1) == [make_id("inv", "2")]
        assert await storage.overview.by_external_id(conn, "882", 10) == []


async def test_a_transaction_finds_its_deposits_orphaned_ones_too(engine: Engine) -> None:
    deposits = [
        make_deposit(tx="7"),
        make_deposit(tx="7", position="log/1", status=DepositStatus.ORPHANED),
        make_deposit(tx="8"),
    ]
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
        await storage.deposits.add(conn, deposits, 0)
        found = await storage.overview.by_transaction(conn, make_hash("tx7"), 10)
        assert set(found) == {deposits[0].id, deposits[1].id}
        assert await storage.overview.by_transaction(conn, make_hash("tx9"), 10) == []
