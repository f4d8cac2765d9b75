"""Accepting money that does not count by itself, and too little for the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import storage
from storage import Engine
from tests.api.shop import (
    DAI,
    FIRST,
    USDT,
    Answer,
    Json,
    Shop,
    add_key,
    add_merchant,
    make_policy,
    open_shop,
    serve,
)
from tests.factories import make_transfer
from watcher.domain.money import Address

HOUR = 3600


async def accept(shop: Shop, invoice: Json, body: Json | None = None) -> Answer:
    path = f"/v1/invoices/{invoice['id']}/accept"
    return await (shop.ask("POST", path) if body is None else shop.post(path, body))


async def opened(shop: Shop) -> Json:
    """An invoice over 10 USDT, of which the chain's clock knows."""
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.mine()
    return made


async def paid_late(shop: Shop, units: int = 10_000_000, *, blocks: int = 3) -> Json:
    """An expired invoice with money that came after its deadline."""
    made = await opened(shop)
    await shop.pass_time(HOUR + 100)
    await shop.pay(units=units)
    await shop.mine(blocks)
    return await shop.show(made)


async def kinds(shop: Shop) -> list[str]:
    async with storage.read(shop.engine) as conn:
        events = await storage.events.after(conn, shop.merchant_id, 0, 1000)
    return [str(event.type) for event in events]


def steps(invoice: Json) -> list[tuple[str, str, str | None]]:
    return [(step["status"], step["reason"], step["deposit"]) for step in invoice["timeline"]]


async def test_late_money_is_unmatched_until_it_is_accepted(shop: Shop) -> None:
    late = await paid_late(shop)
    [deposit] = late["deposits"]
    assert (late["status"], late["flags"], late["paid"]["amount"]) == ("expired", ["late"], "0")
    assert (deposit["counts"], deposit["reason"], deposit["accepted"]) == (False, "late", False)

    answer = await accept(shop, late)
    assert answer.status == 200, answer.body
    assert answer.body == await shop.show(late)
    assert (answer.body["status"], answer.body["flags"]) == ("paid", ["late", "manual"])
    assert answer.body["paid"] == {"amount": "10", "currency": "USD", "confirmed": "10"}
    assert answer.body["paid_at"] is not None
    [deposit] = answer.body["deposits"]
    assert (deposit["counts"], deposit["reason"], deposit["accepted"]) == (True, None, True)
    assert steps(answer.body) == [
        ("awaiting_payment", "opened", None),
        ("expired", "deadline_passed", None),
        ("paid", "accepted", deposit["id"]),
    ]
    assert (await kinds(shop))[-1] == "invoice.paid"


async def test_what_is_accepted_must_still_be_confirmed(shop: Shop) -> None:
    late = await paid_late(shop, blocks=0)
    assert (await accept(shop, late)).body["status"] == "confirming"
    await shop.mine(2)
    done = await shop.show(late)
    assert done["status"] == "paid"
    assert steps(done)[-2:] == [
        ("confirming", "accepted", done["deposits"][0]["id"]),
        ("paid", "deposit_confirmed", done["deposits"][0]["id"]),
    ]


async def test_accepted_money_that_leaves_the_chain_counts_no_more(shop: Shop) -> None:
    late = await paid_late(shop)
    await accept(shop, late)
    shop.chain.reorg(depth=4)
    await shop.mine(5)
    gone = await shop.show(late)
    assert (gone["status"], gone["flags"]) == ("expired", ["reorged"])
    assert (gone["paid"]["amount"], gone["paid_at"]) == ("0", None)
    assert steps(gone)[-1] == ("expired", "deposit_orphaned", gone["deposits"][0]["id"])
    assert (await kinds(shop))[-1] == "invoice.reverted"


async def test_a_coin_that_was_not_offered_counts_by_todays_rate(engine: Engine) -> None:
    policy = make_policy(rates={"fixed": {"USDT/USD": "1", "DAI/USD": "0.75"}})
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        made = await opened(shop)
        await shop.pay(units=4 * 10**18, method=DAI)
        seen = (await accept(shop, made)).body
    assert (seen["status"], seen["flags"]) == ("partially_paid", ["manual", "wrong_asset"])
    assert (seen["paid"]["amount"], seen["remaining"]) == ("3", "7")


async def test_a_coin_without_a_rate_is_refused_and_nothing_changes(shop: Shop) -> None:
    made = await opened(shop)
    await shop.pay(units=4 * 10**18, method=DAI)
    before = await shop.show(made)
    answer = await accept(shop, made)
    assert (answer.status, answer.code) == (422, "no_rate")
    assert before["deposits"][0]["id"] in answer.body["detail"]
    assert await shop.show(made) == before


