"""PayHubix's invoices, as its own documentation has them."""

from __future__ import annotations

import pytest

from storage import Engine
from tests.api.shop import FIRST, USDT, Json, Shop
from tests.faces.asking import ask, opened, path_of
from tests.webhooks.receiver import delivering, open_office
from watcher.api.compat.payhubix_models import parse_window
from watcher.faces.ids import read_id, uuid_of
from watcher.faces.payhubix import show_time
from watcher.faces.payhubix_catalogue import OTHERS, currency_id, methods_by_id

KEYS = [
    "invoice_url currency_amount remaining_currency_amount currency_symbol link transfer_fee_by",
    "service_fee_by service_fee_percent status customer_email manual_customer_email created_at",
    "expire_at pure_expire_time order_id order_description shop currencies payments",
    "selected_payment callback_url",
]
CURRENCY = [
    "currency_id currency_name currency_status currency_symbol currency_type currency_icon_url",
    "slug network_id network_symbol network_status network_name network_icon_url",
    "network_scanner_url fee_withdraw fee_payment minimum_withdraw precision withdrawable",
    "paymentable status is_native",
]
NEEDED = {
    "currency_amount": 10,
    "currency_symbol": "USD",
    "time_for_payment": "02:00",
    "currencies": [4],
}


async def made_invoice(shop: Shop, **fields: object) -> Json:
    """A new invoice over 10 USD, to be paid in USDT on Ethereum."""
    return dict((await opened("payhubix", shop, **{**NEEDED, **fields}))["message"])


async def shown_invoice(shop: Shop, made: Json) -> Json:
    """The invoice as it is now."""
    return dict((await ask("payhubix", shop, "GET", made["link"])).body["message"])


def our_id(made: Json) -> str:
    return str(read_id("inv", made["link"].replace("-", "_")))


async def select(shop: Shop, made: Json) -> None:
    """Choose USDT, as the payer does on the checkout page."""
    await shop.post(f"/v1/invoices/{our_id(made)}/select", {"method": USDT})


async def test_the_request_of_its_own_page_opens_an_invoice(shop: Shop) -> None:
    answer = await opened("payhubix", shop)
    assert (answer["error"], answer["number"]) == (False, 0)
    made = answer["message"]
    assert list(made) == " ".join(KEYS).split()
    ours = await shop.show({"id": our_id(made)})
    assert made["currencies"][0] == {
        "currency_id": 3,
        "currency_name": "Ethereum",
        "currency_status": "Enable",
        "currency_symbol": "ETH",
        "currency_type": "Crypto",
        "currency_icon_url": "",
        "slug": "",
        "network_id": 2,
        "network_symbol": "ETH",
        "network_status": "Enable",
        "network_name": "Ethereum",
        "network_icon_url": "",
        "network_scanner_url": "https://etherscan.io",
        "fee_withdraw": 0,
        "fee_payment": 0,
        "minimum_withdraw": 0,
        "precision": 18,
        "withdrawable": False,
        "paymentable": True,
        "status": "",
        "is_native": True,
    }
    assert list(made["currencies"][0]) == " ".join(CURRENCY).split()
    assert made == {
        "invoice_url": ours["checkout_url"],
        "currency_amount": 1,
        "remaining_currency_amount": 1,
        "currency_symbol": "USD",
        "link": ours["id"].replace("inv_", "INV-"),
        "transfer_fee_by": "Customer",
        "service_fee_by": "Merchant",
        "service_fee_percent": 0,
        "status": "Created",
        "customer_email": "customer@example.com",
        "manual_customer_email": None,
        "created_at": show_time(ours["created_at"]),
        "expire_at": show_time(ours["expires_at"]),
        "pure_expire_time": "02:00",
        "order_id": "#12325425",
        "order_description": "macbook air m3",
        "shop": {
            "name": "Shop",
            "website": None,
            "shop_id": str(uuid_of(shop.merchant_id)),
            "transfer_fee_by": "Customer",
            "service_fee_by": "Merchant",
            "logo_url": None,
        },
        "currencies": made["currencies"],
        "payments": None,
        "selected_payment": None,
        "callback_url": "https://example.com/callback",
    }


def test_times_are_written_as_its_clients_read_them() -> None:
    assert show_time("2025-07-04T16:10:53Z") == "2025-07-04 16:10:53 +0000 UTC"


