"""The words each face shows while an invoice lives: what clients wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any

import pytest

from storage import Engine
from tests.api.shop import USDT, Json, Shop, make_policy, open_shop, serve
from tests.faces.asking import ask, told_in, word_in
from watcher.api.compat import FACES

HOUR = 3600
Step = Callable[[Shop, Json], Awaitable[object]]


async def select(shop: Shop, made: Json) -> None:
    await shop.post(f"/v1/invoices/{made['id']}/select", {"method": USDT})


async def cancel(shop: Shop, made: Json) -> None:
    await shop.post(f"/v1/invoices/{made['id']}/cancel")


async def accept(shop: Shop, made: Json) -> None:
    await shop.post(f"/v1/invoices/{made['id']}/accept")


async def pay(shop: Shop, made: Json) -> None:
    await shop.pay()


async def half(shop: Shop, made: Json) -> None:
    await shop.pay(units=5_000_000)


async def rest(shop: Shop, made: Json) -> None:
    await shop.pay(units=5_000_000, tx="2")


async def twice(shop: Shop, made: Json) -> None:
    await shop.pay(units=20_000_000)


async def confirm(shop: Shop, made: Json) -> None:
    await shop.mine(2)


async def expire(shop: Shop, made: Json) -> None:
    await shop.pass_time(HOUR + 60)


async def reorg(shop: Shop, made: Json) -> None:
    """Its block and those above it go; as many others come, and one more."""
    shop.chain.reorg(depth=3)
    await shop.mine(4)


STORIES: dict[str, Sequence[Step]] = {
    "select, full, confirm": [select, pay, confirm],
    "half, top-up, confirm": [select, half, rest, confirm],
    "half, time out": [select, half, confirm, expire],
    "too much": [select, twice, confirm],
    "nothing, time out": [select, expire],
    "time out, late money, accepted": [select, expire, pay, confirm, accept],
    "paid, reorganised away, mined again": [select, pay, confirm, reorg, pay, confirm],
    "cancelled untouched": [cancel],
}
WORDS: dict[str, dict[str, str]] = {
    "billium": {
        "select, full, confirm": "AWAITING_PAYMENT PENDING_CONFIRMATION PAID",
        "half, top-up, confirm": "AWAITING_PAYMENT PENDING_CONFIRMATION PAID",
        "half, time out": "AWAITING_PAYMENT UNDERPAID",
        "too much": "AWAITING_PAYMENT PENDING_CONFIRMATION OVERPAID",
        "nothing, time out": "AWAITING_PAYMENT EXPIRED",
        "time out, late money, accepted": "AWAITING_PAYMENT EXPIRED PAID",
        "paid, reorganised away, mined again": "AWAITING_PAYMENT PENDING_CONFIRMATION PAID "
        "AWAITING_PAYMENT PENDING_CONFIRMATION PAID",
        "cancelled untouched": "AWAITING_PAYMENT CANCELLED",
    },
    "kuna": {
        "select, full, confirm": "CREATED PAYMENT_AWAITING CONFIRMATION_AWAITING PAID",
        "half, top-up, confirm": "CREATED PAYMENT_AWAITING PARTIALLY_PAID CONFIRMATION_AWAITING "
        "PAID",
        "half, time out": "CREATED PAYMENT_AWAITING PARTIALLY_PAID",
        "too much": "CREATED PAYMENT_AWAITING CONFIRMATION_AWAITING PAID",
        "nothing, time out": "CREATED PAYMENT_AWAITING TIMEOUT",
        "time out, late money, accepted": "CREATED PAYMENT_AWAITING TIMEOUT PAID",
        "paid, reorganised away, mined again": "CREATED PAYMENT_AWAITING CONFIRMATION_AWAITING "
        "PAID PAYMENT_AWAITING CONFIRMATION_AWAITING PAID",
        "cancelled untouched": "CREATED DEACTIVATED",
    },
    "txcash": {
        "select, full, confirm": "0 1",
        "half, top-up, confirm": "0 2 0 1",
        "half, time out": "0 2",
        "too much": "0 3",
        "nothing, time out": "0 4",
        "time out, late money, accepted": "0 4 1",
        "paid, reorganised away, mined again": "0 1 0 1",
        "cancelled untouched": "0 5",
    },
    "payhubix": {
        "select, full, confirm": "Created Pending Paid",
        "half, top-up, confirm": "Created Pending Partially Pending Paid",
        "half, time out": "Created Pending Partially PartiallyExpired",
        "too much": "Created Pending Paid",
        "nothing, time out": "Created Pending Expired",
        "time out, late money, accepted": "Created Pending Expired Paid",
        "paid, reorganised away, mined again": "Created Pending Paid Pending Paid",
        "cancelled untouched": "Created Canceled",
    },
    "bitgpt": {
        "select, full, confirm": "PENDING WAITING_FOR_CONFIRMATIONS COMPLETED",
        "half, top-up, confirm": "PENDING PARTIALLY_PAID WAITING_FOR_CONFIRMATIONS COMPLETED",
        "half, time out": "PENDING PARTIALLY_PAID",
        "too much": "PENDING WAITING_FOR_CONFIRMATIONS COMPLETED+OVERPAID",
        "nothing, time out": "PENDING VOIDED",
        "time out, late money, accepted": "PENDING VOIDED COMPLETED",
        "paid, reorganised away, mined again": "PENDING WAITING_FOR_CONFIRMATIONS COMPLETED "
        "PENDING WAITING_FOR_CONFIRMATIONS COMPLETED",
        "cancelled untouched": "PENDING VOIDED",
    },
}


@pytest.mark.parametrize("story", STORIES)
async def test_the_words_of_a_story(engine: Engine, story: str) -> None:
    policy = make_policy()
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        await shop.follow()
        made = await shop.create(autoselect=False, methods=[USDT])
        seen: dict[str, list[Any]] = {face: [await word(face, shop, made)] for face in FACES}
        for step in STORIES[story]:
            await step(shop, made)
            for face in FACES:
                seen[face].append(await word(face, shop, made))
    for face in FACES:
        told = [str(each) for each, _ in groupby(seen[face])]
        assert told == WORDS[face][story].split(), face


async def word(face: str, shop: Shop, made: Json) -> Any:
    """The status as the face shows it."""
    answer = await ask(face, shop, "GET", made["id"])
    assert answer.status == 200, answer.body
    return word_in(face, answer.body)


@pytest.mark.parametrize("face", FACES)
async def test_unconfirmed_money_is_in_no_total_and_a_reorg_leaves_no_trace(
    engine: Engine, face: str
) -> None:
    policy = make_policy()
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        await shop.follow()
        made = await shop.create(methods=[USDT])
        before = told_in(face, (await ask(face, shop, "GET", made["id"])).body)
        await shop.pay()
        shop.chain.reorg(depth=1)
        await shop.mine(2)
        after = told_in(face, (await ask(face, shop, "GET", made["id"])).body)
        assert (await shop.show(made))["deposits"][0]["status"] == "orphaned"
        assert_same_money(before, after)


def assert_same_money(before: Json, after: Json) -> None:
    """Nothing but times and what lists the past differs."""
    told = ("updatedAt", "updated_at", "invoiceTimeline", "payments", "transactions")
    for name, value in before.items():
        if name not in told:
            assert after[name] == value, name
    for rows in ("payments", "transactions"):
        assert len(after.get(rows) or []) == len(before.get(rows) or [])
