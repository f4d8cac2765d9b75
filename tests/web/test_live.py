"""Open pages: how many there may be, that they cost nothing once closed, and how they come back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from contextlib import AsyncExitStack

import pytest

from storage import Conn, Engine
from tests.api.shop import FIRST, USDT, Shop
from tests.web.payer import listen, move_clock
from watcher.domain.invoices import InvoiceStatus
from watcher.policy import Policy
from watcher.refused import NotFound
from watcher.wakeup import Books, News
from watcher.web import live
from watcher.web.live import Crowded, Live
from watcher.web.scene import Scene, read_scenes


@pytest.fixture
def pages(shop: Shop) -> Live:
    """The pages of another process at the same books."""
    return Live(shop.engine, shop.policy, News(shop.engine))


async def test_more_pages_than_there_may_be_are_refused_until_one_closes(
    shop: Shop, pages: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_PAGES", 3)
    monkeypatch.setattr(live, "MOST_PER_ADDRESS", 2)
    id = (await shop.create())["id"]
    async with pages.open(id, "a"):
        async with pages.open(id, "a"):
            with pytest.raises(Crowded):
                async with pages.open(id, "a"):
                    pass
            async with pages.open(id, "b"):
                with pytest.raises(Crowded):
                    async with pages.open(id, "c"):
                        pass
        async with pages.open(id, "a"):
            pass


async def test_a_closed_page_and_one_on_nothing_leave_nothing_behind(
    shop: Shop, pages: Live
) -> None:
    id = (await shop.create())["id"]
    async with pages.open(id, "a"):
        pass
    with pytest.raises(NotFound):
        async with pages.open("inv_none", "a"):
            pass
    assert (pages._watched, pages._addresses) == ({}, {})


async def test_pages_that_all_come_back_at_once_leave_connections_to_others(
    shop: Shop, pages: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, most = 0, 0

    async def read(conn: Conn, policy: Policy, ids: Collection[str]) -> dict[str, Scene]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        try:
            return await read_scenes(conn, policy, ids)
        finally:
            reading -= 1

    monkeypatch.setattr(live, "read_scenes", read)
    ids = [(await shop.create())["id"] for _ in range(3 * live.READERS)]

    async def visit(id: str) -> str:
        async with pages.open(id, "a") as page:
            return page.scene.invoice.id

    assert await asyncio.gather(*map(visit, ids)) == ids
    assert 0 < most <= live.READERS


async def test_a_page_that_opens_is_not_behind_what_its_payer_did(shop: Shop, pages: Live) -> None:
    """Another page is still open, and nothing has looked at the books since."""
    invoice = await shop.create()
    async with pages.open(invoice["id"], "a") as before:
        await shop.post(f"/v1/invoices/{invoice['id']}/cancel")
        async with pages.open(invoice["id"], "a") as after:
            assert after.scene.invoice.status is InvoiceStatus.CANCELLED
            assert before.scene is after.scene


async def test_an_older_reading_does_not_take_the_place_of_a_newer(
    shop: Shop, pages: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a look at the books reads, the invoice changes and a page opens on the change."""
    invoice = await shop.create()
    truly = read_scenes
    async with pages.open(invoice["id"], "a") as page, AsyncExitStack() as later:

        async def read(conn: Conn, policy: Policy, ids: Collection[str]) -> dict[str, Scene]:
            found = await truly(conn, policy, ids)
            monkeypatch.setattr(live, "read_scenes", truly)
            await shop.post(f"/v1/invoices/{invoice['id']}/cancel")
            await later.enter_async_context(pages.open(invoice["id"], "a"))
            return found

        monkeypatch.setattr(live, "read_scenes", read)
        await pages._update(None, Books(newest={}, tips={}))
        assert live.read_scenes is truly
        assert page.scene.invoice.status is InvoiceStatus.CANCELLED


async def test_what_happens_while_a_page_is_read_first_is_read_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading and showing, the payment comes, and the books are looked at."""
    await shop.pass_time(0)
    invoice = await shop.create(methods=[USDT])
    truly, came = read_scenes, asyncio.Event()

    async def read(conn: Conn, policy: Policy, ids: Collection[str]) -> dict[str, Scene]:
        found = await truly(conn, policy, ids)
        if not came.is_set():
            came.set()
            await shop.pay()
            await asyncio.sleep(0.3)  # for the look that finds it
        return found

    monkeypatch.setattr(live, "read_scenes", read)
    async with listen(shop, invoice) as told:
        while (await anext(told))["phase"] != "confirming":
            pass


async def test_time_alone_tells_open_pages_that_a_network_lags_and_that_it_is_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is committed, no block comes."""
    move_clock(monkeypatch, 0)
    await shop.pass_time(0)
    invoice = await shop.create(methods=[USDT])
    async with listen(shop, invoice) as told:
        assert "We hear late" not in str(await anext(told))
        move_clock(monkeypatch, 500)
        news = await anext(told)
        assert (news["phase"], set(news["parts"])) == ("waiting", {"status"})
        assert "We hear late from: Ethereum. Your payment is safe" in str(news)
        move_clock(monkeypatch, 0)
        assert "We hear late" not in str(await anext(told))


async def test_the_deadline_alone_takes_the_address_from_open_pages(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network lags before and after: it is the wall clock's deadline that is told."""
    move_clock(monkeypatch, 0)
    await shop.mine()
    invoice = await shop.create(methods=[USDT])
    async with listen(shop, invoice) as told:
        first = await anext(told)
        assert "We hear late" in first["parts"]["status"][1]
        assert FIRST in first["parts"]["pay"][1]
        move_clock(monkeypatch, 3700)
        news = await anext(told)
        assert news["phase"] == "closing"
        assert {"qr.svg", FIRST} & set(re.findall(r"qr\.svg|0x\w+", str(news))) == set()
        assert "We hear late" in news["parts"]["status"][1]


async def test_the_end_ends_every_page(shop: Shop, engine: Engine) -> None:
    invoice = await shop.create()
    async with listen(shop, invoice) as told:
        await anext(told)
        assert shop.http.app is not None
        await shop.http.app.shutdown()
        assert [news async for news in told] == []