@pytest.mark.parametrize(
    "part", ["v1/payment/shops/{shop}/invoices", "v1/payment/personal/invoices"]
)
async def test_an_invoice_may_be_opened_on_every_path(shop: Shop, part: str) -> None:
    path = f"/compat/payhubix/{part.format(shop=uuid_of(shop.merchant_id))}/"
    made = await ask("payhubix", shop, "POST", path=path, json=NEEDED)
    assert made.status == 200
    found = await ask("payhubix", shop, "GET", made.body["message"]["link"])
    assert found.body == made.body  # without a slash, as its plugins ask
    other = f"/compat/payhubix/v1/payment/invoices/{made.body['message']['link'].lower()}/"
    assert (await ask("payhubix", shop, "GET", path=other)).body == made.body


async def test_another_shop_is_not_found(shop: Shop) -> None:
    other = "019242e7-d18f-788f-813e-a2c72177e172"
    path = f"/compat/payhubix/v1/payment/shops/{other}/invoices/"
    for method in ("POST", "GET"):
        assert (await ask("payhubix", shop, method, path=path, json=NEEDED)).status == 404
    answer = await ask("payhubix", shop, "POST", json={**NEEDED, "shop_id": other})
    assert (answer.status, answer.body["number"]) == (404, 404)
    own = {**NEEDED, "shop_id": str(uuid_of(shop.merchant_id))}
    assert (await ask("payhubix", shop, "POST", json=own)).status == 200


@pytest.mark.parametrize(("text", "seconds"), [("2:20", 8400), ("02:00", 7200), ("99:59", 359_940)])
def test_a_time_for_payment_is_read(text: str, seconds: int) -> None:
    assert parse_window(text) == seconds


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"time_for_payment": "00:00"}, "time_for_payment must be hours and minutes"),
        ({"time_for_payment": "2:60"}, "time_for_payment must be hours and minutes"),
        ({"time_for_payment": "120"}, "time_for_payment must be hours and minutes"),
        ({"time_for_payment": 2}, "time_for_payment must be hours and minutes"),
        ({"currency_amount": 0}, "currency_amount must be greater than 0"),
        ({"currency_symbol": "XXX"}, "currency_symbol there is no rate"),
        ({"currencies": [1]}, "currencies.0 is none of 3, 4, 6"),
        ({"currencies": ["4"]}, "currencies.0 Input should be a valid integer"),
        ({"currencies": None}, "currencies Field required"),
        ({"order_id": "x" * 101}, "order_id String should have at most 100"),
        ({"order_description": "x" * 201}, "order_description String should have at most 200"),
        ({"customer_email": f"{'x' * 189}@example.com"}, "customer_email should have at most 200"),
        ({"callback_url": f"https://example.com/{'x' * 181}"}, "callback_url String should have"),
        ({"redirect_url": "javascript:alert(1)"}, "redirect_url String should match"),
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, fields: Json, message: str) -> None:
    answer = await ask("payhubix", shop, "POST", json={**NEEDED, **fields})
    assert (answer.status, answer.body["error"], answer.body["number"]) == (400, True, 400)
    assert answer.body["message"].startswith(message)


async def test_several_faults_are_one_text(shop: Shop) -> None:
    body = {**NEEDED, "currency_amount": 0, "time_for_payment": None}
    answer = await ask("payhubix", shop, "POST", json=body)
    assert answer.body["message"] == (
        "currency_amount must be greater than 0; time_for_payment Field required"
    )


async def test_an_order_number_may_be_a_number(shop: Shop) -> None:
    assert (await made_invoice(shop, order_id=8821))["order_id"] == "8821"


async def test_the_payer_goes_where_the_merchant_waits(shop: Shop) -> None:
    """To the callback's address, as its plugins have it, unless told otherwise."""
    callback = {"callback_url": "https://example.com/callback"}
    for fields, url in (
        (callback, "https://example.com/callback"),
        ({**callback, "redirect_url": "https://example.com/back"}, "https://example.com/back"),
    ):
        ours = await shop.show({"id": our_id(await made_invoice(shop, **fields))})
        assert (ours["success_url"], ours["fail_url"]) == (url, url)


