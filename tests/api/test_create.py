"""Opening an invoice: what is taken, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from storage import Engine
from tests.api.shop import (
    ETH,
    FIRST,
    PRICE,
    USDT,
    Shop,
    add_key,
    add_merchant,
    count_rows,
    make_policy,
    open_shop,
    serve,
)
from tests.factories import make_transfer
from watcher.domain.money import Address

FULL = {
    "price": {"amount": "49.90", "currency": "usd"},
    "methods": ["Ethereum:USDT", "ethereum:eth"],
    "name": "Order #8821",
    "description": "Two shirts, größe M",
    "external_id": "8821",
    "metadata": {"cart": [1, 2, {"deep": None}], "note": "日本"},
    "customer": {"email": "a@example.org", "name": "A", "address": None, "phone": None},
    "items": [{"name": "shirt", "quantity": 2}],
    "valid_for": "90m",
    "tolerance_percent": "0.50",
    "confirmations": 6,
    "autoselect": False,
}


async def test_every_field_comes_back(shop: Shop) -> None:
    made = await shop.create(**FULL)
    kept = ("name", "description", "external_id", "metadata", "customer", "items", "valid_for")
    assert {name: made[name] for name in kept} == {name: FULL[name] for name in kept}
    assert made["price"] == {"amount": "49.9", "currency": "USD"}
    assert made["methods"] == ["ethereum:usdt", "ethereum:eth"]
    assert (made["tolerance_percent"], made["confirmations"]) == ("0.5", 6)
    assert [quote["required_confirmations"] for quote in made["quotes"]] == [6, 6]
    assert await shop.show(made) == made


async def test_where_the_payer_goes_on_comes_back(shop: Shop) -> None:
    links = {
        "success_url": "https://shop.example/thanks?order=8821#top",
        "fail_url": "http://localhost:3000",
        "redirect_title": "Back to the shop",
        "callback_url": f"https://shop.example/hook?{'x' * 1000}",
    }
    made = await shop.create(**links)
    assert {name: made[name] for name in links} == links


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "//shop.example/",
        "/thanks",
        "https://",
        "https://user:word@shop.example/",
        "https://shop.example\\@elsewhere.example/",
        "https://shop.example/\nthanks",
        f"https://shop.example/{'x' * 2048}",
    ],
)
@pytest.mark.parametrize("field", ["success_url", "fail_url"])
async def test_a_payer_is_sent_to_web_pages_only(shop: Shop, field: str, url: str) -> None:
    refused = await shop.post("/v1/invoices", {"price": PRICE, field: url})
    assert (refused.status, refused.body["errors"][0]["field"]) == (422, field)


async def test_only_a_price_is_needed(shop: Shop) -> None:
    made = await shop.create()
    assert made["status"] == "awaiting_payment"
    assert made["methods"] == ["ethereum:eth", "ethereum:usdt"]  # for DAI there is no rate
    assert (made["selected"], made["valid_for"], made["confirmations"]) == (None, "1h", None)
    assert [quote["address"] for quote in made["quotes"]] == [None, None]
    assert [quote["payment_uri"] for quote in made["quotes"]] == [None, None]
    assert (made["paid"]["amount"], made["remaining"], made["paid_at"]) == ("0", "10", None)


async def test_no_method_is_offered_in_which_the_price_would_not_count(engine: Engine) -> None:
    policy = make_policy(invoices={"minimum": {"USDT": "0.5", "ETH": "0.0001"}})
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        for amount, methods in (("0.5", ["ethereum:eth", "ethereum:usdt"]), ("0.49", [ETH])):
            price = {"amount": amount, "currency": "USD"}
            assert (await shop.create(price=price))["methods"] == methods
        refused = await shop.post("/v1/invoices", {"price": {"amount": "0.1", "currency": "USD"}})
        assert (refused.status, refused.fields) == (422, ["price.amount"])
        assert "the minimum of ethereum:eth, ethereum:usdt" in refused.body["errors"][0]["message"]


async def test_a_chain_whose_clock_is_ahead_does_not_cut_an_invoice_short(shop: Shop) -> None:
    await shop.pass_time(7200)
    made = await shop.create(methods=["ethereum:usdt"])
    payment = make_transfer(10_000_000, USDT, Address(made["quotes"][0]["address"].lower()))
    shop.chain.mine(payment, seconds=10)
    await shop.follow()
    assert (await shop.show(made))["status"] == "confirming"


async def test_nothing_that_comes_later_is_promised(shop: Shop) -> None:
    made = await shop.create()
    later = ("success_url", "fail_url", "callback_url", "questionnaire", "face")
    assert {name: made[name] for name in later} == dict.fromkeys(later)


async def test_an_invoice_says_where_its_payer_goes(shop: Shop) -> None:
    made = await shop.create()
    assert made["checkout_url"] == f"http://127.0.0.1:8080/pay/{made['id']}"


async def test_every_method_is_quoted_at_once(shop: Shop) -> None:
    made = await shop.create()
    quotes = {quote["method"]: quote for quote in made["quotes"]}
    eth, usdt = quotes["ethereum:eth"], quotes["ethereum:usdt"]
    assert (eth["rate"], eth["amount"], eth["amount_units"]) == (
        "2000",
        "0.005",
        "5000000000000000",
    )
    assert (usdt["rate"], usdt["amount"], usdt["amount_units"]) == ("1", "10", "10000000")
    assert usdt["contract"] == "0xdAC17F958D2ee523a2206206994597C13D831ec7"
    assert (eth["contract"], eth["decimals"], usdt["decimals"]) == (None, 18, 6)


async def test_a_sole_method_gets_its_address_at_once(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    [quote] = made["quotes"]
    assert (made["selected"], quote["address"]) == (USDT, FIRST)
    assert quote["payment_uri"] == (
        "ethereum:0xdAC17F958D2ee523a2206206994597C13D831ec7@1/transfer"
        f"?address={FIRST}&uint256=10000000"
    )


async def test_a_sole_method_waits_where_it_shall(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"], autoselect=False)
    assert (made["selected"], made["quotes"][0]["address"]) == (None, None)


async def test_a_method_named_twice_is_one(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt", "ETHEREUM:USDT"])
    assert made["methods"] == ["ethereum:usdt"]


async def test_a_coin_can_be_the_price(shop: Shop) -> None:
    made = await shop.create(
        price={"amount": "0.123456789012345678", "currency": "ETH"}, methods=["ethereum:eth"]
    )
    assert made["quotes"][0]["amount"] == "0.123456789012345678"
    assert made["quotes"][0]["sources"] == []


async def test_each_invoice_has_an_address_of_its_own(shop: Shop) -> None:
    made = [await shop.create(methods=["ethereum:usdt"]) for _ in range(5)]
    assert len({each["quotes"][0]["address"] for each in made}) == 5


async def test_a_public_key_may_create(shop: Shop) -> None:
    public = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    made = await shop.create(public, name="from a browser")
    assert made["created_with"] == "public"
    assert (await shop.create())["created_with"] == "secret"


@pytest.mark.parametrize(
    ("field", "value"), [("tolerance_percent", "1"), ("confirmations", 1), ("external_id", "x")]
)
async def test_a_public_key_may_not_set(shop: Shop, field: str, value: object) -> None:
    public = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    before = await count_rows(shop.engine)
    answer = await shop.post("/v1/invoices", {"price": PRICE, field: value}, public)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert await count_rows(shop.engine) == before


async def test_without_a_wallet_nothing_can_be_paid(shop: Shop) -> None:
    poor = await add_merchant(shop.engine, xpub=None)
    key = (await add_key(shop.engine, poor)).text
    answers = [
        await shop.post("/v1/invoices", {"price": PRICE}, key),
        await shop.post("/v1/invoices", {"price": PRICE, "methods": ["ethereum:eth"]}, key),
    ]
    assert [(each.status, each.code, each.fields) for each in answers] == [
        (422, "invalid_field", ["methods"]),
        (422, "invalid_field", ["methods.0"]),
    ]


async def test_opening_an_invoice_asks_the_database_no_more_than_it_must(shop: Shop) -> None:
    asked: list[str] = []

    def note(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        asked.append(sql)

    event.listen(shop.engine.sync_engine, "before_cursor_execute", note)
    await shop.create(methods=["ethereum:usdt"])
    statements = [sql for sql in asked if sql.startswith(("SELECT", "INSERT", "UPDATE"))]
    assert len(statements) <= 21, statements
