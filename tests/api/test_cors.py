"""Pages in browsers: those that are configured may use the API, others are told nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from storage import Engine
from tests.api.shop import PRICE, Shop, add_key, make_policy, open_shop, serve
from tests.faces.asking import SEED_BODIES, ask, path_of
from watcher.api import Access

PAGE, OTHER = "https://shop.example.org", "https://evil.example.org"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
async def shop(engine: Engine) -> AsyncIterator[Shop]:
    policy, access = make_policy(), Access(cors_origins=frozenset({PAGE}))
    async with serve(engine, policy, access=access) as http:
        yield await open_shop(engine, policy, http)


async def test_a_page_asks_first_and_then_opens_an_invoice(shop: Shop) -> None:
    asked = await shop.ask("OPTIONS", "/v1/invoices", "", headers={"Origin": PAGE, **ASKS})
    assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    public = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    sent = {"Origin": PAGE}
    made = await shop.ask("POST", "/v1/invoices", public, headers=sent, json={"price": PRICE})
    assert (made.status, made.headers["Access-Control-Allow-Origin"]) == (201, PAGE)
    assert "X-RateLimit-Remaining" in made.headers["Access-Control-Expose-Headers"]


async def test_a_page_may_speak_to_a_compatible_api_too(shop: Shop) -> None:
    public = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    path, body = path_of("billium", shop), SEED_BODIES["billium"]
    asked = await shop.ask("OPTIONS", path, "", headers={"Origin": PAGE, **ASKS})
    assert (asked.status, asked.headers["Access-Control-Allow-Origin"]) == (204, PAGE)
    made = await ask("billium", shop, "POST", key=public, headers={"Origin": PAGE}, json=body)
    assert (made.status, made.headers["Access-Control-Allow-Origin"]) == (201, PAGE)
    assert "X-Watcher-Status" in made.headers["Access-Control-Expose-Headers"]


async def test_a_page_may_read_what_went_wrong(shop: Shop) -> None:
    answer = await shop.ask("POST", "/v1/invoices", "", headers={"Origin": PAGE}, json={})
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, PAGE)


async def test_another_page_is_told_nothing(shop: Shop) -> None:
    asked = await shop.ask("OPTIONS", "/v1/invoices", "", headers={"Origin": OTHER, **ASKS})
    assert (asked.status, asked.code) == (405, "method_not_allowed")
    listed = await shop.ask("GET", "/v1/invoices", headers={"Origin": OTHER})
    for answer in (asked, listed):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Vary"] == "Origin"


async def test_the_operators_pages_are_for_no_other_page(shop: Shop) -> None:
    for path in ("/admin/status", "/healthz"):
        answer = await shop.ask("OPTIONS", path, "", headers={"Origin": PAGE, **ASKS})
        assert answer.status == 405
        assert "Access-Control-Allow-Origin" not in answer.headers


async def test_every_page_may_be_allowed(engine: Engine) -> None:
    policy, access = make_policy(), Access(cors_origins=frozenset({"*"}))
    async with serve(engine, policy, access=access) as http:
        shop = await open_shop(engine, policy, http)
        answer = await shop.ask("GET", "/v1/invoices", headers={"Origin": OTHER})
        assert answer.headers["Access-Control-Allow-Origin"] == OTHER


async def test_without_a_configured_page_no_browser_is_answered(engine: Engine) -> None:
    policy = make_policy()
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        answer = await shop.ask("GET", "/v1/invoices", headers={"Origin": PAGE})
        assert not {"Access-Control-Allow-Origin", "Vary"} & set(answer.headers)
