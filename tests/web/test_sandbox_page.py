"""The whole program as `make run` starts it, in a browser: its own nodes pay, on an order or by a
button, and the page follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.async_api import Page

from tests.real.test_sandbox import Json, Sandbox
from tests.web.browser import open_browser, visit
from tests.web.test_stories import marked, reaches

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for all; nothing that is opened in it is looked at by two tests."""
    made = Sandbox(tmp_path_factory.mktemp("page") / "sandbox")
    try:
        made.start()
        yield made
        assert made.stop() == 0
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()


def opened(sandbox: Sandbox, *methods: str, **fields: str) -> Json:
    body = {"price": {"amount": "9.99", "currency": "USD"}, "methods": methods, **fields}
    return sandbox.ask("/v1/invoices", body)


async def order(sandbox: Sandbox, *words: str) -> None:
    """`sandbox …`, while the browser goes on."""
    await asyncio.to_thread(sandbox.order, *words)


async def is_over(page: Page, phase: str) -> None:
    """The page says so, and asks for nothing more."""
    await reaches(page, phase)
    assert await page.locator("#address").count() == 0


async def test_a_button_pays_in_a_sandbox_and_the_payment_arrives_before_ones_eyes(
    sandbox: Sandbox,
) -> None:
    invoice = opened(sandbox, "tron:usdt")
    assert invoice["checkout_url"] == f"{sandbox.url}/pay/{invoice['id']}"
    async with (
        open_browser() as browser,
        visit(browser, invoice["checkout_url"], width=320) as page,
    ):
        assert await page.locator("#wallet").count() == 0  # Tron has no standard for it
        await page.fill("#sandbox-amount", "4")
        await page.click("#sandbox-pay")
        await page.wait_for_selector("main[data-phase=partial]")
        assert await page.inner_text("#amount") == "5.99"
        await page.click("#sandbox-pay")
        await page.wait_for_selector("main[data-phase=paid]")
        link = await page.get_by_text("explorer").first.get_attribute("href")
        assert str(link).startswith(f"{sandbox.url}/sandbox/tron/transaction/")
    assert sandbox.history(invoice["id"])[-2:] == ["confirming", "paid"]


async def test_what_the_nodes_pay_on_an_order_is_seen_live_and_leads_back_to_the_shop(
    sandbox: Sandbox,
) -> None:
    back = "https://shop.example.org/thanks?order=8821"
    invoice = opened(sandbox, "ethereum:eth", "polygon:usdc", success_url=back)
    async with open_browser() as browser, visit(browser, invoice["checkout_url"]) as page:
        await page.context.route("https://shop.example.org/**", lambda route: route.fulfill())
        await page.click("button[value='polygon:usdc']")
        await page.wait_for_selector("main[data-phase=waiting]")
        await marked(page)
        await order(sandbox, "pay", invoice["id"], "--amount", "4")
        await reaches(page, "partial")
        assert await page.inner_text("#amount") == "5.99"
        await order(sandbox, "pay", invoice["id"])
        await is_over(page, "paid")
        await page.wait_for_url(back)
    assert sandbox.history(invoice["id"])[-2:] == ["confirming", "paid"]


async def test_without_scripts_a_payer_chooses_pays_and_loads_the_page_again(
    sandbox: Sandbox,
) -> None:
    invoice = opened(sandbox, "ethereum:eth", "tron:trx")
    async with (
        open_browser() as browser,
        visit(browser, invoice["checkout_url"], java_script_enabled=False) as page,
    ):
        await page.click("button[value='ethereum:eth']")
        await page.wait_for_selector("main[data-phase=waiting]")
        await order(sandbox, "pay", invoice["id"])
        await asyncio.to_thread(sandbox.becomes, invoice["id"], "paid")
        await page.reload()
        await page.wait_for_selector("main[data-phase=paid]")


async def test_a_payer_cancels(sandbox: Sandbox) -> None:
    invoice = opened(sandbox, "polygon:usdc")
    async with open_browser() as browser, visit(browser, invoice["checkout_url"]) as page:
        await page.get_by_text("Cancel this payment").click()
        await page.click("#cancel")
        await page.wait_for_selector("main[data-phase=cancelled]")
    assert sandbox.invoice(invoice["id"])["status"] == "cancelled"


async def test_time_that_is_moved_ahead_ends_an_open_page(sandbox: Sandbox) -> None:
    invoice = opened(sandbox, "tron:usdt")
    async with open_browser() as browser, visit(browser, invoice["checkout_url"]) as page:
        await page.wait_for_selector("main[data-phase=waiting]")
        await marked(page)
        await order(sandbox, "mine", "tron", "1", "--advance", "2h")
        await is_over(page, "expired")
    assert sandbox.invoice(invoice["id"])["status"] == "expired"
