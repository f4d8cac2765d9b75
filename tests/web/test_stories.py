"""Payers in a real browser, from the choice of a coin to the way back, without loading anew."""

from __future__ import annotations

from datetime import datetime

import pytest
from playwright.async_api import Page, Route

from tests.api.shop import ETH, USDT, Json, Shop
from tests.web.browser import open_browser, visit
from tests.web.payer import move_clock
from tests.web.states import QUESTIONS, fall_behind

pytestmark = pytest.mark.timeout(120)
TICKS = """new Promise((tell) => {
  let [ticks, by] = [[], skew];
  new MutationObserver(() => {
    if (skew !== by) [ticks, by] = [[], skew]; // news set the clock
    const left = Number(countdown.dataset.until) - (Date.now() / 1000 - skew);
    const parts = countdown.textContent.split(":").map(Number);
    ticks.push([left, parts.reduce((sum, part) => 60 * sum + part)]);
    if (ticks.length === 3) tell(ticks);
  }).observe(countdown, {childList: true});
})"""
"""Each time that the countdown changes: the seconds left by the page's clock, and those shown."""


def address_of(shop: Shop, invoice: Json) -> str:
    return str(shop.http.make_url(f"/pay/{invoice['id']}"))


async def reaches(page: Page, phase: str) -> None:
    """The page is in this phase by itself: a mark that a new load would wipe out is still there."""
    await page.wait_for_selector(f"main[data-phase={phase}]")
    assert await page.evaluate("window.mark") == "the same page"


async def marked(page: Page) -> None:
    await page.evaluate("window.mark = 'the same page'")


async def test_a_payment_arrives_in_parts_before_the_payers_eyes_and_leads_back(
    stall: Shop,
) -> None:
    invoice = await stall.create(
        methods=[ETH, USDT], success_url="https://shop.example.org/thanks?order=1"
    )
    went: list[str] = []

    async def shop_page(route: Route) -> None:
        went.append(route.request.url)
        await route.fulfill(body="thank you", content_type="text/plain")

    async with open_browser() as browser, visit(browser, address_of(stall, invoice)) as page:
        await page.context.route("https://shop.example.org/**", shop_page)
        await page.click(f"button[value='{USDT}']")
        await page.wait_for_selector("#address")
        await marked(page)
        address = await page.inner_text("#address")
        await stall.pay(address, 4_000_000)
        await reaches(page, "partial")
        assert await page.inner_text("#amount") == "6"
        assert await page.inner_text("#announce") == "Part of it has arrived"
        assert "uint256=6000000" in str(await page.get_attribute("#wallet", "href"))
        await stall.pay(address, 6_000_000, tx="2")
        await reaches(page, "confirming")
        assert await page.locator("#address").count() == 0
        await stall.mine()
        await page.get_by_text("2/3").wait_for()
        assert went == []
        await stall.mine(2)
        await reaches(page, "paid")
        await page.wait_for_url("https://shop.example.org/**")
        assert went == ["https://shop.example.org/thanks?order=1"]


async def test_a_payer_who_wants_to_stay_stays(stall: Shop) -> None:
    invoice = await stall.create(methods=[USDT], success_url="https://shop.example.org/")
    async with open_browser() as browser, visit(browser, address_of(stall, invoice)) as page:
        await marked(page)
        await stall.pay()
        await stall.mine(3)
        await page.click("#stay")
        assert await page.is_hidden("#leaving")
        assert await page.is_visible("#return")
        await reaches(page, "paid")


async def test_a_page_opened_after_the_end_leads_nowhere_by_itself(stall: Shop) -> None:
    invoice = await stall.create(methods=[USDT], success_url="https://shop.example.org/")
    await stall.pay()
    await stall.mine(3)
    async with open_browser() as browser, visit(browser, address_of(stall, invoice)) as page:
        assert await page.is_visible("#return")
        assert await page.is_hidden("#leaving")


