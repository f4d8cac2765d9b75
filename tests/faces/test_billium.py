"""Billium's invoices, as its own documentation has them."""

from __future__ import annotations

import pytest

from tests.api.shop import Json, Shop, add_key
from tests.faces.asking import ask, opened, path_of
from watcher.api.compat.billium import FACE
from watcher.api.errors import of_refusal
from watcher.faces.ids import hex_id, read_id
from watcher.refused import KeyReused, RequestRunning

KEYS = [
    "id merchantId customerId productId name description redirectUrl rawAmount endAmount currency",
    "status expiresAt createdAt updatedAt customer product payments invoiceTimeline checkoutUrl",
]


async def test_the_request_of_its_own_page_opens_an_invoice(shop: Shop) -> None:
    made = await opened("billium", shop)
    assert list(made) == " ".join(KEYS).split()
    ours = await shop.show({"id": read_id("inv", made["id"])})
    assert ours["face"] == {"name": "billium", "echo": {}}
    assert made == {
        **made,
        "id": hex_id("inv", ours["id"]),
        "merchantId": hex_id("mer", shop.merchant_id),
        "productId": None,
        "name": "Order #8821",
        "description": None,
        "redirectUrl": "https://yoursite.com/thank-you",
        "rawAmount": "49.990000",
        "endAmount": "49.990000",
        "currency": "USD",
        "status": "AWAITING_PAYMENT",
        "product": None,
        "payments": [],
    }
    assert made["createdAt"] == ours["created_at"].replace("Z", ".000Z")
    assert made["customer"]["email"] == "customer@example.com"
    [step] = made["invoiceTimeline"]
    assert (step["invoiceId"], step["paymentStatus"]) == (made["id"], "AWAITING_PAYMENT")


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (1_000_000, "1000000.000000"),
        (0.000001, "0.000001"),
        (49.9999995, "50.000000"),
        ("10.3", "10.300000"),
        (10.299999999999999, "10.300000"),
    ],
)
async def test_an_amount_is_kept_with_six_decimals(
    shop: Shop, raw: float | str, shown: str
) -> None:
    assert (await opened("billium", shop, rawAmount=raw))["rawAmount"] == shown


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"rawAmount": 0}, "rawAmount must be greater than 0"),
        ({"rawAmount": -1}, "rawAmount must be greater than 0"),
        ({"rawAmount": 1_000_000.01}, "rawAmount must be less than or equal to 1000000"),
        ({"rawAmount": True}, "rawAmount must be a number or decimal text"),
        ({"name": "x" * 201}, "name String should have at most 200 characters"),
        ({"name": ""}, "name Field required"),
        ({"currency": "XXX"}, "currency there is no rate"),
        ({"redirectUrl": "ftp://shop.example.org"}, "redirectUrl String should match pattern"),
        ({"customerEmail": "nobody"}, "customerEmail must be an e-mail address"),
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, fields: Json, sentence: str) -> None:
    body = {"name": "Order", "rawAmount": 10, **fields}
    answer = await ask("billium", shop, "POST", json=body)
    assert (answer.status, answer.body["error"]) == (400, "Bad Request")
    assert answer.body["statusCode"] == 400
    assert answer.body["message"].startswith(sentence)


async def test_several_wrong_fields_are_a_list(shop: Shop) -> None:
    answer = await ask("billium", shop, "POST", json={})
    assert answer.body["message"] == ["name Field required", "rawAmount Field required"]


async def test_without_an_email_there_is_no_customer(shop: Shop) -> None:
    made = await opened("billium", shop, customerEmail=None, customerName="Ann")
    assert (made["customer"], made["customerId"]) == (None, None)
    ours = await shop.show({"id": read_id("inv", made["id"])})
    assert ours["customer"]["name"] == "Ann"


async def test_one_email_is_one_customer_whatever_its_case(shop: Shop) -> None:
    first, second = [
        (await opened("billium", shop, customerEmail=email))["customerId"]
        for email in ("Ann@example.com", "ann@example.com")
    ]
    assert first == second


async def test_both_spellings_of_its_paths_are_served(shop: Shop) -> None:
    made = await opened("billium", shop)
    path = path_of("billium", shop, made["id"])
    for spelled in (path, path.replace("/api/v1", "/v1"), f"{path}/"):
        assert (await ask("billium", shop, "GET", path=spelled)).body == made


