"""Listing, showing, selecting and cancelling invoices."""

from __future__ import annotations

import storage
from tests.api.shop import DAI, ETH, FIRST, PRICE, USDT, Answer, Json, Shop, add_key, add_merchant
from tests.factories import make_hash
from watcher import invoicing
from watcher.clock import now, rfc3339
from watcher.domain.money import Price

BOTH = ["ethereum:eth", "ethereum:usdt"]
PART = 4_000_000  # of 10 USDT


async def listed(shop: Shop, **query: str) -> list[str]:
    answer = await shop.get("/v1/invoices", **query)
    assert answer.status == 200, answer.body
    return [each["id"] for each in answer.body["data"]]


async def select(shop: Shop, invoice: Json, method: str = "ethereum:usdt") -> Answer:
    return await shop.post(f"/v1/invoices/{invoice['id']}/select", {"method": method})


async def cancel(shop: Shop, invoice: Json) -> Answer:
    return await shop.ask("POST", f"/v1/invoices/{invoice['id']}/cancel")


async def open_past(shop: Shop) -> Json:
    """An invoice that was opened two hours ago for one hour; the chain has not moved since."""
    price = Price("10", "USD")
    wanted = invoicing.NewInvoice(price, [USDT, ETH], autoselect=False)
    async with storage.write(shop.engine) as conn:
        made = await invoicing.open_invoice(
            conn, shop.policy, shop.merchant_id, wanted, now() - 7200
        )
    return {"id": made.id}


async def test_the_newest_invoice_is_listed_first(shop: Shop) -> None:
    made = [(await shop.create())["id"] for _ in range(3)]
    assert await listed(shop) == made[::-1]


async def test_a_listed_invoice_is_whole(shop: Shop) -> None:
    made = await shop.create()
    assert (await shop.get("/v1/invoices")).body == {"data": [made], "next": None}


async def test_pages_stay_in_place_while_invoices_are_added(shop: Shop) -> None:
    made = [(await shop.create())["id"] for _ in range(5)]
    first = (await shop.get("/v1/invoices", limit="2")).body
    await shop.create()
    second = (await shop.get("/v1/invoices", limit="2", after=first["next"])).body
    last = (await shop.get("/v1/invoices", limit="2", after=second["next"])).body
    pages = [[each["id"] for each in page["data"]] for page in (first, second, last)]
    assert pages == [made[:2:-1], made[2:0:-1], made[:1]]
    assert last["next"] is None


async def test_invoices_are_found_by_what_they_are(shop: Shop) -> None:
    paid = await shop.create(methods=["ethereum:usdt"], external_id="7")
    other = await shop.create()
    await shop.pay(units=11_000_000)
    await shop.mine(4)
    assert await listed(shop, status="paid") == [paid["id"]]
    assert await listed(shop, status="awaiting_payment") == [other["id"]]
    assert await listed(shop, status="expired") == []
    assert await listed(shop, flag="overpaid") == [paid["id"]]
    assert await listed(shop, external_id="7") == [paid["id"]]
    assert await listed(shop, external_id="8") == []


async def test_invoices_are_found_by_when_they_were_made(shop: Shop) -> None:
    made = await shop.create()
    before, after = rfc3339(now() - 60), rfc3339(now() + 60)
    assert await listed(shop, created_after=before, created_before=after) == [made["id"]]
    assert await listed(shop, created_after=after) == []
    assert await listed(shop, created_before=before) == []


