"""BitGPT's invoices and payments, as its own documentation has them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest

from storage import Engine
from tests.api.shop import (
    FIRST,
    USDT,
    Answer,
    Json,
    Shop,
    count_rows,
    make_policy,
    open_shop,
    serve,
)
from tests.faces.asking import ask, opened
from tests.factories import make_transfer
from tests.world import catch_up, make_follower
from watcher.domain.money import Address, Method, Network
from watcher.faces.bitgpt import prefixed
from watcher.faces.bitgpt_currencies import CURRENCIES
from watcher.faces.ids import read_id

INVOICES, PAYMENTS = "/compat/bitgpt/invoices", "/compat/bitgpt/payments"
ENVELOPE = "status data error log validator support_id message env"
KEYS = (
    "id organization_id status substatus currency price price_usd customer_email metadata "
    "redirect_url created_at updated_at"
)
ITEM = {"type": "PAYMENT_INTENT", "currency": "USD", "price": "10"}


async def post(shop: Shop, path: str, body: object = None, **options: Any) -> Answer:
    return await ask("bitgpt", shop, "POST", path=path, json=body, **options)


async def made_invoice(shop: Shop, **fields: object) -> Json:
    """A new invoice over 10 USD."""
    return dict((await opened("bitgpt", shop, **{"items": [ITEM], **fields}))["data"])


async def paid_in(shop: Shop, made: Json, *units: int) -> str:
    """Select USDT, pay so much of it in a block for each, and say where."""
    path = f"/v1/invoices/{read_id('inv', made['id'])}/select"
    address = (await shop.post(path, {"method": USDT})).body["quotes"][1]["address"]
    for place, each in enumerate(units):
        await shop.pay(address, each, tx=f"{made['id']}{place}"[-20:])
    return str(address)


async def test_the_example_of_its_own_page_opens_an_invoice(shop: Shop) -> None:
    answer = await opened("bitgpt", shop)
    assert list(answer) == ENVELOPE.split()
    assert re.fullmatch(r"support_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", answer["support_id"])
    made = answer["data"]
    assert list(made) == KEYS.split()
    ours = await shop.show({"id": read_id("inv", made["id"])})
    assert {**answer, "support_id": None} == {
        "status": 201,
        "data": {
            "id": prefixed("invoice", ours["id"]),
            "organization_id": prefixed("org", shop.merchant_id),
            "status": "PENDING",
            "substatus": None,
            "currency": "EUR",
            "price": "504.818257074815000000000000000000",
            "price_usd": "555.300082782296500000000000000000",
            "customer_email": "customer@example.com",
            "metadata": {"any_custom_key_1": "any_custom_value_1"},
            "redirect_url": "https://example.com/success",
            "created_at": ours["created_at"].replace("T", " ").replace("Z", ""),
            "updated_at": ours["updated_at"].replace("T", " ").replace("Z", ""),
        },
        "error": None,
        "log": None,
        "validator": None,
        "support_id": None,
        "message": "Resource created successfully",
        "env": "production",
    }
    assert (await ask("bitgpt", shop, "GET", made["id"])).body["data"] == made


async def test_items_add_up(shop: Shop) -> None:
    items = [{**ITEM, "price": "0.1", "quantity": 3}, {**ITEM, "price": 10.25}]
    assert (await made_invoice(shop, items=items))["price"] == "10.550000000000000000000000000000"


async def test_what_was_not_given_is_left_out(shop: Shop) -> None:
    made = (await post(shop, INVOICES, {"items": [ITEM]})).body["data"]
    assert (made["metadata"], made["redirect_url"]) == ({}, None)
    assert "customer_email" not in made


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"items": []}, "items"),
        ({"items": None}, "items"),
        ({"items": [{**ITEM, "type": "PRODUCT"}]}, "items.0.type"),
        ({"items": [{**ITEM, "currency": "XYZ"}]}, "items.0.currency"),
        ({"items": [ITEM, {**ITEM, "currency": "EUR"}]}, "items.1.currency"),
        ({"items": [{**ITEM, "price": "0"}]}, "items.0.price"),
        ({"items": [{**ITEM, "quantity": 0}]}, "items.0.quantity"),
        ({"items": [ITEM], "currency": "EUR"}, "currency"),
        ({"items": [{**ITEM, "currency": "JPY"}]}, "currency"),
        ({"items": [ITEM], "customer_email": "nobody"}, "customer_email"),
        ({"items": [ITEM], "metadata": {"a": "x" * 17_000}}, "metadata"),
        ({"items": [ITEM], "metadata": []}, "metadata"),
        ({"items": [ITEM], "metadata": {"a": json.loads("[" * 300 + "]" * 300)}}, "metadata"),
        ({"items": [ITEM], "redirect_url": "javascript:alert(1)"}, "redirect_url"),
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, fields: Json, field: str) -> None:
    for path in (INVOICES, f"{INVOICES}/validate"):
        answer = await post(shop, path, fields)
        assert (answer.status, answer.body["error"]) == (400, "Validation failed"), answer.body
        assert list(answer.body["validator"]) == [field]
        assert answer.body["validator"][field]


async def test_a_number_that_is_none_is_refused_in_metadata_and_others_are_kept(
    shop: Shop,
) -> None:
    kept = '{"items": [{"type": "PAYMENT_INTENT", "currency": "USD", "price": "1"}], "metadata": '
    good = await ask("bitgpt", shop, "POST", data=f'{kept}{{"a": 1.50, "b": [1e3]}}}}')
    assert good.body["data"]["metadata"] == {"a": 1.5, "b": [1000.0]}
    bad = await ask("bitgpt", shop, "POST", data=f'{kept}{{"a": 1e999}}}}')
    assert (bad.status, list(bad.body["validator"])) == (400, ["metadata"])


def test_there_are_as_many_currencies_as_in_the_original() -> None:
    assert len(CURRENCIES) == 49


@pytest.mark.parametrize("word", CURRENCIES)
async def test_a_currency_is_taken_where_there_is_a_rate(shop: Shop, word: str) -> None:
    items = [{**ITEM, "currency": word.lower(), "price": "1"}]
    answer = await post(shop, INVOICES, {"items": items})
    if CURRENCIES[word] in ("ETH", "USDT", "USD", "EUR"):
        assert answer.body["data"]["currency"] == word
    else:
        assert (answer.status, list(answer.body["validator"])) == (400, ["currency"])


async def test_an_invoice_of_another_api_has_the_usual_word_for_its_currency(shop: Shop) -> None:
    ours = await shop.create(price={"amount": "1", "currency": "ETH"})
    shown = (await ask("bitgpt", shop, "GET", ours["id"])).body["data"]
    assert shown["currency"] == "ETHEREUM"
    assert "price_usd" not in shown  # its rate was not kept


async def test_validating_opens_nothing(shop: Shop) -> None:
    answer = await post(shop, f"{INVOICES}/validate", {"items": [{**ITEM, "currency": "EUR"}]})
    assert (answer.status, answer.body["data"]) == (
        200,
        {
            "currency": "EUR",
            "price": "10." + "0" * 30,
            "price_usd": "11." + "0" * 30,
        },
    )
    assert (await count_rows(shop.engine))["invoices"] == 0


async def test_without_a_key_an_invoice_tells_less_and_a_wrong_key_nothing(shop: Shop) -> None:
    made = (await opened("bitgpt", shop))["data"]
    path = f"{INVOICES}/{made['id']}"
    public = await post(shop, path, key="")
    private = ("customer_email", "metadata")
    assert public.body["data"] == {k: v for k, v in made.items() if k not in private}
    assert (await post(shop, path, key="sk_wrong")).status == 401


async def test_what_is_expanded_is_there_and_nothing_else(shop: Shop) -> None:
    made = await made_invoice(shop, items=[{**ITEM, "quantity": 2}])
    await paid_in(shop, made, 4_000_000)
    path = f"{INVOICES}/{made['id']}"
    expand = ["items", "calculations", "organization", "payments.provider", "items.product"]
    shown = (await post(shop, path, {"expand": expand})).body["data"]
    price = "20." + "0" * 30
    assert shown["items"] == [{**ITEM, "price": "10." + "0" * 30, "quantity": 2}]
    assert shown["calculations"] == []
    summary = {"currency": "USD", "price": price, "price_usd": price}
    assert shown["calculation_summary"] == summary
    assert shown["organization"] == {"id": made["organization_id"], "name": "Shop"}
    [payment] = shown["payments"]
    assert payment["provider"] == {
        "id": "provider_ethereum_usdt",
        "network": "ETHEREUM",
        "asset": "USDT",
    }
    plain = (await post(shop, path, {"expand": ["payments"]})).body["data"]
    assert set(plain) - set(made) == {"payments"}
    assert "provider" not in plain["payments"][0]
    assert set((await post(shop, path)).body["data"]) == set(made)


@pytest.mark.parametrize("sent", [{"expand": ["secrets"]}, {"expand": "items"}])
async def test_an_unknown_expansion_is_refused(shop: Shop, sent: Json) -> None:
    made = await made_invoice(shop)
    assert (await post(shop, f"{INVOICES}/{made['id']}", sent)).status == 400


async def test_a_summary_may_be_in_dollars_and_in_no_foreign_currency(shop: Shop) -> None:
    made = (await opened("bitgpt", shop))["data"]
    path = f"{INVOICES}/{made['id']}"
    asked = {"expand": ["calculations"], "currency": "USD"}
    summary = (await post(shop, path, asked)).body["data"]["calculation_summary"]
    assert (summary["currency"], summary["price"]) == ("USD", made["price_usd"])
    for wrong in ({**asked, "currency": "CHF"}, {"currency": "CHF"}):
        refused = await post(shop, path, wrong)
        assert (refused.status, list(refused.body["validator"])) == (400, ["currency"])


async def test_a_list_is_filtered(shop: Shop) -> None:
    ten = await made_invoice(shop, customer_email="ann@example.com")
    euro = (await opened("bitgpt", shop))["data"]
    created = ten["created_at"]
    for filters, found in [
        ({}, [euro, ten]),
        ({"limit": 1, "offset": 1}, [ten]),
        ({"currency": ["EUR", "CHF"]}, [euro]),
        ({"customer_email": "ann@example.com"}, [ten]),
        ({"price_usd_from": "10.01"}, [euro]),
        ({"price_usd_from": 0}, [euro, ten]),
        ({"price_usd_from": "0.00", "price_usd_to": "10.00"}, [ten]),
        ({"price_usd_to": "0"}, []),
        ({"price_usd_to": 10}, [ten]),
        ({"created_at_from": created, "created_at_to": euro["created_at"]}, [euro, ten]),
        ({"created_at_to": "2020-01-01 00:00:00"}, []),
        ({"provider_id": "provider_ethereum_usdt"}, [euro, ten]),
        ({"provider_id": "provider_tron_usdt"}, []),
        ({"status": ["pending"]}, [euro, ten]),
        ({"status": ["COMPLETED", "VOIDED"]}, []),
        ({"status": ["PROCESSING"]}, []),
    ]:
        answer = await post(shop, f"{INVOICES}/list", filters)
        assert answer.body["data"] == found, filters
    assert (await ask("bitgpt", shop, "POST", path=f"{INVOICES}/list")).body["data"] == [euro, ten]


@pytest.mark.parametrize(
    "filters",
    [
        {"limit": 0},
        {"limit": 101},
        {"offset": -1},
        {"status": ["paid"]},
        {"created_at_to": "now"},
        {"price_usd_from": "-1"},
        {"price_usd_to": False},
        {"price_usd_to": "."},
    ],
)
async def test_a_list_has_bounds(shop: Shop, filters: Json) -> None:
    for path in (f"{INVOICES}/list", PAYMENTS):
        answer = await post(shop, path, filters)
        assert (answer.status, answer.body["error"]) == (400, "Validation failed")


async def test_a_payment_is_a_deposit_that_counts(shop: Shop) -> None:
    made = (await opened("bitgpt", shop))["data"]
    await paid_in(shop, made, 111_000_000)
    [deposit] = (await shop.show({"id": read_id("inv", made["id"])}))["deposits"]
    place = f"ethereum|{deposit['tx_hash']}|{deposit['position']}"
    key = f"{hashlib.sha256(place.encode()).hexdigest()}-{made['id']}"
    [payment] = (await post(shop, PAYMENTS)).body["data"]
    seen_at = deposit["detected_at"].replace("T", " ").replace("Z", "")
    assert payment == {
        "id": prefixed("payment", deposit["id"]),
        "idempotency_key": key,
        "organization_id": made["organization_id"],
        "provider_id": "provider_ethereum_usdt",
        "invoice_id": made["id"],
        "currency": "USDT",
        "price": "111." + "0" * 30,
        "price_usd": payment["price_usd"],
        "status": "PENDING",
        "created_at": seen_at,
        "updated_at": seen_at,
        "happened_at": deposit["block_time"].replace("T", " ").replace("Z", ""),
    }
    assert payment["price_usd"].startswith("11")  # 111 USDT by the euro's rate and back
    assert len(payment["price_usd"].partition(".")[2]) == 30
    await shop.mine(2)
    [sure] = (await post(shop, PAYMENTS)).body["data"]
    assert (sure["status"], sure["idempotency_key"]) == ("COMPLETED", key)
    assert (await post(shop, f"{PAYMENTS}/{payment['id']}", key="")).body["data"] == sure


async def test_payments_are_filtered(shop: Shop) -> None:
    first, second = await made_invoice(shop), await made_invoice(shop)
    await paid_in(shop, first, 4_000_000)
    await shop.mine(2)
    await paid_in(shop, second, 6_000_000)
    for filters, prices in [
        ({}, ["6", "4"]),
        ({"limit": 1, "offset": 1}, ["4"]),
        ({"invoice_id": first["id"]}, ["4"]),
        ({"status": ["COMPLETED"]}, ["4"]),
        ({"status": ["PENDING", "FAILED"]}, ["6"]),
        ({"price_usd_from": 5}, ["6"]),
        ({"price_usd_from": "0"}, ["6", "4"]),
        ({"price_usd_to": "5"}, ["4"]),
        ({"currency": ["USDT"]}, ["6", "4"]),
        ({"currency": ["ETHEREUM"]}, []),
        ({"provider_id": ["provider_ethereum_usdt"]}, ["6", "4"]),
        ({"provider_id": ["provider_tron_usdt"]}, []),
        ({"created_at_to": "2020-01-01 00:00:00"}, []),
    ]:
        answer = await post(shop, PAYMENTS, filters)
        found = [each["price"].partition(".")[0] for each in answer.body["data"]]
        assert found == prices, filters


async def test_payments_are_filtered_by_the_word_that_they_show(engine: Engine) -> None:
    """Bridged ether is ether there."""
    endpoint = {"name": "own", "url": "http://127.0.0.1:1"}
    networks = {"polygon": {"endpoints": [endpoint], "assets": ["WETH"], "start_block": 0}}
    policy = make_policy(
        networks=networks, invoices={}, rates={"fixed": {"WETH/USD": "2000", "ETH/USD": "2000"}}
    )
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        await shop.create()
        units, method = 10**15, Method("polygon:weth")
        shop.chain.mine(make_transfer(units, method, Address(FIRST.lower())))
        await catch_up(make_follower(shop.chain, engine, policy, Network("polygon")))
        found = (await post(shop, PAYMENTS, {"currency": ["ETHEREUM"]})).body["data"]
        assert [each["currency"] for each in found] == ["ETHEREUM"]
        assert (await post(shop, PAYMENTS, {"currency": ["POLYGON"]})).body["data"] == []


async def test_what_a_reorg_took_leaves_the_list_and_failed(shop: Shop) -> None:
    made = await made_invoice(shop)
    await paid_in(shop, made, 4_000_000)
    [payment] = (await post(shop, PAYMENTS)).body["data"]
    shop.chain.reorg(depth=1)
    await shop.mine(2)
    assert (await post(shop, PAYMENTS)).body["data"] == []
    failed = (await post(shop, f"{PAYMENTS}/{payment['id']}")).body["data"]
    assert failed == {**payment, "status": "FAILED"}


async def test_money_that_does_not_count_is_no_payment(shop: Shop) -> None:
    made = await made_invoice(shop)
    await paid_in(shop, made)
    await shop.pass_time(7200)
    await shop.pay(FIRST)
    [deposit] = (await shop.show({"id": read_id("inv", made["id"])}))["deposits"]
    assert (await post(shop, PAYMENTS)).body["data"] == []
    path = f"{PAYMENTS}/{prefixed('payment', deposit['id'])}"
    assert (await post(shop, path)).status == 404


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/html", 406),
        ("application/json;q=0", 406),
        ("text/html, application/json;q=0.5", 200),
        ("application/*", 200),
        ("*/*", 200),
    ],
)
async def test_who_takes_no_json_is_not_served(shop: Shop, accept: str, status: int) -> None:
    answer = await post(shop, f"{INVOICES}/list", {}, headers={"Accept": accept})
    assert (answer.status, answer.body["status"]) == (status, status)


@pytest.mark.parametrize("part", ["products", "api_keys/1", "organizations", "quote"])
async def test_what_we_do_not_have_says_where_ours_is(shop: Shop, part: str) -> None:
    answer = await post(shop, f"/compat/bitgpt/{part}", {})
    assert (answer.status, answer.body["status"]) == (501, 501)
    assert "/admin/keys" in answer.body["error"]


async def test_a_link_that_clients_compose_leads_to_the_checkout_page(shop: Shop) -> None:
    made = await made_invoice(shop)
    answer = await ask("bitgpt", shop, "GET", path=f"/compat/bitgpt/pay/{made['id']}", key="")
    ours = await shop.show({"id": read_id("inv", made["id"])})
    assert (answer.status, answer.headers["Location"]) == (302, ours["checkout_url"])
