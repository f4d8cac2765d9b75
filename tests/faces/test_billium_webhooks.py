"""Billium's webhooks: managed by its clients, delivered in its words, verified as its SDK does."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from storage import Engine
from tests.api.shop import ETH, USDT, Json, Shop, add_key, make_policy, open_shop, serve
from tests.faces.asking import ask, opened, path_of
from tests.webhooks.receiver import Call, Office, delivering, open_office
from watcher.faces import billium_events
from watcher.faces.billium_events import LADDER, PATTERNS
from watcher.faces.ids import hex_id, read_id
from watcher.webhooks import dialects
from watcher.webhooks.sending import Answer

ALL = ["invoice.*", "payment.*"]
TOLERANCE_SECONDS = 300


@pytest.fixture
async def office(engine: Engine) -> AsyncIterator[Office]:
    async with open_office(engine) as opened:
        await opened.shop.follow()
        yield opened


async def hooks(shop: Shop, method: str, *rest: str, **options: Any) -> Any:
    path = "/".join([path_of("billium", shop).replace("/invoices", "/webhooks"), *rest])
    return await ask("billium", shop, method, path=path, **options)


async def add(office: Office, *events: str, **fields: Any) -> Json:
    """A webhook for these events, by default all."""
    body = {"url": office.receiver.url(), "events": list(events or ALL), **fields}
    answer = await hooks(office.shop, "POST", json=body)
    assert answer.status == 201, answer.body
    return dict(answer.body)


def verify(secret: str, call: Call, now: int) -> Json:
    """The body, if signed as Billium signs: what its SDK's `verify` does."""
    parts = dict(each.split("=", 1) for each in call.headers["x-signature"].split(","))
    signed = f"{parts['t']}.".encode() + call.body
    expected = hmac.new(secret.encode(), signed, "sha256").hexdigest()
    assert hmac.compare_digest(expected, parts["v1"])
    assert abs(now - int(parts["t"])) <= TOLERANCE_SECONDS
    return dict(json.loads(call.body))


def test_the_signature_is_the_documented_one() -> None:
    body = b'{"event":"invoice.paid","id":"evt_1","data":{},"timestamp":"2023-11-14T22:13:20.000Z"}'
    digest = billium_events.signature("whsec_test", 1_700_000_000, body)
    assert digest == "6ce6eb368925715ee5d42f34c7225530245b16cd5f08e1a565b1e86d9efe79f5"


async def test_a_webhook_is_shown_with_its_secret_once(office: Office) -> None:
    made = await add(office, "invoice.paid", "invoice.expired")
    id = made["id"]
    [secret] = made["webhookSecrets"]
    assert list(made) == [
        "id",
        "merchantId",
        "url",
        "events",
        "isActive",
        "description",
        "retryCount",
        "timeout",
        "webhookSecrets",
    ]
    assert made["events"] == ["invoice.expired", "invoice.paid"]
    assert (made["isActive"], made["retryCount"], made["timeout"]) == (True, 3, 30_000)
    text = secret.pop("secretKey")
    assert secret["secretKeyPreview"] == f"{text[:10]}…{text[-4:]}"
    shown = await hooks(office.shop, "GET", id)
    listed = await hooks(office.shop, "GET")
    assert shown.body == made
    assert listed.body == [made]


async def test_a_webhook_is_changed_and_deleted(office: Office) -> None:
    made = await add(office)
    body = {"isActive": False, "events": ["payment.paid"], "retryCount": 0, "timeout": 1000}
    changed = await hooks(office.shop, "PATCH", made["id"], json=body)
    assert {name: changed.body[name] for name in body} == body
    gone = await hooks(office.shop, "DELETE", made["id"])
    assert (gone.status, gone.body) == (200, {})
    assert (await hooks(office.shop, "GET", made["id"])).status == 404
    assert (await hooks(office.shop, "GET")).body == []


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"events": []}, "events"),
        ({"events": ["invoice.lost"]}, "events"),
        ({"url": "ftp://x.example.org"}, "url"),
        ({"retryCount": 11}, "retryCount"),
        ({"timeout": 999}, "timeout"),
        ({"timeout": 30_001}, "timeout"),
    ],
)
async def test_a_wrong_field_of_a_webhook_is_named(office: Office, fields: Json, name: str) -> None:
    body = {"url": office.receiver.url(), "events": ALL, **fields}
    answer = await hooks(office.shop, "POST", json=body)
    assert answer.status == 400
    assert answer.body["message"].startswith(name)


async def test_plain_http_is_refused_unless_private_addresses_are_allowed(engine: Engine) -> None:
    policy = make_policy()
    async with serve(engine, policy) as http:
        shop = await open_shop(engine, policy, http)
        body = {"url": "http://shop.example.org/hook", "events": ALL}
        answer = await hooks(shop, "POST", json=body)
        assert answer.status == 400
        assert answer.body["message"].startswith("url")


async def test_a_public_key_manages_no_webhooks(office: Office) -> None:
    key = (await add_key(office.engine, office.shop.merchant_id, public=True)).text
    assert (await hooks(office.shop, "GET", key=key)).status == 403


