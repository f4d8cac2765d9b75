"""`/v1/wallets`: what a merchant's addresses come from, and when it may go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.shop import FIRST, PRICE, Shop, add_key, add_merchant, count_rows
from tests.test_derivation import ACCOUNT_XPUB

POOL = ["0x" + f"{number:040x}" for number in (7, 8)]


async def poor(shop: Shop) -> str:
    """The key of a merchant without a wallet."""
    return (await add_key(shop.engine, await add_merchant(shop.engine, None))).text


async def pool(shop: Shop, key: str) -> dict[str, Any]:
    answer = await shop.post("/v1/wallets", {"family": "evm", "addresses": POOL}, key)
    assert answer.status == 201, answer.body
    return dict(answer.body)


async def test_a_wallet_is_added_listed_and_used(shop: Shop) -> None:
    key = await poor(shop)
    made = await pool(shop, key)
    assert (made["kind"], made["left"], made["first_addresses"]) == ("pool", 2, [])
    assert (await shop.get("/v1/wallets", key)).body["data"] == [
        {name: value for name, value in made.items() if name != "first_addresses"}
    ]
    invoice = await shop.create(key, methods=["ethereum:usdt"])
    assert invoice["quotes"][0]["address"] == POOL[0]
    assert (await shop.get("/v1/wallets", key)).body["data"][0]["left"] == 1


async def test_of_an_xpub_the_first_addresses_are_shown_and_it_never_again(shop: Shop) -> None:
    [mine] = (await shop.get("/v1/wallets")).body["data"]
    await shop.ask("DELETE", f"/v1/wallets/{mine['id']}")
    made = await shop.post("/v1/wallets", {"family": "evm", "xpub": ACCOUNT_XPUB})
    assert made.status == 201
    assert (made.body["first_addresses"][0], made.body["next_index"]) == (FIRST, 0)
    assert "xpub6" not in str(made.body) + str((await shop.get("/v1/wallets")).body)


async def test_the_same_xpub_is_no_second_wallet(shop: Shop) -> None:
    answer = await shop.post("/v1/wallets", {"family": "evm", "xpub": ACCOUNT_XPUB})
    assert (answer.status, answer.code, answer.fields) == (409, "already_exists", ["xpub"])


async def test_a_wallet_that_gave_no_address_can_be_deleted(shop: Shop) -> None:
    key = await poor(shop)
    before = await count_rows(shop.engine)
    made = await pool(shop, key)
    answer = await shop.ask("DELETE", f"/v1/wallets/{made['id']}", key)
    assert (answer.status, answer.body) == (204, None)
    assert await count_rows(shop.engine) == before
    assert (await shop.ask("DELETE", f"/v1/wallets/{made['id']}", key)).status == 404
    await pool(shop, key)


@pytest.mark.parametrize("pooled", [True, False])
async def test_a_wallet_that_gave_an_address_stays(shop: Shop, pooled: bool) -> None:
    key = await poor(shop) if pooled else shop.key
    if pooled:
        await pool(shop, key)
    made = await shop.create(key, methods=["ethereum:usdt"])
    await shop.ask("POST", f"/v1/invoices/{made['id']}/cancel", key)
    before = await count_rows(shop.engine)
    [wallet] = (await shop.get("/v1/wallets", key)).body["data"]
    answer = await shop.ask("DELETE", f"/v1/wallets/{wallet['id']}", key)
    assert (answer.status, answer.code) == (409, "wallet_in_use")
    assert await count_rows(shop.engine) == before


@pytest.mark.parametrize("pooled", [True, False])
async def test_an_address_is_never_lost_to_a_deletion_at_the_same_time(
    shop: Shop, pooled: bool
) -> None:
    key = await poor(shop) if pooled else shop.key
    if pooled:
        await pool(shop, key)
    [wallet] = (await shop.get("/v1/wallets", key)).body["data"]
    body = {"price": PRICE, "methods": ["ethereum:usdt"]}
    made, gone = await asyncio.gather(
        shop.post("/v1/invoices", body, key),
        shop.ask("DELETE", f"/v1/wallets/{wallet['id']}", key),
    )
    assert (made.status, gone.status) in {(201, 409), (409, 204), (422, 204)}
    if made.status == 201:
        assert (await shop.get(f"/v1/invoices/{made.body['id']}", key)).body == made.body


async def test_another_merchants_wallet_is_not_there(shop: Shop) -> None:
    [wallet] = (await shop.get("/v1/wallets")).body["data"]
    key = await poor(shop)
    assert (await shop.get("/v1/wallets", key)).body == {"data": [], "next": None}
    assert (await shop.ask("DELETE", f"/v1/wallets/{wallet['id']}", key)).status == 404


async def test_wallets_come_in_pages(shop: Shop) -> None:
    key = await poor(shop)
    for number in range(3):
        body = {"family": "evm", "addresses": [f"0x{number + 50:040x}"]}
        assert (await shop.post("/v1/wallets", body, key)).status == 201
    first = (await shop.get("/v1/wallets", key, limit="2")).body
    last = (await shop.get("/v1/wallets", key, limit="2", after=first["next"])).body
    assert [len(first["data"]), len(last["data"]), last["next"]] == [2, 1, None]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"family": "evm"}, [""]),
        ({"family": "evm", "xpub": ACCOUNT_XPUB, "addresses": POOL}, [""]),
        ({"family": "solana", "addresses": POOL}, ["family"]),
        ({"family": "evm", "xpub": "xprv9s21ZrQH143K"}, ["xpub"]),
        ({"family": "evm", "addresses": []}, ["addresses"]),
        ({"family": "evm", "addresses": [POOL[0], "0x12"]}, ["addresses.1"]),
        ({"family": "evm", "addresses": [POOL[0], POOL[0]]}, ["addresses"]),
        ({"family": "evm", "xpub": ACCOUNT_XPUB, "from_index": -1}, ["from_index"]),
    ],
)
async def test_a_wrong_wallet_is_refused(
    shop: Shop, body: dict[str, Any], fields: list[str]
) -> None:
    before = await count_rows(shop.engine)
    answer = await shop.post("/v1/wallets", body)
    assert (answer.status, answer.code, answer.fields) == (422, "invalid_field", fields)
    assert await count_rows(shop.engine) == before
