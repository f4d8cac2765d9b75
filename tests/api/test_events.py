"""`GET /v1/events`: the log as it was written, from any number on, and waiting for what comes."""

from __future__ import annotations

import asyncio

import pytest

import storage
from tests.api.shop import Shop, add_key, add_merchant
from watcher import merchants
from watcher.clock import now


async def test_the_log_is_told_in_order_and_without_gaps(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    await shop.mine(3)
    answer = await shop.get("/v1/events")
    data = answer.body["data"]
    assert [each["seq"] for each in data] == list(range(1, len(data) + 1))
    assert [each["type"] for each in data] == [
        "invoice.created",
        "deposit.detected",
        "invoice.confirming",
        "deposit.confirmed",
        "invoice.paid",
    ]
    assert set(data[0]) == {"id", "seq", "type", "created_at", "livemode", "data"}
    assert data[0]["data"]["invoice"] == {**made, "timeline": made["timeline"]}
    assert answer.body["next"] is None


async def test_pages_lead_on_to_each_other(shop: Shop) -> None:
    for _ in range(5):
        await shop.create()
    first = (await shop.get("/v1/events", limit="2")).body
    await shop.create()
    second = (await shop.get("/v1/events", limit="2", after=first["next"])).body
    last = (await shop.get("/v1/events", limit="2", after=second["next"])).body
    seqs = [each["seq"] for page in (first, second, last) for each in page["data"]]
    assert (seqs, last["next"]) == ([1, 2, 3, 4, 5, 6], None)


async def test_another_merchants_events_are_not_told(shop: Shop) -> None:
    await shop.create()
    other = (await add_key(shop.engine, await add_merchant(shop.engine, None))).text
    assert (await shop.get("/v1/events", other)).body == {"data": [], "next": None, "begins": 1}


async def test_who_waits_is_answered_by_the_next_commit(shop: Shop) -> None:
    await shop.create()
    waiting = asyncio.create_task(shop.get("/v1/events", after="1", wait="60"))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    await shop.create()
    assert [each["seq"] for each in (await waiting).body["data"]] == [2]


async def test_what_is_there_already_is_not_waited_for(shop: Shop) -> None:
    await shop.create()
    answer = await asyncio.wait_for(shop.get("/v1/events", wait="60"), 10)
    assert [each["seq"] for each in answer.body["data"]] == [1]


async def test_the_end_of_the_daemon_answers_who_waits(shop: Shop) -> None:
    waiting = asyncio.create_task(shop.get("/v1/events", wait="60"))
    await asyncio.wait([waiting], timeout=0.1)
    assert not waiting.done()
    await asyncio.wait_for(shop.http.server.close(), 10)
    assert (await waiting).body["data"] == []


async def test_a_key_revoked_while_it_waits_is_told_nothing(shop: Shop) -> None:
    made = await add_key(shop.engine, shop.merchant_id)
    waiting = asyncio.create_task(shop.get("/v1/events", made.text, wait="60"))
    await asyncio.wait([waiting], timeout=0.1)
    async with storage.write(shop.engine) as conn:
        await merchants.revoke_key(conn, made.key.id, now())
    await shop.create()
    assert (await waiting).status == 401


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=-1", "after"),
        ("after=evt_1", "after"),
        (f"after={2**63}", "after"),
        ("wait=61", "wait"),
        ("wait=-1", "wait"),
        ("limit=101", "limit"),
        ("type=invoice.paid", "type"),
    ],
)
async def test_a_wrong_parameter_is_named(shop: Shop, query: str, field: str) -> None:
    answer = await shop.get(f"/v1/events?{query}")
    assert (answer.status, answer.code, answer.fields) == (422, "invalid_field", [field])


async def forget(shop: Shop, number: int) -> None:
    """Let the chore forget so many of the oldest events."""
    async with storage.write(shop.engine) as conn:
        assert await storage.events.prune(conn, shop.merchant_id, now() + 1, number) == number


@pytest.mark.parametrize("given", [{}, {"after": "0"}, {"after": "1"}, {"wait": "60"}])
async def test_what_was_forgotten_is_not_skipped_silently(
    shop: Shop, given: dict[str, str]
) -> None:
    for _ in range(4):
        await shop.create()
    await forget(shop, 2)
    answer = await asyncio.wait_for(shop.get("/v1/events", **given), 10)
    assert (answer.status, answer.code, answer.fields) == (410, "events_gone", ["after"])
    told = "after: the log begins at seq 3, what was before is gone: go on with after=2"
    assert answer.body["detail"] == told


async def test_who_has_all_that_was_forgotten_goes_on(shop: Shop) -> None:
    for _ in range(4):
        await shop.create()
    await forget(shop, 2)
    answers = [(await shop.get("/v1/events", after=str(after))).body for after in (2, 3, 4, 9)]
    seqs = [[each["seq"] for each in answer["data"]] for answer in answers]
    assert seqs == [[3, 4], [4], [], []]
    assert {answer["begins"] for answer in answers} == {3}


async def test_a_log_that_was_forgotten_whole_begins_at_the_next_event(shop: Shop) -> None:
    await shop.create()
    await forget(shop, 1)
    answer = await shop.get("/v1/events")
    assert (answer.status, "begins at seq 2" in answer.body["detail"]) == (410, True)
    await shop.create()
    assert [each["seq"] for each in (await shop.get("/v1/events", after="1")).body["data"]] == [2]


async def test_another_merchants_log_begins_where_it_did(shop: Shop) -> None:
    await shop.create()
    await forget(shop, 1)
    other = (await add_key(shop.engine, await add_merchant(shop.engine, None))).text
    assert (await shop.get("/v1/events", other)).status == 200


async def test_invoices_and_deposits_outlast_what_told_of_them(shop: Shop) -> None:
    made = await shop.create(methods=["ethereum:usdt"])
    await shop.pay()
    await shop.mine(3)
    shown = [(await shop.get(path)).body for path in ("/v1/invoices", "/v1/deposits")]
    await forget(shop, 5)
    assert [(await shop.get(path)).body for path in ("/v1/invoices", "/v1/deposits")] == shown
    assert (await shop.get(f"/v1/invoices/{made['id']}")).body["status"] == "paid"