async def test_the_time_runs_out_before_the_payers_eyes(stall: Shop) -> None:
    invoice = await stall.create(methods=[USDT])
    async with open_browser() as browser, visit(browser, address_of(stall, invoice)) as page:
        await marked(page)
        until = datetime.fromisoformat(invoice["expires_at"]).timestamp()
        assert await page.get_attribute("#countdown", "data-until") == str(int(until))
        ticks = await page.evaluate(TICKS)
        assert all(-1 < left - shown < 1 for left, shown in ticks)
        assert 3600 >= ticks[0][1] > ticks[-1][1] > 0
        await stall.pass_time(3700)
        await reaches(page, "expired")
        assert await page.locator("#address").count() == 0


async def test_a_network_that_falls_behind_and_a_time_that_is_up_show_on_an_open_page(
    stall: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event tells of either, and no block comes."""
    move_clock(monkeypatch, 0)
    invoice = await stall.create(methods=[USDT])
    async with open_browser() as browser, visit(browser, address_of(stall, invoice)) as page:
        await marked(page)
        delayed, code = page.get_by_text("Your payment is safe"), page.locator(".qr img")
        await code.wait_for()
        assert await delayed.count() == 0
        await fall_behind(stall)
        await delayed.wait_for()
        await reaches(page, "waiting")
        assert await page.locator("#address").count() == 1
        move_clock(monkeypatch, 3700)
        await reaches(page, "closing")
        for part in (page.locator("#address"), page.locator("#wallet"), code):
            assert await part.count() == 0


async def test_a_payment_that_the_chain_takes_back_is_asked_for_again(stall: Shop) -> None:
    invoice = await stall.create(methods=[USDT])
    async with open_browser() as browser, visit(browser, address_of(stall, invoice)) as page:
        await marked(page)
        await stall.pay()
        await reaches(page, "confirming")
        stall.chain.reorg(depth=1)
        await stall.mine(2)
        await reaches(page, "waiting")
        await page.get_by_text("left the chain").wait_for()


async def test_a_cancellation_takes_two_steps_by_keyboard(stall: Shop) -> None:
    invoice = await stall.create(methods=[USDT])
    async with open_browser() as browser, visit(browser, address_of(stall, invoice)) as page:
        assert await page.is_hidden("#cancel")
        await page.focus(".cancel summary")
        await page.keyboard.press("Enter")
        await page.focus("#cancel")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("main[data-phase=cancelled]")
    assert (await stall.show(invoice))["status"] == "cancelled"


async def test_amount_and_address_are_copied_as_they_are_to_be_pasted(stall: Shop) -> None:
    invoice = await stall.create(methods=[ETH])
    async with (
        open_browser() as browser,
        visit(
            browser,
            address_of(stall, invoice),
            permissions=["clipboard-read", "clipboard-write"],
        ) as page,
    ):
        for part in ("amount", "address"):
            await page.click(f"#copy-{part}")
            await page.get_by_role("button", name="Copied").first.wait_for()
            copied = await page.evaluate("navigator.clipboard.readText()")
            assert copied == await page.inner_text(f"#{part}")


async def test_without_javascript_everything_that_is_needed_works(stall: Shop) -> None:
    invoice = await stall.create(methods=[ETH, USDT], questionnaire=QUESTIONS)
    async with (
        open_browser() as browser,
        visit(browser, address_of(stall, invoice), java_script_enabled=False) as page,
    ):
        await page.fill("#answer-1", "42")
        await page.click("text=Continue")
        await page.click(f"button[value='{USDT}']")
        address = await page.inner_text("#address")
        assert await page.is_hidden("#copy-address")
        assert await page.locator("meta[http-equiv=refresh]").count() == 1
        await stall.pay(address)
        await page.reload()
        assert "1 of 3 confirmations" in await page.inner_text("main")
        await stall.mine(3)
        await page.reload()
        assert await page.inner_text("h1") == "Paid"
    assert (await stall.show(invoice))["questionnaire"]["answers"] == {"size": "42"}
