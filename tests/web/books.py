"""A shop's books with something of every kind in them, as the dashboard may have to show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update

import storage
from storage import schema
from storage.samples import Sample
from tests.api.shop import BOX, DAI, ETH, ETHEREUM, FIRST, USDT, Json, Shop
from tests.api.test_admin import ENDPOINT, publish
from tests.factories import make_finding, make_id
from watcher.audit import Audit
from watcher.clock import now
from watcher.domain.money import Address
from watcher.webhooks import managing
from watcher.webhooks.managing import NewWebhook

HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}<img src=x onerror=alert(1)>'
HALT = "block 7 left the chain below what is final. Check the endpoints, then restart"
URL = "https://shop.example.org/hook"


@dataclass(frozen=True)
class Filled:
    """What was put there."""

    invoice: dict[str, Any]
    """Has a deposit that waits, and one in a coin that was not offered."""
    delivery_id: str
    """One that was given up."""


async def fill(shop: Shop, *, text: str = "Order 8821") -> Filled:
    """Invoices, deposits of every standing, a webhook that failed, samples; all named `text`."""
    async with storage.write(shop.engine) as conn:
        wanted = NewWebhook(URL, ["*"], description=text)
        await managing.add_webhook(conn, BOX, shop.policy, shop.merchant_id, wanted, now())
    await shop.create(methods=[ETH], name=text)
    invoice = await shop.create(
        methods=[USDT],
        name=text,
        description=text,
        external_id="8821",
        metadata={"note": text},
        customer={"name": text},
    )
    address = str((await shop.show(invoice))["quotes"][0]["address"])
    await shop.pay(to=address, units=2_000_000, tx="gone")
    shop.chain.reorg(1)
    shop.chain.mine()
    await shop.mine()
    await shop.pay(to=address, units=4_000_000, tx="1")
    await shop.pay(to=address, units=5 * 10**18, method=DAI, tx="2")
    await sample(shop)
    await publish(shop, endpoints=[{**ENDPOINT, "daily_requests": 1000, "name": "own"}])
    return Filled(invoice, await give_up(shop, invoice, text))


async def give_up(shop: Shop, invoice: Json, answer: str) -> str:
    """Let a delivery of the invoice have failed for good with this answer; its id."""
    async with storage.write(shop.engine) as conn:
        [chosen] = await storage.deliveries.listing(
            conn, shop.merchant_id, invoice_id=invoice["id"], limit=1
        )
        mine = schema.deliveries.c.id == chosen.id
        change = update(schema.deliveries).where(mine)
        await conn.execute(change.values(state="dead", tries=1, failed=1, finished_at=now()))
        row = {
            "delivery_id": chosen.id,
            "number": 1,
            "at": now(),
            "duration_ms": 12,
            "url": URL,
            "headers": {},
            "status": 500,
            "answer": answer,
            "error": None,
        }
        await conn.execute(insert(schema.tries), [row])
    return chosen.id


async def sample(shop: Shop) -> None:
    """An afternoon of samples, with an hour in which nobody followed."""
    minute = now() // 60 * 60
    async with storage.write(shop.engine) as conn:
        for back in (*range(1, 120), *range(180, 360)):
            found = Sample(minute - back * 60, back % 7, 10 + back % 50)
            await storage.samples.add(conn, ETHEREUM, found)


async def find_surplus(shop: Shop) -> str:
    """Let an audit find money at the newest invoice's address that no block shows; its id."""
    chain = shop.chain
    chain.moved_in_secret.append((chain.tip.number + 1, Address(FIRST.lower()), USDT, 7_000_000))
    await shop.mine(4)
    chain.final = chain.tip.number - 1
    await shop.mine()
    await Audit(shop.engine, shop.policy.networks[ETHEREUM], chain).run()
    async with storage.read(shop.engine) as conn:
        [finding] = await storage.findings.listing(conn)
    return finding.id


async def halt(shop: Shop, reason: str = HALT) -> None:
    """Let the network need a person."""
    await publish(shop, state="halted", last_error=reason)


async def put_finding(shop: Shop) -> str:
    """A surplus at an address that is not ours, which only can be dismissed."""
    finding = make_finding(id=make_id("fnd"), network=ETHEREUM, method=USDT)
    async with storage.write(shop.engine) as conn:
        await storage.findings.add(conn, [finding])
    return finding.id
