"""Listing and showing deposits."""

from __future__ import annotations

import pytest

from tests.api.shop import DAI, FIRST, USDT, Shop, add_key, add_merchant
from tests.factories import make_hash

TX = make_hash("tx1")


async def listed(shop: Shop, **query: str) -> list[str]:
    answer = await shop.get("/v1/deposits", **query)
    assert answer.status == 200, answer.body
    return [each["id"] for each in answer.body["data"]]


async def test_a_deposit_is_shown_alone_as_in_its_invoice(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    [deposit] = (await shop.show(made))["deposits"]
    alone = await shop.get(f"/v1/deposits/{deposit['id']}")
    assert (alone.status, alone.body) == (200, deposit)
    assert (await shop.get("/v1/deposits")).body == {"data": [deposit], "next": None}
    assert deposit["invoice_id"] == made["id"]


@pytest.mark.parametrize("address", [FIRST, FIRST.lower(), f"0x{FIRST[2:].upper()}"])
async def test_an_address_is_found_in_any_spelling(shop: Shop, address: str) -> None:
    await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    assert len(await listed(shop, address=address)) == 1
    assert await listed(shop, address=f"0x{'11' * 20}") == []


@pytest.mark.parametrize("address", ["0x12", f"0x{FIRST[2:].swapcase()}", "name.eth", ""])
async def test_what_is_no_address_is_refused(shop: Shop, address: str) -> None:
    answer = await shop.get("/v1/deposits", address=address)
    assert (answer.status, answer.code, answer.fields) == (422, "invalid_field", ["address"])


@pytest.mark.parametrize("tx_hash", [TX, f"0x{TX}", f"0x{TX.upper()}"])
async def test_a_transaction_is_found_in_any_spelling(shop: Shop, tx_hash: str) -> None:
    await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    assert len(await listed(shop, tx_hash=tx_hash)) == 1
    assert await listed(shop, tx_hash=make_hash("another")) == []


async def test_deposits_are_found_by_what_they_are(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    assert len(await listed(shop, status="pending")) == 1
    await shop.mine(3)
    assert await listed(shop, status="pending") == []
    assert len(await listed(shop, status="confirmed", network="ethereum")) == 1
    assert await listed(shop, network="tron") == []
    assert len(await listed(shop, invoice_id=made["id"])) == 1
    assert await listed(shop, invoice_id="inv_none") == []


async def test_pages_hold_every_deposit_once(shop: Shop) -> None:
    await shop.create(methods=["ethereum:usdt"])
    for place in range(5):
        await shop.pay(units=1, tx=str(place))
    found, after = [], {}
    while True:
        page = (await shop.get("/v1/deposits", limit="2", **after)).body
        found += [each["id"] for each in page["data"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert len(found) == len(set(found)) == 5
    assert found == await listed(shop)


async def test_a_deposit_says_why_it_does_not_count(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay(units=2 * 10**18, method=DAI)
    [deposit] = (await shop.show(made))["deposits"]
    assert (deposit["asset"], deposit["amount"]) == ("DAI", "2")
    assert (deposit["counts"], deposit["reason"]) == (False, "wrong_asset")
    assert (await shop.show(made))["flags"] == ["wrong_asset"]


async def test_a_deposit_of_another_merchant_is_not_there(shop: Shop) -> None:
    await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    [id] = await listed(shop)
    stranger = (await add_key(shop.engine, await add_merchant(shop.engine, xpub=None))).text
    answer = await shop.get(f"/v1/deposits/{id}", stranger)
    assert (answer.status, answer.code) == (404, "not_found")
    assert (await shop.get("/v1/deposits", stranger, address=FIRST)).body["data"] == []


async def test_an_orphaned_deposit_stays_to_be_seen(shop: Shop) -> None:
    await shop.create(methods=["ethereum:usdt"])
    await shop.mine()
    await shop.pay(method=USDT)
    shop.chain.reorg(depth=1)
    await shop.mine(2)
    [deposit] = (await shop.get("/v1/deposits", status="orphaned")).body["data"]
    assert (deposit["counts"], deposit["confirmations"]) == (False, 0)