async def test_our_own_webhooks_are_not_billiums(office: Office) -> None:
    ours = await office.add()
    assert (await hooks(office.shop, "GET")).body == []
    assert (await hooks(office.shop, "GET", ours["id"])).status == 404


async def test_a_webhook_of_ours_may_speak_billiums_dialect(office: Office) -> None:
    made = await office.add(dialect="billium", events=["invoice.created"])
    shown = await hooks(office.shop, "GET", made["id"])
    assert shown.body["events"] == sorted(PATTERNS)
    await opened("billium", office.shop)
    async with delivering(office):
        await office.settled()
    assert told(office) == ["invoice.created"]


async def test_a_ping_is_signed_and_tells_how_it_went(office: Office) -> None:
    made = await add(office)
    done = await hooks(office.shop, "POST", made["id"], "ping")
    assert (done.status, done.body) == (201, {})
    [call] = office.receiver.calls
    said = verify(
        made["webhookSecrets"][0]["secretKey"], call, int(call.headers["webhook-timestamp"])
    )
    assert said["event"] == "ping"
    assert said["data"] == {
        "webhookId": made["id"],
        "merchantId": hex_id("mer", office.shop.merchant_id),
    }
    office.receiver.manners["/hook"] = [500]
    failed = await hooks(office.shop, "POST", made["id"], "ping")
    assert (failed.status, failed.body["error"]) == (422, "Unprocessable Entity")
    assert "500" in failed.body["message"]


async def lived(office: Office, units: int = 10_000_000) -> Json:
    """An invoice that was opened, selected and paid; everything about it is delivered."""
    made = await opened("billium", office.shop, rawAmount=10)
    await office.shop.post(f"/v1/invoices/{ours(made)}/select", {"method": USDT})
    await office.shop.pay(units=units)
    await office.shop.mine(2)
    async with delivering(office):
        await office.settled()
    return made


def ours(made: Json) -> str:
    return read_id("inv", made["id"])


def told(office: Office) -> list[str]:
    return [call.event["event"] for call in office.receiver.calls]


async def test_a_payment_is_told_in_billiums_events(office: Office) -> None:
    hook = await add(office)
    made = await lived(office)
    assert told(office) == [
        "invoice.created",
        "payment.created",
        "payment.detected",
        "invoice.updated",
        "payment.confirmed",
        "invoice.paid",
        "payment.paid",
    ]
    secret = hook["webhookSecrets"][0]["secretKey"]
    for call in office.receiver.calls:
        said = verify(secret, call, int(call.headers["webhook-timestamp"]))
        assert call.verify(secret) == said  # our own signature holds, too
        assert call.headers["x-event-id"] == said["id"]
        assert call.headers["x-webhook-id"] == hook["id"]
        assert call.headers["x-delivery-id"].startswith("dlv_")
        assert call.headers["x-watcher-invoice"] == ours(made)
        assert said["data"]["invoiceId"] == made["id"]
    paid = office.receiver.calls[-2].event["data"]
    shown = (await ask("billium", office.shop, "GET", made["id"])).body["payments"][0]
    assert paid == {
        "invoiceId": made["id"],
        "merchantId": made["merchantId"],
        "paymentId": shown["id"],
        "amount": 10,
        "cryptocurrency": "USDT",
        "network": "ethereum",
        "receivedCryptoAmount": "10.000000",
        "txHash": shown["txHash"],
        "metadata": {},
    }
    assert b'"amount":10,' in office.receiver.calls[-2].body


async def test_ids_of_events_are_never_shared(office: Office) -> None:
    await add(office)
    await lived(office)
    ids = [call.event["id"] for call in office.receiver.calls]
    assert len(set(ids)) == len(ids)


async def test_too_much_is_told_as_that_and_not_as_paid(office: Office) -> None:
    await add(office)
    await lived(office, units=20_000_000)
    assert told(office)[-2:] == ["invoice.overpaid", "payment.overpaid"]
    assert "invoice.paid" not in told(office)


async def test_what_comes_beyond_the_price_once_it_is_paid_is_told(office: Office) -> None:
    await add(office)
    await lived(office)
    office.receiver.calls.clear()
    await office.shop.pay(units=5_000_000, tx="2")
    await office.shop.mine(2)
    async with delivering(office):
        await office.settled()
    words = [(call.event["event"], call.event["data"]["status"]) for call in office.receiver.calls]
    assert words == [
        ("payment.detected", "DETECTED"),
        ("invoice.updated", "PAID"),
        ("payment.confirmed", "CONFIRMED"),
        ("invoice.updated", "OVERPAID"),
    ]


