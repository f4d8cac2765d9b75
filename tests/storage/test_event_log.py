"""The log of events: without gaps from several processes, and where it begins once pruned."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

import storage
from storage import Conn, Engine, deliveries, events, lanes, tries
from storage.merchants import Merchant
from storage.tries import Try
from tests.factories import make_id
from tests.storage.books import MERCHANT, open_invoice, open_shop
from watcher.domain.events import PATTERNS, Event, EventType, wants
from watcher.forgetting import forget_events
from watcher.refused import NotFound
from watcher.webhooks.managing import redeliver

ROOT = Path(__file__).parents[2]
WRITERS, ROUNDS, AT_ONCE = 3, 20, 3
DAY, URL = 86_400, "https://example.org/"
SCRIPT = f"""
import asyncio, sys
from storage import close, events, open_engine, repeat
from tests.factories import make_id
from watcher.domain.events import Event, EventType

async def main(url):
    engine = open_engine(url)
    told = [(Event(EventType.INVOICE_UPDATED, make_id("mer"), make_id("inv")), {{}})] * {AT_ONCE}
    for _ in range({ROUNDS}):
        await repeat(engine, lambda conn: events.append(conn, told, 5))
    await close(engine)

asyncio.run(main(sys.argv[1]))
"""


@pytest.fixture
async def shop(engine: Engine) -> Engine:
    async with storage.write(engine) as conn:
        await open_shop(conn)
        await open_invoice(conn)
    return engine


async def tell(conn: Conn, *times: int, url: str | None = None, merchant: str = MERCHANT) -> None:
    """An event at each of these seconds, with its delivery to `url`."""
    event = Event(EventType.INVOICE_UPDATED, merchant, make_id("inv"))
    for at in times:
        await events.append(conn, [(event, {"invoice": {"callback_url": url}})], at)


async def deliver(engine: Engine) -> None:
    """Let all that waits be delivered, each at its first try."""
    async with storage.write(engine) as conn:
        [lane] = await lanes.due(conn, 10)
        while taken := await deliveries.take(conn, lane, 10, 60):
            await tries.add(conn, [Try(each.id, 1, 3, 9, URL, {}, 200, "", None) for each in taken])
            await deliveries.succeed(conn, taken, 3)


async def left(engine: Engine) -> tuple[int, int]:
    """How many deliveries and tries there are."""
    async with storage.read(engine) as conn:
        counts = [
            await conn.scalar(select(func.count()).select_from(each.table))
            for each in (deliveries, tries)
        ]
    return counts[0] or 0, counts[1] or 0


async def kept(engine: Engine, merchant: str = MERCHANT) -> tuple[list[int], int]:
    """The numbers that are kept, and where the log says that it begins."""
    async with storage.read(engine) as conn:
        log = await events.after(conn, merchant, 0, 10_000)
        return [event.seq for event in log], await events.begins(conn, merchant)


async def test_several_processes_number_one_log_without_gaps(shop: Engine, db_url: str) -> None:
    command = [sys.executable, "-c", SCRIPT, db_url]
    writers = [await asyncio.create_subprocess_exec(*command, cwd=ROOT) for _ in range(WRITERS)]
    seen: list[int] = []
    while any(each.returncode is None for each in writers):
        async with storage.read(shop) as conn:  # as a reader that follows
            log = await events.after(conn, MERCHANT, seen[-1] if seen else 0, 1000)
        seen += [event.seq for event in log]
        await asyncio.wait([asyncio.create_task(each.wait()) for each in writers], timeout=0.05)
    assert [each.returncode for each in writers] == [0] * WRITERS
    assert seen == list(range(1, len(seen) + 1))
    assert await kept(shop) == (list(range(1, WRITERS * ROUNDS * AT_ONCE + 1)), 1)


async def test_old_events_are_forgotten_and_the_log_says_where_it_begins(shop: Engine) -> None:
    async with storage.write(shop) as conn:
        await tell(conn, 0, 5, DAY, DAY + 5)
    await forget_events(shop, DAY, DAY + 5)
    assert await kept(shop) == ([2, 3, 4], 2)  # the second is a day old, no more
    for _ in range(2):  # once more changes nothing
        await forget_events(shop, DAY, DAY + 6)
        assert await kept(shop) == ([3, 4], 3)
    await forget_events(shop, DAY, 9 * DAY)
    assert await kept(shop) == ([], 5)
    async with storage.write(shop) as conn:
        await tell(conn, 9 * DAY)
    assert await kept(shop) == ([5], 5)


async def test_what_still_waits_to_be_delivered_is_not_forgotten(shop: Engine) -> None:
    async with storage.write(shop) as conn:
        await tell(conn, 0)
        await tell(conn, 1, url=URL)
        await tell(conn, 2)
    await forget_events(shop, DAY, 9 * DAY)
    assert await kept(shop) == ([2, 3], 2)
    await deliver(shop)
    await forget_events(shop, DAY, 9 * DAY)
    assert await kept(shop) == ([], 4)
    assert await left(shop) == (0, 0)


async def test_what_is_held_for_a_disabled_webhook_is_not_forgotten(shop: Engine) -> None:
    async with storage.write(shop) as conn:
        await tell(conn, 0, 1, url=URL)
        await conn.execute(update(deliveries.table).values(state="held"))
    await forget_events(shop, DAY, 9 * DAY)
    assert await kept(shop) == ([1, 2], 1)
    assert await left(shop) == (2, 0)


async def test_what_waits_for_one_merchant_keeps_nothing_of_another(shop: Engine) -> None:
    other = make_id("mer", "2")
    async with storage.write(shop) as conn:
        await storage.merchants.add(conn, Merchant(other, "Other", 0))
        await tell(conn, 0, 1, url=URL)
        await tell(conn, 0, 1, DAY, merchant=other)
    await forget_events(shop, DAY, DAY + 2)
    assert await kept(shop) == ([1, 2], 1)
    assert await kept(shop, other) == ([3], 3)


async def test_a_clock_that_was_set_back_leaves_no_gap(shop: Engine) -> None:
    async with storage.write(shop) as conn:
        await tell(conn, 0, DAY, 1)
    await forget_events(shop, DAY, DAY + 5)
    assert await kept(shop) == ([2, 3], 2)


async def test_many_are_forgotten_a_few_at_a_time(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.forgetting.AT_ONCE", 2)
    async with storage.write(shop) as conn:
        await tell(conn, *range(5), url=URL)
    await deliver(shop)
    async with storage.write(shop) as conn:
        assert await events.prune(conn, MERCHANT, 3, 2) == 2
    assert await kept(shop) == ([3, 4, 5], 3)
    assert await left(shop) == (3, 3)
    await forget_events(shop, DAY, DAY + 4)
    assert await kept(shop) == ([5], 5)
    assert await left(shop) == (1, 1)


async def test_what_is_asked_for_again_meanwhile_is_not_forgotten(shop: Engine) -> None:
    async with storage.write(shop) as conn:
        await tell(conn, 0, 1, url=URL)
    await deliver(shop)
    async with storage.write(shop) as conn:
        _, first = await deliveries.listing(conn, MERCHANT)
        await deliveries.again(conn, first.id, first.host)
        forgetting = asyncio.create_task(forget_events(shop, DAY, 9 * DAY))
        await asyncio.wait([forgetting], timeout=0.2)
        assert not forgetting.done()
    await forgetting
    assert await kept(shop) == ([1, 2], 1)
    assert await left(shop) == (2, 2)


async def test_what_is_forgotten_meanwhile_is_not_asked_for_again(shop: Engine) -> None:
    async with storage.write(shop) as conn:
        await tell(conn, 0, url=URL)
    await deliver(shop)
    async with storage.read(shop) as conn:
        [only] = await deliveries.listing(conn, MERCHANT)
    async with storage.write(shop) as conn:
        assert await events.prune(conn, MERCHANT, DAY, 10) == 1
        asking = asyncio.create_task(
            storage.repeat(shop, partial(redeliver, merchant_id=MERCHANT, delivery_id=only.id))
        )
        await asyncio.wait([asking], timeout=0.2)
        assert not asking.done()
    with pytest.raises(NotFound):
        await asking
    assert await left(shop) == (0, 0)


@pytest.mark.parametrize("type", list(EventType))
def test_what_each_pattern_includes(type: EventType) -> None:
    matching = {pattern for pattern in PATTERNS if wants([pattern], type)}
    assert matching == {"*", type.value, f"{type.value.split('.')[0]}.*"}
    assert not wants([], type)