async def test_a_paid_invoice_tells_of_its_money(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay(units=PART)
    seen = await shop.show(made)
    assert (seen["status"], seen["remaining"]) == ("partially_paid", "6")
    assert seen["paid"] == {"amount": "4", "currency": "USD", "confirmed": "0"}
    await shop.pay(units=6_000_000, tx="2")
    await shop.mine(2)
    paid = await shop.show(made)
    assert (paid["status"], paid["remaining"]) == ("paid", "0")
    assert paid["paid"] == {"amount": "10", "currency": "USD", "confirmed": "10"}
    steps = [step["status"] for step in paid["timeline"]]
    assert steps == ["awaiting_payment", "partially_paid", "confirming", "paid"]
    assert paid["paid_at"] is not None
    deposit = paid["deposits"][0]
    assert (deposit["tx_hash"], deposit["to"]) == (f"0x{make_hash('tx1')}", FIRST)
    assert deposit["explorer_url"] == f"https://etherscan.io/tx/0x{make_hash('tx1')}"
    assert (deposit["status"], deposit["counts"], deposit["confirmations"]) == (
        "confirmed",
        True,
        4,
    )


async def test_an_invoice_of_another_merchant_is_not_there(shop: Shop) -> None:
    made = await shop.create()
    stranger = await add_merchant(shop.engine, xpub=None)
    key = (await add_key(shop.engine, stranger)).text
    path = f"/v1/invoices/{made['id']}"
    answers = [
        await shop.get(path, key),
        await shop.post(f"{path}/select", {"method": "ethereum:usdt"}, key),
        await shop.ask("POST", f"{path}/cancel", key),
    ]
    assert {(each.status, each.code) for each in answers} == {(404, "not_found")}
    assert (await shop.get("/v1/invoices", key)).body["data"] == []
    assert await shop.show(made) == made


async def test_selecting_gives_an_address(shop: Shop) -> None:
    made = await shop.create(methods=BOTH)
    chosen = await select(shop, made, "Ethereum:USDT")
    assert chosen.status == 200
    assert chosen.body["selected"] == "ethereum:usdt"
    assert {quote["address"] for quote in chosen.body["quotes"]} == {FIRST}
    assert await shop.show(made) == chosen.body


async def test_selecting_again_keeps_the_address(shop: Shop) -> None:
    made = await shop.create(methods=BOTH)
    await select(shop, made, "ethereum:usdt")
    other = (await select(shop, made, "ethereum:eth")).body
    assert other["selected"] == "ethereum:eth"
    assert {quote["address"] for quote in other["quotes"]} == {FIRST}
    following = await shop.create(methods=["ethereum:usdt"])
    assert following["quotes"][0]["address"] == "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def test_only_what_is_offered_can_be_selected(shop: Shop) -> None:
    made = await shop.create(methods=BOTH)
    for method in ("ethereum:dai", "tron:usdt", ""):
        answer = await select(shop, made, method)
        assert (answer.status, answer.code, answer.fields) == (422, "invalid_field", ["method"])
    assert await shop.show(made) == made


async def test_selecting_after_expiry_by_the_wall_clock_is_refused(shop: Shop) -> None:
    past = await open_past(shop)
    answer = await select(shop, past)
    assert (answer.status, answer.code) == (409, "not_open")
    shown = await shop.show(past)
    assert (shown["status"], shown["quotes"][0]["address"]) == ("awaiting_payment", None)


async def test_selecting_after_expiry_by_the_chain_is_refused(shop: Shop) -> None:
    made = await shop.create(methods=BOTH)
    await shop.mine()
    await shop.pass_time(3700)
    answer = await select(shop, made)
    assert (answer.status, answer.code) == (409, "not_open")
    assert (await shop.show(made))["status"] == "expired"


async def test_a_paid_invoice_takes_no_other_method(shop: Shop) -> None:
    made = await shop.create(methods=BOTH)
    await select(shop, made)
    await shop.pay()
    answer = await select(shop, made, "ethereum:eth")
    assert (answer.status, answer.code) == (409, "not_open")


async def test_cancelling_closes_and_may_be_repeated(shop: Shop) -> None:
    made = await shop.create()
    first = await cancel(shop, made)
    assert (first.status, first.body["status"]) == (200, "cancelled")
    again = await cancel(shop, made)
    assert (again.status, again.body) == (200, first.body)
    assert (await select(shop, made)).code == "not_open"


async def test_cancelling_takes_an_empty_object_and_no_fields(shop: Shop) -> None:
    made = await shop.create()
    path = f"/v1/invoices/{made['id']}/cancel"
    wrong = await shop.post(path, {"reason": "none"})
    assert (wrong.status, wrong.code, wrong.fields) == (422, "invalid_field", ["reason"])
    assert (await shop.show(made))["status"] == "awaiting_payment"
    assert (await shop.post(path, {})).body["status"] == "cancelled"


async def test_cancelling_is_refused_once_money_was_seen(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay(units=1)
    answer = await cancel(shop, made)
    assert (answer.status, answer.code) == (409, "money_seen")
    assert (await shop.show(made))["status"] == "partially_paid"


async def test_money_that_does_not_count_forbids_cancelling_too(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay(units=10**18, method=DAI)
    assert (await cancel(shop, made)).code == "money_seen"


async def test_money_that_left_the_chain_does_not_forbid_cancelling(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.mine()
    await shop.pay()
    shop.chain.reorg(depth=1)
    await shop.mine(2)
    answer = await cancel(shop, made)
    assert (answer.status, answer.body["status"]) == (200, "cancelled")
    assert [each["status"] for each in answer.body["deposits"]] == ["orphaned"]


async def test_an_expired_invoice_cannot_be_cancelled(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.mine()
    await shop.pass_time(3700)
    assert (await cancel(shop, made)).code == "not_open"


async def test_an_open_invoice_is_delayed_while_its_network_lags(shop: Shop) -> None:
    made = await shop.create(price=PRICE, methods=["ethereum:usdt"])
    assert made["delayed"] is True  # nobody follows yet
    await shop.mine()
    await shop.pass_time(0)
    assert (await shop.show(made))["delayed"] is False
