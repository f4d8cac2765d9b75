"""Webhooks over HTTP: what may be set, what is shown, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import storage
from storage import Engine
from tests.api.shop import BOX, Shop, add_key, add_merchant, make_policy
from tests.real.shop import until
from tests.webhooks.receiver import Office, delivering, open_office
from watcher.clock import now
from watcher.refused import TooManyWebhooks
from watcher.webhooks import managing

URL = "https://shop.example.org/hook"


@pytest.fixture
async def office(engine: Engine) -> AsyncIterator[Office]:
    async with open_office(engine) as opened:
        yield opened


async def test_a_webhook_is_shown_whole_and_its_secret_once(shop: Shop) -> None:
    made = await shop.post("/v1/webhooks", {"url": URL, "description": "mine"})
    assert made.status == 201
    secret = made.body.pop("secret")
    assert secret.startswith("whsec_")
    assert made.body == {
        "id": made.body["id"],
        "object": "webhook",
        "merchant_id": shop.merchant_id,
        "url": URL,
        "events": ["*"],
        "dialect": "native",
        "description": "mine",
        "retry_count": 10,
        "timeout_ms": None,
        "enabled": True,
        "disabled_reason": None,
        "former_secret_until": None,
        "deliveries": {"pending": 0, "failing": 0, "dead": 0, "oldest_seconds": 0},
        "created_at": made.body["created_at"],
        "updated_at": made.body["updated_at"],
    }
    assert made.body["id"].startswith("wh_")
    assert (await shop.get(f"/v1/webhooks/{made.body['id']}")).body == made.body
    assert (await shop.get("/v1/webhooks")).body == {"data": [made.body], "next": None}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "http://shop.example.org/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://me:word@shop.example.org/"}, "url"),
        ({"url": None}, "url"),
        ({"events": []}, "events"),
        ({"events": ["invoice.paid", "invoice.nothing"]}, "events.1"),
        ({"events": ["invoice"]}, "events.0"),
        ({"dialect": "other"}, "dialect"),
        ({"retry_count": 11}, "retry_count"),
        ({"retry_count": -1}, "retry_count"),
        ({"timeout_ms": 30_001}, "timeout_ms"),
        ({"timeout_ms": 999}, "timeout_ms"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
async def test_a_wrong_field_is_named(shop: Shop, fields: dict[str, Any], field: str) -> None:
    answer = await shop.post("/v1/webhooks", {"url": URL, **fields})
    assert (answer.status, answer.code, answer.fields) == (422, answer.code, [field])
    assert (await shop.get("/v1/webhooks")).body["data"] == []


async def test_there_may_be_only_so_many(shop: Shop) -> None:
    for _ in range(managing.MOST_WEBHOOKS):
        assert (await shop.post("/v1/webhooks", {"url": URL})).status == 201
    answer = await shop.post("/v1/webhooks", {"url": URL})
    assert (answer.status, answer.code) == (409, "too_many_webhooks")


async def test_of_some_that_add_the_last_one_at_once_one_is_let(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managing, "MOST_WEBHOOKS", 1)
    wanted = managing.NewWebhook(URL, ["*"])

    async def add() -> str:
        async with storage.write(shop.engine) as conn:
            await managing.add_webhook(conn, BOX, shop.policy, shop.merchant_id, wanted, now())
            await asyncio.sleep(0.05)  # time enough for the other to count
        return "added"

    ended = await asyncio.gather(*(add() for _ in range(4)), return_exceptions=True)
    assert sorted(str(each) for each in ended).count("added") == 1
    assert sum(isinstance(each, TooManyWebhooks) for each in ended) == 3
    assert len((await shop.get("/v1/webhooks")).body["data"]) == 1


async def test_what_is_changed_is_stored_and_the_rest_stays(shop: Shop) -> None:
    made = (await shop.post("/v1/webhooks", {"url": URL, "timeout_ms": 2000})).body
    path = f"/v1/webhooks/{made['id']}"
    changes = {
        "url": "https://b.example.org/",
        "events": ["deposit.*"],
        "timeout_ms": None,
        "retry_count": 0,
        "enabled": False,
    }
    changed = await shop.ask("PATCH", path, json=changes)
    assert changed.status == 200
    del made["secret"]
    reason = {"disabled_reason": "switched off", "updated_at": changed.body["updated_at"]}
    assert changed.body == {**made, **changes, **reason}
    assert (await shop.ask("PATCH", path, json={})).body["enabled"] is False
    assert (await shop.ask("PATCH", path, json={"enabled": True})).body["disabled_reason"] is None


@pytest.mark.parametrize(
    "changes", [{"url": None}, {"enabled": None}, {"url": "https://127.0.0.1/"}, {"dialect": "x"}]
)
async def test_a_change_to_something_impossible_changes_nothing(
    shop: Shop, changes: dict[str, Any]
) -> None:
    made = (await shop.post("/v1/webhooks", {"url": URL})).body
    path = f"/v1/webhooks/{made['id']}"
    assert (await shop.ask("PATCH", path, json=changes)).status == 422
    del made["secret"]
    assert (await shop.get(path)).body == made


async def test_nobody_else_sees_or_touches_a_webhook_or_its_deliveries(office: Office) -> None:
    hook = await office.add()
    await office.shop.create()
    [delivery] = await office.deliveries()
    stranger = await add_key(office.engine, await add_merchant(office.engine, None))
    for method, path in (
        ("GET", f"/v1/webhooks/{hook['id']}"),
        ("DELETE", f"/v1/webhooks/{hook['id']}"),
        ("POST", f"/v1/webhooks/{hook['id']}/rotate"),
        ("POST", f"/v1/webhooks/{hook['id']}/ping"),
        ("GET", f"/v1/webhooks/{hook['id']}/deliveries"),
        ("GET", f"/v1/deliveries/{delivery.id}"),
        ("POST", f"/v1/deliveries/{delivery.id}/redeliver"),
    ):
        assert (await office.shop.ask(method, path, stranger.text)).status == 404
    answer = await office.shop.ask(
        "PATCH", f"/v1/webhooks/{hook['id']}", stranger.text, json={"enabled": False}
    )
    assert answer.status == 404
    assert (await office.shop.get("/v1/webhooks", stranger.text)).body["data"] == []
    assert (await office.shop.get("/v1/deliveries", stranger.text)).body["data"] == []


async def test_a_key_needs_the_scope(shop: Shop) -> None:
    key = await add_key(shop.engine, shop.merchant_id, "invoices:read", "invoices:write")
    assert (await shop.get("/v1/webhooks", key.text)).status == 403
    assert (await shop.post("/v1/webhooks", {"url": URL}, key.text)).status == 403


async def test_a_ping_says_what_came_back(office: Office) -> None:
    hook = await office.add()
    path = f"/v1/webhooks/{hook['id']}/ping"
    answer = (await office.shop.post(path)).body
    assert (answer["ok"], answer["status"], answer["answer"]) == (True, 200, "answer 200")
    [call] = office.receiver.calls
    event = call.verify(hook["secret"])
    assert (event["type"], event["data"]["webhook_id"]) == ("ping", hook["id"])

    office.receiver.manners["/hook"] = [500]
    answer = (await office.shop.post(path)).body
    assert (answer["ok"], answer["status"], answer["error"]) == (False, 500, None)
    assert await office.deliveries() == []


async def test_a_delivery_is_shown_with_request_answer_and_event(office: Office) -> None:
    hook = await office.add()
    invoice = await office.shop.create()
    async with delivering(office):
        await office.settled()
    page = (await office.shop.get(f"/v1/webhooks/{hook['id']}/deliveries")).body
    [shown] = page["data"]
    assert page["next"] is None
    assert (shown["state"], shown["tries"], shown["next_try_at"]) == ("delivered", 1, None)
    [tried] = shown["log"]
    [call] = office.receiver.calls
    assert (tried["status"], tried["answer"], tried["error"]) == (200, "answer 200", None)
    assert tried["request"]["url"] == hook["url"]
    signature = tried["request"]["headers"]["webhook-signature"]
    assert signature == call.headers["webhook-signature"]
    one = (await office.shop.get(f"/v1/deliveries/{shown['id']}")).body
    assert one == {**shown, "event": call.event}
    assert one["invoice_id"] == invoice["id"]


async def test_deliveries_are_listed_by_invoice_and_state_page_by_page(office: Office) -> None:
    await office.add()
    first, second = await office.shop.create(), await office.shop.create()
    page = (await office.shop.get("/v1/deliveries", limit="1")).body
    rest = (await office.shop.get("/v1/deliveries", after=page["next"])).body
    assert (len(page["data"]), rest["next"]) == (1, None)
    both = [each["invoice_id"] for each in page["data"] + rest["data"]]
    assert sorted(both) == sorted([first["id"], second["id"]])
    only = (await office.shop.get("/v1/deliveries", invoice_id=first["id"])).body
    assert [each["invoice_id"] for each in only["data"]] == [first["id"]]
    assert (await office.shop.get("/v1/deliveries", state="dead")).body["data"] == []
    assert (await office.shop.get("/v1/deliveries", state="odd")).status == 422


async def test_what_was_given_up_or_delivered_is_delivered_again_on_request(
    office: Office,
) -> None:
    await office.add(retry_count=0)
    office.receiver.manners["/hook"] = [500, 200]
    await office.shop.create()
    async with delivering(office):
        assert await office.settled() == {"dead": 1}
        [delivery] = await office.deliveries()
        for calls in (2, 3):
            answer = await office.shop.post(f"/v1/deliveries/{delivery.id}/redeliver")
            assert (answer.status, answer.body["state"]) == (202, "waiting")
            assert await office.settled() == {"delivered": 1}
            assert len(office.receiver.calls) == calls
    assert len({call.id for call in office.receiver.calls}) == 1
    assert [each.number for each in await office.log()] == [1, 2, 3]


async def test_nothing_is_delivered_again_to_a_webhook_that_is_off(office: Office) -> None:
    hook = await office.add()
    await office.shop.create()
    [delivery] = await office.deliveries()
    await office.shop.ask("PATCH", f"/v1/webhooks/{hook['id']}", json={"enabled": False})
    answer = await office.shop.post(f"/v1/deliveries/{delivery.id}/redeliver")
    assert (answer.status, answer.code) == (409, "webhook_disabled")
    await office.shop.ask("DELETE", f"/v1/webhooks/{hook['id']}")
    assert (await office.shop.post(f"/v1/deliveries/{delivery.id}/redeliver")).status == 404


async def test_a_delivery_whose_event_was_forgotten_is_there_no_more(office: Office) -> None:
    hook = await office.add()
    await office.shop.create()
    async with delivering(office):
        assert await office.settled() == {"delivered": 1}
    [delivery] = await office.deliveries()
    async with storage.write(office.shop.engine) as conn:
        assert await storage.events.prune(conn, office.shop.merchant_id, now() + 1, 9) == 1
    path = f"/v1/deliveries/{delivery.id}"
    for answer in (await office.shop.post(f"{path}/redeliver"), await office.shop.get(path)):
        assert (answer.status, answer.code) == (404, "not_found")
        assert answer.body["detail"] == "there is no such delivery"
    for listing in ("/v1/deliveries", f"/v1/webhooks/{hook['id']}/deliveries"):
        assert (await office.shop.get(listing, after=delivery.id)).body["data"] == []
        assert (await office.shop.get(listing)).body["data"] == []


async def test_what_waits_follows_a_changed_url(office: Office) -> None:
    hook = await office.add("/old")
    office.receiver.manners["/old"] = [500]
    await office.shop.create()
    async with delivering(office):
        await until(lambda: tried(office), "the old place was tried")
        new = {"url": office.receiver.url("/new", host="localhost")}
        await office.shop.ask("PATCH", f"/v1/webhooks/{hook['id']}", json=new)
        [delivery] = await office.deliveries()
        await office.shop.post(f"/v1/deliveries/{delivery.id}/redeliver")
        assert await office.settled() == {"delivered": 1}
    assert len(office.receiver.at("/new")) == 1


async def tried(office: Office) -> int:
    return len(await office.log())


async def test_a_callback_is_checked_and_shown_by_secret_keys_only(shop: Shop) -> None:
    invoice = await shop.create(callback_url=URL, callback_per_deposit=True)
    assert (invoice["callback_url"], invoice["callback_per_deposit"]) == (URL, True)
    assert "key_id" not in invoice
    order = {"price": {"amount": "1", "currency": "USD"}}
    for bad in ("http://shop.example.org/", "https://192.168.0.1/"):
        answer = await shop.post("/v1/invoices", {**order, "callback_url": bad})
        assert (answer.status, answer.fields) == (422, ["callback_url"])
    public = await add_key(shop.engine, shop.merchant_id, public=True)
    for field in ({"callback_url": URL}, {"callback_per_deposit": True}):
        assert (await shop.post("/v1/invoices", {**order, **field}, public.text)).status == 403


def test_private_addresses_are_off_unless_the_configuration_says_otherwise() -> None:
    assert not make_policy().webhooks.allow_private
    assert make_policy(webhooks={"allow_private_addresses": True}).webhooks.allow_private
