"""Rates in the API: what can be paid with, and invoices as sources come and go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from fractions import Fraction

import pytest

from storage import Engine, close, open_engine
from tests.api.shop import ADMIN, Shop, add_key, add_merchant, make_policy, open_shop, serve
from watcher.clock import now
from watcher.domain.rates import Observation, Pair

ALL = ("chainlink", "kraken", "coinbase")
EUR, ETH, USDT = ("EUR", "USD"), ("ETH", "USD"), ("USDT", "USD")
IN_EUR = {"amount": "100", "currency": "EUR"}


@pytest.fixture
async def lite(sqlite_url: str) -> AsyncIterator[Engine]:
    """One engine is enough: nothing here is about the database."""
    engine = open_engine(sqlite_url)
    yield engine
    await close(engine)


@asynccontextmanager
async def open_market(engine: Engine, **rates: object) -> AsyncIterator[Shop]:
    """A shop whose sources have said nothing yet."""
    policy = make_policy(rates=rates)
    async with serve(engine, policy) as http:
        yield await open_shop(engine, policy, http)


@pytest.fixture
async def shop(lite: Engine) -> AsyncIterator[Shop]:
    async with open_market(lite) as shop:
        yield shop


def hear(shop: Shop, *sources: str, age: int = 0, **prices: str) -> None:
    """Let each source say these prices in USD."""
    at = now() - age
    for source in sources:
        pairs: list[tuple[Pair, str]] = [((name, "USD"), each) for name, each in prices.items()]
        said = [Observation(source, pair, Fraction(each), at) for pair, each in pairs]
        shop.policy.rates.heard(source, said, at)


async def quoted(shop: Shop) -> Sequence[str]:
    answer = await shop.post("/v1/invoices", {"price": IN_EUR})
    return [each["method"] for each in answer.body.get("quotes", [])] or [answer.code]


async def test_an_invoice_in_euros_as_sources_die_one_by_one(shop: Shop) -> None:
    hear(shop, *ALL, EUR="1.25", ETH="2500", USDT="1")
    first = await shop.create(price=IN_EUR, methods=["ethereum:eth"])
    [quote] = first["quotes"]
    assert (quote["rate"], quote["amount"]) == ("2000", "0.05")
    assert {text.split()[0] for text in quote["sources"]} == set(ALL)
    assert {text.split()[1] for text in quote["sources"]} == {"EUR/USD", "ETH/USD"}

    hear(shop, "kraken", age=301, EUR="1.25", ETH="2500", USDT="1")
    hear(shop, "chainlink", "coinbase", EUR="1.25", ETH="2000")
    assert await quoted(shop) == ["ethereum:eth"]  # nobody fresh speaks of USDT, nobody of DAI

    hear(shop, "chainlink", "coinbase", age=301, EUR="1.25", ETH="2000")
    assert await quoted(shop) == ["no_rate"]
    assert (await shop.show(first))["quotes"][0]["rate"] == "2000"
    assert await shop.create(price={"amount": "1", "currency": "ETH"}, methods=["ethereum:eth"])


async def test_sources_that_differ_make_no_rate_and_the_methods_say_why(shop: Shop) -> None:
    hear(shop, "kraken", ETH="2500", USDT="1")
    hear(shop, "coinbase", ETH="2600", USDT="1")
    rows = {each["method"]: each for each in (await shop.get("/v1/methods")).body["data"]}
    assert rows["ethereum:usdt"]["rate"] == "1"
    assert rows["ethereum:eth"]["rate"] is None
    assert "kraken 2500" in rows["ethereum:eth"]["reason"]
    assert rows["ethereum:dai"]["reason"] == "no source speaks of it"


async def test_a_method_tells_what_it_is_and_what_it_is_worth(shop: Shop) -> None:
    hear(shop, "kraken", age=20, USDT="0.998", EUR="1.1")
    answer = await shop.get("/v1/methods")
    [row] = [each for each in answer.body["data"] if each["method"] == "ethereum:usdt"]
    age = row.pop("age_seconds")
    assert 20 <= age <= 25
    [source] = row.pop("sources")
    assert source.pop("at").endswith("Z")
    assert source == {
        "source": "kraken",
        "base": "USDT",
        "quote": "USD",
        "price": "0.998",
        "updated_at": None,
    }
    assert row == {
        "method": "ethereum:usdt",
        "network": "ethereum",
        "asset": "USDT",
        "contract": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
        "decimals": 6,
        "enabled": True,
        "currency": "USD",
        "rate": "0.998",
        "reason": None,
    }


async def test_a_merchant_without_a_wallet_sees_methods_that_are_not_enabled(lite: Engine) -> None:
    policy = make_policy()
    async with serve(lite, policy) as http:
        merchant = await add_merchant(lite, xpub=None)
        shop = Shop(lite, policy, merchant, (await add_key(lite, merchant)).text, http)
        rows = (await shop.get("/v1/methods")).body["data"]
        assert {each["enabled"] for each in rows} == {False}


async def test_rates_are_given_in_any_currency_with_fixed_ones_among_them(lite: Engine) -> None:
    async with open_market(lite, fixed={"GOLD/EUR": "60"}) as shop:
        hear(shop, "kraken", EUR="1.25", ETH="2500")
        answer = await shop.get("/v1/rates", currency="eur")
        rates = {each["asset"]: each["rate"] for each in answer.body["data"]}
        assert rates == {
            "DAI": None,
            "ETH": "2000",
            "EUR": "1",
            "GOLD": "60",
            "USD": "0.8",
            "USDT": None,
        }
        [gold] = [each for each in answer.body["data"] if each["asset"] == "GOLD"]
        assert gold["age_seconds"] is None


async def test_both_kinds_of_keys_may_ask_and_nobody_else(shop: Shop) -> None:
    public = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    for path in ("/v1/methods", "/v1/rates"):
        assert (await shop.get(path, public)).status == 200
        assert (await shop.get(path, "")).status == 401
        answer = await shop.get(path, currency="€")
        assert (answer.status, answer.fields) == (422, ["currency"])


async def test_a_price_with_more_decimals_than_its_currency_is_refused(lite: Engine) -> None:
    async with open_market(lite, fixed={"USDT/USD": "1", "USD/JPY": "150"}) as shop:
        for amount, currency in [("1.999", "USD"), ("100.5", "JPY")]:
            price = {"amount": amount, "currency": currency}
            answer = await shop.post("/v1/invoices", {"price": price})
            assert (answer.status, answer.fields) == (422, ["price.amount"])
        assert await shop.create(price={"amount": "100", "currency": "JPY"})


async def test_the_status_shows_how_sources_do(shop: Shop) -> None:
    hear(shop, "kraken", ETH="2500")
    hear(shop, "coinbase", ETH="2600")
    shop.policy.rates.failed("chainlink", "ethereum: no answer within 30 s")
    told = (await shop.get("/admin/status", ADMIN)).body["rates"]
    rows = {each["source"]: each for each in told["sources"]}
    assert list(rows) == list(ALL)
    assert rows["chainlink"]["last_error"] == "ethereum: no answer within 30 s"
    assert rows["chainlink"]["age_seconds"] is None
    assert rows["kraken"]["pairs"] == 1
    assert [(each["base"], each["quote"]) for each in told["refused"]] == [("ETH", "USD")]


async def test_the_amount_due_is_of_the_exact_rate_and_not_of_the_one_that_is_shown(
    shop: Shop,
) -> None:
    hear(shop, "kraken", EUR="1.1", ETH="3000")
    price = {"amount": "9.99", "currency": "EUR"}
    [quote] = (await shop.create(price=price, methods=["ethereum:eth"]))["quotes"]
    assert (quote["rate"], quote["amount"]) == ("2727.272727272727272727", "0.003663")
