"""The dashboard in a real browser: the operator's way through it, and how it looks."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, expect

from storage import close, open_engine
from tests.api.shop import ADMIN, BEHIND, ETHEREUM, USDT, Shop, make_policy, open_shop, serve
from tests.api.test_admin import publish
from tests.factories import make_hash
from tests.fakes import FakeChain
from tests.web.books import HALT, HOSTILE, fill, find_surplus, halt
from tests.web.browser import (
    Theme,
    faults,
    open_browser,
    overflow,
    shoot,
    visit,
)
from watcher import finality
from watcher.clock import now

pytestmark = pytest.mark.timeout(180)
TX = f"0x{make_hash('tx1')}"
HELD = "Not refreshed while you enter something"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finality, "ASK_SECONDS", 0)


@pytest.fixture
async def shop(sqlite_url: str) -> AsyncIterator[Shop]:
    """On one engine: what the browser sees is the same on both."""
    engine, chain = open_engine(sqlite_url), FakeChain(start=now() - BEHIND)
    prices = {"USDT/USD": "1", "ETH/USD": "2000", "DAI/USD": "1"}
    policy = make_policy(rates={"fixed": prices})
    async with serve(engine, policy, clients={ETHEREUM: chain}) as http:
        opened = await open_shop(engine, policy, http)
        opened.chain = chain
        yield opened
    await close(engine)


@asynccontextmanager
async def logged_in(
    browser: Browser,
    shop: Shop,
    path: str = "",
    width: int = 1280,
    theme: Theme = "light",
    script: bool = True,
) -> AsyncIterator[Page]:
    """At this page of the dashboard, by way of the login."""
    url = str(shop.http.make_url(f"/admin/{path}"))
    async with visit(browser, url, width=width, theme=theme, java_script_enabled=script) as page:
        await page.get_by_label("Admin token").fill(ADMIN)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url(re.compile(re.escape(url)))
        yield page


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_the_operator_finds_an_invoice_accepts_and_logs_out(shop: Shop, script: bool) -> None:
    filled = await fill(shop)
    id = filled.invoice["id"]
    async with open_browser() as browser, logged_in(browser, shop, script=script) as page:
        await page.get_by_role("searchbox").fill("8821")
        await page.get_by_role("button", name="Search").click()
        await expect(page).to_have_url(re.compile(f"/admin/invoices/{id}$"))
        await page.get_by_role("checkbox", name=re.compile("^Accept dep_")).check()
        await page.get_by_role("button", name="Accept the deposits").click()
        await expect(page.get_by_text("Accepted.", exact=True)).to_be_visible()
        await expect(page.get_by_text("9.00 USD, 0.00 of it confirmed")).to_be_visible()
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_label("Admin token")).to_be_visible()
    assert (await shop.show(filled.invoice))["flags"] == ["manual", "wrong_asset"]


async def test_the_operator_delivers_again_explains_and_closes_a_finding(shop: Shop) -> None:
    invoice = await shop.create(methods=[USDT])
    await find_surplus(shop)
    filled = await fill(shop)
    async with open_browser() as browser, logged_in(browser, shop, "webhooks") as page:
        await expect(page.get_by_text(filled.delivery_id)).to_be_visible()
        await page.get_by_role("button", name="Redeliver").click()
        await expect(page.get_by_text("The delivery is due now.")).to_be_visible()
        await expect(page.get_by_text(filled.delivery_id)).to_have_count(0)

        await page.get_by_role("link", name="Explain").click()
        await page.get_by_label("Hash").fill(TX)
        await page.get_by_role("button", name="Explain").click()
        await expect(page.get_by_role("heading", name="in our chain")).to_be_visible()

        await page.get_by_role("link", name="Findings").click()
        await page.get_by_role("button", name="Accept").click()
        await expect(page.get_by_text("The finding became a deposit.")).to_be_visible()
    assert (await shop.show(invoice))["paid"]["confirmed"] == "7"


async def test_a_page_that_is_open_shows_what_happens(shop: Shop) -> None:
    await shop.pass_time(0)
    await publish(shop)
    async with open_browser() as browser, logged_in(browser, shop) as page:
        await expect(page.get_by_text("is halted")).to_have_count(0)
        await halt(shop)
        await expect(page.get_by_text("ethereum is halted")).to_be_visible()
        await expect(page.get_by_text(HALT)).to_have_count(1)


async def test_what_one_enters_stays_and_a_network_that_halts_meanwhile_shows(shop: Shop) -> None:
    await shop.pass_time(0)
    await publish(shop)
    filled = await fill(shop)
    path = f"invoices/{filled.invoice['id']}"
    async with open_browser() as browser, logged_in(browser, shop, path) as page:
        chosen = page.get_by_role("checkbox", name=re.compile("^Accept dep_"))
        status, as_of = page.locator("main h2").first, page.get_by_text("As of")
        await chosen.check()
        await page.locator("main h1").click()  # nothing has the focus
        before = await as_of.inner_text()
        await halt(shop)
        await shop.pay(to=(await shop.show(filled.invoice))["quotes"][0]["address"], tx="3")
        await expect(page.get_by_text("ethereum is halted")).to_be_visible()
        await expect(page.get_by_text(HELD)).to_be_in_viewport()
        await expect(chosen).to_be_checked()
        await expect(status).to_contain_text("partially paid")
        assert (await as_of.inner_text()).startswith(before)
        await chosen.uncheck()
        await page.locator("main h1").click()
        await expect(status).to_contain_text("confirming")
        await expect(page.get_by_text(HELD)).to_have_count(0)


async def test_a_field_that_has_the_focus_keeps_it_and_no_halt_from_being_seen(shop: Shop) -> None:
    await shop.pass_time(0)
    await publish(shop)
    async with open_browser() as browser, logged_in(browser, shop, "networks/ethereum") as page:
        field = page.get_by_label("From block")
        await field.focus()
        await halt(shop)
        await expect(page.get_by_text("ethereum is halted")).to_be_visible()
        await expect(page.get_by_text(HELD)).to_be_in_viewport()
        await expect(field).to_be_focused()


async def test_a_halt_shows_on_open_pages_that_are_not_made_anew(shop: Shop) -> None:
    await shop.pass_time(0)
    async with open_browser() as browser, logged_in(browser, shop) as first:
        page = await first.context.new_page()  # one that may open what is not there
        for path in ("explain", "search?q=nothing", "networks/unknown"):
            await publish(shop)
            await page.goto(str(shop.http.make_url(f"/admin/{path}")))
            text = await page.inner_text("main")
            await expect(page.get_by_text("ethereum is halted")).to_have_count(0)
            await halt(shop)
            await expect(page.get_by_text("ethereum is halted")).to_be_visible()
            assert await page.inner_text("main") == text
            await expect(page.locator("#freshness")).to_be_empty()


async def test_a_session_that_ends_takes_nothing_that_one_enters(shop: Shop) -> None:
    async with open_browser() as browser, logged_in(browser, shop, "networks/ethereum") as page:
        field = page.get_by_label("From block")
        await field.fill("5")
        await page.context.clear_cookies()
        await expect(page.get_by_text("the session is over")).to_be_in_viewport()
        await expect(field).to_have_value("5")
        await field.fill("")
        await page.locator("main h1").click()
        await expect(page.get_by_label("Admin token")).to_be_visible()


async def test_hostile_texts_run_nothing_and_every_page_fits_and_can_be_read(
    shop: Shop,
) -> None:
    filled = await fill(shop, text=HOSTILE)
    await find_surplus(shop)
    await publish(shop, state="halted", last_error=HALT)
    pages = {
        "overview": "",
        "network": "networks/ethereum",
        "invoices": "invoices?view=all",
        "invoice": f"invoices/{filled.invoice['id']}",
        "deposits": "deposits?view=all",
        "findings": "findings",
        "webhooks": "webhooks",
        "payments": "payments",
        "explain": f"explain?network=ethereum&tx_hash={TX}",
        "search": f"search?q={TX}",
    }
    looks: tuple[tuple[int, Theme], ...] = ((320, "dark"), (1280, "light"), (1280, "dark"))
    async with open_browser() as browser:
        for width, theme in looks:
            login = str(shop.http.make_url("/admin/login"))
            async with visit(browser, login, width=width, theme=theme) as page:
                await shoot(page, f"admin-login-{width}-{theme}")
                assert await faults(page) == []
                assert await overflow(page) == 0
            async with logged_in(browser, shop, width=width, theme=theme) as page:
                for name, path in pages.items():
                    answer = await page.goto(str(shop.http.make_url(f"/admin/{path}")))
                    assert answer is not None
                    assert answer.status == 200, name
                    await shoot(page, f"admin-{name}-{width}-{theme}")
                    assert await faults(page) == [], name
                    assert await overflow(page) == 0, name
                    await expect(page.get_by_text("ethereum is halted")).to_be_visible()
