"""Paths beside the pages: where they lead, and that no reader meets an answer made for programs."""

from __future__ import annotations

import re

import pytest
from yarl import URL

from storage import Engine
from tests.api.shop import Shop, make_policy, open_shop, serve
from tests.web.browser import open_browser, visit
from tests.web.payer import look, send
from tests.web.states import QUESTIONS
from watcher.api import Access
from watcher.web.assets import ASSETS

FORMS = ("answers", "select", "cancel", "sandbox-pay")


@pytest.mark.parametrize("beside", ["", *FORMS])
async def test_what_a_form_was_sent_to_and_a_slash_too_many_lead_to_the_page(
    shop: Shop, beside: str
) -> None:
    invoice = await shop.create()
    path = f"/pay/{invoice['id']}/{beside}?lang=es"
    async with shop.http.get(path, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Cache-Control"]) == (303, "no-store")
    async with shop.http.get(path) as answer:
        assert (answer.status, answer.url.path_qs) == (200, f"/pay/{invoice['id']}?lang=es")
        assert '<html lang="es">' in await answer.text()
    assert (await shop.show(invoice))["status"] == "awaiting_payment"


@pytest.mark.parametrize(
    "path", ["/pay/", "/pay/inv_1/nothing", "/pay/inv_1/events/", "/pay/%3Cscript%3E", "/pay//x"]
)
async def test_what_is_no_page_of_a_payment_is_a_page_that_says_so(shop: Shop, path: str) -> None:
    async with shop.http.get(path) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")
        text = await answer.text()
    assert "There is no such payment." in text
    assert "<script" not in text
    [style] = re.findall(r'rel="stylesheet" href="([^"]+)"', text)
    async with shop.http.get(answer.url.join(URL(style)).path) as sheet:
        assert sheet.status == 200


async def test_the_top_leads_the_operator_to_his_pages(shop: Shop) -> None:
    async with shop.http.get("/") as answer:
        assert (answer.status, answer.url.path) == (200, "/admin/login")
    async with shop.http.get("/nothing") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


async def test_who_asks_for_an_icon_by_its_old_name_gets_it(shop: Shop) -> None:
    async with shop.http.get("/favicon.ico") as answer:
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")
        assert await answer.read() == ASSETS["icon.svg"].content


async def test_a_page_that_is_refused_for_now_asks_again_by_itself(engine: Engine) -> None:
    async with serve(engine, make_policy(), access=Access(per_ip_per_minute=1)) as http:
        shop = await open_shop(engine, make_policy(), http)
        invoice = await shop.create()
        assert (await look(shop, invoice)).status == 200
        page = await look(shop, invoice)
        wait = page.headers["Retry-After"]
        assert page.status == 429
        assert f'<noscript><meta http-equiv="refresh" content="{wait}"></noscript>' in page.text
        refused = await send(shop, invoice, "cancel")
        assert refused.status == 429
        assert "refresh" not in refused.text


@pytest.mark.timeout(120)
async def test_a_payer_whose_answer_was_wrong_changes_the_language_without_scripts(
    stall: Shop,
) -> None:
    invoice = await stall.create(questionnaire=QUESTIONS)
    url = str(stall.http.make_url(f"/pay/{invoice['id']}"))
    async with open_browser() as browser:
        context = await browser.new_context(java_script_enabled=False, locale="en-GB")
        page = await context.new_page()  # whose console may tell of the answer 422
        await page.goto(url)
        await page.fill("#answer-1", "large")
        await page.click("text=Continue")
        await page.get_by_text("Please write a number").wait_for()
        await page.click("a[lang=es]")
        await page.wait_for_url(f"{url}?lang=es")
        assert await page.get_attribute("main", "data-phase") == "questions"
        await context.close()
    async with open_browser() as browser, visit(browser, f"{url}/answers?lang=ru") as page:
        assert await page.get_attribute("html", "lang") == "ru"