async def test_one_of_two_may_be_accepted(shop: Shop) -> None:
    made = await opened(shop)
    await shop.pass_time(HOUR + 100)
    await shop.pay(units=4_000_000, tx="1")
    await shop.pay(units=6_000_000, tx="2")
    _, second = (await shop.show(made))["deposits"]
    after = (await accept(shop, made, {"deposits": [second["id"]]})).body
    assert [each["accepted"] for each in after["deposits"]] == [False, True]
    assert (after["status"], after["paid"]["amount"]) == ("partially_paid", "6")
    assert (await accept(shop, made)).body["paid"]["amount"] == "10"


async def test_what_is_below_the_minimum_may_be_accepted(engine: Engine) -> None:
    policy = make_policy(invoices={"minimum": {"USDT": "5"}})
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        made = await opened(shop)
        await shop.pay(units=4_999_999)
        before = await shop.show(made)
        after = (await accept(shop, made)).body
    assert (before["status"], before["deposits"][0]["reason"]) == (
        "awaiting_payment",
        "below_minimum",
    )
    assert (after["status"], after["paid"]["amount"]) == ("partially_paid", "4.99")


async def test_an_underpaid_invoice_is_taken_as_paid(shop: Shop) -> None:
    made = await opened(shop)
    await shop.pay(units=9_000_000)
    await shop.pass_time(HOUR + 100)
    await shop.mine(2)
    assert (await shop.show(made))["status"] == "underpaid"
    after = (await accept(shop, made, {"as_paid": True})).body
    assert (after["status"], after["flags"], after["remaining"]) == ("paid", ["manual"], "0")
    assert after["paid"] == {"amount": "9", "currency": "USD", "confirmed": "9"}
    assert steps(after)[-1] == ("paid", "accepted_as_paid", None)
    again = await accept(shop, made, {"as_paid": True})
    assert (again.status, again.code) == (409, "nothing_to_accept")


async def test_a_part_that_is_pending_is_taken_as_paid_once_it_is_confirmed(shop: Shop) -> None:
    made = await opened(shop)
    await shop.pay(units=9_000_000)
    assert (await accept(shop, made, {"as_paid": True})).body["status"] == "confirming"
    await shop.mine(2)
    assert (await shop.show(made))["status"] == "paid"


async def test_taken_as_paid_is_no_payment_without_the_money(shop: Shop) -> None:
    made = await opened(shop)
    await shop.pay(units=9_000_000)
    await shop.mine(2)
    assert (await accept(shop, made, {"as_paid": True})).body["status"] == "paid"
    shop.chain.reorg(depth=3)
    await shop.mine(4)
    gone = await shop.show(made)
    assert (gone["status"], gone["flags"]) == ("awaiting_payment", ["manual", "reorged"])


async def test_deposits_may_be_accepted_and_taken_as_paid_at_once(shop: Shop) -> None:
    late = await paid_late(shop, units=1_000_000)
    body = {"deposits": [late["deposits"][0]["id"]], "as_paid": True}
    after = (await accept(shop, late, body)).body
    assert (after["status"], after["paid"]["amount"]) == ("paid", "1")


async def test_taken_as_paid_accepts_no_deposit_that_is_not_named(shop: Shop) -> None:
    late = await paid_late(shop)
    answer = await accept(shop, late, {"as_paid": True})
    assert (answer.status, answer.code) == (409, "nothing_seen")
    assert await shop.show(late) == late


@pytest.mark.parametrize("body", [None, {}, {"as_paid": False}, {"deposits": None}])
async def test_without_money_there_is_nothing_to_accept(shop: Shop, body: Json | None) -> None:
    made = await opened(shop)
    answer = await accept(shop, made, body)
    assert (answer.status, answer.code) == (409, "nothing_to_accept")
    assert (await accept(shop, made, {"as_paid": True})).code == "nothing_seen"


async def test_what_counts_already_needs_no_decision(shop: Shop) -> None:
    made = await opened(shop)
    await shop.pay(units=10_000_000)
    [deposit] = (await shop.show(made))["deposits"]
    for body in ({}, {"deposits": [deposit["id"]]}, {"as_paid": True}):
        assert (await accept(shop, made, body)).code == "nothing_to_accept"
    assert (await shop.show(made))["flags"] == []


