"""Every state in a real browser: narrow and wide, light and dark, judged by axe."""

from __future__ import annotations

import re
from typing import Any

import pytest
import zxingcpp

from tests.api.shop import Json, Shop
from tests.web.browser import faults, open_browser, overflow, shoot, visit
from tests.web.png import grey
from tests.web.states import STATES

pytestmark = pytest.mark.timeout(180)
NASTY = '"><script>alert(1)</script><img src=x onerror=alert(2)>&lt;{{7*7}}\u202egnp.exe ${7*7}'
LONG = "W" * 250
LANGUAGES = ["es", "ru", "zh"]


def address_of(shop: Shop, invoice: Json) -> str:
    """Of the checkout page on the invoice."""
    return str(shop.http.make_url(f"/pay/{invoice['id']}"))


@pytest.mark.parametrize("state", STATES)
async def test_every_state_can_be_used_by_everyone(stall: Shop, state: str) -> None:
    url = address_of(stall, await STATES[state](stall))
    async with open_browser() as browser:
        for width, theme in ((320, "light"), (320, "dark"), (1280, "light"), (1280, "dark")):
            async with visit(browser, url, width=width, theme=theme) as page:  # type: ignore[arg-type]
                await shoot(page, f"{state}-{width}-{theme}")
                assert await faults(page) == []
                assert await overflow(page) == 0


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_language_fits_a_narrow_phone(stall: Shop, language: str) -> None:
    async with open_browser() as browser:
        for state in ("choose", "waiting", "partial"):
            url = address_of(stall, await STATES[state](stall))
            async with visit(browser, url, width=320, locale=language) as page:
                await shoot(page, f"{state}-{language}")
                assert await page.get_attribute("html", "lang") == language
                assert await overflow(page) == 0


@pytest.mark.parametrize("state", ["waiting", "waiting_for_coin", "partial"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_camera_reads_the_payment_from_the_screen(
    stall: Shop, state: str, theme: Any
) -> None:
    invoice = await STATES[state](stall)
    async with (
        open_browser() as browser,
        visit(browser, address_of(stall, invoice), width=320, theme=theme) as page,
    ):
        link = await page.get_attribute("#wallet", "href")
        shot = await page.locator(".qr").screenshot()
        [read] = zxingcpp.read_barcodes(grey(shot))
        assert read.text == link
        units = {"waiting": "uint256=10000000", "partial": "uint256=6666667"}
        assert units.get(state, "value=5000000000000000") in read.text


async def hostile(shop: Shop) -> Json:
    """An invoice whose every free text is made to do harm."""
    made = await shop.create(
        methods=["ethereum:usdt"],
        name=(NASTY + LONG)[:255],
        description=NASTY + "W" * 1000 + NASTY,
        metadata={NASTY: NASTY},
        customer={"name": NASTY, "address": NASTY},
        items=[{"name": NASTY + LONG, "quantity": NASTY}, {"name": ["x"]}, {NASTY: NASTY}],
        redirect_title=(NASTY + LONG)[:255],
        success_url="https://shop.example.org/?q=%22%3E%3Cscript%3E",
    )
    await shop.pay(made["quotes"][0]["address"])
    await shop.mine(3)
    return made


async def test_what_others_wrote_is_text_and_nothing_else(stall: Shop) -> None:
    invoice = await hostile(stall)
    async with open_browser() as browser:
        for width in (320, 1280):
            async with visit(browser, address_of(stall, invoice), width=width) as page:
                await page.click("summary")
                await shoot(page, f"hostile-{width}")
                assert await page.locator("script").count() == 1
                assert await page.locator("img").count() == 0
                assert NASTY[:60] in await page.inner_text("header")
                assert "49" not in re.sub(r"\{\{7\*7\}\}", "", await page.inner_text("header"))
                assert await overflow(page) == 0
                assert await faults(page) == []
