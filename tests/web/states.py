"""Every state that a payer can see, each brought about as it truly comes about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import update

import storage
from tests.api.shop import DAI, ETH, USDT, Json, Shop

QUESTIONS = {
    "fields": [
        {"name": "size", "label": "Your size", "type": "number", "required": True},
        {"name": "mail", "label": "E-mail for the receipt", "type": "email"},
    ]
}
ITEMS = [{"name": "Blue shirt, long sleeves", "quantity": 2}]
BACK = {
    "success_url": "https://shop.example.org/thanks?order=1#top",
    "redirect_title": "To the shop",
}


async def questions(shop: Shop) -> Json:
    return await shop.create(questionnaire=QUESTIONS, name="Order #8821")


async def choose(shop: Shop) -> Json:
    return await shop.create(name="Order #8821", description="Two shirts", items=ITEMS)


async def waiting(shop: Shop) -> Json:
    return await shop.create(methods=[USDT], name="Order #8821")


async def waiting_for_coin(shop: Shop) -> Json:
    return await shop.create(methods=[ETH])


async def partial(shop: Shop) -> Json:
    made = await waiting(shop)
    await shop.pay(made["quotes"][0]["address"], 3_333_333)
    return made


async def confirming(shop: Shop) -> Json:
    made = await waiting(shop)
    await shop.pay()
    return made


async def paid(shop: Shop) -> Json:
    made = await shop.create(methods=[USDT], **BACK)
    await shop.pay(units=12_500_000)
    await shop.mine(3)
    return made


async def underpaid(shop: Shop) -> Json:
    made = await waiting(shop)
    await shop.pay(units=4_000_000)
    await shop.mine(3)
    await shop.pass_time(3700)
    return made


async def expired(shop: Shop) -> Json:
    made = await waiting(shop)
    await shop.pass_time(3700)
    return made


async def late(shop: Shop) -> Json:
    made = await expired(shop)
    await shop.pay()
    return made


async def closing(shop: Shop) -> Json:
    """The wall clock has passed the deadline, the chain has not."""
    made = await waiting(shop)
    async with storage.write(shop.engine) as conn:
        table = storage.schema.invoices
        over = table.c.created_at - 7200
        await conn.execute(update(table).values(expires_at=over, deadline=over))
    return made


async def cancelled(shop: Shop) -> Json:
    made = await shop.create(fail_url="https://shop.example.org/cart")
    await shop.post(f"/v1/invoices/{made['id']}/cancel")
    return made


async def wrong_coin(shop: Shop) -> Json:
    made = await waiting(shop)
    await shop.pay(units=10**19, method=DAI)
    return made


async def taken_back(shop: Shop) -> Json:
    made = await confirming(shop)
    shop.chain.reorg(depth=1)
    await shop.mine(2)
    return made


async def delayed(shop: Shop) -> Json:
    made = await waiting(shop)
    await fall_behind(shop)
    return made


async def fall_behind(shop: Shop) -> None:
    """Our newest block becomes old: the network lags."""
    async with storage.write(shop.engine) as conn:
        table = storage.schema.networks
        await conn.execute(update(table).values(tip_timestamp=table.c.tip_timestamp - 500))


async def tampered(shop: Shop) -> Json:
    made = await waiting(shop)
    async with storage.write(shop.engine) as conn:
        table = storage.schema.addresses
        await conn.execute(update(table).values(address="0x" + "66" * 20))
    return made


STATES: dict[str, Callable[[Shop], Awaitable[Json]]] = {
    each.__name__: each
    for each in (
        questions,
        choose,
        waiting,
        waiting_for_coin,
        partial,
        confirming,
        paid,
        underpaid,
        expired,
        late,
        closing,
        cancelled,
        wrong_coin,
        taken_back,
        delayed,
        tampered,
    )
}