@pytest.mark.parametrize("bare", [False, True])
async def test_an_id_is_read_with_and_without_its_prefix(shop: Shop, bare: bool) -> None:
    made = await opened("billium", shop)
    id = made["id"].removeprefix("inv_") if bare else made["id"]
    assert (await ask("billium", shop, "GET", id)).body == made


async def test_a_list_has_pages_and_a_total(shop: Shop) -> None:
    made = [await opened("billium", shop, name=f"Order {each}") for each in range(3)]
    answer = await ask("billium", shop, "GET", params={"page": "2", "limit": "2"})
    assert answer.body["pagination"] == {"page": 2, "limit": 2, "total": 3, "lastPage": 2}
    assert answer.body["data"] == [made[0]]


@pytest.mark.parametrize("search", ["TOA", "a drawer"])
async def test_a_search_looks_into_names_and_descriptions(shop: Shop, search: str) -> None:
    made = await opened("billium", shop, name="A toaster", description="with A Drawer")
    await opened("billium", shop, name="100%")
    found = await ask("billium", shop, "GET", params={"search": search})
    assert found.body["data"] == [made]


async def test_a_search_finds_by_id_and_takes_signs_literally(shop: Shop) -> None:
    made = await opened("billium", shop)
    assert (await ask("billium", shop, "GET", params={"search": made["id"]})).body["data"] == [made]
    assert (await ask("billium", shop, "GET", params={"search": "%"})).body["data"] == []


@pytest.mark.parametrize("query", [{"page": "0"}, {"limit": "101"}, {"limit": "many"}])
async def test_a_list_has_bounds(shop: Shop, query: dict[str, str]) -> None:
    assert (await ask("billium", shop, "GET", params=query)).status == 400


async def test_an_empty_list_has_no_last_page(shop: Shop) -> None:
    answer = await ask("billium", shop, "GET")
    assert answer.body["pagination"] == {"page": 1, "limit": 10, "total": 0, "lastPage": 0}


async def test_cancelling_takes_no_body_and_works_once(shop: Shop) -> None:
    made = await opened("billium", shop)
    done = await ask("billium", shop, "POST", made["id"], "cancel")
    assert (done.status, done.body["status"]) == (200, "CANCELLED")
    again = await ask("billium", shop, "POST", made["id"], "cancel")
    assert (again.status, again.body["error"]) == (422, "Unprocessable Entity")


async def test_a_public_key_opens_and_shows_and_does_nothing_else(shop: Shop) -> None:
    key = (await add_key(shop.engine, shop.merchant_id, public=True)).text
    made = await ask("billium", shop, "POST", key=key, json={"name": "x", "rawAmount": 1})
    assert made.status == 201
    assert (await ask("billium", shop, "GET", made.body["id"], key=key)).status == 200
    assert (await ask("billium", shop, "GET", key=key)).status == 403
    assert (await ask("billium", shop, "POST", made.body["id"], "cancel", key=key)).status == 403


async def test_another_merchant_in_the_path_is_not_found(shop: Shop) -> None:
    path = path_of("billium", shop).replace(hex_id("mer", shop.merchant_id), "mer_" + "0" * 32)
    assert (await ask("billium", shop, "GET", path=path)).status == 404


@pytest.mark.parametrize("part", ["customers", "products/1", "wallets"])
async def test_what_we_do_not_have_says_where_ours_is(shop: Shop, part: str) -> None:
    path = path_of("billium", shop).replace("invoices", part)
    answer = await ask("billium", shop, "GET", path=path)
    assert (answer.status, answer.body["error"]) == (501, "Not Implemented")
    assert "/v1/wallets" in answer.body["message"]


def test_a_create_that_is_still_running_says_when_to_come_back() -> None:
    fault = FACE.fault(of_refusal(RequestRunning()), "req_1")
    assert (fault.status, fault.headers["Retry-After"]) == (503, "1")
    assert FACE.fault(of_refusal(KeyReused()), "req_1").status == 409


async def test_a_payer_is_sent_to_the_checkout_page_without_a_key(shop: Shop) -> None:
    made = await opened("billium", shop)
    path = f"/compat/billium/pay/{made['id']}"
    answer = await ask("billium", shop, "GET", path=path, key="")
    assert (answer.status, answer.headers["Location"]) == (302, made["checkoutUrl"])
    nobody = await ask("billium", shop, "GET", path="/compat/billium/pay/1", key="")
    assert nobody.status == 404
