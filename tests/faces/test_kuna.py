"""KUNA Pay's invoices: asked with a plain key and with signed requests."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from storage import Engine
from tests.api.shop import USDT, Answer, Json, Shop, add_key, make_policy, open_shop, serve
from tests.faces.asking import ask, face_policy, opened
from watcher.api import Access
from watcher.faces.ids import read_id, uuid_of
from watcher.faces.kuna import signature
from watcher.merchants import NewKey

INVOICE, ASSETS = "/compat/kuna/v1/invoice", "/compat/kuna/v1/invoice/assets"
DETAIL = [
    "id status externalOrderId addressId creatorId invoiceAmount paymentAmount invoiceAssetCode",
    "paymentAssetCode transactions productCategory productDescription isCreatedByApi expireAt",
    "completedAt createdAt updatedAt",
]
BRIEF = [
    "id status externalOrderId addressId invoiceAmount paymentAmount invoiceAssetCode",
    "paymentAssetCode expireAt completedAt createdAt",
]


async def detail(shop: Shop, made: Json) -> Json:
    """The invoice as it is now."""
    answer = await ask("kuna", shop, "GET", made["data"]["id"])
    assert answer.status == 200, answer.body
    return dict(answer.body["data"])


async def select(shop: Shop, made: Json) -> None:
    id = read_id("inv", made["data"]["id"])
    await shop.post(f"/v1/invoices/{id}/select", {"method": USDT})


async def test_the_request_of_its_own_page_opens_an_invoice(shop: Shop) -> None:
    made = await opened("kuna", shop)
    ours = await shop.show({"id": read_id("inv", made["data"]["id"])})
    assert made == {"data": {"id": str(uuid_of(ours["id"])), "paymentLink": ours["checkout_url"]}}
    shown = await detail(shop, made)
    assert list(shown) == " ".join(DETAIL).split()
    assert shown == {
        **shown,
        "status": "CREATED",
        "externalOrderId": None,
        "addressId": None,
        "creatorId": str(uuid_of(shop.merchant_id)),
        "invoiceAmount": "1000",
        "paymentAmount": None,
        "invoiceAssetCode": "EUR",
        "paymentAssetCode": None,
        "transactions": [],
        "productCategory": None,
        "isCreatedByApi": True,
        "completedAt": None,
    }


async def test_the_pages_own_trailing_comma_is_no_json(shop: Shop) -> None:
    answer = await ask("kuna", shop, "POST", data='{"asset": "EUR", "amount": "1000",}')
    assert answer.status == 400
    assert answer.body == {"errors": [{"code": "BAD_REQUEST", "message": "the body is not JSON"}]}


async def test_every_field_is_kept(shop: Shop) -> None:
    made = await opened(
        "kuna",
        shop,
        amount=49.99,
        callbackUrl="https://shop.example.org/callback",
        shouldSendTransactionalCallback=True,
        customization={"redirectUrl": "https://shop.example.org/", "redirectButtonTitle": "Back"},
        questionnaire={"schemaFields": [{"name": "email"}, {"name": "phone"}, {"name": "email"}]},
        externalOrderId="8821",
        productDescription="Two shirts",
        productCategory="Clothes",
    )
    shown = await detail(shop, made)
    assert shown["invoiceAmount"] == "49.99"
    assert shown["externalOrderId"] == "8821"
    assert (shown["productDescription"], shown["productCategory"]) == ("Two shirts", "Clothes")
    ours = await shop.show({"id": read_id("inv", shown["id"])})
    assert ours["callback_url"] == "https://shop.example.org/callback"
    assert ours["callback_per_deposit"] is True
    assert (ours["success_url"], ours["redirect_title"]) == ("https://shop.example.org/", "Back")
    asked = [(each["name"], each["type"]) for each in ours["questionnaire"]["fields"]]
    assert asked == [("email", "email"), ("phone", "phone")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"amount": "0"}, "amount must be greater than 0"),
        ({"amount": None}, "amount Field required"),
        ({"asset": ""}, "asset Field required"),
        ({"asset": "XXX"}, "asset there is no rate"),
        ({"customization": {}}, "customization.redirectUrl Field required"),
        ({"callbackUrl": "ftp://x.example.org"}, "callbackUrl String should match"),
        ({"callbackUrl": "http://127.0.0.1/"}, "callbackUrl must"),
        (
            {"questionnaire": {"schemaFields": [{"name": "shoe"}]}},
            "questionnaire.schemaFields.0.name Input should be",
        ),
        ({"externalOrderId": "x" * 256}, "externalOrderId String should have at most"),
        ({"shouldSendTransactionalCallback": "yes"}, "shouldSendTransactionalCallback Input"),
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, fields: Json, message: str) -> None:
    answer = await ask("kuna", shop, "POST", json={"asset": "EUR", "amount": "10", **fields})
    assert answer.status == 400
    [error] = answer.body["errors"]
    assert error["code"] == "BAD_REQUEST"
    assert error["message"].startswith(message)


async def test_a_payment_shows_its_transactions(shop: Shop) -> None:
    await shop.follow()
    made = await opened("kuna", shop, asset="USD", amount="10")
    await select(shop, made)
    chosen = await detail(shop, made)
    assert (chosen["paymentAmount"], chosen["paymentAssetCode"]) == ("10", "USDT")
    assert chosen["addressId"].startswith("0x")
    await shop.pay()
    [seen] = (await detail(shop, made))["transactions"]
    assert seen == {
        **seen,
        "address": chosen["addressId"],
        "amount": "10",
        "asset": "USDT",
        "creatorComment": None,
        "fee": "0",
        "processedAmount": "0",
        "reason": [],
        "status": "Processing",
        "type": "Deposit",
        "paymentCode": "USDT_ETHEREUM",
    }
    await shop.mine(2)
    paid = await detail(shop, made)
    [sure] = paid["transactions"]
    assert (sure["status"], sure["processedAmount"]) == ("Processed", "10")
    assert paid["completedAt"] is not None


@pytest.mark.parametrize("reason", ["late", "wrong_asset"])
async def test_what_does_not_count_says_why(engine: Engine, reason: str) -> None:
    policy = face_policy()
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        await shop.follow()
        made = await opened("kuna", shop, asset="USD", amount="10")
        await select(shop, made)
        if reason == "late":
            await shop.pass_time(3700)
            await shop.pay()
        else:  # DAI has no rate here, so it was not offered
            await shop.pay(units=10**19, method="ethereum:dai")  # type: ignore[arg-type]
        [told] = (await detail(shop, made))["transactions"]
        assert (told["reason"], told["processedAmount"]) == ([reason], "0")


async def test_the_catalogue_is_what_can_be_invoiced(shop: Shop) -> None:
    listed = (await ask("kuna", shop, "GET", path=ASSETS)).body["data"]
    codes = [each["code"] for each in listed]
    assert codes == ["DAI", "ETH", "EUR", "USD", "USDT"]
    assert [each["position"] for each in listed] == [1, 2, 3, 4, 5]
    assert {each["code"]: (each["precision"], each["type"]) for each in listed} == {
        "DAI": (18, "crypto"),
        "ETH": (18, "crypto"),
        "EUR": (2, "fiat"),
        "USD": (2, "fiat"),
        "USDT": (6, "crypto"),
    }
    for code in codes:
        await opened("kuna", shop, asset=code, amount="1")
    some = await ask("kuna", shop, "GET", path=ASSETS, params={"skip": "1", "take": "2"})
    assert [each["code"] for each in some.body["data"]] == ["ETH", "EUR"]


async def test_what_can_be_asked_is_listed(shop: Shop) -> None:
    answer = await ask("kuna", shop, "GET", path="/compat/kuna/v1/invoice/questionnaire")
    names = [each["name"] for each in answer.body["data"]]
    assert names == ["email", "name", "phone", "address"]


async def listed(shop: Shop, **query: str) -> list[Json]:
    answer = await ask("kuna", shop, "GET", params=query)
    assert answer.status == 200, answer.body
    return list(answer.body["data"])


async def test_a_list_is_brief_and_newest_first(shop: Shop) -> None:
    made = [await opened("kuna", shop) for _ in range(3)]
    found = await listed(shop, take="2", skip="1")
    assert [each["id"] for each in found] == [made[1]["data"]["id"], made[0]["data"]["id"]]
    assert list(found[0]) == " ".join(BRIEF).split()


async def test_a_list_is_filtered(shop: Shop) -> None:
    await shop.follow()
    first = await opened("kuna", shop, externalOrderId="1", asset="USD")
    second = await opened("kuna", shop, externalOrderId="2")
    await select(shop, second)
    one, two = ([made["data"]["id"]] for made in (first, second))
    for query, ids in (
        ({"externalOrderId": "1"}, one),
        ({"invoiceAssetCode": "eur"}, two),
        ({"paymentAssetCode": "USDT"}, two),
        ({"createdFrom": "2020-01-01T00:00:00+03:00"}, two + one),
        ({"createdTo": "2020-01-01T00:00:00Z"}, []),
        ({"completedFrom": "2020-01-01T00:00:00Z"}, []),
        ({"orderBy": "invoiceAssetCode"}, one + two),
        ({"orderBy": "paymentAssetCode"}, two + one),
        ({"orderBy": "status"}, two + one),
    ):
        assert [each["id"] for each in await listed(shop, **query)] == ids, query


async def test_what_was_closed_is_found_and_sorted_by_its_end(shop: Shop) -> None:
    await shop.follow()
    first, second = [await opened("kuna", shop) for _ in range(2)]
    id = read_id("inv", first["data"]["id"])
    await shop.post(f"/v1/invoices/{id}/cancel")
    closed = await listed(shop, completedFrom="2020-01-01T00:00:00Z")
    assert [(each["id"], each["status"]) for each in closed] == [
        (first["data"]["id"], "DEACTIVATED")
    ]
    ordered = await listed(shop, orderBy="completedAt")
    assert [each["id"] for each in ordered] == [first["data"]["id"], second["data"]["id"]]
    assert await listed(shop, completedTo="2020-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query", [{"take": "101"}, {"take": "0"}, {"skip": "-1"}, {"orderBy": "x"}, {"createdTo": "1"}]
)
async def test_a_list_has_bounds(shop: Shop, query: dict[str, str]) -> None:
    assert (await ask("kuna", shop, "GET", params=query)).status == 400


@pytest.mark.parametrize("part", ["transaction", "asset/balance", "withdraw/1"])
async def test_what_we_do_not_have_says_where_ours_is(shop: Shop, part: str) -> None:
    answer = await ask("kuna", shop, "GET", path=f"/compat/kuna/v1/{part}")
    assert answer.status == 501
    [error] = answer.body["errors"]
    assert error["code"] == "NOT_IMPLEMENTED"
    assert "/v1/deposits" in error["message"]


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        (
            "/compat/kuna/v1/invoice/assets?skip=10&take=101700000000000{}",
            "fb376228df4c69dfae82c76e7ebd16c79b28db7bd8a2cf5fde0f3dca1fc9f9da"
            "5e0cffdb665f66b8f5182e48401b61df",
        ),
        (
            '/compat/kuna/v1/invoice1700000000000{"amount":"100.11","asset":"USDT"}',
            "efb41103ebb857f35c497bf766cf32e422ed3fc7c1f3101f93f890cd1f07d6e2"
            "b358a609172aa821261abc57a1b6a400",
        ),
        (
            '/v1/invoice1700000000000{"amount":"100.11","asset":"USDT"}',
            "2f0fa616d2f96d9808d3d97a362df8ef7ddb36ee0fd9bc530c77eb62490ad304"
            "0386b28e611285b740ac51c661b6049d",
        ),
        (
            '{"event":"Invoice","data":{"status":"PAID"}}',
            "f04b9a720ae3afe2524017eba70e07b89d6ac7cbde5ab3eec0f652fb7728eda4"
            "54592097e74130a9d46a33398ada3377",
        ),
    ],
)
def test_a_signature_is_the_documented_one(text: str, digits: str) -> None:
    assert signature("private_key", text.encode()) == digits


async def signed(
    shop: Shop, key: NewKey, method: str, path: str, body: bytes, **facts: Any
) -> Answer:
    """A request as the unofficial client signs it: a final newline is sent and not signed."""
    nonce = str(facts.get("nonce", int(time.time() * 1000)))
    text = facts.get("signed_path", path).encode() + nonce.encode() + (body or b"{}")
    headers = {
        "public-key": facts.get("public_key", key.key.id),
        "nonce": nonce,
        "signature": facts.get("signature", signature(key.signing_secret, text)),
    }
    sent = (body or b"{}") + b"\n"
    return await shop.ask(method, path, "", data=sent, headers=headers)


BODY = b'{"asset":"EUR","amount":"100.11"}'


@pytest.fixture
async def key(shop: Shop) -> NewKey:
    return await add_key(shop.engine, shop.merchant_id)


async def test_a_signed_request_needs_no_key_in_the_open(shop: Shop, key: NewKey) -> None:
    got = await signed(shop, key, "GET", f"{ASSETS}?skip=1&take=2", b"")
    made = await signed(shop, key, "POST", INVOICE, BODY)
    assert (got.status, made.status) == (200, 201)


async def test_the_prefix_need_not_be_signed(shop: Shop, key: NewKey) -> None:
    answer = await signed(shop, key, "POST", INVOICE, BODY, signed_path="/v1/invoice")
    assert answer.status == 201


async def test_the_public_key_may_be_a_uuid(shop: Shop, key: NewKey) -> None:
    public_key = str(uuid_of(key.key.id))
    answer = await signed(shop, key, "POST", INVOICE, BODY, public_key=public_key)
    assert answer.status == 201


async def test_behind_a_proxy_the_path_may_be_the_one_that_its_clients_know(
    engine: Engine,
) -> None:
    policy = make_policy(
        server={"public_url": "https://pay.example.org/shop"},
        rates={"fixed": {"USDT/USD": "1", "EUR/USD": "1"}},
    )
    async with serve(engine, policy, access=Access(10**6, 10**6)) as http:
        shop = await open_shop(engine, policy, http)
        key = await add_key(engine, shop.merchant_id)
        path = f"/shop{INVOICE}"
        assert (await signed(shop, key, "POST", INVOICE, BODY, signed_path=path)).status == 201
        assert (await signed(shop, key, "POST", INVOICE, BODY, signed_path="/x")).status == 401


@pytest.mark.parametrize(
    "facts",
    [
        {"signature": "0" * 96},
        {"signature": "ü"},
        {"nonce": int((time.time() - 100_000) * 1000)},
        {"nonce": int((time.time() + 100_000) * 1000)},
        {"nonce": "soon"},
        {"public_key": "key_unknown"},
        {"public_key": "key_" + "0" * 26},
    ],
    ids=["another", "no hex", "too old", "too new", "no number", "no id", "unknown"],
)
async def test_a_wrong_signature_is_refused(shop: Shop, key: NewKey, facts: Json) -> None:
    answer = await signed(shop, key, "POST", INVOICE, BODY, **facts)
    assert answer.status == 401
    assert answer.body["errors"][0]["code"] == "UNAUTHORIZED"


async def test_another_keys_secret_signs_nothing_for_this_one(shop: Shop, key: NewKey) -> None:
    other = await add_key(shop.engine, shop.merchant_id)
    answer = await signed(shop, key, "POST", INVOICE, BODY, public_key=other.key.id)
    assert answer.status == 401


async def test_one_altered_character_is_noticed(shop: Shop, key: NewKey) -> None:
    nonce = int(time.time() * 1000)
    good = signature(key.signing_secret, f"{INVOICE}{nonce}".encode() + BODY)
    altered = BODY.replace(b"100.11", b"100.12")
    facts = {"nonce": nonce, "signature": good}
    assert (await signed(shop, key, "POST", INVOICE, altered, **facts)).status == 401
    assert (await signed(shop, key, "POST", INVOICE, BODY, **facts)).status == 201
    assert json.loads(BODY)["amount"] == "100.11"
