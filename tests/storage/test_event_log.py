"""The log of events: without gaps from several processes, and where it begins once pruned."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import storage
from storage import Conn, Engine, deliveries, events, lanes
from tests.factories import make_id
from tests.storage.books import MERCHANT, open_invoice, open_shop
from watcher.domain.events import PATTERNS, Event, EventType, wants
from watcher.forgetting import DAY_SECONDS, forget_events

ROOT = Path(__file__).parents[2]
WRITERS, ROUNDS, AT_ONCE = 3, 20, 3
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


async def tell(conn: Conn, *times: int, url: str | None = None) -> None:
    """An event at each of these seconds."""
    event = Event(EventType.INVOICE_UPDATED, MERCHANT, make_id("inv"))
    for at in times:
        await events.append(conn, [(event, {"invoice": {"callback_url": url}})], at)


async def kept(engine: Engine) -> tuple[list[int], int]:
    """The numbers that are kept, and where the log says that it begins."""
    async with storage.read(engine) as conn:
        log = await events.after(conn, MERCHANT, 0, 10_000)
        return [event.seq for event in log], await events.begins(conn, MERCHANT)


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
    day = DAY_SECONDS
    async with storage.write(shop) as conn:
        await tell(conn, 0, 5, day, day + 5)
    await forget_events(shop, 1, day + 6)
    assert await kept(shop) == ([3, 4], 3)
    await forget_events(shop, 1, 9 * day)
    assert await kept(shop) == ([], 5)
    async with storage.write(shop) as conn:
        await tell(conn, 9 * day)
    assert await kept(shop) == ([5], 5)


async def test_what_still_waits_to_be_delivered_is_not_forgotten(shop: Engine) -> None:
    async with storage.write(shop) as conn:
        await tell(conn, 0)
        await tell(conn, 1, url="https://example.org/")
        await tell(conn, 2)
    await forget_events(shop, 1, 9 * DAY_SECONDS)
    assert await kept(shop) == ([2, 3], 2)
    async with storage.write(shop) as conn:
        [lane] = await lanes.due(conn, 10)
        [taken] = await deliveries.take(conn, lane, 10, 60)
        await deliveries.succeed(conn, [taken], 3)
    await forget_events(shop, 1, 9 * DAY_SECONDS)
    assert await kept(shop) == ([], 4)
    async with storage.read(shop) as conn:
        assert await deliveries.listing(conn, MERCHANT) == []


async def test_many_are_forgotten_a_few_at_a_time(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watcher.forgetting.AT_ONCE", 2)
    async with storage.write(shop) as conn:
        await tell(conn, *range(5))
        assert await events.prune(conn, MERCHANT, 3, 2) == 2
    assert await kept(shop) == ([3, 4, 5], 3)
    await forget_events(shop, 1, DAY_SECONDS + 4)
    assert await kept(shop) == ([5], 5)


@pytest.mark.parametrize("type", list(EventType))
def test_what_each_pattern_includes(type: EventType) -> None:
    matching = {pattern for pattern in PATTERNS if wants([pattern], type)}
    assert matching == {"*", type.value, f"{type.value.split('.')[0]}.*"}
    assert not wants([], type)
