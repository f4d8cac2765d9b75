"""Reorgs of a real node: payments that go, move and come anew, and reorgs that are too deep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import storage
from tests.anvil import Anvil
from tests.factories import ADDRESS, make_id
from tests.real.shop import DUE, TETHER, Shop, open_desk, run_shop, until
from tests.world import catch_up, the_invoice, told
from watcher.domain.deposits import Deposit
from watcher.domain.invoices import Flag, InvoiceStatus

LIMIT = 8
BELOW = 12  # blocks under every story, so that only the limit may stop a reorg
DEPTHS = pytest.mark.parametrize("depth", [1, 3, LIMIT - 1])


@pytest.fixture
async def shop(anvil: Anvil, tmp_path: Path, db_url: str) -> AsyncIterator[Shop]:
    async with run_shop(tmp_path, db_url, anvil.url, reorg_limit=LIMIT) as opened:
        await opened.follow(anvil, BELOW)
        yield opened


async def pay_and_bury(shop: Shop, anvil: Anvil, depth: int) -> str:
    """A payment in the block that is `depth` blocks deep; the transaction, as it was sent."""
    tx = anvil.send_token(TETHER, ADDRESS, DUE)
    await shop.follow(anvil, depth)
    raw: str = anvil.rpc("eth_getRawTransactionByHash", tx)
    return raw


async def stored(shop: Shop) -> list[Deposit]:
    """All deposits, orphaned ones too, by the height of their block."""
    async with storage.read(shop.engine) as conn:
        found = await storage.deposits.listing(conn, make_id("mer"), limit=100)
    return sorted(found, key=lambda each: each.block_number)


def before(depth: int) -> list[str]:
    """What is told of a payment that got this deep, with 3 confirmations required."""
    seen = ["deposit.detected", "invoice.confirming"]
    return seen if depth < 3 else [*seen, "deposit.confirmed", "invoice.paid"]


def undone(depth: int) -> list[str]:
    """What is told when it is gone."""
    return ["deposit.orphaned", "invoice.awaiting_payment" if depth < 3 else "invoice.reverted"]


async def assert_paid_once(shop: Shop, anvil: Anvil, depth: int) -> None:
    """The one deposit that counts is where the chain has it, and it is confirmed."""
    old, new = sorted(await stored(shop), key=lambda each: each.status != "orphaned")
    assert (old.status, new.status) == ("orphaned", "confirmed")
    assert new.block_hash == anvil.hash(new.block_number) != old.block_hash
    invoice = await the_invoice(shop.engine)
    assert (invoice.status, invoice.seen, invoice.confirmed) == (InvoiceStatus.PAID, 1, 1)
    assert invoice.flags == (frozenset() if depth < 3 else {Flag.REORGED})
    assert await told(shop.engine) == [*before(depth), *undone(depth), *before(3)]


@DEPTHS
async def test_a_payment_that_is_dropped_is_no_longer_counted(
    shop: Shop, anvil: Anvil, depth: int
) -> None:
    await pay_and_bury(shop, anvil, depth)
    anvil.reorg(depth)
    await shop.follow(anvil, 4)
    [deposit] = await stored(shop)
    assert (deposit.status, deposit.reverted) == ("orphaned", depth >= 3)
    invoice = await the_invoice(shop.engine)
    assert (invoice.status, invoice.seen) == (InvoiceStatus.AWAITING_PAYMENT, 0)
    assert await told(shop.engine) == [*before(depth), *undone(depth)]


@DEPTHS
async def test_a_payment_that_moves_to_another_block_counts_there_and_once(
    shop: Shop, anvil: Anvil, depth: int
) -> None:
    raw = await pay_and_bury(shop, anvil, depth)
    anvil.reorg(depth, [(raw, depth - 1)])
    await catch_up(shop.follower)
    await shop.follow(anvil, 3)
    await assert_paid_once(shop, anvil, depth)
    old, new = await stored(shop)
    assert (new.tx_hash, new.block_number) == (old.tx_hash, old.block_number + depth - 1)


@DEPTHS
async def test_a_payment_that_is_made_anew_replaces_the_one_that_is_gone(
    shop: Shop, anvil: Anvil, depth: int
) -> None:
    await pay_and_bury(shop, anvil, depth)
    anvil.reorg(depth)
    anvil.send_token(TETHER, ADDRESS, DUE, sender=1)
    await shop.follow(anvil, 4)
    await assert_paid_once(shop, anvil, depth)
    old, new = await stored(shop)
    assert new.tx_hash != old.tx_hash


async def test_a_payment_made_anew_while_nobody_looked_is_found_with_the_reorg(
    shop: Shop, anvil: Anvil
) -> None:
    """The fork is longer than our chain by the time it is seen: its tip is no sign of it."""
    await pay_and_bury(shop, anvil, 3)
    anvil.reorg(3)
    anvil.mine(2)
    anvil.send_token(TETHER, ADDRESS, DUE, sender=1)
    await shop.follow(anvil, 3)
    await assert_paid_once(shop, anvil, 3)


@pytest.fixture
def final_soon() -> Iterator[Anvil]:
    """A node whose blocks are final four below its head."""
    with Anvil(epoch_slots=2) as node:
        node.put_token(TETHER)
        yield node


async def halted(shop: Shop) -> tuple[str, int, list[str]]:
    """Run until the network halts: its reason in the status, then how `/readyz` answers."""
    async with open_desk(shop) as desk:

        async def reason() -> str | None:
            row = await desk.network()
            return row["last_error"] if row["state"] == "halted" else None

        return await until(reason, "the network halts"), *await desk.ready()


@pytest.mark.usefixtures("hurried")
async def test_a_reorg_over_the_limit_halts_the_network_and_says_so(
    shop: Shop, anvil: Anvil
) -> None:
    await pay_and_bury(shop, anvil, LIMIT + 1)
    anvil.reorg(LIMIT + 1)
    anvil.mine()
    reason, status, reasons = await halted(shop)
    assert f"deeper than the {LIMIT} blocks kept" in reason
    assert (status, reasons) == (503, [f"ethereum is halted: {reason}"])
    [deposit] = await stored(shop)  # below what may be taken back: a person decides
    assert deposit.status == "confirmed"


@pytest.mark.usefixtures("hurried")
async def test_a_reorg_of_the_limit_does_not_halt(shop: Shop, anvil: Anvil) -> None:
    await pay_and_bury(shop, anvil, LIMIT)
    anvil.reorg(LIMIT)
    await shop.follow(anvil)
    assert (await the_invoice(shop.engine)).status is InvoiceStatus.AWAITING_PAYMENT


@pytest.mark.usefixtures("hurried")
async def test_a_break_below_finality_halts_and_takes_no_final_block_back(
    final_soon: Anvil, tmp_path: Path, db_url: str
) -> None:
    async with run_shop(tmp_path, db_url, final_soon.url, reorg_limit=LIMIT) as shop:
        await shop.follow(final_soon, BELOW)
        await pay_and_bury(shop, final_soon, 6)
        final_soon.reorg(6)
        final_soon.mine()
        reason, status, reasons = await halted(shop)
        assert "was final and is no longer in the chain" in reason
        assert (status, reasons) == (503, [f"ethereum is halted: {reason}"])
        [deposit] = await stored(shop)
        assert deposit.status == "confirmed"
        assert (await the_invoice(shop.engine)).status is InvoiceStatus.PAID
