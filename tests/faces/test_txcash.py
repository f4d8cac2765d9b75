"""tx.cash's invoices, as its own documentation has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from storage import Engine
from tests.api.shop import FIRST, Json, Shop, make_policy, open_shop, serve
from tests.faces.asking import SEED_BODIES, ask, opened, path_of
from tests.webhooks.receiver import delivering, open_office
from watcher.api.compat.txcash_models import parse_valid_for
from watcher.faces.ids import read_id, uuid_of
from watcher.faces.txcash import code_of, named_methods

KEYS = [
    "id url amount paid_amount prices base_currency name description account_name status",
    "status_code notify_url callback_url suceess_url success_url fail_url expires_on payments",
    "created_at updated_at meta_data1 meta_data2",
]
METHODS = ["ethereum:eth", "ethereum:usdt", "polygon:weth", "polygon:dai", "nile:usdt"]


async def our_invoice(shop: Shop, made: Json) -> Json:
    """The same invoice as our own API shows it."""
    return await shop.show({"id": read_id("inv", made["id"])})


async def address_of(shop: Shop, made: Json, code: str) -> Json:
    """Where to pay with this coin, once that was chosen."""
    answer = await ask(
        "txcash", shop, "POST", made["id"], "payment/address", json={"payment_currency": code}
    )
    assert answer.status == 200, answer.body
    return dict(answer.body)


async def test_the_fields_of_its_own_page_open_an_invoice(shop: Shop) -> None:
    made = await opened("txcash", shop)
    assert list(made) == " ".join(KEYS).split()
    ours = await our_invoice(shop, made)
    assert made == {
        "id": uuid_of(ours["id"]).hex,
        "url": ours["checkout_url"],
        "amount": 49.99,
        "paid_amount": 0,
        "prices": [
            {"payment_currency": "eth_eth", "amount": None},
            {"payment_currency": "eth_usdt", "amount": None},
        ],
        "base_currency": "USD",
        "name": "Order #8821",
        "description": "Two shirts",
        "account_name": "Shop",
        "status": "pending",
        "status_code": 0,
        "notify_url": None,
        "callback_url": None,
        "suceess_url": "https://example.com/?optionalQuery=value",
        "success_url": "https://example.com/?optionalQuery=value",
        "fail_url": "https://example.com/?optionalQuery=value",
        "expires_on": ours["expires_at"],
        "payments": [],
        "created_at": ours["created_at"],
        "updated_at": ours["updated_at"],
        "meta_data1": "8821",
        "meta_data2": None,
    }
    assert ours["valid_for"] == "165m"


async def test_an_amount_is_all_that_must_be_given(shop: Shop) -> None:
    made = (await ask("txcash", shop, "POST", json={"amount": 1})).body
    assert (made["amount"], made["base_currency"]) == (1, "USD")
    assert [each["payment_currency"] for each in made["prices"]] == ["eth_eth", "eth_usdt"]
    assert (await our_invoice(shop, made))["valid_for"] == "1h"


async def test_a_form_is_read_as_json_is(shop: Shop) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    form = urlencode({**SEED_BODIES["txcash"], "name": "Zwölf"})
    made = await ask("txcash", shop, "POST", data=form, headers=headers)
    assert (made.status, made.body["name"], made.body["amount"]) == (200, "Zwölf", 49.99)
    json = await ask("txcash", shop, "POST", data='{"amount": 1}', headers=headers)
    assert (json.status, json.body["amount"]) == (200, 1)


@pytest.mark.parametrize("form", [b"a=\xff&amount=1", b"&".join([b"a=1"] * 101)])
async def test_a_form_that_cannot_be_read_is_refused(shop: Shop, form: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await ask("txcash", shop, "POST", data=form, headers=headers)
    assert (answer.status, answer.body["message"]) == (400, "the body is neither JSON nor a form")


@pytest.mark.parametrize("prefix", ["", "/invoice/v1", "/invoice/v1/mainnet"])
async def test_the_whole_base_or_only_the_host_may_be_changed(shop: Shop, prefix: str) -> None:
    made = await opened("txcash", shop)
    path = f"/compat/txcash{prefix}/invoice/{made['id']}"
    assert (await ask("txcash", shop, "GET", path=path)).body == made


async def test_nobody_takes_real_money_for_a_test(shop: Shop) -> None:
    path = "/compat/txcash/invoice/v1/testnet/invoice"
    answer = await ask("txcash", shop, "POST", path=path, json={"amount": 1})
    assert answer.status == 404
    assert answer.body["message"] == "this service is a mainnet one; use /mainnet in the path"


@pytest.mark.parametrize(
    ("text", "seconds"), [("300s", 300), ("2h45m", 9900), ("1.5h", 5400), ("59.5s", 60)]
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert parse_valid_for(text) == seconds


@pytest.mark.parametrize("text", ["300", "5d", "-1h", "0s", "h", "", "1h 2m", "721h", "9" * 99])
async def test_a_wrong_duration_is_refused(shop: Shop, text: str) -> None:
    answer = await ask("txcash", shop, "POST", json={"amount": 1, "valid_for": text or " "})
    assert answer.status == 400
    assert [each["field"] for each in answer.body["errors"]] == ["valid_for"]


@pytest.mark.parametrize(
    ("fields", "field", "code", "description"),
    [
        ({"amount": None}, "amount", "required", "amount Field required"),
        ({"amount": 0}, "amount", "out_of_range", "amount must be greater than 0"),
        ({"amount": "-1"}, "amount", "out_of_range", "amount must be greater than 0"),
        ({"amount": []}, "amount", "invalid", "amount must be a number or decimal text"),
        ({"currency": "XXX"}, "currency", "unsupported", "currency there is no rate"),
        ({"name": "x" * 201}, "name", "too_long", "name String should have at most"),
        ({"meta_data2": "x" * 1001}, "meta_data2", "too_long", "meta_data2 String"),
        ({"valid_for": "59s"}, "valid_for", "out_of_range", "valid_for must be from 60s"),
        ({"valid_for": "721h"}, "valid_for", "out_of_range", "valid_for must be from 60s"),
        ({"callback_url": "ftp://x.org"}, "callback_url", "invalid", "callback_url String"),
        ({"callback_url": "http://127.0.0.1/"}, "callback_url", "invalid", "callback_url must"),
        ({"payment_currencies": 1}, "payment_currencies", "invalid", "payment_currencies must"),
        (
            {"payment_currencies": "btc"},
            "payment_currencies",
            "unsupported",
            "payment_currencies names nothing by 'btc'; there are eth_eth, ",
        ),
        (
            {"payment_currencies": "polygon_stables"},
            "payment_currencies",
            "unsupported",
            "payment_currencies names nothing by 'polygon_stables'; there are eth_eth, ",
        ),
    ],
)
async def test_a_wrong_field_is_named(
    shop: Shop, fields: Json, field: str, code: str, description: str
) -> None:
    answer = await ask("txcash", shop, "POST", json={"amount": 10, **fields})
    assert (answer.status, answer.body["message"]) == (400, "Validation failed")
    [error] = answer.body["errors"]
    assert (error["resource"], error["field"], error["code"]) == ("invoice", field, code)
    assert error["description"].startswith(description)


@pytest.mark.parametrize(
    ("codes", "methods"),
    [
        (["eth_eth"], ["ethereum:eth"]),
        (["polygon_eth"], ["polygon:weth"]),
        (["polygon_stables", "eth_stables"], ["polygon:dai", "ethereum:usdt"]),
        (["tron_stables", "tron_usdt"], ["nile:usdt"]),
        (["all"], METHODS),
    ],
)
def test_codes_and_groups_name_methods(codes: list[str], methods: list[str]) -> None:
    assert named_methods(codes, METHODS) == methods


@pytest.mark.parametrize("code", ["polygon_weth", "nile_usdt", "polygon_usdc", ""])
def test_what_names_nothing_is_no_code(code: str) -> None:
    with pytest.raises(ValueError, match="names nothing by"):
        named_methods([code], METHODS)


@pytest.mark.parametrize("sent", ["ALL, eth_eth", ["eth_eth", "eth_usdt"], "eth_eth , Eth_Stables"])
async def test_codes_come_as_text_or_as_an_array(shop: Shop, sent: Any) -> None:
    made = await opened("txcash", shop, payment_currencies=sent)
    assert [each["payment_currency"] for each in made["prices"]] == ["eth_eth", "eth_usdt"]


async def test_a_coins_address_and_amount_stay_the_same(shop: Shop) -> None:
    made = await opened("txcash", shop, amount=10)
    first = await address_of(shop, made, "eth_usdt")
    assert first == {
        "invoice_id": made["id"],
        "address": FIRST,
        "amount": 10,
        "currency": "eth_usdt",
    }
    assert await address_of(shop, made, "ETH_USDT") == first
    other = await address_of(shop, made, "eth_eth")
    assert (other["currency"], other["amount"], other["address"]) == ("eth_eth", 0.005, FIRST)
    shown = (await ask("txcash", shop, "GET", made["id"])).body
    assert shown["prices"] == [
        {"payment_currency": "eth_eth", "amount": 0.005},
        {"payment_currency": "eth_usdt", "amount": None},
    ]


async def test_an_address_may_be_asked_for_again_while_money_confirms(shop: Shop) -> None:
    made = await opened("txcash", shop, amount=10)
    first = await address_of(shop, made, "eth_usdt")
    await shop.pay(first["address"])
    assert await address_of(shop, made, "eth_usdt") == first


async def test_another_coin_may_be_chosen_only_while_nothing_was_seen(shop: Shop) -> None:
    """Its answer would ask for the whole price again; the checkout page asks for the rest."""
    made = await opened("txcash", shop, amount=10)
    first = await address_of(shop, made, "eth_usdt")
    await shop.pay(first["address"], 4_000_000)
    route = (made["id"], "payment/address")
    other = await ask("txcash", shop, "POST", *route, json={"payment_currency": "eth_eth"})
    [error] = other.body["errors"]
    assert (other.status, error["code"], error["field"]) == (400, "closed", "payment_currency")
    assert await address_of(shop, made, "eth_usdt") == first
    assert (await our_invoice(shop, made))["selected"] == "ethereum:usdt"


async def test_there_is_no_address_for_what_is_not_offered_or_closed(shop: Shop) -> None:
    made = await opened("txcash", shop, amount=10, payment_currencies="eth_usdt")
    route = (made["id"], "payment/address")
    foreign = await ask("txcash", shop, "POST", *route, json={"payment_currency": "eth_eth"})
    assert (foreign.status, foreign.body["errors"][0]["field"]) == (400, "payment_currency")
    await shop.post(f"/v1/invoices/{read_id('inv', made['id'])}/cancel")
    closed = await ask("txcash", shop, "POST", *route, json={"payment_currency": "eth_usdt"})
    assert (closed.status, closed.body["errors"][0]["code"]) == (400, "closed")
    nowhere = ("0" * 32, "payment/address")
    unknown = await ask("txcash", shop, "POST", *nowhere, json={"payment_currency": "eth_usdt"})
    assert (unknown.status, unknown.body["errors"][0]["code"]) == (404, "not_found")


async def test_payments_say_when_and_how_deep_and_only_confirmed_money_is_paid(
    shop: Shop,
) -> None:
    made = await opened("txcash", shop, amount=10)
    address = (await address_of(shop, made, "eth_usdt"))["address"]
    await shop.pay(address, 4_000_000)
    first = (await ask("txcash", shop, "GET", made["id"])).body
    assert (first["status"], first["paid_amount"]) == ("under paid", 0)
    [deposit] = (await our_invoice(shop, made))["deposits"]
    assert first["payments"] == [
        {
            "tx_hash": deposit["tx_hash"],
            "explorer_url": deposit["explorer_url"],
            "amount": 4,
            "date": deposit["block_time"],
            "confirmation": 1,
            "payment_currency": "eth_usdt",
        }
    ]
    await shop.mine(2)
    second = (await ask("txcash", shop, "GET", made["id"])).body
    assert (second["payments"][0]["confirmation"], second["paid_amount"]) == (3, 4)


async def test_money_that_does_not_count_is_no_payment(shop: Shop) -> None:
    made = await opened("txcash", shop, amount=10, payment_currencies="eth_usdt", valid_for="60s")
    address = (await address_of(shop, made, "eth_usdt"))["address"]
    await shop.pass_time(120)
    await shop.pay(address)
    shown = (await ask("txcash", shop, "GET", made["id"])).body
    assert (shown["status"], shown["status_code"], shown["payments"]) == ("expired", 4, [])


async def test_a_list_is_newest_first_with_an_offset(shop: Shop) -> None:
    made = [await opened("txcash", shop) for _ in range(3)]
    answer = await ask("txcash", shop, "GET", params={"limit": "2", "offset": "1"})
    assert answer.body == [made[1], made[0]]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"offset": "-1"}])
async def test_a_list_has_bounds(shop: Shop, query: dict[str, str]) -> None:
    answer = await ask("txcash", shop, "GET", params=query)
    [error] = answer.body["errors"]
    assert (answer.status, error["field"]) == (400, next(iter(query)))
    assert error["code"] == "out_of_range"


async def test_a_key_may_come_in_either_header(shop: Shop) -> None:
    headers = {"X-Api-Key": shop.key}
    answer = await ask("txcash", shop, "GET", key="", headers=headers)
    assert answer.status == 200


async def test_a_callback_is_the_invoice_as_it_was_then(engine: Engine) -> None:
    """On every new payment and every step of the status, not on each confirmation."""
    async with open_office(engine) as office:
        shop, fields = office.shop, {"callback_url": office.receiver.url()}
        made = await opened("txcash", shop, amount=10, **fields)
        address = (await address_of(shop, made, "eth_usdt"))["address"]
        told = []
        for units in (4_000_000, 6_000_000):
            await shop.pay(address, units, tx=str(units))
            told += [(await ask("txcash", shop, "GET", made["id"])).body] * 2  # payment and status
        for _ in range(3):
            await shop.mine()
        last = (await ask("txcash", shop, "GET", made["id"])).body
        async with delivering(office):
            await office.settled()
        bodies = [call.event for call in office.receiver.calls]
        assert bodies[:-1] == told
        assert (bodies[-1]["status"], bodies[-1]["paid_amount"]) == ("paid", 10)
        assert list(bodies[-1]) == list(last)
        assert [each["status_code"] for each in bodies] == [2, 2, 0, 0, 1]
        assert {call.headers["x-watcher-invoice"] for call in office.receiver.calls} == {
            read_id("inv", made["id"])
        }
        assert office.receiver.calls[-1].headers["x-watcher-status"] == "paid"


async def test_what_comes_beyond_the_price_is_called_back_too(engine: Engine) -> None:
    """And what of it a reorg takes away again: a status that stays has no other step to tell."""
    async with open_office(engine) as office:
        shop, receiver = office.shop, office.receiver
        made = await opened("txcash", shop, amount=10, callback_url=receiver.url())
        address = (await address_of(shop, made, "eth_usdt"))["address"]
        await shop.pay(address)
        await shop.mine(2)
        steps = []
        for step in (shop.pay(address, 5_000_000, tx="2"), shop.mine(2), reorg(shop)):
            async with delivering(office):
                await office.settled()
            receiver.calls.clear()
            await step
            async with delivering(office):
                await office.settled()
            told, shown = (
                (each["status"], each["paid_amount"], len(each["payments"]))
                for each in (
                    receiver.calls[-1].event,
                    (await ask("txcash", shop, "GET", made["id"])).body,
                )
            )
            assert told == shown
            steps.append(told)
        assert steps == [("paid", 10, 2), ("over paid", 15, 2), ("paid", 10, 1)]


async def reorg(shop: Shop) -> None:
    """The newest three blocks go, and other ones come."""
    shop.chain.reorg(depth=3)
    await shop.mine(4)


async def test_an_open_invoice_is_not_called_back_for_each_confirmation(engine: Engine) -> None:
    async with open_office(engine) as office:
        made = await opened("txcash", office.shop, amount=10, callback_url=office.receiver.url())
        address = (await address_of(office.shop, made, "eth_usdt"))["address"]
        await office.shop.pay(address, 4_000_000)
        await office.shop.mine(5)
        async with delivering(office):
            await office.settled()
        told = [(call.event["status"], call.event["paid_amount"]) for call in office.receiver.calls]
        assert told == [("under paid", 0)] * 2  # the payment and the status


async def test_a_testnet_service_answers_as_testnet_only(engine: Engine) -> None:
    networks = {
        "sepolia": {"endpoints": [{"name": "own", "url": "http://127.0.0.1:1"}], "assets": ["ETH"]}
    }
    policy = make_policy(networks=networks, invoices={})
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        path = path_of("txcash", shop).replace("/invoice", "/invoice/v1/testnet/invoice")
        made = await ask("txcash", shop, "POST", path=path, json={"amount": 10})
        assert made.body["prices"] == [{"payment_currency": "eth_eth", "amount": None}]
        wrong = await ask("txcash", shop, "GET", path=path.replace("testnet", "mainnet"))
        assert wrong.status == 404


def test_testnets_have_the_codes_of_their_mainnets() -> None:
    assert [code_of(each) for each in ("sepolia:eth", "amoy:pol", "shasta:trx")] == [
        "eth_eth",
        "polygon_pol",
        "tron_trx",
    ]
