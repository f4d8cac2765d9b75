"""KUNA Pay's callbacks: what its clients are told, signed by the key that opened the invoice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest

from storage import Engine
from tests.api.shop import USDT, Json, Shop, add_key, make_policy
from tests.faces.asking import ask, opened
from tests.webhooks.receiver import Office, delivering, open_office
from watcher.faces.ids import read_id
from watcher.faces.kuna import LADDER, TIMEOUT_MS, signature
from watcher.webhooks import dialects
from watcher.webhooks.sending import Answer

HOUR = 3600


@pytest.fixture
async def office(engine: Engine) -> AsyncIterator[Office]:
    policy = make_policy(webhooks={"allow_private_addresses": True})
    async with open_office(engine, policy) as opened:
        await opened.shop.follow()
        yield opened


async def open_here(office: Office, **fields: object) -> Json:
    """An invoice over 10 USD that calls back to the receiver; USDT is selected."""
    url = office.receiver.url()
    made = await opened("kuna", office.shop, asset="USD", amount="10", callbackUrl=url, **fields)
    id = read_id("inv", made["data"]["id"])
    await office.shop.post(f"/v1/invoices/{id}/select", {"method": USDT})
    return made


async def deliver(office: Office) -> list[tuple[str, str]]:
    """What the receiver was told since the last time: events and statuses."""
    office.receiver.calls.clear()
    async with delivering(office):
        await office.settled()
    return [(call.event["event"], call.event["data"]["status"]) for call in office.receiver.calls]


async def pay(shop: Shop) -> None:
    await shop.pay()
    await shop.mine(2)


async def test_every_change_of_status_is_told_and_nothing_else(office: Office) -> None:
    await open_here(office)
    await pay(office.shop)
    assert await deliver(office) == [
        ("Invoice", "PAYMENT_AWAITING"),
        ("Invoice", "CONFIRMATION_AWAITING"),
        ("Invoice", "PAID"),
    ]
    assert {each.state for each in await office.deliveries()} == {"delivered"}
    assert len(await office.log()) == 3  # what it has no words for was not even tried


async def test_a_callback_is_the_invoice_signed_by_the_key_that_opened_it(
    office: Office,
) -> None:
    key = await add_key(office.engine, office.shop.merchant_id)
    office.shop.key = key.text
    made = await open_here(office)
    await pay(office.shop)
    await deliver(office)
    call = office.receiver.calls[-1]
    shown = (await ask("kuna", office.shop, "GET", made["data"]["id"])).body["data"]
    told = call.event["data"]
    assert (told.pop("type"), told.pop("companyId")) == ("Invoice", shown["creatorId"])
    assert told == shown
    assert call.headers["kun-signature"] == signature(key.signing_secret, call.body)
    assert call.verify(key.signing_secret) == call.event  # our own signature holds, too
    assert call.headers["x-watcher-status"] == "paid"


async def test_deposits_are_told_when_they_are_sure_where_that_was_asked_for(
    office: Office,
) -> None:
    made = await open_here(office, shouldSendTransactionalCallback=True)
    await pay(office.shop)
    told = await deliver(office)
    assert [status for event, status in told if event == "InvoiceDeposit"] == ["Processed"]
    [call] = [each for each in office.receiver.calls if each.event["event"] == "InvoiceDeposit"]
    data = call.event["data"]
    assert data["invoiceId"] == made["data"]["id"]
    assert (data["amount"], data["processedAmount"]) == ("10", "10")
    assert (data["paymentCode"], data["asset"]) == ("USDT_ETHEREUM", "USDT")
    assert data["callbackId"] == call.id


async def test_a_deposit_that_was_sure_is_taken_back(office: Office) -> None:
    await open_here(office, shouldSendTransactionalCallback=True)
    await pay(office.shop)
    await deliver(office)
    office.shop.chain.reorg(depth=3)
    await office.shop.mine(4)
    assert await deliver(office) == [
        ("InvoiceDeposit", "Canceled"),
        ("Invoice", "PAYMENT_AWAITING"),
    ]


async def test_a_deposit_that_was_never_sure_is_not_taken_back(office: Office) -> None:
    await open_here(office, shouldSendTransactionalCallback=True)
    await office.shop.pay()
    await deliver(office)
    office.shop.chain.reorg(depth=1)
    await office.shop.mine(2)
    assert await deliver(office) == [("Invoice", "PAYMENT_AWAITING")]


async def test_what_was_sure_but_took_no_part_is_not_taken_back(office: Office) -> None:
    """It came too late, so it was never told."""
    await open_here(office, shouldSendTransactionalCallback=True)
    await office.shop.pass_time(HOUR + 60)
    await pay(office.shop)
    office.shop.chain.reorg(depth=3)
    await office.shop.mine(4)
    told = await deliver(office)
    assert [event for event, _ in told] == ["Invoice"] * len(told)


async def test_what_was_accepted_once_it_was_sure_is_not_taken_back(office: Office) -> None:
    """Only the invoice told of it."""
    made = await open_here(office, shouldSendTransactionalCallback=True)
    await office.shop.pass_time(HOUR + 60)
    await pay(office.shop)
    id = read_id("inv", made["data"]["id"])
    assert (await office.shop.post(f"/v1/invoices/{id}/accept")).status == 200
    await deliver(office)
    office.shop.chain.reorg(depth=3)
    await office.shop.mine(4)
    assert await deliver(office) == [("Invoice", "TIMEOUT")]


async def test_what_was_taken_back_is_taken_back_once_until_it_is_sure_again(
    office: Office,
) -> None:
    """Its very block returns, and leaves again before it is deep enough."""
    await open_here(office, shouldSendTransactionalCallback=True)
    await pay(office.shop)
    lost = office.shop.chain.reorg(depth=3)
    await office.shop.mine(4)
    office.shop.chain.reorg(4, onto=lost[:1])
    await office.shop.mine(0)
    office.shop.chain.reorg(1)
    await office.shop.mine(2)
    office.shop.chain.reorg(2, onto=lost)
    await office.shop.mine()
    told = await deliver(office)
    words = [status for event, status in told if event == "InvoiceDeposit"]
    assert words == ["Processed", "Canceled", "Processed"]


async def test_what_comes_beyond_the_price_is_told_as_a_deposit_alone(office: Office) -> None:
    """There is no word for too much."""
    await open_here(office, shouldSendTransactionalCallback=True)
    await pay(office.shop)
    await deliver(office)
    await office.shop.pay(units=5_000_000, tx="2")
    await office.shop.mine(2)
    assert await deliver(office) == [("InvoiceDeposit", "Processed")]


@pytest.mark.parametrize(
    ("paid", "told"),
    [
        (4_000_000, ["PARTIALLY_PAID", "PARTIALLY_PAID"]),
        (0, ["TIMEOUT"]),
    ],
)
async def test_the_end_of_its_time_is_told(office: Office, paid: int, told: list[str]) -> None:
    made = await open_here(office)
    if paid:
        await office.shop.pay(units=paid)
        await office.shop.mine(2)
    await office.shop.pass_time(HOUR + 60)
    words = [status for _, status in await deliver(office)]
    assert words == ["PAYMENT_AWAITING", *told]
    assert office.receiver.calls[-1].event["data"]["completedAt"] is not None
    assert office.receiver.calls[-1].event["data"]["id"] == made["data"]["id"]


@pytest.mark.parametrize("status", [201, 204, 302, 404, 410, 500])
async def test_only_200_counts_and_nothing_ends_it_before_the_twelfth_try(
    office: Office, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(dialects.DIALECTS["kuna"], ladder=[0] * len(LADDER))
    monkeypatch.setitem(dialects.DIALECTS, "kuna", quick)
    office.receiver.manners["/hook"] = [status]
    made = await opened(
        "kuna", office.shop, asset="USD", amount="10", callbackUrl=office.receiver.url()
    )
    id = read_id("inv", made["data"]["id"])
    await office.shop.post(f"/v1/invoices/{id}/cancel")
    async with delivering(office):
        assert await office.settled() == {"dead": 1}
    assert len(office.receiver.calls) == 12
    assert len({call.body for call in office.receiver.calls}) == 1


def test_the_pauses_double_from_four_seconds_and_an_answer_has_two() -> None:
    assert (LADDER[0], LADDER[-1], len(LADDER)) == (4, 4096, 11)
    assert all(later == 2 * earlier for earlier, later in pairwise(LADDER))
    assert TIMEOUT_MS == 2000
    assert dialects.DIALECTS["kuna"].accepts(Answer(1, 200))