async def test_a_deposit_of_another_invoice_is_unknown(shop: Shop) -> None:
    late = await paid_late(shop)
    other = await opened(shop)
    body = {"deposits": [late["deposits"][0]["id"]]}
    for invoice, ids in ((other, body["deposits"]), (late, ["dep_none"])):
        answer = await accept(shop, invoice, {"deposits": ids})
        assert (answer.status, answer.code) == (422, "unknown_deposit")
        assert answer.fields == ["deposits.0"]


async def test_a_deposit_that_left_the_chain_cannot_be_accepted(shop: Shop) -> None:
    late = await paid_late(shop)
    shop.chain.reorg(depth=4)
    await shop.mine(5)
    body = {"deposits": [late["deposits"][0]["id"]]}
    answer = await accept(shop, late, body)
    assert (answer.status, answer.code) == (409, "deposit_orphaned")
    assert (await accept(shop, late)).code == "nothing_to_accept"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"deposits": []}, "deposits"),
        ({"deposits": "dep_1"}, "deposits"),
        ({"deposits": [1]}, "deposits.0"),
        ({"as_paid": "yes"}, "as_paid"),
        ({"paid": True}, "paid"),
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, body: Json, field: str) -> None:
    answer = await accept(shop, await opened(shop), body)
    assert (answer.status, answer.code, answer.fields) == (422, "invalid_field", [field])


async def test_only_the_merchant_accepts(shop: Shop) -> None:
    late = await paid_late(shop)
    path = f"/v1/invoices/{late['id']}/accept"
    other = await add_merchant(shop.engine, xpub=None)
    keys = {
        404: (await add_key(shop.engine, other)).text,
        403: (await add_key(shop.engine, shop.merchant_id, public=True)).text,
        401: "sk_unknown",
    }
    for status, key in keys.items():
        assert (await shop.ask("POST", path, key)).status == status
    reader = (await add_key(shop.engine, shop.merchant_id, "invoices:read")).text
    assert (await shop.ask("POST", path, reader)).status == 403
    assert await shop.show(late) == late


@pytest.fixture
async def generous(engine: Engine) -> AsyncIterator[Shop]:
    """A shop whose late money counts without a decision."""
    policy = make_policy(invoices={"late_policy": "accept"})
    async with serve(engine, policy) as http:
        yield await open_shop(engine, policy, http)


async def test_by_policy_late_money_counts_at_once_and_not_by_hand(generous: Shop) -> None:
    shop = generous
    late = await paid_late(shop, blocks=0)
    [deposit] = late["deposits"]
    assert (late["status"], late["flags"]) == ("confirming", ["late"])
    assert (deposit["late"], deposit["accepted"], deposit["counts"]) == (True, True, True)
    assert steps(late)[-1] == ("confirming", "deposit_detected", deposit["id"])
    await shop.mine(2)
    assert (await shop.show(late))["status"] == "paid"
    assert (await shop.show(late))["flags"] == ["late"]


async def test_by_policy_late_money_still_leaves_with_its_block(generous: Shop) -> None:
    shop = generous
    late = await paid_late(shop)
    assert late["status"] == "paid"
    dropped = shop.chain.reorg(depth=4)
    await shop.mine(5)
    assert (await shop.show(late))["status"] == "expired"
    shop.chain.reorg(depth=5, onto=dropped)
    await shop.mine(2)
    back = await shop.show(late)
    assert (back["status"], back["flags"]) == ("paid", ["late", "reorged"])
    assert [each["status"] for each in back["deposits"]] == ["confirmed"]


async def test_by_policy_another_coin_still_waits_for_a_person(generous: Shop) -> None:
    shop = generous
    made = await opened(shop)
    await shop.pay(units=10**18, method=DAI, tx="1")
    await shop.pass_time(HOUR + 100)
    await shop.pay(units=10**18, method=DAI, tx="2")
    shown = await shop.show(made)
    assert (shown["status"], shown["flags"]) == ("expired", ["late", "wrong_asset"])
    assert [each["reason"] for each in shown["deposits"]] == ["wrong_asset", "wrong_asset"]


async def test_by_policy_money_for_a_cancelled_invoice_still_waits_for_a_person(
    generous: Shop,
) -> None:
    shop = generous
    made = await opened(shop)
    await shop.ask("POST", f"/v1/invoices/{made['id']}/cancel")
    await shop.pass_time(60)
    shop.chain.mine(make_transfer(10_000_000, USDT, Address(FIRST.lower())), seconds=10)
    await shop.follow()
    shown = await shop.show(made)
    assert (shown["status"], shown["flags"]) == ("cancelled", ["late"])
    assert (await accept(shop, made)).body["status"] == "confirming"
