"""Who waits for events: woken by commits here and elsewhere, by nothing else, and by the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import event

import storage
from storage import Engine, close, open_engine
from storage.merchants import Merchant
from tests.factories import NETWORK
from tests.fakes import FakeChain
from tests.world import catch_up, make_follower
from watcher import wakeup
from watcher.wakeup import Books, News

FAR = 60.0  # seconds that no test waits


@pytest.fixture
async def news(engine: Engine) -> AsyncIterator[News]:
    """News of a log of two merchants, to whom nothing was told yet."""
    async with storage.write(engine) as conn:
        for id in ("mer_1", "mer_2"):
            await storage.merchants.add(conn, Merchant(id, "Shop", 0))
    made = News(engine)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def tell(engine: Engine, merchant_id: str) -> None:
    """Number one more event of the merchant's."""
    table = storage.schema.merchants
    change = table.update().where(table.c.id == merchant_id)
    async with storage.write(engine) as conn:
        await conn.execute(change.values(last_seq=table.c.last_seq + 1))


async def waits(task: asyncio.Task[Any]) -> bool:
    """Whether it still does, once whatever could wake it was looked at."""
    await asyncio.wait([task], timeout=0.05)
    return not task.done()


async def test_a_commit_wakes_who_waits_for_that_merchant_only(news: News, engine: Engine) -> None:
    first = asyncio.create_task(news.wait("mer_1", 0, FAR))
    second = asyncio.create_task(news.wait("mer_2", 0, FAR))
    assert await waits(first)
    await tell(engine, "mer_1")
    assert await first == 1
    assert await waits(second)
    second.cancel()


async def test_what_is_there_already_is_not_waited_for(news: News, engine: Engine) -> None:
    await tell(engine, "mer_1")
    assert await news.wait("mer_1", 0, FAR) == 1
    late = asyncio.create_task(news.wait("mer_1", 1, FAR))
    assert await waits(late)
    late.cancel()


async def test_what_was_rolled_back_wakes_nobody(news: News, engine: Engine) -> None:
    waiting = asyncio.create_task(news.wait("mer_1", 0, FAR))
    with pytest.raises(ZeroDivisionError):
        async with storage.write(engine):
            raise ZeroDivisionError
    assert await waits(waiting)
    waiting.cancel()


async def test_a_commit_elsewhere_is_found(
    news: News, db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "POLL_SECONDS", 0.01)
    other = open_engine(db_url)
    waiting = asyncio.create_task(news.wait("mer_1", 0, FAR))
    assert await waits(waiting)
    await tell(other, "mer_1")
    assert await waiting == 1
    await close(other)


async def test_all_merchants_can_be_waited_for(news: News, engine: Engine) -> None:
    await tell(engine, "mer_1")
    waiting = asyncio.create_task(news.wait(None, 1, FAR))
    assert await waits(waiting)
    await tell(engine, "mer_2")
    assert await waiting == 2


async def test_the_time_to_wait_ends(news: News) -> None:
    assert await news.wait("mer_1", 0, 0.01) == 0


async def test_the_end_ends_every_wait(news: News) -> None:
    waiting = [asyncio.create_task(news.wait("mer_1", after, FAR)) for after in (0, 7)]
    assert await waits(waiting[0])
    news.stop()
    assert await asyncio.gather(*waiting) == [0, 7]
    assert await news.wait("mer_1", 3, FAR) == 3


async def test_hundreds_who_wait_are_not_hundreds_of_queries(news: News, engine: Engine) -> None:
    waiting = [asyncio.create_task(news.wait("mer_1", 0, FAR)) for _ in range(300)]
    assert await waits(waiting[0])
    asked: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    await tell(engine, "mer_1")
    assert set(await asyncio.gather(*waiting)) == {1}
    assert sum(each.startswith("SELECT merchants.id") for each in asked) < 5


async def test_nobody_waits_and_nothing_is_asked(
    news: News, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "POLL_SECONDS", 0.001)
    asked: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *words: asked.append(words[2]))
    await asyncio.sleep(0.05)
    assert asked == []


async def test_a_database_that_was_away_is_asked_again(
    news: News, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wakeup, "POLL_SECONDS", 0.01)
    truly = storage.events.newest_of_all
    fails = [True]

    async def newest(conn: storage.Conn) -> dict[str, int]:
        if fails:
            fails.clear()
            raise storage.StorageUnavailable("away")
        return await truly(conn)

    monkeypatch.setattr(storage.events, "newest_of_all", newest)
    await tell(engine, "mer_1")
    assert await news.wait("mer_1", 0, FAR) == 1
    assert not fails


async def test_who_follows_the_books_is_told_of_events_and_of_blocks(
    news: News, engine: Engine
) -> None:
    begun = await news.follow(None, FAR)
    assert begun == Books({"mer_1": 0, "mer_2": 0}, {})
    following = asyncio.create_task(news.follow(begun, FAR))
    assert await waits(following)
    chain = FakeChain()
    await catch_up(make_follower(chain, engine))
    moved = await following
    assert moved == Books({"mer_1": 0, "mer_2": 0}, {NETWORK: chain.tip})
    following = asyncio.create_task(news.follow(moved, FAR))
    assert await waits(following)
    await tell(engine, "mer_2")
    assert await following == Books({"mer_1": 0, "mer_2": 1}, {NETWORK: chain.tip})


async def test_books_that_do_not_change_are_followed_for_the_given_time(news: News) -> None:
    begun = await news.follow(None, FAR)
    assert await news.follow(begun, 0.01) is begun


async def test_the_end_ends_following(news: News) -> None:
    begun = await news.follow(None, FAR)
    following = asyncio.create_task(news.follow(begun, FAR))
    assert await waits(following)
    news.stop()
    assert await following is begun
    assert await news.follow(None, FAR) is None
