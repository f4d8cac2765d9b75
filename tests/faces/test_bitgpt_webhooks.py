"""BitGPT's webhooks: what its clients are sent, and that they can believe it."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from storage import Engine
from tests.api.shop import FIRST, USDT, Json, Shop
from tests.faces.asking import ask
from tests.webhooks.receiver import Office, delivering, open_office
from watcher.faces.bitgpt import prefixed
from watcher.faces.bitgpt_events import signature
from watcher.webhooks import dialects

WEBHOOKS = "/compat/bitgpt/developers/webhooks"
SHOWN = "id secret label url created_at updated_at events"
BODY = "webhook_id url event resource_id payload timestamp"
EVENTS = ["order.paid", "payment.created", "payment.updated"]
WEBHOOK = {"label": "Shop", "url": "https://example.com/webhooks", "events": EVENTS}


@pytest.fixture
async def office(engine: Engine) -> AsyncIterator[Office]:
    async with open_office(engine) as opened:
        yield opened


async def add(office: Office, events: list[str]) -> tuple[str, str]:
    """A webhook of this face at the receiver, which has no TLS: its id and secret."""
    answer = await ask("bitgpt", office.shop, "POST", path=WEBHOOKS, json=WEBHOOK)
    made = answer.body["data"]
    [ours] = (await office.shop.get("/v1/webhooks")).body["data"]
    changed = await office.shop.ask(
        "PATCH", f"/v1/webhooks/{ours['id']}", json={"url": office.receiver.url()}
    )
    assert changed.status == 200, changed.body
    return str(made["id"]), str(made["secret"])


async def live(shop: Shop) -> Json:
    """An invoice that is paid, loses its payment and gets another."""
    invoice = await shop.create(methods=[USDT])
    await shop.pay(FIRST, tx="1")
    await shop.mine(2)
    shop.chain.reorg(depth=3)
    await shop.mine(4)
    await shop.pay(FIRST, tx="2")
    await shop.mine(2)
    return invoice


async def test_a_webhook_is_added_and_its_secret_shown_once(shop: Shop) -> None:
    sent = {**WEBHOOK, "description": "Orders"}
    answer = await ask("bitgpt", shop, "POST", path=WEBHOOKS, json=sent)
    made = answer.body["data"]
    assert (answer.status, answer.body["status"]) == (201, 201)
    assert list(made) == SHOWN.split()
    assert (made["label"], made["url"], made["events"]) == ("Shop", sent["url"], EVENTS)
    listed = (await ask("bitgpt", shop, "GET", path=WEBHOOKS)).body["data"]
    masked = f"{made['secret'][:4]}…{made['secret'][-4:]}"
    assert listed == [{**made, "secret": masked, "description": "Orders", "enabled": 1}]


async def test_webhooks_of_other_dialects_are_not_its(shop: Shop) -> None:
    await shop.post("/v1/webhooks", {"url": "https://example.com/ours"})
    assert (await ask("bitgpt", shop, "GET", path=WEBHOOKS)).body["data"] == []


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "http://example.com/webhooks"},
        {"url": "https://127.0.0.1/"},
        {"events": []},
        {"events": ["order.refunded"]},
        {"label": None},
        {"label": "x" * 256},
        {"label": "two\nlines"},
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, fields: Json) -> None:
    answer = await ask("bitgpt", shop, "POST", path=WEBHOOKS, json={**WEBHOOK, **fields})
    assert answer.status == 400
    assert [name.partition(".")[0] for name in answer.body["validator"]] == list(fields)


async def test_anybody_may_ask_what_events_there_are(shop: Shop) -> None:
    answer = await ask("bitgpt", shop, "GET", path=f"{WEBHOOKS}/events", key="")
    assert answer.body["data"] == EVENTS


async def test_payments_and_paid_orders_are_told_and_signed(office: Office) -> None:
    webhook_id, secret = await add(office, EVENTS)
    invoice = await live(office.shop)
    async with delivering(office):
        states = await office.settled()
    assert set(states) == {"delivered"}
    calls = office.receiver.calls
    told = [(call.event["event"], call.event["payload"]["status"]) for call in calls]
    paid = [
        ("payment.created", "PENDING"),
        ("payment.updated", "COMPLETED"),
        ("order.paid", "COMPLETED"),
    ]
    assert sorted(told) == sorted([*paid, ("payment.updated", "FAILED"), *paid])
    for call in calls:
        own = hmac.new(secret.encode(), call.body, "sha256").hexdigest()
        assert call.headers["x-webhook-signature"] == own
        assert call.headers["x-webhook-event"] == call.event["event"]
        assert call.headers["x-webhook-timestamp"] == call.event["timestamp"]
        assert call.headers["x-watcher-invoice"] == invoice["id"]
        assert call.verify(secret) == call.event
        assert call.event["webhook_id"] == webhook_id
        assert call.event["resource_id"] == call.event["payload"]["id"]
    order = next(call.event for call in calls if call.event["event"] == "order.paid")
    assert order["resource_id"] == prefixed("invoice", invoice["id"])
    assert list(order) == BODY.split()


async def test_what_comes_beyond_the_price_once_it_is_paid_is_told_as_a_payment(
    office: Office,
) -> None:
    await add(office, EVENTS)
    await office.shop.create(methods=[USDT])
    await office.shop.pay(FIRST)
    await office.shop.mine(2)
    async with delivering(office):
        await office.settled()
    office.receiver.calls.clear()
    await office.shop.pay(FIRST, 5_000_000, tx="2")
    await office.shop.mine(2)
    async with delivering(office):
        await office.settled()
    told = [
        (call.event["event"], call.event["payload"]["status"]) for call in office.receiver.calls
    ]
    assert told == [("payment.created", "PENDING"), ("payment.updated", "COMPLETED")]


async def test_money_that_does_not_count_is_not_told(office: Office) -> None:
    await add(office, EVENTS)
    await office.shop.create(methods=[USDT])
    await office.shop.pass_time(7200)
    await office.shop.pay(FIRST)
    await office.shop.mine(2)
    async with delivering(office):
        await office.settled()
    assert office.receiver.calls == []


async def test_a_retry_brings_the_same_bytes(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(dialects.DIALECTS["bitgpt"], ladder=[0] * 10)
    monkeypatch.setitem(dialects.DIALECTS, "bitgpt", quick)
    await add(office, EVENTS)
    office.receiver.manners["/hook"] = [500, 302, 200]
    await office.shop.create(methods=[USDT])
    await office.shop.pay(FIRST)
    async with delivering(office):
        await office.settled()
    first, *again = office.receiver.calls
    assert len(again) == 2
    assert {call.body for call in again} == {first.body}


def test_the_documented_signature_is_made() -> None:
    body = b'{"event":"payment.updated"}'
    assert signature("whs_live_test", body) == (
        "af70592aaa040271849d158bb9cc3b519b39a0f7f7ce86bbc0cd67f4e1652ed1"
    )