async def test_a_payment_is_a_method_and_its_amounts_are_confirmed_ones(shop: Shop) -> None:
    made = await made_invoice(shop, order_id="1")
    await select(shop, made)
    chosen = await shown_invoice(shop, made)
    [payment] = chosen["payments"]
    assert chosen["selected_payment"] == payment
    assert payment == {
        "currency_amount": 10,
        "remaining_currency_amount": 10,
        "transfer_fee": 0,
        "service_fee": 0,
        "ratio": 1,
        "crypto_amount": 10,
        "final_crypto_amount": 10,
        "received_crypto_amount": 0,
        "remaining_crypto_amount": 10,
        "memo": None,
        "address": FIRST,
        "status": "Pending",
        "created_at": made["created_at"],
        "expire_time": made["expire_at"],
        "pure_expire_time": "02:00",
        "selected_currency": made["currencies"][0],
        "transactions": [],
    }
    await shop.pay(FIRST, 4_000_000)
    seen = await shown_invoice(shop, made)
    [deposit] = (await shop.show({"id": our_id(made)}))["deposits"]
    assert seen["payments"][0] == {
        **payment,
        "status": "Partially",
        "transactions": [{"tx_hash": deposit["tx_hash"], "scanner_link": deposit["explorer_url"]}],
    }
    await shop.mine(2)
    left = (await shown_invoice(shop, made))["payments"][0]
    assert (left["received_crypto_amount"], left["remaining_crypto_amount"]) == (4, 6)
    assert left["remaining_currency_amount"] == 6


async def test_too_much_leaves_nothing_and_shows_what_came(shop: Shop) -> None:
    made = await made_invoice(shop)
    await select(shop, made)
    await shop.pay(FIRST, 20_000_000)
    await shop.mine(2)
    shown = await shown_invoice(shop, made)
    assert (shown["status"], shown["remaining_currency_amount"]) == ("Paid", 0)
    payment = shown["selected_payment"]
    assert (payment["received_crypto_amount"], payment["remaining_crypto_amount"]) == (20, 0)


async def test_what_was_paid_in_one_coin_lessens_what_is_left_in_another(shop: Shop) -> None:
    made = await made_invoice(shop, currencies=[])
    await select(shop, made)
    await shop.pay(FIRST, 5_000_000)
    await shop.mine(2)
    await shop.post(f"/v1/invoices/{our_id(made)}/select", {"method": "ethereum:eth"})
    shown = await shown_invoice(shop, made)
    assert [each["selected_currency"]["currency_symbol"] for each in shown["payments"]] == [
        "ETH",
        "USDT",
    ]
    assert shown["selected_payment"]["crypto_amount"] == 0.005
    assert shown["selected_payment"]["remaining_crypto_amount"] == 0.0025
    assert [each["status"] for each in shown["payments"]] == ["Partially", "Partially"]


async def test_a_list_has_pages_places_and_an_order(shop: Shop) -> None:
    made = [await made_invoice(shop) for _ in range(3)]
    page = (await ask("payhubix", shop, "GET", params={"page": "2", "per_page": "2"})).body
    assert page["message"] == {
        "page_count": 2,
        "page": 2,
        "previous_page": 1,
        "next_page": 0,
        "invoices": [{"index": 3, **made[0]}],
    }
    query = {"created_at": "asc", "per_page": "1"}
    first = (await ask("payhubix", shop, "GET", params=query)).body["message"]
    assert first["invoices"] == [{"index": 1, **made[0]}]
    assert (first["previous_page"], first["next_page"]) == (0, 2)
    euro = await ask("payhubix", shop, "GET", params={"currency_symbol": "eur"})
    assert (euro.body["message"]["invoices"], euro.body["message"]["page_count"]) == ([], 0)


@pytest.mark.parametrize(
    "query", [{"page": "0"}, {"per_page": "101"}, {"status": "paid"}, {"created_at": "up"}]
)
async def test_a_list_has_bounds(shop: Shop, query: dict[str, str]) -> None:
    answer = await ask("payhubix", shop, "GET", params=query)
    assert answer.status == 400
    assert answer.body["message"].startswith(next(iter(query)))


