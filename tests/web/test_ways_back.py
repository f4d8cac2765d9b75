"""Payers of invoices that other systems' clients opened: each goes where its gateway sent him."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from storage import close, open_engine
from tests.api.shop import USDT, Json, Shop, open_shop, serve
from tests.faces.asking import face_policy, id_in, opened
from tests.web.browser import open_browser, visit
from watcher.faces.ids import read_id, uuid_of

pytestmark = pytest.mark.timeout(120)
SHOP = "https://shop.example.org"
DAY = 86_400
End = Callable[[Shop], Awaitable[object]]

BILLIUM: Json = {"rawAmount": 10, "redirectUrl": f"{SHOP}/thanks?a=%26&b"}
KUNA: Json = {
    "asset": "USD",
    "amount": "10",
    "externalOrderId": "8821 a&b",
    "customization": {"redirectUrl": f"{SHOP}/thanks?orderId=old&x=1#top"},
}
TXCASH: Json = {"amount": 10, "success_url": f"{SHOP}/thanks", "fail_url": f"{SHOP}/cart?why=1"}
CALLBACK: Json = {"currency_amount": 10, "callback_url": f"{SHOP}/wc-api/?order=7"}
REDIRECT: Json = {**CALLBACK, "redirect_url": f"{SHOP}/done"}
ITEM = {"type": "PAYMENT_INTENT", "currency": "USD", "price": "10"}
BITGPT: Json = {"items": [ITEM], "redirect_url": f"{SHOP}/thanks"}


@pytest.fixture
async def shop(sqlite_url: str) -> AsyncIterator[Shop]:
    """On one engine: what the browser sees is the same on both."""
    engine, policy = open_engine(sqlite_url), face_policy()
    async with serve(engine, policy) as http:
        made = await open_shop(engine, policy, http)
        await made.pass_time(0)
        yield made
    await close(engine)


async def paid(shop: Shop) -> None:
    await shop.pay()
    await shop.mine(3)


async def expired(shop: Shop) -> None:
    await shop.pass_time(DAY)


async def underpaid(shop: Shop) -> None:
    await shop.pay(units=4_000_000)
    await shop.mine(3)
    await shop.pass_time(DAY)


@pytest.mark.parametrize(
    ("face", "fields", "end", "back"),
    [
        ("billium", BILLIUM, paid, f"{SHOP}/thanks?a=%26&b"),
        ("kuna", KUNA, paid, f"{SHOP}/thanks?orderId=8821+a%26b&x=1&invoiceId={{uuid}}#top"),
        ("txcash", TXCASH, paid, f"{SHOP}/thanks"),
        ("txcash", TXCASH, expired, f"{SHOP}/cart?why=1"),
        ("txcash", TXCASH, underpaid, f"{SHOP}/cart?why=1"),
        ("payhubix", CALLBACK, paid, f"{SHOP}/wc-api/?order=7"),
        ("payhubix", CALLBACK, expired, f"{SHOP}/wc-api/?order=7"),
        ("payhubix", REDIRECT, underpaid, f"{SHOP}/done"),
        ("bitgpt", BITGPT, paid, f"{SHOP}/thanks"),
        ("billium", BILLIUM, expired, None),
        ("kuna", KUNA, expired, None),
        ("bitgpt", BITGPT, underpaid, None),
    ],
)
async def test_a_payer_goes_where_the_gateway_would_have_sent_him(
    shop: Shop, face: str, fields: Json, end: End, back: str | None
) -> None:
    id = read_id("inv", id_in(face, await opened(face, shop, **fields)))
    async with (
        open_browser() as browser,
        visit(browser, str(shop.http.make_url(f"/pay/{id}"))) as page,
    ):
        await page.context.route(f"{SHOP}/**", lambda route: route.fulfill())
        await page.click(f"button[value='{USDT}']")
        await page.wait_for_selector("main[data-phase=waiting]")
        await page.locator("#offline").wait_for(state="hidden")
        await end(shop)
        if back is None:
            await page.wait_for_selector(f"main[data-phase={end.__name__}]")
            assert await page.locator("#return").count() == 0
        else:
            expected = back.format(uuid=uuid_of(id))
            await page.wait_for_url(f"{SHOP}/**")
            assert page.url == expected