async def test_another_method_is_told_as_itself_after_a_part_was_paid(office: Office) -> None:
    await add(office, "payment.created")
    made = await opened("billium", office.shop, rawAmount=10)
    await office.shop.post(f"/v1/invoices/{ours(made)}/select", {"method": USDT})
    await office.shop.pay(units=4_000_000)
    await office.shop.mine(2)
    await office.shop.post(f"/v1/invoices/{ours(made)}/select", {"method": ETH})
    shown = (await ask("billium", office.shop, "GET", made["id"])).body
    [row] = [each for each in shown["payments"] if each["currency"] == "ETH"]
    async with delivering(office):
        await office.settled()
    said = office.receiver.calls[-1].event["data"]
    assert (said["paymentId"], said["status"], said["txHash"]) == (row["id"], "CREATED", None)
    assert (said["cryptocurrency"], said["paymentAddress"]) == ("ETH", row["toAddress"])
    assert (said["expectedCryptoAmount"], said["receivedCryptoAmount"]) == (row["amount"], None)


@pytest.mark.parametrize(
    ("patterns", "events"),
    [
        (["payment.paid"], ["payment.paid"]),
        (["invoice.overpaid"], []),
        (["payment.*"], ["created", "detected", "confirmed", "paid"]),
    ],
)
async def test_only_what_was_subscribed_to_is_told(
    office: Office, patterns: list[str], events: list[str]
) -> None:
    await add(office, *patterns)
    await lived(office)
    assert [each.removeprefix("payment.") for each in told(office)] == [
        each.removeprefix("payment.") for each in events
    ]
    assert all(each.tries == 1 for each in await office.deliveries())
    assert len(await office.log()) == len(await office.deliveries())


async def test_what_takes_no_part_is_told_as_unmatched_and_an_expiry_as_one(
    office: Office,
) -> None:
    await add(office)
    made = await opened("billium", office.shop, rawAmount=10)
    await office.shop.post(f"/v1/invoices/{ours(made)}/select", {"method": USDT})
    await office.shop.pass_time(3700)
    await office.shop.pay()
    async with delivering(office):
        await office.settled()
    calls = {call.event["event"]: call.event["data"] for call in office.receiver.calls}
    assert calls["invoice.expired"]["status"] == "EXPIRED"
    assert calls["payment.expired"]["status"] == "EXPIRED"
    assert calls["payment.detected"]["status"] == "UNMATCHED"


async def test_a_reorg_takes_the_payment_and_the_word_back(office: Office) -> None:
    await add(office)
    await lived(office)
    office.receiver.calls.clear()
    office.shop.chain.reorg(depth=3)
    await office.shop.mine(4)
    async with delivering(office):
        await office.settled()
    words = [(call.event["event"], call.event["data"]["status"]) for call in office.receiver.calls]
    assert words == [("payment.updated", "ORPHANED"), ("invoice.updated", "AWAITING_PAYMENT")]


async def test_short_money_is_told_with_what_was_expected(office: Office) -> None:
    await add(office)
    made = await opened("billium", office.shop, rawAmount=10)
    await office.shop.post(f"/v1/invoices/{ours(made)}/select", {"method": USDT})
    await office.shop.pay(units=4_000_000)
    await office.shop.mine(2)
    await office.shop.pass_time(3700)
    async with delivering(office):
        await office.settled()
    assert told(office)[-2:] == ["invoice.underpaid", "payment.underpaid"]
    data = office.receiver.calls[-2].event["data"]
    assert data["expectedCryptoAmount"] == "10.000000"
    assert data["receivedCryptoAmount"] == "4.000000"


@pytest.mark.parametrize("status", [500, 503, 408, 425, 429, "hang"])
async def test_what_may_pass_is_tried_as_often_as_asked_with_the_same_bytes(
    office: Office, status: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(dialects.DIALECTS["billium"], ladder=[0] * 10)
    monkeypatch.setitem(dialects.DIALECTS, "billium", quick)
    await add(office, "invoice.created", retryCount=2, timeout=1000)
    office.receiver.manners["/hook"] = [status]
    await opened("billium", office.shop)
    async with delivering(office):
        assert await office.settled() == {"dead": 1}
    assert len(office.receiver.calls) == 3
    assert len({call.body for call in office.receiver.calls}) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 451, "redirect"])
async def test_what_will_not_pass_is_dead_at_once(office: Office, status: int | str) -> None:
    await add(office, "invoice.created")
    office.receiver.manners["/hook"] = [status]
    await opened("billium", office.shop)
    async with delivering(office):
        assert await office.settled() == {"dead": 1}
    assert len(office.receiver.calls) == 1


async def test_of_two_posts_the_second_waits_for_the_first_one_to_be_taken(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(dialects.DIALECTS["billium"], ladder=[0] * 10)
    monkeypatch.setitem(dialects.DIALECTS, "billium", quick)
    await add(office, "invoice.paid", "payment.paid")
    office.receiver.manners["/hook"] = [500, 200]
    await lived(office)
    assert told(office) == ["invoice.paid", "invoice.paid", "payment.paid"]


def test_the_pauses_double_up_to_an_hour() -> None:
    assert LADDER == (60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600)


def test_there_are_fifteen_events_and_two_groups() -> None:
    assert len(PATTERNS) == 15 + 2


@pytest.mark.parametrize("status", [200, 204, 299])
def test_2xx_is_success(status: int) -> None:
    dialect = dialects.DIALECTS["billium"]
    assert dialect.accepts(Answer(1, status))
    assert not dialect.accepts(Answer(1, 300))