async def test_a_list_is_filtered_by_each_word(shop: Shop) -> None:
    """Every invoice is found by its own word and by no other."""
    await shop.pass_time(0)
    made = {
        word: await made_invoice(shop, time_for_payment="0:02")
        for word in ("Expired", "PartiallyExpired", "Created", "Pending", "Partially", "Paid")
    }
    made["Canceled"] = await made_invoice(shop)
    addresses = {}
    for word, invoice in made.items():
        if word not in ("Created", "Canceled"):
            await select(shop, invoice)
            addresses[word] = (await shown_invoice(shop, invoice))["selected_payment"]["address"]
    await shop.post(f"/v1/invoices/{our_id(made['Canceled'])}/cancel")
    await shop.pay(addresses["Paid"], tx="1")
    await shop.pay(addresses["PartiallyExpired"], 1_000_000, tx="2")
    await shop.mine(3)
    await expect_words(shop, {"Paid": "Paid", "PartiallyExpired": "Partially"}, made)
    await shop.pass_time(300)
    for word in ("Created", "Pending", "Partially"):
        made[word] = await made_invoice(shop)
    for word in ("Pending", "Partially"):
        await select(shop, made[word])
    chosen = (await shown_invoice(shop, made["Partially"]))["selected_payment"]["address"]
    await shop.pay(chosen, 1_000_000, tx="3")
    await expect_words(shop, {word: word for word in made}, made)


async def expect_words(shop: Shop, words: dict[str, str], made: dict[str, Json]) -> None:
    """The invoices called so are found by these words, and by no others."""
    for name, word in words.items():
        for filtered in made:
            answer = await ask(
                "payhubix", shop, "GET", params={"status": filtered, "per_page": "99"}
            )
            links = [each["link"] for each in answer.body["message"]["invoices"]]
            assert (made[name]["link"] in links) is (filtered == word), (name, filtered)


async def test_the_catalogue_names_what_a_create_takes(shop: Shop) -> None:
    root = path_of("payhubix", shop).replace("/invoices", "/currencies")
    coins = (await ask("payhubix", shop, "GET", path=f"{root}/crypto/")).body["message"]
    assert [each["currency_id"] for each in coins] == [3, 4, 6]
    offered = [each["currency_id"] for each in coins if each["currency_symbol"] != "DAI"]
    made = await made_invoice(shop, currencies=offered)
    assert made["currencies"] == [each for each in coins if each["currency_id"] in offered]
    fiat = (await ask("payhubix", shop, "GET", path=f"{root}/fiat/")).body["message"]
    assert [(each["currency_symbol"], each["currency_type"]) for each in fiat] == [
        ("EUR", "Fiat"),
        ("USD", "Fiat"),
    ]


def test_what_has_no_number_of_its_own_has_a_hash_that_stays() -> None:
    assert currency_id("polygon:usdc.e") == 2_126_824_019
    assert OTHERS <= currency_id("polygon:usdc.e") < 2 * OTHERS
    assert currency_id("nile:usdt") == currency_id("tron:usdt") == 2


def test_one_number_is_never_two_methods() -> None:
    with pytest.raises(ValueError, match="same number"):
        methods_by_id(["nile:usdt", "shasta:usdt"])


@pytest.mark.parametrize(
    "part", ["v1/payment/shops/", "v1/transfers/1/", "v1/assets", "v1/invoices/INV-1/pdf"]
)
async def test_what_we_do_not_have_says_where_ours_is(shop: Shop, part: str) -> None:
    answer = await ask("payhubix", shop, "GET", path=f"/compat/payhubix/{part}")
    assert (answer.status, answer.body["error"], answer.body["number"]) == (501, True, 501)
    assert "/v1/wallets" in answer.body["message"]


async def test_a_callback_comes_when_closed_and_a_redirect_is_success(engine: Engine) -> None:
    async with open_office(engine) as office:
        shop = office.shop
        office.receiver.manners["/hook"] = ["redirect"]
        made = await made_invoice(shop, callback_url=office.receiver.url())
        await select(shop, made)
        await shop.pay(FIRST, 4_000_000, tx="1")
        await shop.pay(FIRST, 6_000_000, tx="2")
        await shop.mine(2)
        paid = (await ask("payhubix", shop, "GET", made["link"])).body
        shop.chain.reorg(depth=4)
        await shop.mine(5)
        async with delivering(office):
            states = await office.settled()
        assert set(states) == {"delivered"}
        assert [call.path for call in office.receiver.calls] == ["/hook", "/hook"]
        assert office.receiver.calls[0].event == paid
        assert [call.event["message"]["status"] for call in office.receiver.calls] == [
            "Paid",
            "Partially",  # as the newer payment's block went first
        ]
